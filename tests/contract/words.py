"""What an adapter's tests bring to the contract: objects to try in the broker's own words. Knows no broker."""

from collections.abc import Callable, Mapping

from tests.contract.expectations import Expectations
from tests.contract.terms import World, applied, created

from headgate.core.progress import Progress
from headgate.core.resource import Key, Observed, Resource
from headgate.local.waiting import until


class Words:
    """One of everything that the contract speaks about."""

    expects: Expectations = Expectations()

    def topic(self, name: str) -> Resource:
        """What events are published to."""
        raise NotImplementedError

    def reader(self, topic: str, name: str) -> Resource:
        """What remembers how far a group has come with them."""
        raise NotImplementedError

    def queue(self, name: str) -> Resource:
        """What holds dead letters."""
        raise NotImplementedError

    def subject(self, topic: str) -> str:
        """Where an event of the topic is published."""
        raise NotImplementedError

    def holder(self, topic: Observed, reader: Observed) -> Observed:
        """Which of the two holds the events."""
        del reader
        return topic

    async def bury(self, world: World, queue: str, number: int, headers: Mapping[str, str]) -> int:
        """A worker makes a dead letter; its position."""
        raise NotImplementedError

    async def resolve(self, world: World, queue: str, number: int) -> None:
        """A person is done with one."""
        raise NotImplementedError

    async def both(self, world: World) -> tuple[Observed, Observed]:
        """A topic and its reader, made by us."""
        name = world.fresh("orders")
        topic = await applied(world, created(self.topic(name)))
        return topic, await applied(world, created(self.reader(name, "billing")))

    async def progressed(
        self, world: World, key: Key, when: Callable[[Progress], bool] = lambda _: True
    ) -> Progress:
        """How far the one reader is, as soon as the broker has counted so far."""
        seen: list[Progress] = []

        async def so_far() -> bool:
            found = (await world.broker.progress([key]))[key]
            assert isinstance(found, Progress), found
            seen.append(found)
            return when(found)

        await until("the reader is as far as it should be", so_far, limit=self.expects.patience)
        return seen[-1]

    async def comes_to(self, world: World, key: Key, pending: int, in_flight: int) -> Progress:
        """How far the one reader is once so much is before it; where nobody tells what was handed out, in one sum."""
        if not self.expects.in_flight:
            pending, in_flight = pending + in_flight, 0
        return await self.progressed(
            world, key, lambda seen: (seen.pending, seen.in_flight) == (pending, in_flight)
        )
