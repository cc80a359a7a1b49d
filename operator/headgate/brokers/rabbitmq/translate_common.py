"""What translating topics, groups and queues has in common: findings, copies, names. Pure."""

from collections.abc import Iterator
from typing import Final

from headgate.brokers.base import BrokerFacts
from headgate.brokers.rabbitmq.names import illegal
from headgate.core.compiled import Effect, Note
from headgate.core.outcomes import Finding, Outcome

SAFE_COPIES: Final = 3


def refused(reason: str, field: str, message: str) -> Finding:
    """Something that only an edit can heal."""
    return Finding(Outcome.REFUSED, reason, f"{field}: {message}", field)


def impossible(field: str, message: str) -> tuple[Finding, Note]:
    """A field that has no counterpart: it stops the object, and status.unsupported says so."""
    return refused("UnsupportedByBroker", field, message), Note(field, message, Effect.REFUSED)


def approximated(field: str, message: str) -> Note:
    """A field that is met as nearly as it goes."""
    return Note(field, message, Effect.APPROXIMATED)


def name_findings(name: str) -> Iterator[Finding]:
    """Whether RabbitMQ takes the name."""
    if why := illegal(name):
        yield refused("NameInvalid", "spec.externalName", f"the name {name} {why}; choose another")


def copies(declared: int | None, facts: BrokerFacts) -> int:
    """Three where the cluster has room for three."""
    if declared is not None:
        return declared
    return SAFE_COPIES if facts.nodes >= SAFE_COPIES else 1


def copy_findings(declared: int | None, facts: BrokerFacts) -> Iterator[Finding]:
    """Whether so many copies can be placed at all."""
    if declared is not None and declared > facts.nodes:
        text = (
            f"{declared} copies need as many nodes and this cluster has {facts.nodes}; declare fewer, also in the "
            "EventBroker's defaults, or add nodes"
        )
        yield refused("ReplicasNotPossible", "spec.replicas", text)
