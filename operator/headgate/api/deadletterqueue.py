"""DeadLetterQueue: where failed events go, and who looks at them by when. Knows no other kind."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import Field

from headgate.api.common import (
    SAME_NAMESPACE,
    AllowedNamespaces,
    ApiModel,
    ExternalName,
    Line,
    Managed,
    ManagedStatus,
    ObjectRef,
    OnVanished,
    Owner,
    Storage,
    WhenFull,
)
from headgate.api.eventtopic import Retention
from headgate.api.rules import TRIAGE_WITHIN_RETENTION, Reason, Rule, immutable, is_duration
from headgate.api.types import Capped, Duration, DurationText, Int, ListOf, Size, SizeText, Timestamp


class DeadLetterQueueSpec(Managed):
    """A place for events that failed for good."""

    checks: ClassVar[tuple[Rule, ...]] = (
        immutable("brokerRef", "events do not move; create another DeadLetterQueue instead"),
        immutable("externalName", "the broker cannot rename; create another DeadLetterQueue instead"),
        immutable("storage", "the broker cannot move what it holds; create another DeadLetterQueue instead"),
        Rule(
            TRIAGE_WITHIN_RETENTION,
            f"!has(self.triageWithin) || !has(self.retention.maxAge) || !{is_duration('self.triageWithin')}"
            f" || !{is_duration('self.retention.maxAge')}"
            " || duration(self.triageWithin) <= duration(self.retention.maxAge)",
            "triageWithin must be at most retention.maxAge, else entries are gone before anybody has to look",
            ".triageWithin",
            Reason.INVALID,
            lambda self: (
                None in (self.triage_within, self.retention.max_age)
                or self.triage_within <= self.retention.max_age
            ),
        ),
    )

    broker_ref: ObjectRef = Field(
        description="The EventBroker that keeps the dead letters; the one of the groups' topics. Immutable."
    )
    external_name: ExternalName | None = Field(
        default=None,
        description="Name in the broker; immutable. 1 to 249 characters. Left out: what the broker's tenancy.naming "
        "makes of the object's name; pinned in status.record.",
    )
    owner: Owner = Field(description="Who looks at the dead letters.")
    retention: Retention = Field(
        description="How long and how much is kept: at least one of maxAge and maxBytes."
    )
    replicas: Annotated[Int, Field(ge=1, le=9)] | None = Field(
        default=None, description="Copies. 1 to 9. Left out: defaults.replicas of the broker."
    )
    storage: Storage = Field(
        default=Storage.FILE,
        description="File or Memory; immutable. Left out: File, which survives restarts.",
    )
    max_message_size: Annotated[Size, SizeText("1", "64Mi")] | None = Field(
        default=None,
        description="Largest dead letter, headers included. From 1 to 64Mi. Left out: the largest of the topics whose "
        "groups use the queue plus 16Ki.",
    )
    when_full: WhenFull = Field(
        default=WhenFull.REJECT_NEW,
        description="RejectNew: nothing more comes in, the topics keep the events, and condition Capturing says so. "
        "DropOldest: the oldest dead letter goes. Left out: RejectNew.",
    )
    allowed_namespaces: AllowedNamespaces = Field(
        default=SAME_NAMESPACE, description="Whose ConsumerGroups may use the queue. Left out: Same."
    )
    triage_within: Annotated[Duration, DurationText("1s")] | None = Field(
        default=None,
        description="How old an entry may grow before condition Untriaged becomes True. At least 1s. Left out: never.",
    )
    on_vanished: OnVanished | None = Field(
        default=None,
        description="What to do when the queue is gone. Hold: wait for a person. Recreate: make an empty one. "
        "Left out: Hold for File, Recreate for Memory.",
    )


class DeadLetterGroup(ApiModel):
    """The dead letters of one group."""

    group: Line = Field(description="The group, as namespace/name.")
    depth: Int = Field(description="How many entries.")
    reasons: Mapping[str, Int] | None = Field(
        default=None, max_length=16, description="How many entries by reason, e.g. MaxAttempts: 390."
    )


class DeadLetterQueueStatus(ManagedStatus):
    """What the queue holds."""

    depth: Int | None = Field(default=None, description="How many entries.")
    oldest_time: Timestamp | None = Field(default=None, description="When the oldest entry was put there.")
    groups: Annotated[tuple[DeadLetterGroup, ...], ListOf("map", ("group",)), Capped(256)] = Field(
        default=(), description="Entries by group, most first. The first 256."
    )
