"""What a simulated run is made of: workers, terms, arrivals and mishaps. Knows no policy."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from headgate.core.schedule import Window

STANDARD_RATE: Final = 50.0  # what the standard traces are made for
BEGINNING: Final = datetime(2026, 1, 1, tzinfo=UTC)
_ALMOST: Final = 1e-9
NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Workers:
    """The programs that handle the events, and how their broker hands events out."""

    partitions: int | None = 24  # None: a queue, from which any replica takes any event
    service_rate: float = STANDARD_RATE  # events per second and replica
    pod_start: int = 20  # seconds from asking for a pod to its first event
    commit_interval: int = 5  # seconds between two commits of a partition
    pause: int = 6  # seconds that a partition stands still while it moves
    eager: bool = False  # all partitions stand still when one moves
    concurrency: int = 1  # events that one replica of a queue has in hand at the same time
    in_flight_limit: int | None = None  # the same of all replicas together; None: no limit
    replicas: int | None = None  # at the beginning; None: as the trace says


@dataclass(frozen=True, slots=True)
class Terms:
    """What a group declares about its scaling."""

    promise: int = 60  # seconds within which events are promised their first attempt
    drain_within: int = 60
    minimum: int | None = None  # None: 1, or 0 where the trace is about that
    maximum: int = 24
    idle_after: int = 300
    capacity: float | None = None  # declared events per second and replica
    floor: int | None = None  # while the metrics are lost; None: hold
    windows: tuple[
        Window, ...
    ] = ()  # times of day that take more replicas at least; only our policy knows them
    learned: Mapping[str, str] = field(default_factory=lambda: NOTHING)  # as status.record keeps it


USUAL_WORKERS: Final = Workers()
USUAL_TERMS: Final = Terms()


@dataclass(frozen=True, slots=True)
class Span:
    """Some seconds, the last one excluded."""

    begin: int
    end: int

    def __contains__(self, second: int) -> bool:
        return self.begin <= second < self.end


@dataclass(frozen=True, slots=True)
class Limit:
    """What everything behind the workers takes, however many workers there are."""

    span: Span
    per_second: float


@dataclass(frozen=True, slots=True)
class Failing:
    """Events of a queue that fail and wait for another attempt; after the last one they are done, or dead letters."""

    span: Span
    share: float
    delay: int  # seconds until the retry
    limit: int  # events that may be in flight, unless the workers have a limit of their own
    attempts: int = 2  # all of them but the last one fail
    inborn: bool = False  # what was published in the span fails, whenever that is; else what is tried in it


@dataclass(frozen=True, slots=True)
class Trace:
    """Arrivals over time, and what goes wrong meanwhile."""

    name: str
    about: str
    rates: tuple[float, ...]  # events per second, second by second, before noise
    noise: float = 0.05  # how far one second may be off, as a share
    hot: float = 0.0  # share of all events that belong to one partition
    slowing: float = 1.0  # what is left of the service rate at the end
    limit: Limit | None = None
    failing: Failing | None = None  # for queues only
    blocked: Span | None = None  # one partition makes no progress
    blind: tuple[Span, ...] = ()  # nothing can be read of the broker
    pause: int | None = None  # seconds of an eager rebalance; None: as the workers do it
    to_zero: bool = False  # the group may have no replicas at all
    start: int = 4  # replicas of the standard service rate at the beginning


@dataclass(frozen=True, slots=True)
class Scenario:
    """One trace on certain workers under certain terms."""

    trace: Trace
    workers: Workers = USUAL_WORKERS
    terms: Terms = USUAL_TERMS
    seed: int = 1
    begins: datetime = BEGINNING  # what the clock says at second 0

    @property
    def seconds(self) -> int:
        return len(self.trace.rates)

    @property
    def minimum(self) -> int:
        if self.terms.minimum is None:
            return 0 if self.trace.to_zero else 1
        return self.terms.minimum

    @property
    def in_flight_limit(self) -> int | None:
        """Events that may be in flight at the same time, over all replicas; None: no limit."""
        failing = self.trace.failing
        return self.workers.in_flight_limit or (failing.limit if failing is not None else None)

    @property
    def start(self) -> int:
        """Replicas at the beginning: as much capacity whatever one replica can do."""
        wanted = self.workers.replicas
        if wanted is None:
            wanted = math.ceil(self.trace.start * STANDARD_RATE / self.workers.service_rate - _ALMOST)
        return min(self.terms.maximum, max(self.minimum, wanted))

    def service_rate(self, second: int) -> float:
        """What one replica handles per second at that time."""
        left = 1 - (1 - self.trace.slowing) * second / max(1, self.seconds)
        return self.workers.service_rate * left
