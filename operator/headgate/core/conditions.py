"""Conditions as Kubernetes means them: one per type, a time that moves only with the status. Knows no kind of object."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from headgate.api import Condition, ConditionStatus

LONGEST_MESSAGE: Final = 4096

_ORDER: Final = ("Ready", "Reconciling", "Stalled", "Suspended", "Synced", "Reachable", "Authorized")
_STATUS: Final = {True: ConditionStatus.TRUE, False: ConditionStatus.FALSE, None: ConditionStatus.UNKNOWN}


@dataclass(frozen=True, slots=True)
class Aspect:
    """A condition without its history; `holds` is None where nobody knows."""

    type: str
    holds: bool | None
    reason: str
    message: str = ""


def yes(kind: str, reason: str, message: str = "") -> Aspect:
    """A condition that holds."""
    return Aspect(kind, holds=True, reason=reason, message=message)


def no(kind: str, reason: str, message: str = "") -> Aspect:
    """A condition that does not hold."""
    return Aspect(kind, holds=False, reason=reason, message=message)


def unknown(kind: str, reason: str, message: str = "") -> Aspect:
    """A condition of which nobody knows whether it holds."""
    return Aspect(kind, holds=None, reason=reason, message=message)


def find(conditions: Iterable[Condition], kind: str) -> Condition | None:
    """The condition of a type."""
    return next((condition for condition in conditions if condition.type == kind), None)


def holds(conditions: Iterable[Condition], kind: str) -> bool:
    """Whether the condition of a type is there and true."""
    found = find(conditions, kind)
    return found is not None and found.status is ConditionStatus.TRUE


def merge(
    before: Collection[Condition],
    wanted: Iterable[Aspect],
    *,
    generation: int,
    now: datetime,
    keep: Collection[str] = (),
) -> tuple[Condition, ...]:
    """The conditions that are wanted, in an order of their own; types in `keep` stay as they were and win.

    What is neither wanted nor kept is gone. Of two aspects of one type the first counts.
    """
    merged = {condition.type: condition for condition in before if condition.type in keep}
    for aspect in wanted:
        if aspect.type not in merged:
            merged[aspect.type] = _condition(find(before, aspect.type), aspect, generation, now)
    return tuple(sorted(merged.values(), key=_place))


def _condition(before: Condition | None, aspect: Aspect, generation: int, now: datetime) -> Condition:
    status = _STATUS[aspect.holds]
    same = before is not None and before.status is status
    return Condition(
        type=aspect.type,
        status=status,
        reason=aspect.reason,
        message=_cut(aspect.message),
        observed_generation=generation,
        last_transition_time=before.last_transition_time if before is not None and same else now,
    )


def _cut(message: str) -> str:
    return message if len(message) <= LONGEST_MESSAGE else f"{message[: LONGEST_MESSAGE - 3]}..."


def _place(condition: Condition) -> tuple[int, str]:
    known = condition.type in _ORDER
    return (_ORDER.index(condition.type) if known else len(_ORDER), condition.type)
