"""The part of the contract about how far readers are. Knows no broker."""

from tests.contract.terms import World
from tests.contract.words import Words


class FiguresContract(Words):
    """Whatever a reader of the broker is."""

    async def test_a_reader_that_is_up_to_date_has_nothing_before_it(self, world: World) -> None:
        """All figures are zero and no age is shown."""
        _, reader = await self.both(world)
        progress = await self.progressed(world, reader.resource.key)
        assert (progress.pending, progress.in_flight, progress.redelivered) == (0, 0, 0)
        assert (progress.oldest_pending, progress.oldest_unsettled) == (None, None)

    async def test_progress_follows_an_event_through_its_life(self, world: World) -> None:
        """Waiting, in flight, settled."""
        topic, reader = await self.both(world)
        key, expects = reader.resource.key, self.expects
        positions = [await world.publish(self.subject(topic.resource.key.name)) for _ in range(4)]
        waiting = await self.comes_to(world, key, pending=4, in_flight=0)
        assert waiting.partitions[0].head == positions[-1]
        assert waiting.oldest_pending is not None
        assert await world.hand_out(key, 3) == positions[:3]
        busy = await self.comes_to(world, key, pending=1, in_flight=3)
        assert busy.partitions[0].settled == positions[0] - 1
        delivered = positions[2] if expects.in_flight else positions[0] - 1
        assert busy.partitions[0].delivered == delivered
        assert busy.deliveries == (3 if expects.repeats else None)
        await world.settle(key, positions[0])
        one_less = await self.comes_to(world, key, pending=1, in_flight=2)
        assert one_less.partitions[0].settled == positions[0]
        for position in positions[1:3]:
            await world.settle(key, position)
        free = await self.comes_to(world, key, pending=1, in_flight=0)
        assert free.partitions[0].settled == positions[2]
        assert (free.oldest_unsettled is None) is expects.in_flight
        assert (free.repeats_at_most, bool(free.checkpoint)) == (0, expects.checkpoints)

    async def test_events_are_settled_out_of_order(self, world: World) -> None:
        """The oldest one left keeps the position; where settling one settles all before it, nothing is left."""
        topic, reader = await self.both(world)
        key, expects = reader.resource.key, self.expects
        positions = [await world.publish(self.subject(topic.resource.key.name)) for _ in range(4)]
        waiting = await self.comes_to(world, key, pending=4, in_flight=0)
        await world.hand_out(key, 3)
        for position in positions[1:3]:
            await world.settle(key, position)
        if not expects.one_by_one:
            done = await self.comes_to(world, key, pending=1, in_flight=0)
            assert done.partitions[0].settled == positions[2]
            return
        stuck = await self.comes_to(world, key, pending=1, in_flight=1)
        settled = positions[0] - 1 if expects.floor else 2
        assert (stuck.partitions[0].delivered, stuck.partitions[0].settled) == (positions[2], settled)
        assert stuck.oldest_unsettled == waiting.oldest_pending
        assert stuck.oldest_pending is not None
        assert waiting.oldest_pending is not None
        assert stuck.oldest_pending >= waiting.oldest_pending
        assert (stuck.oldest_pending > waiting.oldest_pending) is expects.exact_ages
        if expects.checkpoints:
            assert (stuck.checkpoint, stuck.repeats_at_most) == (str(positions[0] - 1), 3)
        await world.settle(key, positions[0])
        free = await self.comes_to(world, key, pending=1, in_flight=0)
        assert free.oldest_unsettled is None
        assert free.checkpoint == (str(positions[2]) if expects.checkpoints else "")

    async def test_a_repeat_is_counted_as_one(self, world: World) -> None:
        """An event handed out again is in flight once."""
        topic, reader = await self.both(world)
        key = reader.resource.key
        await world.publish(self.subject(topic.resource.key.name))
        (position,) = await world.hand_out(key, 1)
        await world.fail(key, position)
        progress = await self.comes_to(world, key, pending=0, in_flight=1)
        counted = (1, 2) if self.expects.repeats else (0, None)
        assert (progress.redelivered, progress.deliveries) == counted

    async def test_an_oldest_event_that_is_gone_no_longer_counts(self, world: World) -> None:
        """The age is that of the next one."""
        topic, reader = await self.both(world)
        key = reader.resource.key
        first = await world.publish(self.subject(topic.resource.key.name))
        before = (await self.comes_to(world, key, pending=1, in_flight=0)).oldest_pending
        await world.publish(self.subject(topic.resource.key.name))
        await self.comes_to(world, key, pending=2, in_flight=0)
        await world.take_out(self.holder(topic, reader).resource.key, first)
        after = (
            await self.progressed(world, key, lambda seen: seen.oldest_pending not in (before, None))
        ).oldest_pending
        assert before is not None
        assert after is not None
        assert after > before
