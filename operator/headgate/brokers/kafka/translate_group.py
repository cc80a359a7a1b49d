"""A ConsumerGroup with its retry policy as positions of a group of Kafka in one topic and topics of its own. Pure."""

from collections.abc import Iterator
from typing import Final

from headgate.api import Ordering, StartFrom
from headgate.api.consumergroup import ConsumerGroupSpec
from headgate.brokers import remarks
from headgate.brokers.base import BrokerFacts
from headgate.brokers.kafka import translate_common as common
from headgate.brokers.kafka import translate_ladder as ladder
from headgate.brokers.kafka.binding import binding
from headgate.brokers.kafka.keeping import KEPT
from headgate.brokers.kafka.resources import GROUP_CONFIGS, KafkaGroup, Step, group_key, topic_key
from headgate.brokers.kafka.translate_common import Barred
from headgate.brokers.kafka.translate_topic import partitions_of
from headgate.brokers.kafka.values import KafkaGroupNative
from headgate.core.compiled import Compiled, Note
from headgate.core.outcomes import Finding
from headgate.core.retry import waits
from headgate.core.topology import Group

NONE: Final = KafkaGroupNative()
_START: Final = {StartFrom.EARLIEST: "earliest", StartFrom.LATEST: "latest", StartFrom.TIME: "time"}


def compiled_group(group: Group, facts: BrokerFacts, native: KafkaGroupNative = NONE) -> Compiled:
    """The group's positions, topics and configs, how its retries work, and what movers are told."""
    steps = ladder.steps_of(group, facts, native)
    findings = (*_findings(group, native), *ladder.name_findings(steps))
    return Compiled(
        () if findings else (_group(group, native, steps),),
        tuple(_notes(group, native)),
        findings,
        {"externalName": group.external_name},
        retry=ladder.retry_of(group, native),
        route=None if findings else ladder.route_of(group, steps, native),
        binding=None if findings else binding(group, steps, native),
    )


def _group(group: Group, native: KafkaGroupNative, steps: tuple[Step, ...]) -> KafkaGroup:
    spec, topic = group.declared.spec, group.topic.external_name
    queue = (topic_key(group.queue.external_name),) if group.queue else ()
    return KafkaGroup(
        group_key(topic, group.external_name),
        needs=(topic_key(topic), *queue),
        start=_START[spec.start.from_],
        start_time=spec.start.time,
        covered=partitions_of(group.topic),
        positions=KEPT,
        ladder=steps,
        **common.settled(GROUP_CONFIGS, {}, native.configs),
    )


def _findings(group: Group, native: KafkaGroupNative) -> Iterator[Finding]:
    yield from (barred.finding for barred in _barred(group, native))
    yield from (finding for finding, _ in remarks.foreign(group.declared.spec.native, "kafka"))
    yield from common.native_findings(GROUP_CONFIGS, {}, native.configs)


def _barred(group: Group, native: KafkaGroupNative) -> Iterator[Barred]:
    spec = group.declared.spec
    if spec.filter is not None and not native.filter_by_worker:
        text = "Kafka hands out every event of a topic; leave it out, or declare native.kafka.filterBy: Worker and have the worker pass over the rest"
        yield Barred("spec.filter", text)
    if spec.backlog is not None:
        text = "the topic holds what waits; take it away, and bound the topic's retention"
        yield Barred("spec.backlog", text)
    if spec.ordering is Ordering.TOTAL and partitions_of(group.topic) != 1:
        text = "Kafka keeps order within a partition only; declare partitions: 1 in the EventTopic, or ordering PerKey here"
        yield Barred("spec.ordering", text)


def _notes(group: Group, native: KafkaGroupNative) -> Iterator[Note]:
    spec = group.declared.spec
    yield from (barred.note for barred in _barred(group, native))
    yield from (note for _, note in remarks.foreign(spec.native, "kafka"))
    yield from _reading(spec, native)
    if spec.ordering is not Ordering.NONE and waits(group.policy):
        text = (
            "an event that waits for its next attempt lets later ones pass: order holds for events that succeed at the "
            "first attempt; declare attempts: 1 in the RetryPolicy where it must hold for all"
        )
        yield remarks.approximated("spec.ordering", text)
    yield from ladder.notes_of(group.policy)


def _reading(spec: ConsumerGroupSpec, native: KafkaGroupNative) -> Iterator[Note]:
    if spec.filter is not None and native.filter_by_worker:
        text = "every event is handed to the worker, which passes over the others; lag counts them too"
        yield remarks.approximated("spec.filter", text)
    if spec.concurrency is not None and spec.concurrency.total is not None:
        text = "Kafka bounds no number of events in flight: workers keep to concurrency.perReplica, and a partition has one reader"
        yield remarks.approximated("spec.concurrency.total", text)
    if spec.start.time is not None:
        text = "Kafka finds the first event by the time that its publisher gave it, or the broker where the topic says so"
        yield remarks.approximated("spec.start.time", text)
