"""Whole movers on a real server: what becomes of every event, whatever it is like and whatever stands in the way."""

from dataclasses import replace
from typing import Any

import pytest
from tests.contract.messages_account import SECOND, Account
from tests.contract.movers import holds, one_each, running, settled
from tests.contract.raw import ODD, publish_raw
from tests.servers import until

from headgate.brokers.nats.names import ADVISORIES_NAME


async def test_a_dead_letter_carries_the_untouched_event_and_its_story(account: Account) -> None:
    await account.emit(1, b'{"order": 7}', {"traceparent": "00-1", "Nats-Msg-Id": "m7"})
    await account.reject(1, "bad date")
    async with running(account):
        (entry,) = await one_each(account, 1)
    assert entry.letter.address == f"{account.route().address}.1"
    assert entry.letter.body == b'{"order": 7}'
    told = dict(entry.letter.headers)
    assert told.pop("headgate-last-failed") >= told.pop("headgate-published")
    assert told == {
        "traceparent": "00-1",
        "Nats-Msg-Id": "m7",
        "headgate-reason": "Rejected",
        "headgate-group": "shop/billing",
        "headgate-topic": "shop/orders",
        "headgate-position": "1",
        "headgate-subject": "orders.c1.paid",
        "headgate-attempts": "1",
        "headgate-error": "bad date",
    }
    assert await account.count("orders") == 1


async def test_an_event_without_attempts_left_is_moved_when_a_worker_pulls_again(account: Account) -> None:
    await account.emit(1)
    await account.take(1)
    await account.take(1)
    async with running(account):
        worker = await account.client.jetstream().pull_subscribe_bind("billing", "orders")

        async def raised() -> bool:
            with pytest.raises(TimeoutError):
                await worker.fetch(1, timeout=0.1)
            return await account.count("dead") == 1

        await until("the dead letter stands", raised)
        (entry,) = await one_each(account, 1)
    assert (entry.header("headgate-reason"), entry.header("headgate-attempts")) == ("MaxAttempts", "2")


async def test_stranded_events_are_called_in_where_that_was_asked_for(account: Account) -> None:
    await account.emit(1)
    await account.take(1)
    await account.take(1)
    async with running(account, account.route(reap_after=0.5)) as mover:
        await until("the dead letter stands", lambda: holds(account, "dead", 1), limit=20)

        async def called() -> bool:
            return mover.counted("headgate_mover_called_in_total") == 1

        await until("the call is counted", called)


async def test_a_worker_that_was_faster_is_not_doubled(account: Account) -> None:
    await account.emit(3)
    for msg in await account.take(3):
        address = f"{account.route().address}.{msg.metadata.sequence.stream}"
        headers = {
            "Nats-Expected-Last-Subject-Sequence": "0",
            "headgate-position": address.rpartition(".")[2],
        }
        await account.client.jetstream().publish(address, b"by the worker", headers=headers)
        await account.client.publish(msg.reply, b"+TERM")
    async with running(account) as mover:
        entries = await one_each(account, 3)
        assert mover.counted("headgate_mover_repeats_total") == 3
    assert {entry.letter.body for entry in entries} == {b"by the worker"}


async def test_an_event_that_was_evicted_in_flight_leaves_an_envelope(account: Account) -> None:
    await account.orders(max_msgs=2)
    await account.emit(2)
    await account.take(2)
    await account.emit(2)
    async with running(account):
        entries = await one_each(account, 2)
    told = [(e.header("headgate-reason"), e.header("headgate-body"), e.letter.body) for e in entries]
    assert told == [("Evicted", "lost", b"")] * 2


async def test_an_event_too_large_for_the_queue_leaves_an_envelope(account: Account) -> None:
    await account.api("STREAM.DELETE.dead")
    await account.stream("dead", "hg.dead.>", max_msg_size=1000)
    await account.emit(1, b"x" * 5000, {"traceparent": "00-1"})
    await account.reject(1)
    async with running(account) as mover:
        (entry,) = await one_each(account, 1)
        assert mover.counted("headgate_mover_captured_total", reason="Rejected", body="too-large") == 1
    assert (entry.header("headgate-body"), entry.header("headgate-subject")) == (
        "too-large",
        "orders.c1.paid",
    )


async def test_a_full_queue_loses_nothing_and_goes_on_when_there_is_room(account: Account) -> None:
    await account.api("STREAM.DELETE.dead")
    await account.stream("dead", "hg.dead.>", max_msgs=1, discard="new")
    await account.emit(3)
    await account.reject(3)
    async with running(account) as mover:

        async def refused() -> bool:
            return mover.counted("headgate_mover_failures_total", reason="DeadLetterQueueFull") >= 2

        await until("the mover was refused", refused)
        config = (await account.api("STREAM.INFO.dead"))["config"]
        await account.api("STREAM.UPDATE.dead", {**config, "max_msgs": 10})
        await one_each(account, 3)


async def test_an_event_that_its_dead_letter_would_make_too_large_for_the_server_leaves_an_envelope(
    account: Account,
) -> None:
    await account.emit(1, b"x" * (2**20 - 100))
    await account.emit(1)
    await account.reject(2)
    async with running(account) as mover:
        entries = await one_each(account, 2)
        assert mover.counted("headgate_mover_captured_total", reason="Rejected", body="too-large") == 1
        assert mover.counted("headgate_mover_failures_total", reason="Disconnected") == 0
    assert {entry.header("headgate-body") for entry in entries} == {"too-large", ""}


async def test_headers_out_of_shape_stop_no_dead_letter(account: Account) -> None:
    odd = list(ODD.values())
    await publish_raw(account.url, [("orders.c1.paid", block, b"x") for block in odd])
    for position in range(1, len(odd) + 1):  # no worker could be sent them
        await account.give_up(position)
    async with running(account):
        entries = await one_each(account, len(odd))
    assert {entry.letter.body for entry in entries} == {b"x"}


async def test_dead_letters_of_ours_wait_for_their_route(account: Account) -> None:
    await account.emit(1)
    await account.reject(1)
    async with running(account, replace(account.route(), reader="another")) as mover:

        async def held() -> bool:
            return mover.counted("headgate_mover_failures_total", reason="RouteMissing") >= 1

        await until("the mover holds it", held)
        mover.table = {("orders", "billing"): account.route()}
        await one_each(account, 1)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param(
            {"reader": "another"}, "Foreign", id="an advisory about a reader that is not ours is dropped"
        ),
        pytest.param(
            {"address": ""},
            "NoDeadLetterQueue",
            id="a group without a queue keeps nothing, and it is counted",
        ),
    ],
)
async def test_what_is_dropped(account: Account, changes: dict[str, Any], reason: str) -> None:
    config = {
        "durable_name": "billing",
        "metadata": {},
        "ack_policy": "explicit",
        "ack_wait": SECOND,
        "max_deliver": 2,
    }
    await account.api("CONSUMER.CREATE.orders.billing", {"stream_name": "orders", "config": config})
    await account.emit(1)
    await account.reject(1)
    async with running(account, replace(account.route(), **changes)) as mover:
        await settled(account)
        assert mover.counted("headgate_mover_dropped_total", reason=reason) == 1
    assert await account.count("dead") == 0


async def test_exhausted_events_are_dropped_where_the_policy_says_so_and_rejected_ones_are_kept(
    account: Account,
) -> None:
    await account.emit(2)
    await account.take(2)
    first, second = await account.take(2)
    await account.client.publish(first.reply, b"+TERM no")
    del second
    async with running(account, account.route(drop=True, reap_after=0.5)) as mover:

        async def dropped() -> bool:
            return mover.counted("headgate_mover_dropped_total", reason="Dropped") == 1

        await until("the exhausted one is dropped", dropped, limit=20)
        await settled(account)
    assert [entry.header("headgate-reason") for entry in await account.dead()] == ["Rejected"]


async def test_an_event_of_a_stream_that_was_made_anew_is_lost_and_never_taken_for_its_successor(
    account: Account,
) -> None:
    before = account.route()
    await account.emit(1, b"of the first stream")
    await account.reject(1)
    await until("the advisory is kept", lambda: holds(account, ADVISORIES_NAME, 1))
    await account.orders()
    await account.emit(1, b"of the second stream")
    await account.reject(1)
    async with running(account, before) as mover:

        async def stale() -> bool:
            return mover.counted("headgate_mover_failures_total", reason="RouteStale") >= 1

        await until("the second one waits for its new route", stale)
        mover.table = {("orders", "billing"): account.route()}
        await settled(account)
    found = {
        entry.letter.address: (entry.header("headgate-body"), entry.letter.body)
        for entry in await account.dead()
    }
    assert found == {
        f"{before.address}.1": ("lost", b""),
        f"{account.route().address}.1": ("", b"of the second stream"),
    }


async def test_advisories_that_are_raised_again_make_no_second_dead_letter(account: Account) -> None:
    await account.emit(5)
    await account.reject(5)
    async with running(account) as mover:
        await one_each(account, 5)
        for position in range(1, 6):
            await account.give_up(position)

        async def again() -> bool:
            return mover.counted("headgate_mover_repeats_total") == 5

        await until("all came again", again)
        await one_each(account, 5)
