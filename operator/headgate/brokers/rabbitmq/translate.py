"""Portable kinds in RabbitMQ's own words. Pure: no I/O, no clock, no client library."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from headgate.brokers import remarks
from headgate.brokers.base import BrokerFacts
from headgate.brokers.rabbitmq.options import group_options, topic_options, workers_of
from headgate.brokers.rabbitmq.resources import UNROUTED, Exchange, exchange_key, queue_key
from headgate.brokers.rabbitmq.translate_group import compiled_group
from headgate.brokers.rabbitmq.translate_queue import compiled_queue
from headgate.brokers.rabbitmq.translate_topic import compiled_topic
from headgate.core.compiled import Compiled
from headgate.core.estate import Ref
from headgate.core.index import TOPIC
from headgate.core.resource import Key, Resource
from headgate.core.topology import Topology

_UNROUTED_AGE: Final = timedelta(days=7)
_UNROUTED_BYTES: Final = 1024 * 1024 * 1024
_UNROUTED_SEGMENT: Final = 64 * 1024 * 1024


def compile_all(topology: Topology, facts: BrokerFacts) -> Mapping[Ref, Compiled]:
    """Every topic, queue and group whose references hold."""
    topics = {
        ref: compiled_topic(topic, facts, topic_options(topic.declared.spec))
        for ref, topic in topology.topics.items()
    }
    queues = {ref: compiled_queue(queue, facts) for ref, queue in topology.queues.items()}
    groups = {
        ref: compiled_group(
            group, facts, group_options(group.declared.spec), workers_of(group.topic.broker.spec)
        )
        for ref, group in topology.groups.items()
    }
    return {**topics, **queues, **groups}


def infrastructure(facts: BrokerFacts, replicas: int | None) -> tuple[Resource, ...]:
    """Where events go that no binding takes: an exchange that takes everything, and the stream behind it."""
    possible = replicas if facts.nodes > 1 else None
    return (
        Exchange(
            UNROUTED,
            type="fanout",
            durable=True,
            auto_delete=False,
            alternate_exchange="",
            shadowed_by="",
            replay=True,
            replay_keys=("",),
            replay_max_age=_UNROUTED_AGE,
            replay_max_bytes=_UNROUTED_BYTES,
            replay_segment_bytes=_UNROUTED_SEGMENT,
            replay_copies=remarks.replicas(possible, facts),
            replay_shadowed_by="",
        ),
    )


def keys(external_name: str, kind: str, topic: str = "") -> tuple[Key, ...]:
    """The broker objects of a custom resource, known by its names alone; a queue has its own, whatever it is bound to."""
    del topic
    return (exchange_key(external_name) if kind == TOPIC else queue_key(external_name),)
