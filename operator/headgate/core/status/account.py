"""Everything known about one custom resource after a pass, from which its status follows. Knows no broker and no cluster."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from headgate.api import (
    ConsumerGroupSpec,
    ConsumerGroupStatus,
    DeadLetterQueueSpec,
    DeadLetterQueueStatus,
    EventBrokerStatus,
    EventTopicStatus,
    Mode,
    RetryPolicyStatus,
)
from headgate.core.changes import Standing
from headgate.core.claims import Record
from headgate.core.compiled import Compiled, Retry
from headgate.core.conditions import Aspect
from headgate.core.lagview import LagView
from headgate.core.outcomes import Finding
from headgate.core.progress import DeadLetters
from headgate.core.resource import Stats
from headgate.core.vanished import Vanished

GRACE: Final = timedelta(minutes=2)  # for which Ready keeps its last value while the broker is away


@dataclass(frozen=True, slots=True)
class Outage:
    """The broker is away, or silent about one object: since when, and the first error, so that status stands still."""

    since: datetime
    reason: str
    message: str
    grace: timedelta = GRACE
    about: str = "the broker is away"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What status needs to know about an object of any kind."""

    now: datetime
    generation: int
    findings: tuple[
        Finding, ...
    ] = ()  # of topology and tenancy, and what the broker refused; none of the compiler's
    aspects: tuple[Aspect, ...] = ()  # conditions that were decided elsewhere, e.g. ScalingActive
    unseen: frozenset[str] = frozenset()  # types of conditions that nobody looked at: they stay as they were
    outage: Outage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedAccount(Account):
    """What status needs to know about an object that becomes something in a broker."""

    mode: Mode = Mode.ENFORCE
    suspended: bool = False
    deleting: bool = False  # `findings` then hold only what stands in the way of that
    acknowledged: str = ""  # the identity whose loss a person has acknowledged
    external_name: str = ""  # "" where it could not be worked out
    record: Record = field(default_factory=Record)  # as it was read back
    compiled: Compiled | None = None  # None: its references do not hold
    standings: tuple[Standing, ...] = ()  # `core.plan.done` applied to those whose change was carried out
    estate: Vanished | None = None  # nothing is done on this broker until somebody acknowledges that
    defaults: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))  # beside the compiler's


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicAccount(ManagedAccount):
    """An EventTopic."""

    previous: EventTopicStatus | None = None
    stats: Stats | None = None  # None: not read in this pass
    figures_written: datetime | None = (
        None  # when figures in status last changed; None: not since the process began
    )


@dataclass(frozen=True, slots=True)
class ScalingAccount:
    """What scaling decided last for the workload of a group."""

    current: int | None
    desired: int | None
    reason: str
    message: str
    last_change: datetime | None = None


@dataclass(frozen=True, slots=True)
class BindingAccount:
    """The ConfigMap that workers mount, as it was written."""

    config_map_name: str
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupAccount(ManagedAccount):
    """A ConsumerGroup."""

    spec: ConsumerGroupSpec | None = None  # None: it cannot be read
    previous: ConsumerGroupStatus | None = None
    lag: LagView | None = None  # already coalesced; None: not looked at yet
    topic_identity: str = ""  # of the data in which the checkpoint lies
    learned: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    scaling: ScalingAccount | None = None  # None: nothing was decided since the process began
    binding: BindingAccount | None = None  # None: nothing was written since the process began


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueAccount(ManagedAccount):
    """A DeadLetterQueue."""

    spec: DeadLetterQueueSpec | None = None  # None: it cannot be read
    previous: DeadLetterQueueStatus | None = None
    letters: tuple[DeadLetters, ...] | None = None  # None: not read in this pass
    figures_written: datetime | None = None  # as above


@dataclass(frozen=True, slots=True)
class Use:
    """How a retry policy works out for one group."""

    group: str  # namespace/name
    retry: Retry | None  # None: the group does not compile


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyAccount(Account):
    """A RetryPolicy."""

    previous: RetryPolicyStatus | None = None
    uses: tuple[Use, ...] = ()
    worst_case: timedelta | None = None  # of attempts and waits, as declared
    deadline: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Cluster:
    """What the broker cluster turned out to be."""

    type: str
    server_version: str
    identity: str
    capabilities: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAccount(Account):
    """An EventBroker."""

    previous: EventBrokerStatus | None = None
    deleting: bool = False
    record: Record = field(default_factory=Record)
    cluster: Cluster | None = None  # None: never reached since the process began
    refused: Finding | None = None  # the cluster answered and let us not in, or the credentials are no use
    estate: Vanished | None = None
    figures_written: datetime | None = None  # as above
    topics: int = 0
    groups: int = 0
    queues: int = 0
    effective: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
