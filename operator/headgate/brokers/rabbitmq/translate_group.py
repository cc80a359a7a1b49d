"""A ConsumerGroup with its retry policy as a quorum queue that is bound to the topic's exchange. Pure."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from headgate.api import OnExhausted, Ordering, StartFrom
from headgate.api.rabbitmq import RabbitRetry
from headgate.brokers import remarks
from headgate.brokers.base import BrokerFacts
from headgate.brokers.rabbitmq import translate_common as common
from headgate.brokers.rabbitmq.binding import binding
from headgate.brokers.rabbitmq.facts import CONSUMER_TIMEOUT, DELAYED_RETRY
from headgate.brokers.rabbitmq.names import binding_key, unbindable
from headgate.brokers.rabbitmq.options import GroupOptions, Workers
from headgate.brokers.rabbitmq.resources import (
    DROP_HEAD,
    QUORUM,
    REJECT_PUBLISH,
    UNBOUNDED,
    Binding,
    DeadLetters,
    Queue,
    exchange_key,
    queue_key,
)
from headgate.brokers.rabbitmq.retries import Waits, retry_notes, retry_of, waits_of
from headgate.brokers.rabbitmq.translate_topic import OWN, subjects_of
from headgate.core.compiled import Compiled, Note
from headgate.core.outcomes import Finding
from headgate.core.topology import Group

NO_OPTIONS: Final = GroupOptions()
NOWHERE: Final = Workers()
ENDLESS: Final = -1


def compiled_group(
    group: Group, facts: BrokerFacts, options: GroupOptions = NO_OPTIONS, workers: Workers = NOWHERE
) -> Compiled:
    """The queue with its bindings, how its retries work, and what its workers are told."""
    kept = waits_of(group.policy, facts, options)
    queue = _queue(group, facts, options, kept)
    refusals = tuple(_impossible(group))
    findings = (*_findings(group, facts, options), *(finding for finding, _ in refusals))
    return Compiled(
        () if findings else (queue,),
        notes=(
            *(note for _, note in refusals),
            *_notes(group, options),
            *retry_notes(group.policy, kept, facts),
        ),
        findings=findings,
        effective={"externalName": group.external_name},
        binding=None if findings else binding(group, queue, kept, workers),
        retry=retry_of(group.policy, kept, facts),
    )


def _queue(group: Group, facts: BrokerFacts, options: GroupOptions, kept: Waits) -> Queue:
    policy, dead = group.policy, _dead_letters(group, options)
    needs = (queue_key(group.queue.external_name),) if group.queue else ()
    return Queue(
        queue_key(group.external_name),
        needs=(exchange_key(group.topic.external_name), *needs),
        type=QUORUM,
        single_active_consumer=group.declared.spec.ordering is Ordering.TOTAL,
        copies=remarks.replicas(group.topic.replicas, facts),
        bindings=_bindings(group),
        delivery_limit=_delivery_limit(group),
        dead_letters=dead,
        overflow=REJECT_PUBLISH if options.reject_when_full else DROP_HEAD,
        max_length=UNBOUNDED,
        max_bytes=UNBOUNDED if options.max_bytes is None else options.max_bytes,
        message_ttl=timedelta(0),
        consumer_timeout=policy.handling_timeout if CONSUMER_TIMEOUT in facts.capabilities else timedelta(0),
        delay=kept.delay,
        steps=kept.steps,
        closed_max_age=timedelta(0),
        shadowed_by="",
    )


def _bindings(group: Group) -> tuple[Binding, ...]:
    return tuple(
        sorted(Binding(group.topic.external_name, binding_key(subject)) for subject in _filters(group))
    )


def _filters(group: Group) -> tuple[str, ...]:
    wanted = group.declared.spec.filter
    return wanted.subjects if wanted else subjects_of(group.topic)


def _delivery_limit(group: Group) -> int:
    """Redeliveries. Where nothing takes what is given up, nothing is given up."""
    if group.queue is None and group.policy.on_exhausted is OnExhausted.DEAD_LETTER:
        return ENDLESS
    return group.policy.attempts - 1


def _dead_letters(group: Group, options: GroupOptions) -> DeadLetters:
    """At least once needs a queue that rejects: without that the broker falls back to at most once and tells nobody."""
    if group.queue is None or group.policy.on_exhausted is OnExhausted.DROP:
        return DeadLetters()
    return DeadLetters(group.queue.external_name, at_least_once=options.reject_when_full)


def _findings(group: Group, facts: BrokerFacts, options: GroupOptions) -> Iterator[Finding]:
    yield from common.name_findings(group.external_name)
    for subject in _filters(group):
        if why := unbindable(subject):
            yield remarks.refused(
                "InvalidSetting", "spec.filter.subjects", f"{subject} {why}; choose another"
            )
    if options.retry is RabbitRetry.DELAYED_RETRY and DELAYED_RETRY not in facts.capabilities:
        text = f"the queue itself holds events back from RabbitMQ 4.3 on, this is {facts.server_version}; declare Ladder"
        yield remarks.refused("UnsupportedByServer", "spec.native.rabbitmq.retry", text)
    if group.queue is not None and group.queue.external_name == group.external_name:
        text = f"{group.external_name} is the name of its dead-letter queue too; choose another"
        yield remarks.refused("NameInvalid", "spec.externalName", text)


def _impossible(group: Group) -> Iterator[tuple[Finding, Note]]:
    spec = group.declared.spec
    if spec.ordering is Ordering.PER_KEY:
        text = "a queue keeps no order per key; declare None, or Total where one event at a time is enough"
        yield remarks.impossible("spec.ordering", text)
    if spec.start.from_ is StartFrom.TIME:
        text = (
            "a queue holds what was published since it was made; declare Latest, and replay the time before"
        )
        yield remarks.impossible("spec.start.time", text)
    yield from remarks.foreign(spec.native, OWN)


def _notes(group: Group, options: GroupOptions) -> Iterator[Note]:
    spec = group.declared.spec
    if spec.start.from_ is StartFrom.EARLIEST:
        text = "the queue gets what is published since it was made; what the replay stream holds from before takes a Replay"
        yield remarks.approximated("spec.start.from", text)
    if spec.ordering is Ordering.TOTAL:
        text = (
            "one consumer at a time gets events, as many as it prefetches; an event that is tried again may come after "
            "later ones unless the prefetch is 1"
        )
        yield remarks.approximated("spec.ordering", text)
    if spec.concurrency is not None and spec.concurrency.total is not None:
        text = "a queue hands out what its consumers prefetch; the whole is perReplica times the replicas"
        yield remarks.approximated("spec.concurrency.total", text)
    if group.queue is None and group.policy.on_exhausted is OnExhausted.DEAD_LETTER:
        text = (
            "without a dead-letter queue nothing is ever given up: an event that always fails is tried without end; "
            "declare one, or onExhausted: Drop in the policy"
        )
        yield remarks.approximated("spec.deadLetterQueueRef", text)
    if not options.reject_when_full:
        text = "dead letters are moved at most once: a queue that drops its oldest cannot wait for a confirmation"
        yield remarks.approximated("spec.backlog.whenFull", text)
