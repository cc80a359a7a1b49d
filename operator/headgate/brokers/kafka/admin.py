"""The requests of librdkafka's admin client that we need, in batches, each with a deadline. Decides nothing.

Every answer is by item: one that failed is a Fault and does not touch the others. A timeout of zero would make the
library report success for something that was never done, so none is ever given. What a group's coordinator answers is
asked elsewhere: here it would end the process.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from confluent_kafka import (
    OFFSET_INVALID,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from headgate.brokers.base import Refused, Unreachable, always
from headgate.brokers.kafka.ages import Point
from headgate.brokers.kafka.faults import Fault
from headgate.brokers.kafka.groupviews import Place
from headgate.brokers.kafka.refusals import Sort
from headgate.brokers.kafka.resources import INHERITED, TOPIC
from headgate.brokers.pace import Pace

_GRACE: Final = 1.0  # seconds beyond the library's own timeout after which we stop waiting for it
_TIMED_OUT: Final = -185
_LEADERLESS: Final = 5
_TELLING: Final = frozenset({-169, -181, -193})  # why a connection fails: worth more than that it does
_OVERRIDES: Final = frozenset({1, 8})  # sources of configs that were set for this one topic or group
EARLIEST: Final[OffsetSpec] = OffsetSpec.earliest()  # type: ignore[no-untyped-call]  # the library leaves it untyped
LATEST: Final[OffsetSpec] = OffsetSpec.latest()  # type: ignore[no-untyped-call]  # the library leaves it untyped

K = TypeVar("K")
V = TypeVar("V")
W = TypeVar("W")


@dataclass(frozen=True, slots=True)
class Partition:
    """Where one partition is kept."""

    number: int
    replicas: tuple[int, ...]  # the preferred leader first
    in_sync: frozenset[int]


@dataclass(frozen=True, slots=True)
class TopicView:
    """One topic as the cluster describes it."""

    identity: str
    partitions: tuple[Partition, ...]


@dataclass(frozen=True, slots=True)
class NewTopicView:
    """A topic to be made; None leaves a number to the broker."""

    partitions: int | None
    replicas: int | None
    configs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ClusterView:
    """The cluster as it describes itself."""

    identity: str
    brokers: tuple[int, ...]


class Admin:
    """One client of one cluster. It connects by itself, when it is asked something."""

    def __init__(
        self, settings: Mapping[str, Any], timeout: float, may_act: Callable[[], bool] = always
    ) -> None:
        self.timeout = timeout
        self._may_act = may_act
        self._trouble: Fault | None = None
        self.broken = asyncio.Event()  # set while nobody answers, and before anybody did
        self.broken.set()
        try:
            config: dict[str, Any] = {**settings, "error_cb": self._noted}
            self._client = AdminClient(config)
        except KafkaException as error:
            text = error.args[0].str()
            raise Refused(
                "CredentialsInvalid", f"spec.kafka: the client cannot be set up so: {text}"
            ) from None

    async def cluster(self, lane: Pace) -> ClusterView | Fault:
        """Identity and brokers."""
        async with lane.slot():
            future = self._client.describe_cluster(request_timeout=self.timeout)
            (found,) = (await self._answers({"": future})).values()
        if isinstance(found, Fault):
            return found
        return ClusterView(str(found.cluster_id), tuple(sorted(node.id for node in found.nodes)))

    async def names(self, lane: Pace) -> Mapping[str, int] | Fault:
        """The names of all topics that we may know of, and into how many partitions each is split."""
        async with lane.slot():
            try:
                found = await asyncio.to_thread(self._client.list_topics, timeout=self.timeout)
            except KafkaException as failure:
                return self._told(_fault(failure.args[0]))
        self.broken.clear()
        return {name: len(each.partitions) for name, each in found.topics.items()}

    async def topics(self, lane: Pace, names: Collection[str]) -> Mapping[str, TopicView | Fault]:
        """Identity and partitions of many topics in one request."""
        if not names:
            return {}
        async with lane.slot():
            futures = self._client.describe_topics(
                TopicCollection(sorted(names)), request_timeout=self.timeout
            )
            return _each(await self._answers(futures), _topic)

    async def overrides(
        self, lane: Pace, kind: str, names: Collection[str]
    ) -> Mapping[str, Mapping[str, str] | Fault]:
        """The configs that were set for each topic or group itself, in one request."""
        if not names:
            return {}
        resources = {ConfigResource(_type(kind), name): name for name in names}
        async with lane.slot():
            futures = self._client.describe_configs(list(resources), request_timeout=self.timeout)
            named = {resources[resource]: future for resource, future in futures.items()}
            return _each(await self._answers(named), _overrides)

    async def create(self, lane: Pace, topics: Mapping[str, NewTopicView]) -> Mapping[str, Fault | None]:
        """Make topics; returns once the cluster has decided."""
        wanted = [
            NewTopic(
                name,
                -1 if view.partitions is None else view.partitions,
                -1 if view.replicas is None else view.replicas,
                config=dict(view.configs),
            )
            for name, view in topics.items()
        ]
        return await self._write(lane, lambda: self._client.create_topics(wanted, **self._both()))

    async def grow(self, lane: Pace, totals: Mapping[str, int]) -> Mapping[str, Fault | None]:
        """Give topics more partitions."""
        wanted = [NewPartitions(name, total) for name, total in totals.items()]
        return await self._write(lane, lambda: self._client.create_partitions(wanted, **self._both()))

    async def delete(self, lane: Pace, names: Mapping[str, None]) -> Mapping[str, Fault | None]:
        """Delete topics with all they hold."""
        return await self._write(lane, lambda: self._client.delete_topics(list(names), **self._both()))

    async def alter(
        self, lane: Pace, configs: Mapping[tuple[str, str], tuple[tuple[str, str], ...]]
    ) -> Mapping[tuple[str, str], Fault | None]:
        """Set or take away single overrides of topics and groups; the others stay as they are."""
        resources = {
            ConfigResource(
                _type(kind), name, incremental_configs=[_entry(key, value) for key, value in pairs]
            ): (kind, name)
            for (kind, name), pairs in configs.items()
        }

        def send() -> Mapping[tuple[str, str], Future[Any]]:
            futures = self._client.incremental_alter_configs(list(resources), request_timeout=self.timeout)
            return {resources[resource]: future for resource, future in futures.items()}

        return await self._write(lane, send)

    async def broker_setting(self, lane: Pace, broker: int, name: str) -> str | Fault:
        """One setting of a broker, as it is in force."""
        resource = ConfigResource(ResourceType.BROKER, str(broker))
        async with lane.slot():
            futures = self._client.describe_configs([resource], request_timeout=self.timeout)
            (found,) = (await self._answers({name: futures[resource]})).values()
        return found if isinstance(found, Fault) else str(found[name].value)

    async def offsets(
        self, lane: Pace, asked: Mapping[Place, OffsetSpec]
    ) -> Mapping[Place, Point | Fault | None]:
        """For each partition the first or next offset, or the first event of a moment or later; None: there is none."""
        if not asked:
            return {}
        places = {TopicPartition(topic, number): spec for (topic, number), spec in asked.items()}
        async with lane.slot():
            futures = self._client.list_offsets(places, request_timeout=self.timeout)
            named = {(place.topic, place.partition): future for place, future in futures.items()}
            found = _each(await self._answers(named), _point)
        if all(isinstance(each, Fault) for each in found.values()):
            self.broken.set()
        return found

    async def trim(self, lane: Pace, offsets: Mapping[Place, int]) -> Mapping[Place, Fault | None]:
        """Let go of all that is before these offsets."""
        wanted = [TopicPartition(*place, offset) for place, offset in offsets.items()]

        def send() -> Mapping[Place, Future[Any]]:
            futures = self._client.delete_records(wanted, **self._both())
            return {(place.topic, place.partition): future for place, future in futures.items()}

        return await self._write(lane, send)

    async def lost(self, often: float = 0.25) -> None:
        """Return when nobody answers any more."""
        while not self.broken.is_set():
            self._client.poll(0)
            await asyncio.sleep(often)

    def _both(self) -> dict[str, float]:
        return {"operation_timeout": self.timeout, "request_timeout": self.timeout}

    def _ask_leave(self, what: str) -> None:
        if not self._may_act():
            raise Unreachable("LeaseLost", f"another operator may be acting; {what} was not sent")

    async def _write(
        self, lane: Pace, send: Callable[[], Mapping[K, Future[Any]]]
    ) -> Mapping[K, Fault | None]:
        async with lane.slot():
            self._ask_leave("a change")
            answers = await self._answers(send())
        return {key: answer if isinstance(answer, Fault) else None for key, answer in answers.items()}

    async def _answers(self, futures: Mapping[K, Future[V]]) -> Mapping[K, V | Fault]:
        """What became of every item, when all are answered or our patience is over."""
        waiting: dict[K, asyncio.Future[V]] = {
            key: asyncio.wrap_future(future) for key, future in futures.items()
        }
        await asyncio.wait(waiting.values(), timeout=self.timeout + _GRACE)
        answers: dict[K, V | Fault] = {}
        for key, future in waiting.items():
            answer = self._answer(future)
            answers[key] = answer
        if any(not isinstance(answer, Fault) or answer.sort is not Sort.AWAY for answer in answers.values()):
            self.broken.clear()
        return answers

    def _answer(self, future: "asyncio.Future[V]") -> "V | Fault":
        if not future.done():
            future.cancel()
            return self._told(Fault(_TIMED_OUT, "no answer came in time"))
        failure = future.exception()
        if failure is None:
            return future.result()
        if isinstance(failure, KafkaException):
            return self._told(_fault(failure.args[0]))
        raise failure

    def _told(self, fault: Fault) -> Fault:
        """Why nobody answers, where the library found out: a wrong password looks like a timeout otherwise."""
        if fault.sort not in (Sort.AWAY, Sort.UNCERTAIN):
            return fault
        self._client.poll(0)
        self.broken.set()
        trouble, self._trouble = self._trouble, None
        return trouble or fault

    def _noted(self, error: KafkaError) -> None:
        """Called by the library while it is polled."""
        if error.code() in _TELLING:
            self._trouble = _fault(error)
        if error.code() == KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001  (the library's own name for it)
            self.broken.set()


def _each(answers: Mapping[K, V | Fault], read: Callable[[V], W]) -> Mapping[K, W | Fault]:
    return {key: answer if isinstance(answer, Fault) else read(answer) for key, answer in answers.items()}


def _fault(error: KafkaError) -> Fault:
    return Fault(error.code(), error.str())


def _type(kind: str) -> ResourceType:
    return ResourceType.TOPIC if kind == TOPIC else ResourceType.GROUP


def _entry(key: str, value: str) -> ConfigEntry:
    if value == INHERITED:
        return ConfigEntry(key, None, incremental_operation=AlterConfigOpType.DELETE)
    return ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)


def _topic(found: Any) -> TopicView:  # noqa: ANN401  (the library's types say too little)
    partitions = (
        Partition(each.id, tuple(node.id for node in each.replicas), frozenset(node.id for node in each.isr))
        for each in found.partitions
    )
    return TopicView(str(found.topic_id), tuple(sorted(partitions, key=lambda each: each.number)))


def _overrides(found: Any) -> Mapping[str, str]:  # noqa: ANN401  (the library's types say too little)
    return {key: entry.value or "" for key, entry in found.items() if entry.source in _OVERRIDES}


def _point(found: Any) -> Point | Fault | None:  # noqa: ANN401  (the library's types say too little)
    """The library counts it as a success, with an offset that is none, when a leader does not answer in time."""
    if found.offset == OFFSET_INVALID:
        return Fault(_LEADERLESS, "whoever leads the partition does not answer")
    return None if found.offset < 0 else Point(found.offset, found.timestamp)
