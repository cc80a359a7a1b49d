"""Groups on a real server: where they begin, what is kept for them, and that nobody is disturbed who works."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.brokers.kafka.worlds import (
    INHERITED,
    KafkaWorld,
    changed,
    committed,
    created,
    deleted,
    group_of,
    taken,
)

from headgate.brokers.base import Refused, Unavailable
from headgate.brokers.kafka.resources import KafkaGroup, group_key
from headgate.core.resource import Observed, differences

PROTOCOLS: Mapping[str, dict[str, Any]] = {
    "a classic group": {"group.protocol": "classic"},
    "a group of the new protocol": {"group.protocol": "consumer"},
}


def covered(found: Observed | None) -> int | None:
    """In how many partitions the group has a position."""
    assert found is not None
    assert isinstance(found.resource, KafkaGroup)
    return found.resource.covered


@pytest.mark.parametrize("sentence", PROTOCOLS)
async def test_a_group_begins_where_it_was_told_to(world: KafkaWorld, sentence: str) -> None:
    """Before anybody joined, and whatever the worker would have chosen by itself."""
    topic = world.topic(partitions=1)
    await world.made(topic)
    world.publish(topic.key.name, 3)
    wanted = group_of(topic, start="earliest", covered=1)
    made = await world.made(wanted)
    assert list(differences(wanted, made.resource)) == []
    name = wanted.key.name.partition("/")[2]
    settings = {**PROTOCOLS[sentence], "auto.offset.reset": "latest"}
    async with world.worker(topic.key.name, name, **settings) as worker:
        assert await asyncio.to_thread(taken, worker, 1) != []


STARTS: Mapping[str, tuple[dict[str, Any], int]] = {
    "the oldest": ({"start": "earliest"}, 4),
    "the next": ({"start": "latest"}, 0),
    "the first since a moment": ({"start": "time", "start_time": timedelta(seconds=-150)}, 2),
    "a moment that nothing followed yet": ({"start": "time", "start_time": timedelta(hours=1)}, 0),
    "behind the last one settled": ({"start": "resumed", "start_offsets": ((0, 3),)}, 1),
    "the oldest that is kept, where its position is beyond the end": (
        {"start": "resumed", "start_offsets": ((0, 99),)},
        4,
    ),
    "the oldest that is kept, where its position is not known": (
        {"start": "resumed", "start_offsets": ()},
        4,
    ),
}


@pytest.mark.parametrize("sentence", STARTS)
async def test_a_group_begins_with(world: KafkaWorld, sentence: str) -> None:
    """So many of four events, one a minute, are before it."""
    fields, left = STARTS[sentence]
    topic = world.topic()
    await world.made(topic)
    world.publish(topic.key.name, 4, ages=(240, 180, 120, 60))
    now = datetime.fromtimestamp(time.time(), UTC)
    moved: dict[str, Any] = {
        name: now + each if isinstance(each, timedelta) else each for name, each in fields.items()
    }
    wanted = replace(group_of(topic), **moved)
    await world.made(wanted)
    assert (await world.progress(wanted.key)).pending == left


async def test_configs_are_kept_for_a_group_before_anybody_joined(world: KafkaWorld) -> None:
    """They change one by one, and one that left the declaration is the broker's own again."""
    topic = world.topic()
    await world.made(topic)
    wanted = group_of(topic, consumer_session_timeout_ms="50000", share_delivery_count_limit="7")
    made = await world.made(wanted)
    after = replace(wanted, consumer_session_timeout_ms="55000", share_delivery_count_limit=INHERITED)
    await world.broker.apply(changed(made, after))
    found = await world.read(wanted.key)
    assert found is not None
    assert list(differences(after, found.resource)) == []
    await world.broker.apply(deleted(found))
    again = await world.made(group_of(topic))
    assert isinstance(again.resource, KafkaGroup)
    assert again.resource.consumer_session_timeout_ms == INHERITED


async def test_nobody_who_works_is_disturbed(world: KafkaWorld) -> None:
    """Neither positions nor the group itself change while there are members; afterwards they do."""
    topic = world.topic(partitions=1)
    made_topic = await world.made(topic)
    world.publish(topic.key.name, 2)
    wanted = group_of(topic, covered=1)
    made = await world.made(wanted)
    await world.broker.apply(changed(made_topic, replace(topic, partitions=3)))
    wider = replace(wanted, covered=3)
    name = wanted.key.name.partition("/")[2]
    async with world.worker(topic.key.name, name):
        with pytest.raises(Unavailable) as waits:
            await world.broker.apply(changed(made, wider))
        assert waits.value.reason == "NewPartitionsUncommitted"
        with pytest.raises(Unavailable) as waits:
            await world.broker.apply(deleted(made))
        assert waits.value.reason == "GroupActive"
        assert covered(await world.read(wanted.key)) == 1
    assert covered(await world.broker.apply(changed(made, wider))) == 3
    assert await world.broker.apply(deleted(made)) is None
    assert await world.read(wanted.key) is None


async def test_partitions_that_came_later_are_read_from_their_first_event(world: KafkaWorld) -> None:
    """Also what was published there before the group knew of them."""
    topic = world.topic(partitions=1)
    made_topic = await world.made(topic)
    wanted = group_of(topic, start="latest", covered=1)
    made = await world.made(wanted)
    await world.broker.apply(changed(made_topic, replace(topic, partitions=2)))
    world.publish(topic.key.name, 5, partition=1)
    await world.broker.apply(changed(made, replace(wanted, covered=2)))
    assert (await world.progress(wanted.key)).pending == 5


async def test_a_group_is_absent_until_it_has_a_position(world: KafkaWorld) -> None:
    """Nothing is invented, and without its topic it has none."""
    topic = world.topic()
    made = await world.made(topic)
    wanted = group_of(topic)
    assert await world.broker.observe([wanted.key]) == {}
    assert await world.broker.progress([wanted.key]) == {}
    await world.made(wanted)
    await world.broker.apply(deleted(made))
    assert await world.broker.observe([wanted.key]) == {}


async def test_a_group_of_somebody_else_is_not_taken_by_creating_it(world: KafkaWorld) -> None:
    """Its positions stay."""
    topic = world.topic()
    await world.made(topic)
    world.publish(topic.key.name, 3)
    wanted = group_of(topic, start="latest")
    name = wanted.key.name.partition("/")[2]
    async with world.worker(topic.key.name, name) as worker:
        await asyncio.to_thread(committed, worker, topic.key.name, {0: 1})
    with pytest.raises(Refused) as refusal:
        await world.made(wanted)
    assert refusal.value.reason == "AlreadyExists"
    assert (await world.progress(wanted.key)).pending == 2


async def test_a_group_that_is_deleted_in_one_topic_keeps_its_positions_in_others(world: KafkaWorld) -> None:
    """The group itself goes with the last."""
    first, second = world.topic(), world.topic()
    made = []
    for topic in (first, second):
        await world.made(topic)
        made.append(await world.made(KafkaGroup(group_key(topic.key.name, first.key.name), start="earliest")))
    await world.broker.apply(deleted(made[0]))
    assert await world.read(made[0].resource.key) is None
    assert await world.read(made[1].resource.key) == made[1]
    await world.broker.apply(deleted(made[1]))
    assert await world.read(made[1].resource.key) is None


async def test_a_group_with_events_before_it_is_not_empty(world: KafkaWorld) -> None:
    """It stays where only an empty one was to go."""
    topic = world.topic()
    await world.made(topic)
    wanted = group_of(topic)
    made = await world.made(wanted)
    assert await world.made(wanted) == made
    world.publish(topic.key.name, 1)
    with pytest.raises(Refused) as refusal:
        await world.broker.apply(deleted(made, only_if_empty=True))
    assert refusal.value.reason == "NotEmpty"


async def test_a_hundred_groups_are_made_and_read_together(world: KafkaWorld) -> None:
    """One after the other would take far longer."""
    topic = world.topic()
    await world.made(topic)
    wanted = [group_of(topic, f"g{number}") for number in range(100)]
    made = await asyncio.gather(*(world.broker.apply(created(each)) for each in wanted))
    found = await world.broker.observe([each.key for each in wanted])
    assert found == {each.resource.key: each for each in made if each is not None}
