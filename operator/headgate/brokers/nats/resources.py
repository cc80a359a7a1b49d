"""Streams and consumers of JetStream as values, setting by setting, named as in the server's JSON. Pure.

A setting's class says how it may change; its reset value is what the server takes when it is left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import ClassVar, Final, Self

from headgate.brokers.nats.names import ADVISORIES_NAME
from headgate.core.resource import FieldClass, Key, Resource, setting

STREAM: Final = "stream"
CONSUMER: Final = "consumer"

_FIXED, _ONE_WAY, _AT_CREATION = FieldClass.FIXED, FieldClass.ONE_WAY, FieldClass.AT_CREATION
_NONE = timedelta(0)
BUCKETED: Final = "{{partition("  # readers find events by the bucket, so it never changes


@dataclass(frozen=True, slots=True)
class Placement:
    """Where replicas may live."""

    cluster: str = ""
    tags: tuple[str, ...] = ()
    preferred: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.cluster, ",".join(self.tags), self.preferred))) or "anywhere"


@dataclass(frozen=True, slots=True)
class Transform:
    """How subjects are rewritten."""

    src: str
    dest: str

    def __str__(self) -> str:
        return f"{self.src} -> {self.dest}" if self.dest else "none"


@dataclass(frozen=True, slots=True)
class External:
    """Another account or domain."""

    api: str
    deliver: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """A stream from which messages are copied."""

    name: str
    opt_start_seq: int = 0
    opt_start_time: str = ""
    filter_subject: str = ""
    subject_transforms: tuple[Transform, ...] = ()
    external: External | None = None
    consumer: str = ""
    deliver_subject: str = ""

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Republish:
    """Where stored messages are published again."""

    dest: str
    src: str = ""
    headers_only: bool = False

    def __str__(self) -> str:
        return f"{self.src} -> {self.dest}" if self.dest else "none"


@dataclass(frozen=True, slots=True)
class ConsumerLimits:
    """What consumers of a stream get that do not say, and what they may not exceed."""

    inactive_threshold: timedelta = _NONE
    max_ack_pending: int = 0


@dataclass(frozen=True)
class Stream(Resource):
    """A stream with every setting of JetStream."""

    description: str | None = setting(reset="")
    subjects: tuple[str, ...] | None = setting()
    retention: str | None = setting()
    max_consumers: int | None = setting(_FIXED, reset=-1)  # before 2.12
    max_msgs: int | None = setting(reset=-1)
    max_bytes: int | None = setting(reset=-1)
    max_age: timedelta | None = setting(reset=_NONE)
    max_msgs_per_subject: int | None = setting(reset=-1)
    max_msg_size: int | None = setting(reset=-1)
    discard: str | None = setting(reset="old")
    discard_new_per_subject: bool | None = setting(reset=False)
    storage: str | None = setting(_FIXED)
    num_replicas: int | None = setting()
    no_ack: bool | None = setting(reset=False)
    duplicate_window: timedelta | None = setting()
    placement: Placement | None = setting(reset=Placement())
    mirror: Source | None = setting(_FIXED)
    sources: tuple[Source, ...] | None = setting(reset=())
    compression: str | None = setting(reset="none")
    first_seq: int | None = setting(_AT_CREATION)
    subject_transform: Transform | None = setting(reset=Transform("", ""))
    republish: Republish | None = setting(reset=Republish(""))
    allow_direct: bool | None = setting(reset=False)
    mirror_direct: bool | None = setting()  # a mirror takes it from its origin
    sealed: bool | None = setting(_ONE_WAY, reset=False)
    deny_delete: bool | None = setting(_ONE_WAY, reset=False)
    deny_purge: bool | None = setting(_ONE_WAY, reset=False)
    allow_rollup_hdrs: bool | None = setting(reset=False)
    consumer_limits: ConsumerLimits | None = setting(reset=ConsumerLimits())
    allow_msg_ttl: bool | None = setting(_ONE_WAY, reset=False)
    subject_delete_marker_ttl: timedelta | None = setting(reset=_NONE)
    allow_msg_counter: bool | None = setting(_FIXED)
    allow_atomic: bool | None = setting(reset=False)
    allow_msg_schedules: bool | None = setting(_ONE_WAY, reset=False)
    persist_mode: str | None = setting(_FIXED)
    allow_batched: bool | None = setting(reset=False)
    metadata: tuple[tuple[str, str], ...] | None = setting(reset=())

    def may_change(self, name: str, before: object, after: object) -> bool:
        """Two settings are barred only in part: the way to and from a work queue, and stored key buckets."""
        if name == "retention":
            return "workqueue" not in (before, after)
        if name == "subject_transform":
            return not any(isinstance(side, Transform) and BUCKETED in side.dest for side in (before, after))
        return super().may_change(name, before, after)


@dataclass(frozen=True)
class Consumer(Resource):
    """A consumer with every setting of JetStream; `filter_subjects` also stands for the single filter."""

    description: str | None = setting(reset="")
    deliver_policy: str | None = setting(_AT_CREATION)
    opt_start_seq: int | None = setting(_AT_CREATION)
    opt_start_time: str | None = setting(_AT_CREATION)
    ack_policy: str | None = setting(_FIXED)
    ack_wait: timedelta | None = setting(reset=timedelta(seconds=30))
    max_deliver: int | None = setting(reset=-1)
    backoff: tuple[timedelta, ...] | None = setting(reset=())
    filter_subjects: tuple[str, ...] | None = setting()
    replay_policy: str | None = setting(_FIXED)
    rate_limit_bps: int | None = setting(reset=0)
    sample_freq: str | None = setting(reset="")
    max_waiting: int | None = setting(_FIXED)
    max_ack_pending: int | None = setting()
    flow_control: bool | None = setting(_FIXED)
    headers_only: bool | None = setting(reset=False)
    max_batch: int | None = setting(reset=0)
    max_expires: timedelta | None = setting(reset=_NONE)
    max_bytes: int | None = setting(reset=0)
    deliver_subject: str | None = setting(_FIXED)  # empty: pulled
    deliver_group: str | None = setting(_FIXED)
    idle_heartbeat: timedelta | None = setting(_FIXED)
    inactive_threshold: timedelta | None = setting(reset=_NONE)
    num_replicas: int | None = setting(reset=0)
    mem_storage: bool | None = setting(_FIXED)  # from 2.14 on; older servers lose the position
    pause_until: str | None = setting(reset="")
    priority_groups: tuple[str, ...] | None = setting(reset=())
    priority_policy: str | None = setting(reset="none")
    priority_timeout: timedelta | None = setting(reset=_NONE)
    metadata: tuple[tuple[str, str], ...] | None = setting(reset=())

    holds_data: ClassVar[bool] = False
    reads: ClassVar[bool] = True

    def resumed_at(self, position: str, identity: str) -> Self:
        """The same consumer, made anew right behind the last settled sequence.

        Where none was seen, one that began with new events begins with those since it was made the first time: its
        identity is that moment.
        """
        if not position:
            if self.deliver_policy not in {"new", "last", "last_per_subject"}:
                return self
            return replace(self, deliver_policy="by_start_time", opt_start_seq=None, opt_start_time=identity)
        start = int(position) + 1
        return replace(self, deliver_policy="by_start_sequence", opt_start_seq=start, opt_start_time=None)


def stream_key(name: str) -> Key:
    return Key(STREAM, name)


def consumer_key(stream: str, durable: str) -> Key:
    return Key(CONSUMER, f"{stream}/{durable}")


ADVISORIES: Final = stream_key(ADVISORIES_NAME)  # one per account, shared by every operator and mover


def split(key: Key) -> tuple[str, str]:
    """Stream and durable of a consumer's key."""
    stream, _, durable = key.name.partition("/")
    return stream, durable


@dataclass(frozen=True, slots=True)
class Since:
    """From where on a setting exists: the level of the server's API, and the version in which that came."""

    level: int
    version: str


# Older servers drop these in silence or refuse them as unknown.
STREAM_SINCE: Final[Mapping[str, Since]] = {
    "allow_msg_ttl": Since(1, "2.11"),
    "subject_delete_marker_ttl": Since(1, "2.11"),
    "allow_msg_counter": Since(2, "2.12"),
    "allow_atomic": Since(2, "2.12"),
    "allow_msg_schedules": Since(2, "2.12"),
    "persist_mode": Since(2, "2.12"),
    "allow_batched": Since(4, "2.14"),
}
CONSUMER_SINCE: Final[Mapping[str, Since]] = {
    "pause_until": Since(1, "2.11"),
    "priority_groups": Since(1, "2.11"),
    "priority_policy": Since(1, "2.11"),
    "priority_timeout": Since(1, "2.11"),
}
