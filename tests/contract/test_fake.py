"""The fake broker keeps the same contract as a real one, in every version that it imitates."""

import itertools
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from tests.contract.jetstream import ORIGIN, JetStreamContract

from headgate.brokers.fake import FakeBroker
from headgate.brokers.nats.resources import Stream, stream_key
from headgate.core.resource import Key, Resource

START = datetime(2026, 11, 20, 10, tzinfo=UTC)


def ticking() -> Iterator[datetime]:
    """Every look at the clock finds it a little later."""
    return (START + timedelta(milliseconds=n) for n in itertools.count())


class FakeWorld:
    """A fake and what happens behind the operator's back."""

    def __init__(self, level: int) -> None:
        clock = ticking()
        self.broker = FakeBroker(lambda: next(clock), level=level)
        self.level = level
        self._numbers = itertools.count(1)

    def fresh(self, name: str) -> str:
        return f"{name}-{next(self._numbers)}"

    async def make(self, resource: Resource, marks: Mapping[str, str]) -> None:
        self.broker.put(resource, marks)

    async def remove(self, key: Key) -> None:
        self.broker.remove(key)

    async def publish(self, subject: str, headers: Mapping[str, str] | None = None) -> int:
        return self.broker.publish(subject, headers)

    async def hand_out(self, key: Key, count: int) -> list[int]:
        return self.broker.hand_out(key, count)

    async def fail(self, key: Key, position: int) -> None:
        self.broker.hand_out_again(key, position)

    async def settle(self, key: Key, position: int) -> None:
        self.broker.settle(key, position)

    async def take_out(self, key: Key, position: int) -> None:
        self.broker.expire(key, position)

    async def stored_subject(self, key: Key, position: int) -> str:
        return self.broker.server.stores[key.name].messages[position].subject


class TestFake(JetStreamContract):
    """Levels stand for versions: 0 is 2.10, 1 is 2.11, 3 is 2.12, 4 is 2.14, 5 is the newest."""

    @pytest_asyncio.fixture(params=[0, 1, 3, 4, 5], ids=lambda level: f"level {level}")
    async def world(self, request: pytest.FixtureRequest) -> AsyncIterator[FakeWorld]:
        world = FakeWorld(request.param)
        world.broker.put(Stream(stream_key(ORIGIN), subjects=("origin.>",)))
        yield world
