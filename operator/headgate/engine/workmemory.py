"""What is remembered of one workload from one look to the next. Decides nothing."""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from headgate.core.habits import known
from headgate.core.lag import Sight
from headgate.core.rates import recalled
from headgate.core.scaling import NO_HABITS, Decision, Reason, State
from headgate.core.workload import NOTHING, Member, Workload
from headgate.kube.values import Scale

LEFT_AT_ZERO: Final = "leftAtZero"


@dataclass(slots=True)
class Memory:
    """What is remembered of one workload."""

    state: State
    workload: Workload  # as it was when it was last acted on
    scale: Scale | None = None
    read: datetime | None = None
    unchanged: int = 0  # looks in a row that found the scale as it was, with nothing to do
    sights: tuple[
        tuple[Sight, bool], ...
    ] = ()  # of its groups when it was last acted on, and whether they had nothing to do
    failing_since: datetime | None = None
    left_at_zero: bool = False  # we were the ones who saw to it
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


def restored(workload: Workload) -> Memory:
    """What an earlier run remembered: what was learned, and the reason that status gives for the present number."""
    rates = {str(m.group): rate for m in workload.members if (rate := recalled(m.learned)) is not None}
    seen = (known(m.learned) for m in workload.members)
    state = State(rates=rates, habits=next((habits for habits in seen if habits != NO_HABITS), NO_HABITS))
    shown = workload.members[0].shown
    if shown is not None and shown.reason in set(Reason):
        state = replace(state, decision=Decision(shown.desired, Reason(shown.reason), shown.message))
    named = str(workload.target)  # another one may have been meant when that was written
    left_at_zero = any(m.learned.get(LEFT_AT_ZERO) == named for m in workload.members)
    return Memory(state, workload, left_at_zero=left_at_zero)


def says_the_same(before: Workload, after: Workload) -> bool:
    """Whether nobody declared anything else; what status says is not declared."""
    if before.members == after.members:
        return True
    return tuple(map(_declared, before.members)) == tuple(map(_declared, after.members))


def _declared(member: Member) -> Member:
    return replace(member, learned=NOTHING, shown=None)
