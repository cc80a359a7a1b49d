"""Custom resources for tests, written as users write them, and estates made of them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from headgate.api import KINDS, Origin, load
from headgate.core.claims import Record
from headgate.core.estate import Declared, Estate, Ref

START: Final = datetime(2026, 11, 21, tzinfo=UTC)
STORES: Final = {
    "EventBroker": "brokers",
    "EventTopic": "topics",
    "ConsumerGroup": "groups",
    "RetryPolicy": "policies",
    "DeadLetterQueue": "queues",
}
_KINDS: Final = {kind.kind: kind for kind in KINDS}

MAIN: Final = Ref("EventBroker", "platform", "main")
ORDERS: Final = Ref("EventTopic", "shop", "orders")
BILLING: Final = Ref("ConsumerGroup", "shop", "billing")
STANDARD: Final = Ref("RetryPolicy", "shop", "standard")
DEAD: Final = Ref("DeadLetterQueue", "shop", "dead")

OWNER: Final = {"team": "checkout"}
TO_MAIN: Final = {"name": "main", "namespace": "platform"}


def spec_of(kind: str, **fields: Any) -> Any:
    """A spec with whatever its kind requires, and what the test says."""
    required: Mapping[str, Mapping[str, Any]] = {
        "EventBroker": {
            "nats": {"servers": ["nats://nats:4222"]},
            "allowedNamespaces": {"from": "Names", "names": ["shop", "depot"]},
        },
        "EventTopic": {"brokerRef": TO_MAIN, "retention": {"maxAge": "168h"}},
        "ConsumerGroup": {"topicRef": {"name": "orders"}, "start": {"from": "Earliest"}},
        "RetryPolicy": {},
        "DeadLetterQueue": {"brokerRef": TO_MAIN, "retention": {"maxAge": "336h"}, "owner": OWNER},
    }
    raw = {key: value for key, value in {**required[kind], **fields}.items() if value is not None}
    loaded = load(_KINDS[kind], raw, strict=True)
    assert not isinstance(loaded, list), loaded
    return loaded


def declare(
    ref: Ref,
    /,
    *,
    age: int = 0,
    record: Record | None = None,
    deleting: bool = False,
    **fields: Any,
) -> Declared[Any]:
    """A custom resource that is `age` minutes old."""
    created = START - timedelta(minutes=age)
    return Declared(
        ref, str(ref), 1, spec_of(ref.kind, **fields), created, deleting=deleting, record=record or Record()
    )


def held(name: str) -> Record:
    """What is remembered of an object that is in the broker."""
    return Record(external_name=name, identity="1", origin=Origin.CREATED)


def estate(*objects: Declared[Any], namespaces: Mapping[str, Mapping[str, str]] | None = None) -> Estate:
    """An estate of these objects, and an EventBroker platform/main unless there is one."""
    stores: dict[str, dict[Ref, Declared[Any]]] = {store: {} for store in STORES.values()}
    for declared in (declare(MAIN), *objects):
        stores[STORES[declared.ref.kind]][declared.ref] = declared
    return Estate("cluster", **stores, namespaces=namespaces or {})
