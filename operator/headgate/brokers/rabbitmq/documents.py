"""What the management API shows, as values: objects with the policy in effect on them, their mark and identity. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from headgate.brokers.rabbitmq.enforcing import enforced, weakening
from headgate.brokers.rabbitmq.names import closed_name, mark_in, replay_name, step_name
from headgate.brokers.rabbitmq.parts import (
    CLOSED_SEGMENT,
    IDENTITY,
    MILLISECOND,
    OWNER,
    queue_definition,
    step_definition,
)
from headgate.brokers.rabbitmq.resources import (
    DELIVERIES,
    DROP_HEAD,
    EXCHANGE,
    QUEUE,
    QUORUM,
    STREAM,
    UNBOUNDED,
    Binding,
    DeadLetters,
    Delay,
    Exchange,
    Queue,
)
from headgate.core.resource import Key, Observed, Stats

Json = Mapping[str, Any]

ALTERNATE: Final = "alternate-exchange"  # as an argument it overrules the policy
UNSIGNED: Final = "unsigned"  # made by somebody else: nothing tells it from a later one of its name
_APPLIES: Final = {QUORUM: "quorum_queues", STREAM: "streams", "classic": "classic_queues"}
_STEP: Final = re.compile(r"\.retry-(\d+)$")
_UNITS: Final = {"Y": 31_536_000, "M": 2_592_000, "D": 86_400, "h": 3_600, "m": 60, "s": 1}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One virtual host, or a part of it, at one moment."""

    exchanges: Mapping[str, Json] = field(default_factory=dict)
    queues: Mapping[str, Json] = field(default_factory=dict)
    bindings: Mapping[str, tuple[Binding, ...]] = field(default_factory=dict)  # by queue
    policies: Mapping[str, Json] = field(default_factory=dict)


def named(items: Iterable[Json]) -> dict[str, Json]:
    """Items of a list by their names."""
    return {str(item["name"]): item for item in items}


def bindings_of(items: Iterable[Json]) -> dict[str, tuple[Binding, ...]]:
    """What is bound to each queue; what the server binds by itself is left out."""
    found: dict[str, list[Binding]] = {}
    for item in items:
        if item["source"] and item["destination_type"] == "queue":
            found.setdefault(item["destination"], []).append(Binding(item["source"], item["routing_key"]))
    return {queue: tuple(sorted(bound)) for queue, bound in found.items()}


def policy_of(snapshot: Snapshot, kind: str, item: Json) -> str:
    """The name of the policy in effect: as the server says, else as it would decide; empty where there is none."""
    if "policy" in item or kind == QUEUE:
        return str(item.get("policy") or "")
    wanted = {"all", "exchanges"}
    fitting = [
        policy
        for policy in snapshot.policies.values()
        if policy["apply-to"] in wanted and _takes(policy["pattern"], str(item["name"]))
    ]
    return str(max(fitting, key=lambda policy: int(policy["priority"]))["name"]) if fitting else ""


def _takes(pattern: str, name: str) -> bool:
    try:
        return re.search(pattern, name) is not None
    except re.error:
        return False


def definition_of(snapshot: Snapshot, kind: str, item: Json) -> Json:
    """The settings in effect: as the server says, else as the policy in effect says."""
    shown = item.get("effective_policy_definition")
    if isinstance(shown, dict):  # where there is nothing the server says [] or {}
        return shown
    policy = snapshot.policies.get(policy_of(snapshot, kind, item))
    found: Json = policy["definition"] if policy else {}
    return found


def marks_of(snapshot: Snapshot, kind: str, item: Json) -> tuple[str | None, bool]:
    """Whose an object is, and whether it was there before its owner: our policy decides, before the argument."""
    name, argument = str(item["name"]), (item.get("arguments") or {}).get(OWNER)
    effective = policy_of(snapshot, kind, item)
    titles = (effective, *sorted(snapshot.policies))
    found = next((mark for title in titles if (mark := mark_in(title, kind, name))), None)
    if found is None:
        return argument, False
    return found, argument != found


def identity_of(item: Json) -> str:
    """Given at its making and kept for ever."""
    return str((item.get("arguments") or {}).get(IDENTITY) or UNSIGNED)


def shadow(snapshot: Snapshot, kind: str, item: Json) -> str:
    """The policy of somebody else that is in effect; empty where it is ours or there is none."""
    effective = policy_of(snapshot, kind, item)
    return "" if mark_in(effective, kind, str(item["name"])) else effective


def observed(snapshot: Snapshot, key: Key) -> Observed | None:
    """An object as it stands; None where nothing of it is there."""
    return _observed_exchange(snapshot, key) if key.kind == EXCHANGE else _observed_queue(snapshot, key)


def _observed_exchange(snapshot: Snapshot, key: Key) -> Observed | None:
    exchange = snapshot.exchanges.get(key.name)
    stream = snapshot.queues.get(replay_name(key.name))
    if exchange is None and stream is None:
        return None
    main, kind = (exchange, EXCHANGE) if exchange is not None else (stream, QUEUE)
    mark, adopted = marks_of(snapshot, kind, main or {})
    resource = Exchange(
        key,
        **(_exchange_settings(snapshot, exchange) if exchange else {}),
        **_replay_settings(snapshot, key, stream),
    )
    stats = Stats(_count(stream.get("messages"))) if stream else Stats(0)
    return Observed(resource, identity_of(stream or exchange or {}), mark, adopted=adopted, stats=stats)


def _exchange_settings(snapshot: Snapshot, exchange: Json) -> dict[str, Any]:
    by_policy = definition_of(snapshot, EXCHANGE, exchange).get(ALTERNATE, "")
    return {
        "type": exchange["type"],
        "durable": exchange.get("durable", True),
        "auto_delete": exchange.get("auto_delete", False),
        "alternate_exchange": (exchange.get("arguments") or {}).get(ALTERNATE, by_policy),
        "shadowed_by": shadow(snapshot, EXCHANGE, exchange),
    }


def _replay_settings(snapshot: Snapshot, key: Key, stream: Json | None) -> dict[str, Any]:
    if stream is None:
        return {"replay": False}
    settings = definition_of(snapshot, QUEUE, stream)
    bound = snapshot.bindings.get(replay_name(key.name), ())
    return {
        "replay": stream.get("type") == STREAM,
        "replay_keys": tuple(sorted(each.routing_key for each in bound if each.source == key.name)),
        "replay_max_age": _age(str(settings.get("max-age", "0s"))),
        "replay_max_bytes": settings.get("max-length-bytes", UNBOUNDED),
        "replay_segment_bytes": settings.get("stream-max-segment-size-bytes", UNBOUNDED),
        "replay_copies": (stream.get("arguments") or {}).get("x-initial-cluster-size"),
        "replay_shadowed_by": shadow(snapshot, QUEUE, stream),
    }


def _observed_queue(snapshot: Snapshot, key: Key) -> Observed | None:
    queue = snapshot.queues.get(key.name)
    if queue is None:
        return None
    mark, adopted = marks_of(snapshot, QUEUE, queue)
    arguments = queue.get("arguments") or {}
    resource = Queue(
        key,
        type=queue.get("type") or arguments.get("x-queue-type", "classic"),
        single_active_consumer=bool(arguments.get("x-single-active-consumer", False)),
        copies=arguments.get("x-quorum-initial-group-size"),
        bindings=snapshot.bindings.get(key.name, ()),
        steps=_steps(snapshot, key.name),
        closed_max_age=_closed_max_age(snapshot, key.name),
        shadowed_by=shadow(snapshot, QUEUE, queue),
        **queue_settings(enforced(definition_of(snapshot, QUEUE, queue), arguments)),
    )
    return Observed(
        resource, identity_of(queue), mark, adopted=adopted, stats=Stats(_count(queue.get("messages")))
    )


def _closed_max_age(snapshot: Snapshot, queue: str) -> timedelta:
    """Of a stream that is there and held to what we say; any other is as good as missing."""
    stream = snapshot.queues.get(closed_name(queue))
    settings = definition_of(snapshot, QUEUE, stream) if stream is not None else {}
    ours = settings.get("stream-max-segment-size-bytes") == CLOSED_SEGMENT
    return _age(str(settings.get("max-age", "0s"))) if ours else timedelta(0)


def queue_settings(definition: Json) -> dict[str, Any]:
    """The settings of a queue that holds to this definition."""
    least = _duration(definition.get("delayed-retry-min"))
    delay = Delay(
        definition.get("delayed-retry-type", "disabled"),
        least,
        _duration(definition.get("delayed-retry-max")) or least,
    )
    return {
        "delivery_limit": definition.get("delivery-limit", DELIVERIES),
        "dead_letters": _dead_letters(definition),
        "overflow": definition.get("overflow", DROP_HEAD),
        "max_length": definition.get("max-length", UNBOUNDED),
        "max_bytes": definition.get("max-length-bytes", UNBOUNDED),
        "message_ttl": _duration(definition.get("message-ttl")),
        "consumer_timeout": _duration(definition.get("consumer-timeout")),
        "delay": delay if least else Delay(),
    }


def overruling(desired: Exchange | Queue, item: Json) -> tuple[str, ...]:
    """What was said at the making of an object and keeps it from ever being as declared."""
    arguments = item.get("arguments") or {}
    if isinstance(desired, Exchange):
        return tuple(_overruling_exchange(desired, item, arguments.get(ALTERNATE)))
    definition = queue_definition(desired)
    plain = queue_settings(definition)
    found = weakening(arguments)
    return tuple(text for text, alone in found if queue_settings(enforced(definition, alone)) != plain)


def _overruling_exchange(desired: Exchange, item: Json, alternate: str | None) -> Iterator[str]:
    """Exchanges that are closed to publishers are left out of the server's definitions, so they are no setting."""
    if item.get("internal"):
        yield "internal"
    if None not in (alternate, desired.alternate_exchange) and alternate != desired.alternate_exchange:
        yield f"{ALTERNATE}={alternate}"


def _dead_letters(definition: Json) -> DeadLetters:
    """A target elsewhere than in the queue that we name is not ours, and differs."""
    exchange, key = definition.get("dead-letter-exchange"), definition.get("dead-letter-routing-key", "")
    if exchange is None:
        return DeadLetters()
    target = f"{exchange}:{key}" if exchange else key
    return DeadLetters(target, definition.get("dead-letter-strategy") == "at-least-once")


def _steps(snapshot: Snapshot, queue: str) -> tuple[timedelta, ...]:
    """Steps that lead back as they should: any other is as good as missing."""
    waits = {
        int(found[1]) * MILLISECOND
        for name in snapshot.queues
        if name.startswith(f"{queue}.retry-") and (found := _STEP.search(name))
    }
    return tuple(sorted(wait for wait in waits if _leads_back(snapshot, queue, wait)))


def _leads_back(snapshot: Snapshot, queue: str, wait: timedelta) -> bool:
    step = snapshot.queues.get(step_name(queue, wait))
    return step is not None and definition_of(snapshot, QUEUE, step) == step_definition(queue, wait)


def _duration(value: int | None) -> timedelta:
    return timedelta(milliseconds=value or 0)


def _age(text: str) -> timedelta:
    """As streams write it: a number and a unit."""
    return timedelta(seconds=int(text[:-1] or 0) * _UNITS.get(text[-1:], 1))


def _count(value: object) -> int | None:
    return value if isinstance(value, int) else None
