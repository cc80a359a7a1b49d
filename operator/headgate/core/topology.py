"""From references between custom resources to resolved values with defaults. Knows no broker."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from headgate.api import (
    ConsumerGroupSpec,
    DeadLetterQueueSpec,
    EventBrokerSpec,
    EventTopicSpec,
    RetryPolicySpec,
)
from headgate.core.estate import Declared, Ref
from headgate.core.outcomes import Finding

ENVELOPE: Final = 16 * 1024  # bytes that a dead letter may have beyond the event in it


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic whose references hold."""

    declared: Declared[EventTopicSpec]
    broker: Declared[EventBrokerSpec]
    external_name: str
    replicas: int | None  # None: the broker's compiler decides by what the cluster can do


@dataclass(frozen=True, slots=True)
class Queue:
    """A dead-letter queue whose references hold."""

    declared: Declared[DeadLetterQueueSpec]
    broker: Declared[EventBrokerSpec]
    external_name: str
    replicas: int | None
    max_message_size: (
        int | None
    )  # bytes: declared, else the largest source plus 16 KiB; None: no source is bounded


@dataclass(frozen=True, slots=True)
class Group:
    """A consumer group whose references hold."""

    declared: Declared[ConsumerGroupSpec]
    topic: Topic
    external_name: str
    policy: RetryPolicySpec  # the referenced one, else the default
    policy_ref: Ref | None
    queue: Queue | None


@dataclass(frozen=True, slots=True)
class Topology:
    """All objects of one broker that can be compiled, and findings on every object, compiled or not."""

    broker: Declared[EventBrokerSpec]
    topics: Mapping[Ref, Topic] = field(default_factory=dict)
    queues: Mapping[Ref, Queue] = field(default_factory=dict)
    groups: Mapping[Ref, Group] = field(default_factory=dict)
    findings: Mapping[Ref, tuple[Finding, ...]] = field(default_factory=dict)
