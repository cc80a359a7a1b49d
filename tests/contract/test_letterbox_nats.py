"""What the operator counts in a dead-letter queue of a real server, whatever was published there."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
from tests.conftest import NatsOf
from tests.contract.raw import ODD, publish_raw
from tests.contract.world import NatsWorld, nats_world

from headgate.brokers.nats.resources import stream_key
from headgate.core.progress import Holding
from headgate.core.resource import Key
from headgate.local.nats import VERSIONS


@dataclass
class Queue:
    """A dead-letter queue of its own."""

    world: NatsWorld
    url: str
    key: Key

    async def make(self, **settings: object) -> None:
        config = {"name": self.key.name, "subjects": [f"hg.{self.key.name}.>"], "storage": "file", **settings}
        await self.world.api(f"STREAM.CREATE.{self.key.name}", config)

    async def holding(self) -> Holding:
        found = (await self.world.broker.dead_letters([self.key]))[self.key]
        assert isinstance(found, Holding)
        return found

    def subject(self, number: int) -> str:
        return f"hg.{self.key.name}.orders.billing.1.{number}"


@pytest_asyncio.fixture(params=VERSIONS)
async def queue(request: pytest.FixtureRequest, nats_of: NatsOf) -> AsyncIterator[Queue]:
    server = await nats_of(request.param)
    async with nats_world(server.url) as world:
        yield Queue(world, server.url, stream_key(world.fresh("letterbox")))


async def test_headers_out_of_shape_are_counted_and_cost_nobody_the_connection(queue: Queue) -> None:
    await queue.make()
    await queue.world.publish(queue.subject(0), {"headgate-group": "shop/a", "headgate-reason": "Rejected"})
    before = await queue.holding()
    odd = [(queue.subject(number), block, b"x") for number, block in enumerate(ODD.values(), 1)]
    await publish_raw(queue.url, odd)
    await queue.world.publish(queue.subject(99), {"headgate-group": "shop/b", "headgate-reason": "Rejected"})
    after = await queue.holding()
    assert [group.group for group in before.groups] == ["shop/a"]
    assert sum(group.depth for group in after.groups) == len(odd) + 2
    names = {group.group for group in after.groups}
    assert names == {"shop/a", "shop/b", "a/b", "a/x", "Other", "unknown"}


@pytest.mark.parametrize(
    ("settings", "sizes"),
    [
        pytest.param({"max_msgs": 3}, (10, 10, 10), id="as many entries as it may hold"),
        pytest.param({"max_bytes": 4000}, (3700,), id="no room for the smallest entry"),
    ],
)
async def test_a_queue_that_takes_no_more_is_seen_to_be_so(
    queue: Queue, settings: dict[str, int], sizes: tuple[int, ...]
) -> None:
    await queue.make(discard="new", **settings)
    empty = await queue.holding()
    await publish_raw(
        queue.url, [(queue.subject(n), b"NATS/1.0\r\n\r\n", b"x" * size) for n, size in enumerate(sizes)]
    )
    room = (await queue.holding()).room
    assert (empty.room.entries, empty.room.size) == (0, 0)
    assert (room.most_entries, room.most_size) == (settings.get("max_msgs"), settings.get("max_bytes"))
    assert room.entries == len(sizes)
    assert sum(sizes) < room.size < sum(sizes) + 200 * len(sizes)
