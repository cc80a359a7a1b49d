"""Servers that are away, freeze or let nobody in."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from tests.broker_servers import kafka_cluster, kafka_server
from tests.brokers.kafka.worlds import Counting, KafkaWorld, created, deleted, group_of, world_at

from headgate.api.eventbroker import Limits
from headgate.brokers.base import Credentials, Refused, Unreachable
from headgate.brokers.kafka.adapter import KafkaBroker
from headgate.brokers.kafka.admin import LATEST, Admin
from headgate.brokers.kafka.ages import Point
from headgate.brokers.kafka.faults import Fault
from headgate.brokers.kafka.login import settings
from headgate.brokers.kafka.resources import KafkaTopic, topic_key
from headgate.brokers.kafka.values import KafkaConnection
from headgate.core.resource import Observed
from headgate.local.cache import Say
from headgate.local.kafka import LocalKafka
from headgate.local.ports import free_port
from headgate.local.run import Run
from headgate.local.waiting import until

HASTY = Limits(timeout=timedelta(seconds=2))
TOPIC = KafkaTopic(topic_key("orders"), partitions=1)


@asynccontextmanager
async def own(servers: Run, aloud: Say, name: str) -> AsyncIterator[tuple[LocalKafka, KafkaWorld]]:
    """A server that a test may harm."""
    async with kafka_server(servers, name, say=aloud) as server, world_at(server.bootstrap, HASTY) as world:
        yield server, world


async def answers(world: KafkaWorld, made: Observed) -> bool:
    """Whether something is read as it was made."""
    try:
        return await world.read(made.resource.key) == made
    except Unreachable:
        return False


async def test_nobody_there_is_unreachable() -> None:
    """And the connection counts as gone at once."""
    broker = KafkaBroker(KafkaConnection((f"127.0.0.1:{free_port()}",)), HASTY, Credentials())
    async with asyncio.timeout(5):
        await broker.lost()
    for call in (
        broker.facts(),
        broker.observe([group_of(TOPIC).key]),
        broker.progress([group_of(TOPIC).key]),
    ):
        with pytest.raises(Unreachable):
            await call
    await broker.aclose()


async def test_another_operator_may_be_acting() -> None:
    """Then nothing is sent at all: nobody is even there."""
    where = KafkaConnection((f"127.0.0.1:{free_port()}",))
    broker = KafkaBroker(where, HASTY, Credentials(), lambda: False)
    with pytest.raises(Unreachable) as held:
        await broker.apply(created(TOPIC))
    assert held.value.reason == "LeaseLost"
    await broker.aclose()


async def test_a_frozen_server_leaves_it_open_what_was_done(servers: Run, aloud: Say) -> None:
    """Nothing is taken for absent meanwhile; once it thaws the topic is there, and creating it again is a success."""
    async with own(servers, aloud, "kafka-frozen") as (server, world):
        old, new = world.topic(), world.topic()
        made = await world.made(old)
        gone = asyncio.create_task(world.broker.lost())
        server.freeze()
        try:
            with pytest.raises(Unreachable) as unsure:
                await world.made(new)
            assert unsure.value.reason in {"TimedOut", "ConnectTimeout"}
            with pytest.raises(Unreachable):
                await world.broker.observe([old.key])
            async with asyncio.timeout(10):
                await gone
        finally:
            server.thaw()
        await until("the server answers again", partial(answers, world, made), limit=30)
        assert isinstance(await world.made(new), Observed)


@pytest.mark.parametrize("before", ["asked about groups before", "not asked about groups yet"])
async def test_a_coordinator_that_freezes_and_comes_back_ends_nothing(
    servers: Run, aloud: Say, before: str
) -> None:
    """Each call about a group that is made meanwhile fails for itself, time and again, and afterwards each succeeds."""
    async with own(servers, aloud, "kafka-frozen-groups") as (server, maker):
        topic = maker.topic()
        await maker.made(topic)
        old, new = group_of(topic, "old"), group_of(topic, "new")
        made = await maker.made(old)
        for _ in range(3):
            async with world_at(server.bootstrap, HASTY) as world:
                await world.read(old.key if before.startswith("asked") else topic.key)
                server.freeze()
                try:
                    outcomes = await asyncio.gather(
                        world.broker.observe([old.key]),
                        world.broker.progress([old.key]),
                        world.broker.apply(deleted(made)),
                        world.broker.apply(created(new)),
                        return_exceptions=True,
                    )
                finally:
                    server.thaw()
                assert [each for each in outcomes if not isinstance(each, Unreachable)] == []
                await until("the server answers again", partial(answers, world, made), limit=30)
        assert await maker.made(new) is not None
        assert await maker.broker.apply(deleted(made)) is None
        assert await maker.read(old.key) is None


async def test_groups_follow_their_coordinator(servers: Run, aloud: Say) -> None:
    """When its server is gone another coordinates them, and they are read and deleted as before."""
    async with (
        kafka_cluster(servers, "kafka-coordinator", say=aloud) as cluster,
        world_at(cluster.bootstrap, HASTY) as world,
    ):
        topic = replace(world.topic(), replicas=3)
        await world.made(topic)
        made = await world.made(group_of(topic))
        seated = world.raw.list_topics("__consumer_offsets", 10).topics["__consumer_offsets"].partitions[0]
        await next(node for node in cluster.nodes if node.seat.number == seated.leader).kill()
        await until("another one coordinates the group", partial(answers, world, made), limit=60)
        assert await world.broker.apply(deleted(made)) is None
        assert await world.made(group_of(topic)) is not None


async def test_a_leader_that_does_not_answer_is_not_taken_for_an_empty_partition(
    servers: Run, aloud: Say
) -> None:
    """The library says that it succeeded. What others lead is told all the same."""
    async with (
        kafka_cluster(servers, "kafka-leaders", say=aloud) as cluster,
        world_at(cluster.bootstrap, HASTY) as world,
    ):
        topic = world.topic(partitions=6)
        await world.made(topic)
        for number in range(6):
            world.publish(topic.key.name, 3, partition=number)
        seen = await world.read(topic.key)
        assert seen is not None
        led = world.raw.list_topics(topic.key.name, 10).topics[topic.key.name].partitions
        frozen = cluster.nodes[0]
        silent = {number for number, each in led.items() if each.leader == frozen.seat.number}
        reader, lane = Admin(settings(KafkaConnection((cluster.bootstrap,)), Credentials(), 2), 2), Counting()
        asked = {(topic.key.name, number): LATEST for number in led}
        before = await reader.offsets(lane, asked)
        frozen.freeze()
        try:
            found = await reader.offsets(lane, asked)
        finally:
            frozen.thaw()
        assert silent
        assert {place[1] for place, each in found.items() if not isinstance(each, Point)} == silent
        assert all(isinstance(found[topic.key.name, number], Fault) for number in silent)
        await until("the topic is read again", partial(answers, world, seen), limit=60)
        assert await reader.offsets(lane, asked) == before


async def test_a_cluster_that_is_away_costs_no_threads() -> None:
    """However often it is asked for."""
    broker = KafkaBroker(KafkaConnection((f"127.0.0.1:{free_port()}",)), HASTY, Credentials())
    before = set(threading.enumerate())
    for _ in range(3):
        with pytest.raises(Unreachable):
            await broker.progress([group_of(TOPIC).key])

    async def ended() -> bool:
        begun = set(threading.enumerate()) - before
        return not [each for each in begun if each.name == "kafka-io-headgate"]

    await until("the threads of all attempts are at their end", ended, limit=10)
    await broker.aclose()


async def test_a_server_that_was_killed_comes_back_with_all_it_had(servers: Run, aloud: Say) -> None:
    """The same handle connects again."""
    async with own(servers, aloud, "kafka-killed") as (server, world):
        topic = world.topic()
        made = await world.made(topic)
        await server.kill()
        with pytest.raises(Unreachable):
            await world.broker.observe([topic.key])
        await server.restart()
        await until("the topic is read again", partial(answers, world, made), limit=30)


async def test_a_mechanism_that_nobody_knows_is_refused() -> None:
    """Before anything is sent."""
    with pytest.raises(Refused) as refusal:
        KafkaBroker(KafkaConnection(("127.0.0.1:1",), sasl="GUESS"), None, Credentials())
    assert refusal.value.reason == "CredentialsInvalid"
