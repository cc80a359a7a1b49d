"""Servers that are away, freeze or let nobody in."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from tests.broker_servers import kafka_server
from tests.brokers.kafka.worlds import KafkaWorld, created, group_of, world_at

from headgate.api.eventbroker import Limits
from headgate.brokers.base import Credentials, Refused, Unreachable
from headgate.brokers.kafka.adapter import KafkaBroker
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

        async def back() -> bool:
            try:
                return await world.read(old.key) == made
            except Unreachable:
                return False

        await until("the server answers again", back, limit=30)
        assert isinstance(await world.made(new), Observed)


async def test_a_server_that_was_killed_comes_back_with_all_it_had(servers: Run, aloud: Say) -> None:
    """The same handle connects again."""
    async with own(servers, aloud, "kafka-killed") as (server, world):
        topic = world.topic()
        made = await world.made(topic)
        await server.kill()
        with pytest.raises(Unreachable):
            await world.broker.observe([topic.key])
        await server.restart()

        async def back() -> bool:
            try:
                return await world.read(topic.key) == made
            except Unreachable:
                return False

        await until("the topic is read again", back, limit=30)


async def test_a_mechanism_that_nobody_knows_is_refused() -> None:
    """Before anything is sent."""
    with pytest.raises(Refused) as refusal:
        KafkaBroker(KafkaConnection(("127.0.0.1:1",), sasl="GUESS"), None, Credentials())
    assert refusal.value.reason == "CredentialsInvalid"
