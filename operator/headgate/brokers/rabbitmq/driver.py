"""RabbitMQ as a kind of broker: connecting and translating under one roof. Knows nothing of Kubernetes."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from headgate.api import EventBrokerSpec
from headgate.brokers.base import Broker, BrokerFacts, Credentials, Refused, Traits, always
from headgate.brokers.rabbitmq import translate
from headgate.brokers.rabbitmq.adapter import RabbitBroker
from headgate.brokers.rabbitmq.facts import capabilities
from headgate.brokers.rabbitmq.options import connection_of
from headgate.core.compiled import Compiled
from headgate.core.estate import Ref
from headgate.core.index import GROUP
from headgate.core.resource import Key, Resource
from headgate.core.topology import Topology

_TRAITS: Final = Traits(releases=frozenset({GROUP}))  # a queue that is kept must not go on filling


class RabbitDriver:
    """Connects to a virtual host and speaks its words."""

    addresses = "managementURL"
    traits = _TRAITS

    def connect(
        self, spec: EventBrokerSpec, credentials: Credentials, may_act: Callable[[], bool] = always
    ) -> Broker:
        """A handle that connects on first use."""
        if spec.rabbitmq is None:
            raise Refused("BrokerMissing", "spec.rabbitmq: say how to reach the virtual host")
        return RabbitBroker(connection_of(spec.rabbitmq), spec.limits, credentials, may_act)

    def compile(self, topology: Topology, facts: BrokerFacts, installation: str) -> Mapping[Ref, Compiled]:
        """Exchanges and queues for topics, queues and groups. What is told of a server may be its level alone."""
        del installation
        return translate.compile_all(topology, replace(facts, capabilities=capabilities(facts.level)))

    def infrastructure(self, facts: BrokerFacts, spec: EventBrokerSpec) -> tuple[Resource, ...]:
        """Where events go that no binding takes."""
        return translate.infrastructure(facts, spec.defaults.replicas if spec.defaults else None)

    def keys(self, external_name: str, kind: str, topic: str = "") -> tuple[Key, ...]:
        """The exchange or queue of a custom resource."""
        return translate.keys(external_name, kind, topic)
