"""ConsumerGroup: one service's subscription, its promise and its workload. Knows no other kind."""

from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import Field

from headgate.api.common import (
    ApiModel,
    ExternalName,
    Line,
    Managed,
    ManagedStatus,
    Name,
    ObjectRef,
    Owner,
    WhenFull,
    Word,
)
from headgate.api.eventtopic import Subject
from headgate.api.kafka_group import NativeKafkaGroup
from headgate.api.nats_group import NativeNatsGroup
from headgate.api.rabbitmq import NativeRabbitGroup
from headgate.api.rules import (
    BACKLOG_BOUNDED,
    CONCURRENCY_FEEDS_MINIMUM,
    SETTLED_AFTER_FIRST_ATTEMPT,
    START_TIME,
    TOTAL_ORDER_ONE_REPLICA,
    Reason,
    Rule,
    immutable,
    is_duration,
)
from headgate.api.scaling import Scaling
from headgate.api.types import (
    Capped,
    Duration,
    DurationText,
    Int,
    ListOf,
    Size,
    SizeText,
    Timestamp,
)


class StartFrom(StrEnum):
    """Where a new group begins."""

    EARLIEST = "Earliest"
    LATEST = "Latest"
    TIME = "Time"


class Ordering(StrEnum):
    """Which order workers may rely on."""

    NONE = "None"
    PER_KEY = "PerKey"
    TOTAL = "Total"


class Filter(ApiModel):
    """Which events of the topic."""

    subjects: Annotated[tuple[Subject, ...], ListOf("set")] = Field(
        min_length=1,
        max_length=32,
        description="Subjects inside those of the topic, as they are published. 1 to 32, each at most 255 characters.",
    )


class Start(ApiModel):
    """Where the group begins when it is made; never compared afterwards."""

    checks: ClassVar[tuple[Rule, ...]] = (
        Rule(
            START_TIME,
            "(self.from == 'Time') == has(self.time)",
            "time and from: Time belong together: write both or neither",
            ".time",
            Reason.INVALID,
            lambda self: (self.from_ is StartFrom.TIME) == (self.time is not None),
        ),
    )

    from_: StartFrom = Field(
        alias="from",
        description="Earliest: with the oldest event that is kept. Latest: with the next one published. Time: with "
        "the first one published at time or later.",
    )
    time: Timestamp | None = Field(
        default=None,
        description="Moment to begin at, with from: Time, e.g. 2026-11-01T00:00:00Z. Left out: none.",
    )


class Freshness(ApiModel):
    """How late events may be handled."""

    checks: ClassVar[tuple[Rule, ...]] = (
        Rule(
            SETTLED_AFTER_FIRST_ATTEMPT,
            f"!has(self.settledWithin) || !{is_duration('self.settledWithin')} || !{is_duration('self.maxAge')}"
            " || duration(self.settledWithin) >= duration(self.maxAge)",
            "settledWithin counts from publishing, so it must be at least maxAge",
            ".settledWithin",
            Reason.INVALID,
            lambda self: self.settled_within is None or self.settled_within >= self.max_age,
        ),
    )

    max_age: Annotated[Duration, DurationText("1s")] = Field(
        description="How old an event may be when a worker gets it for the first time. At least 1s."
    )
    settled_within: Annotated[Duration, DurationText("1s")] | None = Field(
        default=None,
        description="How old an event may be when it is settled, retries included. At least 1s. Left out: no promise.",
    )


class Concurrency(ApiModel):
    """How many events are worked on at the same time."""

    per_replica: Annotated[Int, Field(ge=1, le=1_000_000)] | None = Field(
        default=None,
        description="By one replica of the workload; told to it by the binding. 1 to 1000000. Left out: the worker "
        "decides.",
    )
    total: Annotated[Int, Field(ge=1, le=1_000_000)] | None = Field(
        default=None,
        description="By the whole group; the broker hands out no more. 1 to 1000000. Left out: perReplica times "
        "scaling.maxReplicas where both are known, else the broker's own limit.",
    )


class Backlog(ApiModel):
    """How much may wait, where a group holds its own events."""

    checks: ClassVar[tuple[Rule, ...]] = (
        Rule(
            BACKLOG_BOUNDED,
            "self.whenFull != 'DropOldest' || has(self.maxBytes)",
            "whenFull: DropOldest needs maxBytes, else nothing is ever full",
            ".maxBytes",
            Reason.REQUIRED,
            lambda self: self.when_full is WhenFull.REJECT_NEW or self.max_bytes is not None,
        ),
    )

    max_bytes: Annotated[Size, SizeText("1Ki")] | None = Field(
        default=None, description="How much may wait. At least 1Ki. Left out: no limit."
    )
    when_full: WhenFull = Field(
        default=WhenFull.REJECT_NEW,
        description="RejectNew: the publisher is refused, and nothing is lost. DropOldest: the oldest event goes, to the "
        "dead letters where there are any. Left out: RejectNew.",
    )


class Binding(ApiModel):
    """Where the workload finds what it needs to know."""

    config_map_name: Name = Field(
        description="ConfigMap that Headgate writes in this namespace; one that is not ours is never taken over. "
        "1 to 253 characters."
    )


class NativeGroup(ApiModel):
    """Settings of one kind of broker."""

    nats: NativeNatsGroup | None = Field(
        default=None, description="Settings of the durable pull consumer. Left out: the server's own."
    )
    kafka: NativeKafkaGroup | None = Field(
        default=None, description="Settings of the group of Kafka. Left out: the broker's own."
    )
    rabbitmq: NativeRabbitGroup | None = Field(
        default=None, description="Settings of the quorum queue. Left out: the server's own."
    )


def _fed(self: Any) -> bool:  # noqa: ANN401  (the class is defined below)
    concurrency, scaling = self.concurrency, self.scaling
    if concurrency is None or scaling is None or None in (concurrency.total, concurrency.per_replica):
        return True
    return bool(concurrency.total >= concurrency.per_replica * scaling.min_replicas)


class ConsumerGroupSpec(Managed):
    """One service's subscription to one topic."""

    checks: ClassVar[tuple[Rule, ...]] = (
        immutable(
            "topicRef", "a position means nothing in another topic; create another ConsumerGroup instead"
        ),
        immutable("externalName", "the broker cannot rename; create another ConsumerGroup instead"),
        Rule(
            CONCURRENCY_FEEDS_MINIMUM,
            "!has(self.concurrency) || !has(self.concurrency.total) || !has(self.concurrency.perReplica)"
            " || !has(self.scaling)"
            " || self.concurrency.total >= self.concurrency.perReplica * self.scaling.minReplicas",
            "concurrency.total must be at least concurrency.perReplica times scaling.minReplicas, else replicas idle",
            ".concurrency.total",
            Reason.INVALID,
            _fed,
        ),
        Rule(
            TOTAL_ORDER_ONE_REPLICA,
            "self.ordering != 'Total' || !has(self.scaling) || self.scaling.maxReplicas == 1",
            "ordering: Total means one event at a time, so scaling.maxReplicas must be 1",
            ".scaling.maxReplicas",
            Reason.INVALID,
            lambda self: (
                self.ordering is not Ordering.TOTAL or not self.scaling or self.scaling.max_replicas == 1
            ),
        ),
    )

    topic_ref: ObjectRef = Field(
        description="The EventTopic that is read; the broker follows from it. Immutable."
    )
    external_name: ExternalName | None = Field(
        default=None,
        description="Name in the broker; immutable. 1 to 249 characters. Left out: what the broker's tenancy.naming "
        "makes of the object's name; pinned in status.record.",
    )
    owner: Owner | None = Field(
        default=None, description="Who answers for the group. Left out: nobody is named."
    )
    filter: Filter | None = Field(default=None, description="Which events of the topic. Left out: all.")
    start: Start = Field(description="Where the group begins when it is made; never compared afterwards.")
    ordering: Ordering = Field(
        default=Ordering.NONE,
        description="None, PerKey: events of one key one after the other, or Total: one event at a time. What the "
        "broker cannot keep is refused. Left out: None.",
    )
    freshness: Freshness | None = Field(
        default=None, description="How late events may be handled. Left out: no promise, no condition Fresh."
    )
    concurrency: Concurrency | None = Field(
        default=None,
        description="How many events are worked on at the same time. Left out: the defaults of each of its fields.",
    )
    retry_policy_ref: ObjectRef | None = Field(
        default=None,
        description="The RetryPolicy to use, of this namespace. Left out: 5 attempts of at most 30s each, with waits of 1s, 2s, 4s and 8s.",
    )
    dead_letter_queue_ref: ObjectRef | None = Field(
        default=None,
        description="The DeadLetterQueue for events that failed for good; on the same broker. Left out: none, and "
        "condition Capturing is False with reason NoDeadLetterQueue.",
    )
    backlog: Backlog | None = Field(
        default=None,
        description="How much may wait, where a group holds its own events; refused where topics hold them. Left out: no "
        "limit.",
    )
    binding: Binding | None = Field(
        default=None,
        description="Where the workload finds what it needs to know. Left out: no ConfigMap is written.",
    )
    scaling: Scaling | None = Field(
        default=None, description="The workload and how it is scaled. Left out: Headgate scales nothing."
    )
    native: NativeGroup | None = Field(
        default=None, description="Settings of one kind of broker. Left out: the broker's own."
    )


class Lag(ApiModel):
    """How far the group is behind; coarse, exact figures are metrics."""

    pending: Int | None = Field(default=None, description="Events never handed out.")
    in_flight: Int | None = Field(default=None, description="Events handed out and not settled.")
    redelivered: Int | None = Field(default=None, description="Events in flight that were handed out before.")
    oldest_time: Timestamp | None = Field(
        default=None, description="When the oldest event was published that was never handed out."
    )
    oldest_unsettled_time: Timestamp | None = Field(
        default=None, description="When the oldest event was published that is not settled."
    )
    stranded: Int | None = Field(
        default=None,
        description="Events without attempts left that wait for a worker to ask before they can move on.",
    )


class ScalingStatus(ApiModel):
    """What scaling decided last."""

    current: Int | None = Field(default=None, description="Replicas that the workload is asked to have.")
    desired: Int | None = Field(default=None, description="Replicas that scaling wants.")
    reason: Word | None = Field(default=None, description="Why, in one stable CamelCase word.")
    message: str | None = Field(
        default=None, description="Why, in a sentence; kept until reason or desired change."
    )
    last_change: Timestamp | None = Field(default=None, description="When desired last changed.")


class RetryStatus(ApiModel):
    """How the retry policy is realised."""

    mechanism: Word | None = Field(default=None, description="How waits are kept, e.g. NakDelay.")
    worst_case: Duration | None = Field(
        default=None, description="Attempts and waits of one event together, at most."
    )
    waits: Annotated[tuple[Duration, ...], ListOf(), Capped(32)] = Field(
        default=(), description="The wait before the second, third ... attempt. The first 32."
    )
    notes: Annotated[tuple[Line, ...], ListOf(), Capped(16)] = Field(
        default=(), description="Where this differs from the policy. The first 16."
    )


class BindingStatus(ApiModel):
    """The binding as last written."""

    revision: Int | None = Field(default=None, description="Grows by one with every change of content.")
    config_map_name: Word | None = Field(default=None, description="The ConfigMap that was written.")


class ConsumerGroupStatus(ManagedStatus):
    """What became of the group and how it is doing."""

    lag: Lag | None = Field(
        default=None, description="How far behind, at most one write in 30s plus on crossing."
    )
    scaling: ScalingStatus | None = Field(default=None, description="What scaling decided last.")
    retry: RetryStatus | None = Field(default=None, description="How the retry policy is realised.")
    binding: BindingStatus | None = Field(default=None, description="The binding as last written.")
