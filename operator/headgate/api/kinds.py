"""The kinds, each as one value: names, models, what kubectl shows. Knows no cluster."""

from dataclasses import dataclass
from typing import Any, Final

from headgate.api.common import ApiModel
from headgate.api.consumergroup import ConsumerGroupSpec, ConsumerGroupStatus
from headgate.api.deadletterqueue import DeadLetterQueueSpec, DeadLetterQueueStatus
from headgate.api.eventbroker import EventBrokerSpec, EventBrokerStatus
from headgate.api.eventtopic import EventTopicSpec, EventTopicStatus
from headgate.api.load import FieldError, load_model
from headgate.api.retrypolicy import RetryPolicySpec, RetryPolicyStatus
from headgate.api.rules import NAME_TOO_LONG, Rule

GROUP: Final = "headgate.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
CATEGORY: Final = "headgate"

Spec = EventBrokerSpec | EventTopicSpec | ConsumerGroupSpec | RetryPolicySpec | DeadLetterQueueSpec
Status = (
    EventBrokerStatus | EventTopicStatus | ConsumerGroupStatus | RetryPolicyStatus | DeadLetterQueueStatus
)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of `kubectl get`."""

    name: str
    path: str
    type: str = "string"


@dataclass(frozen=True, slots=True)
class Kind:
    """One custom resource."""

    kind: str
    plural: str
    short: str
    spec: type[ApiModel]
    status: type[ApiModel]
    columns: tuple[Column, ...]
    description: str
    selectable: tuple[str, ...] = ()
    named: bool = True  # becomes something of a name in a broker

    @property
    def singular(self) -> str:
        """The kind in lower case, as kubectl takes it."""
        return self.kind.lower()

    @property
    def crd_name(self) -> str:
        """The name of the CRD."""
        return f"{self.plural}.{GROUP}"


NAME_FITS: Final = Rule(
    NAME_TOO_LONG,
    "has(self.spec.externalName) || self.metadata.name.matches('^[a-z0-9-]{1,63}$')",
    "metadata.name must have at most 63 letters, digits and -, since it names the object in the broker; or say "
    "spec.externalName",
)


def name_fits(name: str, spec: ApiModel) -> bool:
    """The rule above in Python; a spec without an external name has nothing to fit."""
    external = getattr(spec, "external_name", "")
    return external is not None or (len(name) <= 63 and "." not in name)  # noqa: PLR2004  (as in the rule)


def _condition(name: str, kind: str, part: str) -> Column:
    return Column(name, f'.status.conditions[?(@.type=="{kind}")].{part}')


_READY: Final = _condition("Ready", "Ready", "status")
_REASON: Final = _condition("Reason", "Ready", "reason")
_AGE: Final = Column("Age", ".metadata.creationTimestamp", "date")

KINDS: Final = (
    Kind(
        "EventBroker",
        "eventbrokers",
        "eb",
        EventBrokerSpec,
        EventBrokerStatus,
        (
            Column("Type", ".status.type"),
            Column("Version", ".status.serverVersion"),
            Column("Topics", ".status.objects.topics", "integer"),
            Column("Groups", ".status.objects.groups", "integer"),
            _READY,
            _REASON,
            _AGE,
        ),
        "A broker cluster, who may use it, and what it turned out to be able to do.",
        named=False,
    ),
    Kind(
        "EventTopic",
        "eventtopics",
        "et",
        EventTopicSpec,
        EventTopicStatus,
        (
            Column("Broker", ".spec.brokerRef.name"),
            Column("Retention", ".spec.retention.maxAge"),
            Column("Messages", ".status.messages"),
            _READY,
            _REASON,
            _AGE,
        ),
        "A durable stream of events.",
        (".spec.brokerRef.name",),
    ),
    Kind(
        "ConsumerGroup",
        "consumergroups",
        "cg",
        ConsumerGroupSpec,
        ConsumerGroupStatus,
        (
            Column("Topic", ".spec.topicRef.name"),
            Column("Lag", ".status.lag.pending", "integer"),
            Column("Oldest", ".status.lag.oldestTime", "date"),
            Column("Replicas", ".status.scaling.current", "integer"),
            _condition("Fresh", "Fresh", "status"),
            _READY,
            _REASON,
            _AGE,
        ),
        "One service's subscription to a topic, its promise, and its workload.",
        (".spec.topicRef.name",),
    ),
    Kind(
        "RetryPolicy",
        "retrypolicies",
        "rp",
        RetryPolicySpec,
        RetryPolicyStatus,
        (
            Column("Attempts", ".spec.attempts", "integer"),
            Column("Worst", ".status.worstCase"),
            Column("Deadline", ".spec.deadline"),
            Column("Used-By", ".status.usedBy", "integer"),
            _READY,
            _AGE,
        ),
        "How often and how long a failed event is tried again.",
        named=False,
    ),
    Kind(
        "DeadLetterQueue",
        "deadletterqueues",
        "dlq",
        DeadLetterQueueSpec,
        DeadLetterQueueStatus,
        (
            Column("Broker", ".spec.brokerRef.name"),
            Column("Depth", ".status.depth", "integer"),
            Column("Oldest", ".status.oldestTime", "date"),
            Column("Owner", ".spec.owner.team"),
            _READY,
            _REASON,
            _AGE,
        ),
        "Where failed events go, for how long, and who looks at them by when.",
        (".spec.brokerRef.name",),
    ),
)


def load(kind: Kind, raw: object, *, strict: bool) -> Any | list[FieldError]:  # noqa: ANN401  (the spec model depends on the kind)
    """The spec of a kind, or all that is wrong with it; see `load_model`."""
    return load_model(kind.spec, raw, strict=strict)
