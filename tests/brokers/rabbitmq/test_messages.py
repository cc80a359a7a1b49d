"""The mover's side on a real server of each version."""

from datetime import timedelta

import pytest
from tests.brokers.rabbitmq.conftest import Place
from tests.brokers.rabbitmq.declared import dead
from tests.brokers.rabbitmq.mail import post
from tests.servers import until

from headgate.brokers.base import BrokerError, Credentials, Refused, Unreachable
from headgate.brokers.messages import Absent, Kept
from headgate.brokers.rabbitmq.carrier import messages
from headgate.brokers.rabbitmq.messages import RabbitMessages
from headgate.brokers.rabbitmq.options import Connection
from headgate.core.letters import Event, Letter

pytestmark = pytest.mark.takes(120)


def mover(place: Place, *, password: str = "", vhost: str = "", url: str = "") -> RabbitMessages:
    server = place.server
    login = {"username": server.username.encode(), "password": (password or server.password).encode()}
    connection = Connection(server.management_url, vhost or place.vhost, amqp_url=url or server.url)
    return messages(connection, Credentials(login), timeout=5)


async def test_a_mover_has_nothing_to_wait_for_and_says_what_the_broker_holds(place: Place) -> None:
    async with post(place):
        moving = mover(place)
        await moving.open()
        assert await moving.notices(5, timedelta(seconds=0.01)) == ()
        assert not await moving.call_in("orders", "billing", timedelta())
        assert (await moving.watch()).missed == 0
        assert await moving.ours("orders", "billing")
        assert not await moving.ours("orders", "nobody")
        found = await moving.incarnations(["orders", "others"])
        assert found.keys() == {"orders"}
        assert found["orders"].identity
        await moving.aclose()


async def test_letters_are_kept_each_with_its_own_outcome(place: Place) -> None:
    async with post(place) as at:
        moving = mover(place)
        good = [Letter("dead/1", (("headgate-reason", "Manual"),), b"%d" % number) for number in range(200)]
        assert await moving.keep([*good, Letter("nowhere/1", (), b"x")]) == [
            *[Kept.STORED] * 200,
            Kept.MISSING,
        ]
        huge = Letter("dead/1", (), b"x" * (17 * 1024 * 1024))
        assert await moving.keep([good[0], huge, good[1]]) == [Kept.STORED, Kept.TOO_LARGE, Kept.STORED]
        await moving.aclose()
        found = await at.entries(202)
        assert {entry.header("headgate-reason") for entry in found} == {"Manual"}
        assert {entry.letter.body for entry in found} == {letter.body for letter in good}


async def test_a_full_queue_takes_no_letter(place: Place) -> None:
    async with post(place, letters=dead(max_bytes=-1, max_length=1)):
        moving = mover(place)

        async def full() -> bool:
            return await moving.keep([Letter("dead/1", (), b"x")]) == [Kept.FULL]

        await until("it is full", full, limit=20)
        await moving.aclose()


async def test_an_event_of_the_past_is_read_from_the_replay_stream(place: Place) -> None:
    async with post(place) as at:
        for number in range(3):
            await at.publish(f"orders.{number}.paid", b"%d" % number, headers={"trace": "t"}, message_id="m")
        moving = mover(place)
        first, gone, none = await moving.fetch([("orders", 1), ("orders", 7), ("others", 1)])
        await moving.aclose()
    assert isinstance(first, Event)
    assert (first.subject, first.body) == ("orders.1.paid", b"1")
    assert first.headers == (("message-id", "m"), ("trace", "t"))
    assert gone is Absent.GONE
    assert none is Absent.UNKNOWN


async def reason(moving: RabbitMessages) -> str:
    try:
        async with moving._amqp.channel("anything"):
            return ""
    except BrokerError as error:
        return error.reason
    finally:
        await moving.aclose()


async def test_who_cannot_connect_is_told_why(place: Place) -> None:
    assert await reason(mover(place)) == ""
    assert await reason(mover(place, password="wrong")) == "AuthenticationFailed"
    assert await reason(mover(place, vhost="nowhere")) == "VirtualHostMissing"
    assert await reason(mover(place, url="amqp://127.0.0.1:9")) == "ConnectFailed"
    with pytest.raises(Refused) as refusal:
        mover(place, url="http://127.0.0.1")
    assert refusal.value.reason == "CredentialsInvalid"


async def test_a_frozen_server_leaves_open_whether_a_letter_is_there_and_a_later_one_gets_through(
    place: Place,
) -> None:
    async with post(place):
        moving = mover(place)
        letter = Letter("dead/1", (), b"x")
        assert await moving.keep([letter]) == [Kept.STORED]
        place.server.freeze()
        try:
            assert await moving.keep([letter]) == [Kept.UNKNOWN]
            with pytest.raises(Unreachable):
                await moving.watch()
        finally:
            place.server.thaw()

        async def through() -> bool:
            return await moving.keep([letter]) == [Kept.STORED]

        await until("the server takes letters again", through, limit=30)
        await moving.aclose()
