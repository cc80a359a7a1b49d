"""NATS JetStream as a kind of broker: connecting and translating under one roof. Knows nothing of Kubernetes."""

from collections.abc import Callable, Mapping

from headgate.api import EventBrokerSpec
from headgate.brokers.base import Broker, BrokerFacts, Credentials, Refused, Traits, always
from headgate.brokers.nats import translate
from headgate.brokers.nats.adapter import NatsBroker
from headgate.core.compiled import Compiled
from headgate.core.estate import Ref
from headgate.core.resource import Key, Resource
from headgate.core.topology import Topology


class NatsDriver:
    """Connects to JetStream and speaks its words."""

    addresses = "servers"
    traits = Traits()

    def connect(
        self, spec: EventBrokerSpec, credentials: Credentials, may_act: Callable[[], bool] = always
    ) -> Broker:
        """A handle that connects on first use."""
        if spec.nats is None:
            raise Refused("BrokerMissing", "spec.nats: say how to reach the servers")
        return NatsBroker(spec.nats, spec.limits, credentials, may_act)

    def compile(self, topology: Topology, facts: BrokerFacts, installation: str) -> Mapping[Ref, Compiled]:
        """Streams and consumers for topics, queues and groups."""
        del installation
        return translate.compile_all(topology, facts)

    def infrastructure(self, facts: BrokerFacts, spec: EventBrokerSpec) -> tuple[Resource, ...]:
        """The stream that keeps advisories."""
        return translate.infrastructure(facts, spec)

    def keys(self, external_name: str, kind: str, topic: str = "") -> tuple[Key, ...]:
        """The stream or consumer of a custom resource."""
        return translate.keys(external_name, kind, topic)
