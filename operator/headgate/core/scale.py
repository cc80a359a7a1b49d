"""How many replicas keep the promise: a pure decision over figures of lag. Knows no broker, no cluster and no clock.

The branches come in the order in which they count; each is in the module of its topic. Blindness holds everything
but more replicas for what can still be seen. State that is lost costs patience, never replicas.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Final

from headgate.core.hindsight import advanced
from headgate.core.lag import Sight
from headgate.core.outlook import Case, case
from headgate.core.scale_down import down, noted, zero
from headgate.core.scale_up import revert, up, wake
from headgate.core.scale_words import counted, pending, plenty, time, waits
from headgate.core.scaling import Decision, Observation, Reason, Rule, State

FLOOR_AFTER: Final = timedelta(seconds=120)
_MOVES: Final = frozenset(
    {
        Reason.WORK_WAITING,
        Reason.WOULD_MISS_FRESHNESS,
        Reason.WOULD_DRAIN_TOO_SLOWLY,
        Reason.SCALE_UP_INEFFECTIVE,
        Reason.LESS_NEEDED,
        Reason.IDLE_LONG_ENOUGH,
        Reason.PROBING,
        Reason.BELOW_MINIMUM,
        Reason.ABOVE_MAXIMUM,
    }
)


def decide(observation: Observation, state: State, rule: Rule) -> tuple[Decision, State]:
    """The replicas that there should be, and what to hand to the next decision."""
    looked = case(observation, advanced(observation, state), rule)
    looked = replace(looked, state=noted(looked))
    found = next(found for branch in _BRANCHES if (found := branch(looked)) is not None)
    decision = _bounded(looked, found)
    before = looked.state.decision
    if before is not None and before.desired == decision.desired and _same(before.reason, decision.reason):
        return before, looked.state
    return decision, replace(looked.state, decision=decision)


def _same(before: Reason, after: Reason) -> bool:
    """A number that stays keeps the reason for which it was chosen."""
    return before is after or (after in (Reason.STEADY, Reason.IDLE) and before in _MOVES)


def _blind(case: Case) -> Decision | None:
    if not case.blind:
        return None
    lost = all(load.lag.sight is Sight.LOST for load in case.seen.loads if load.lag.sight is not Sight.FRESH)
    since = case.state.blind_since or case.seen.now
    floor = case.rule.floor
    if floor is not None and lost and case.seen.now - since >= FLOOR_AFTER:
        desired = max(case.base, min(floor, case.rule.maximum))
        said = f"The lag has not been readable for {time(FLOOR_AFTER)}; at least {plenty(floor)} until it is"
        return Decision(desired, Reason.METRICS_LOST_FLOOR, said)
    stay = counted(case.base, "replica stays", "replicas stay")
    said = f"The lag cannot be read at present; {stay} until it can"
    return Decision(case.base, Reason.METRICS_LOST if lost else Reason.METRICS_STALE, said)


def _hold(case: Case) -> Decision | None:
    if not case.held:
        return None
    load, reason = case.held[0]
    if reason is Reason.RETRY_SATURATED:
        most = f"of at most {load.total} in flight"
        saturated = counted(load.lag.in_flight, f"{most} waits", f"{most} wait")
        said = f"{saturated} for a retry; replicas do not help"
    else:
        idle = counted(case.base, "replica finishes", "replicas finish")
        said = f"{waits(load.lag.pending)} and {idle} none; more would not help"
    return Decision(case.base, reason, said)


def _unknown(case: Case) -> Decision | None:
    if case.known or case.state.calm_since is not None:
        return None
    said = f"{waits(pending(case))}; how many one replica handles per second is being learned"
    return Decision(case.base, Reason.RATE_UNKNOWN, said)


def _stuck(case: Case) -> Decision | None:
    numbers = [n for load in case.fresh if load.lag.spread is not None for n in load.lag.spread.stuck]
    if not numbers:
        return None
    if len(numbers) == 1:
        said = f"Partition {numbers[0]} makes no progress while others do; more replicas would not help it"
    else:
        listed = ", ".join(map(str, numbers))
        said = f"Partitions {listed} make no progress while others do; more replicas would not help them"
    return Decision(case.base, Reason.PARTITION_STALLED, said)


def _steady(case: Case) -> Decision:
    if case.base == 0:
        return Decision(0, Reason.IDLE, "Nothing pending or in flight, and no replicas")
    return Decision(case.base, Reason.STEADY, f"{counted(case.base, 'replica is', 'replicas are')} enough")


_BRANCHES: Final[tuple[Callable[[Case], Decision | None], ...]] = (
    wake,  # work and nobody there
    revert,  # more that did not help
    up,  # by what can be seen, also while other groups cannot
    _blind,  # nothing below is decided without seeing everything
    _hold,  # more replicas would not help
    _unknown,  # work waits and nobody knows how many it takes
    zero,
    down,
    _stuck,
    _steady,
)


def _bounded(case: Case, found: Decision) -> Decision:
    """A number that only the bounds changed says so."""
    current = case.seen.current
    there = counted(current, "replica is", "replicas are")
    if case.base == current or found.desired != case.base or found.reason in _MOVES:
        return found
    if current < case.base:
        said = f"{there} fewer than the minimum of {case.rule.minimum}"
        return Decision(case.base, Reason.BELOW_MINIMUM, said)
    said = f"{there} more than maxReplicas, {case.rule.maximum}"
    return Decision(case.base, Reason.ABOVE_MAXIMUM, said)
