"""One declared object as the exchanges, queues, bindings and policies that it is made of. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from headgate.brokers.rabbitmq.names import closed_name, pattern_of, policy_name, replay_name, step_name
from headgate.brokers.rabbitmq.resources import (
    DELIVERIES,
    DROP_HEAD,
    EXCHANGE,
    QUEUE,
    QUORUM,
    REJECT_PUBLISH,
    STREAM,
    Binding,
    DeadLetters,
    Delay,
    Exchange,
    Queue,
)

OWNER: Final = "x-headgate-owner"  # the first value stays for ever: whoever takes over says so in the policy
IDENTITY: Final = "x-headgate-id"
CLOSED_SEGMENT: Final = 1024 * 1024
MILLISECOND: Final = timedelta(milliseconds=1)
Value = str | int | bool
Definition = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings of one object that may change."""

    name: str
    pattern: str
    applies_to: str
    priority: int
    definition: Definition


@dataclass(frozen=True, slots=True)
class Part:
    """An exchange or a queue, with what it is given at its making, its policy and what is bound to it."""

    kind: str
    name: str
    type: str
    arguments: Mapping[str, Value]
    policy: Policy | None  # None: nothing to set
    bindings: tuple[Binding, ...] = ()


@dataclass(frozen=True, slots=True)
class Signature:
    """What is written beside an object: whose it is, which one it is, how its policies rank."""

    mark: str
    identity: str
    priority: int

    @property
    def arguments(self) -> dict[str, Value]:
        """As arguments of an exchange or a queue."""
        return {OWNER: self.mark, IDENTITY: self.identity}


def parts_of(resource: Exchange | Queue, signature: Signature) -> tuple[Part, ...]:
    """In the order in which they are made: what others name comes first."""
    if isinstance(resource, Exchange):
        return tuple(_exchange(resource, signature))
    return tuple(_queue(resource, signature))


def _exchange(resource: Exchange, signature: Signature) -> Iterator[Part]:
    name = resource.key.name
    yield Part(
        EXCHANGE,
        name,
        resource.type or "topic",
        signature.arguments,
        _policy(EXCHANGE, name, "exchanges", signature, exchange_definition(resource)),
    )
    if resource.replay:
        stream = replay_name(name)
        copies = {"x-initial-cluster-size": resource.replay_copies} if resource.replay_copies else {}
        yield Part(
            QUEUE,
            stream,
            STREAM,
            {**signature.arguments, **copies},
            _policy(QUEUE, stream, "streams", signature, replay_definition(resource)),
            tuple(Binding(name, key) for key in resource.replay_keys or ()),
        )


def _queue(resource: Queue, signature: Signature) -> Iterator[Part]:
    name = resource.key.name
    copies = {"x-quorum-initial-group-size": resource.copies} if resource.copies else {}
    single = {"x-single-active-consumer": True} if resource.single_active_consumer else {}
    yield Part(
        QUEUE,
        name,
        QUORUM,
        {**signature.arguments, **copies, **single},
        _policy(QUEUE, name, "quorum_queues", signature, queue_definition(resource)),
        resource.bindings or (),
    )
    for wait in resource.steps or ():
        step = step_name(name, wait)
        back = _policy(QUEUE, step, "quorum_queues", signature, step_definition(name, wait))
        yield Part(QUEUE, step, QUORUM, {**signature.arguments, **copies}, back)
    if resource.closed_max_age:
        yield _closed(resource, resource.closed_max_age, signature)


def _closed(resource: Queue, age: timedelta, signature: Signature) -> Part:
    name = closed_name(resource.key.name)
    copies = {"x-initial-cluster-size": resource.copies} if resource.copies else {}
    policy = _policy(QUEUE, name, "streams", signature, closed_definition(age))
    return Part(QUEUE, name, STREAM, {**signature.arguments, **copies}, policy)


def _policy(
    kind: str, name: str, applies_to: str, signature: Signature, definition: Definition
) -> Policy | None:
    if not definition:
        return None
    title = policy_name(kind, name, signature.mark)
    return Policy(title, pattern_of(name), applies_to, signature.priority, definition)


def exchange_definition(resource: Exchange) -> Definition:
    """The policy of an exchange."""
    return {"alternate-exchange": resource.alternate_exchange} if resource.alternate_exchange else {}


def replay_definition(resource: Exchange) -> Definition:
    """The policy of a stream; its server counts ages in whole seconds."""
    age, size, segment = resource.replay_max_age, resource.replay_max_bytes, resource.replay_segment_bytes
    found: dict[str, Value] = {}
    if age:
        found["max-age"] = _whole_seconds(age)
    if size is not None and size >= 0:
        found["max-length-bytes"] = size
    if segment is not None and segment >= 0:
        found["stream-max-segment-size-bytes"] = segment
    return found


def closed_definition(age: timedelta) -> Definition:
    """The policy of the stream of those who closed entries: small segments, so that age is nearly kept."""
    return {"max-age": _whole_seconds(age), "stream-max-segment-size-bytes": CLOSED_SEGMENT}


def _whole_seconds(age: timedelta) -> str:
    return f"{max(1, round(age.total_seconds()))}s"


def queue_definition(resource: Queue) -> Definition:
    """The policy of a queue: only what differs from what the server does anyhow."""
    plain: dict[str, tuple[int | None, int]] = {
        "delivery-limit": (resource.delivery_limit, DELIVERIES),
        "max-length": (resource.max_length, -1),
        "max-length-bytes": (resource.max_bytes, -1),
        "message-ttl": (_milliseconds(resource.message_ttl), 0),
        "consumer-timeout": (_milliseconds(resource.consumer_timeout), 0),
    }
    found: dict[str, Value] = {
        name: value for name, (value, default) in plain.items() if value is not None and value != default
    }
    if resource.overflow not in (None, DROP_HEAD):
        found["overflow"] = str(resource.overflow)
    return {**found, **_dead(resource.dead_letters), **_delay(resource.delay)}


def step_definition(queue: str, wait: timedelta) -> Definition:
    """The policy of a step: after the wait everything goes back, and nothing is lost on the way."""
    ttl: Definition = {"message-ttl": wait // MILLISECOND, "overflow": REJECT_PUBLISH, "delivery-limit": -1}
    return {**ttl, **_dead(DeadLetters(queue, at_least_once=True))}


def _dead(value: DeadLetters | None) -> Definition:
    if value is None or not value.target:
        return {}
    strategy = "at-least-once" if value.at_least_once else "at-most-once"
    return {
        "dead-letter-exchange": "",
        "dead-letter-routing-key": value.target,
        "dead-letter-strategy": strategy,
    }


def _delay(value: Delay | None) -> Definition:
    if value is None or not value.least:
        return {}
    return {
        "delayed-retry-type": value.kind,
        "delayed-retry-min": value.least // MILLISECOND,
        "delayed-retry-max": value.most // MILLISECOND,
    }


def _milliseconds(value: timedelta | None) -> int | None:
    return None if value is None else value // MILLISECOND
