"""Exchanges and queues of RabbitMQ as values, each with its bindings and the one policy that holds its settings. Pure.

Arguments are fixed when an object is made; all that may change later is in a policy of ours for this object alone. A
topic is one value although the broker keeps it as an exchange and a stream: what belongs together changes together. A
setting that is None as it was read belongs to a part that is not there and can still be made.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Final

from headgate.brokers.rabbitmq.names import UNROUTED_NAME
from headgate.core.resource import FieldClass, Key, Resource, setting

EXCHANGE: Final = "exchange"
QUEUE: Final = "queue"
QUORUM: Final = "quorum"
STREAM: Final = "stream"
UNBOUNDED: Final = -1
DELIVERIES: Final = 20  # the server's own limit
DROP_HEAD: Final = "drop-head"
REJECT_PUBLISH: Final = "reject-publish"

_FIXED, _ONE_WAY, _AT_CREATION = FieldClass.FIXED, FieldClass.ONE_WAY, FieldClass.AT_CREATION
_NONE: Final = timedelta(0)


@dataclass(frozen=True, slots=True, order=True)
class Binding:
    """Which events of an exchange a queue gets."""

    source: str
    routing_key: str

    def __str__(self) -> str:
        return f"{self.source}:{self.routing_key}"


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """Where events go that are given up; without a target they are gone."""

    target: str = ""  # a queue, reached through the exchange that is always there
    at_least_once: bool = False

    def __str__(self) -> str:
        return (
            f"{self.target} ({'at least once' if self.at_least_once else 'at most once'})"
            if self.target
            else "none"
        )


@dataclass(frozen=True, slots=True)
class Delay:
    """How long the broker itself holds back what was given back: so much longer every time, up to a bound."""

    kind: str = "disabled"
    least: timedelta = _NONE
    most: timedelta = _NONE

    def __str__(self) -> str:
        return f"{self.kind} {self.least}..{self.most}" if self.least else self.kind


@dataclass(frozen=True)
class _Managed(Resource):
    """What exchanges and queues have in common."""

    shadowed_by: str | None = setting()  # the policy of somebody else that is in effect instead of ours

    def may_change(self, name: str, before: object, after: object) -> bool:
        """What is not there can be made as declared."""
        return before is None or super().may_change(name, before, after)


@dataclass(frozen=True)
class Exchange(_Managed):
    """An exchange, and beside it the stream that keeps what is published to it."""

    type: str | None = setting(_FIXED)
    durable: bool | None = setting(_FIXED)
    auto_delete: bool | None = setting(_FIXED)
    alternate_exchange: str | None = setting(reset="")
    replay: bool | None = setting(_ONE_WAY)
    replay_keys: tuple[str, ...] | None = setting()
    replay_max_age: timedelta | None = setting(reset=_NONE)
    replay_max_bytes: int | None = setting(reset=UNBOUNDED)
    replay_segment_bytes: int | None = setting(reset=UNBOUNDED)
    replay_copies: int | None = setting(_AT_CREATION)
    replay_shadowed_by: str | None = setting()


@dataclass(frozen=True)
class Queue(_Managed):
    """A quorum queue; the steps are queues of their own in which its events wait before they come back."""

    type: str | None = setting(_FIXED)
    single_active_consumer: bool | None = setting(_FIXED)
    copies: int | None = setting(_AT_CREATION)
    bindings: tuple[Binding, ...] | None = setting()
    delivery_limit: int | None = setting(reset=DELIVERIES)  # redeliveries; -1: without end
    dead_letters: DeadLetters | None = setting(reset=DeadLetters())
    overflow: str | None = setting(reset=DROP_HEAD)
    max_length: int | None = setting(reset=UNBOUNDED)
    max_bytes: int | None = setting(reset=UNBOUNDED)
    message_ttl: timedelta | None = setting(reset=_NONE)
    consumer_timeout: timedelta | None = setting(reset=_NONE)
    delay: Delay | None = setting(reset=Delay())
    steps: tuple[timedelta, ...] | None = setting(reset=())
    closed_max_age: timedelta | None = setting(reset=_NONE)  # how long it is remembered who closed an entry

    reads: ClassVar[bool] = True  # and holds what its group has not read: gone, it is a loss


def exchange_key(name: str) -> Key:
    return Key(EXCHANGE, name)


def queue_key(name: str) -> Key:
    return Key(QUEUE, name)


UNROUTED: Final = exchange_key(UNROUTED_NAME)  # one per virtual host; its stream tells which cluster this is
