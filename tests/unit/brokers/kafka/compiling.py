"""Estates compiled for Kafka in one call. For tests."""

from collections.abc import Mapping
from typing import Any, Final

from tests.unit.core.declare import BILLING, DEAD, MAIN, ORDERS, declare, estate

from headgate.brokers.base import BrokerFacts
from headgate.brokers.kafka.resources import KafkaGroup, KafkaTopic
from headgate.brokers.kafka.translate import compile_all
from headgate.brokers.kafka.values import KafkaGroupNative, KafkaTopicNative
from headgate.core.compiled import Compiled
from headgate.core.estate import Declared, Ref
from headgate.core.resolve import resolve

THREE: Final = BrokerFacts("Kafka", "4.4", "id", nodes=3)
ONE: Final = BrokerFacts("Kafka", "4.4", "id", nodes=1)


def compiled(
    *objects: Declared[Any],
    facts: BrokerFacts = THREE,
    topics: Mapping[Ref, KafkaTopicNative] | None = None,
    groups: Mapping[Ref, KafkaGroupNative] | None = None,
) -> Mapping[Ref, Compiled]:
    """What an estate becomes."""
    return compile_all(resolve(estate(*objects), MAIN), facts, topics or {}, groups or {})


def topic(
    facts: BrokerFacts = THREE, configs: Mapping[str, str | None] | None = None, **fields: Any
) -> Compiled:
    """What one topic becomes."""
    natives = {ORDERS: KafkaTopicNative(configs or {})}
    return compiled(declare(ORDERS, **fields), facts=facts, topics=natives)[ORDERS]


def one_topic(found: Compiled) -> KafkaTopic:
    """The one topic in it."""
    (resource,) = found.resources
    assert isinstance(resource, KafkaTopic)
    return resource


def queue(facts: BrokerFacts = THREE, **fields: Any) -> Compiled:
    """What one dead-letter queue becomes."""
    return compiled(declare(DEAD, **fields), facts=facts)[DEAD]


def group(
    native: KafkaGroupNative | None = None, topic: Mapping[str, Any] | None = None, **fields: Any
) -> Compiled:
    """What one group of a topic becomes."""
    natives = {BILLING: native or KafkaGroupNative()}
    orders = declare(ORDERS, **(topic or {}))
    return compiled(orders, declare(DEAD), declare(BILLING, **fields), groups=natives)[BILLING]


def one_group(found: Compiled) -> KafkaGroup:
    """The one group in it."""
    (resource,) = found.resources
    assert isinstance(resource, KafkaGroup)
    return resource
