"""EventTopic: a durable stream of events. Knows no other kind."""

import re
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final

from pydantic import Field

from headgate.api.common import (
    SAME_NAMESPACE,
    AllowedNamespaces,
    ApiModel,
    ExternalName,
    Managed,
    ManagedStatus,
    ObjectRef,
    OnVanished,
    Owner,
    Storage,
    WhenFull,
)
from headgate.api.kafka_topic import NativeKafkaTopic
from headgate.api.nats_topic import NativeNatsTopic
from headgate.api.rabbitmq import NativeRabbitTopic
from headgate.api.rules import (
    DEDUPLICATION_COVERS_RETRY,
    IN_SYNC_WITHIN_REPLICAS,
    KEY_BUCKETS_SHAPE,
    NATIVE_COMBINATION,
    OUTAGE_WITHIN_RETENTION,
    PARTITIONS_GROW,
    RETENTION_BOUNDED,
    SUBJECT_TEXT,
    Reason,
    Rule,
    immutable,
    is_duration,
)
from headgate.api.types import Duration, DurationText, Int, ListOf, Size, SizeText, Text

SUBJECT: Final = Text(
    "^([^.*> ]+|[*])([.]([^.*> ]+|[*]))*([.]>)?$",
    "write words separated by dots, where * stands for one word and > at the end for one or more, e.g. orders.*.>",
    SUBJECT_TEXT,
    255,
)
Subject = Annotated[str, Field(min_length=1, max_length=255), SUBJECT]

_BUCKET_SUBJECT: Final = "^[^.*> ]+([.][^.*> ]+)*[.][*][.]>$"


class Compaction(StrEnum):
    """Whether newer events replace older ones."""

    NONE = "None"
    LATEST_PER_KEY = "LatestPerKey"


class MessageTTL(StrEnum):
    """Whether events may have a life of their own."""

    NONE = "None"
    PER_MESSAGE = "PerMessage"


class Retention(ApiModel):
    """How long and how much is kept."""

    checks: ClassVar[tuple[Rule, ...]] = (
        Rule(
            RETENTION_BOUNDED,
            "has(self.maxAge) || has(self.maxBytes)",
            "say at least one of maxAge and maxBytes, so that the broker's disk has an end",
            ".maxAge",
            Reason.REQUIRED,
            lambda self: self.max_age is not None or self.max_bytes is not None,
        ),
    )

    max_age: Annotated[Duration, DurationText("1s")] | None = Field(
        default=None,
        description="How long an event is kept. At least 1s. Left out: until maxBytes is reached.",
    )
    max_bytes: Annotated[Size, SizeText("1Ki")] | None = Field(
        default=None, description="How much is kept, over all of the topic. At least 1Ki. Left out: no limit."
    )
    max_messages: Annotated[Int, Field(ge=1)] | None = Field(
        default=None, description="How many events are kept. At least 1. Left out: no limit."
    )


class Deduplication(ApiModel):
    """How long the broker recognises an event that is published twice."""

    checks: ClassVar[tuple[Rule, ...]] = (
        Rule(
            DEDUPLICATION_COVERS_RETRY,
            f"!has(self.producerRetryFor) || !{is_duration('self.producerRetryFor')} || !{is_duration('self.window')}"
            " || duration(self.window) >= duration(self.producerRetryFor)",
            "window must be at least producerRetryFor, else a late retry is stored as a second event",
            ".window",
            Reason.INVALID,
            lambda self: self.producer_retry_for is None or self.window >= self.producer_retry_for,
        ),
    )

    window: Annotated[Duration, DurationText("100ms")] = Field(
        description="For how long the id of an event is remembered. At least 100ms."
    )
    producer_retry_for: Duration | None = Field(
        default=None, description="How long publishers go on trying. Left out: not checked against window."
    )


class Key(ApiModel):
    """What the events of one entity have in common."""

    wildcard: Annotated[Int, Field(ge=1, le=16)] = Field(
        description="Which * of the subject is the key, counted from 1. 1 to 16."
    )


class NativeTopic(ApiModel):
    """Settings of one kind of broker."""

    nats: NativeNatsTopic | None = Field(
        default=None, description="Settings of the JetStream stream. Left out: the server's own."
    )
    kafka: NativeKafkaTopic | None = Field(
        default=None, description="Configs of the topic of Kafka. Left out: the broker's own."
    )
    rabbitmq: NativeRabbitTopic | None = Field(
        default=None, description="Settings of the exchange and its stream. Left out: the server's own."
    )


def _bucketed(self: Any) -> bool:  # noqa: ANN401  (the class is defined below)
    if self.key_buckets is None:
        return True
    shaped = [subject for subject in self.subjects or () if re.search(_BUCKET_SUBJECT, subject)]
    return len(self.subjects or ()) == len(shaped) == 1 and self.key is not None and self.key.wildcard == 1


def _transform_free(self: Any) -> bool:  # noqa: ANN401  (the class is defined below)
    nats = self.native.nats if self.native else None
    return (
        self.key_buckets is None or nats is None or (nats.subject_transform is None and nats.mirror is None)
    )


_RULES: Final = (
    immutable("brokerRef", "events do not move; create another EventTopic instead"),
    immutable("externalName", "the broker cannot rename; create another EventTopic instead"),
    immutable("storage", "the broker cannot move what it holds; create another EventTopic instead"),
    immutable(
        "keyBuckets", "stored subjects would change under their readers; create another EventTopic instead"
    ),
    Rule(
        PARTITIONS_GROW,
        "!has(oldSelf.partitions) || (has(self.partitions) && self.partitions >= oldSelf.partitions)",
        "partitions can only grow; create another EventTopic instead",
        ".partitions",
        Reason.FORBIDDEN,
    ),
    Rule(
        IN_SYNC_WITHIN_REPLICAS,
        "!has(self.minInSyncReplicas) || !has(self.replicas) || self.minInSyncReplicas <= self.replicas",
        "minInSyncReplicas must be at most replicas, else nothing can be published",
        ".minInSyncReplicas",
        Reason.INVALID,
        lambda self: (
            None in (self.min_in_sync_replicas, self.replicas) or self.min_in_sync_replicas <= self.replicas
        ),
    ),
    Rule(
        OUTAGE_WITHIN_RETENTION,
        f"!has(self.toleratedOutage) || !has(self.retention.maxAge) || !{is_duration('self.toleratedOutage')}"
        f" || !{is_duration('self.retention.maxAge')}"
        " || duration(self.toleratedOutage) <= duration(self.retention.maxAge)",
        "toleratedOutage must be at most retention.maxAge, else events are gone before their readers return",
        ".toleratedOutage",
        Reason.INVALID,
        lambda self: (
            None in (self.tolerated_outage, self.retention.max_age)
            or self.tolerated_outage <= self.retention.max_age
        ),
    ),
    Rule(
        KEY_BUCKETS_SHAPE,
        "!has(self.keyBuckets) || (has(self.key) && self.key.wildcard == 1 && has(self.subjects)"
        f" && size(self.subjects) == 1 && self.subjects[0].matches('{_BUCKET_SUBJECT}'))",
        "keyBuckets needs key.wildcard: 1 and exactly one subject of the shape <words>.*.>, e.g. orders.*.>",
        ".keyBuckets",
        Reason.INVALID,
        _bucketed,
    ),
    Rule(
        NATIVE_COMBINATION,
        "!has(self.keyBuckets) || !has(self.native) || !has(self.native.nats)"
        " || (!has(self.native.nats.subjectTransform) && !has(self.native.nats.mirror))",
        "keyBuckets is the stream's one subject transform; take native.nats.subjectTransform and mirror away",
        ".native.nats",
        Reason.INVALID,
        _transform_free,
    ),
    Rule(
        NATIVE_COMBINATION,
        "self.compaction != 'LatestPerKey' || !has(self.native) || !has(self.native.nats)"
        " || !has(self.native.nats.maxMsgsPerSubject)",
        "compaction: LatestPerKey keeps one event per subject; take native.nats.maxMsgsPerSubject away",
        ".native.nats.maxMsgsPerSubject",
        Reason.INVALID,
        lambda self: (
            self.compaction is Compaction.NONE
            or not (self.native and self.native.nats and self.native.nats.max_msgs_per_subject)
        ),
    ),
    Rule(
        NATIVE_COMBINATION,
        "!has(self.native) || !has(self.native.nats) || !has(self.native.nats.discardNewPerSubject)"
        " || !self.native.nats.discardNewPerSubject || self.whenFull == 'RejectNew'",
        "native.nats.discardNewPerSubject needs whenFull: RejectNew",
        ".whenFull",
        Reason.INVALID,
        lambda self: (
            self.when_full is WhenFull.REJECT_NEW
            or not (self.native and self.native.nats and self.native.nats.discard_new_per_subject)
        ),
    ),
)


class EventTopicSpec(Managed):
    """A durable stream of events."""

    checks: ClassVar[tuple[Rule, ...]] = _RULES

    broker_ref: ObjectRef = Field(description="The EventBroker that keeps the topic; immutable.")
    external_name: ExternalName | None = Field(
        default=None,
        description="Name in the broker; immutable. 1 to 249 characters. Left out: what the broker's tenancy.naming "
        "makes of the object's name; pinned in status.record.",
    )
    owner: Owner | None = Field(
        default=None, description="Who answers for the topic. Left out: nobody is named."
    )
    subjects: Annotated[tuple[Subject, ...], ListOf("set")] | None = Field(
        default=None,
        min_length=1,
        max_length=32,
        description="Subjects that belong to the topic; * is one word, > at the end one or more. 1 to 32, each at most "
        "255 characters. Left out: the name of the topic in the broker is its one subject, and a mirror has none.",
    )
    partitions: Annotated[Int, Field(ge=1, le=10_000)] | None = Field(
        default=None,
        description="Ways in which the topic is split, on brokers that do; can only grow. 1 to 10000. Left out: the "
        "broker's own; refused where the broker has none.",
    )
    replicas: Annotated[Int, Field(ge=1, le=9)] | None = Field(
        default=None, description="Copies. 1 to 9. Left out: defaults.replicas of the broker."
    )
    min_in_sync_replicas: Annotated[Int, Field(ge=1, le=9)] | None = Field(
        default=None,
        description="Copies that must have an event before it is acknowledged. 1 to 9. Left out: a majority, which is "
        "also what brokers do that cannot choose.",
    )
    retention: Retention = Field(
        description="How long and how much is kept: at least one of maxAge and maxBytes."
    )
    tolerated_outage: Duration | None = Field(
        default=None,
        description="How long a group may be away without missing an event; retention must cover it and the retries. "
        "Left out: not checked.",
    )
    when_full: WhenFull = Field(
        default=WhenFull.DROP_OLDEST,
        description="DropOldest: the oldest event goes. RejectNew: the publisher is refused. Left out: DropOldest.",
    )
    compaction: Compaction = Field(
        default=Compaction.NONE,
        description="None, or LatestPerKey: of one key only the newest event is kept. Left out: None.",
    )
    max_message_size: Annotated[Size, SizeText("1", "64Mi")] | None = Field(
        default=None,
        description="Largest event, headers included. From 1 to 64Mi. Left out: the broker's own limit.",
    )
    message_ttl: MessageTTL = Field(
        default=MessageTTL.NONE,
        alias="messageTTL",
        description="None, or PerMessage: a publisher may say by header how long an event lives; cannot be taken back. "
        "Left out: None.",
    )
    deduplication: Deduplication | None = Field(
        default=None,
        description="How long an event published twice is recognised. Left out: the broker's own, see status.effective.",
    )
    key: Key | None = Field(
        default=None,
        description="What the events of one entity have in common. Left out: events have no key.",
    )
    key_buckets: Annotated[Int, Field(ge=2, le=1024)] | None = Field(
        default=None,
        description="Store events in so many buckets by key, which later routing moves; changes stored subjects; "
        "immutable. 2 to 1024. Left out: stored as published, and never routable by key.",
    )
    storage: Storage = Field(
        default=Storage.FILE,
        description="File or Memory; immutable. Left out: File, which survives restarts.",
    )
    on_vanished: OnVanished | None = Field(
        default=None,
        description="What to do when the stream is gone. Hold: wait for a person. Recreate: make an empty one. "
        "Left out: Hold for File, Recreate for Memory.",
    )
    allowed_namespaces: AllowedNamespaces = Field(
        default=SAME_NAMESPACE, description="Whose ConsumerGroups may read the topic. Left out: Same."
    )
    native: NativeTopic | None = Field(
        default=None, description="Settings of one kind of broker. Left out: the broker's own."
    )


class EventTopicStatus(ManagedStatus):
    """What became of the topic."""

    messages: str | None = Field(
        default=None, description="Events held, coarse, e.g. 1.2M; the exact number is a metric."
    )
    bytes: str | None = Field(
        default=None, description="Bytes held, coarse, e.g. 3.1Gi; the exact number is a metric."
    )
