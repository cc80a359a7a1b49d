"""Our adapter on the Kafka of the session."""

from collections.abc import AsyncIterator

import pytest_asyncio
from tests.brokers.kafka.worlds import KafkaWorld, world_at

from headgate.local.kafka import LocalKafka, LocalKafkaCluster


@pytest_asyncio.fixture(scope="session")
async def world(kafka: LocalKafka) -> AsyncIterator[KafkaWorld]:
    """One server."""
    async with world_at(kafka.bootstrap) as found:
        yield found


@pytest_asyncio.fixture(scope="session")
async def trio(kafka_trio: LocalKafkaCluster) -> AsyncIterator[KafkaWorld]:
    """Three servers."""
    async with world_at(kafka_trio.bootstrap) as found:
        yield found
