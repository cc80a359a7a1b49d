"""What an EventBroker and native settings say about RabbitMQ, as values. Knows neither where they were declared nor any client."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from headgate.core.estate import Ref

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
    ladder: bool = False  # wait in queues of their own even where the broker can delay by itself


@dataclass(frozen=True, slots=True)
class Workers:
    """Where workers find the broker."""

    amqp_url: str = ""
    virtual_host: str = "/"


@dataclass(frozen=True, slots=True)
class Options:
    """Everything of one EventBroker: what objects say that no portable field says."""

    workers: Workers = Workers()
    topics: Mapping[Ref, TopicOptions] = field(default_factory=dict)
    groups: Mapping[Ref, GroupOptions] = field(default_factory=dict)
