"""What an adapter's tests bring to the contract: objects to try in the broker's own words. Knows no broker."""

from tests.contract.terms import World, applied, created

from headgate.core.resource import Observed, Resource


class Words:
    """One of everything that the contract speaks about."""

    def topic(self, name: str) -> Resource:
        """What holds events."""
        raise NotImplementedError

    def reader(self, topic: str, name: str) -> Resource:
        """What remembers a position in them."""
        raise NotImplementedError

    def queue(self, name: str) -> Resource:
        """What holds dead letters."""
        raise NotImplementedError

    def dead_subject(self, queue: str, number: int) -> str:
        """Where a dead letter is published."""
        raise NotImplementedError

    def subject(self, topic: str) -> str:
        """Where an event of the topic is published."""
        raise NotImplementedError

    async def both(self, world: World) -> tuple[Observed, Observed]:
        """A topic and its reader, made by us."""
        name = world.fresh("orders")
        topic = await applied(world, created(self.topic(name)))
        return topic, await applied(world, created(self.reader(name, "billing")))
