"""A Kafka cluster as the contract of brokers looks at it: its words, and what others do to it meanwhile."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition
from confluent_kafka.admin import (
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
)
from tests.brokers.kafka.worlds import LIMITS, KafkaWorld

from headgate.brokers.base import BrokerError, Credentials
from headgate.brokers.kafka.adapter import KafkaBroker
from headgate.brokers.kafka.resources import (
    GROUP,
    INHERITED,
    KafkaGroup,
    KafkaTopic,
    configs_of,
    split,
)
from headgate.brokers.kafka.values import KafkaConnection
from headgate.core.resource import Key, Observed, Resource, differences
from headgate.local.waiting import until

WAIT = 15.0  # seconds for anything that brokers tell each other


class KafkaContractWorld:
    """One cluster; a position is the offset behind an event, so that nothing settled is position 0."""

    level = 0

    def __init__(self, world: KafkaWorld) -> None:
        self._world, self._raw = world, world.raw
        self.broker = world.broker
        self._fresh: list[KafkaBroker] = []
        self._reached: dict[Key, int] = {}

    @property
    def bootstrap(self) -> str:
        """Where the servers are."""
        return self._world.bootstrap

    def fresh(self, name: str) -> str:
        return self._world.fresh(name)

    async def make(self, resource: Resource, marks: Mapping[str, str]) -> None:
        """There is nowhere to put a mark."""
        del marks
        if isinstance(resource, KafkaTopic):
            await self._make_topic(resource)
        elif isinstance(resource, KafkaGroup):
            await self._override(ResourceType.GROUP, split(resource.key)[1], resource)
        await self._look_afresh(resource)

    async def _make_topic(self, topic: KafkaTopic) -> None:
        name, partitions = topic.key.name, topic.partitions or 1
        found = self._raw.list_topics(timeout=WAIT).topics.get(name)
        if found is None:
            configs = {key: value for key, value in configs_of(topic) if value != INHERITED}
            new = NewTopic(name, partitions, 1, config=configs)
            await asyncio.to_thread(self._raw.create_topics([new])[name].result, WAIT)
            return
        if len(found.partitions) < partitions:
            grown = self._raw.create_partitions([NewPartitions(name, partitions)])[name]
            await asyncio.to_thread(grown.result, WAIT)
        await self._override(ResourceType.TOPIC, name, topic)

    async def _override(self, kind: ResourceType, name: str, resource: KafkaTopic | KafkaGroup) -> None:
        entries = [
            ConfigEntry(key, None, incremental_operation=AlterConfigOpType.DELETE)
            if value == INHERITED
            else ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
            for key, value in configs_of(resource)
        ]
        if entries:
            where = ConfigResource(kind, name, incremental_configs=entries)
            await asyncio.to_thread(self._raw.incremental_alter_configs([where])[where].result, WAIT)

    async def _look_afresh(self, resource: Resource) -> None:
        """Whoever changed something a moment ago does not believe for some seconds that others did; somebody new does."""
        connection = KafkaConnection((self._world.bootstrap,))
        self.broker = KafkaBroker(connection, LIMITS, Credentials())
        self._fresh.append(self.broker)

        async def seen() -> bool:
            found = (await self.broker.observe([resource.key])).get(resource.key)
            return isinstance(found, Observed) and not list(differences(resource, found.resource))

        await until(f"{resource.key} is as somebody made it", seen, limit=WAIT)

    async def remove(self, key: Key) -> None:
        self._reached.pop(key, None)
        if key.kind == GROUP:
            group = split(key)[1]
            await asyncio.to_thread(self._raw.delete_consumer_groups([group])[group].result, WAIT)
            return
        await asyncio.to_thread(self._world.remove, key.name)

        async def gone() -> bool:
            return key.name not in self._raw.list_topics(timeout=WAIT).topics

        await until(f"{key} is gone", gone, limit=WAIT)

    async def publish(self, subject: str, headers: Mapping[str, str] | None = None) -> int:
        """The topic is the only address."""
        del headers
        await asyncio.to_thread(self._world.publish, subject, 1)
        return await self._end(subject)

    async def _end(self, topic: str) -> int:
        consumer = self._consumer(topic)
        try:
            place = TopicPartition(topic, 0)
            _, end = await asyncio.to_thread(consumer.get_watermark_offsets, place, timeout=WAIT)
            return int(end)
        finally:
            await asyncio.to_thread(consumer.close)

    async def hand_out(self, key: Key, count: int) -> list[int]:
        """A worker goes on where it is, or where the group is."""
        return await asyncio.to_thread(self._polled, key, count)

    def _polled(self, key: Key, count: int) -> list[int]:
        topic, group = split(key)
        consumer = self._consumer(group)
        try:
            (place,) = consumer.committed([TopicPartition(topic, 0)], timeout=WAIT)
            start = self._reached.get(key, max(place.offset, 0))
            consumer.assign([TopicPartition(topic, 0, start)])
            found: list[int] = []
            while len(found) < count and (offset := _offset(consumer.poll(WAIT))) is not None:
                found.append(offset + 1)
        finally:
            consumer.close()
        self._reached[key] = max(found, default=start)
        return found

    async def fail(self, key: Key, position: int) -> None:
        """The broker never hears of it: the worker goes back by itself."""
        self._reached[key] = position - 1
        assert await self.hand_out(key, 1) == [position]

    async def settle(self, key: Key, position: int) -> None:
        topic, group = split(key)
        consumer = self._consumer(group)
        offsets = [TopicPartition(topic, 0, position)]
        try:
            await asyncio.to_thread(consumer.commit, offsets=offsets, asynchronous=False)
        finally:
            await asyncio.to_thread(consumer.close)

    async def take_out(self, key: Key, position: int) -> None:
        """All before it go with it."""
        (future,) = self._raw.delete_records([TopicPartition(key.name, 0, position)]).values()
        await asyncio.to_thread(future.result, WAIT)

    async def stored_subject(self, key: Key, position: int) -> str:
        del position
        return key.name

    async def aclose(self) -> None:
        """Let go of the adapters that looked afresh."""
        for broker in self._fresh:
            with suppress(BrokerError):
                await broker.aclose()

    def _consumer(self, group: str) -> Consumer:
        settings: dict[str, Any] = {
            "bootstrap.servers": self._world.bootstrap,
            "group.id": group,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "log_level": 0,
        }
        return Consumer(settings)


def _offset(message: Message | None) -> int | None:
    """Of an event; None at the end of the partition."""
    assert message is not None, "nothing came in time"
    error = message.error()
    if error is None:
        return message.offset()
    assert error.code() == KafkaError._PARTITION_EOF, error
    return None
