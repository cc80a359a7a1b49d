"""Who may do what, and what a server says that is away, frozen or not to be trusted."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from tests.brokers.rabbitmq.conftest import Place, connect
from tests.brokers.rabbitmq.declared import created, dead, deleted, exchange, queue
from tests.servers import until

from headgate.api.eventbroker import Limits
from headgate.brokers.base import BrokerError, Refused, Unknown, Unreachable
from headgate.brokers.pace import Pace
from headgate.brokers.rabbitmq.adapter import RabbitBroker
from headgate.brokers.rabbitmq.reading import observe
from headgate.brokers.rabbitmq.resources import Exchange
from headgate.core.resource import Observed

pytestmark = pytest.mark.takes(60)
HASTY = Limits(requests_per_second=10_000, progress_per_second=10_000, timeout="2s")


async def user(place: Place, name: str, tags: str, configure: str = ".*") -> RabbitBroker:
    """Somebody of these rights, logged in."""
    await place.hand.ask("PUT", f"users/{name}", {"password": "secret", "tags": tags})
    rights = {"configure": configure, "write": ".*", "read": ".*"}
    await place.hand.ask("PUT", f"permissions/{place.hand.vhost}/{name}", rights)
    return connect(place.server, place.vhost, user=name, password="secret")


async def reason(broker: RabbitBroker, what: Exchange) -> str:
    """Why it is not made."""
    with pytest.raises(BrokerError) as error:
        await broker.apply(created(what))
    await broker.aclose()
    return error.value.reason


async def test_a_policymaker_with_permissions_can_do_all_that_is_needed(place: Place) -> None:
    broker = await user(place, "maker", "policymaker")
    facts = await broker.facts()
    assert (facts.type, facts.server_version, facts.nodes) == ("RabbitMQ", place.server.version, 3)
    assert (await place.broker.facts()).nodes == 1
    made = [await broker.apply(created(each)) for each in (exchange(), dead(), queue())]
    found = await broker.observe([each.resource.key for each in made if each])
    for each in made:
        assert each is not None
        seen = found[each.resource.key]
        assert isinstance(seen, Observed)
        assert replace(seen, stats=each.stats) == each
    assert (await broker.progress([queue().key])).keys() == {queue().key}
    for each in reversed(made):
        assert each is not None
        await broker.apply(deleted(each))
    await broker.aclose()


async def test_an_administrator_sees_what_a_policymaker_sees(place: Place) -> None:
    for each in (exchange(), dead(), queue()):
        await place.broker.apply(created(each))
    keys = [exchange().key, dead().key, queue().key]
    broker = await user(place, "looker", "policymaker")
    assert await broker.observe(keys) == await place.broker.observe(keys)
    await broker.aclose()


class Counting(Pace):
    """A lane that counts who goes through."""

    def __init__(self) -> None:
        super().__init__(10_000, asyncio.Semaphore(64))
        self.count = 0

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        self.count += 1
        async with super().slot():
            yield


@pytest.mark.parametrize(("tags", "first", "later"), [("administrator", 2, 2), ("policymaker", 5, 4)])
async def test_however_much_there_is_it_is_read_in_few_requests(
    place: Place, tags: str, first: int, later: int
) -> None:
    names = [f"queue-{number}" for number in range(60)]
    made = await asyncio.gather(*(place.broker.apply(created(dead(name))) for name in names))
    broker = await user(place, "counter", tags)
    for expected in (first, later):
        lane = Counting()
        found = await observe(broker._reader, lane, [dead(name).key for name in names])
        assert lane.count == expected
        assert [found[each.resource.key].resource for each in made if each] == [
            each.resource for each in made if each
        ]
    await broker.aclose()


async def test_a_user_who_may_write_no_policies_is_told_so(place: Place) -> None:
    assert await reason(await user(place, "mere", "management"), exchange()) == "PermissionDenied"


async def test_a_user_who_may_not_make_the_object_is_told_so(place: Place) -> None:
    assert await reason(await user(place, "narrow", "policymaker", "^mine"), exchange()) == "PermissionDenied"


async def test_a_wrong_password_is_told_as_one(place: Place) -> None:
    broker = connect(place.server, place.vhost, password="wrong")
    assert await reason(broker, exchange()) == "AuthenticationFailed"


async def test_a_virtual_host_that_is_not_there_is_told_as_that(place: Place) -> None:
    broker = connect(place.server, "nowhere")
    with pytest.raises(Refused) as refusal:
        await broker.observe([queue().key])
    assert refusal.value.reason == "VirtualHostMissing"
    assert await reason(broker, exchange(replay=None)) == "VirtualHostMissing"


async def test_nothing_is_sent_once_another_operator_acts(place: Place) -> None:
    broker = connect(place.server, place.vhost, may_act=lambda: False)
    assert await reason(broker, exchange()) == "LeaseLost"
    assert await place.hand.names("policies") == set()


async def test_a_frozen_server_leaves_open_whether_it_was_done(place: Place) -> None:
    broker = connect(place.server, place.vhost, limits=HASTY)
    await broker.facts()
    lost = asyncio.ensure_future(broker.lost())
    place.server.freeze()
    said: list[str] = []

    async def silent() -> bool:
        try:
            await broker.observe([queue().key])
        except Unknown as silence:
            said.append(silence.reason)
        return bool(said)

    try:
        await until("the server is frozen and answers nothing", silent, limit=20)
        async with asyncio.timeout(10):
            await lost
    finally:
        place.server.thaw()
    assert said == ["TimedOut"]
    assert await broker.observe([queue().key]) == {}
    await broker.aclose()


async def test_a_server_that_is_gone_is_noticed_and_found_again(place: Place) -> None:
    await place.broker.apply(created(exchange()))
    lost = asyncio.ensure_future(place.broker.lost())
    await place.server.kill()
    async with asyncio.timeout(10):
        await lost
    with pytest.raises(Unreachable):
        await place.broker.facts()
    await place.server.restart()
    found = await place.broker.observe([exchange().key])
    assert found.keys() == {exchange().key}
