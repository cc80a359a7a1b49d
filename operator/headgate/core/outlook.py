"""An observation of a workload with what follows from it: how late events will be, and what it takes. Decides nothing."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from headgate.core.demand import Demand, Share, demand, fit, gone_on, level, packed
from headgate.core.lag import LOST, Sight
from headgate.core.rates import STARTING
from headgate.core.scaling import Habits, Load, Observation, Reason, Rule, State

LOOK: Final = 5.0  # seconds until the next chance to act
START: Final = 25.0  # seconds that replicas take to be there, until it was seen
PAUSE: Final = 10.0  # seconds that partitions stand still when they move, until it was seen
CALM: Final = 120.0  # seconds for which next to none must have been enough
_LEAST_CALM: Final = 30.0  # the same where promises are short
SOON: Final = 0.7  # of the deadline: as old as the oldest event may be when more replicas begin
LATEST: Final = 0.85  # the same where more have been asked for already, and for the newest event afterwards
ROOM: Final = 0.97  # how busy replicas may be after some were added
TREND: Final = 60.0  # seconds for which arrivals are expected to go on growing
QUICKEST: Final = 15.0  # seconds: what is to be drained sooner than this asks for too much
GIVEN_UP: Final = 600.0  # seconds after which replicas that did not come are awaited no more
UNSEEN: Final = 180.0  # seconds that replicas may take to begin, while nobody has seen it
BLIND: Final = 300.0  # seconds for which what is lost is thought to stay lost
EVER: Final = 1e9


@dataclass(frozen=True, slots=True)
class Case:
    """What the branches of the decision look at; times in seconds."""

    seen: Observation
    state: State
    rule: Rule
    base: int  # the present number, inside the bounds
    top: int  # the most that may be and that could do anything at the same time
    fresh: tuple[Load, ...]
    stale: tuple[Load, ...]  # as they have become since they were read, for all that is known
    demands: tuple[Demand, ...]  # of all these where the rate is known
    held: tuple[tuple[Load, Reason], ...]  # loads that more replicas would not help
    known: bool  # whether the rates of all loads with something to do are known
    pause: float  # for which partitions stand still when they move
    lead: float  # from the next chance to act until more replicas handle events

    @property
    def blind(self) -> bool:
        return len(self.fresh) < len(self.seen.loads) or not self.seen.loads

    @property
    def told(self) -> tuple[Load, ...]:
        """Loads of which something can be said."""
        return (*self.fresh, *self.stale)

    @property
    def waiting(self) -> bool:
        """Whether more replicas would have work at once."""
        return any(one.backlog > 0 for one in self.demands)

    @property
    def calm(self) -> float:
        return self.state.habits.calm or usual_calm(self.seen.loads)

    @property
    def starting(self) -> bool:
        """Whether replicas that were asked for may still be on their way."""
        return self.state.awaited and self.since(self.state.raised) < patience(self.fresh, self.state.habits)

    @property
    def moving(self) -> bool:
        """Whether what is late now may be late only because of the last change."""
        lowered = self.state.habits.lowered
        fewer = lowered is not None and lowered <= self.seen.now  # what will have been is from another clock
        return self.starting or (fewer and self.since(lowered) < self.pause + 2 * LOOK)

    def since(self, moment: datetime | None) -> float:
        """How long ago that was; nothing at all was long ago."""
        return EVER if moment is None else max(0.0, (self.seen.now - moment).total_seconds())

    def rising(self) -> float:
        """Seconds by which the oldest event gets older in every second, for lack of replicas."""
        if self.base == 0:
            return 1.0
        if self.starting:
            flow = sum([one.flow(one.arriving).peak(self.base) for one in self.demands])
        else:
            flow = sum([one.busiest(self.base) for one in self.demands])
        return max(0.0, 1 - 1 / flow) if flow > 0 else 0.0

    def age_then(self, one: Demand, rising: float) -> float:
        """How old the oldest event will be when replicas that are asked for next handle events."""
        return one.age + (rising * (self.lead - self.pause) + self.pause if rising > 0 else 0.0)

    def age_unhelped(self, one: Demand, rising: float) -> float:
        """How old it will be when replicas that are asked for at the next occasion, and not now, handle events."""
        return self.age_then(one, rising) + (rising * BLIND if self.is_last_look(one) else 0.0)

    def is_last_look(self, one: Demand) -> bool:
        """Whether the load will count as lost at the next look, so that nobody knows when there is another occasion."""
        lag = one.load.lag
        return lag.sight is Sight.STALE and lag.unread_for.total_seconds() > LOST.total_seconds() - LOOK

    def pace(self) -> float:
        """How many of the present replicas' work gets done while events wait, however fast they are said to be."""
        shown = [one.load.lag.finishing for one in self.demands]
        if self.moving or None in shown:
            return self.base
        done = sum((one.load.lag.finishing or 0.0) / one.rate for one in self.demands)
        return min(self.base, done)

    def queueing(self) -> float:
        """Seconds that the newest event will have waited with the present replicas."""
        return sum([one.longest(self.base) for one in self.demands])


def case(seen: Observation, state: State, rule: Rule) -> Case:
    """Everything that follows from the observation without deciding."""
    fresh = tuple([load for load in seen.loads if load.lag.sight is Sight.FRESH])
    base = min(max(seen.current, rule.minimum), rule.maximum)
    stale = _stale(seen, state, base)
    told = (*fresh, *stale)
    held = tuple([(load, why) for load in told if (why := _beyond_help(load, seen, state)) is not None])
    hopeless = {load.name for load, _ in held}
    demands, known = [], True
    for load in told:
        rate = _rate(load, state)
        if rate is not None:
            demands.append(demand(load, rate, helpful=load.name not in hopeless, served=seen.current > 0))
        elif load.lag.pending > 0 or load.lag.arriving:
            known = False
    habits = state.habits
    pause = 0.0
    if any(load.lag.spread is not None for load in told):
        pause = PAUSE if habits.pause is None else habits.pause
    return Case(
        seen=seen,
        state=state,
        rule=rule,
        base=base,
        top=_top(seen.loads, rule),
        fresh=fresh,
        stale=stale,
        demands=tuple(demands),
        held=held,
        known=known,
        pause=pause,
        lead=(START if habits.start is None else habits.start) + pause + LOOK,
    )


def _rate(load: Load, state: State) -> float | None:
    return load.capacity or state.rates.get(load.name)


def _stale(seen: Observation, state: State, replicas: int) -> tuple[Load, ...]:
    """What was not read for a while and is not lost yet, with what came and got done since, as far as that is known."""
    if seen.current == 0 or all(load.lag.sight is not Sight.STALE for load in seen.loads):
        return ()
    rated = [(load, rate) for load in seen.loads if (rate := _rate(load, state)) is not None]
    busy = sum([level(load.lag) / rate for load, rate in rated])
    found = []
    for load, rate in rated:
        if load.lag.sight is Sight.STALE:
            left = max(replicas - (busy - level(load.lag) / rate), replicas / len(rated))
            able = left * rate  # what the others leave, and at least an equal part
            found.append(gone_on(load, able, min(load.lag.unread_for, LOST).total_seconds()))
    return tuple(found)


def usual_calm(loads: Iterable[Load]) -> float:
    """Seconds for which next to none must have been enough, while fewer have not turned out to be too few."""
    drain = max((load.drain_within.total_seconds() for load in loads), default=CALM)
    return min(CALM, max(_LEAST_CALM, 2 * drain))


def patience(loads: Iterable[Load], habits: Habits) -> float:
    """Seconds after which replicas should have begun, if nobody saw them begin."""
    if any(load.lag.spread is not None for load in loads):
        return GIVEN_UP  # members would be seen
    return UNSEEN if habits.start is None else UNSEEN / 2 + 3 * habits.start


def _top(loads: Iterable[Load], rule: Rule) -> int:
    useful = []
    for load in loads:
        limits = []
        if load.total and load.per_replica:
            limits.append(-(-load.total // load.per_replica))
        if load.lag.spread is not None:
            limits.append(load.lag.spread.count)
        if not limits:
            return rule.maximum
        useful.append(min(limits))
    return min(rule.maximum, max(rule.minimum, 1, *useful)) if useful else rule.maximum


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


def needed(case: Case, most: int) -> int:
    """Replicas that keep the promise, or get back to it."""
    now = fit([one.flow(one.arriving) for one in case.demands], ROOM, most)
    soon = fit([one.flow(expected(one)) for one in case.demands], 1.0, most)
    rising = case.rising()
    return max(now, soon, fit([_drained(case, one, rising) for one in case.demands], 1.0, most))


def expected(one: Demand) -> float:
    """Arrivals per second in a while, if they go on growing as they did for two minutes."""
    return one.arriving + one.load.lag.growing * TREND


def _drained(case: Case, one: Demand, rising: float) -> Share:
    """What is to be handled so that the newest event is not late either; when it is late already, by when it was said."""
    work = sum([other.backlog / other.rate for other in case.demands])
    before = min(1.0, case.pace() * case.lead / work) if work > 0 else 0.0
    if case.age_then(one, rising) <= LATEST * one.deadline:
        return one.drain(1 - before, max(QUICKEST, LATEST * one.deadline - case.lead), 0.0)
    grown = max(0.0, 1 - before + expected(one) * case.lead / max(one.backlog, 1.0))
    within = max(QUICKEST, one.load.drain_within.total_seconds() / 2.5)
    return one.drain(grown, within, expected(one))


def enough(case: Case, busy: float) -> int | None:
    """Replicas that would do for what usually arrives, each at most so busy; None: that cannot be told."""
    if not case.known or any(one.load.lag.usual is None for one in case.demands):
        return None
    return fit([one.flow(one.usual) for one in case.demands], busy, case.rule.maximum)


def fewer(case: Case) -> int:
    """The next lower number that shows a difference."""
    counts = [None if load.lag.spread is None else load.lag.spread.count for load in case.fresh]
    return packed(counts, max(1, case.base - 1))
