"""One trace played under one policy, and what came of it. Knows no particular policy."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, takewhile

from headgate.sim.policy import Policy
from headgate.sim.setting import Scenario
from headgate.sim.world import World


@dataclass(frozen=True, slots=True)
class Figures:
    """What a run cost and what it kept of the promise."""

    violation: int  # seconds in which the oldest event was older than promised
    replica_seconds: int  # asked for, starting ones among them
    events: int  # changes of the number of replicas
    peak_age: int
    p99_age: int
    rebalances: int
    repeated: int  # events that were handled again

    @property
    def replica_hours(self) -> float:
        return self.replica_seconds / 3600


@dataclass(frozen=True, slots=True)
class Run:
    """Everything that is kept of a run."""

    policy: str
    scenario: Scenario
    figures: Figures
    ages: tuple[int, ...]  # of the oldest event, second by second
    replicas: tuple[tuple[int, int], ...]  # second and number, at the beginning and at every change


def play(scenario: Scenario, policy: Policy, first: float | None = None) -> Run:
    """The trace from beginning to end; the seed also says when the policy first looks, where that is not given."""
    world = World(scenario)
    changes = [(0, scenario.start)]
    for second in _looks(scenario.seed if first is None else first, policy.period, scenario.seconds):
        world.advance(second)
        wanted = policy.replicas(world.look())
        if wanted != changes[-1][1]:
            world.scale(wanted)
            changes.append((second, wanted))
    world.advance(scenario.seconds)
    return Run(policy.name, scenario, _figures(world, scenario, changes), tuple(world.ages), tuple(changes))


def _looks(first: float, period: float, end: int) -> Iterator[int]:
    """In which seconds a policy looks whose period need not be a whole number of them."""
    return takewhile(lambda second: second < end, map(round, count(first % period, period)))


def _figures(world: World, scenario: Scenario, changes: list[tuple[int, int]]) -> Figures:
    ends = [second for second, _ in changes[1:]] + [scenario.seconds]
    ages = sorted(world.ages)
    return Figures(
        violation=sum(age > scenario.terms.promise for age in ages),
        replica_seconds=sum(n * (end - begin) for (begin, n), end in zip(changes, ends, strict=True)),
        events=len(changes) - 1,
        peak_age=ages[-1] if ages else 0,
        p99_age=ages[len(ages) * 99 // 100] if ages else 0,
        rebalances=world.rebalances,
        repeated=round(world.repeated),
    )
