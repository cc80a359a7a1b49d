"""Whole movers on a real server: exactly one dead letter for every event, whatever happens to the movers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from tests.contract.cutting_proxy import cutting_proxy
from tests.contract.messages_account import SECOND, Account, account_at, now
from tests.contract.raw import ODD, publish_raw
from tests.servers import nats_server, until

from headgate.brokers.nats.messages import ACK_WAIT
from headgate.brokers.nats.names import ADVISORIES_NAME
from headgate.core.letters import Entry
from headgate.core.moves import Notice, Route
from headgate.local.nats import VERSIONS
from headgate.local.run import Run
from headgate.mover.loop import Mover, Pauses
from headgate.mover.meter import Meter
from headgate.telemetry.metrics import Metrics

SOON = timedelta(
    seconds=0.2
)  # until what a killed one had in hand comes again: there is a kill around every call
HASTY = Pauses(watch=0.3, again=timedelta(seconds=0.3), longest=timedelta(seconds=0.3))


@pytest_asyncio.fixture(scope="module", params=VERSIONS)
async def url(servers: Run, request: pytest.FixtureRequest) -> AsyncIterator[str]:
    version = str(request.param)
    async with nats_server(servers, f"nats-mover-{version}", version=version) as server:
        yield server.url


@pytest_asyncio.fixture
async def account(url: str) -> AsyncIterator[Account]:
    account = await account_at(url)
    yield account
    await account.client.close()


class Running:
    """A mover at work, and what it counts."""

    def __init__(
        self, account: Account, *routes: Route, url: str = "", ack_wait: timedelta = ACK_WAIT
    ) -> None:
        self.table = {(route.source, route.reader): route for route in routes}
        self.metrics = Metrics()
        self.messages = account.messages(url, ack_wait)
        meter = Meter(self.metrics, "platform", "main")
        self.mover = Mover(self.messages, lambda: self.table, meter, now, HASTY)
        self.task = asyncio.create_task(self.mover.run())

    def counted(self, metric: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(metric, labels) or 0.0

    async def kill(self) -> None:
        """All that it knew is gone, as after SIGKILL."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.messages.aclose()

    async def stop(self) -> None:
        self.mover.stop()
        await self.task
        await self.messages.aclose()


@asynccontextmanager
async def running(
    account: Account, *routes: Route, url: str = "", ack_wait: timedelta = ACK_WAIT
) -> AsyncIterator[Running]:
    mover = Running(account, *(routes or (account.route(),)), url=url, ack_wait=ack_wait)
    try:
        yield mover
    finally:
        await mover.kill()


async def _settled(account: Account, count: int = 1) -> None:
    """At least so many advisories were raised, and all are done with."""

    async def done() -> bool:
        return await account.count(ADVISORIES_NAME) >= count and await account.unsettled() == 0

    await until("every advisory is done with", done, limit=45)


async def _one_each(account: Account, count: int) -> list[Entry]:
    """The dead letters, after checking that there is exactly one for each of `count` events."""
    await _settled(account, count)
    entries = await account.dead()
    positions = sorted(int(entry.header("headgate-position")) for entry in entries)
    assert positions == list(range(1, count + 1))
    return entries


async def test_a_dead_letter_carries_the_untouched_event_and_its_story(account: Account) -> None:
    await account.emit(1, b'{"order": 7}', {"traceparent": "00-1", "Nats-Msg-Id": "m7"})
    await account.reject(1, "bad date")
    async with running(account):
        (entry,) = await _one_each(account, 1)
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
        (entry,) = await _one_each(account, 1)
    assert (entry.header("headgate-reason"), entry.header("headgate-attempts")) == ("MaxAttempts", "2")


async def test_stranded_events_are_called_in_where_that_was_asked_for(account: Account) -> None:
    await account.emit(1)
    await account.take(1)
    await account.take(1)
    async with running(account, account.route(reap_after=0.5)) as mover:
        await until("the dead letter stands", lambda: _holds(account, "dead", 1), limit=20)

        async def called() -> bool:
            return mover.counted("headgate_mover_called_in_total") == 1

        await until("the call is counted", called)


async def _holds(account: Account, stream: str, count: int) -> bool:
    return await account.count(stream) == count


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
        entries = await _one_each(account, 3)
        assert mover.counted("headgate_mover_repeats_total") == 3
    assert {entry.letter.body for entry in entries} == {b"by the worker"}


async def test_an_event_that_was_evicted_in_flight_leaves_an_envelope(account: Account) -> None:
    await account.orders(max_msgs=2)
    await account.emit(2)
    await account.take(2)
    await account.emit(2)
    async with running(account):
        entries = await _one_each(account, 2)
    told = [(e.header("headgate-reason"), e.header("headgate-body"), e.letter.body) for e in entries]
    assert told == [("Evicted", "lost", b"")] * 2


async def test_an_event_too_large_for_the_queue_leaves_an_envelope(account: Account) -> None:
    await account.api("STREAM.DELETE.dead")
    await account.stream("dead", "hg.dead.>", max_msg_size=1000)
    await account.emit(1, b"x" * 5000, {"traceparent": "00-1"})
    await account.reject(1)
    async with running(account) as mover:
        (entry,) = await _one_each(account, 1)
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
        await _one_each(account, 3)


async def test_an_event_that_its_dead_letter_would_make_too_large_for_the_server_leaves_an_envelope(
    account: Account,
) -> None:
    await account.emit(1, b"x" * (2**20 - 100))
    await account.emit(1)
    await account.reject(2)
    async with running(account) as mover:
        entries = await _one_each(account, 2)
        assert mover.counted("headgate_mover_captured_total", reason="Rejected", body="too-large") == 1
        assert mover.counted("headgate_mover_failures_total", reason="Disconnected") == 0
    assert {entry.header("headgate-body") for entry in entries} == {"too-large", ""}


async def test_headers_out_of_shape_stop_no_dead_letter(account: Account) -> None:
    odd = list(ODD.values())
    await publish_raw(account.url, [("orders.c1.paid", block, b"x") for block in odd])
    for position in range(1, len(odd) + 1):  # no worker could be sent them
        await account.give_up(position)
    async with running(account):
        entries = await _one_each(account, len(odd))
    assert {entry.letter.body for entry in entries} == {b"x"}


async def test_what_was_lost_while_no_mover_ran_is_seen_by_the_first_that_does(account: Account) -> None:
    await account.emit(10)
    await account.reject(10)
    await until("all advisories are kept", lambda: _holds(account, ADVISORIES_NAME, 10))
    await account.api(f"STREAM.PURGE.{ADVISORIES_NAME}", {"keep": 2})
    async with running(account) as mover:
        await until("the rest is moved", lambda: _holds(account, "dead", 2))
        assert mover.counted("headgate_mover_missed_total") == 8


async def test_what_a_killed_mover_had_in_hand_comes_again(account: Account) -> None:
    await account.emit(3)
    await account.reject(3)
    killed = account.messages(ack_wait=timedelta(seconds=1))
    await killed.open()
    got = list[Notice]()
    while len(got) < 3:
        got += await killed.notices(3 - len(got), timedelta(seconds=2))
    await killed.aclose()
    async with running(account, ack_wait=timedelta(seconds=1)):
        await _one_each(account, 3)


async def test_dead_letters_of_ours_wait_for_their_route(account: Account) -> None:
    await account.emit(1)
    await account.reject(1)
    async with running(account, replace(account.route(), reader="another")) as mover:

        async def held() -> bool:
            return mover.counted("headgate_mover_failures_total", reason="RouteMissing") >= 1

        await until("the mover holds it", held)
        mover.table = {("orders", "billing"): account.route()}
        await _one_each(account, 1)


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
        await _settled(account)
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
        await _settled(account)
    assert [entry.header("headgate-reason") for entry in await account.dead()] == ["Rejected"]


async def test_an_event_of_a_stream_that_was_made_anew_is_lost_and_never_taken_for_its_successor(
    account: Account,
) -> None:
    before = account.route()
    await account.emit(1, b"of the first stream")
    await account.reject(1)
    await until("the advisory is kept", lambda: _holds(account, ADVISORIES_NAME, 1))
    await account.orders()
    await account.emit(1, b"of the second stream")
    await account.reject(1)
    async with running(account, before) as mover:

        async def stale() -> bool:
            return mover.counted("headgate_mover_failures_total", reason="RouteStale") >= 1

        await until("the second one waits for its new route", stale)
        mover.table = {("orders", "billing"): account.route()}
        await _settled(account)
    found = {
        entry.letter.address: (entry.header("headgate-body"), entry.letter.body)
        for entry in await account.dead()
    }
    assert found == {
        f"{before.address}.1": ("lost", b""),
        f"{account.route().address}.1": ("", b"of the second stream"),
    }


async def test_several_movers_share_the_work_and_write_each_dead_letter_once(account: Account) -> None:
    await account.emit(400)
    await account.reject(400)
    movers = [Running(account, account.route()) for _ in range(3)]
    await _one_each(account, 400)
    for mover in movers:
        await mover.stop()
    moved = [m.counted("headgate_mover_captured_total", reason="Rejected", body="whole") for m in movers]
    assert sum(moved) == 400


async def test_advisories_that_are_raised_again_make_no_second_dead_letter(account: Account) -> None:
    await account.emit(5)
    await account.reject(5)
    async with running(account) as mover:
        await _one_each(account, 5)
        for position in range(1, 6):
            await account.give_up(position)

        async def again() -> bool:
            return mover.counted("headgate_mover_repeats_total") == 5

        await until("all came again", again)
        await _one_each(account, 5)


async def _calls_of_a_whole_run(account: Account, events: int) -> int:
    """How many messages a mover sends to move so many events, with two more turns."""
    await account.emit(events)
    await account.reject(events)
    async with cutting_proxy(account.url) as proxy, running(account, url=proxy.url):
        await _one_each(account, events)
        return proxy.sent


@pytest.mark.parametrize("answer", [True, False], ids=["after its answer", "before its answer"])
async def test_a_mover_killed_around_any_of_its_calls_loses_and_doubles_nothing(
    account: Account, *, answer: bool
) -> None:
    events = 3
    calls = await _calls_of_a_whole_run(account, events)
    assert calls > 4 * events  # read, fetch, write and settle each, at least
    for cut_at in range(1, calls + 1):
        await account.clean()
        await account.api(f"CONSUMER.DELETE.{ADVISORIES_NAME}.headgate_mover")
        await account.emit(events)
        await account.reject(events)
        async with (
            cutting_proxy(account.url, cut_at, answer=answer) as proxy,
            running(account, url=proxy.url, ack_wait=SOON),
        ):
            await proxy.cut.wait()
        async with running(account, ack_wait=SOON):
            await _one_each(account, events)


async def test_a_server_that_restarts_is_found_again(servers: Run) -> None:
    async with nats_server(servers, "nats-mover-restarts") as server:
        account = await account_at(server.url)
        async with running(account):
            await server.kill()
            await server.restart()
            await account.client.close()
            again = await account_at(server.url)
            await again.emit(2)
            await again.reject(2)
            mover = Running(again, again.route())
            await _one_each(again, 2)
            await mover.stop()
            await again.client.close()


async def test_a_mover_that_is_told_to_stop_ends_soon(account: Account) -> None:
    mover = Running(account, account.route())
    await until("it is at work", lambda: _opened(account))
    async with asyncio.timeout(timedelta(seconds=5).total_seconds()):
        await mover.stop()


async def _opened(account: Account) -> bool:
    return "error" not in await account.api(f"CONSUMER.INFO.{ADVISORIES_NAME}.headgate_mover")
