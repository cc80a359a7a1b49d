"""Estates compiled for JetStream in one call. For tests."""

from collections.abc import Mapping
from typing import Any

from tests.unit.core.declare import BILLING, DEAD, MAIN, ORDERS, declare, estate

from headgate.api import NativeNatsGroup, NativeNatsTopic
from headgate.brokers.base import BrokerFacts
from headgate.brokers.nats.resources import Consumer, Stream
from headgate.brokers.nats.translate import compile_all
from headgate.core.claims import Record
from headgate.core.compiled import Compiled
from headgate.core.estate import Declared, Ref
from headgate.core.resolve import resolve

NEWEST = BrokerFacts("NATS", "2.15.1", "id", level=5, nodes=3)
OLDEST = BrokerFacts("NATS", "2.10.25", "id", level=0, nodes=1)
CREATED = Record(external_name="orders", identity="2026-11-20T10:00:00.5Z")


def compiled(*objects: Declared[Any], facts: BrokerFacts = NEWEST) -> Mapping[Ref, Compiled]:
    """What an estate becomes."""
    everything = objects if any(each.ref == MAIN for each in objects) else (_main(), *objects)
    return compile_all(resolve(estate(*everything), MAIN), facts)


def _main() -> Declared[Any]:
    """A broker that lets the shop use all of JetStream's own words."""
    fields = {**NativeNatsTopic.model_fields, **NativeNatsGroup.model_fields}
    words = sorted({field.alias or name for name, field in fields.items()})
    return declare(
        MAIN,
        allowedNamespaces={"from": "Names", "names": ["shop"]},
        tenancy={"nativeAllowed": {"nats": words}},
    )


def topic(facts: BrokerFacts = NEWEST, **fields: Any) -> Compiled:
    """What one topic becomes."""
    return compiled(declare(ORDERS, **fields), facts=facts)[ORDERS]


def stream(facts: BrokerFacts = NEWEST, **fields: Any) -> Stream:
    """The stream of one topic."""
    (found,) = topic(facts, **fields).resources
    assert isinstance(found, Stream)
    return found


def group(facts: BrokerFacts = NEWEST, topic: Mapping[str, Any] | None = None, **fields: Any) -> Compiled:
    """What one group of a topic becomes."""
    orders = declare(ORDERS, record=CREATED, **(topic or {"subjects": ["orders.*.>"]}))
    return compiled(orders, declare(DEAD), declare(BILLING, **fields), facts=facts)[BILLING]


def consumer(facts: BrokerFacts = NEWEST, topic: Mapping[str, Any] | None = None, **fields: Any) -> Consumer:
    """The durable of one group."""
    (found,) = group(facts, topic, **fields).resources
    assert isinstance(found, Consumer)
    return found
