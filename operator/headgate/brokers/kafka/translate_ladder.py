"""The topics of a group's own in which its events wait for their next attempt and come back for it. Pure.

Kafka hands an event out once and has no delay, so a wait is a topic of its own: all that is in it waits equally long,
counted from when the broker got it, and is due in the order in which it came.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from headgate.api import OnExhausted, RetryPolicySpec
from headgate.api.types import format_duration
from headgate.brokers import remarks
from headgate.brokers.base import BrokerFacts
from headgate.brokers.kafka import translate_common as common
from headgate.brokers.kafka.names import due_topic, illegal, retry_topic
from headgate.brokers.kafka.resources import Step
from headgate.brokers.kafka.values import KafkaGroupNative
from headgate.core.compiled import Note, Retry
from headgate.core.moves import Route
from headgate.core.outcomes import Finding
from headgate.core.retry import waits, worst_case
from headgate.core.topology import Group

RETRY_TOPICS: Final = "RetryTopics"
CLIENT: Final = "Client"
_LEAST: Final = timedelta(days=7)  # that an event is kept which came back
_ROOM: Final = 16 * 1024  # bytes that headers may add to the largest event


def steps_of(group: Group, facts: BrokerFacts, native: KafkaGroupNative) -> tuple[Step, ...]:
    """One topic for each different wait, and one in which events come back where movers put them there; sorted."""
    topic, name = group.topic.external_name, group.external_name
    different = dict.fromkeys(waits(group.policy))
    found = [
        _step(retry_topic(topic, name, wait), group, facts, _kept(group, native, wait)) for wait in different
    ]
    if found and not native.client_retries:
        found.append(_step(due_topic(topic, name), group, facts, common.milliseconds(_outage(group))))
    return tuple(sorted(found))


def _step(name: str, group: Group, facts: BrokerFacts, kept: str) -> Step:
    size, copies = group.topic.declared.spec.max_message_size, remarks.replicas(group.topic.replicas, facts)
    configs = {
        "cleanup.policy": "delete",
        "message.timestamp.type": "LogAppendTime",  # what waits counts from, whatever its first publisher said
        "min.insync.replicas": str(common.majority(copies)),
        "retention.bytes": common.UNBOUNDED,
        "retention.ms": kept,
        **({} if size is None else {"max.message.bytes": str(size + _ROOM)}),
    }
    return Step(name, group.topic.declared.spec.partitions, copies, tuple(sorted(configs.items())))


def _kept(group: Group, native: KafkaGroupNative, wait: timedelta) -> str:
    """Movers take out what they moved, so nothing else ever has to go; where nobody does, time has to."""
    return common.milliseconds(wait + _outage(group)) if native.client_retries else common.UNBOUNDED


def _outage(group: Group) -> timedelta:
    return max(_LEAST, group.topic.declared.spec.retention.max_age or _LEAST)


def name_findings(steps: tuple[Step, ...]) -> Iterator[Finding]:
    """Whether Kafka takes the names of all topics; one is told of, the longest."""
    longest = max((step.name for step in steps), key=len, default="")
    if longest and (why := illegal(longest)):
        text = f"a topic for its retries would be called {longest}, which {why}; give the group or its topic another externalName"
        yield remarks.refused("NameInvalid", "spec.externalName", text)


def retry_of(group: Group, native: KafkaGroupNative) -> Retry:
    """For the group's status."""
    policy = group.policy
    mechanism = CLIENT if native.client_retries else RETRY_TOPICS
    told = tuple(_sentences(policy, native))
    return Retry(mechanism, policy.attempts, waits(policy), worst_case(policy), told)


def _sentences(policy: RetryPolicySpec, native: KafkaGroupNative) -> Iterator[str]:
    yield "a worker has to keep the handling timeout by itself, and within its max.poll.interval.ms"
    if waits(policy):
        yield (
            "an event that waits for its next attempt lets later ones of its key pass; until then it is in a topic that "
            "only this group reads"
        )
        yield (
            "a worker that fails publishes the event to the topic of the wait and goes on once the broker has it; one "
            "that dies in between leaves two"
        )
    if native.client_retries:
        yield "movers keep off: the workers read the topics of the waits themselves"
    elif waits(policy):
        kept = format_duration(_LEAST)
        yield (
            "a mover puts what is due on the group's own topic, which workers read beside the one of the group; what came "
            f"back is kept there as long as in the topic, and at least {kept}"
        )
    if policy.on_exhausted is OnExhausted.DROP:
        yield "an event without attempts left is gone"


def notes_of(policy: RetryPolicySpec) -> Iterator[Note]:
    """What of the policy is met only nearly."""
    if policy.backoff.jitter_percent and waits(policy):
        text = "all that is in one topic waits equally long, so there is no jitter"
        yield remarks.approximated("retryPolicy.backoff.jitterPercent", text)


def route_of(group: Group, steps: tuple[Step, ...], native: KafkaGroupNative) -> Route:
    """What movers are told: where events come back, and after how much they are given up."""
    topic, policy = group.topic, group.policy
    redeliveries = bool(steps) and not native.client_retries
    return Route(
        group=f"{group.declared.ref.namespace}/{group.declared.ref.name}",
        topic=f"{topic.declared.ref.namespace}/{topic.declared.ref.name}",
        source=topic.external_name,
        reader=group.external_name,
        address=group.queue.external_name if group.queue else "",
        drop=policy.on_exhausted is OnExhausted.DROP,
        due=due_topic(topic.external_name, group.external_name) if redeliveries else "",
        attempts=policy.attempts if redeliveries else 0,
        deadline=policy.deadline.total_seconds() if redeliveries and policy.deadline else None,
    )
