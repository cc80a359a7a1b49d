"""How far groups are on a real server, and how old what waits is."""

import asyncio
import time
from datetime import datetime

import pytest
from confluent_kafka import TopicPartition
from tests.brokers.kafka.worlds import KafkaWorld, committed, group_of

from headgate.brokers.kafka.ages import SHARE
from headgate.brokers.kafka.resources import parsed
from headgate.core.resource import Stats
from headgate.local.waiting import until


def age(moment: datetime | None) -> float:
    """In seconds."""
    assert moment is not None
    return time.time() - moment.timestamp()


async def test_a_group_that_is_up_to_date_has_nothing_before_it(world: KafkaWorld) -> None:
    """No age is shown."""
    topic = world.topic(partitions=2)
    await world.made(topic)
    wanted = group_of(topic)
    await world.made(wanted)
    found = await world.progress(wanted.key)
    assert (found.pending, found.in_flight, found.oldest_pending) == (0, 0, None)
    assert [(each.head, each.settled) for each in found.partitions] == [(0, 0), (0, 0)]
    assert (found.exclusive, found.members) == (True, 0)


async def test_the_oldest_event_that_waits_is_found_without_reading_any(world: KafkaWorld) -> None:
    """Within a sixteenth of its age, and never too fresh."""
    topic = world.topic(partitions=3)
    await world.made(topic)
    for partition, oldest in enumerate((600.0, 3600.0, 30.0)):
        ages = tuple(oldest * (10 - number) / 10 for number in range(10))
        world.publish(topic.key.name, 10, partition=partition, ages=ages)
    wanted = group_of(topic)
    await world.made(wanted)
    found = await world.progress(wanted.key)
    assert found.pending == 30
    assert 3600 <= age(found.oldest_pending) <= 3600 * (1 + 2 / SHARE)


async def test_the_age_is_that_of_the_next_event_not_of_the_first(world: KafkaWorld) -> None:
    """It follows the group."""
    topic = world.topic()
    await world.made(topic)
    world.publish(topic.key.name, 4, ages=(7200, 3600, 1200, 60))
    wanted = group_of(topic)
    await world.made(wanted)
    name = wanted.key.name.partition("/")[2]
    async with world.worker(topic.key.name, name) as worker:
        for offset, expected in ((1, 3600), (2, 1200), (3, 60)):
            await asyncio.to_thread(committed, worker, topic.key.name, {0: offset})
            found = await world.progress(wanted.key)
            assert found.pending == 4 - offset
            assert expected <= age(found.oldest_pending) <= expected * (1 + 2 / SHARE) + 15
        await asyncio.to_thread(committed, worker, topic.key.name, {0: 4})
        found = await world.progress(wanted.key)
        assert (found.pending, found.oldest_pending) == (0, None)
        assert dict(parsed(found.checkpoint)) == {0: 4}


async def test_groups_of_one_topic_have_ages_of_their_own(world: KafkaWorld) -> None:
    """One request asks for one moment of each partition, and two groups want two."""
    topic = world.topic()
    await world.made(topic)
    world.publish(topic.key.name, 3, ages=(7200, 1200, 60))
    early, late = group_of(topic, "early"), group_of(topic, "late", "resumed", start_offsets=((0, 2),))
    for wanted in (early, late):
        await world.made(wanted)
    found = await world.broker.progress([early.key, late.key])
    assert age(found[early.key].oldest_pending) >= 7200  # type: ignore[union-attr]  # an Unread fails here too
    assert 60 <= age(found[late.key].oldest_pending) < 90  # type: ignore[union-attr]  # an Unread fails here too


async def test_what_retention_took_does_not_wait(world: KafkaWorld) -> None:
    """A group that never came for it has less before it."""
    topic = world.topic()
    await world.made(topic)
    world.publish(topic.key.name, 10)
    wanted = group_of(topic)
    await world.made(wanted)
    place = TopicPartition(topic.key.name, 0, 6)
    (future,) = world.raw.delete_records([place], operation_timeout=10).values()
    await asyncio.to_thread(future.result, 10)
    found = await world.progress(wanted.key)
    assert (found.pending, found.partitions[0].settled, found.checkpoint) == (4, 6, "0:6")


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
async def test_members_are_known_with_what_they_read(world: KafkaWorld, protocol: str) -> None:
    """Each partition has one reader, whoever hands them out."""
    topic = world.topic(partitions=4)
    await world.made(topic)
    wanted = group_of(topic)
    await world.made(wanted)
    name = wanted.key.name.partition("/")[2]
    async with world.worker(topic.key.name, name, **{"group.protocol": protocol}) as one:

        async def assigned() -> bool:
            await asyncio.to_thread(one.poll, 0.05)
            found = await world.progress(wanted.key)
            return (found.members, {each.owner for each in found.partitions}) == (1, {0})

        await until("the only member has all partitions", assigned, limit=30)

    async def left() -> bool:
        found = await world.progress(wanted.key)
        return (found.members, {each.owner for each in found.partitions}) == (0, {None})

    await until("nobody is left", left, limit=30)


async def test_a_group_without_positions_waits_for_everything_that_is_kept(world: KafkaWorld) -> None:
    """A worker that came first and committed nothing yet."""
    topic = world.topic()
    await world.made(topic)
    world.publish(topic.key.name, 5)
    wanted = group_of(topic)
    name = wanted.key.name.partition("/")[2]
    async with world.worker(topic.key.name, name) as worker:

        async def seen() -> bool:
            await asyncio.to_thread(worker.poll, 0.05)
            return wanted.key in await world.broker.progress([wanted.key])

        await until("the member is in sight", seen, limit=30)
        assert (await world.progress(wanted.key)).pending == 5


async def test_a_topic_tells_what_it_holds(world: KafkaWorld) -> None:
    """Without what retention took; its head moves with every event, wherever it goes, and with nothing else."""
    topic = world.topic(partitions=2)
    await world.made(topic)

    async def led() -> bool:
        return await world.stats(topic.key) == Stats(messages=0, head=0)

    await until("all partitions are led", led)
    world.publish(topic.key.name, 5)
    world.publish(topic.key.name, 2, partition=1)
    assert await world.stats(topic.key) == Stats(messages=7, head=7)
    place = TopicPartition(topic.key.name, 0, 3)
    (future,) = world.raw.delete_records([place], operation_timeout=10).values()
    await asyncio.to_thread(future.result, 10)
    assert await world.stats(topic.key) == Stats(messages=4, head=7)
