"""How `status.record.learned` keeps what was seen of a workload's replicas over a restart. Knows no clock and no broker.

Whatever cannot be understood counts as never seen: then usual figures hold until it is seen again.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from headgate.core.scaling import NO_HABITS, Habits, Shelved

_START: Final = "startSeconds"
_PAUSE: Final = "pauseSeconds"
_CALM: Final = "calmSeconds"
_UNTIL: Final = "inVainUntil"
_HOLD: Final = "inVainSeconds"
_FEWER: Final = "fewerSince"
_MORE: Final = "moreSince"
_DONE: Final = "inVainEventsPerSecond"
_SAME: Final = 0.1
_LEAST: Final = 1.0  # second: less makes no difference
_MOST: Final = 1e9


def kept(habits: Habits, before: Mapping[str, str]) -> Mapping[str, str]:
    """What status is to keep; figures are written anew only when they moved by more than a tenth."""
    found = {}
    for name, value in ((_START, habits.start), (_PAUSE, habits.pause), (_CALM, habits.calm)):
        if value is not None:
            found[name] = _told(value, before.get(name, ""))
    if habits.shelved is not None:
        found[_UNTIL] = habits.shelved.until.isoformat()
        found[_HOLD] = f"{habits.shelved.hold:.0f}"
        found[_DONE] = f"{habits.shelved.finishing:.1f}"
    for name, moment in ((_FEWER, habits.lowered), (_MORE, habits.restless)):
        if moment is not None:
            found[name] = moment.isoformat(timespec="seconds")
    return found


def known(learned: Mapping[str, str]) -> Habits:
    """What an earlier run saw."""
    found = Habits(
        start=_number(learned, _START),
        pause=_number(learned, _PAUSE),
        calm=_number(learned, _CALM),
        shelved=_shelved(learned),
        lowered=_moment(learned, _FEWER),
        restless=_moment(learned, _MORE),
    )
    return NO_HABITS if found == NO_HABITS else found


def _told(value: float, before: str) -> str:
    old = _number({_START: before}, _START)
    if old is not None and abs(value - old) <= max(old * _SAME, _LEAST):
        return before
    return f"{value:.0f}"


def _number(learned: Mapping[str, str], name: str) -> float | None:
    try:
        value = float(learned.get(name, ""))
    except ValueError:
        return None
    return value if 0 <= value < _MOST else None


def _shelved(learned: Mapping[str, str]) -> Shelved | None:
    until, hold, finishing = _moment(learned, _UNTIL), _number(learned, _HOLD), _number(learned, _DONE)
    if until is None or hold is None or finishing is None:
        return None
    return Shelved(until, hold, finishing)


def _moment(learned: Mapping[str, str], name: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(learned.get(name, ""))
    except ValueError:
        return None
    return None if found.tzinfo is None else found
