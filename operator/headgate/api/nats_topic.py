"""Settings of JetStream streams that no portable field reaches, in JetStream's own words. Knows no kind."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, ClassVar, Final

from pydantic import Field

from headgate.api.common import ApiModel, Word
from headgate.api.rules import NATIVE_COMBINATION, NATIVE_RESERVED, Reason, Rule
from headgate.api.types import Duration, DurationText, Flag, Int, ListOf, Timestamp

Metadata = Annotated[Mapping[str, Annotated[str, Field(max_length=1024)]], Field(max_length=32)]
Count = Annotated[Int, Field(ge=1, le=2_147_483_647)]

RESERVED: Final = Rule(
    NATIVE_RESERVED,
    "!has(self.metadata) || self.metadata.all(key, !key.startsWith('headgate') && !key.startsWith('_nats.'))",
    "metadata keys that begin with headgate or _nats. are not yours to set; choose others",
    ".metadata",
    Reason.FORBIDDEN,
    lambda self: not any(key.startswith(("headgate", "_nats.")) for key in self.metadata or ()),
)


class NatsRetention(StrEnum):
    """When JetStream lets go of an event."""

    LIMITS = "limits"
    INTEREST = "interest"
    WORKQUEUE = "workqueue"


class Compression(StrEnum):
    """How JetStream compresses a stream's files."""

    NONE = "none"
    S2 = "s2"


class PersistMode(StrEnum):
    """Whether JetStream acknowledges before an event is on disk."""

    DEFAULT = "default"
    ASYNC = "async"


class Placement(ApiModel):
    """On which servers."""

    cluster: Word | None = Field(
        default=None, description="Name of the cluster. At most 253 characters. Left out: the server chooses."
    )
    tags: Annotated[tuple[Word, ...], ListOf("set")] | None = Field(
        default=None,
        max_length=16,
        description="Tags that every server must have, at most 16. Left out: any server.",
    )
    preferred: Word | None = Field(
        default=None,
        description="Server that should lead. At most 253 characters. Left out: the servers elect one.",
    )


class SubjectTransform(ApiModel):
    """How published subjects become stored ones."""

    src: Word = Field(description="Subjects that are changed, with wildcards. At most 253 characters.")
    dest: Word = Field(
        description="What they become, in the server's mapping language. At most 253 characters."
    )


class External(ApiModel):
    """A stream of another account or domain."""

    api: Word = Field(description="Subject prefix of the other JetStream API. At most 253 characters.")
    deliver: str | None = Field(
        default=None,
        max_length=253,
        description="Subject prefix for delivery. At most 253 characters. Left out: the server's own.",
    )


class SourceConsumer(ApiModel):
    """A durable of the source that is read instead of a consumer of the server's own."""

    name: Word = Field(description="Name of the durable. At most 253 characters.")
    deliver_subject: Word | None = Field(
        default=None,
        description="Where it delivers to. At most 253 characters. Left out: as the durable says.",
    )


class StreamSource(ApiModel):
    """A stream that is copied from."""

    checks: ClassVar[tuple[Rule, ...]] = (
        Rule(
            NATIVE_COMBINATION,
            "!has(self.optStartSeq) || !has(self.optStartTime)",
            "optStartSeq and optStartTime contradict each other; write one of them",
            ".optStartTime",
            Reason.INVALID,
            lambda self: self.opt_start_seq is None or self.opt_start_time is None,
        ),
        Rule(
            NATIVE_COMBINATION,
            "!has(self.filterSubject) || !has(self.subjectTransforms)",
            "filterSubject and subjectTransforms contradict each other; give the filter as src of a transform",
            ".filterSubject",
            Reason.INVALID,
            lambda self: self.filter_subject is None or self.subject_transforms is None,
        ),
    )

    name: Word = Field(description="Name of the stream. At most 253 characters.")
    opt_start_seq: Annotated[Int, Field(ge=1)] | None = Field(
        default=None, description="First sequence to copy, at least 1. Left out: from the beginning."
    )
    opt_start_time: Timestamp | None = Field(
        default=None, description="Copy what was stored from this moment on. Left out: from the beginning."
    )
    filter_subject: Word | None = Field(
        default=None, description="Copy only these subjects. At most 253 characters. Left out: all."
    )
    subject_transforms: Annotated[tuple[SubjectTransform, ...], ListOf()] | None = Field(
        default=None,
        min_length=1,
        max_length=32,
        description="What copied subjects become. 1 to 32. Left out: kept.",
    )
    external: External | None = Field(
        default=None,
        description="Where the stream is, when in another account or domain. Left out: in this one.",
    )
    consumer: SourceConsumer | None = Field(
        default=None,
        description="Durable of the source to read through (server 2.14 and newer). Left out: the server makes its own.",
    )


class Republish(ApiModel):
    """Stored events are published again, at most once each, for plain subscribers."""

    src: Word | None = Field(
        default=None, description="Which subjects. At most 253 characters. Left out: all of the stream."
    )
    dest: Word = Field(description="As which subjects. At most 253 characters.")
    headers_only: Flag | None = Field(default=None, description="Without the body. Left out: with it.")


class ConsumerLimits(ApiModel):
    """Bounds of every durable of the stream."""

    inactive_threshold: Duration | None = Field(
        default=None, description="After how long without use a durable is removed. Left out: never."
    )
    max_ack_pending: Count | None = Field(
        default=None, description="Events in flight per durable, at least 1. Left out: the account's limit."
    )


_TOPIC_RULES: Final = (
    RESERVED,
    Rule(
        NATIVE_COMBINATION,
        "!has(self.mirror) || (!has(self.sources) && !has(self.subjectTransform) && !has(self.firstSeq))",
        "a mirror has no sources, no subjectTransform and no firstSeq of its own; take them away, or use sources",
        ".mirror",
        Reason.INVALID,
        lambda self: (
            self.mirror is None
            or (self.sources is None and self.subject_transform is None and self.first_seq is None)
        ),
    ),
    Rule(
        NATIVE_COMBINATION,
        "!has(self.discardNewPerSubject) || !self.discardNewPerSubject || has(self.maxMsgsPerSubject)",
        "discardNewPerSubject needs maxMsgsPerSubject",
        ".maxMsgsPerSubject",
        Reason.REQUIRED,
        lambda self: not self.discard_new_per_subject or self.max_msgs_per_subject is not None,
    ),
    Rule(
        NATIVE_COMBINATION,
        "!has(self.subjectDeleteMarkerTTL) || !has(self.mirror)",
        "a mirror leaves no delete markers of its own; take subjectDeleteMarkerTTL away",
        ".subjectDeleteMarkerTTL",
        Reason.INVALID,
        lambda self: self.subject_delete_marker_ttl is None or self.mirror is None,
    ),
    Rule(
        NATIVE_COMBINATION,
        "!has(self.mirrorDirect) || !self.mirrorDirect || has(self.mirror)",
        "mirrorDirect needs mirror",
        ".mirrorDirect",
        Reason.INVALID,
        lambda self: not self.mirror_direct or self.mirror is not None,
    ),
)


class NativeNatsTopic(ApiModel):
    """Settings of a JetStream stream that no portable field reaches."""

    checks: ClassVar[tuple[Rule, ...]] = _TOPIC_RULES

    retention: NatsRetention | None = Field(
        default=None,
        description="limits, interest or workqueue; the server changes it neither to nor from workqueue. Under "
        "workqueue an event that a worker terminates is gone before it can be kept as a dead letter. Left out: limits.",
    )
    max_msgs_per_subject: Count | None = Field(
        default=None, description="Events kept per subject, at least 1. Left out: no limit."
    )
    discard_new_per_subject: Flag | None = Field(
        default=None,
        description="Refuse the publisher, per subject, when maxMsgsPerSubject is reached; needs whenFull: RejectNew. "
        "Left out: false.",
    )
    max_consumers: Count | None = Field(
        default=None, description="Durables that the stream may have, at least 1; fixed. Left out: no limit."
    )
    compression: Compression | None = Field(default=None, description="none or s2. Left out: none.")
    placement: Placement | None = Field(
        default=None, description="On which servers. Left out: the server chooses."
    )
    mirror: StreamSource | None = Field(
        default=None,
        description="Keep a copy of one other stream and accept no events; fixed at creation. Left out: no mirror.",
    )
    sources: Annotated[tuple[StreamSource, ...], ListOf()] | None = Field(
        default=None,
        min_length=1,
        max_length=32,
        description="Copy these streams into this one. 1 to 32. Left out: none.",
    )
    republish: Republish | None = Field(
        default=None, description="Publish stored events again for plain subscribers. Left out: no."
    )
    subject_transform: SubjectTransform | None = Field(
        default=None,
        description="How published subjects become stored ones; refused together with keyBuckets, which needs the "
        "one transform that a stream has. Left out: stored as published.",
    )
    first_seq: Annotated[Int, Field(ge=1)] | None = Field(
        default=None,
        description="Sequence of the first event, at least 1; used at creation only. Left out: 1.",
    )
    no_ack: Flag | None = Field(
        default=None, description="Do not acknowledge to publishers, who then cannot know. Left out: false."
    )
    deny_delete: Flag | None = Field(
        default=None, description="Forbid deleting single events through the API; for good. Left out: false."
    )
    deny_purge: Flag | None = Field(
        default=None, description="Forbid purging through the API; for good. Left out: false."
    )
    sealed: Flag | None = Field(
        default=None,
        description="Let no event in or out any more; for good, not at creation. Left out: false.",
    )
    allow_rollup: Flag | None = Field(
        default=None, description="Let a publisher replace all earlier events by a header. Left out: false."
    )
    allow_direct: Flag | None = Field(
        default=None, description="Let every replica answer reads of single events. Left out: false."
    )
    mirror_direct: Flag | None = Field(
        default=None,
        description="Let a mirror answer such reads for its origin; needs mirror. Left out: false.",
    )
    consumer_limits: ConsumerLimits | None = Field(
        default=None, description="Bounds of every durable of the stream. Left out: none."
    )
    subject_delete_marker_ttl: Annotated[Duration, DurationText("1s")] | None = Field(
        default=None,
        alias="subjectDeleteMarkerTTL",
        description="How long a marker stays where the last event of a subject expired, at least 1s; server 2.11 and "
        "newer. Left out: no markers.",
    )
    allow_msg_counter: Flag | None = Field(
        default=None, description="A stream of counters; server 2.12 and newer, fixed. Left out: false."
    )
    allow_atomic: Flag | None = Field(
        default=None,
        description="Let publishers write batches all or nothing; server 2.12 and newer. Left out: false.",
    )
    allow_batched: Flag | None = Field(
        default=None, description="Let publishers write fast batches; server 2.14 and newer. Left out: false."
    )
    allow_msg_schedules: Flag | None = Field(
        default=None,
        description="Let publishers have events stored later; server 2.12 and newer; for good. Left out: false.",
    )
    persist_mode: PersistMode | None = Field(
        default=None,
        description="default, or async: acknowledge before the event is on disk; server 2.12 and newer, one replica "
        "only, fixed. Left out: default.",
    )
    description: Annotated[str, Field(max_length=4096)] | None = Field(
        default=None, description="Text for people, at most 4096 characters. Left out: none."
    )
    metadata: Metadata | None = Field(
        default=None,
        description="Labels of the stream beside ours; keys that begin with headgate or _nats. are refused. At most "
        "32, each value at most 1024 characters. Left out: only ours.",
    )
