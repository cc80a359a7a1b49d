"""Portable kinds in Kafka's own words. Pure: no I/O, no clock, no client library."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from headgate.api import ConsumerGroupSpec, DeadLetterQueueSpec, EventTopicSpec
from headgate.brokers.base import BrokerFacts
from headgate.brokers.kafka.names import folded, wait_of
from headgate.brokers.kafka.resources import KafkaGroup, Step, group_key, topic_key
from headgate.brokers.kafka.translate_group import compiled_group
from headgate.brokers.kafka.translate_queue import compiled_queue
from headgate.brokers.kafka.translate_topic import compiled_topic
from headgate.brokers.kafka.values import KafkaGroupNative, KafkaTopicNative
from headgate.core.compiled import Compiled
from headgate.core.estate import Declared, Ref
from headgate.core.index import GROUP
from headgate.core.outcomes import Finding, Outcome
from headgate.core.resource import Key, Resource
from headgate.core.topology import Queue, Topic, Topology

_NO_TOPICS: Final[Mapping[Ref, KafkaTopicNative]] = {}
_NO_GROUPS: Final[Mapping[Ref, KafkaGroupNative]] = {}


def compile_all(
    topology: Topology,
    facts: BrokerFacts,
    topics: Mapping[Ref, KafkaTopicNative] = _NO_TOPICS,
    groups: Mapping[Ref, KafkaGroupNative] = _NO_GROUPS,
) -> Mapping[Ref, Compiled]:
    """Every topic, queue and group whose references hold; `topics` and `groups` are what they say in Kafka's words."""
    no_topic, no_group = KafkaTopicNative(), KafkaGroupNative()
    found: dict[Ref, Compiled] = {}
    for ref, topic in topology.topics.items():
        found[ref] = compiled_topic(topic, facts, topics.get(ref, no_topic))
    for ref, queue in topology.queues.items():
        found[ref] = compiled_queue(queue, facts)
    for ref, group in topology.groups.items():
        found[ref] = compiled_group(group, facts, groups.get(ref, no_group))
    named: tuple[Topic | Queue, ...] = (*topology.topics.values(), *topology.queues.values())
    return {**found, **_without_twins(found, named), **_without_strangers(found, named, topology)}


def keys(external_name: str, kind: str, topic: str) -> tuple[Key, ...]:
    """The broker objects of a custom resource, known by its names alone."""
    return (group_key(topic, external_name),) if kind == GROUP else (topic_key(external_name),)


def _without_twins(found: Mapping[Ref, Compiled], named: Iterable[Topic | Queue]) -> Mapping[Ref, Compiled]:
    """Kafka takes one of several names that differ in dots and underscores only; equal names the plan settles."""
    first: dict[str, Topic | Queue] = {}
    changed: dict[Ref, Compiled] = {}
    for each in sorted(named, key=lambda one: _rank(one.declared)):
        winner = first.setdefault(folded(each.external_name), each)
        if winner.external_name != each.external_name:
            compiled = found[each.declared.ref]
            findings = (*compiled.findings, _twin(each))
            changed[each.declared.ref] = replace(compiled, resources=(), findings=findings)
    return changed


def _without_strangers(
    found: Mapping[Ref, Compiled], named: Iterable[Topic | Queue], topology: Topology
) -> Mapping[Ref, Compiled]:
    """Topics that a group would take for its own are no other's: the group gives way, of two groups the later one."""
    first = {folded(each.external_name): str(each.declared.ref) for each in named}
    changed: dict[Ref, Compiled] = {}
    for ref, group in sorted(topology.groups.items(), key=lambda item: _rank(item[1].declared)):
        own = [step.name for each in found[ref].resources for step in _steps(each)]
        topic, name = group.topic.external_name, group.external_name
        taken = [each.external_name for each in named if wait_of(topic, name, each.external_name) is not None]
        taken += [each for each in own if first.setdefault(folded(each), str(ref)) != str(ref)]
        if own and taken:
            findings = (*found[ref].findings, _stranger(taken[0]))
            changed[ref] = replace(found[ref], resources=(), binding=None, route=None, findings=findings)
    return changed


def _steps(resource: Resource) -> Iterable[Step]:
    return (resource.ladder or ()) if isinstance(resource, KafkaGroup) else ()


def _stranger(name: str) -> Finding:
    text = (
        f"spec.externalName: a topic for its retries is called {name}, and so is one that is declared here for something "
        "else, dots and underscores being the same; choose another"
    )
    return Finding(Outcome.CONFLICT, "NameTaken", text, "spec.externalName")


def _rank(
    declared: Declared[EventTopicSpec] | Declared[DeadLetterQueueSpec] | Declared[ConsumerGroupSpec],
) -> tuple[bool, bool, str, str, str]:
    created = declared.created
    return (
        declared.record.origin is None,
        created is None,
        created.isoformat() if created else "",
        declared.uid,
        str(declared.ref),
    )


def _twin(each: Topic | Queue) -> Finding:
    text = (
        f"spec.externalName: Kafka cannot tell {each.external_name} from another topic that is declared here, because it "
        "takes dots and underscores for the same; choose another"
    )
    return Finding(Outcome.CONFLICT, "NameTaken", text, "spec.externalName")
