"""What an EventBroker and native settings say about RabbitMQ, as values. Knows no client."""

from dataclasses import dataclass
from typing import Final

from headgate.api import ConsumerGroupSpec, EventBrokerSpec, EventTopicSpec, WhenFull
from headgate.api.rabbitmq import RabbitConnection, RabbitRetry

PRIORITY: Final = 900  # of our policies: above what people usually write by hand


@dataclass(frozen=True, slots=True)
class Connection:
    """Where one virtual host is managed, and how its policies rank."""

    management_url: str  # https://host:15671, without /api
    virtual_host: str = "/"
    policy_priority: int = PRIORITY
    amqp_url: str = ""  # amqp://host:5672 or amqps://host:5671: where messages are read and written


@dataclass(frozen=True, slots=True)
class TopicOptions:
    """What the native block of a topic may say."""

    replay: bool = True  # keep events in a stream beside the exchange
    segment_bytes: int | None = None  # whole segments are what retention removes


@dataclass(frozen=True, slots=True)
class GroupOptions:
    """What the native block and the backlog of a group may say."""

    max_bytes: int | None = None  # of the backlog
    reject_when_full: bool = True  # else the oldest event goes, to the dead letters where there are any
    retry: RabbitRetry | None = None  # where events wait; None: by the broker where it can


@dataclass(frozen=True, slots=True)
class Workers:
    """Where workers find the broker."""

    amqp_url: str = ""
    virtual_host: str = "/"


def connection_of(declared: RabbitConnection) -> Connection:
    """The virtual host of an EventBroker."""
    return Connection(
        declared.management_url, declared.vhost, declared.policy_priority, amqp_url=declared.amqp_url
    )


def topic_options(spec: EventTopicSpec) -> TopicOptions:
    """What a topic says that no portable field says."""
    native = spec.native.rabbitmq if spec.native else None
    if native is None:
        return TopicOptions()
    return TopicOptions(native.replay is not False, native.segment_bytes)


def group_options(spec: ConsumerGroupSpec) -> GroupOptions:
    """What a group says that no portable field says, and how much may wait for it."""
    native = spec.native.rabbitmq if spec.native else None
    retry = native.retry if native else None
    if spec.backlog is None:
        return GroupOptions(retry=retry)
    reject = spec.backlog.when_full is WhenFull.REJECT_NEW
    return GroupOptions(spec.backlog.max_bytes, reject, retry)


def workers_of(spec: EventBrokerSpec) -> Workers:
    """What bindings tell about the broker; nothing where it is only assumed to be one."""
    return Workers(spec.rabbitmq.amqp_url, spec.rabbitmq.vhost) if spec.rabbitmq else Workers()
