"""The values that a decision about replicas is made of and results in. Knows no broker, no cluster and no clock."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from headgate.core.lag import Lag
from headgate.core.rates import NO_RATES


class Reason(StrEnum):
    """Why a workload has the replicas that it should have."""

    STEADY = "Steady"  # what it has is what it needs
    IDLE = "Idle"  # nothing to do and no replicas
    WORK_WAITING = "WorkWaiting"  # from zero
    WOULD_MISS_FRESHNESS = "WouldMissFreshness"  # an event would wait longer than promised
    WOULD_DRAIN_TOO_SLOWLY = "WouldDrainTooSlowly"  # the promise holds, but the backlog would stay too long
    SCALE_UP_INEFFECTIVE = "ScaleUpIneffective"  # the replicas that were added last got no more done
    LESS_NEEDED = "LessNeeded"  # fewer were enough for a while
    IDLE_LONG_ENOUGH = "IdleLongEnough"  # to zero
    PROBING = "Probing"  # the rate is unknown and nothing waits: one less shows more
    BELOW_MINIMUM = "BelowMinimum"
    ABOVE_MAXIMUM = "AboveMaximum"
    AT_MAXIMUM = "AtMaximum"  # more would be needed than is allowed
    CONCURRENCY_LIMIT = "ConcurrencyLimit"  # more could not handle more at the same time
    PARTITION_HOT = "PartitionHot"  # one partition gets more than one replica handles
    PARTITION_STALLED = "PartitionStalled"  # partitions stand still while others get on
    RATE_UNKNOWN = "RateUnknown"  # work waits, and how fast it gets done is still being learned
    RETRY_SATURATED = "RetrySaturated"  # events waiting for a retry take the places of new ones
    WORKERS_STALLED = "WorkersStalled"  # work waits, and nothing at all gets done
    METRICS_STALE = "MetricsStale"
    METRICS_LOST = "MetricsLost"
    METRICS_LOST_FLOOR = "MetricsLostFloor"


@dataclass(frozen=True, slots=True)
class Rule:
    """What is declared about a workload, with defaults filled in."""

    minimum: int
    maximum: int
    idle_after: timedelta
    floor: int | None = None  # after losing the metrics for a while; None: hold


@dataclass(frozen=True, slots=True)
class Load:
    """One group that a workload serves."""

    name: str
    lag: Lag
    promise: timedelta | None  # until the first attempt; None: nothing is promised
    drain_within: timedelta
    patience: timedelta  # the longest that a healthy event stays in flight
    capacity: float | None = None  # declared events per second and replica
    per_replica: int | None = None  # events one replica handles at the same time
    total: int | None = None  # events in flight at the same time, over all replicas


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything a decision looks at, as of one moment."""

    now: datetime
    current: int  # replicas asked for
    running: int  # replicas that exist
    loads: tuple[Load, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """How many replicas there should be, and why; the sentence is as old as the reason or the number."""

    desired: int
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Trial:
    """Replicas that were added to get more done, and what got done before."""

    before: int
    after: int
    finishing: float  # events per second
    backlog: float
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Shelved:
    """Replicas were taken back because they had not helped; until then none are added unless more gets done."""

    until: datetime
    hold: float  # seconds
    finishing: float  # events per second that got done, however many replicas there were


@dataclass(frozen=True, slots=True)
class Habits:
    """How the replicas of a workload behave, as far as it was seen."""

    start: float | None = None  # seconds from asking for replicas until they are there
    pause: float | None = None  # seconds that partitions stand still when they move
    calm: float | None = None  # seconds for which half as many must have been enough; None: as usual
    shelved: Shelved | None = None
    lowered: datetime | None = None  # when replicas were last taken away
    restless: datetime | None = None  # when more were last needed soon after fewer had seemed enough


NO_HABITS: Final = Habits()


@dataclass(frozen=True, slots=True)
class State:
    """What one decision hands to the next; an empty one is how everything starts."""

    rates: Mapping[str, float] = field(default_factory=lambda: NO_RATES)  # by name of the load
    current: int | None = None
    steady_since: datetime | None = None  # as many replicas as now
    watched_since: datetime | None = None  # seen without a gap
    blind_since: datetime | None = None
    calm_since: datetime | None = None  # nothing pending
    needs: tuple[tuple[datetime, int], ...] = ()  # lately, falling: only what no later one exceeds
    decision: Decision | None = None
    habits: Habits = NO_HABITS
    raised: datetime | None = None  # when replicas were last added
    awaited: bool = False  # replicas that were added do not handle anything yet
    joined: datetime | None = None  # they are there, and their partitions still stand still
    begun: datetime | None = None  # they were first seen to handle something
    trial: Trial | None = None  # on which judgement is due
