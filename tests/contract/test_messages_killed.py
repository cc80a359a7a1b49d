"""Movers that are killed, repeated, away or many on a real server: exactly one dead letter for every event all the same."""

import asyncio
from datetime import timedelta

import pytest
from tests.contract.cutting_proxy import CuttingProxy, cutting_proxy
from tests.contract.messages_account import Account, account_at
from tests.contract.movers import CALM, Running, holds, one_each, running
from tests.servers import nats_server, until

from headgate.brokers.nats.names import ADVISORIES_NAME
from headgate.core.moves import Notice
from headgate.local.nats import VERSIONS
from headgate.local.run import Run

SOON = timedelta(seconds=0.1)  # until what one had in hand comes again: there is a kill around every call
ENOUGH = timedelta(seconds=20)


async def _calls_of_a_whole_run(account: Account, events: int) -> int:
    """How many messages a mover sends to move so many events, with two more turns."""
    await account.emit(events)
    await account.reject(events)
    async with cutting_proxy(account.url) as proxy, running(account, url=proxy.url, pauses=CALM):
        await one_each(account, events)
        return proxy.sent


@pytest.mark.parametrize("url", [VERSIONS[0], VERSIONS[-1]], indirect=True)
@pytest.mark.parametrize("answer", [True, False], ids=["after its answer", "before its answer"])
async def test_a_mover_killed_around_any_of_its_calls_loses_and_doubles_nothing(
    account: Account, *, answer: bool
) -> None:
    events = 2
    calls = await _calls_of_a_whole_run(account, events)
    assert calls > 4 * events  # read, fetch, write and settle each, at least
    for cut_at in range(1, calls + 1):
        await account.clean()
        await account.api(f"CONSUMER.DELETE.{ADVISORIES_NAME}.headgate_mover")
        await account.emit(events)
        await account.reject(events)
        async with (
            cutting_proxy(account.url, cut_at, answer=answer) as proxy,
            running(account, url=proxy.url, ack_wait=SOON, pauses=CALM),
        ):
            cut = await _is_cut(proxy)
        async with running(account, ack_wait=SOON):
            await one_each(account, events)
        if not cut:
            assert (
                cut_at > 4 * events
            )  # on a busy machine the run that was counted may have asked for something twice
            return


async def _is_cut(proxy: CuttingProxy) -> bool:
    """Whether the call that is to be the last one was made; all of them are over long before the time is."""
    try:
        async with asyncio.timeout(ENOUGH.total_seconds()):
            await proxy.cut.wait()
    except TimeoutError:
        return False
    return True


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
            await one_each(again, 2)
            await mover.stop()
            await again.client.close()


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
        await one_each(account, 3)


async def test_what_was_lost_while_no_mover_ran_is_seen_by_the_first_that_does(account: Account) -> None:
    await account.emit(10)
    await account.reject(10)
    await until("all advisories are kept", lambda: holds(account, ADVISORIES_NAME, 10))
    await account.api(f"STREAM.PURGE.{ADVISORIES_NAME}", {"keep": 2})
    async with running(account) as mover:
        await until("the rest is moved", lambda: holds(account, "dead", 2))
        assert mover.counted("headgate_mover_missed_total") == 8


async def test_several_movers_share_the_work_and_write_each_dead_letter_once(account: Account) -> None:
    await account.emit(400)
    await account.reject(400)
    movers = [Running(account, account.route()) for _ in range(3)]
    await one_each(account, 400)
    await asyncio.gather(*(mover.stop() for mover in movers))
    moved = [m.counted("headgate_mover_captured_total", reason="Rejected", body="whole") for m in movers]
    assert sum(moved) == 400


async def test_a_mover_that_is_told_to_stop_ends_soon(account: Account) -> None:
    mover = Running(account, account.route())
    await until("it is at work", lambda: _opened(account))
    async with asyncio.timeout(timedelta(seconds=5).total_seconds()):
        await mover.stop()


async def _opened(account: Account) -> bool:
    return "error" not in await account.api(f"CONSUMER.INFO.{ADVISORIES_NAME}.headgate_mover")
