"""Which custom resources belong together, and to which broker. Knows no broker by name."""

from collections.abc import Collection, Iterator
from typing import Any

from headgate.api import ConsumerGroupSpec, DeadLetterQueueSpec, EventTopicSpec, ObjectRef
from headgate.core import checks
from headgate.core.absence import absent, unready
from headgate.core.estate import Declared, Estate, Ref
from headgate.core.index import BROKER, GROUP, POLICY, QUEUE, TOPIC, Index, target
from headgate.core.outcomes import Finding
from headgate.core.resolution import Resolution
from headgate.core.topology import Topology


def references(declared: Declared[Any]) -> tuple[Ref, ...]:
    """Every custom resource that an object names, whether it is there or not."""
    named: tuple[tuple[str, ObjectRef | None], ...] = ()
    match declared.spec:
        case EventTopicSpec() | DeadLetterQueueSpec() as spec:
            named = ((BROKER, spec.broker_ref),)
        case ConsumerGroupSpec() as spec:
            named = (
                (TOPIC, spec.topic_ref),
                (POLICY, spec.retry_policy_ref),
                (QUEUE, spec.dead_letter_queue_ref),
            )
        case _:
            pass
    return tuple(target(declared.ref, kind, to) for kind, to in named if to is not None)


def broker_of(estate: Estate, ref: Ref) -> Ref | None:
    """The EventBroker that an object lives on; None where it lives on none, or a reference on the way dangles."""
    if ref.kind == GROUP:
        group = estate.groups.get(ref)
        return broker_of(estate, target(ref, TOPIC, group.spec.topic_ref)) if group else None
    declared = estate.topics.get(ref) or estate.queues.get(ref)
    broker = target(ref, BROKER, declared.spec.broker_ref) if declared else ref
    return broker if broker in estate.brokers else None


def resolve(
    estate: Estate, broker: Ref, only: Collection[Ref] | None = None, index: Index | None = None
) -> Topology:
    """What the objects of one broker mean together. The broker has to be in the estate.

    With `only`, nothing else is looked at except what they need: what they refer to, and rivals for their name in
    the broker, so that whoever plans can tell who comes first. A kept index saves reading the whole estate.
    """
    resolution = Resolution(estate, Index.of(estate) if index is None else index, estate.brokers[broker])
    return resolution.topology(only)


def unplaced(estate: Estate, only: Collection[Ref] | None = None) -> dict[Ref, tuple[Finding, ...]]:
    """Findings on objects that live on no broker: where a reference on the way to one dangles, and on retry policies."""
    refs = (*estate.topics, *estate.queues, *estate.groups, *estate.policies) if only is None else only
    return {ref: found for ref in refs if (found := tuple(_adrift(estate, ref)))}


def _adrift(estate: Estate, ref: Ref) -> Iterator[Finding]:
    if policy := estate.policies.get(ref):
        yield from checks.policy(policy.spec)
    elif broker_of(estate, ref) is not None:
        return
    elif declared := estate.topics.get(ref) or estate.queues.get(ref):
        yield absent(ref, target(ref, BROKER, declared.spec.broker_ref), "spec.brokerRef")
    elif group := estate.groups.get(ref):
        topic = target(ref, TOPIC, group.spec.topic_ref)
        yield (
            unready(topic, "spec.topicRef") if topic in estate.topics else absent(ref, topic, "spec.topicRef")
        )
