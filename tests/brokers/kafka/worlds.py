"""A Kafka cluster, our adapter on it, and what others do to it meanwhile. For tests."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from headgate.api.eventbroker import Limits
from headgate.brokers.base import Credentials
from headgate.brokers.kafka.adapter import KafkaBroker
from headgate.brokers.kafka.resources import INHERITED, KafkaGroup, KafkaTopic, group_key, topic_key
from headgate.brokers.kafka.values import KafkaConnection
from headgate.brokers.pace import Pace
from headgate.core.changes import Action, Change
from headgate.core.claims import Owner
from headgate.core.progress import Progress
from headgate.core.resource import Key, Observed, Resource, Stats

OWNER: Final = Owner("installation", "EventTopic", "shop", "orders")
LIMITS: Final = Limits(timeout=timedelta(seconds=30), requests_per_second=1000, progress_per_second=1000)
_NUMBERS: Final = itertools.count()


@dataclass(frozen=True, slots=True)
class KafkaWorld:
    """One cluster with our adapter on it."""

    bootstrap: str
    broker: KafkaBroker
    raw: AdminClient  # of somebody else

    def fresh(self, name: str) -> str:
        """A name that no test used before."""
        return f"{name}-{next(_NUMBERS)}-{time.time_ns() % 1_000_000}"

    def topic(self, name: str = "orders", partitions: int = 1, **fields: Any) -> KafkaTopic:
        """A topic of a name that no test used before."""
        return KafkaTopic(topic_key(self.fresh(name)), partitions=partitions, replicas=1, **fields)

    async def made(self, resource: Resource) -> Observed:
        """What the broker made of it, whatever it holds."""
        found = await self.broker.apply(created(resource))
        assert found is not None
        return replace(found, stats=Stats())

    async def read(self, key: Key) -> Observed | None:
        """As it is now, whatever it holds."""
        found = (await self.broker.observe([key])).get(key)
        assert found is None or isinstance(found, Observed), found
        return None if found is None else replace(found, stats=Stats())

    async def stats(self, key: Key) -> Stats:
        """What it holds now."""
        found = (await self.broker.observe([key]))[key]
        assert isinstance(found, Observed), found
        return found.stats

    async def progress(self, key: Key) -> Progress:
        """How far the group is now."""
        found = (await self.broker.progress([key]))[key]
        assert isinstance(found, Progress), found
        return found

    def publish(self, topic: str, count: int, *, partition: int = 0, ages: tuple[float, ...] = ()) -> None:
        """So many events, as old as told, in seconds."""
        producer = Producer({"bootstrap.servers": self.bootstrap, "log_level": 0})
        now = time.time()
        for number in range(count):
            age = ages[number] if ages else 0.0
            producer.produce(topic, b"event", b"key", partition, timestamp=round((now - age) * 1000))
        assert producer.flush(10) == 0

    def override(self, topic: str, key: str, value: str) -> None:
        """Somebody sets a config by hand."""
        entry = ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
        self.raw.incremental_alter_configs([resource])[resource].result(10)

    def remove(self, topic: str) -> None:
        """Somebody deletes a topic."""
        self.raw.delete_topics([topic], operation_timeout=10)[topic].result(10)

    @asynccontextmanager
    async def worker(self, topic: str, group: str, **settings: Any) -> AsyncIterator[Consumer]:
        """A worker of a group that has its partitions, for the length of a block."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": group,
                "enable.auto.commit": False,
                "log_level": 0,
                **settings,
            }
        )
        consumer.subscribe([topic])
        try:
            await joined(consumer)
            yield consumer
        finally:
            await asyncio.to_thread(consumer.close)


async def joined(consumer: Consumer) -> None:
    """Poll, and hold back what comes, until the worker has partitions."""
    deadline = time.monotonic() + 30
    while not consumer.assignment():
        assert time.monotonic() < deadline, "the worker was given no partition"
        await asyncio.to_thread(consumer.poll, 0.05)


def taken(consumer: Consumer, count: int) -> list[tuple[int, int]]:
    """Partition and offset of the next events, so many of them."""
    found: list[tuple[int, int]] = []
    deadline = time.monotonic() + 30
    while len(found) < count and time.monotonic() < deadline:
        message = consumer.poll(0.1)
        if message is not None and message.error() is None:
            found.append((message.partition() or 0, message.offset() or 0))
    return found


def committed(consumer: Consumer, topic: str, offsets: Mapping[int, int]) -> None:
    """The worker says how far it is."""
    places = [TopicPartition(topic, number, offset) for number, offset in offsets.items()]
    consumer.commit(offsets=places, asynchronous=False)


@asynccontextmanager
async def world_at(
    bootstrap: str,
    limits: Limits = LIMITS,
    connection: KafkaConnection | None = None,
    credentials: Credentials | None = None,
) -> AsyncIterator[KafkaWorld]:
    """Our adapter on a cluster."""
    where = connection or KafkaConnection((bootstrap,))
    broker = KafkaBroker(where, limits, credentials or Credentials())
    try:
        yield KafkaWorld(bootstrap, broker, AdminClient({"bootstrap.servers": bootstrap, "log_level": 0}))
    finally:
        await broker.aclose()


def group_of(topic: KafkaTopic, name: str = "billing", start: str = "earliest", **fields: Any) -> KafkaGroup:
    """A group of a topic."""
    return KafkaGroup(group_key(topic.key.name, f"{topic.key.name}.{name}"), start=start, **fields)


def created(resource: Resource) -> Change:
    """The change that makes an object."""
    return Change(Action.CREATE, resource.key, OWNER, after=resource)


def changed(found: Observed, after: Resource) -> Change:
    """The change from what was read to what is wanted."""
    return Change(
        Action.UPDATE, after.key, OWNER, after=after, before=found.resource, identity=found.identity
    )


def deleted(found: Observed, *, only_if_empty: bool = False) -> Change:
    """The change that deletes what was read."""
    return Change(
        Action.DELETE,
        found.resource.key,
        OWNER,
        before=found.resource,
        identity=found.identity,
        only_if_empty=only_if_empty,
    )


class Counting(Pace):
    """A lane that counts requests."""

    def __init__(self) -> None:
        super().__init__(1000, asyncio.Semaphore(64))
        self.requests = 0

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """One request more."""
        self.requests += 1
        async with super().slot():
            yield


__all__ = [
    "INHERITED",
    "Counting",
    "KafkaWorld",
    "changed",
    "committed",
    "created",
    "deleted",
    "group_of",
    "joined",
    "taken",
    "world_at",
]
