"""Kafka as a kind of broker: connecting and translating under one roof. Knows nothing of Kubernetes."""

from collections.abc import Callable, Mapping
from typing import Final

from headgate.api import EventBrokerSpec
from headgate.brokers.base import Broker, BrokerFacts, Credentials, Refused, Traits, always
from headgate.brokers.kafka import translate
from headgate.brokers.kafka.adapter import KafkaBroker
from headgate.brokers.kafka.natives import connection_of, group_native, topic_native
from headgate.core.compiled import Compiled
from headgate.core.estate import Ref
from headgate.core.resource import Key, Resource
from headgate.core.topology import Topology

_AT_ONCE: Final = 64  # changes that are under way together go out together
_NO_NOTICES: Final = (
    "Kafka says nothing about events that were given up: workers write their dead letters themselves, and movers those of "
    "events that had no attempts or no time left when their wait was over"
)


class KafkaDriver:
    """Connects to a cluster and speaks its words."""

    addresses = "bootstrapServers"
    traits = Traits(at_once=_AT_ONCE, no_notices=_NO_NOTICES)

    def connect(
        self, spec: EventBrokerSpec, credentials: Credentials, may_act: Callable[[], bool] = always
    ) -> Broker:
        """A handle that connects on first use."""
        if spec.kafka is None:
            raise Refused("BrokerMissing", "spec.kafka: say how to reach the servers")
        return KafkaBroker(connection_of(spec.kafka), spec.limits, credentials, may_act)

    def compile(self, topology: Topology, facts: BrokerFacts, installation: str) -> Mapping[Ref, Compiled]:
        """Topics and positions for topics, queues and groups."""
        del installation
        topics = {ref: topic_native(topic.declared.spec) for ref, topic in topology.topics.items()}
        groups = {ref: group_native(group.declared.spec) for ref, group in topology.groups.items()}
        return translate.compile_all(topology, facts, topics, groups)

    def infrastructure(self, facts: BrokerFacts, spec: EventBrokerSpec) -> tuple[Resource, ...]:
        """Nothing: Kafka keeps what it needs by itself."""
        del facts, spec
        return ()

    def keys(self, external_name: str, kind: str, topic: str = "") -> tuple[Key, ...]:
        """The topic or the positions of a custom resource."""
        return translate.keys(external_name, kind, topic)
