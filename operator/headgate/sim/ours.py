"""Headgate's own decision, fed with what its sampler would have read. Knows no simulated world beyond a look.

The only place that knows both the simulation and the decision: what the decision wants to know is put together here.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from headgate.core import habits
from headgate.core.lag import History, figures, seen, unmoved
from headgate.core.progress import PartitionProgress, Progress
from headgate.core.rates import NO_RATES, recalled, remembered
from headgate.core.scale import decide
from headgate.core.scaling import Decision, Load, Observation, Rule, State
from headgate.core.schedule import minimum
from headgate.sim.policy import Look, Reading
from headgate.sim.setting import Scenario

PERIOD: Final = 4.5  # seconds, as the sampler has it; the simulation rounds each look to a whole one
PATIENCE: Final = timedelta(seconds=60)
_NAME: Final = "simulated"


class Ours:
    """The sampler, its memory and the decision."""

    def __init__(self, scenario: Scenario, restart_at: int | None = None) -> None:
        terms = scenario.terms
        self.name = "headgate"
        self.period = PERIOD
        self.decisions: list[tuple[int, Decision]] = []  # whenever the decision became another one
        self._terms = terms
        self._begins = scenario.begins
        self._rule = Rule(
            scenario.minimum, terms.maximum, timedelta(seconds=terms.idle_after), floor=terms.floor
        )
        self._restart_at = restart_at  # the operator that looks from then on knows no more than status says
        self._state = _restored(terms.learned)
        self._history = History()
        self._heads: tuple[int, ...] = ()
        self._exclusive = scenario.workers.partitions is not None
        self._limit, self._concurrency = scenario.in_flight_limit, scenario.workers.concurrency

    def replicas(self, look: Look) -> int:
        """One look of the sampler and the decision that follows from it."""
        now = self._begins + timedelta(seconds=look.second)
        if self._restart_at is not None and look.second >= self._restart_at:
            self._restart()
        if look.reading is not None:
            self._sample(look.reading, now)
        observed = Observation(now, look.spec, look.pods, (self._load(now),))
        decision, self._state = decide(observed, self._state, self._rule_at(now))
        if not self.decisions or self.decisions[-1][1] is not decision:
            self.decisions.append((look.second, decision))
        return decision.desired

    def _rule_at(self, now: datetime) -> Rule:
        scheduled = min(minimum(self._terms.windows, now), self._rule.maximum)
        return replace(self._rule, minimum=max(self._rule.minimum, scheduled))

    def _restart(self) -> None:
        self._restart_at = None
        terms = self._terms.learned
        kept = {**remembered(self._state.rates.get(_NAME), terms), **habits.kept(self._state.habits, terms)}
        self._state = replace(_restored(kept), decision=self._state.decision)
        self._history = History()
        self._heads = ()

    def _sample(self, reading: Reading, now: datetime) -> None:
        """As the sampler does it: a group at rest is not read while its topic stands still."""
        if reading.heads == self._heads and self._history.at_rest:
            self._history = unmoved(self._history, now)
        else:
            found = progress(reading, now, begins=self._begins, exclusive=self._exclusive)
            self._history = seen(self._history, found, now)
        self._heads = reading.heads

    def _load(self, now: datetime) -> Load:
        terms = self._terms
        return Load(
            _NAME,
            figures(self._history, now, PATIENCE),
            promise=timedelta(seconds=terms.promise),
            drain_within=timedelta(seconds=terms.drain_within),
            patience=PATIENCE,
            capacity=terms.capacity,
            per_replica=None if self._limit is None else self._concurrency,
            total=self._limit,
        )


def _restored(learned: Mapping[str, str]) -> State:
    """What the operator begins with: what status has kept of an earlier life."""
    rate = recalled(learned)
    return State(rates=NO_RATES if rate is None else {_NAME: rate}, habits=habits.known(learned))


def progress(reading: Reading, now: datetime, *, begins: datetime, exclusive: bool) -> Progress:
    """What a broker would have answered."""
    since = min((second for second in reading.oldest if second is not None), default=None)
    return Progress(
        at=now,
        partitions=tuple(
            PartitionProgress(head, delivered, settled, owner)
            for head, delivered, settled, owner in zip(
                reading.heads, reading.delivered, reading.settled, reading.owners, strict=True
            )
        ),
        exclusive=exclusive,
        pending=reading.pending,
        in_flight=reading.in_flight,
        waiting=1,
        oldest_pending=None if since is None else begins + timedelta(seconds=since),
    )
