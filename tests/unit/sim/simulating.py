"""Small scenarios and policies for the tests of the simulation."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from headgate.sim.policy import Look, Reading
from headgate.sim.setting import Scenario, Terms, Trace, Workers

EXACT = Workers(partitions=4, pod_start=5, commit_interval=5, pause=3)  # 50/s and replica


def trace(rates: Iterable[float], *, start: int = 1, hot: float = 0.0) -> Trace:
    """Arrivals without noise."""
    return Trace("test", "for a test", tuple(rates), noise=0.0, start=start, hot=hot)


def scenario(
    rates: Iterable[float],
    workers: Workers = EXACT,
    *,
    start: int = 1,
    terms: Terms | None = None,
    seed: int = 1,
) -> Scenario:
    """A scenario that begins with exactly so many replicas."""
    return Scenario(trace(rates, start=start), workers, terms or Terms(maximum=10), seed)


@dataclass
class Script:
    """A policy that does as it was told, by second."""

    at: dict[int, int]
    name: str = "script"
    period: float = 1
    looks: list[Look] = field(default_factory=list)

    def replicas(self, look: Look) -> int:
        self.looks.append(look)
        return self.at.get(look.second, look.spec)


def reading(lag: int, partitions: int = 24, *, in_flight: int = 0) -> Reading:
    """A group with that much lag, spread over its partitions."""
    least, extra = divmod(lag, partitions)
    settled = (1000,) * partitions
    heads = tuple(1000 + least + (n < extra) for n in range(partitions))
    return Reading(heads, settled, settled, (None,) * partitions, in_flight)


def look(second: int, replicas: int, lag: int | None, partitions: int = 24) -> Look:
    """What a policy sees; no lag: the broker cannot be asked."""
    found = None if lag is None else reading(lag, partitions)
    return Look(second, replicas, replicas, replicas, found)
