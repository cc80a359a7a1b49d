"""When a workload gets more replicas, how many, and when it does not although work waits. Pure branches of a decision.

More are asked for at the last moment at which the promise can still be kept: a burst that drains by itself costs no
change. Then it is as many as are needed, in one step.
"""

from typing import Final

from headgate.core.demand import HOT, Demand, Share
from headgate.core.hindsight import done
from headgate.core.outlook import LATEST, SOON, Case, expected, needed
from headgate.core.scale_words import counted, number, pending, plenty, read_ago, time, traffic, waits
from headgate.core.scaling import Decision, Reason

_UNBOUNDED: Final = 1_000_000
_NO_GAIN: Final = 1.1
_UNEVEN: Final = 2  # times the mean of all partitions


def wake(case: Case) -> Decision | None:
    """From zero, as soon as there is anything to do."""
    if case.seen.current > 0 or all(load.lag.at_rest for load in case.fresh):
        return None
    flying = sum([load.lag.in_flight for load in case.fresh])
    desired = max(1, case.rule.minimum, min(needed(case, case.top), case.top))
    unsettled = counted(flying, "is unsettled", "are unsettled")
    said = f"{waits(pending(case))} and {unsettled} with no replicas; {plenty(desired)} to begin with"
    return Decision(desired, Reason.WORK_WAITING, said)


def revert(case: Case) -> Decision | None:
    """Replicas that were added and got no more done are taken back."""
    trial, shelved = case.state.trial, case.state.habits.shelved
    if trial is None or not trial.failed or shelved is None or case.blind:
        return None
    desired = min(max(trial.before, case.rule.minimum), case.base)
    return Decision(desired, Reason.SCALE_UP_INEFFECTIVE, _in_vain(case))


def _in_vain(case: Case) -> str:
    finishing = number(done(case.seen))
    return f"{traffic(case)}; the replicas added last got no more done than {finishing}/s, so something else is the limit"


def up(case: Case) -> Decision | None:
    """More replicas, or why not although events would be late."""
    if case.base == 0 or not case.waiting:
        return None
    late = _late(case)
    if late is None or _is_on_trial(case):
        return None
    shelved = case.state.habits.shelved
    if shelved is not None and case.seen.now < shelved.until:
        return Decision(case.base, Reason.SCALE_UP_INEFFECTIVE, _in_vain(case))
    wanted = needed(case, case.top)
    if wanted > case.base:
        enough = counted(wanted, "replica keeps", "replicas keep")
        said = f"{traffic(case)}{read_ago(case)}; {_outlook(late, case)}; {enough} up"
        return Decision(wanted, _reason(late, case), said)
    return None if case.blind else _bound(case)


def _late(case: Case) -> Demand | None:
    """The load that would be latest, where waiting for the next chance to act would be too late."""
    rising, queueing = case.rising(), case.queueing()
    soon = LATEST if case.moving else SOON
    found, worst = None, 0.0
    for one in case.demands:
        if one.backlog <= 0:
            continue
        over = case.age_unhelped(one, rising) / one.deadline - soon if rising > 0 else -1.0
        if not case.moving:
            over = max(over, queueing / one.deadline - SOON, one.age / one.deadline - 1)
        if over >= 0 and (found is None or over > worst):
            found, worst = one, over
    return found


def _is_on_trial(case: Case) -> bool:
    """Whether replicas that were added a moment ago have to show first that they help."""
    trial = case.state.trial
    return trial is not None and not case.starting and done(case.seen) < _NO_GAIN * trial.finishing


def _reason(late: Demand, case: Case) -> Reason:
    promise = late.load.promise
    if promise is None:
        return Reason.WOULD_DRAIN_TOO_SLOWLY
    then = max(case.age_unhelped(late, case.rising()), case.queueing())
    missed = then >= SOON * promise.total_seconds()
    return Reason.WOULD_MISS_FRESHNESS if missed else Reason.WOULD_DRAIN_TOO_SLOWLY


def _outlook(late: Demand, case: Case) -> str:
    then = case.age_unhelped(late, case.rising())
    if case.queueing() > then:
        return f"the newest event would wait {time(case.queueing())}"
    return f"the oldest event would be {time(then)} old before more replicas could help"


def _bound(case: Case) -> Decision | None:
    """Why there are no more, where more would be needed."""
    wanted = needed(case, _UNBOUNDED)
    if any(_is_hot(one.flow(expected(one))) for one in case.demands):
        said = f"{traffic(case)}; one partition gets more than one replica can handle, so that more would not help"
        return Decision(case.base, Reason.PARTITION_HOT, said)
    if case.top < case.rule.maximum and case.base >= case.top:
        all_busy = counted(case.top, "replica already has", "replicas already have")
        said = f"{traffic(case)}; {all_busy} all that can be handled at the same time"
        return Decision(case.base, Reason.CONCURRENCY_LIMIT, said)
    if wanted > case.base:
        said = f"{plenty(wanted)} would be needed, and maxReplicas is {case.rule.maximum}"
        return Decision(case.base, Reason.AT_MAXIMUM, said)
    return None


def _is_hot(flow: Share) -> bool:
    """Whether one partition has more than a replica can do, and much more than the others."""
    return flow.count is not None and flow.top > HOT and flow.top * flow.count > _UNEVEN * flow.total
