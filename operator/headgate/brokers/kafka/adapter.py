"""One live Kafka cluster behind the Broker seam. Knows nothing of Kubernetes and decides nothing."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Final

from headgate.api.eventbroker import Limits
from headgate.brokers.base import BrokerFacts, Credentials, always
from headgate.brokers.kafka.admin import Admin
from headgate.brokers.kafka.batching import Batch
from headgate.brokers.kafka.facts import METADATA, capabilities, release
from headgate.brokers.kafka.faults import Fault, error
from headgate.brokers.kafka.groups import Groups
from headgate.brokers.kafka.keeper import Keeper
from headgate.brokers.kafka.laddering import Laddering
from headgate.brokers.kafka.letterbox import Letterbox
from headgate.brokers.kafka.login import second_settings, settings
from headgate.brokers.kafka.pages import Pages
from headgate.brokers.kafka.positions import Positions
from headgate.brokers.kafka.reading import Reader, observe
from headgate.brokers.kafka.second import Second
from headgate.brokers.kafka.settling import Settling
from headgate.brokers.kafka.topics import Topics
from headgate.brokers.kafka.values import KafkaConnection
from headgate.brokers.kafka.writing import Writer
from headgate.brokers.pace import Pace
from headgate.core import defaults
from headgate.core.changes import Change
from headgate.core.progress import Capture, Holding, Progress
from headgate.core.resource import Key, Observed, Unread

_TYPE: Final = "Kafka"


class KafkaBroker:
    """Topics and groups of one cluster."""

    def __init__(
        self,
        connection: KafkaConnection,
        limits: Limits | None,
        credentials: Credentials,
        may_act: Callable[[], bool] = always,
    ) -> None:
        limits = limits or Limits()
        timeout = (limits.timeout or defaults.TIMEOUT).total_seconds()
        in_flight = asyncio.Semaphore(limits.max_in_flight or defaults.MAX_IN_FLIGHT)
        self._requests = Pace(limits.requests_per_second or defaults.REQUESTS_PER_SECOND, in_flight)
        watching = Pace(limits.progress_per_second or defaults.PROGRESS_PER_SECOND, in_flight)
        self._admin = Admin(settings(connection, credentials, timeout), timeout, may_act)
        self._second = Second(partial(second_settings, connection, credentials, timeout), timeout, may_act)
        keeper = Keeper(self._admin)
        self._reader = Reader(self._admin, self._second, keeper)
        look: Batch[Key, None, Observed | Unread | None] = Batch(self._looked)
        self._settling = Settling(partial(look.ask, value=None), timeout)
        parts = self._admin, self._second, self._requests, look, self._settling
        topics = Topics(*parts)
        laddering = Laddering(self._admin, self._requests, look, topics)
        self._writer = Writer(topics, Groups(*parts, keeper, laddering))
        self._positions = Positions(self._admin, self._second, self._reader, keeper, watching)
        pages = Pages(partial(second_settings, connection, credentials, timeout), timeout)
        self._letterbox = Letterbox(self._reader, watching, pages)

    async def facts(self) -> BrokerFacts:
        """What the cluster says of itself, and the feature levels on which its brokers have agreed."""
        cluster = await self._admin.cluster(self._requests)
        if isinstance(cluster, Fault):
            raise error(cluster, "the cluster", "Describe on Cluster")
        features = await self._second.features(self._requests)
        level = features.get(METADATA, 0)
        return BrokerFacts(
            type=_TYPE,
            server_version=release(level),
            identity=cluster.identity,
            level=level,
            nodes=len(cluster.brokers),
            capabilities=capabilities(features),
        )

    async def observe(self, keys: Collection[Key]) -> Mapping[Key, Observed | Unread]:
        """Topics and groups; absent ones are left out."""
        return await self._settling.believed(keys, partial(observe, self._reader, self._requests))

    async def apply(self, change: Change) -> Observed | None:
        """One change of one topic or group."""
        return await self._writer.apply(change)

    async def progress(self, groups: Collection[Key]) -> Mapping[Key, Progress | Unread]:
        """How far groups are; absent ones are left out."""
        return await self._positions.progress(groups)

    async def dead_letters(self, queues: Collection[Key]) -> Mapping[Key, Holding | Unread]:
        """What topics of dead letters hold; absent ones are left out."""
        return await self._letterbox.dead_letters(queues)

    async def capture(self) -> Capture | None:
        """Kafka says nothing about events that were given up, so nothing keeps notices."""
        return None

    async def lost(self) -> None:
        """Return when nobody answers any more."""
        await self._admin.lost()

    async def aclose(self) -> None:
        """Let go of the connections; librdkafka closes its own when nobody holds it."""
        await self._second.aclose()
        await self._letterbox.aclose()

    async def _looked(self, keys: Mapping[Key, None]) -> Mapping[Key, Observed | Unread | None]:
        found = await observe(self._reader, self._requests, keys, counted=False)
        return {key: found.get(key) for key in keys}
