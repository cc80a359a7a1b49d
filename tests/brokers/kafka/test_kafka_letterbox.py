"""What the operator says about dead-letter topics, on a real Kafka."""

import asyncio

import pytest
from confluent_kafka import TopicPartition
from tests.brokers.kafka.records import published
from tests.brokers.kafka.test_kafka_letters import HEADERS, closing, reading
from tests.brokers.kafka.worlds import KafkaWorld

from headgate.brokers.kafka.resources import KafkaTopic, topic_key
from headgate.core.progress import Holding
from headgate.core.resource import Key
from headgate.local.waiting import until

pytestmark = pytest.mark.takes(30)


async def queue(world: KafkaWorld) -> Key:
    """A dead-letter topic with nothing in it."""
    key = topic_key(world.fresh("dead"))
    await world.made(KafkaTopic(key, partitions=1, replicas=1))
    return key


async def comes_to(world: KafkaWorld, key: Key, wanted: list[tuple[str, int]]) -> Holding:
    """Wait until so many are counted by group."""
    seen: list[Holding] = []

    async def counted() -> bool:
        found = (await world.broker.dead_letters([key]))[key]
        assert isinstance(found, Holding), found
        seen.append(found)
        return [(each.group, each.depth) for each in found.groups] == wanted

    await until(f"{key} holds {wanted}", counted)
    return seen[-1]


async def test_dead_letters_are_counted_until_they_are_closed_or_gone(world: KafkaWorld) -> None:
    """More than fit on a page; whoever is asked again reads only what is new."""
    key = await queue(world)
    await comes_to(world, key, [])
    published(world.bootstrap, key.name, [b"%d" % n for n in range(700)], HEADERS)
    mail = {**HEADERS, "headgate-group": "shop/mail", "headgate-reason": "Rejected"}
    published(world.bootstrap, key.name, [b"m"], mail)
    found = await comes_to(world, key, [("shop/billing", 700), ("shop/mail", 1)])
    assert [each.reasons for each in found.groups] == [(("MaxAttempts", 700),), (("Rejected", 1),)]
    assert all(each.oldest is not None for each in found.groups)
    async with reading(world, key.name) as box:
        entry = await box.entry(2)
        assert entry is not None
        assert await box.close_entry(entry, closing(entry))
    await comes_to(world, key, [("shop/billing", 699), ("shop/mail", 1)])
    (gone,) = world.raw.delete_records([TopicPartition(key.name, 0, 10)]).values()
    await asyncio.to_thread(gone.result, 10)
    await comes_to(world, key, [("shop/billing", 690), ("shop/mail", 1)])


async def test_a_topic_that_was_made_anew_is_counted_anew(world: KafkaWorld) -> None:
    """And one that is gone is left out."""
    key = await queue(world)
    published(world.bootstrap, key.name, [b"1", b"2"], HEADERS)
    await comes_to(world, key, [("shop/billing", 2)])
    await asyncio.to_thread(world.remove, key.name)

    async def gone() -> bool:
        return await world.broker.dead_letters([key]) == {}

    await until("it is gone", gone)
    await world.made(KafkaTopic(key, partitions=1, replicas=1))
    published(world.bootstrap, key.name, [b"3"], HEADERS)
    await comes_to(world, key, [("shop/billing", 1)])
