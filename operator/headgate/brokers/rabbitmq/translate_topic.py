"""An EventTopic as a topic exchange, with a stream beside it for replays. Pure."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Final

from headgate.api import WhenFull
from headgate.api.common import Storage
from headgate.api.eventtopic import Compaction, MessageTTL
from headgate.brokers import remarks
from headgate.brokers.base import BrokerFacts
from headgate.brokers.rabbitmq import translate_common as common
from headgate.brokers.rabbitmq.names import UNROUTED_NAME, binding_key, replay_name, unbindable
from headgate.brokers.rabbitmq.options import TopicOptions
from headgate.brokers.rabbitmq.resources import UNBOUNDED, UNROUTED, Exchange, exchange_key
from headgate.core.compiled import Compiled, Note
from headgate.core.outcomes import Finding
from headgate.core.topology import Topic

OWN: Final = "rabbitmq"  # the block of native settings
NO_OPTIONS: Final = TopicOptions()


def compiled_topic(topic: Topic, facts: BrokerFacts, options: TopicOptions = NO_OPTIONS) -> Compiled:
    """The exchange with its stream, and what is said about fields that it cannot express."""
    exchange = _exchange(topic, facts, options)
    refusals = tuple(_impossible(topic))
    findings = (*_findings(topic, facts, options), *(finding for finding, _ in refusals))
    return Compiled(
        () if findings else (exchange,),
        notes=(*(note for _, note in refusals), *_notes(topic, options)),
        findings=findings,
        effective=_effective(topic, exchange),
    )


def subjects_of(topic: Topic) -> tuple[str, ...]:
    """Under which subjects events arrive."""
    return topic.declared.spec.subjects or (topic.external_name,)


def _exchange(topic: Topic, facts: BrokerFacts, options: TopicOptions) -> Exchange:
    spec = topic.declared.spec
    common_part = Exchange(
        exchange_key(topic.external_name),
        needs=(UNROUTED,),
        type="topic",
        durable=True,
        auto_delete=False,
        alternate_exchange=UNROUTED_NAME,
        shadowed_by="",
    )
    if not options.replay:
        return common_part
    return replace(
        common_part,
        replay=True,
        replay_keys=tuple(sorted(map(binding_key, subjects_of(topic)))),
        replay_max_age=_seconds(spec.retention.max_age),
        replay_max_bytes=UNBOUNDED if spec.retention.max_bytes is None else spec.retention.max_bytes,
        replay_segment_bytes=UNBOUNDED if options.segment_bytes is None else options.segment_bytes,
        replay_copies=remarks.replicas(topic.replicas, facts),
        replay_shadowed_by="",
    )


def _seconds(age: timedelta | None) -> timedelta:
    """The stream's unit: rounded up, so that nothing goes before its time."""
    return timedelta(seconds=-(-age // timedelta(seconds=1))) if age else timedelta(0)


def _findings(topic: Topic, facts: BrokerFacts, options: TopicOptions) -> Iterator[Finding]:
    yield from common.name_findings(topic.external_name)
    if options.replay:
        yield from common.copy_findings(topic.replicas, facts)
    for subject in subjects_of(topic):
        if why := unbindable(subject):
            yield remarks.refused("InvalidSetting", "spec.subjects", f"{subject} {why}; choose another")
    if topic.declared.spec.key_buckets is not None:
        text = "buckets of keys are not kept on RabbitMQ yet; leave keyBuckets out"
        yield remarks.refused("NotYet", "spec.keyBuckets", text)


def _impossible(topic: Topic) -> Iterator[tuple[Finding, Note]]:
    spec = topic.declared.spec
    if spec.partitions is not None:
        yield remarks.impossible("spec.partitions", "an exchange has no partitions; leave it out")
    if spec.when_full is WhenFull.REJECT_NEW:
        text = (
            "the replay stream always lets go of its oldest events; declare DropOldest, and say in each group's backlog "
            "what happens when its own queue is full"
        )
        yield remarks.impossible("spec.whenFull", text)
    if spec.compaction is Compaction.LATEST_PER_KEY:
        yield remarks.impossible("spec.compaction", "streams are not compacted; declare None")
    if spec.retention.max_messages is not None:
        text = "streams are bounded by age and bytes alone; declare maxBytes instead"
        yield remarks.impossible("spec.retention.maxMessages", text)
    yield from remarks.foreign(spec.native, OWN)


def _notes(topic: Topic, options: TopicOptions) -> Iterator[Note]:
    spec = topic.declared.spec
    if options.replay:
        text = (
            "the replay stream lets go of whole segments, so events may stay beyond age and size until the segment that "
            "holds them is full and another one was begun"
        )
        yield remarks.approximated("spec.retention", text)
    else:
        text = "without a replay stream events are kept in the queues of groups alone, until they are handled"
        yield remarks.approximated("spec.retention", text)
    if spec.min_in_sync_replicas is not None:
        text = "an event is acknowledged when a majority of the copies has it; the number cannot be chosen"
        yield remarks.approximated("spec.minInSyncReplicas", text)
    if spec.max_message_size is not None:
        text = (
            "the server has one limit for all messages (max_message_size in its configuration); that of the topic is up "
            "to its publishers"
        )
        yield remarks.approximated("spec.maxMessageSize", text)
    if spec.message_ttl is MessageTTL.PER_MESSAGE:
        text = "an expiration that a publisher sets holds in the queues of groups, not in the replay stream"
        yield remarks.approximated("spec.messageTTL", text)
    if spec.deduplication is not None:
        text = (
            "an event that is published twice is delivered twice, whatever the window: handlers have to recognise it "
            "by its id"
        )
        yield remarks.approximated("spec.deduplication", text)
    if spec.storage is Storage.MEMORY:
        text = "streams and quorum queues are always on disk, so events survive restarts although Memory is declared"
        yield remarks.approximated("spec.storage", text)


def _effective(topic: Topic, exchange: Exchange) -> dict[str, str]:
    found = {"externalName": topic.external_name}
    if topic.declared.spec.subjects is None:
        found["subjects"] = topic.external_name
    if topic.declared.spec.replicas is None and exchange.replay_copies is not None:
        found["replicas"] = str(exchange.replay_copies)
    if exchange.replay:
        found["replayStream"] = replay_name(topic.external_name)
    return found
