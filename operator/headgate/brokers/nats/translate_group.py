"""A ConsumerGroup with its retry policy as a durable pull consumer. Pure."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

from headgate.api import NativeNatsGroup, OnExhausted, Ordering, PriorityPolicy, StartFrom
from headgate.api.consumergroup import ConsumerGroupSpec
from headgate.brokers import remarks
from headgate.brokers.base import BrokerFacts
from headgate.brokers.nats import translate_common as common
from headgate.brokers.nats.binding import binding
from headgate.brokers.nats.names import private_prefix
from headgate.brokers.nats.resources import CONSUMER_SINCE, Consumer, consumer_key, stream_key
from headgate.brokers.nats.routes import route_of
from headgate.brokers.nats.translate_topic import layout_of, native_of, stored_subjects
from headgate.core.compiled import Compiled, Note, Retry
from headgate.core.outcomes import Finding
from headgate.core.retry import waits, worst_case
from headgate.core.subjects import collisions
from headgate.core.topology import Group

MAX_ACK_PENDING: Final = 1000  # the server's own
PINNED: Final = timedelta(minutes=2)  # the server's own
_DELIVER: Final = {StartFrom.EARLIEST: "all", StartFrom.LATEST: "new", StartFrom.TIME: "by_start_time"}
_PRIORITIZED_LEVEL: Final = 2
_FIELDS: Final = {
    "pause_until": "spec.native.nats.pauseUntil",
    "priority_groups": "spec.native.nats.priorityGroups",
    "priority_policy": "spec.native.nats.priorityPolicy",
    "priority_timeout": "spec.native.nats.priorityTimeout",
}


def compiled_group(group: Group, facts: BrokerFacts) -> Compiled:
    """The consumer, how its retries work, and what its workers are told."""
    consumer = _consumer(group)
    refusals = tuple(_impossible(group.declared.spec))
    findings = (*_findings(group, consumer, facts), *(finding for finding, _ in refusals))
    return Compiled(
        () if findings else (consumer,),
        notes=tuple(note for _, note in refusals),
        findings=findings,
        effective=_effective(group, consumer),
        binding=None if findings else binding(group, consumer, waits(group.policy)),
        retry=_retry(group),
        route=route_of(group, waits(group.policy)),
    )


def _native_of(spec: ConsumerGroupSpec) -> NativeNatsGroup:
    return (spec.native.nats if spec.native else None) or NativeNatsGroup()


def _consumer(group: Group) -> Consumer:
    spec, native, stream = group.declared.spec, _native_of(group.declared.spec), group.topic.external_name
    queue = (stream_key(group.queue.external_name),) if group.queue else ()
    return Consumer(
        consumer_key(stream, group.external_name),
        needs=(stream_key(stream), *queue),
        deliver_policy=_DELIVER[spec.start.from_],
        opt_start_time=common.time_text(spec.start.time),
        ack_policy=str(native.ack_policy or "explicit"),
        filter_subjects=_filters(group),
        replay_policy=str(native.replay_policy or "instant"),
        deliver_subject="",
        **_attempts(group, native),
        **_native(native),
    )


def _attempts(group: Group, native: NativeNatsGroup) -> Mapping[str, Any]:
    """The time of one attempt and the number of attempts; where nothing is acknowledged there is neither."""
    if native.ack_policy == "none":
        return {}
    policy = group.policy
    backoff: tuple[timedelta, ...] = ()
    if native.backoff_on_timeout:
        backoff = tuple(policy.handling_timeout + wait for wait in (*waits(policy), timedelta(0)))
    return {
        "ack_wait": backoff[0] if backoff else policy.handling_timeout,
        "backoff": backoff,
        "max_deliver": policy.attempts,
        "max_ack_pending": _in_flight(group.declared.spec),
    }


def _in_flight(spec: ConsumerGroupSpec) -> int:
    """All replicas together; one where order is total."""
    if spec.ordering is Ordering.TOTAL:
        return 1
    concurrency = spec.concurrency
    if concurrency and concurrency.total:
        return concurrency.total
    if concurrency and concurrency.per_replica and spec.scaling:
        return concurrency.per_replica * spec.scaling.max_replicas
    return MAX_ACK_PENDING


def _filters(group: Group) -> tuple[str, ...]:
    """As events are stored, and the group's private way; empty: everything, where the declaration does not say what is there."""
    topic, layout = group.topic, layout_of(group.topic)
    wanted = group.declared.spec.filter.subjects if group.declared.spec.filter else None
    stored = tuple(map(layout.stored, wanted)) if wanted and layout else wanted or stored_subjects(topic)
    if not stored or native_of(topic.declared.spec).mirror:
        return tuple(sorted(stored))
    return tuple(sorted((*stored, f"{private_prefix(topic.external_name, group.external_name)}.>")))


def _native(native: NativeNatsGroup) -> Mapping[str, Any]:
    return {
        "description": native.description,
        "sample_freq": native.sample_freq,
        "max_waiting": native.max_waiting,
        "headers_only": native.headers_only,
        "max_batch": native.max_request_batch,
        "max_expires": native.max_request_expires,
        "max_bytes": native.max_request_max_bytes,
        "inactive_threshold": native.inactive_threshold,
        "num_replicas": native.replicas,
        "mem_storage": native.mem_storage,
        "pause_until": common.time_text(native.pause_until),
        "priority_groups": None if native.priority_groups is None else tuple(sorted(native.priority_groups)),
        "priority_policy": None if native.priority_policy is None else str(native.priority_policy),
        "priority_timeout": native.priority_timeout or _pinned(native),
        "metadata": common.metadata(native.metadata),
    }


def _pinned(native: NativeNatsGroup) -> timedelta | None:
    """The server's own where a client is pinned, so that a timeout that left the declaration goes back to it."""
    return PINNED if native.priority_policy is PriorityPolicy.PINNED_CLIENT else None


def _retry(group: Group) -> Retry:
    policy, native = group.policy, _native_of(group.declared.spec)
    notes = []
    if native.backoff_on_timeout:
        notes.append(
            "a handler that runs over its time is tried again only after the wait; jitter is up to the worker"
        )
    else:
        notes.append(
            "the worker asks for the wait when it gives an event back; one that runs over its time is tried again at once"
        )
    if policy.on_exhausted is OnExhausted.DROP:
        notes.append("events without attempts left stay in the stream until its retention lets go of them")
    mechanism = "Backoff" if native.backoff_on_timeout else "NakDelay"
    return Retry(mechanism, policy.attempts, waits(policy), worst_case(policy), tuple(notes))


def _findings(group: Group, consumer: Consumer, facts: BrokerFacts) -> Iterator[Finding]:
    spec, native = group.declared.spec, _native_of(group.declared.spec)
    yield from common.name_findings(group.external_name)
    yield from common.too_new(consumer, CONSUMER_SINCE, _FIELDS, facts)
    if native.priority_policy is PriorityPolicy.PRIORITIZED and 0 < facts.level < _PRIORITIZED_LEVEL:
        text = f"prioritized needs NATS server 2.12 or newer, this is {facts.server_version}"
        yield remarks.refused("UnsupportedByServer", "spec.native.nats.priorityPolicy", text)
    if spec.ordering is Ordering.PER_KEY:
        text = "order per key is not kept on JetStream yet; declare None, or Total where one event at a time is enough"
        yield remarks.refused("NotYet", "spec.ordering", text)
    for one, other in collisions(consumer.filter_subjects or ()):
        text = f"JetStream takes no filters that overlap: {one} and {other}; leave out the narrower one"
        yield remarks.refused("FiltersOverlap", "spec.filter.subjects", text)


def _impossible(spec: ConsumerGroupSpec) -> Iterator[tuple[Finding, Note]]:
    yield from remarks.foreign(spec.native, "nats")
    if spec.backlog is not None:
        text = "the stream of the topic holds what waits; take it away, and bound the topic's retention"
        yield remarks.impossible("spec.backlog", text)


def _effective(group: Group, consumer: Consumer) -> dict[str, str]:
    found = {"externalName": group.external_name}
    concurrency = group.declared.spec.concurrency
    if consumer.max_ack_pending is not None and not (
        concurrency and concurrency.total == consumer.max_ack_pending
    ):
        found["concurrency.total"] = str(consumer.max_ack_pending)
    return found
