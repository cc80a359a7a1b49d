"""Times that come again: whether one is on now, and what may not be fewer meanwhile. Knows no workload and no clock.

cron means a clock on a wall. When that is put forward, what would have begun in the hour that is left out begins as
soon as it is over; when it is put back, what begins at a fixed hour begins once. A duration is time that passes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

_AHEAD: Final = timedelta(
    hours=3
)  # seen from inside an hour that comes twice, cron forgets the first of them


@dataclass(frozen=True, slots=True)
class Window:
    """A time that comes again, and the replicas that it takes at least."""

    cron: str
    time_zone: str
    duration: timedelta
    minimum: int


def unreadable_cron(cron: str) -> str:
    """Why the text says no times; empty: it does."""
    try:
        next(CronSim(cron, datetime(2026, 1, 1)))  # noqa: DTZ001  (whether there is any time does not hang on a place)
    except (CronSimError, StopIteration) as error:
        return str(error) or "it never comes"
    return ""


def is_time_zone(name: str) -> bool:
    """Whether the database of time zones has the name."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def minimum(windows: Iterable[Window], now: datetime) -> int:
    """The replicas that the windows which are on now take at least; of those that say no time, none."""
    return max((window.minimum for window in windows if is_on(window, now)), default=0)


def is_on(window: Window, now: datetime) -> bool:
    """Whether the window began so lately that it lasts."""
    began = _began(window.cron, window.time_zone, now.replace(second=0, microsecond=0))
    return began is not None and began <= now < began + window.duration


@lru_cache(maxsize=4096)  # all groups that share a window ask for it every few seconds
def _began(cron: str, time_zone: str, minute: datetime) -> datetime | None:
    """When it came last, up to the end of this minute."""
    if unreadable_cron(cron) or not is_time_zone(time_zone):
        return None
    zone = ZoneInfo(time_zone)
    times = (each.astimezone(UTC) for each in CronSim(cron, (minute + _AHEAD).astimezone(zone), reverse=True))
    return next((each for each in times if each <= minute), None)
