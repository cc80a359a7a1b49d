"""What movers are told about one consumer group on JetStream. Pure."""

from collections.abc import Iterable
from datetime import timedelta

from headgate.api import OnExhausted
from headgate.brokers.nats.names import dead_letter_prefix
from headgate.core.moves import Route
from headgate.core.topology import Group


def route_of(group: Group, waits: Iterable[timedelta]) -> Route | None:
    """The route of a group whose references hold; `waits` are those between its attempts.

    None while it is not known which incarnation of the stream there is: movers then hold the group's dead letters.
    """
    spec, topic, queue = group.declared.spec, group.topic, group.queue
    stream, durable = topic.external_name, group.external_name
    identity = topic.declared.record.identity
    if queue is not None and not identity:
        return None
    native = spec.native.nats if spec.native else None
    reaped = native is not None and bool(native.reap_stranded) and spec.scaling is None
    patience = group.policy.handling_timeout + max(waits, default=timedelta(0))
    return Route(
        group=f"{group.declared.ref.namespace}/{group.declared.ref.name}",
        topic=f"{topic.declared.ref.namespace}/{topic.declared.ref.name}",
        source=stream,
        reader=durable,
        address=dead_letter_prefix(queue.external_name, stream, durable, identity) if queue else "",
        identity=identity,
        drop=group.policy.on_exhausted is OnExhausted.DROP,
        reap_after=patience.total_seconds() if reaped else None,
    )
