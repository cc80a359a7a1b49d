"""Positions of groups that nobody is in, on servers that forget them after a minute."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Final

import pytest
import pytest_asyncio
from kafka import KafkaAdminClient, TopicPartition
from kafka.structs import OffsetAndMetadata
from tests.broker_servers import kafka_server
from tests.brokers.kafka.worlds import (
    KafkaWorld,
    changed,
    committed,
    group_of,
    world_at,
)

from headgate.brokers.base import Blocked, Unavailable
from headgate.brokers.kafka.keeping import EXPIRING, GONE, KEPT, STALE
from headgate.brokers.kafka.resources import KafkaGroup, KafkaTopic, split
from headgate.core.resource import Observed, differences
from headgate.local.cache import Say
from headgate.local.jars import VERSIONS
from headgate.local.run import Run
from headgate.local.waiting import until

FORGETFUL: Final = {"offsets.retention.minutes": "1", "offsets.retention.check.interval.ms": "500"}
MOVED: Final = OffsetAndMetadata(4, "", -1)
HELD: Final = OffsetAndMetadata(3, "what a worker wrote beside it", -1)


@dataclass(slots=True)
class Aftermath:
    """What became of three groups of one topic after more than a minute without anybody in them."""

    world: KafkaWorld
    topic: KafkaTopic
    kept: KafkaGroup  # what was due was done
    left: KafkaGroup  # nothing was done
    half: KafkaGroup  # the same, but one partition was committed later
    states: dict[str, Observed]  # of `half` by the words for its positions
    renewals: int = 0


def group_id(group: KafkaGroup) -> str:
    return split(group.key)[1]


def commit(world: KafkaWorld, group: KafkaGroup, offsets: Mapping[int, OffsetAndMetadata]) -> None:
    """Somebody sets positions by hand."""
    topic, name = split(group.key)
    client = KafkaAdminClient(bootstrap_servers=world.bootstrap)
    try:
        places = {TopicPartition(topic, number): each for number, each in offsets.items()}
        failures = client.alter_group_offsets(name, places)
        assert [each.errno for each in failures.values()] == [0] * len(places)
    finally:
        client.close()


def held(world: KafkaWorld, group: KafkaGroup) -> dict[int, OffsetAndMetadata]:
    """The positions that the group has, with what is written beside them."""
    client = KafkaAdminClient(bootstrap_servers=world.bootstrap)
    try:
        found = client.list_group_offsets(group_id(group))[group_id(group)]
        return {place.partition: each for place, each in found.items()}
    finally:
        client.close()


async def lived(world: KafkaWorld) -> Aftermath:
    """Let time pass until positions that nobody looks after are gone."""
    topic = world.topic(partitions=2)
    await world.made(topic)
    for number in (0, 1):
        world.publish(topic.key.name, 5, partition=number)
    kept, left, half = (group_of(topic, name, covered=2, positions=KEPT) for name in ("kept", "left", "half"))
    for group in (kept, left, half):
        await world.made(group)
        await asyncio.to_thread(commit, world, group, {0: HELD, 1: HELD})
    after = Aftermath(world, topic, kept, left, half, {})

    async def gone() -> bool:
        found = await world.broker.observe([kept.key, left.key, half.key])
        seen = found[kept.key]
        assert isinstance(seen, Observed)
        if list(differences(kept, seen.resource)):
            await world.broker.apply(changed(seen, kept))
            after.renewals += 1
        part = found.get(half.key)
        if isinstance(part, Observed) and isinstance(part.resource, KafkaGroup):
            word = part.resource.positions or ""
            if word == EXPIRING and word not in after.states:
                await asyncio.to_thread(commit, world, half, {1: HELD})
            after.states.setdefault(word, part)
        return left.key not in found and GONE in after.states

    await until("positions that nobody looks after are gone", gone, limit=120, every=0.25)
    return after


@pytest_asyncio.fixture(scope="module")
async def aftermaths(servers: Run, aloud: Say) -> AsyncIterator[Mapping[str, Aftermath]]:
    """By version of the server; the minute is the same for all."""
    async with AsyncExitStack() as stack:

        async def one(version: str) -> Aftermath:
            name = f"kafka-forgetful-{version}"
            server = await stack.enter_async_context(
                kafka_server(servers, name, version=version, settings=FORGETFUL, say=aloud)
            )
            return await lived(await stack.enter_async_context(world_at(server.bootstrap)))

        yield dict(zip(VERSIONS, await asyncio.gather(*map(one, VERSIONS)), strict=True))


@pytest.fixture(params=VERSIONS)
def after(request: pytest.FixtureRequest, aftermaths: Mapping[str, Aftermath]) -> Aftermath:
    """On one of the servers."""
    return aftermaths[str(request.param)]


async def test_positions_that_expired_in_part_go_on_where_they_were(after: Aftermath) -> None:
    """The partition that still has one keeps it."""
    seen = after.states[GONE]
    assert isinstance(seen.resource, KafkaGroup)
    assert seen.resource.covered == 1
    assert seen.findings == ()
    found = await after.world.broker.apply(changed(seen, after.half))
    assert found is not None
    assert [each.reason for each in found.findings] == ["OffsetsExpired"]
    assert "(0:3)" in found.findings[0].message
    assert list(differences(after.half, found.resource)) == []
    offsets = {number: each.offset for number, each in held(after.world, after.half).items()}
    assert offsets == {0: 3, 1: 3}


async def test_positions_that_are_looked_after_outlive_their_time(after: Aftermath) -> None:
    """Unchanged, with what workers wrote beside them, and in far fewer requests than looks."""
    assert held(after.world, after.kept) == {0: HELD, 1: HELD}
    assert 1 <= after.renewals <= 4


async def test_a_group_that_is_forgotten_goes_on_where_it_was(after: Aftermath) -> None:
    """At what is remembered by others, or newer by ourselves."""
    lost = after.left.resumed_at("0:2,1:2", "")
    found = await after.world.made(lost)
    assert list(differences(after.left, found.resource)) == []
    assert [each.reason for each in found.findings] == ["OffsetsExpired"]
    offsets = {number: each.offset for number, each in held(after.world, after.left).items()}
    assert offsets == {0: 3, 1: 3}
    await asyncio.to_thread(commit, after.world, after.left, {0: MOVED, 1: MOVED})
    moved = await after.world.read(after.left.key)
    assert moved is not None
    assert moved.findings == ()


async def test_workers_that_came_before_the_start_are_told_of(world: KafkaWorld) -> None:
    """Whether the group is new or was forgotten; once they are gone it begins as declared."""
    topic = world.topic()
    await world.made(topic)
    world.publish(topic.key.name, 4)
    wanted = group_of(topic, start="earliest", positions=KEPT)
    async with world.worker(topic.key.name, group_id(wanted), **{"auto.offset.reset": "latest"}):
        assert await world.read(wanted.key) is None
        for resource, reason in (
            (wanted, "StartNotApplied"),
            (wanted.resumed_at("0:2", ""), "OffsetsExpired"),
        ):
            with pytest.raises(Unavailable) as waits:
                await world.made(resource)
            assert waits.value.reason == reason
    await world.made(wanted)
    assert (await world.progress(wanted.key)).pending == 4


async def test_positions_beyond_the_end_are_reported_and_not_touched(world: KafkaWorld) -> None:
    """As they are after a topic was made anew under a worker that went on; nobody guesses what was meant."""
    topic = world.topic()
    await world.made(topic)
    world.publish(topic.key.name, 4)
    wanted = group_of(topic, positions=KEPT)
    await world.made(wanted)
    async with world.worker(topic.key.name, group_id(wanted)) as worker:
        await asyncio.to_thread(committed, worker, topic.key.name, {0: 9})
    found = await world.read(wanted.key)
    assert found is not None
    assert isinstance(found.resource, KafkaGroup)
    assert found.resource.positions == STALE
    with pytest.raises(Blocked) as blocked:
        await world.broker.apply(changed(found, wanted))
    assert blocked.value.reason == "OffsetsStale"
    assert held(world, wanted)[0].offset == 9
    world.publish(topic.key.name, 5)
    assert await world.read(wanted.key) == replace(found, resource=replace(found.resource, positions=KEPT))
