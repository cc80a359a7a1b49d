"""The topics that a group has for its own, on a real Kafka: made, changed, counted, kept and deleted with the group."""

import asyncio
from dataclasses import replace
from typing import Final

import pytest
from tests.brokers.kafka.worlds import (
    KafkaWorld,
    changed,
    committed,
    created,
    deleted,
    world_at,
)

from headgate.brokers.base import Refused
from headgate.brokers.kafka.names import MOVERS, due_topic, retry_prefix
from headgate.brokers.kafka.resources import KafkaGroup, KafkaTopic, Step, group_key, split, topic_key
from headgate.core.resource import Key, Observed, differences

pytestmark = pytest.mark.takes(30)

LOG_TIME: Final = (("message.timestamp.type", "LogAppendTime"),)


def retrying(topic: Key, *waits: int, partitions: int | None = None, start: str = "earliest") -> KafkaGroup:
    """A group of a topic whose events wait so many milliseconds."""
    name = f"{topic.name}.billing"
    names = [*(f"{retry_prefix(topic.name, name)}{wait}" for wait in waits), due_topic(topic.name, name)]
    steps = tuple(Step(each, partitions, 1, LOG_TIME) for each in sorted(names))
    return KafkaGroup(group_key(topic.name, name), start=start, positions="kept", ladder=steps)


async def there(world: KafkaWorld, group: KafkaGroup) -> Observed:
    """The group as it is read."""
    found = await world.read(group.key)
    assert found is not None
    return found


def due_of(group: KafkaGroup) -> str:
    """Where its events come back."""
    return due_topic(*split(group.key))


async def test_topics_are_made_with_the_group_and_go_with_it(world: KafkaWorld) -> None:
    """As many partitions as its topic has, and read back as declared."""
    topic = await world.made(world.topic(partitions=3))
    group = retrying(topic.resource.key, 2000, 8000)
    await world.made(group)
    found = await there(world, group)
    assert list(differences(group, found.resource)) == []
    assert isinstance(found.resource, KafkaGroup)
    assert {step.partitions for step in found.resource.ladder or ()} == {3}
    assert await world.broker.apply(deleted(found)) is None
    assert await world.broker.observe([group.key, *keys(group)]) == {}


def keys(group: KafkaGroup) -> list[Key]:
    """Its topics."""
    return [topic_key(step.name) for step in group.ladder or ()]


async def test_what_is_gone_or_changed_by_hand_is_mended(world: KafkaWorld) -> None:
    """A topic that vanished is made, one that somebody changed is what it was."""
    topic = await world.made(world.topic())
    group = retrying(topic.resource.key, 2000)
    await world.made(group)
    await asyncio.to_thread(world.remove, due_of(group))
    await asyncio.to_thread(
        world.override, (group.ladder or ())[1].name, "message.timestamp.type", "CreateTime"
    )
    async with world_at(world.bootstrap) as afresh:
        found = await there(afresh, group)
        assert [diff.word for diff in differences(group, found.resource)] == ["ladder"]
        await afresh.broker.apply(changed(found, group))
        assert list(differences(group, (await there(afresh, group)).resource)) == []


async def test_topics_of_waits_that_are_not_declared_any_more_stay_until_the_group_goes(
    world: KafkaWorld,
) -> None:
    """Workers with the binding of before may still put events there."""
    topic = await world.made(world.topic())
    before = retrying(topic.resource.key, 2000)
    await world.made(before)
    after = retrying(topic.resource.key, 5000)
    found = await there(world, before)
    await world.broker.apply(changed(found, after))
    found = await there(world, after)
    assert list(differences(after, found.resource)) == []
    assert isinstance(found.resource, KafkaGroup)
    assert len(found.resource.ladder or ()) == 3
    await world.broker.apply(deleted(found))
    assert await world.broker.observe([*keys(before), *keys(after)]) == {}


async def test_topics_grow_with_their_topic(world: KafkaWorld) -> None:
    """So that what comes back has as many readers."""
    topic = await world.made(world.topic(partitions=1))
    group = retrying(topic.resource.key, 2000, partitions=1)
    await world.made(group)
    assert isinstance(topic.resource, KafkaTopic)
    await world.broker.apply(changed(topic, replace(topic.resource, partitions=2)))
    grown = retrying(topic.resource.key, 2000, partitions=2)
    found = await there(world, group)
    assert [diff.word for diff in differences(grown, found.resource)] == ["ladder"]
    await world.broker.apply(changed(found, grown))
    assert list(differences(grown, (await there(world, grown)).resource)) == []


async def test_a_topic_with_events_of_somebody_else_is_not_taken(world: KafkaWorld) -> None:
    """An empty one is; so is any of a group that had a position there."""
    topic = await world.made(world.topic())
    group = retrying(topic.resource.key, 2000)
    taken = KafkaTopic(topic_key(due_of(group)), partitions=1, replicas=1)
    await world.made(taken)
    world.publish(taken.key.name, 1)
    with pytest.raises(Refused) as refusal:
        await world.broker.apply(created(group))
    assert refusal.value.reason == "AlreadyExists"
    assert taken.key.name in str(refusal.value)
    found = await world.read(taken.key)
    assert found is not None
    await world.broker.apply(deleted(found))
    await world.made(replace(taken, partitions=1))
    assert await world.broker.apply(created(group)) is not None


async def test_a_group_that_lost_its_position_keeps_what_waits(world: KafkaWorld) -> None:
    """Its topic was made anew; what waits in its own is none of somebody else's."""
    topic = await world.made(world.topic())
    group = retrying(topic.resource.key, 2000)
    await world.made(group)
    world.publish(due_of(group), 2)
    await asyncio.to_thread(world.remove, topic.resource.key.name)
    async with world_at(world.bootstrap) as afresh:
        await afresh.made(topic.resource)
        assert await afresh.broker.apply(created(group)) is not None
        assert (await afresh.progress(group.key)).pending == 2


async def test_what_came_back_and_what_waits_is_counted(world: KafkaWorld) -> None:
    """What came back is to be done now, what waits is in flight until a mover has ended the wait."""
    topic = await world.made(world.topic(partitions=2))
    group = retrying(topic.resource.key, 2000)
    await world.made(group)
    name, due = split(group.key)[1], due_of(group)
    wait = next(step.name for step in group.ladder or () if step.name != due)
    world.publish(topic.resource.key.name, 2, partition=0)
    world.publish(due, 3, partition=1)
    world.publish(wait, 4, partition=0)
    seen = await world.progress(group.key)
    assert (seen.pending, seen.in_flight) == (5, 4)
    assert [each.head for each in seen.partitions] == [2, 3]
    assert seen.oldest_pending is not None
    assert seen.oldest_unsettled is not None
    async with world.worker(wait, MOVERS) as mover:
        committed(mover, wait, {0: 4})
    async with world.worker(due, name) as worker:
        committed(worker, due, {1: 3})
        committed(worker, topic.resource.key.name, {0: 1})
    seen = await world.progress(group.key)
    assert (seen.pending, seen.in_flight) == (1, 0)
    assert [each.settled for each in seen.partitions] == [1, 3]


@pytest.mark.parametrize("where", ["where events come back", "where events wait"])
async def test_a_group_with_events_in_its_own_topics_is_not_empty(world: KafkaWorld, where: str) -> None:
    """Neither is taken for done; once they are moved or handled, it is."""
    topic = await world.made(world.topic())
    group = retrying(topic.resource.key, 2000)
    await world.made(group)
    back = where == "where events come back"
    name = next(step.name for step in group.ladder or () if (step.name == due_of(group)) is back)
    world.publish(name, 2)
    found = await there(world, group)
    with pytest.raises(Refused) as refusal:
        await world.broker.apply(deleted(found, only_if_empty=True))
    assert refusal.value.reason == "NotEmpty"
    async with world.worker(name, split(group.key)[1] if back else MOVERS) as reader:
        committed(reader, name, {0: 2})
    assert await world.broker.apply(deleted(found, only_if_empty=True)) is None
    assert await world.broker.observe([group.key, *keys(group)]) == {}


async def test_a_deletion_that_was_cut_in_half_is_done_again(world: KafkaWorld) -> None:
    """The topics go first: the group is there until everything is."""
    topic = await world.made(world.topic())
    group = retrying(topic.resource.key, 2000)
    await world.made(group)
    await asyncio.to_thread(world.remove, due_of(group))
    async with world_at(world.bootstrap) as afresh:
        found = await there(afresh, group)
        await afresh.broker.apply(deleted(found))
        assert await afresh.broker.observe([group.key, *keys(group)]) == {}
