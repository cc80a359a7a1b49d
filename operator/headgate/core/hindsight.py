"""What one look at a workload adds to what is remembered of it. Decides nothing and knows no bounds.

How long replicas take to start and partitions to move, whether replicas that were added got more done, and whether
fewer turned out to be too few: all of it is read off the figures, from nothing but the number of replicas over time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from headgate.core.demand import waiting
from headgate.core.lag import Sight
from headgate.core.outlook import CALM, GIVEN_UP, patience, usual_calm
from headgate.core.rates import learn
from headgate.core.scaling import Habits, Load, Observation, Reason, Shelved, State, Trial
from headgate.core.spread import Spread

FOR_WORK: Final = frozenset({Reason.WOULD_MISS_FRESHNESS, Reason.WOULD_DRAIN_TOO_SLOWLY})
_LONGEST_CALM: Final = 8 * CALM
_FORGIVEN: Final = 7200.0  # seconds after which a reversal is forgotten
_MOST_START: Final = 300.0
_MOST_PAUSE: Final = 60.0
_THERE: Final = 0.8  # of the pace of all replicas: the last of them have begun
_JUDGED: Final = 30.0  # seconds after new replicas should have begun
_HOLD: Final = 600.0
_LONGEST_HOLD: Final = 3600.0
_CATCHING_UP: Final = 60.0  # seconds within which a backlog would be handled by replicas that help
_WORTH: Final = 0.3  # of what got done before: more was to be expected
_GAIN: Final = 0.2  # of what was to be expected: less is no help
_MORE_DONE: Final = 1.15  # times what got done when adding replicas was shelved: something has changed


def advanced(seen: Observation, state: State) -> State:
    """The state with one more look."""
    now = seen.now
    blind = not seen.loads or any(load.lag.sight is not Sight.FRESH for load in seen.loads)
    state = _forgiven(_moved(seen, state), now)
    calm = not blind and not _backlog(seen)
    state = replace(
        state,
        rates=_rates(seen, state),
        blind_since=_earlier(state.blind_since, now) if blind else None,
        watched_since=None if blind else _earlier(state.watched_since, now),
        calm_since=_earlier(state.calm_since, now) if calm else None,
    )
    return state if blind else _judged(seen, _resumed(seen, _begun(seen, state)))


def done(seen: Observation) -> float:
    """Events per second that get done lately, of all loads."""
    return sum([load.lag.finishing or 0.0 for load in seen.loads])


def _backlog(seen: Observation) -> float:
    return sum([waiting(load) for load in seen.loads])


def _earlier(since: datetime | None, now: datetime) -> datetime:
    """When something began; a clock that steps back never makes it begin in the future."""
    return now if since is None else min(since, now)


def _seconds(since: datetime, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds())


def _moved(seen: Observation, state: State) -> State:
    """What follows from another number of replicas, whoever changed it."""
    now, before = seen.now, state.current
    if before == seen.current:
        since = _earlier(state.steady_since, now)
        return state if since == state.steady_since else replace(state, steady_since=since)
    state = replace(
        state,
        current=seen.current,
        steady_since=now,
        awaited=False,
        joined=None,
        begun=None,
        trial=None,
    )
    if before is None:  # the decision of an earlier life may have been carried out only now
        return _regretted(seen, state)
    if seen.current < before:
        return replace(state, habits=replace(state.habits, lowered=now))
    return _raised(seen, replace(state, raised=now, awaited=True), before)


def _raised(seen: Observation, state: State, before: int) -> State:
    if not _for_work(seen, state):
        return state
    trial = Trial(before, seen.current, done(seen), _backlog(seen))
    return replace(_regretted(seen, state), trial=trial)


def _for_work(seen: Observation, state: State) -> bool:
    """Whether there are as many as were asked for because of what waits."""
    decision = state.decision
    return decision is not None and decision.desired == seen.current and decision.reason in FOR_WORK


def _regretted(seen: Observation, state: State) -> State:
    """More were needed soon after fewer had seemed enough: next time that has to last longer."""
    now, habits = seen.now, state.habits
    calm = habits.calm or usual_calm(seen.loads)
    if not _for_work(seen, state) or not _is_reversal(habits, now, calm):
        return state
    return replace(state, habits=replace(habits, calm=min(_LONGEST_CALM, 2 * calm), restless=now))


def _is_reversal(habits: Habits, now: datetime, calm: float) -> bool:
    """Whether fewer turned out to be too few, of which nobody has learned yet."""
    lowered = habits.lowered
    if lowered is None or not 0 <= (now - lowered).total_seconds() < 5 * calm:
        return False  # what will have been is from another clock
    return habits.restless is None or habits.restless < lowered


def _forgiven(state: State, now: datetime) -> State:
    """After a while without reversals fewer replicas are tried as soon as ever."""
    habits = state.habits
    if habits.calm is None or (habits.restless is not None and _seconds(habits.restless, now) <= _FORGIVEN):
        return state
    if habits.restless is None:  # kept by an operator that did not keep since when
        return replace(state, habits=replace(habits, restless=now))
    return replace(state, habits=replace(habits, restless=None, calm=None))


def _rates(seen: Observation, state: State) -> Mapping[str, float]:
    replicas = max(seen.current, seen.running) if seen.current else 0
    since = state.steady_since or seen.now
    rates = {}
    for load in seen.loads:
        known = state.rates.get(load.name)
        found = learn(known, load.lag, replicas, since, seen.now, _room(load, replicas))
        if known is not None and found is not None and state.trial is not None:
            found = max(known, found)  # what everybody waits for says nothing about one replica
        if found is not None:
            rates[load.name] = found
    return state.rates if rates == state.rates else rates


def _room(load: Load, replicas: int) -> int | None:
    """Events in flight at which each replica may still be handed one; None: they hold all that may be in flight."""
    if load.total is None or load.per_replica is None or load.total <= replicas * load.per_replica:
        return None
    return load.total - replicas


def _begun(seen: Observation, state: State) -> State:
    """How long replicas took to start, and how long their partitions stood still."""
    if not state.awaited or state.raised is None:
        return state
    took = _seconds(state.raised, seen.now)
    spreads = [load.lag.spread for load in seen.loads if load.lag.spread is not None]
    if took > GIVEN_UP or (not spreads and not _backlog(seen)):
        return replace(state, awaited=False)  # nobody can tell any more when they began
    return _joined(seen, state, spreads, state.raised) if spreads else _at_work(seen, state, took)


def _at_work(seen: Observation, state: State, took: float) -> State:
    """Nobody says who is there, but as much gets done as all of them can do."""
    if _busy(seen, state) < _THERE * seen.current:
        return state
    habits = replace(state.habits, start=_mixed(state.habits.start, took, _MOST_START))
    return replace(state, awaited=False, begun=seen.now, habits=habits)


def _joined(seen: Observation, state: State, spreads: Sequence[Spread], raised: datetime) -> State:
    """All are there, and then each of their partitions got on."""
    habits, most = state.habits, max(spread.count for spread in spreads)
    if max(spread.members for spread in spreads) < min(seen.current, most):
        return state
    joined = state.joined or seen.now
    if not all(spread.settled for spread in spreads):
        return replace(state, joined=joined)
    start = _mixed(habits.start, _seconds(raised, joined), _MOST_START)
    pause = _mixed(habits.pause, _seconds(joined, seen.now), _MOST_PAUSE)
    habits = replace(habits, start=start, pause=pause)
    return replace(state, awaited=False, joined=None, begun=seen.now, habits=habits)


def _mixed(known: float | None, took: float, most: float) -> float:
    """A figure that was seen and what was known of it, half and half."""
    return min(took if known is None else (known + took) / 2, most)


def _busy(seen: Observation, state: State) -> float:
    """How many replicas could have got done what got done lately."""
    return sum([(load.lag.finishing or 0.0) / rate for load in seen.loads if (rate := _rate(load, state))])


def _rate(load: Load, state: State) -> float | None:
    return load.capacity or state.rates.get(load.name)


def _resumed(seen: Observation, state: State) -> State:
    """More gets done than when adding replicas was shelved: whatever held everybody back is gone."""
    shelved = state.habits.shelved
    if shelved is None or seen.now >= shelved.until or done(seen) <= _MORE_DONE * shelved.finishing + 1:
        return state
    return replace(state, habits=replace(state.habits, shelved=None))


def _judged(seen: Observation, state: State) -> State:
    """Replicas that were added and should have begun by now: whether they got more done."""
    trial, habits = state.trial, state.habits
    if trial is None or trial.failed or state.steady_since is None:
        return state
    wait = _JUDGED if state.begun is not None else patience(seen.loads, habits)
    if _seconds(state.begun or state.steady_since, seen.now) < wait:
        return state
    if _helped(seen, state, trial):
        return replace(state, trial=None, habits=replace(habits, shelved=None))
    hold = _HOLD if habits.shelved is None else min(_LONGEST_HOLD, 2 * habits.shelved.hold)
    shelved = Shelved(seen.now + timedelta(seconds=hold), hold, done(seen))
    return replace(state, trial=replace(trial, failed=True), habits=replace(habits, shelved=shelved))


def _helped(seen: Observation, state: State, trial: Trial) -> bool:
    finishing, busy, backlog = done(seen), _busy(seen, state), _backlog(seen)
    if backlog < trial.backlog or busy <= 0:
        return True
    arriving = sum([load.lag.arriving or 0.0 for load in seen.loads])
    able = trial.after * finishing / busy
    wanted = min(able, arriving + backlog / _CATCHING_UP) - trial.finishing
    return wanted <= _WORTH * trial.finishing or finishing - trial.finishing >= _GAIN * wanted
