"""Settings of JetStream durables that no portable field reaches, in JetStream's own words. Knows no kind."""

from enum import StrEnum
from typing import Annotated, ClassVar, Final

from pydantic import Field

from headgate.api.common import ApiModel, Word
from headgate.api.nats_topic import RESERVED, Count, Metadata
from headgate.api.rules import NATIVE_COMBINATION, Reason, Rule
from headgate.api.types import Duration, DurationText, Flag, Int, ListOf, Size, SizeText, Timestamp


class AckPolicy(StrEnum):
    """What settles an event."""

    EXPLICIT = "explicit"
    ALL = "all"
    NONE = "none"


class ReplayPolicy(StrEnum):
    """How fast stored events are handed out."""

    INSTANT = "instant"
    ORIGINAL = "original"


class PriorityPolicy(StrEnum):
    """Who of several pullers gets events."""

    OVERFLOW = "overflow"
    PINNED_CLIENT = "pinned_client"
    PRIORITIZED = "prioritized"


_GROUP_RULES: Final = (
    RESERVED,
    Rule(
        NATIVE_COMBINATION,
        "has(self.priorityPolicy) == has(self.priorityGroups)",
        "priorityPolicy and priorityGroups belong together: write both or neither",
        ".priorityGroups",
        Reason.INVALID,
        lambda self: (self.priority_policy is None) == (self.priority_groups is None),
    ),
    Rule(
        NATIVE_COMBINATION,
        "!has(self.priorityTimeout) || (has(self.priorityPolicy) && self.priorityPolicy == 'pinned_client')",
        "priorityTimeout needs priorityPolicy: pinned_client",
        ".priorityTimeout",
        Reason.INVALID,
        lambda self: self.priority_timeout is None or self.priority_policy is PriorityPolicy.PINNED_CLIENT,
    ),
)


class NativeNatsGroup(ApiModel):
    """Settings of a durable JetStream pull consumer that no portable field reaches."""

    checks: ClassVar[tuple[Rule, ...]] = _GROUP_RULES

    ack_policy: AckPolicy | None = Field(
        default=None,
        description="explicit, all or none; fixed. Under none nothing is ever handed out twice, and what a worker drops "
        "is lost. Left out: explicit.",
    )
    backoff_on_timeout: Flag | None = Field(
        default=None,
        description="Have the server wait longer after every attempt that timed out: its n-th acknowledgement deadline "
        "becomes handlingTimeout plus the n-th wait. Left out: false, the waits are asked for by the worker.",
    )
    reap_stranded: Flag | None = Field(
        default=None,
        description="Where nobody pulls, pull once so that events without attempts left become dead letters; this may "
        "use up an attempt of a live one. Left out: false, they wait until a worker pulls.",
    )
    max_waiting: Count | None = Field(
        default=None,
        description="Pull requests that may stand open, at least 1; fixed. Left out: 512, the server's own.",
    )
    max_request_batch: Count | None = Field(
        default=None, description="Events that one pull may ask for, at least 1. Left out: no limit."
    )
    max_request_expires: Annotated[Duration, DurationText("1ms")] | None = Field(
        default=None, description="How long one pull may stand open, at least 1ms. Left out: no limit."
    )
    max_request_max_bytes: Annotated[Size, SizeText("1", "2Gi")] | None = Field(
        default=None, description="Bytes that one pull may ask for. From 1 to 2Gi. Left out: no limit."
    )
    inactive_threshold: Annotated[Duration, DurationText("1s")] | None = Field(
        default=None,
        description="Remove the durable after so long without a pull, at least 1s; its position goes with it. "
        "Left out: never.",
    )
    replicas: Annotated[Int, Field(ge=1, le=5)] | None = Field(
        default=None, description="Copies of the position. 1 to 5. Left out: as many as the stream has."
    )
    mem_storage: Flag | None = Field(
        default=None, description="Keep the position in memory only. Left out: false."
    )
    headers_only: Flag | None = Field(
        default=None, description="Hand out headers without bodies. Left out: false."
    )
    sample_freq: Annotated[str, Field(min_length=1, max_length=4)] | None = Field(
        default=None,
        description='Share of acknowledgements that are reported, in percent, e.g. "25". Left out: none.',
    )
    replay_policy: ReplayPolicy | None = Field(
        default=None, description="instant, or original: at the pace of publishing; fixed. Left out: instant."
    )
    priority_policy: PriorityPolicy | None = Field(
        default=None,
        description="overflow or pinned_client (server 2.11 and newer), prioritized (2.12 and newer). Left out: all "
        "pullers are equal.",
    )
    priority_groups: Annotated[tuple[Word, ...], ListOf("set")] | None = Field(
        default=None,
        min_length=1,
        max_length=16,
        description="Names that pullers give. 1 to 16. Left out: none.",
    )
    priority_timeout: Annotated[Duration, DurationText("1s")] | None = Field(
        default=None,
        description="After how long without a pull another client is pinned, at least 1s. Left out: 2m, the server's own.",
    )
    pause_until: Timestamp | None = Field(
        default=None,
        description="Hand out nothing until this moment; server 2.11 and newer. Left out: not paused.",
    )
    description: Annotated[str, Field(max_length=4096)] | None = Field(
        default=None, description="Text for people, at most 4096 characters. Left out: none."
    )
    metadata: Metadata | None = Field(
        default=None,
        description="Labels of the durable beside ours; keys that begin with headgate or _nats. are refused. At most "
        "32, each value at most 1024 characters. Left out: only ours.",
    )
