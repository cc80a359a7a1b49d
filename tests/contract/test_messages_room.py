"""Why a dead letter is not written for lack of room, on real servers: the queue's bounds, the account's, the server's."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.contract.messages_account import Account, account_at
from tests.servers import nats_server

from headgate.brokers.messages import Kept
from headgate.brokers.nats.messages import NatsMessages
from headgate.core.letters import Letter
from headgate.local.nats import VERSIONS
from headgate.local.run import Run


@pytest_asyncio.fixture
async def messages(account: Account) -> AsyncIterator[NatsMessages]:
    messages = account.messages()
    yield messages
    await messages.aclose()


async def test_a_dead_letter_that_its_headers_make_too_large_is_not_sent(
    messages: NatsMessages,
) -> None:
    body = b"x" * (2**20 - 100)
    letters = [Letter(f"hg.dead.a.b.1.{n}", (("headgate-error", "e" * n),), body) for n in (10, 100)]
    assert await messages.keep(letters) == [Kept.STORED, Kept.TOO_LARGE]
    assert await messages.keep(letters) == [Kept.PRESENT, Kept.TOO_LARGE]


@pytest.mark.parametrize(
    ("settings", "body", "expected"),
    [
        pytest.param(
            {"max_msg_size": 100},
            b"x" * 200,
            Kept.TOO_LARGE,
            id="a body above the queue's limit is too large",
        ),
        pytest.param(
            {}, b"x" * (2**20 + 1), Kept.TOO_LARGE, id="a body above the server's limit is too large"
        ),
        pytest.param(
            {"max_msgs": 1, "discard": "new"}, b"x", Kept.FULL, id="a queue that refuses new entries is full"
        ),
        pytest.param(
            {"max_bytes": 200, "discard": "new"}, b"x" * 100, Kept.FULL, id="a queue without room is full"
        ),
    ],
)
async def test_why_a_dead_letter_was_not_written(
    account: Account, messages: NatsMessages, settings: dict[str, object], body: bytes, expected: Kept
) -> None:
    await account.api("STREAM.DELETE.dead")
    await account.stream("dead", "hg.dead.>", **settings)
    await messages.keep([Letter("hg.dead.a.b.1.1", (), b"x" * min(len(body), 100))])
    assert await messages.keep([Letter("hg.dead.a.b.1.2", (), body)]) == [expected]


STORAGE = """
accounts { SHOP { jetstream { max_file: 300K }, users [{ user: worker, password: secret }] } }
no_auth_user: worker
"""


@pytest.mark.parametrize("version", [VERSIONS[0], VERSIONS[-1]])
async def test_an_account_without_storage_left_is_full_for_a_queue_that_has_no_bound(
    servers: Run, version: str
) -> None:
    async with nats_server(servers, f"nats-small-{version}", version=version, config=STORAGE) as server:
        account = await account_at(server.url)
        messages = account.messages()
        letters = [Letter(f"hg.dead.a.b.1.{n}", (), b"x" * 50_000) for n in range(10)]
        found = await messages.keep(letters)
        assert set(found) == {Kept.STORED, Kept.FULL}
        assert found.count(Kept.STORED) == await account.count("dead")
        await account.api("STREAM.PURGE.dead")
        assert await messages.keep(letters[-1:]) == [Kept.STORED]
        await messages.aclose()
        await account.client.close()
