"""One pass over the objects of one broker: defaults filled in, permissions and rules applied. Knows no broker by name."""

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from headgate.api import (
    AllowedNamespaces,
    ConsumerGroupSpec,
    DeadLetterQueueSpec,
    EventBrokerSpec,
    EventTopicSpec,
)
from headgate.core import checks
from headgate.core.absence import absent, leaving, unready
from headgate.core.estate import Declared, Estate, Ref
from headgate.core.index import BROKER, GROUP, POLICY, QUEUE, TOPIC, Index, external_name, target
from headgate.core.outcomes import Finding, Outcome
from headgate.core.retry import DEFAULT_POLICY
from headgate.core.rules_of_reference import NOT_OPEN, OTHER_BROKER
from headgate.core.seniority import overlaps
from headgate.core.tenancy import not_told, permits, template_of, violations
from headgate.core.topic_subjects import subjects_of
from headgate.core.topology import ENVELOPE, Group, Queue, Topic, Topology


class Resolution:
    """What was found out so far; every object is resolved once."""

    def __init__(self, estate: Estate, index: Index, broker: Declared[EventBrokerSpec]) -> None:
        self._estate = estate
        self._index = index
        self._broker = broker
        self._template = template_of(broker.spec)
        self._topics: dict[Ref, Topic | None] = {}
        self._queues: dict[Ref, Queue | None] = {}
        self._own: dict[Ref, list[Finding]] = {}  # of topics: all but what others stand against them
        self._findings: dict[Ref, tuple[Finding, ...]] = {}

    def topology(self, only: Collection[Ref] | None) -> Topology:
        """Everything asked for that holds, and findings on everything asked for."""
        home = self._broker.ref
        asked = dict.fromkeys((home, *self._index.on_broker(home)) if only is None else only)
        wanted = dict.fromkeys((*asked, *(rival for ref in asked for rival in self._index.rivals(ref))))
        topics = {ref: topic for ref in wanted if ref.kind == TOPIC and (topic := self.topic(ref))}
        queues = {ref: queue for ref in wanted if ref.kind == QUEUE and (queue := self.queue(ref))}
        groups = {ref: group for ref in wanted if ref.kind == GROUP and (group := self.group(ref))}
        if home in asked:
            self._holds(home, self._told_of_broker())
        findings = {ref: found for ref in asked if (found := self._findings.get(ref))}
        return Topology(self._broker, topics, queues, groups, findings)

    def topic(self, ref: Ref) -> Topic | None:
        """The topic, where it lives here and nothing stands against it."""
        if ref not in self._topics:
            declared = self._estate.topics.get(ref)
            self._topics[ref] = self._topic(declared) if declared and self._here(declared) else None
        return self._topics[ref]

    def queue(self, ref: Ref) -> Queue | None:
        """The dead-letter queue, where it lives here and nothing stands against it."""
        if ref not in self._queues:
            declared = self._estate.queues.get(ref)
            self._queues[ref] = self._queue(declared) if declared and self._here(declared) else None
        return self._queues[ref]

    def group(self, ref: Ref) -> Group | None:
        """The consumer group, where it lives here and nothing stands against it."""
        declared = self._estate.groups.get(ref)
        topic = self._estate.topics.get(target(ref, TOPIC, declared.spec.topic_ref)) if declared else None
        if declared is None or topic is None or not self._here(topic):
            return None
        found: list[Finding] = []
        resolved = self._topic_of(declared, topic, found)
        group = self._group(declared, resolved, found) if resolved else None
        if group is not None and not declared.deleting:
            found += self._tenant(declared, group.external_name, "spec.topicRef")
            found += checks.group(group)
        return group if declared.deleting or self._holds(ref, found) else None

    def _topic(self, declared: Declared[EventTopicSpec]) -> Topic | None:
        if declared.deleting:
            return self._bare(declared)
        own = self._findings_of(declared)
        rivals = [rival for rival in self._index.overlapping(declared.ref) if self._counts(rival)]
        return (
            self._bare(declared) if self._holds(declared.ref, [*own, *overlaps(declared, rivals)]) else None
        )

    def _bare(self, declared: Declared[EventTopicSpec]) -> Topic:
        name = external_name(declared, self._template)
        return Topic(declared, self._broker, name, self._replicas(declared.spec.replicas))

    def _findings_of(self, declared: Declared[EventTopicSpec]) -> list[Finding]:
        if declared.ref not in self._own:
            topic = self._bare(declared)
            name = topic.external_name
            self._own[declared.ref] = [
                *self._tenant(declared, name, "spec.brokerRef", subjects_of(declared.spec, name)),
                *self._told(declared.spec.allowed_namespaces),
                *checks.topic(topic),
            ]
        return self._own[declared.ref]

    def _counts(self, rival: Declared[EventTopicSpec]) -> bool:
        """Whether a topic takes its subjects at all; else anybody could block others with what is refused anyway."""
        return rival.record.origin is not None or not _stop(self._findings_of(rival))

    def _queue(self, declared: Declared[DeadLetterQueueSpec]) -> Queue | None:
        name = external_name(declared, self._template)
        size = declared.spec.max_message_size or self._largest(declared)
        queue = Queue(declared, self._broker, name, self._replicas(declared.spec.replicas), size)
        if declared.deleting:
            return queue
        found = [
            *self._tenant(declared, name, "spec.brokerRef"),
            *self._told(declared.spec.allowed_namespaces),
        ]
        return queue if self._holds(declared.ref, found) else None

    def _largest(self, queue: Declared[DeadLetterQueueSpec]) -> int | None:
        """What the dead letters of all sources fit into; None where one of them is not bounded."""
        sizes = [size for source in self._index.sources(queue.ref) for size in self._size(source, queue)]
        bounded = [size for size in sizes if size is not None]
        return max(bounded) + ENVELOPE if bounded and len(bounded) == len(sizes) else None

    def _size(self, source: Ref, queue: Declared[DeadLetterQueueSpec]) -> Iterator[int | None]:
        group = self._estate.groups[source]
        topic = self._estate.topics.get(target(source, TOPIC, group.spec.topic_ref))
        if topic and self._here(topic) and self._permits(queue.spec.allowed_namespaces, queue.ref, source):
            yield topic.spec.max_message_size

    def _group(self, declared: Declared[ConsumerGroupSpec], topic: Topic, found: list[Finding]) -> Group:
        ref, spec = declared.ref, declared.spec
        policy_ref = target(ref, POLICY, spec.retry_policy_ref) if spec.retry_policy_ref else None
        policy = (
            self._estate.policies.get(policy_ref)
            if policy_ref and policy_ref.namespace == ref.namespace
            else None
        )
        if policy_ref and policy is None:
            found.append(absent(ref, policy_ref, "spec.retryPolicyRef"))
        return Group(
            declared,
            topic,
            external_name(declared, self._template),
            policy.spec if policy else DEFAULT_POLICY,
            policy_ref if policy else None,
            self._queue_of(declared, found),
        )

    def _topic_of(
        self, user: Declared[ConsumerGroupSpec], topic: Declared[EventTopicSpec], found: list[Finding]
    ) -> Topic | None:
        field = "spec.topicRef"
        if user.deleting:
            return self._bare(topic)
        if not self._permits(topic.spec.allowed_namespaces, topic.ref, user.ref):
            found.append(absent(user.ref, topic.ref, field))
            return None
        if topic.deleting:
            found.append(leaving(topic.ref, field))
            return None
        resolved = self.topic(topic.ref)
        found.extend(() if resolved else [unready(topic.ref, field)])
        return resolved

    def _queue_of(self, user: Declared[ConsumerGroupSpec], found: list[Finding]) -> Queue | None:
        if user.spec.dead_letter_queue_ref is None:
            return None
        field = "spec.deadLetterQueueRef"
        ref = target(user.ref, QUEUE, user.spec.dead_letter_queue_ref)
        queue = self._estate.queues.get(ref)
        if queue is None or not self._permits(queue.spec.allowed_namespaces, ref, user.ref):
            found.append(absent(user.ref, ref, field))
        elif not self._here(queue):
            message = (
                f"{ref} is on another broker than the topic: name a DeadLetterQueue of the topic's broker"
            )
            found.append(OTHER_BROKER.finding(field, message))
        elif (resolved := self.queue(ref)) is None:
            found.append(unready(ref, field))
        else:
            return resolved
        return None

    def _tenant(
        self, declared: Declared[Any], name: str, field: str, subjects: tuple[str, ...] = ()
    ) -> Iterator[Finding]:
        """What the owner of the broker does not let this object do."""
        ref = declared.ref
        if self._permits(self._broker.spec.allowed_namespaces, self._broker.ref, ref):
            yield from violations(self._estate, self._broker, declared, name, subjects)
        elif ref.kind == GROUP:
            message = (
                f"the topic's broker does not let namespace {ref.namespace} use it: have its owner allow it"
            )
            yield NOT_OPEN.finding(field, message)
        else:
            yield absent(ref, self._broker.ref, field)

    def _told(self, allowed: AllowedNamespaces) -> Iterable[Finding]:
        return not_told(allowed, self._estate.namespaces, "spec.allowedNamespaces")

    def _told_of_broker(self) -> Iterator[Finding]:
        spec, labels = self._broker.spec, self._estate.namespaces
        yield from not_told(spec.allowed_namespaces, labels, "spec.allowedNamespaces")
        if spec.tenancy is not None:
            yield from not_told(spec.tenancy.adoption, labels, "spec.tenancy.adoption")
            yield from not_told(spec.tenancy.deletion, labels, "spec.tenancy.deletion")

    def _permits(self, allowed: AllowedNamespaces, home: Ref, user: Ref) -> bool:
        return permits(allowed, home.namespace, user.namespace, self._estate.namespaces)

    def _here(self, declared: Declared[Any]) -> bool:
        return target(declared.ref, BROKER, declared.spec.broker_ref) == self._broker.ref

    def _replicas(self, declared: int | None) -> int | None:
        defaults = self._broker.spec.defaults
        return defaults.replicas if declared is None and defaults else declared

    def _holds(self, ref: Ref, found: Iterable[Finding]) -> bool:
        """Write down what was found on an object; whether it can be made all the same."""
        self._findings[ref] = tuple(found)
        return not _stop(self._findings[ref])


def _stop(found: Iterable[Finding]) -> bool:
    return any(finding.outcome is not Outcome.WARNING for finding in found)
