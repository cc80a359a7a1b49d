"""Every standard trace in many settings, and what may not get worse. Knows no files."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from headgate.sim.play import Figures
from headgate.sim.rivals import BEST, OURS, run
from headgate.sim.setting import USUAL_TERMS, USUAL_WORKERS, Scenario, Terms, Trace, Workers
from headgate.sim.traces import TRACES

Results = Mapping[str, Mapping[str, Mapping[str, Figures]]]  # by variant, trace and policy
BASE: Final = "standard"
QUEUE: Final = "a queue"
FLOOR: Final = "onMetricsLoss.floor: 12"
FEW: Final = (OURS, "keda", "keda:1/4", "ds2", "max")
ALL: Final = (OURS, "keda", "keda:1/4", "keda:1/2", "keda:1/1", BEST, "ds2", "max")
ALLOWED: Final = 10  # percent by which a figure may exceed the one that was committed


@dataclass(frozen=True, slots=True)
class Variant:
    """The standard traces under other circumstances."""

    name: str
    workers: Workers = USUAL_WORKERS
    terms: Terms = USUAL_TERMS
    seed: int = 1

    @property
    def policies(self) -> tuple[str, ...]:
        return ALL if self.name == BASE else FEW

    def scenario(self, trace: Trace) -> Scenario:
        """One trace under these circumstances."""
        return Scenario(trace, self.workers, self.terms, self.seed)


def _variants() -> Iterator[Variant]:
    yield Variant(BASE)
    yield Variant("seed 2", seed=2)
    yield Variant("seed 3", seed=3)
    yield Variant("12 partitions", replace(USUAL_WORKERS, partitions=12))
    yield Variant("48 partitions", replace(USUAL_WORKERS, partitions=48))
    yield Variant(QUEUE, replace(USUAL_WORKERS, partitions=None))
    for seconds in (10, 60, 120):
        yield Variant(f"pods start in {seconds} s", replace(USUAL_WORKERS, pod_start=seconds))
    for seconds in (15, 30, 120):
        yield Variant(f"promise of {seconds} s", terms=Terms(promise=seconds, drain_within=seconds))
    yield Variant(FLOOR, terms=Terms(floor=USUAL_TERMS.maximum // 2))
    for factor in (0.3, 3.0):
        slower = replace(USUAL_WORKERS, service_rate=USUAL_WORKERS.service_rate * factor)
        yield Variant(f"service rate x {factor:g}", slower)


VARIANTS: Final = tuple(_variants())


def measure(variant: Variant, policies: Iterable[str] | None = None) -> Mapping[str, Mapping[str, Figures]]:
    """The figures of every standard trace."""
    names = tuple(policies or variant.policies)
    return {
        trace.name: {name: run(name, variant.scenario(trace)).figures for name in names}
        for trace in TRACES.values()
    }


def total(figures: Iterable[Figures]) -> Figures:
    """All traces together; of ages the largest."""
    every = tuple(figures)
    return Figures(
        violation=sum(one.violation for one in every),
        replica_seconds=sum(one.replica_seconds for one in every),
        events=sum(one.events for one in every),
        peak_age=max(one.peak_age for one in every),
        p99_age=max(one.p99_age for one in every),
        rebalances=sum(one.rebalances for one in every),
        repeated=sum(one.repeated for one in every),
    )


def worse(before: Figures, after: Figures) -> tuple[str, ...]:
    """What got worse by more than is allowed, in words; counts are rounded in favour of what came later."""
    pairs = (
        ("seconds late", before.violation, after.violation),
        ("replica-seconds", before.replica_seconds, after.replica_seconds),
        ("changes", before.events, after.events),
    )
    return tuple(
        f"{after:,} {what}, and {before:,} were committed"
        for what, before, after in pairs
        if after > -(-before * (100 + ALLOWED) // 100)
    )
