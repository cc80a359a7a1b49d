"""Estates compiled for RabbitMQ in one call. For tests."""

from collections.abc import Mapping
from typing import Any

from tests.unit.core.declare import BILLING, DEAD, MAIN, ORDERS, STANDARD, declare, estate

from headgate.brokers.base import BrokerFacts
from headgate.brokers.rabbitmq.facts import capabilities, level_of
from headgate.brokers.rabbitmq.resources import Exchange, Queue
from headgate.brokers.rabbitmq.translate import compile_all
from headgate.core.compiled import Compiled
from headgate.core.estate import Declared, Ref
from headgate.core.resolve import resolve


def facts_of(version: str, nodes: int = 3) -> BrokerFacts:
    """A cluster of a version."""
    level = level_of(version)
    return BrokerFacts("RabbitMQ", version, "id", level=level, nodes=nodes, capabilities=capabilities(level))


NEWEST = facts_of("4.3.6")
OLDER = facts_of("4.0.5")


NATIVE = {"nats": ["compression", "description"], "rabbitmq": ["replay", "retry", "segmentBytes"]}
ADDRESSES = {"managementURL": "https://rabbit:15671", "amqpURL": "amqps://rabbit:5671"}


def compiled(
    *objects: Declared[Any], facts: BrokerFacts = NEWEST, vhost: str = "/"
) -> Mapping[Ref, Compiled]:
    """What an estate becomes."""
    main = declare(
        MAIN,
        nats=None,
        rabbitmq={**ADDRESSES, "vhost": vhost},
        allowedNamespaces={"from": "Names", "names": ["shop"]},
        tenancy={"nativeAllowed": NATIVE},
    )
    return compile_all(resolve(estate(main, *objects), MAIN), facts)


def topic(facts: BrokerFacts = NEWEST, **fields: Any) -> Compiled:
    """What one topic becomes."""
    return compiled(declare(ORDERS, **fields), facts=facts)[ORDERS]


def exchange(facts: BrokerFacts = NEWEST, **fields: Any) -> Exchange:
    """The exchange of one topic."""
    (found,) = topic(facts, **fields).resources
    assert isinstance(found, Exchange)
    return found


def group(
    facts: BrokerFacts = NEWEST,
    policy: Mapping[str, Any] | None = None,
    **fields: Any,
) -> Compiled:
    """What one group of a topic becomes, with a retry policy of its own where one is given."""
    if policy is not None:
        fields["retryPolicyRef"] = {"name": "standard"}
    fields = {"deadLetterQueueRef": {"name": "dead"}, **fields}
    objects = [declare(ORDERS, subjects=["orders.*.>"]), declare(DEAD), declare(BILLING, **fields)]
    if policy is not None:
        objects.append(declare(STANDARD, **policy))
    return compiled(*objects, facts=facts)[BILLING]


def queue(
    facts: BrokerFacts = NEWEST,
    policy: Mapping[str, Any] | None = None,
    **fields: Any,
) -> Queue:
    """The queue of one group."""
    (found,) = group(facts, policy, **fields).resources
    assert isinstance(found, Queue)
    return found


def dead(facts: BrokerFacts = NEWEST, **fields: Any) -> Compiled:
    """What a dead-letter queue becomes."""
    return compiled(declare(DEAD, **fields), facts=facts)[DEAD]


def dead_queue(facts: BrokerFacts = NEWEST, **fields: Any) -> Queue:
    """The queue of a dead-letter queue."""
    (found,) = dead(facts, **fields).resources
    assert isinstance(found, Queue)
    return found
