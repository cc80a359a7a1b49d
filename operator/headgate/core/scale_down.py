"""When a workload has fewer replicas, and how many. Pure branches of a decision.

Keeping replicas costs their time, taking them away costs a move of partitions and perhaps another one back. So the
more could go, the sooner they go: when as much was wasted as a change is worth. Whatever turns out to have been too
few doubles that.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from headgate.core.outlook import EVER, Case, enough, fewer
from headgate.core.scale_words import counted, time, traffic
from headgate.core.scaling import Decision, Reason, State

SETTLED: Final = 60.0  # seconds without a change before the next one down
SOON: Final = 60.0  # seconds for which a deeper step is waited for
_REMEMBERED: Final = 8  # times the calm that half as many and less must have lasted
_PROBED: Final = 2.5  # times the same, before a rate that is unknown is found out
_NOTICED: Final = 40.0  # seconds until replicas that are too few show it
_RISKED: Final = 0.5  # of the deadline: what finding out may cost
_BUSY: Final = 0.95  # how busy replicas may be after some were taken away


def noted(case: Case) -> State:
    """The state with what would be enough now; of what was enough lately, only the largest figures matter."""
    now, state = case.seen.now, case.state
    if case.blind:
        return replace(state, needs=())
    found = enough(case, min(_BUSY, _caught_up(case)))
    need = case.base if found is None else found
    since = now - timedelta(seconds=_REMEMBERED * case.calm)
    kept = tuple([(at, each) for at, each in state.needs if each > need and since <= at <= now])
    return replace(state, needs=(*kept, (now, need)))


def _caught_up(case: Case) -> float:
    """How busy replicas may be that have to catch up with a pause which is long for the promise."""
    deadline = min([(load.promise or load.drain_within).total_seconds() for load in case.fresh])
    return 1 / (1 + (case.pause / deadline) ** 2)


def zero(case: Case) -> Decision | None:
    """Nobody, where nothing was to do for long enough."""
    if case.rule.minimum > 0 or case.base == 0 or _until_zero(case) > 0:
        return None
    return Decision(
        0, Reason.IDLE_LONG_ENOUGH, f"Nothing pending or in flight for {time(case.rule.idle_after)}"
    )


def _until_zero(case: Case) -> float:
    """Seconds, if nothing comes meanwhile."""
    lags = [load.lag for load in case.fresh]
    idle = [0.0 if lag.idle_for is None else lag.idle_for.total_seconds() for lag in lags]
    after = case.rule.idle_after.total_seconds()
    rests = all(lag.at_rest and lag.idle_for is not None for lag in lags)
    return after - min(idle) if rests else EVER


def down(case: Case) -> Decision | None:
    """Fewer, where fewer have been enough for as long as it takes to be worth it."""
    state = case.state
    settled = min(case.since(state.steady_since), case.since(state.watched_since))
    if case.waiting or state.watched_since is None or settled < SETTLED:
        return None
    waits = _waits(case, settled)
    due = [desired for desired, left in waits if left <= 0]
    if not due:
        return None if waits else probe(case)
    if min([desired for desired, left in waits if left <= SOON]) < min(due):
        return None  # one step is better than two
    silent = not any(load.lag.arriving for load in case.fresh)
    if case.rule.minimum == 0 and silent and _until_zero(case) <= SOON:
        return None
    desired = min(due)
    enough = counted(desired, "replica has", "replicas have")
    said = f"{traffic(case)}; {enough} been enough for {time(int(_calm(case, desired)))}"
    return Decision(desired, Reason.LESS_NEEDED, said)


def _calm(case: Case, desired: int) -> float:
    """Seconds for which so many must have been enough."""
    return case.calm * case.base / (case.base - desired)


def _waits(case: Case, settled: float) -> list[tuple[int, float]]:
    """Lower numbers that were enough up to now, with the seconds for which they still have to be."""
    found = []
    before = None
    for at, need in case.state.needs:
        desired = max(1, case.rule.minimum, need)
        if desired < case.base:
            found.append((desired, _calm(case, desired) - min(settled, case.since(before))))
        before = at
    return found


def probe(case: Case) -> Decision | None:
    """One step down where nobody knows what a replica can do and nothing waits; as far as the promise can take it."""
    state, least = case.state, max(1, case.rule.minimum)
    if case.known or state.calm_since is None or case.base <= least:
        return None
    if min(case.since(state.calm_since), case.since(state.steady_since)) < _PROBED * case.calm:
        return None
    desired = max(least, fewer(case))
    late = (1 - desired / case.base) * (case.lead + _NOTICED)
    deadline = min([(load.promise or load.drain_within).total_seconds() for load in case.fresh])
    if late > _RISKED * deadline:
        return None
    said = f"Nothing has waited for {time(_PROBED * case.calm)} and the rate of a replica is unknown; trying fewer"
    return Decision(desired, Reason.PROBING, said)
