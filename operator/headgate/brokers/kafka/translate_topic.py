"""An EventTopic as a topic of Kafka. Pure."""

from collections.abc import Iterator, Mapping
from typing import Final

from headgate.api import WhenFull
from headgate.api.common import Storage
from headgate.api.eventtopic import Compaction, EventTopicSpec, MessageTTL
from headgate.brokers import remarks
from headgate.brokers.base import BrokerFacts
from headgate.brokers.kafka import translate_common as common
from headgate.brokers.kafka.resources import TOPIC_CONFIGS, KafkaTopic, topic_key
from headgate.brokers.kafka.translate_common import Barred
from headgate.brokers.kafka.values import KafkaTopicNative
from headgate.core.compiled import Compiled, Note
from headgate.core.outcomes import Finding, Outcome
from headgate.core.topology import Topic

PORTABLE: Final[Mapping[str, str]] = {  # configs that a portable field speaks of
    "retention.ms": "spec.retention.maxAge",
    "retention.bytes": "spec.retention.maxBytes",
    "cleanup.policy": "spec.compaction",
    "max.message.bytes": "spec.maxMessageSize",
    "min.insync.replicas": "spec.minInSyncReplicas",
}
_UNCLEAN: Final = "unclean.leader.election.enable"
NONE: Final = KafkaTopicNative()


def compiled_topic(topic: Topic, facts: BrokerFacts, native: KafkaTopicNative = NONE) -> Compiled:
    """The topic, what it cannot be, and what was computed."""
    wanted = _topic(topic, facts, native)
    findings = tuple(_findings(topic, facts, native))
    stops = any(finding.outcome is Outcome.REFUSED for finding in findings)
    return Compiled(
        () if stops else (wanted,), tuple(_notes(topic)), findings, _effective(topic, wanted, native)
    )


def partitions_of(topic: Topic) -> int | None:
    """Into how many partitions the topic is split, where that is declared."""
    return topic.declared.spec.partitions


def _topic(topic: Topic, facts: BrokerFacts, native: KafkaTopicNative) -> KafkaTopic:
    return KafkaTopic(
        topic_key(topic.external_name),
        partitions=partitions_of(topic),
        replicas=remarks.replicas(topic.replicas, facts),
        **common.settled(TOPIC_CONFIGS, _configs(topic, facts), native.configs),
    )


def _configs(topic: Topic, facts: BrokerFacts) -> Mapping[str, str]:
    spec = topic.declared.spec
    compacted = spec.compaction is Compaction.LATEST_PER_KEY
    return {
        **common.retention(spec.retention, spec.partitions or 1),
        "cleanup.policy": "compact,delete" if compacted else "delete",
        "min.insync.replicas": str(_in_sync(topic, facts)),
        **({"max.message.bytes": str(spec.max_message_size)} if spec.max_message_size is not None else {}),
    }


def _in_sync(topic: Topic, facts: BrokerFacts) -> int:
    declared = topic.declared.spec.min_in_sync_replicas
    return declared if declared is not None else common.majority(remarks.replicas(topic.replicas, facts))


def _findings(topic: Topic, facts: BrokerFacts, native: KafkaTopicNative) -> Iterator[Finding]:
    spec = topic.declared.spec
    yield from common.name_findings(topic.external_name)
    yield from common.replica_findings(topic.replicas, facts)
    yield from (finding for finding, _ in remarks.foreign(spec.native, "kafka"))
    yield from (barred.finding for barred in _barred(spec))
    yield from common.native_findings(TOPIC_CONFIGS, PORTABLE, native.configs)
    yield from _copies(topic, facts, native)
    if spec.retention.max_bytes is not None and spec.partitions is None:
        text = "Kafka bounds each partition, so maxBytes has to be divided among a known number; declare it"
        yield remarks.refused("InvalidSetting", "spec.partitions", text)


def _copies(topic: Topic, facts: BrokerFacts, native: KafkaTopicNative) -> Iterator[Finding]:
    """What the broker takes without a word and what then blocks publishers or loses events."""
    copies, in_sync = remarks.replicas(topic.replicas, facts), _in_sync(topic, facts)
    if in_sync > copies:
        text = f"{in_sync} copies must have an event and there are {copies}, so nothing could be published; declare at most {copies}"
        yield remarks.refused("InvalidSetting", "spec.minInSyncReplicas", text)
    elif in_sync == copies > 1:
        text = f"spec.minInSyncReplicas: all {copies} copies must have an event, so one broker that is down stops publishers; declare less, or more replicas"
        yield Finding(Outcome.WARNING, "NoCopyToSpare", text, "spec.minInSyncReplicas")
    if native.configs.get(_UNCLEAN) == "true":
        field = f"spec.native.kafka.{_UNCLEAN}"
        text = f"{field}: a copy that lags behind may become the leader, and events that were acknowledged are gone; declare false unless that is meant"
        yield Finding(Outcome.WARNING, "UncleanElection", text, field)


def _barred(spec: EventTopicSpec) -> Iterator[Barred]:
    """What no topic of Kafka can be."""
    if spec.subjects is not None:
        text = "events of Kafka have no subjects, the topic's name is their only address; leave it out, and use one EventTopic for each subject that needs readers of its own"
        yield Barred("spec.subjects", text)
    if spec.key is not None:
        text = "the key of an event on Kafka is the key that its publisher gives it, not a part of a subject; leave it out"
        yield Barred("spec.key", text)
    if spec.key_buckets is not None:
        text = "partitions are what Kafka puts keys into; leave it out, and declare partitions"
        yield Barred("spec.keyBuckets", text)
    if spec.when_full is WhenFull.REJECT_NEW:
        text = "Kafka never refuses an event because there are too many; declare DropOldest"
        yield Barred("spec.whenFull", text)
    if spec.message_ttl is MessageTTL.PER_MESSAGE:
        text = "Kafka keeps all events of a topic equally long; leave it out, and bound retention.maxAge"
        yield Barred("spec.messageTTL", text)
    if spec.storage is Storage.MEMORY:
        text = "Kafka keeps events on disk only; declare File"
        yield Barred("spec.storage", text)
    yield from common.no_count(spec.retention)


def _notes(topic: Topic) -> Iterator[Note]:
    spec = topic.declared.spec
    yield from (barred.note for barred in _barred(spec))
    yield from (note for _, note in remarks.foreign(spec.native, "kafka"))
    yield from common.retention_notes(spec.retention, spec.partitions or 1)
    if spec.compaction is Compaction.LATEST_PER_KEY:
        text = "older events of a key stay until Kafka cleans up, and one without a key is refused to its publisher"
        yield remarks.approximated("spec.compaction", text)
    if spec.max_message_size is not None:
        text = "Kafka bounds a batch as it is stored, compressed and with what describes it, not each event"
        yield remarks.approximated("spec.maxMessageSize", text)
    if spec.deduplication is not None:
        text = (
            "Kafka recognises what one running producer sends again (enable.idempotence), for as long as it runs; what is "
            "published again by another one is stored twice"
        )
        yield remarks.approximated("spec.deduplication", text)


def _effective(topic: Topic, wanted: KafkaTopic, native: KafkaTopicNative) -> dict[str, str]:
    spec = topic.declared.spec
    found = {"externalName": topic.external_name}
    if spec.replicas is None:
        found["replicas"] = str(wanted.replicas)
    if spec.min_in_sync_replicas is None and wanted.min_insync_replicas is not None:
        found["minInSyncReplicas"] = wanted.min_insync_replicas
    for key, value in common.retention(spec.retention, spec.partitions or 1).items():
        if key not in PORTABLE and key not in native.configs:
            found[f"native.kafka.{key}"] = value
    return found
