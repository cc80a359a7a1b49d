"""What every broker adapter promises, written against the seam alone. A new adapter subclasses it and brings its own words."""

from dataclasses import replace

import pytest
from tests.contract.settings import SettingsContract
from tests.contract.terms import (
    OWNER,
    STRANGER,
    World,
    applied,
    changed,
    created,
    deleted,
    progressed,
    read,
)
from tests.servers import until

from headgate.brokers.base import Refused
from headgate.core.changes import Action
from headgate.core.progress import DeadLetters, Holding
from headgate.core.resource import Key


class BrokerContract(SettingsContract):
    """Subclasses bring a `world` fixture and the broker's words."""

    # Reading

    async def test_absent_objects_are_left_out(self, world: World) -> None:
        """Nothing is invented for a key that names nothing."""
        name = world.fresh("nothing")
        keys = [self.topic(name).key, self.reader(name, "nobody").key]
        assert await world.broker.observe(keys) == {}
        assert await world.broker.progress(keys[1:]) == {}
        assert await world.broker.dead_letters(keys[:1]) == {}

    async def test_a_created_object_reads_back_as_it_was_answered(self, world: World) -> None:
        """The answer to a change and a later look agree, statistics aside."""
        for made in await self.both(world):
            found = await read(world, made.resource.key)
            assert replace(found, stats=made.stats) == made
            assert found.mark == str(OWNER)
            assert found.identity
            assert not found.adopted

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
        await applied(world, created(topic, STRANGER))
        with pytest.raises(Refused) as refusal:
            await world.broker.apply(created(topic))
        assert refusal.value.reason == "AlreadyExists"
        assert (await read(world, topic.key)).mark == str(STRANGER)

    async def test_updating_what_a_stranger_owns_is_refused(self, world: World) -> None:
        """The mark decides."""
        topic = self.topic(world.fresh("foreign"))
        found = await applied(world, created(topic, STRANGER))
        with pytest.raises(Refused) as refusal:
            await world.broker.apply(changed(found, topic))
        assert refusal.value.reason == "OwnedByAnother"

    async def test_adopting_puts_our_mark_on_what_was_there(self, world: World) -> None:
        """And remembers that it was there before us."""
        topic = self.topic(world.fresh("adopted"))
        await world.make(topic, {})
        found = await read(world, topic.key)
        assert found.mark is None
        taken = await applied(world, changed(found, topic, Action.ADOPT))
        assert (taken.mark, taken.identity, taken.adopted) == (str(OWNER), found.identity, True)
        assert (await applied(world, changed(taken, topic))).adopted

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
        """Whatever the plan said."""
        found = await applied(world, created(self.topic(world.fresh("foreign")), STRANGER))
        with pytest.raises(Refused) as refusal:
            await world.broker.apply(deleted(found))
        assert refusal.value.reason == "OwnedByAnother"

    async def test_a_topic_that_holds_events_is_not_empty(self, world: World) -> None:
        """Empty ones go, others stay."""
        topic, _ = await self.both(world)
        position = await world.publish(self.subject(topic.resource.key.name))
        with pytest.raises(Refused) as refusal:
            await world.broker.apply(deleted(topic, only_if_empty=True))
        assert refusal.value.reason == "NotEmpty"
        await world.take_out(topic.resource.key, position)
        assert await world.broker.apply(deleted(topic, only_if_empty=True)) is None

    # Progress

    async def test_a_reader_that_is_up_to_date_has_nothing_before_it(self, world: World) -> None:
        """All figures are zero and no age is shown."""
        _, reader = await self.both(world)
        progress = await progressed(world, reader.resource.key)
        assert (progress.pending, progress.in_flight, progress.redelivered) == (0, 0, 0)
        assert (progress.oldest_pending, progress.oldest_unsettled) == (None, None)

    async def test_progress_follows_an_event_through_its_life(self, world: World) -> None:
        """Waiting, in flight, settled; out of order too."""
        topic, reader = await self.both(world)
        key = reader.resource.key
        positions = [await world.publish(self.subject(topic.resource.key.name)) for _ in range(4)]
        waiting = await progressed(world, key, lambda seen: seen.pending == 4)
        assert (waiting.pending, waiting.in_flight, waiting.partitions[0].head) == (4, 0, positions[-1])
        assert waiting.oldest_pending is not None
        assert await world.hand_out(key, 3) == positions[:3]
        for position in positions[1:3]:
            await world.settle(key, position)
        stuck = await progressed(world, key, lambda seen: (seen.pending, seen.in_flight) == (1, 1))
        assert (stuck.pending, stuck.in_flight, stuck.deliveries) == (1, 1, 3)
        assert (stuck.partitions[0].delivered, stuck.partitions[0].settled) == (
            positions[2],
            positions[0] - 1,
        )
        assert stuck.oldest_unsettled == waiting.oldest_pending
        assert stuck.oldest_pending is not None
        assert stuck.oldest_pending > waiting.oldest_pending
        assert (stuck.checkpoint, stuck.repeats_at_most) == (str(positions[0] - 1), 3)
        await world.settle(key, positions[0])
        free = await progressed(world, key, lambda seen: seen.in_flight == 0)
        assert (free.in_flight, free.checkpoint, free.oldest_unsettled) == (0, str(positions[2]), None)

    async def test_a_repeat_is_counted_as_one(self, world: World) -> None:
        """An event handed out again is in flight once."""
        topic, reader = await self.both(world)
        key = reader.resource.key
        await world.publish(self.subject(topic.resource.key.name))
        (position,) = await world.hand_out(key, 1)
        await world.fail(key, position)
        progress = await progressed(world, key)
        assert (progress.in_flight, progress.redelivered, progress.deliveries) == (1, 1, 2)

    async def test_an_oldest_event_that_is_gone_no_longer_counts(self, world: World) -> None:
        """Retention takes the oldest: the age is that of the next one."""
        topic, reader = await self.both(world)
        key = reader.resource.key
        first = await world.publish(self.subject(topic.resource.key.name))
        before = (await progressed(world, key, lambda seen: seen.pending == 1)).oldest_pending
        await world.publish(self.subject(topic.resource.key.name))
        await world.take_out(topic.resource.key, first)
        after = (
            await progressed(world, key, lambda seen: seen.oldest_pending not in (before, None))
        ).oldest_pending
        assert before is not None
        assert after is not None
        assert after > before

    async def test_a_lost_reader_comes_back_at_its_checkpoint(self, world: World) -> None:
        """Repeats, never gaps."""
        topic, reader = await self.both(world)
        key = reader.resource.key
        positions = [await world.publish(self.subject(topic.resource.key.name)) for _ in range(3)]
        assert await world.hand_out(key, 2) == positions[:2]
        await world.settle(key, positions[0])
        checkpoint = (await progressed(world, key)).checkpoint
        await world.remove(key)
        wanted = self.reader(topic.resource.key.name, "billing").resumed_at(checkpoint, reader.identity)
        renewed = await applied(world, created(wanted))
        assert renewed.identity != reader.identity
        assert await world.hand_out(key, 5) == positions[1:]

    # Dead letters

    async def test_dead_letters_are_counted_by_group_and_reason(self, world: World) -> None:
        """What comes later is added, what was resolved or taken out is not counted."""
        queue = await applied(world, created(self.queue(world.fresh("dead"))))
        key = queue.resource.key
        assert (await self._held(world, key)) == ()
        await self._bury(world, key.name, 1, "shop/billing", "MaxAttempts")
        await self._bury(world, key.name, 2, "shop/billing", "Rejected")
        last = await self._bury(world, key.name, 3, "shop/mail", "MaxAttempts")
        await self._comes_to(world, key, [("shop/billing", 2), ("shop/mail", 1)])
        billing, mail = await self._held(world, key)
        assert (billing.group, billing.depth) == ("shop/billing", 2)
        assert billing.reasons == (("MaxAttempts", 1), ("Rejected", 1))
        assert (mail.group, mail.depth, mail.reasons) == ("shop/mail", 1, (("MaxAttempts", 1),))
        assert billing.oldest is not None
        assert mail.oldest is not None
        assert billing.oldest < mail.oldest
        await self._resolve(world, key.name, 1)
        await world.take_out(key, last)
        await self._comes_to(world, key, [("shop/billing", 1)])
        await self._comes_to(world, key, [("shop/billing", 1)])
        await self._bury(world, key.name, 4, "shop/mail", "MaxAttempts")
        await self._comes_to(world, key, [("shop/billing", 1), ("shop/mail", 1)])

    async def _comes_to(self, world: World, key: Key, depths: list[tuple[str, int]]) -> None:
        """Copies take a moment to tell each other, and any of them may be asked."""
        found: list[tuple[str, int]] = []

        async def counted() -> bool:
            found[:] = [(each.group, each.depth) for each in await self._held(world, key)]
            return found == depths

        await until(f"{key} comes to {depths}", counted, limit=10)

    async def _held(self, world: World, key: Key) -> tuple[DeadLetters, ...]:
        found = (await world.broker.dead_letters([key]))[key]
        assert isinstance(found, Holding)
        return found.groups

    async def _bury(self, world: World, queue: str, number: int, group: str, reason: str) -> int:
        headers = {"headgate-group": group, "headgate-reason": reason}
        return await world.publish(self.dead_subject(queue, number), headers)

    async def _resolve(self, world: World, queue: str, number: int) -> None:
        headers = {"headgate-group": "shop/billing", "headgate-resolution": "Resolved", "Nats-Rollup": "sub"}
        await world.publish(self.dead_subject(queue, number), headers)
