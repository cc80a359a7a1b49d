"""The part of the contract about objects: read, made, changed, taken over, deleted. Knows no broker."""

from dataclasses import replace

import pytest
from tests.contract.terms import (
    OWNER,
    OWNER_MARK,
    STRANGER,
    World,
    applied,
    changed,
    claimed,
    created,
    deleted,
    read,
)
from tests.contract.words import Words

from headgate.brokers.base import Refused
from headgate.core.changes import Action
from headgate.core.resource import Observed, Resource

THEIRS = {OWNER_MARK: str(STRANGER)}


class ObjectsContract(Words):
    """Whatever an object of the broker is."""

    # Reading

    async def test_absent_objects_are_left_out(self, world: World) -> None:
        """Nothing is invented for a key that names nothing."""
        name = world.fresh("nothing")
        keys = [self.topic(name).key, self.reader(name, "nobody").key]
        assert await world.broker.observe(keys) == {}
        assert await world.broker.progress(keys[1:]) == {}

    async def test_a_created_object_reads_back_as_it_was_answered(self, world: World) -> None:
        """The answer to a change and a later look agree, statistics aside."""
        topic, reader = await self.both(world)
        for made in (topic, reader):
            found = await read(world, made.resource.key)
            assert replace(found, stats=made.stats) == made
            assert found.mark == self._mark()
            assert found.resource.bears_mark is self.expects.marks
            assert found.identity
            assert not found.adopted
        assert (reader.identity != topic.identity) is self.expects.reader_identity

    async def test_many_objects_are_read_at_once(self, world: World) -> None:
        """More than one page of names, some of them absent."""
        topics = [self.topic(world.fresh("many")) for _ in range(12)]
        for topic in topics[::2]:
            await applied(world, created(topic))
        found = await world.broker.observe([topic.key for topic in topics])
        assert found.keys() == {topic.key for topic in topics[::2]}

    async def test_facts_say_who_the_cluster_is(self, world: World) -> None:
        """Type and version are there, and nothing changes between two looks."""
        facts = await world.broker.facts()
        assert facts.type
        assert facts.server_version
        assert facts == await world.broker.facts()

    # Changing

    async def test_creating_twice_is_a_success(self, world: World) -> None:
        """A lost answer is asked for again without harm."""
        for made in await self.both(world):
            again = await applied(world, created(made.resource))
            assert again.identity == made.identity

    async def test_creating_what_a_stranger_made_is_refused(self, world: World) -> None:
        """A creation takes nothing over."""
        topic = self.topic(world.fresh("taken"))
        await world.make(topic, THEIRS)
        with pytest.raises(Refused) as refusal:
            await world.broker.apply(created(topic))
        assert refusal.value.reason == "AlreadyExists"
        assert (await read(world, topic.key)).mark == (str(STRANGER) if self.expects.marks else None)

    async def test_what_a_stranger_owns_is_not_ours_to_change(self, world: World) -> None:
        """The mark decides; without one, what was recorded: the plan sees a stranger's where nothing was."""
        topic, found = await self._foreign(world)
        if not self.expects.marks:
            assert claimed(topic, found, recorded=found.identity).owned
            return
        with pytest.raises(Refused) as refusal:
            await world.broker.apply(changed(found, topic))
        assert refusal.value.reason == "OwnedByAnother"

    async def test_what_was_there_can_be_taken_over(self, world: World) -> None:
        """With our mark on it, which remembers that it was there before us; without one, as the plan records it."""
        topic = self.topic(world.fresh("adopted"))
        await world.make(topic, {})
        found = await read(world, topic.key)
        assert found.mark is None
        taken = await applied(world, changed(found, topic, Action.ADOPT))
        assert (taken.mark, taken.identity) == (self._mark(), found.identity)
        assert taken.adopted is self.expects.marks
        assert (await applied(world, changed(taken, topic))).adopted is self.expects.marks

    async def test_a_change_meant_for_an_earlier_object_is_refused(self, world: World) -> None:
        """Deleted and made again is another object."""
        topic, _ = await self.both(world)
        await world.remove(topic.resource.key)
        renewed = await applied(world, created(self.topic(topic.resource.key.name)))
        assert renewed.identity != topic.identity
        for change in (changed(topic, topic.resource), deleted(topic)):
            with pytest.raises(Refused) as refusal:
                await world.broker.apply(change)
            assert refusal.value.reason == "IdentityChanged"

    # Deleting

    async def test_deleting_is_done_once_and_may_be_repeated(self, world: World) -> None:
        """What is gone already is a success."""
        topic, reader = await self.both(world)
        for made in (reader, topic):
            assert await world.broker.apply(deleted(made)) is None
            assert await world.broker.apply(deleted(made)) is None
        assert await world.broker.observe([topic.resource.key, reader.resource.key]) == {}

    async def test_deleting_what_a_stranger_owns_is_refused(self, world: World) -> None:
        """Whatever the plan said; without marks the plan has to say it, and does."""
        _, found = await self._foreign(world)
        if not self.expects.marks:
            return
        with pytest.raises(Refused) as refusal:
            await world.broker.apply(deleted(found))
        assert refusal.value.reason == "OwnedByAnother"

    async def test_what_holds_events_is_not_empty(self, world: World) -> None:
        """Empty ones go, others stay."""
        topic, reader = await self.both(world)
        holder = self.holder(topic, reader)
        position = await world.publish(self.subject(topic.resource.key.name))
        with pytest.raises(Refused) as refusal:
            await world.broker.apply(deleted(holder, only_if_empty=True))
        assert refusal.value.reason == "NotEmpty"
        await world.take_out(holder.resource.key, position)
        assert await world.broker.apply(deleted(holder, only_if_empty=True)) is None

    # What a group needs when it is lost

    async def test_a_lost_reader_comes_back_at_its_checkpoint(self, world: World) -> None:
        """Repeats, never gaps; one that held its events has none to come back to, and its loss is one of data."""
        topic, reader = await self.both(world)
        key = reader.resource.key
        positions = [await world.publish(self.subject(topic.resource.key.name)) for _ in range(3)]
        assert await world.hand_out(key, 2) == positions[:2]
        await world.settle(key, positions[0])
        checkpoint = (await self.comes_to(world, key, pending=1, in_flight=1)).checkpoint
        assert bool(checkpoint) is self.expects.checkpoints
        assert reader.resource.holds_data is not self.expects.checkpoints
        await world.remove(key)
        renewed = await self._renewed(world, topic, reader, checkpoint)
        assert (renewed.identity != reader.identity) is self.expects.reader_identity
        assert await world.hand_out(key, 5) == (positions[1:] if self.expects.checkpoints else [])

    async def _renewed(self, world: World, topic: Observed, reader: Observed, checkpoint: str) -> Observed:
        plain: Resource = self.reader(topic.resource.key.name, "billing")
        return await applied(world, created(plain.resumed_at(checkpoint, reader.identity)))

    async def _foreign(self, world: World) -> tuple[Resource, Observed]:
        """A topic as it would be declared, and a stranger's in its place, which the plan does not take for ours."""
        topic = self.topic(world.fresh("foreign"))
        await world.make(topic, THEIRS)
        found = await read(world, topic.key)
        assert not claimed(topic, found).owned
        return topic, found

    def _mark(self) -> str | None:
        return str(OWNER) if self.expects.marks else None
