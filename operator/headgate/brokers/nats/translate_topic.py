"""An EventTopic as a stream. Pure."""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

from headgate.api import NativeNatsTopic, WhenFull
from headgate.api.eventtopic import Compaction, EventTopicSpec, MessageTTL
from headgate.api.nats_topic import Placement as NativePlacement
from headgate.api.nats_topic import StreamSource, SubjectTransform
from headgate.api.types import format_duration
from headgate.brokers import remarks
from headgate.brokers.base import BrokerFacts
from headgate.brokers.nats import translate_common as common
from headgate.brokers.nats.names import own_subjects
from headgate.brokers.nats.resources import (
    STREAM_SINCE,
    ConsumerLimits,
    External,
    Placement,
    Republish,
    Source,
    Stream,
    Transform,
    stream_key,
)
from headgate.core.buckets import Layout
from headgate.core.compiled import Compiled, Effect, Note
from headgate.core.outcomes import Finding
from headgate.core.topology import Topic

DEDUPLICATION: Final = timedelta(minutes=2)  # the server's own window
_FIELDS: Final = {
    "allow_msg_ttl": "spec.messageTTL",
    "subject_delete_marker_ttl": "spec.native.nats.subjectDeleteMarkerTTL",
    "allow_msg_counter": "spec.native.nats.allowMsgCounter",
    "allow_atomic": "spec.native.nats.allowAtomic",
    "allow_msg_schedules": "spec.native.nats.allowMsgSchedules",
    "persist_mode": "spec.native.nats.persistMode",
    "allow_batched": "spec.native.nats.allowBatched",
}
_PLACEHOLDER: Final = re.compile(r"\{\{[^}]*\}\}|\$\d+")


def layout_of(topic: Topic) -> Layout | None:
    """How events are stored, where they are stored in buckets."""
    spec = topic.declared.spec
    return Layout.of(subjects_of(topic), spec.key_buckets) if spec.key_buckets else None


def subjects_of(topic: Topic) -> tuple[str, ...]:
    """Under which subjects events arrive."""
    return topic.declared.spec.subjects or (topic.external_name,)


def stored_subjects(topic: Topic) -> tuple[str, ...]:
    """Under which subjects events of the topic are found in the stream; empty: not known, so any."""
    native, layout = native_of(topic.declared.spec), layout_of(topic)
    if layout is not None:
        return (layout.stored(layout.published),)
    if native.mirror is not None:
        return _copied(native.mirror)
    copied = [subject for source in native.sources or () for subject in _copied(source)]
    changed = [_pattern(native.subject_transform.dest)] if native.subject_transform else []
    return tuple(dict.fromkeys((*subjects_of(topic), *copied, *changed)))


def compiled_topic(topic: Topic, facts: BrokerFacts) -> Compiled:
    """The stream, what it cannot be, and what was computed."""
    stream = _stream(topic, facts)
    refusals = tuple(remarks.foreign(topic.declared.spec.native, "nats"))
    findings = (*_findings(topic, stream, facts), *(finding for finding, _ in refusals))
    notes = (*_notes(topic), *(note for _, note in refusals))
    return Compiled(() if findings else (stream,), notes, findings, _effective(topic, stream))


def native_of(spec: EventTopicSpec) -> NativeNatsTopic:
    """Settings in JetStream's own words."""
    return (spec.native.nats if spec.native else None) or NativeNatsTopic()


def _stream(topic: Topic, facts: BrokerFacts) -> Stream:
    spec, native = topic.declared.spec, native_of(topic.declared.spec)
    return Stream(
        stream_key(topic.external_name),
        subjects=()
        if native.mirror
        else tuple(sorted((*subjects_of(topic), own_subjects(topic.external_name)))),
        retention=str(native.retention or "limits"),
        storage=str(spec.storage).lower(),
        num_replicas=remarks.replicas(topic.replicas, facts),
        max_age=spec.retention.max_age or timedelta(0),
        max_bytes=common.or_unbounded(spec.retention.max_bytes),
        max_msgs=common.or_unbounded(spec.retention.max_messages),
        max_msgs_per_subject=1
        if spec.compaction is Compaction.LATEST_PER_KEY
        else common.or_unbounded(native.max_msgs_per_subject),
        max_msg_size=common.or_unbounded(spec.max_message_size),
        discard="new" if spec.when_full is WhenFull.REJECT_NEW else "old",
        duplicate_window=_window(spec),
        allow_msg_ttl=True
        if spec.message_ttl is MessageTTL.PER_MESSAGE or native.subject_delete_marker_ttl
        else None,
        subject_transform=_transform(topic, native),
        **_native(native),
    )


def _window(spec: EventTopicSpec) -> timedelta:
    if spec.deduplication:
        return spec.deduplication.window
    return min(DEDUPLICATION, spec.retention.max_age or DEDUPLICATION)


def _transform(topic: Topic, native: NativeNatsTopic) -> Transform | None:
    layout = layout_of(topic)
    if layout is None:
        return _native_transform(native.subject_transform)
    bucket, key = f"{{{{partition({layout.buckets},1)}}}}", "{{wildcard(1)}}"
    return Transform(layout.published, f"{layout.stored_prefix}.{bucket}.{key}.>")


def _native_transform(value: SubjectTransform | None) -> Transform | None:
    return None if value is None else Transform(value.src, value.dest)


def _native(native: NativeNatsTopic) -> Mapping[str, Any]:
    """Settings that no portable field reaches; None where nothing is asked for."""
    return {
        "description": native.description,
        "max_consumers": native.max_consumers,
        "discard_new_per_subject": native.discard_new_per_subject,
        "no_ack": native.no_ack,
        "placement": _placement(native.placement),
        "mirror": native.mirror and _source(native.mirror),
        "sources": None if native.sources is None else tuple(map(_source, native.sources)),
        "compression": None if native.compression is None else str(native.compression),
        "first_seq": native.first_seq,
        "republish": native.republish
        and Republish(
            native.republish.dest, native.republish.src or ">", bool(native.republish.headers_only)
        ),
        "allow_direct": native.allow_direct,
        "mirror_direct": native.mirror_direct,
        "sealed": native.sealed,
        "deny_delete": native.deny_delete,
        "deny_purge": native.deny_purge,
        "allow_rollup_hdrs": native.allow_rollup,
        "consumer_limits": native.consumer_limits
        and ConsumerLimits(
            native.consumer_limits.inactive_threshold or timedelta(0),
            native.consumer_limits.max_ack_pending or 0,
        ),
        "subject_delete_marker_ttl": native.subject_delete_marker_ttl,
        "allow_msg_counter": native.allow_msg_counter,
        "allow_atomic": native.allow_atomic,
        "allow_msg_schedules": native.allow_msg_schedules,
        "persist_mode": None if native.persist_mode is None else str(native.persist_mode),
        "allow_batched": native.allow_batched,
        "metadata": common.metadata(native.metadata),
    }


def _placement(value: NativePlacement | None) -> Placement | None:
    if value is None:
        return None
    return Placement(value.cluster or "", tuple(sorted(value.tags or ())), value.preferred or "")


def _source(value: StreamSource) -> Source:
    consumer = value.consumer
    return Source(
        value.name,
        value.opt_start_seq or 0,
        common.time_text(value.opt_start_time) or "",
        value.filter_subject or "",
        tuple(Transform(part.src, part.dest) for part in value.subject_transforms or ()),
        External(value.external.api, value.external.deliver or "") if value.external else None,
        consumer.name if consumer else "",
        (consumer.deliver_subject or "") if consumer else "",
    )


def _copied(source: StreamSource) -> tuple[str, ...]:
    """Under which subjects copied events are stored, as far as the declaration says."""
    if source.subject_transforms:
        return tuple(_pattern(part.dest) for part in source.subject_transforms)
    return (source.filter_subject,) if source.filter_subject else ()


def _pattern(destination: str) -> str:
    return _PLACEHOLDER.sub("*", destination)


def _findings(topic: Topic, stream: Stream, facts: BrokerFacts) -> Iterator[Finding]:
    spec = topic.declared.spec
    yield from common.name_findings(topic.external_name)
    yield from common.replica_findings(topic.replicas, facts)
    yield from common.too_new(stream, STREAM_SINCE, _FIELDS, facts)
    if spec.partitions is not None:
        text = "JetStream has no partitions; leave it out, or declare keyBuckets"
        yield remarks.refused("UnsupportedByBroker", "spec.partitions", text)


def _notes(topic: Topic) -> Iterator[Note]:
    spec = topic.declared.spec
    if spec.min_in_sync_replicas is not None:
        text = (
            "JetStream acknowledges when a majority of the copies has the event; the number cannot be chosen"
        )
        yield Note("spec.minInSyncReplicas", text, Effect.APPROXIMATED)
    if spec.partitions is not None:
        text = "JetStream has no partitions; leave it out, or declare keyBuckets"
        yield Note("spec.partitions", text, Effect.REFUSED)
    if spec.compaction is Compaction.LATEST_PER_KEY and _more_than_key(topic):
        text = "JetStream keeps the newest event of every subject, which is more than one where a key has several subjects"
        yield Note("spec.compaction", text, Effect.APPROXIMATED)


def _more_than_key(topic: Topic) -> bool:
    """Whether events of one key may have different subjects."""
    return any(subject.count("*") > 1 or subject.endswith(">") for subject in subjects_of(topic))


def _effective(topic: Topic, stream: Stream) -> dict[str, str]:
    spec = topic.declared.spec
    found = {"externalName": topic.external_name}
    if spec.subjects is None and stream.subjects:
        found["subjects"] = topic.external_name
    if spec.replicas is None:
        found["replicas"] = str(stream.num_replicas)
    if spec.deduplication is None and stream.duplicate_window is not None:
        found["deduplication.window"] = format_duration(stream.duplicate_window)
    if (layout := layout_of(topic)) is not None:
        found["storedSubjectPrefix"] = layout.stored_prefix
    return found
