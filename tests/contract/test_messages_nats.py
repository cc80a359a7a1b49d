"""The mover's side of JetStream on a real server, step by step. Movers as a whole are in test_messages_mover.py."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio
from tests.contract.messages_account import SECOND, Account
from tests.contract.world import nats_world
from tests.servers import until

from headgate.brokers.base import Unreachable
from headgate.brokers.messages import Absent, Kept
from headgate.brokers.nats.messages import ACK_WAIT, IN_FLIGHT, NatsMessages
from headgate.brokers.nats.names import ADVISORIES_NAME
from headgate.core.letters import Event, Letter
from headgate.core.moves import Cause, Delay, Notice
from headgate.core.progress import PutOff

SOON = timedelta(seconds=10)


@pytest_asyncio.fixture
async def messages(account: Account) -> AsyncIterator[NatsMessages]:
    messages = account.messages()
    await messages.open()
    yield messages
    await messages.aclose()


async def _one(messages: NatsMessages) -> Notice:
    (notice,) = await messages.notices(10, SOON)
    return notice


async def test_a_worker_that_gives_up_is_a_notice_with_its_reason(
    account: Account, messages: NatsMessages
) -> None:
    await account.emit(1)
    await account.reject(1, "bad date")
    notice = await _one(messages)
    seen = (notice.source, notice.reader, notice.position, notice.cause, notice.attempts, notice.text)
    assert seen == ("orders", "billing", 1, Cause.TERMINATED, 1, "bad date")


async def test_used_up_attempts_are_a_notice_once_somebody_pulls_again(
    account: Account, messages: NatsMessages
) -> None:
    await account.emit(1)
    await account.take(1)
    await account.take(1)

    calls = list[bool]()

    async def raised() -> bool:
        """Once the server has noticed there is nothing left to call in for, and the advisory may come a little later."""
        calls.append(await messages.call_in("orders", "billing", timedelta(seconds=0.3)))
        return any(calls) and await account.count(ADVISORIES_NAME) == 1

    await until("the advisory is raised", raised)
    notice = await _one(messages)
    assert (notice.position, notice.cause, notice.attempts) == (1, Cause.EXHAUSTED, 2)


async def test_an_unsettled_notice_comes_again_and_a_settled_one_does_not(
    account: Account, messages: NatsMessages
) -> None:
    await account.emit(1)
    await account.reject(1)
    first = await _one(messages)
    await messages.postpone([first], timedelta(seconds=0.1))
    again = await _one(messages)
    await messages.settle([again])
    assert again.position == first.position
    await until("the advisory is done with", lambda: _none_left(account))


async def _none_left(account: Account) -> bool:
    return await account.unsettled() == 0


async def test_open_may_be_repeated(account: Account, messages: NatsMessages) -> None:
    before = await account.position()
    await messages.open()
    assert await account.position() == before
    assert before["config"]["ack_wait"] == ACK_WAIT.total_seconds() * SECOND


async def test_open_brings_a_durable_up_to_date_that_an_older_mover_made(account: Account) -> None:
    older = {
        "durable_name": "headgate_mover",
        "ack_policy": "explicit",
        "ack_wait": 30 * SECOND,
        "max_ack_pending": 1000,
        "metadata": {"headgate.dev/missed": "3"},
    }
    await account.emit(2)
    await account.reject(2)
    await account.mover(**older)
    messages = account.messages()
    (first,) = await messages.notices(1, SOON)
    await messages.settle([first])
    await until("one of two is done with", lambda: _left(account, 1))
    before = await account.position()
    await messages.open()
    after = await account.position()
    assert (after["config"]["ack_wait"], after["config"]["max_ack_pending"]) == (5 * SECOND, IN_FLIGHT)
    assert after["config"]["metadata"]["headgate.dev/missed"] == "3"
    assert (after["created"], after["ack_floor"]) == (before["created"], before["ack_floor"])
    assert (await _one(messages)).position == 2
    await messages.aclose()


async def _left(account: Account, count: int) -> bool:
    return await account.unsettled() == count


async def test_what_is_extended_does_not_come_again_and_the_rest_does(
    account: Account, messages: NatsMessages
) -> None:
    await account.mover(**{**(await account.position())["config"], "ack_wait": SECOND // 2})
    await account.emit(2)
    await account.reject(2)
    got = list[Notice]()
    while len(got) < 2:
        got += await messages.notices(2 - len(got), SOON)
    kept = next(each for each in got if each.position == 1)
    again = list[Notice]()
    while len(again) < 2:
        await messages.extend([kept])
        again += await messages.notices(1, timedelta(seconds=0.2))
    assert {each.position for each in again} == {2}


async def test_open_waits_for_the_operator_to_make_the_capture_stream(account: Account) -> None:
    await account.api(f"STREAM.DELETE.{ADVISORIES_NAME}")
    messages = account.messages()
    with pytest.raises(Unreachable) as caught:
        await messages.open()
    assert caught.value.reason == "CaptureMissing"
    await messages.aclose()


async def test_an_event_is_read_with_its_headers_in_their_order(
    account: Account, messages: NatsMessages
) -> None:
    await account.emit(1, b"\x00\xffbody", {"Nats-Msg-Id": "m1", "traceparent": "00-1"})
    event, gone, nowhere = await messages.fetch([("orders", 1), ("orders", 9), ("nothing", 1)])
    assert isinstance(event, Event)
    assert (event.subject, event.body) == ("orders.c1.paid", b"\x00\xffbody")
    assert event.headers == (("Nats-Msg-Id", "m1"), ("traceparent", "00-1"))
    assert (gone, nowhere) == (Absent.GONE, Absent.GONE)


async def test_a_dead_letter_stands_once_however_often_it_is_written(
    account: Account, messages: NatsMessages
) -> None:
    letters = [Letter(f"hg.dead.orders.billing.1.{n}", (), b"x") for n in (1, 2, 1)]
    assert await messages.keep(letters) == [Kept.STORED, Kept.STORED, Kept.PRESENT]
    assert await messages.keep(letters[:1]) == [Kept.PRESENT]
    assert await account.count("dead") == 2


async def test_headers_that_the_server_acts_on_are_set_aside_and_come_back_when_read(
    account: Account, messages: NatsMessages
) -> None:
    headers = (
        ("Nats-Rollup", "all"),
        ("Nats-Msg-Id", "m1"),
        ("A", "1"),
        ("A", "2"),
        ("Nats-Expected-Stream", "orders"),
    )
    letters = [Letter(f"hg.dead.orders.{reader}.1.1", headers, b"x") for reader in ("billing", "mail")]
    assert await messages.keep(letters) == [Kept.STORED, Kept.STORED]
    assert [entry.letter.headers for entry in await account.dead()] == [headers, headers]


async def test_a_name_of_a_header_that_no_client_may_send_does_not_stop_a_dead_letter(
    account: Account, messages: NatsMessages
) -> None:
    assert await messages.keep([Letter("hg.dead.a.b.1.1", (("my name", "x"),), b"")]) == [Kept.STORED]
    (entry,) = await account.dead()
    assert entry.letter.headers == (("my-name", "x"),)


async def test_a_queue_that_is_not_there_is_missing(account: Account, messages: NatsMessages) -> None:
    await account.api("STREAM.DELETE.dead")
    assert await messages.keep([Letter("hg.dead.a.b.1.1", (), b"")]) == [Kept.MISSING]


async def test_a_stream_made_anew_is_another_incarnation(account: Account, messages: NatsMessages) -> None:
    before = await messages.incarnations({"orders", "nothing"})
    await account.orders()
    after = await messages.incarnations({"orders"})
    assert before.keys() == after.keys() == {"orders"}
    assert before["orders"].identity != after["orders"].identity == account.created


async def test_ours_is_what_carries_the_mark(account: Account, messages: NatsMessages) -> None:
    foreign = {"durable_name": "theirs", "ack_policy": "explicit"}
    await account.api("CONSUMER.CREATE.orders.theirs", {"stream_name": "orders", "config": foreign})
    found = [await messages.ours("orders", reader) for reader in ("billing", "theirs", "nobody")]
    assert found == [True, False, False]


async def test_calling_in_gives_a_live_event_back_at_once(account: Account, messages: NatsMessages) -> None:
    await account.orders(attempts=5)
    await account.emit(1)
    await account.take(1)

    async def called() -> bool:
        return await messages.call_in("orders", "billing", timedelta(seconds=0.5))

    await until("the reader counts as stranded", called)
    (again,) = await account.take(1)
    assert again.metadata.num_delivered == 3  # the call has used one up


async def test_a_reader_with_a_worker_is_not_called_in(account: Account, messages: NatsMessages) -> None:
    await account.emit(1)
    await account.take(1)
    inbox = account.client.new_inbox()
    await account.client.subscribe(inbox)
    pull = b'{"batch":5,"expires":5000000000}'
    await account.client.publish("$JS.API.CONSUMER.MSG.NEXT.orders.billing", pull, reply=inbox)

    async def waiting() -> bool:
        return bool((await account.api("CONSUMER.INFO.orders.billing"))["num_waiting"] == 1)

    await until("the server has the worker's pull in its books", waiting)
    assert not await messages.call_in("orders", "billing", timedelta(0))


async def test_advisories_that_rolled_out_unread_are_counted_and_written_down(account: Account) -> None:
    await account.api(f"STREAM.DELETE.{ADVISORIES_NAME}")
    subjects = ["$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.>"]
    await account.stream(ADVISORIES_NAME, *subjects, max_msgs=3)
    messages = account.messages()
    await messages.open()
    assert (await messages.watch()).missed == 0
    await account.emit(10)
    await account.reject(10)

    async def rolled() -> bool:
        return bool((await account.api(f"STREAM.INFO.{ADVISORIES_NAME}"))["state"]["last_seq"] == 10)

    await until("all advisories were raised", rolled)
    assert (await messages.watch()).missed == 7
    assert (await messages.watch()).missed == 0
    info = await account.api(f"CONSUMER.INFO.{ADVISORIES_NAME}.headgate_mover")
    assert info["config"]["metadata"]["headgate.dev/missed"] == "7"
    assert [notice.position for notice in await messages.notices(10, SOON)] == [8, 9, 10]
    await messages.aclose()


async def test_advisories_that_nobody_was_there_to_read_are_missed_once(account: Account) -> None:
    await account.emit(3)
    await account.reject(3)
    await until("all advisories are kept", lambda: _kept(account, 3))
    await account.api(f"STREAM.PURGE.{ADVISORIES_NAME}", {"keep": 1})
    missed = list[int]()
    for _ in range(2):
        messages = account.messages()
        await messages.open()
        missed.append((await messages.watch()).missed)
        await messages.aclose()
    assert missed == [2, 0]


async def test_advisories_that_rolled_out_between_two_movers_are_missed(account: Account) -> None:
    before, after = account.messages(), account.messages()
    await account.emit(6)
    await before.open()
    await account.reject(2)
    settled = list[Notice]()
    while len(settled) < 2:
        settled += await before.notices(2, SOON)
    await before.settle(settled)
    await before.watch()
    await before.aclose()
    await account.reject(4)
    await until("all advisories are kept", lambda: _kept(account, 6))
    config = (await account.api(f"STREAM.INFO.{ADVISORIES_NAME}"))["config"]
    await account.api(f"STREAM.UPDATE.{ADVISORIES_NAME}", {**config, "max_msgs": 1})
    await after.open()
    assert (await after.watch()).missed == 3
    assert [notice.position for notice in await after.notices(10, SOON)] == [6]
    await after.aclose()


async def _kept(account: Account, count: int) -> bool:
    return await account.count(ADVISORIES_NAME) == count


async def test_why_something_waits_is_written_down_for_the_operator(
    account: Account, messages: NatsMessages
) -> None:
    await account.emit(1)
    await account.reject(1)
    notice = await _one(messages)
    delay = Delay(account.route().address, "DeadLetterQueueFull", timedelta(seconds=30))
    await messages.watch([delay])
    async with nats_world(account.url) as world:
        seen = await world.broker.capture()
        assert seen is not None
        assert (seen.backlog, seen.put_off) == (1, (PutOff("dead", "DeadLetterQueueFull"),))
        assert (seen.unread, seen.movers) == (None, 1)
        assert seen.oldest is not None
        assert seen.oldest >= notice.at
        await account.emit(1)
        await account.reject(1)
        kept = seen.oldest

        async def unread() -> bool:
            found = await world.broker.capture()
            return found is not None and found.unread is not None and found.unread > kept

        await until("the second one counts as unread", unread)


async def test_advisories_that_were_read_and_then_age_are_not_missed(
    account: Account, messages: NatsMessages
) -> None:
    await messages.watch()
    await account.emit(3)
    await account.reject(3)
    for _ in range(3):
        await messages.settle(await messages.notices(1, SOON))
    assert (await messages.watch()).missed == 0
    await account.api(f"STREAM.PURGE.{ADVISORIES_NAME}")
    assert (await messages.watch()).missed == 0
