"""How many replicas keep the promise: a pure decision over figures of lag. Knows no broker, no cluster and no clock.

A workload needs (events arriving per second + backlog / time to drain it) / (events one replica handles per second)
replicas, summed over the groups that it serves. More is asked for at once, and only while work waits; less when less
was needed for a while, with a margin, so that the two never chase each other. Blindness holds everything.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from headgate.core.lag import Sight
from headgate.core.rates import STARTING, learn
from headgate.core.scaling import Decision, Load, Observation, Reason, Rule, State

HEADROOM: Final = 0.8  # how busy replicas may be after some were taken away
FLOOR_AFTER: Final = timedelta(seconds=120)
_SHORTEST_WINDOW: Final = timedelta(seconds=60)
_LONGEST_WINDOW: Final = timedelta(seconds=300)
_MOVES: Final = frozenset(
    {
        Reason.WORK_WAITING,
        Reason.WOULD_MISS_FRESHNESS,
        Reason.WOULD_DRAIN_TOO_SLOWLY,
        Reason.LESS_NEEDED,
        Reason.IDLE_LONG_ENOUGH,
        Reason.PROBING,
        Reason.BELOW_MINIMUM,
        Reason.ABOVE_MAXIMUM,
    }
)


@dataclass(frozen=True, slots=True)
class _Case:
    """An observation with what follows from it, for the branches below to look at."""

    seen: Observation
    state: State
    rule: Rule
    base: int  # the present number, inside the bounds
    fresh: tuple[Load, ...]
    held: tuple[tuple[Load, Reason], ...]  # loads that more replicas would not help
    needed: int  # by the loads that can be seen
    known: bool  # whether the rates of all loads with something to do are known

    @property
    def waiting(self) -> bool:
        """Whether more replicas would have work at once."""
        held = {load.name for load, _ in self.held}
        return any(load.lag.pending > 0 and load.name not in held for load in self.fresh)

    @property
    def blind(self) -> bool:
        return len(self.fresh) < len(self.seen.loads) or not self.seen.loads

    @property
    def top(self) -> int:
        """The most replicas that may be and that could do anything at the same time."""
        useful = [
            -(-load.total // load.per_replica) for load in self.seen.loads if load.total and load.per_replica
        ]
        if len(useful) < len(self.seen.loads) or not useful:
            return self.rule.maximum
        return min(self.rule.maximum, max(self.rule.minimum, 1, *useful))

    @property
    def window(self) -> timedelta:
        """How long fewer must have been enough."""
        drain = max((load.drain_within for load in self.seen.loads), default=_SHORTEST_WINDOW)
        return min(_LONGEST_WINDOW, max(_SHORTEST_WINDOW, drain * 2))


def decide(observation: Observation, state: State, rule: Rule) -> tuple[Decision, State]:
    """The replicas that there should be, and what to hand to the next decision."""
    state = _advanced(observation, state)
    case = _case(observation, state, rule)
    case = replace(case, state=_noted(case))
    found = next(found for branch in _BRANCHES if (found := branch(case)) is not None)
    decision = _bounded(case, found)
    before = case.state.decision
    if before is not None and before.desired == decision.desired and _same(before.reason, decision.reason):
        decision = before
    return decision, replace(case.state, decision=decision)


def _same(before: Reason, after: Reason) -> bool:
    """A number that stays keeps the reason for which it was chosen."""
    return before is after or (after in (Reason.STEADY, Reason.IDLE) and before in _MOVES)


def _advanced(seen: Observation, state: State) -> State:
    now = seen.now
    steady = now if state.current != seen.current else _earlier(state.steady_since, now)
    blind = any(load.lag.sight is not Sight.FRESH for load in seen.loads) or not seen.loads
    pending = any(load.lag.pending > 0 for load in seen.loads)
    return replace(
        state,
        rates=_rates(seen, state, steady),
        current=seen.current,
        steady_since=steady,
        blind_since=_earlier(state.blind_since, now) if blind else None,
        watched_since=None if blind else _earlier(state.watched_since, now),
        calm_since=None if blind or pending else _earlier(state.calm_since, now),
    )


def _earlier(since: datetime | None, now: datetime) -> datetime:
    """When something began; a clock that steps back never makes it begin in the future."""
    return now if since is None else min(since, now)


def _rates(seen: Observation, state: State, steady: datetime) -> Mapping[str, float]:
    replicas = max(seen.current, seen.running) if seen.current else 0
    learned = {
        load.name: learn(state.rates.get(load.name), load.lag, replicas, steady, seen.now)
        for load in seen.loads
    }
    rates = {name: rate for name, rate in learned.items() if rate is not None}
    return state.rates if rates == state.rates else rates


def _rate(load: Load, state: State) -> float | None:
    return load.capacity or state.rates.get(load.name)


def _case(seen: Observation, state: State, rule: Rule) -> _Case:
    fresh = tuple(load for load in seen.loads if load.lag.sight is Sight.FRESH)
    held = tuple((load, reason) for load in fresh if (reason := _beyond_help(load, seen, state)) is not None)
    hopeless = {load.name for load, _ in held}
    need = 0.0
    known = True
    for load in fresh:
        rate = _rate(load, state)
        backlog = 0 if load.name in hopeless else load.lag.pending
        work = (load.lag.arriving or 0.0) + backlog / load.drain_within.total_seconds()
        known = known and (rate is not None or work == 0)
        need += work / rate if rate else 0.0
    base = min(max(seen.current, rule.minimum), rule.maximum)
    return _Case(seen, state, rule, base, fresh, held, _whole(need), known)


def _whole(need: float) -> int:
    """Replicas come whole; what is above a whole number by less than a rounding error is not a need."""
    return math.ceil(min(need, 1e9) - 1e-9)


def _beyond_help(load: Load, seen: Observation, state: State) -> Reason | None:
    """Why more replicas would not get this load done any faster."""
    lag = load.lag
    if seen.current == 0 or lag.pending == 0:
        return None
    if load.per_replica and load.total and lag.in_flight - seen.running * load.per_replica > load.total / 2:
        return Reason.RETRY_SATURATED
    patience = max(STARTING, load.patience)
    settled = state.steady_since is not None and seen.now - state.steady_since > patience
    unfinished = lag.unfinished_for is None or lag.unfinished_for > patience
    if settled and unfinished and lag.pressed_for > patience:
        return Reason.WORKERS_STALLED
    return None


def _noted(case: _Case) -> State:
    """The state with what would be enough now; of what was enough lately, only the largest figures matter."""
    now, state = case.seen.now, case.state
    if case.blind:
        return replace(state, needs=())
    enough = _enough(case)
    since = now - case.window
    kept = tuple((at, need) for at, need in state.needs if need > enough and since <= at <= now)
    return replace(state, needs=(*kept, (now, enough)))


def _enough(case: _Case) -> int:
    """Replicas that would do with some room to spare; the present number where that cannot be told."""
    need = 0.0
    for load in case.fresh:
        lag, rate = load.lag, _rate(load, case.state)
        if lag.arriving is None or lag.usual is None:
            return case.base
        work = max(lag.arriving, lag.usual) / HEADROOM + lag.pending / load.drain_within.total_seconds()
        if work > 0 and rate is None:
            return case.base
        need += work / rate if rate else 0.0
    return _whole(need)


def _wake(case: _Case) -> Decision | None:
    if case.seen.current > 0 or all(load.lag.at_rest for load in case.fresh):
        return None
    pending = sum(load.lag.pending for load in case.fresh)
    flying = sum(load.lag.in_flight for load in case.fresh)
    desired = max(1, case.rule.minimum, min(case.needed, case.top))
    said = (
        f"{pending} events wait and {flying} are unsettled with no replicas; {_plenty(desired)} to begin with"
    )
    return Decision(desired, Reason.WORK_WAITING, said)


def _up(case: _Case) -> Decision | None:
    if not case.waiting or case.needed <= case.base:
        return None
    desired = min(case.needed, case.top)
    if desired > case.base:
        late = any(_would_be_late(load, case) for load in case.fresh)
        reason = Reason.WOULD_MISS_FRESHNESS if late else Reason.WOULD_DRAIN_TOO_SLOWLY
        return Decision(desired, reason, f"{_traffic(case)}; draining in time takes {_plenty(case.needed)}")
    if case.top < case.rule.maximum:
        said = (
            f"{_plenty(case.needed)} would be needed, but {case.top} already handle all that may be in flight"
        )
        return Decision(case.base, Reason.CONCURRENCY_LIMIT, said)
    said = f"{_plenty(case.needed)} would be needed, and maxReplicas is {case.rule.maximum}"
    return Decision(case.base, Reason.AT_MAXIMUM, said)


def _would_be_late(load: Load, case: _Case) -> bool:
    rate = _rate(load, case.state)
    if rate is None or load.promise is None or load.lag.pending == 0:
        return False
    wait = load.lag.pending / (rate * case.base)
    age = load.lag.age or timedelta(0)
    return wait > load.promise.total_seconds() or age > load.promise


def _blind(case: _Case) -> Decision | None:
    if not case.blind:
        return None
    lost = all(load.lag.sight is Sight.LOST for load in case.seen.loads if load.lag.sight is not Sight.FRESH)
    since = case.state.blind_since or case.seen.now
    floor = case.rule.floor
    if floor is not None and lost and case.seen.now - since >= FLOOR_AFTER:
        desired = max(case.base, min(floor, case.rule.maximum))
        said = (
            f"The lag has not been readable for {_time(FLOOR_AFTER)}; at least {_plenty(floor)} until it is"
        )
        return Decision(desired, Reason.METRICS_LOST_FLOOR, said)
    said = f"The lag cannot be read at present; {_plenty(case.base)} stay until it can"
    return Decision(case.base, Reason.METRICS_LOST if lost else Reason.METRICS_STALE, said)


def _hold(case: _Case) -> Decision | None:
    if not case.held:
        return None
    load, reason = case.held[0]
    if reason is Reason.RETRY_SATURATED:
        said = f"{load.lag.in_flight} of at most {load.total} events in flight wait for a retry; replicas do not help"
    else:
        said = f"{load.lag.pending} events wait and {_plenty(case.base)} finish none; more would not help"
    return Decision(case.base, reason, said)


def _unknown(case: _Case) -> Decision | None:
    if case.known or not case.waiting:
        return None
    said = f"{_pending(case)} events wait; how many one replica handles per second is being learned"
    return Decision(case.base, Reason.RATE_UNKNOWN, said)


def _zero(case: _Case) -> Decision | None:
    if case.rule.minimum > 0 or case.base == 0:
        return None
    after = case.rule.idle_after
    if any(not load.lag.at_rest or (load.lag.idle_for or timedelta(0)) < after for load in case.fresh):
        return None
    return Decision(0, Reason.IDLE_LONG_ENOUGH, f"Nothing pending or in flight for {_time(after)}")


def _down(case: _Case) -> Decision | None:
    since = case.state.watched_since
    if since is None or case.seen.now - since < case.window:
        return None
    steady = case.state.steady_since or case.seen.now
    desired = max(1, case.rule.minimum, *(need for _, need in case.state.needs))
    if desired >= case.base:
        return _probe(case)
    if case.seen.now - steady < case.window / 2:
        return None  # one step down in a while, not one at every look
    said = f"{_traffic(case)}; {_plenty(desired)} have been enough for {_time(case.window)}"
    return Decision(desired, Reason.LESS_NEEDED, said)


def _probe(case: _Case) -> Decision | None:
    calm, steady = case.state.calm_since, case.state.steady_since
    if case.known or calm is None or steady is None or case.base <= max(1, case.rule.minimum):
        return None
    if case.seen.now - max(calm, steady) < case.window:
        return None
    said = (
        f"Nothing has waited for {_time(case.window)} and the rate of a replica is unknown; trying one less"
    )
    return Decision(case.base - 1, Reason.PROBING, said)


def _steady(case: _Case) -> Decision:
    if case.base == 0:
        return Decision(0, Reason.IDLE, "Nothing pending or in flight, and no replicas")
    return Decision(case.base, Reason.STEADY, f"{_plenty(case.base)} are enough")


_BRANCHES: Final[tuple[Callable[[_Case], Decision | None], ...]] = (
    _wake,  # work and nobody there
    _up,  # by what can be seen, also while other groups cannot
    _blind,  # nothing below is decided without seeing everything
    _hold,  # more replicas would not help
    _unknown,  # work waits and nobody knows how many it takes
    _zero,
    _down,
    _steady,
)


def _bounded(case: _Case, found: Decision) -> Decision:
    """A number that only the bounds changed says so."""
    current = case.seen.current
    if case.base == current or found.desired != case.base or found.reason in _MOVES:
        return found
    if current < case.base:
        said = f"{_plenty(current)} are fewer than the minimum of {case.rule.minimum}"
        return Decision(case.base, Reason.BELOW_MINIMUM, said)
    said = f"{_plenty(current)} are more than maxReplicas, {case.rule.maximum}"
    return Decision(case.base, Reason.ABOVE_MAXIMUM, said)


def _pending(case: _Case) -> int:
    return sum(load.lag.pending for load in case.fresh)


def _traffic(case: _Case) -> str:
    """What arrives, what waits, and what the present replicas make of it."""
    arriving = sum(load.lag.arriving or 0.0 for load in case.fresh)
    rates = [rate for load in case.fresh if (rate := _rate(load, case.state)) is not None]
    each = (
        f"{case.seen.current} x {_number(min(rates))}/s handled" if rates else f"{_plenty(case.seen.current)}"
    )
    return f"{_number(arriving)}/s arrive, {each}, {_pending(case)} wait"


def _plenty(replicas: int) -> str:
    return f"{replicas} replica" if replicas == 1 else f"{replicas} replicas"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"  # noqa: PLR2004  (three digits are plenty)


def _time(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    return f"{seconds // 60}m" if seconds >= 60 and seconds % 60 == 0 else f"{seconds}s"  # noqa: PLR2004
