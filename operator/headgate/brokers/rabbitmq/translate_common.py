"""What translating topics, groups and queues has in common: findings, copies, names. Pure."""

from collections.abc import Iterator

from headgate.brokers.base import BrokerFacts
from headgate.brokers.rabbitmq.names import illegal
from headgate.brokers.remarks import misnamed, refused
from headgate.core.outcomes import Finding


def copy_findings(declared: int | None, facts: BrokerFacts) -> Iterator[Finding]:
    """Whether so many copies can be placed at all."""
    if declared is not None and declared > facts.nodes:
        text = (
            f"{declared} copies need as many nodes and this cluster has {facts.nodes}; declare fewer, also in the "
            "EventBroker's defaults, or add nodes"
        )
        yield refused("ReplicasNotPossible", "spec.replicas", text)


def name_findings(name: str) -> Iterator[Finding]:
    """Whether RabbitMQ takes the name."""
    return misnamed(name, illegal(name))
