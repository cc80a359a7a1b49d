"""What several kinds share: references, ownership, modes, conditions, notes in status. Knows no single kind."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from headgate.api.rules import NAME_TEXT, NAMESPACES_SHAPE, Reason, Rule
from headgate.api.types import Capped, Duration, DurationText, Flag, Int, ListOf, Text, Timestamp

NAME = Text(
    "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
    "must be the name of a Kubernetes object: lower case letters, digits, dashes and dots",
    NAME_TEXT,
)
EXTERNAL_NAME = Text(
    "^[!-.0-~]+$",
    "must be printable ASCII without spaces and slashes",
    NAME_TEXT,
    249,
)
Name = Annotated[str, Field(min_length=1, max_length=253), NAME]
ExternalName = Annotated[str, Field(min_length=1, max_length=249), EXTERNAL_NAME]
Word = Annotated[str, Field(min_length=1, max_length=253)]
Line = Annotated[str, Field(min_length=1, max_length=1024)]


class ApiModel(BaseModel):
    """A part of a custom resource. Frozen; Python names are snake_case, JSON names camelCase."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, alias_generator=to_camel)

    checks: ClassVar[tuple[Rule, ...]] = ()  # what has to hold between the fields of this object
    atomic: ClassVar[bool] = False  # replaced as a whole by server-side apply


class Mode(StrEnum):
    """How far Headgate goes."""

    ENFORCE = "Enforce"  # make the broker match
    PLAN = "Plan"  # say what would change
    OBSERVE = "Observe"  # only look


class DeletionPolicy(StrEnum):
    """What becomes of the broker object when the custom resource is deleted."""

    RETAIN = "Retain"
    DELETE_IF_EMPTY = "DeleteIfEmpty"
    DELETE = "Delete"


class UnreachablePolicy(StrEnum):
    """What a deletion does while the broker is away."""

    BLOCK = "Block"
    ORPHAN = "Orphan"


class AdoptionPolicy(StrEnum):
    """What to do with a broker object that exists and is not ours."""

    IF_MATCHES = "IfMatches"
    ALWAYS = "Always"
    NEVER = "Never"


class OnVanished(StrEnum):
    """What to do when a broker object that held data is gone."""

    HOLD = "Hold"
    RECREATE = "Recreate"


class Origin(StrEnum):
    """How we came by a broker object."""

    CREATED = "Created"
    ADOPTED = "Adopted"


class Storage(StrEnum):
    """Where events are kept."""

    FILE = "File"
    MEMORY = "Memory"


class WhenFull(StrEnum):
    """What gives way when a limit of retention is reached."""

    DROP_OLDEST = "DropOldest"
    REJECT_NEW = "RejectNew"


class NamespacesFrom(StrEnum):
    """Which namespaces are meant."""

    SAME = "Same"
    NAMES = "Names"
    SELECTOR = "Selector"
    ALL = "All"


class ConditionStatus(StrEnum):
    """Whether a condition holds."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Effect(StrEnum):
    """How far a declared field is from what the broker can do."""

    APPROXIMATED = "Approximated"
    REFUSED = "Refused"


class ObjectRef(ApiModel):
    """A custom resource by name."""

    atomic: ClassVar[bool] = True

    name: Name = Field(description="Name of the object. 1 to 253 characters.")
    namespace: Name | None = Field(
        default=None,
        description="Namespace of the object. Left out: the namespace of the object that refers to it; writing that "
        "one out is a different value, also where the reference is immutable.",
    )


class SecretRef(ApiModel):
    """A Secret of the same namespace, read by name when needed; its content appears nowhere else."""

    atomic: ClassVar[bool] = True

    name: Name = Field(description="Name of the Secret. 1 to 253 characters.")


class Owner(ApiModel):
    """Who answers for the object."""

    team: Word = Field(description="The team, as people call it. 1 to 253 characters.")
    contact: Line | None = Field(
        default=None, description="How to reach the team. At most 1024 characters. Left out: not shown."
    )
    runbook: Line | None = Field(
        default=None,
        description="Address of what to do when something is wrong. At most 1024 characters. Left out: not shown.",
    )


class NamespaceSelector(ApiModel):
    """Namespaces by their labels."""

    match_labels: Mapping[str, Annotated[str, Field(max_length=63)]] = Field(
        description="Labels that a namespace must have, all of them. 1 to 16 labels.",
        min_length=1,
        max_length=16,
    )


class AllowedNamespaces(ApiModel):
    """A set of namespaces."""

    checks: ClassVar[tuple[Rule, ...]] = (
        Rule(
            NAMESPACES_SHAPE,
            "(self.from == 'Names') == has(self.names)",
            "names and from: Names belong together: write both or neither",
            ".names",
            Reason.INVALID,
            lambda self: (self.from_ is NamespacesFrom.NAMES) == (self.names is not None),
        ),
        Rule(
            NAMESPACES_SHAPE,
            "(self.from == 'Selector') == has(self.selector)",
            "selector and from: Selector belong together: write both or neither",
            ".selector",
            Reason.INVALID,
            lambda self: (self.from_ is NamespacesFrom.SELECTOR) == (self.selector is not None),
        ),
    )

    from_: NamespacesFrom = Field(
        alias="from",
        description="Same: the namespace of this object. Names: those in names. Selector: those that selector finds. "
        "All: every namespace. The last two need an operator that sees the whole cluster.",
    )
    names: Annotated[tuple[Name, ...], ListOf("set")] | None = Field(
        default=None,
        min_length=1,
        max_length=64,
        description="Namespaces beside the one of this object, which is always meant too; with from: Names. "
        "1 to 64 names. Left out: none.",
    )
    selector: NamespaceSelector | None = Field(
        default=None,
        description="Namespaces beside the one of this object, which is always meant too; with from: Selector. "
        "Left out: none.",
    )


SAME_NAMESPACE = AllowedNamespaces(from_=NamespacesFrom.SAME)


class Managed(ApiModel):
    """What every object that becomes something in a broker can say about how it is kept."""

    mode: Mode = Field(
        default=Mode.ENFORCE,
        description="Enforce: make the broker match. Plan: say in status.plan what would change, and change nothing. "
        "Observe: only look, and report what differs. Left out: Enforce.",
    )
    adoption_policy: AdoptionPolicy = Field(
        default=AdoptionPolicy.IF_MATCHES,
        description="What to do with an object in the broker that exists and carries nobody's mark. IfMatches: take it "
        "over when nothing differs. Always: take it over and change what differs. Never: report a conflict. "
        "Left out: IfMatches.",
    )
    deletion_policy: DeletionPolicy = Field(
        default=DeletionPolicy.RETAIN,
        description="What becomes of the object in the broker when this one is deleted. Retain: it stays. "
        "DeleteIfEmpty: it goes when it holds nothing. Delete: it goes with all it holds. Left out: Retain.",
    )
    unreachable_policy: UnreachablePolicy = Field(
        default=UnreachablePolicy.BLOCK,
        description="What deleting does while the broker is away and there is something to delete. Block: wait for "
        "deletionTimeout, then leave it behind with a warning. Orphan: leave it behind at once. Left out: Block.",
    )
    deletion_timeout: Annotated[Duration, DurationText(most="168h")] | None = Field(
        default=None,
        description="How long Block waits. From 0s to 168h. Left out: 5m today, see status.effective.",
    )
    suspend: Flag = Field(
        default=False,
        description="Leave the broker and the workload as they are until this is false again; deletion still works. "
        "Left out: false.",
    )


class Condition(ApiModel):
    """One thing that is true, false or unknown about the object, since when and why."""

    type: Word = Field(description="What the condition is about, e.g. Ready.")
    status: ConditionStatus = Field(description="True, False or Unknown.")
    reason: Word = Field(description="One stable CamelCase word for machines.")
    message: str = Field(
        default="", max_length=4096, description="What is wrong, where, and what to do next."
    )
    observed_generation: Int | None = Field(
        default=None, description="The generation that the condition speaks of."
    )
    last_transition_time: Timestamp = Field(description="When status last changed.")


Conditions = Annotated[tuple[Condition, ...], ListOf("map", ("type",)), Capped(32)]


class PlanEntry(ApiModel):
    """One change that would be made."""

    action: Word = Field(description="Create, Adopt, Update or Delete.")
    target: Line = Field(description="The object in the broker, e.g. stream/orders.")
    field: str | None = Field(default=None, description="The setting, in the broker's words.")
    from_: str | None = Field(default=None, alias="from", description="What the broker has.")
    to: str | None = Field(default=None, description="What is declared.")
    blocked: str | None = Field(default=None, description="Why the change is not made, where it cannot be.")


class Unsupported(ApiModel):
    """A declared field that the broker cannot express as it stands."""

    field: Line = Field(description="The field, e.g. spec.minInSyncReplicas.")
    message: str = Field(description="What the broker does instead, and what to do.")
    effect: Effect = Field(
        description="Approximated: done as near as possible. Refused: not done, and not Ready."
    )


class Lost(ApiModel):
    """An object in the broker that held data and is gone or was replaced."""

    external_id: Line = Field(
        description="What to put into annotation headgate.dev/acknowledge to end DataLost."
    )
    since: Timestamp = Field(description="When it was found gone.")


class Checkpoint(ApiModel):
    """Where a lost reader would begin again."""

    position: str = Field(description="The last position up to which everything is settled.")
    repeats_at_most: Int | None = Field(
        default=None, description="How many events would be handed out again."
    )
    topic_identity: str | None = Field(
        default=None,
        description="The incarnation of the topic in which the position lies; it means nothing in another.",
    )


class Record(ApiModel):
    """The only part of status that is read back. Losing it loses nothing in the broker."""

    external_name: str | None = Field(default=None, description="The name in the broker, pinned at creation.")
    identity: str | None = Field(
        default=None,
        description="What tells this object from a later one of the same name. Gone: learned anew.",
    )
    origin: Origin | None = Field(
        default=None,
        description="Created or Adopted. Gone: the mark in the broker decides, else the adoption rules.",
    )
    checkpoint: Checkpoint | None = Field(
        default=None, description="Where a lost reader begins again. Gone: it begins as declared in start."
    )
    learned: Mapping[str, str] | None = Field(
        default=None, max_length=16, description="Rates that scaling has learned. Gone: learned anew."
    )


class ManagedStatus(ApiModel):
    """What is reported about every object that becomes something in a broker."""

    observed_generation: Int | None = Field(
        default=None, description="The generation that this status speaks of."
    )
    conditions: Conditions = Field(default=(), description="What is true about the object. At most 32.")
    record: Record | None = Field(
        default=None, description="What is remembered, the only part that is read back."
    )
    effective: Mapping[str, str] | None = Field(
        default=None, max_length=64, description="Defaults as computed: field to value. At most 64."
    )
    plan: Annotated[tuple[PlanEntry, ...], ListOf(), Capped(64)] = Field(
        default=(), description="What would change, in mode Plan or while Blocked. The first 64."
    )
    unsupported: Annotated[tuple[Unsupported, ...], ListOf(), Capped(64)] = Field(
        default=(), description="Fields that the broker cannot express. The first 64."
    )
    lost: Lost | None = Field(default=None, description="What is gone, while DataLost.")
