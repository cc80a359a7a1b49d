"""Portable kinds in JetStream's own words. Pure: no I/O, no clock, no client library."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from headgate.api import EventBrokerSpec
from headgate.brokers import remarks
from headgate.brokers.base import BrokerFacts
from headgate.brokers.nats.names import ADVISORY_SUBJECTS
from headgate.brokers.nats.resources import ADVISORIES, Stream, consumer_key, stream_key
from headgate.brokers.nats.translate_group import compiled_group
from headgate.brokers.nats.translate_queue import compiled_queue
from headgate.brokers.nats.translate_topic import compiled_topic
from headgate.core.compiled import Compiled
from headgate.core.estate import Ref
from headgate.core.index import GROUP
from headgate.core.resource import Key, Resource
from headgate.core.topology import Topology

_ADVISORY_AGE: Final = timedelta(days=7)
_ADVISORY_BYTES: Final = 64 * 1024 * 1024  # about 150,000 advisories


def compile_all(topology: Topology, facts: BrokerFacts) -> Mapping[Ref, Compiled]:
    """Every topic, queue and group whose references hold."""
    topics = {ref: compiled_topic(topic, facts) for ref, topic in topology.topics.items()}
    queues = {ref: compiled_queue(queue, facts) for ref, queue in topology.queues.items()}
    groups = {ref: compiled_group(group, facts) for ref, group in topology.groups.items()}
    return {**topics, **queues, **groups}


def infrastructure(facts: BrokerFacts, spec: EventBrokerSpec) -> tuple[Resource, ...]:
    """The one stream that keeps advisories, which the server itself forgets as soon as it has said them."""
    declared = spec.defaults.replicas if spec.defaults else None
    possible = declared if facts.nodes > 1 else None
    return (
        Stream(
            ADVISORIES,
            description="Headgate keeps here what the server says about events that were given up",
            subjects=tuple(sorted(ADVISORY_SUBJECTS)),
            retention="limits",
            storage="file",
            discard="old",
            num_replicas=remarks.replicas(possible, facts),
            max_age=_ADVISORY_AGE,
            max_bytes=_ADVISORY_BYTES,
        ),
    )


def keys(external_name: str, kind: str, topic: str) -> tuple[Key, ...]:
    """The broker objects of a custom resource, known by its names alone."""
    return (consumer_key(topic, external_name),) if kind == GROUP else (stream_key(external_name),)
