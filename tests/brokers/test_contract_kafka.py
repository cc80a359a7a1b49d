"""The contract of brokers on a real Kafka: what holds events, what remembers positions, every setting of both."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime

import pytest
import pytest_asyncio
from tests.brokers.contract_kafka import KafkaContractWorld
from tests.brokers.kafka.records import published
from tests.brokers.kafka.worlds import world_at
from tests.contract.expectations import Expectations
from tests.contract.figures import FiguresContract
from tests.contract.letters import LettersContract
from tests.contract.objects import ObjectsContract
from tests.contract.settings import SettingsContract
from tests.contract.terms import Row, World

from headgate.brokers.base import Credentials
from headgate.brokers.kafka.carrier import letters
from headgate.brokers.kafka.resources import INHERITED, KafkaGroup, KafkaTopic, group_key, topic_key
from headgate.brokers.kafka.values import KafkaConnection
from headgate.core.letters import Resolution, tombstone
from headgate.local.kafka import LocalKafka

pytestmark = pytest.mark.takes(120)

TOPIC_ROWS = (
    Row("partitions", 1, 3),
    Row("replicas", 1),
    Row("retention_ms", "60000", "120000"),
    Row("retention_ms", "60000", INHERITED),
    Row("retention_bytes", "1048576", INHERITED),
    Row("cleanup_policy", "compact,delete", "delete"),
    Row("compression_type", "zstd", "lz4"),
    Row("max_message_bytes", "1000000", "2000000"),
    Row("min_insync_replicas", "1", INHERITED),
    Row("segment_ms", "60000", "3600000"),
    Row("segment_bytes", "1048576", "2097152"),
    Row("message_timestamp_type", "LogAppendTime", "CreateTime"),
    Row("unclean_leader_election_enable", "true", "false"),
)
GROUP_ROWS = (
    Row("start", "latest", kept=False),
    Row("covered", 1),
    Row("consumer_session_timeout_ms", "50000", "55000"),
    Row("consumer_heartbeat_interval_ms", "6000", INHERITED),
)


class TestKafka(SettingsContract, ObjectsContract, FiguresContract, LettersContract):
    """One server, partitions of one copy."""

    whole = False
    topic_rows = TOPIC_ROWS
    reader_rows = GROUP_ROWS
    expects = Expectations(
        marks=False,
        reader_identity=False,
        one_by_one=False,
        in_flight=False,
        repeats=False,
        letters_one_by_one=False,
        patience=15.0,
    )

    @pytest_asyncio.fixture
    async def world(self, kafka: LocalKafka) -> AsyncIterator[KafkaContractWorld]:
        async with world_at(kafka.bootstrap) as found:
            world = KafkaContractWorld(found)
            yield world
            await world.aclose()

    def topic(self, name: str) -> KafkaTopic:
        return KafkaTopic(topic_key(name), partitions=1, replicas=1)

    def reader(self, topic: str, name: str) -> KafkaGroup:
        key = group_key(topic, f"{topic}.{name}")
        return KafkaGroup(key, needs=(topic_key(topic),), start="earliest", covered=1)

    def subject(self, topic: str) -> str:
        return topic

    def queue(self, name: str) -> KafkaTopic:
        return self.topic(name)

    async def bury(self, world: World, queue: str, number: int, headers: Mapping[str, str]) -> int:
        await asyncio.to_thread(published, self._place(world).bootstrap, queue, [b"%d" % number], headers)
        return number

    async def resolve(self, world: World, queue: str, number: int) -> None:
        where = KafkaConnection((self._place(world).bootstrap,))
        box = letters(where, Credentials(), queue)
        try:
            entry = await box.entry(number)
            assert entry is not None
            at = datetime(2026, 11, 21, tzinfo=UTC)
            stone = tombstone(entry, Resolution.RESOLVED, by="ada", reason="done by hand", at=at)
            assert await box.close_entry(entry, stone)
        finally:
            await box.aclose()

    def _place(self, world: World) -> KafkaContractWorld:
        assert isinstance(world, KafkaContractWorld)
        return world
