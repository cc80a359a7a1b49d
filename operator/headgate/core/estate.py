"""Everything that is declared, as one value: custom resources and namespaces. Knows no broker and no cluster."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Generic, TypeVar

from headgate.api import (
    ConsumerGroupSpec,
    DeadLetterQueueSpec,
    EventBrokerSpec,
    EventTopicSpec,
    RetryPolicySpec,
)
from headgate.core.claims import Record

SpecT = TypeVar(
    "SpecT", EventBrokerSpec, EventTopicSpec, ConsumerGroupSpec, RetryPolicySpec, DeadLetterQueueSpec
)


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """The name of a custom resource in the cluster."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Declared(Generic[SpecT]):
    """One custom resource as it was read: what it wants, who it is, what is remembered of it."""

    ref: Ref
    uid: str
    generation: int
    spec: SpecT
    created: datetime | None = None
    deleting: bool = False
    annotations: Mapping[str, str] = field(
        default_factory=lambda: MappingProxyType({})
    )  # only headgate.dev/...
    record: Record = field(default_factory=Record)


@dataclass(frozen=True)
class Estate:
    """All that is declared and that a decision may look at. Objects being deleted stay in until they are gone."""

    installation: str
    brokers: Mapping[Ref, Declared[EventBrokerSpec]] = field(default_factory=dict)
    topics: Mapping[Ref, Declared[EventTopicSpec]] = field(default_factory=dict)
    groups: Mapping[Ref, Declared[ConsumerGroupSpec]] = field(default_factory=dict)
    policies: Mapping[Ref, Declared[RetryPolicySpec]] = field(default_factory=dict)
    queues: Mapping[Ref, Declared[DeadLetterQueueSpec]] = field(default_factory=dict)
    namespaces: Mapping[str, Mapping[str, str]] = field(
        default_factory=dict
    )  # name -> labels, where they may be read
