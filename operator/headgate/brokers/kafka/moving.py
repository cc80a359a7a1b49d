"""Moves copies of partitions between brokers, which librdkafka cannot. Decides nothing.

The library blocks, so it works in a thread of its own, and it connects only when something has to move.
"""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, TypeVar

from kafka import KafkaAdminClient, TopicPartition
from kafka.errors import KafkaError

from headgate.brokers.base import Unreachable, always
from headgate.brokers.kafka.admin import Place
from headgate.brokers.kafka.faults import Fault, error

_AWAY: Final = -195
_TIMED_OUT: Final = -185

R = TypeVar("R")


class Mover:
    """The requests of kafka-python that we need."""

    def __init__(
        self, settings: Callable[[], dict[str, Any]], timeout: float, may_act: Callable[[], bool] = always
    ) -> None:
        self._settings = settings
        self._timeout = timeout
        self._may_act = may_act
        self._client: KafkaAdminClient | None = None
        self._turn = asyncio.Lock()  # the client serves one at a time

    async def features(self) -> Mapping[str, int]:
        """The feature levels on which the cluster has agreed."""
        found = await self._run("features", lambda client: client.describe_features())
        return {name: levels["finalized"][1] for name, levels in found.items() if levels.get("finalized")}

    async def moving(self) -> Mapping[Place, int]:
        """Partitions on the move, and how many copies each is being given."""
        found = await self._run("reassignments", lambda client: client.list_partition_reassignments())
        return {(place.topic, place.partition): len(each["adding_replicas"]) for place, each in found.items()}

    async def move(self, topic: str, targets: Mapping[int, tuple[int, ...]]) -> None:
        """Begin to move partitions; returns when the cluster has agreed to do it."""
        if not self._may_act():
            raise Unreachable("LeaseLost", f"another operator may be acting; topic/{topic} was not moved")
        wanted = {TopicPartition(topic, number): list(brokers) for number, brokers in targets.items()}
        found = await self._run(f"topic/{topic}", lambda client: client.alter_partition_reassignments(wanted))
        for failure in found.values():
            if failure is not None:
                raise error(Fault(failure.errno, failure.message), f"topic/{topic}", "Alter on Cluster")

    async def forget(self, group: str, topic: str, partitions: int) -> Mapping[int, Fault]:
        """Delete the positions of a group in one topic; those that could not be deleted."""
        if not self._may_act():
            raise Unreachable("LeaseLost", f"another operator may be acting; group {group} was not changed")
        places = [TopicPartition(topic, number) for number in range(partitions)]
        found = await self._run(f"group {group}", lambda client: client.delete_group_offsets(group, places))
        return {
            place.partition: Fault(failure.errno, failure.message)
            for place, failure in found.items()
            if failure.errno
        }

    async def aclose(self) -> None:
        """Let go of the connections."""
        client, self._client = self._client, None
        if client is not None:
            await asyncio.to_thread(client.close)

    async def _run(self, subject: str, ask: Callable[[KafkaAdminClient], R]) -> R:
        async with self._turn:
            try:
                async with asyncio.timeout(self._timeout * 2):
                    return await asyncio.to_thread(partial(self._asked, ask))
            except TimeoutError:
                raise error(Fault(_TIMED_OUT, "no answer came in time"), subject, wrote=True) from None
            except KafkaError as failure:
                fault = Fault(getattr(failure, "errno", None) or _AWAY, str(failure))
                raise error(fault, subject, "Alter on Cluster", wrote=True) from None

    def _asked(self, ask: Callable[[KafkaAdminClient], R]) -> R:
        if self._client is None:
            self._client = KafkaAdminClient(**self._settings())
        return ask(self._client)
