"""A namespace with a Ready EventBroker on a Kafka of its own, under one operator; and its estate, as users write it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)
from tests.kube.estate import OWNER, Estate, Json
from tests.kube.operator import Operator, operator

from headgate.brokers.kafka.admin import LATEST
from headgate.local.client import Client
from headgate.local.cluster import Cluster
from headgate.local.kafka import LocalKafka, LocalKafkaCluster
from headgate.local.run import Run

RESYNC = 5.0
ONCE = "once"  # a retry policy without retries
_OVERRIDE = 1  # where a config of a topic comes from that was set for it alone
_WAIT = 15.0

T = TypeVar("T")


class Hand:
    """Somebody else's hand in the cluster."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})

    async def names(self) -> set[str]:
        """Of every topic that is there."""
        found = await asyncio.to_thread(self._admin.list_topics, timeout=_WAIT)
        return {name for name in found.topics if not name.startswith("__")}

    async def partitions(self, topic: str) -> int:
        """How many a topic has."""
        return len((await self._topic(topic)).partitions)

    async def copies(self, topic: str) -> set[int]:
        """How many its partitions have."""
        return {len(each.replicas) for each in (await self._topic(topic)).partitions.values()}

    async def configs(self, topic: str) -> dict[str, str]:
        """What was set for the topic itself."""
        resource = ConfigResource(ResourceType.TOPIC, topic)
        found: Any = await self._done(lambda: self._admin.describe_configs([resource])[resource])
        return {key: str(entry.value) for key, entry in found.items() if int(entry.source) == _OVERRIDE}

    async def override(self, topic: str, key: str, value: str | None) -> None:
        """Set a config by hand; None takes it away."""
        how = AlterConfigOpType.DELETE if value is None else AlterConfigOpType.SET
        entry = ConfigEntry(key, value, incremental_operation=how)
        await self._alter(ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry]))

    async def throttle(self, topic: str, brokers: int, rate: int | None) -> None:
        """Have copies of a topic be made at so many bytes a second, and no more slowly than otherwise where that is None."""
        how = AlterConfigOpType.DELETE if rate is None else AlterConfigOpType.SET
        for side in ("leader", "follower"):
            entry = ConfigEntry(
                f"{side}.replication.throttled.rate", str(rate or ""), incremental_operation=how
            )
            for number in range(1, brokers + 1):
                where = ConfigResource(ResourceType.BROKER, str(number), incremental_configs=[entry])
                await self._alter(where)
            await self.override(
                topic, f"{side}.replication.throttled.replicas", None if rate is None else "*"
            )

    async def make(self, topic: str, partitions: int = 1, **configs: str) -> None:
        """Make a topic by hand; `_` stands for a dot."""
        wanted = {key.replace("_", "."): value for key, value in configs.items()}
        new = NewTopic(topic, partitions, 1, config=wanted)
        await self._done(lambda: self._admin.create_topics([new], operation_timeout=_WAIT)[topic])

    async def drop(self, topic: str) -> None:
        """Delete a topic by hand."""
        await self._done(lambda: self._admin.delete_topics([topic], operation_timeout=_WAIT)[topic])

    async def ends(self, topic: str) -> dict[int, int]:
        """The next offset of each partition."""
        places = [TopicPartition(topic, number) for number in range(await self.partitions(topic))]
        asked: dict[TopicPartition, Any] = dict.fromkeys(places, LATEST)
        found = await asyncio.to_thread(lambda: self._admin.list_offsets(asked))
        return {place.partition: found[place].result(_WAIT).offset for place in places}

    async def drop_group(self, group: str) -> None:
        """Delete all positions of a group by hand."""
        await self._done(lambda: self._admin.delete_consumer_groups([group])[group])

    async def positions(self, group: str) -> dict[tuple[str, int], int]:
        """Where a group stands."""
        asked = ConsumerGroupTopicPartitions(group)
        found: Any = await self._done(lambda: self._admin.list_consumer_group_offsets([asked])[group])
        return {(each.topic, each.partition): each.offset for each in found.topic_partitions}

    async def publish(self, topic: str, count: int, age: float = 0.0, size: int = 1) -> None:
        """So many events of so many bytes."""
        await asyncio.to_thread(self._publish, topic, count, age, size)

    def _publish(self, topic: str, count: int, age: float, size: int) -> None:
        producer = Producer({"bootstrap.servers": self._bootstrap, "log_level": 0})
        moment = round((time.time() - age) * 1000)
        for number in range(count):
            producer.produce(topic, f"{number}".encode().ljust(size), timestamp=moment)
        assert producer.flush(_WAIT) == 0

    async def settle(self, group: str, topic: str, offsets: Mapping[int, int]) -> None:
        """Have a group stand there, as a worker that is gone again left it."""
        places = [TopicPartition(topic, number, offset) for number, offset in offsets.items()]
        wanted = ConsumerGroupTopicPartitions(group, places)
        found: Any = await self._done(lambda: self._admin.alter_consumer_group_offsets([wanted])[group])
        assert [each.error for each in found.topic_partitions if each.error] == []

    @asynccontextmanager
    async def worker(self, group: str, topic: str) -> AsyncIterator[Consumer]:
        """A worker that has partitions."""
        settings: dict[str, Any] = {
            "bootstrap.servers": self._bootstrap,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "log_level": 0,
        }
        consumer = Consumer(settings)
        consumer.subscribe([topic])
        deadline = time.monotonic() + 30
        try:
            while not consumer.assignment():
                assert time.monotonic() < deadline, "the worker was given no partition"
                await asyncio.to_thread(consumer.poll, 0.05)
            yield consumer
        finally:
            await asyncio.to_thread(consumer.close)

    async def _alter(self, what: ConfigResource) -> None:
        await self._done(lambda: self._admin.incremental_alter_configs([what])[what])

    async def _topic(self, topic: str) -> Any:
        return (await asyncio.to_thread(self._admin.list_topics, topic, _WAIT)).topics[topic]

    async def _done(self, ask: Callable[[], Any]) -> Any:
        return await asyncio.to_thread(lambda: ask().result(_WAIT))


@dataclass(frozen=True)
class Home:
    """Where an estate is tried."""

    estate: Estate
    server: LocalKafka | LocalKafkaCluster
    hand: Hand
    operator: Operator


def broker(bootstrap: str, **more: Any) -> Json:
    """The spec of an EventBroker."""
    kafka = {"bootstrapServers": bootstrap.split(","), **more.pop("kafka", {})}
    return {"kafka": kafka, "resyncInterval": f"{RESYNC:g}s", **more}


@asynccontextmanager
async def at_home(
    cluster: Cluster,
    api: Client,
    servers: Run,
    server: LocalKafka | LocalKafkaCluster,
    namespace: str,
    name: str,
    *,
    env: Mapping[str, str] | None = None,
    **more: Any,
) -> AsyncIterator[Home]:
    """`name` tells its operator from those of other tests."""
    async with operator(
        cluster, api, servers, f"{name}-operator", namespaces=[namespace], env=env
    ) as running:
        estate = Estate(api, namespace)
        await estate.put("EventBroker", "main", broker(server.bootstrap, **more))
        await estate.put("RetryPolicy", ONCE, {"attempts": 1, "handlingTimeout": "10s"})
        await estate.ready("EventBroker", "main", limit=30)
        yield Home(estate, server, Hand(server.bootstrap), running)


def topic(**more: Any) -> Json:
    """The spec of a topic; None leaves a field out."""
    spec = {"brokerRef": {"name": "main"}, "retention": {"maxAge": "1h"}, "partitions": 2, **more}
    return {key: value for key, value in spec.items() if value is not None}


def group(of: str, **more: Any) -> Json:
    """The spec of a group that reads a topic from the beginning; None leaves a field out."""
    spec = {
        "topicRef": {"name": of},
        "start": {"from": "Earliest"},
        "retryPolicyRef": {"name": ONCE},
        **more,
    }
    return {key: value for key, value in spec.items() if value is not None}


def queue(**more: Any) -> Json:
    """The spec of a dead-letter queue."""
    return {"brokerRef": {"name": "main"}, "owner": OWNER, "retention": {"maxAge": "24h"}, **more}
