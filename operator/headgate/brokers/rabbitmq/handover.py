"""What the broker itself has given up and not yet handed over to its dead-letter queue, and why. Pure.

RabbitMQ moves dead letters without any mover; at least once, it keeps what it cannot hand over. That it stands still
is told by a count alone, so since when is what was seen.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime

from headgate.brokers.rabbitmq.documents import Json
from headgate.brokers.rabbitmq.names import mark_in, step_of
from headgate.brokers.rabbitmq.resources import QUEUE, REJECT_PUBLISH
from headgate.core.capturing import FULL, MISSING
from headgate.core.progress import Capture, PutOff

_TROUBLE = "ServerTrouble"


class Handover:
    """Remembers since when the queues of one virtual host have something to hand over."""

    def __init__(self) -> None:
        self._since: dict[str, datetime] = {}

    def note(self, at: datetime, live: Mapping[str, Json], collected: Mapping[str, Json]) -> Capture:
        """One look at all queues."""
        waiting = dict(_waiting(live, collected))
        self._since = {name: self._since.get(name, at) for name in waiting}
        reasons = {_put_off(collected.get(name, {}), live, collected) for name in waiting}
        return Capture(
            at,
            backlog=sum(waiting.values()),
            oldest=min(self._since.values(), default=None),
            movers=1,  # the broker
            by_broker=True,
            put_off=tuple(sorted(reasons, key=lambda each: (each.queue, each.reason))),
        )


def _waiting(live: Mapping[str, Json], collected: Mapping[str, Json]) -> Iterator[tuple[str, int]]:
    """Our queues with dead letters in hand; those of a step are on their way back."""
    for name, queue in live.items():
        ours = mark_in(str(queue.get("policy") or ""), QUEUE, name) is not None
        count = int(collected.get(name, {}).get("messages_dlx") or 0)
        if ours and count and step_of(name) is None:
            yield name, count


def _put_off(source: Json, live: Mapping[str, Json], collected: Mapping[str, Json]) -> PutOff:
    target = str((source.get("effective_policy_definition") or {}).get("dead-letter-routing-key", ""))
    if target not in live:
        return PutOff(target, MISSING)
    return PutOff(target, FULL if _is_full(live[target], collected.get(target, {})) else _TROUBLE)


def _is_full(queue: Json, collected: Json) -> bool:
    definition = collected.get("effective_policy_definition") or {}
    fills = (
        ("max-length", queue.get("messages")),
        ("max-length-bytes", collected.get("message_bytes")),
    )
    return definition.get("overflow") == REJECT_PUBLISH and any(
        name in definition and int(count or 0) >= int(definition[name]) for name, count in fills
    )
