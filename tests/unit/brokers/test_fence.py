"""Whoever may not act any more sends nothing that changes a broker, not even the second half of what was begun."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from headgate.api import EventBrokerSpec
from headgate.brokers.base import Credentials, Unreachable
from headgate.brokers.fake import FakeBroker, FakeDriver
from headgate.brokers.nats.resources import STREAM, Stream
from headgate.core.changes import Action, Change
from headgate.core.claims import Owner
from headgate.core.resource import Key

ORDERS = Key(STREAM, "orders")
OURS = Owner("here", "EventTopic", "shop", "orders")
HOUR = timedelta(hours=1)


def connected(may_act: Callable[[], bool]) -> FakeBroker:
    broker = FakeBroker(lambda: datetime(2026, 11, 21, tzinfo=UTC))
    spec = EventBrokerSpec.model_validate({"nats": {"servers": ["nats://nowhere:1"]}})
    FakeDriver(broker).connect(spec, Credentials(), may_act)
    return broker


def stream(max_age: timedelta) -> Stream:
    return Stream(ORDERS, subjects=("orders.>",), max_age=max_age)


CHANGES = {
    "nothing is made": Change(Action.CREATE, ORDERS, OURS, after=stream(HOUR)),
    "nothing is updated": Change(Action.UPDATE, ORDERS, OURS, after=stream(2 * HOUR)),
    "nothing is deleted": Change(Action.DELETE, ORDERS, OURS),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
async def test_without_the_lease(change: Change) -> None:
    acting = [True]
    broker = connected(lambda: acting[0])
    if change.action is not Action.CREATE:
        broker.put(stream(HOUR), {"headgate.dev/owner": str(OURS)})
    before = {name: dict(store.config) for name, store in broker.server.stores.items()}
    acting[0] = False
    with pytest.raises(Unreachable) as refused:
        await broker.apply(change)
    assert refused.value.reason == "LeaseLost"
    assert {name: store.config for name, store in broker.server.stores.items()} == before
    assert (await broker.observe([ORDERS])).keys() == {ORDERS} & {Key(STREAM, name) for name in before}
    acting[0] = True
    await broker.apply(change)


async def test_an_update_that_was_begun_with_the_lease_is_not_finished_without_it() -> None:
    broker = connected(lambda: "STREAM.INFO.orders" not in broker.server.asked)
    broker.put(stream(HOUR), {"headgate.dev/owner": str(OURS)})
    with pytest.raises(Unreachable):
        await broker.apply(CHANGES["nothing is updated"])
    assert broker.server.asked == ["STREAM.INFO.orders"]
