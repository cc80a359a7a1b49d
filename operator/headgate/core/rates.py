"""How many events one replica handles per second, learned only from replicas that had enough to do. Pure values."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from headgate.core.lag import RECENT, Lag, Sight, pace

STARTING: Final = timedelta(seconds=60)  # replicas asked for may still be on their way to full speed
_WEIGHT: Final = 0.3  # of one look against all before
_LIFT: Final = 1.3  # the most that one look without saturation raises a rate
_SAME: Final = 0.1
_KEY: Final = "eventsPerSecondPerReplica"
NO_RATES: Final[Mapping[str, float]] = MappingProxyType({})


def learn(
    known: float | None, lag: Lag, replicas: int, since: datetime, now: datetime, most: int | None = None
) -> float | None:
    """The rate after one more look at `replicas` replicas that were that many since then.

    Replicas with too little to do only show what one can do at least; so do those that may be handed nothing, while
    more than `most` events are in flight. Right after a change a low figure says more about starting than about
    handling, so that only a higher one is believed.
    """
    if replicas < 1 or lag.sight is not Sight.FRESH:
        return known
    seen = _paced(lag, replicas, max(since, now - lag.working_for), most)
    if seen is None:
        return _lifted(known, lag, replicas, now - since)
    if known is None:
        return seen
    if seen < known and now - since < STARTING:
        return known
    return known + _WEIGHT * (seen - known)


def _paced(lag: Lag, replicas: int, since: datetime, most: int | None) -> float | None:
    """What one replica got done per second while it always had more to do."""
    if lag.spread is not None:
        return lag.spread.paced
    found = pace(lag, since, most)
    return None if found is None or found.rate <= 0 else found.rate / replicas


def _lifted(known: float | None, lag: Lag, replicas: int, settled: timedelta) -> float | None:
    if known is None or lag.finishing is None or settled < 2 * RECENT:
        return known
    shown = lag.finishing
    if lag.spread is not None:  # commits come in steps, so that a short look at them exaggerates
        shown = min(shown, lag.usual or 0.0)
    return min(max(known, shown / replicas), known * _LIFT)


def remembered(rate: float | None, before: Mapping[str, str]) -> Mapping[str, str]:
    """A learned rate as `status.record.learned` keeps it: written anew only when it moved by more than a tenth."""
    kept = recalled(before)
    if rate is None or (kept is not None and abs(rate - kept) <= kept * _SAME):
        return {_KEY: before[_KEY]} if kept is not None else {}
    return {_KEY: _digits(rate)}


def recalled(learned: Mapping[str, str]) -> float | None:
    """The rate that was kept; whatever cannot be understood counts as never learned."""
    try:
        rate = float(learned.get(_KEY, ""))
    except ValueError:
        return None
    return rate if 0 < rate < float("inf") else None


def _digits(rate: float) -> str:
    return f"{float(f'{rate:.2g}'):.10f}".rstrip("0").rstrip(".")
