"""The contract on real servers, every version that is claimed to work."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.conftest import NatsOf
from tests.contract.jetstream import ORIGIN, JetStreamContract
from tests.contract.world import NatsWorld, nats_world

from headgate.brokers.nats.resources import Stream, stream_key
from headgate.local.nats import VERSIONS


class TestNats(JetStreamContract):
    """One account on one server."""

    @pytest_asyncio.fixture(params=VERSIONS)
    async def world(self, request: pytest.FixtureRequest, nats_of: NatsOf) -> AsyncIterator[NatsWorld]:
        server = await nats_of(request.param)
        async with nats_world(server.url) as world:
            await world.make(Stream(stream_key(ORIGIN), subjects=("origin.>",), allow_direct=True), {})
            yield world
