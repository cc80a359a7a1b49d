"""What message tests share, and that the shared parts of the contract tell what did not hold as test files do."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.contract.messages_account import Account, account_at
from tests.servers import nats_server

from headgate.local.nats import VERSIONS
from headgate.local.run import Run

SHARED = ("figures", "jetstream", "letters", "objects", "settings", "terms", "words", "world")
pytest.register_assert_rewrite(*(f"tests.contract.{name}" for name in SHARED))


@pytest_asyncio.fixture(scope="module", params=VERSIONS)
async def url(servers: Run, request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """A server of each version, for one file of tests alone."""
    version, file = str(request.param), request.module.__name__.rpartition(".")[2].removeprefix("test_")
    async with nats_server(servers, f"nats-{file}-{version}", version=version) as server:
        yield server.url


@pytest_asyncio.fixture
async def account(url: str) -> AsyncIterator[Account]:
    """Its account, with empty streams."""
    account = await account_at(url)
    yield account
    await account.client.close()
