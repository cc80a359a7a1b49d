"""Rules about references and permissions, checked while references are resolved. Knows no broker."""

from typing import Final

from headgate.core.outcomes import Outcome
from headgate.core.rule import Rule

NOT_PERMITTED: Final = "NotPermitted"

NOT_FOUND: Final[Rule[object]] = Rule(
    "HG100",
    Outcome.WAITING,
    "NotFound",
    "What an object refers to exists",
    "The object waits until the EventBroker, EventTopic, RetryPolicy or DeadLetterQueue that it names is there, and "
    "goes on by itself when it appears. Check the name, and remember that a reference without a namespace means the "
    "namespace of the object that refers.",
)
NOT_OPEN: Final[Rule[object]] = Rule(
    "HG101",
    Outcome.REFUSED,
    NOT_PERMITTED,
    "What an object refers to in another namespace is open to it",
    "An object may be used from other namespaces when its spec.allowedNamespaces says so; a RetryPolicy never is. The "
    "message is the same whether the object is missing or closed, so that nobody can find out what exists elsewhere. "
    "A group also needs the permission of the EventBroker behind its topic.",
)
NOT_TOLD: Final[Rule[object]] = Rule(
    "HG102",
    Outcome.REFUSED,
    "ClusterModeNeeded",
    "Namespaces are chosen by label only where labels can be read",
    "Selector and All need an operator that may list namespaces. One that was installed for single namespaces takes "
    "Same and Names only.",
)
NOT_READY: Final[Rule[object]] = Rule(
    "HG103",
    Outcome.WAITING,
    "NotReady",
    "What an object refers to can be made",
    "The object that is named is there and open, but is refused as it is declared or is being deleted. Its own "
    "conditions say why; this object goes on by itself afterwards.",
)
OTHER_BROKER: Final[Rule[object]] = Rule(
    "HG104",
    Outcome.REFUSED,
    "BrokerMismatch",
    "A group's dead letters stay on the broker of its topic",
    "Dead letters are moved inside one broker cluster. Name a DeadLetterQueue whose brokerRef is that of the topic.",
)
OVERLAP: Final[Rule[object]] = Rule(
    "HG105",
    Outcome.REFUSED,
    "SubjectOverlap",
    "Topics of one broker have no subject in common",
    "An event belongs to one topic. Of two that overlap, the one that is in the broker already comes first, then the "
    "older one. The other is named only to those who share its namespace.",
)
PROTECTED: Final[Rule[object]] = Rule(
    "HG106",
    Outcome.REFUSED,
    NOT_PERMITTED,
    "Protected names are left alone",
    "Names that match the EventBroker's spec.tenancy.protectedNames belong to other users of the broker. What Headgate "
    "itself keeps there, headgate_*, is protected always.",
)
NAMING: Final[Rule[object]] = Rule(
    "HG107",
    Outcome.REFUSED,
    NOT_PERMITTED,
    "Names follow the broker's template where it is enforced",
    "With spec.tenancy.naming.enforce on the EventBroker, the only name that an object can have is the one that the "
    "template gives: leave externalName out.",
)
PREFIX: Final[Rule[object]] = Rule(
    "HG108",
    Outcome.REFUSED,
    NOT_PERMITTED,
    "Subjects begin as the broker allows the namespace",
    "With spec.tenancy.subjectPrefixes on the EventBroker, a namespace declares subjects under its own beginnings only.",
)
NATIVE: Final[Rule[object]] = Rule(
    "HG109",
    Outcome.REFUSED,
    NOT_PERMITTED,
    "Other namespaces set only those native fields that the broker's owner opened",
    "Settings of one kind of broker can reach beyond one object, so the EventBroker's spec.tenancy.nativeAllowed lists "
    "those that other namespaces may set.",
)
DELETION: Final[Rule[object]] = Rule(
    "HG116",
    Outcome.REFUSED,
    NOT_PERMITTED,
    "Other namespaces delete only where the broker's owner lets them",
    "A deletionPolicy other than Retain is honoured for the namespaces of the EventBroker's spec.tenancy.deletion.",
)
NAME_TAKEN: Final[Rule[object]] = Rule(
    "HG150",
    Outcome.CONFLICT,
    "NameTaken",
    "One object of the broker has one custom resource",
    "Two custom resources want the same name in the broker. The mark in the broker decides, then the older one; the "
    "other is in conflict until the winner is gone.",
)

RULES: Final = (
    NOT_FOUND,
    NOT_OPEN,
    NOT_TOLD,
    NOT_READY,
    OTHER_BROKER,
    OVERLAP,
    PROTECTED,
    NAMING,
    PREFIX,
    NATIVE,
    DELETION,
    NAME_TAKEN,
)
