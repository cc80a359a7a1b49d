"""A DeadLetterQueue as a topic of Kafka with one partition, in which letters keep the order in which they came. Pure."""

from collections.abc import Iterator, Mapping
from typing import Final

from headgate.api import WhenFull
from headgate.api.common import Storage
from headgate.api.deadletterqueue import DeadLetterQueueSpec
from headgate.brokers import remarks
from headgate.brokers.base import BrokerFacts
from headgate.brokers.kafka import translate_common as common
from headgate.brokers.kafka.resources import TOPIC_CONFIGS, KafkaTopic, topic_key
from headgate.brokers.kafka.translate_common import Barred
from headgate.core.compiled import Compiled, Note
from headgate.core.topology import Queue

PARTITIONS: Final = 1


def compiled_queue(queue: Queue, facts: BrokerFacts) -> Compiled:
    """The topic, what it cannot be, and what was computed."""
    spec = queue.declared.spec
    copies = remarks.replicas(queue.replicas, facts)
    topic = KafkaTopic(
        topic_key(queue.external_name),
        partitions=PARTITIONS,
        replicas=copies,
        **common.settled(TOPIC_CONFIGS, _configs(queue, copies), {}),
    )
    findings = (
        *common.name_findings(queue.external_name),
        *common.replica_findings(queue.replicas, facts),
        *(barred.finding for barred in _barred(spec)),
    )
    return Compiled(() if findings else (topic,), tuple(_notes(queue)), findings, _effective(queue, topic))


def _configs(queue: Queue, copies: int) -> Mapping[str, str]:
    size = queue.max_message_size
    return {
        **common.retention(queue.declared.spec.retention, PARTITIONS),
        "cleanup.policy": "delete",
        "min.insync.replicas": str(common.majority(copies)),
        **({} if size is None else {"max.message.bytes": str(size)}),
    }


def _barred(spec: DeadLetterQueueSpec) -> Iterator[Barred]:
    if spec.when_full is WhenFull.REJECT_NEW and spec.retention.max_bytes is not None:
        text = "Kafka never refuses a dead letter because there are too many; leave retention.maxBytes out, or declare whenFull DropOldest"
        yield Barred("spec.whenFull", text)
    if spec.storage is Storage.MEMORY:
        yield Barred("spec.storage", "Kafka keeps dead letters on disk only; declare File")
    yield from common.no_count(spec.retention)


def _notes(queue: Queue) -> Iterator[Note]:
    spec = queue.declared.spec
    yield from (barred.note for barred in _barred(spec))
    yield from common.retention_notes(spec.retention, PARTITIONS)
    if spec.max_message_size is not None:
        text = "Kafka bounds a batch as it is stored, compressed and with what describes it, not each dead letter"
        yield remarks.approximated("spec.maxMessageSize", text)


def _effective(queue: Queue, topic: KafkaTopic) -> dict[str, str]:
    spec = queue.declared.spec
    found = {"externalName": queue.external_name}
    if spec.replicas is None:
        found["replicas"] = str(topic.replicas)
    if spec.max_message_size is None and queue.max_message_size is not None:
        found["maxMessageSize"] = str(queue.max_message_size)
    for key in ("segment.ms", "segment.bytes"):
        if value := common.retention(spec.retention, PARTITIONS).get(key):
            found[f"native.kafka.{key}"] = value
    return found
