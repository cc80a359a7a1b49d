"""Dead letters on a real server as a person goes through them: in order, closed in their place, never back again."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio
from tests.contract.messages_account import Account, account_at
from tests.servers import nats_server

from headgate.api import NatsConnection
from headgate.brokers.base import Credentials, Refused
from headgate.brokers.messages import Kept
from headgate.brokers.nats.letters import NatsLetters
from headgate.brokers.nats.link import Link
from headgate.core.letters import Entry, Letter, Resolution, tombstone
from headgate.local.run import Run

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest_asyncio.fixture(scope="module")
async def url(servers: Run) -> AsyncIterator[str]:
    async with nats_server(servers, "nats-letters") as server:
        yield server.url


@pytest_asyncio.fixture
async def account(url: str) -> AsyncIterator[Account]:
    account = await account_at(url)
    yield account
    await account.client.close()


@pytest_asyncio.fixture
async def letters(account: Account) -> AsyncIterator[NatsLetters]:
    link = Link(NatsConnection(servers=(account.url,)), Credentials(), timeout=5, name="test")
    letters = NatsLetters(link, "dead")
    yield letters
    await letters.aclose()


def _letter(number: int) -> Letter:
    headers = (
        ("traceparent", "00-1"),
        ("headgate-group", "shop/billing"),
        ("headgate-position", str(number)),
    )
    return Letter(f"hg.dead.orders.billing.1.{number}", headers, b"body")


async def _bury(account: Account, *numbers: int) -> list[Kept]:
    messages = account.messages()
    kept = list(await messages.keep([_letter(number) for number in numbers]))
    await messages.aclose()
    return kept


async def _all(letters: NatsLetters, after: int = 0) -> list[Entry]:
    return [entry async for entry in letters.entries(after)]


def _stone(entry: Entry) -> Letter:
    return tombstone(entry, Resolution.DISCARDED, by="ann", reason="test order", at=NOON)


async def test_entries_come_in_the_order_of_their_arrival(account: Account, letters: NatsLetters) -> None:
    await _bury(account, *range(1, 201))
    assert [entry.letter.address.rpartition(".")[2] for entry in await _all(letters)] == [
        str(n) for n in range(1, 201)
    ]
    assert [entry.position for entry in await _all(letters, 198)] == [199, 200]


async def test_an_empty_queue_has_no_entries(letters: NatsLetters) -> None:
    assert await _all(letters) == []
    assert await letters.entry(7) is None


async def test_long_gaps_are_jumped_over(account: Account, letters: NatsLetters) -> None:
    await _bury(account, *range(1, 401))
    await account.api("STREAM.PURGE.dead", {"filter": "hg.dead.orders.billing.1.>", "keep": 1})
    await _bury(account, 1)
    assert [entry.position for entry in await _all(letters)] == [400, 401]


async def test_a_closed_entry_keeps_its_story_and_loses_its_payload(
    account: Account, letters: NatsLetters
) -> None:
    await _bury(account, 1)
    (entry,) = await _all(letters)
    assert await letters.close_entry(entry, _stone(entry))
    (closed,) = await _all(letters)
    assert (closed.open, closed.letter.body, closed.header("traceparent")) == (False, b"", "")
    told = {
        name: closed.header(name)
        for name in ("headgate-group", "headgate-resolution", "headgate-resolved-by")
    }
    assert told == {
        "headgate-group": "shop/billing",
        "headgate-resolution": "Discarded",
        "headgate-resolved-by": "ann",
    }


async def test_what_was_closed_never_comes_back(account: Account, letters: NatsLetters) -> None:
    await _bury(account, 1)
    (entry,) = await _all(letters)
    await letters.close_entry(entry, _stone(entry))
    assert await _bury(account, 1) == [Kept.PRESENT]


async def test_only_one_of_two_people_closes_an_entry(account: Account, letters: NatsLetters) -> None:
    await _bury(account, 1)
    (entry,) = await _all(letters)
    assert [await letters.close_entry(entry, _stone(entry)) for _ in range(2)] == [True, False]


async def test_an_entry_of_a_full_queue_can_be_closed(account: Account, letters: NatsLetters) -> None:
    await account.api("STREAM.DELETE.dead")
    await account.stream("dead", "hg.dead.>", max_msgs=2, discard="new", allow_rollup_hdrs=True)
    assert await _bury(account, 1, 2, 3) == [Kept.STORED, Kept.STORED, Kept.FULL]
    first, second = await _all(letters)
    assert await letters.close_entry(first, _stone(first))
    assert [(entry.letter.address, entry.open) for entry in await _all(letters)] == [
        (second.letter.address, True),
        (first.letter.address, False),
    ]


async def test_a_queue_that_is_not_in_the_broker_is_refused_by_name(
    account: Account, letters: NatsLetters
) -> None:
    await account.api("STREAM.DELETE.dead")
    with pytest.raises(Refused) as caught:
        await _all(letters)
    assert caught.value.reason == "NotFound"
