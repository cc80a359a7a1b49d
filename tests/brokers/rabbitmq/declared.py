"""Objects and changes as the operator has them, to try on a real server."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from headgate.brokers.rabbitmq.resources import (
    QUORUM,
    REJECT_PUBLISH,
    Binding,
    DeadLetters,
    Delay,
    Exchange,
    Queue,
    exchange_key,
    queue_key,
)
from headgate.core.changes import Action, Change
from headgate.core.claims import Owner
from headgate.core.resource import Observed, Resource

OWNER = Owner("installation", "EventTopic", "shop", "orders")
STRANGER = Owner("installation", "EventTopic", "attic", "orders")


def exchange(name: str = "orders", **settings: Any) -> Exchange:
    """A topic as the translation makes it."""
    base = Exchange(
        exchange_key(name),
        type="topic",
        durable=True,
        auto_delete=False,
        alternate_exchange="headgate_unrouted",
        shadowed_by="",
        replay=True,
        replay_keys=("orders.*.*.#",),
        replay_max_age=timedelta(hours=1),
        replay_max_bytes=1_000_000,
        replay_segment_bytes=500_000,
        replay_copies=1,
        replay_shadowed_by="",
    )
    return replace(base, **settings)


def queue(name: str = "billing", **settings: Any) -> Queue:
    """A group as the translation makes it."""
    base = Queue(
        queue_key(name),
        type=QUORUM,
        single_active_consumer=False,
        copies=1,
        bindings=(Binding("orders", "orders.*.paid"),),
        delivery_limit=4,
        dead_letters=DeadLetters("dead", at_least_once=True),
        overflow=REJECT_PUBLISH,
        max_length=-1,
        max_bytes=-1,
        message_ttl=timedelta(0),
        consumer_timeout=timedelta(0),
        delay=Delay(),
        steps=(),
        shadowed_by="",
    )
    return replace(base, **settings)


def dead(name: str = "dead", **settings: Any) -> Queue:
    """A dead-letter queue as the translation makes it."""
    return queue(
        name,
        **{
            "bindings": (),
            "delivery_limit": -1,
            "dead_letters": DeadLetters(),
            "max_bytes": 1_000_000,
            **settings,
        },
    )


def created(resource: Resource, owner: Owner = OWNER) -> Change:
    return Change(Action.CREATE, resource.key, owner, after=resource)


def changed(
    found: Observed, after: Resource, action: Action = Action.UPDATE, owner: Owner = OWNER, replaces: str = ""
) -> Change:
    return Change(
        action,
        after.key,
        owner,
        after=after,
        before=found.resource,
        identity=found.identity,
        replaces=replaces,
    )


def deleted(found: Observed, *, only_if_empty: bool = False, owner: Owner = OWNER) -> Change:
    key = found.resource.key
    return Change(
        Action.DELETE, key, owner, before=found.resource, identity=found.identity, only_if_empty=only_if_empty
    )
