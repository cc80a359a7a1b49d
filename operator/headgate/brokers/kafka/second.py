"""What librdkafka cannot do: move copies of partitions, and everything that a group's coordinator answers. Decides nothing.

librdkafka ends the whole process where a coordinator comes back after a call about a group has timed out. The other
library blocks, so it works in a thread, and it connects only when it is asked something.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final, TypeVar

from kafka import TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from headgate.brokers.base import Unreachable, always
from headgate.brokers.kafka.coordinators import AWAY, Coordinators, fault_of
from headgate.brokers.kafka.faults import Fault, error
from headgate.brokers.kafka.groupviews import GroupView, Place
from headgate.brokers.pace import Pace

_TIMED_OUT: Final = -185
logging.getLogger("kafka").setLevel(logging.CRITICAL)  # what it has to say comes as errors
Offsets = Mapping[str, Mapping[Place, int] | Fault]

R = TypeVar("R")


class Second:
    """The requests of kafka-python that we need."""

    def __init__(
        self, settings: Callable[[], dict[str, Any]], timeout: float, may_act: Callable[[], bool] = always
    ) -> None:
        self._settings = settings
        self._timeout = timeout
        self._may_act = may_act
        self._client: Coordinators | None = None
        self._turn = asyncio.Lock()  # the client serves one at a time

    async def features(self, lane: Pace) -> Mapping[str, int]:
        """The feature levels on which the cluster has agreed."""
        found = await self._run(lane, "features", lambda client: client.describe_features())
        return {name: levels["finalized"][1] for name, levels in found.items() if levels.get("finalized")}

    async def moving(self, lane: Pace) -> Mapping[Place, int]:
        """Partitions on the move, and how many copies each is being given."""
        found = await self._run(lane, "moves", lambda client: client.list_partition_reassignments())
        return {(place.topic, place.partition): len(each["adding_replicas"]) for place, each in found.items()}

    async def move(self, lane: Pace, topic: str, targets: Mapping[int, tuple[int, ...]]) -> None:
        """Begin to move partitions; returns when the cluster has agreed to do it."""
        subject = f"topic/{topic}"
        self._ask_leave(subject)
        wanted = {TopicPartition(topic, number): list(brokers) for number, brokers in targets.items()}
        found = await self._run(lane, subject, lambda client: client.alter_partition_reassignments(wanted))
        for failure in found.values():
            if failure is not None:
                raise error(fault_of(failure), subject, "Alter on Cluster")

    async def committed(self, lane: Pace, groups: Collection[str]) -> Offsets:
        """The positions of groups in all topics, one request to each coordinator."""
        if not groups:
            return {}
        return await self._run(lane, "groups", lambda client: client.positions(groups))

    async def members(self, lane: Pace, groups: Collection[str]) -> Mapping[str, GroupView | Fault]:
        """Who is in each group, one or two requests to each coordinator; nobody is in one that is not there."""
        if not groups:
            return {}
        return await self._run(lane, "groups", lambda client: client.members(groups))

    async def remove(self, lane: Pace, group: str) -> Fault | None:
        """Delete a group without members, with its positions in all topics."""
        self._ask_leave(f"group {group}")
        return (await self._run(lane, f"group {group}", lambda client: client.removed([group])))[group]

    async def commit(self, lane: Pace, group: str, offsets: Mapping[Place, int]) -> Fault | None:
        """Set positions of a group without members. The request succeeds also where single partitions fail."""
        self._ask_leave(f"group {group}")
        wanted = {
            TopicPartition(*place): OffsetAndMetadata(offset, "", -1) for place, offset in offsets.items()
        }
        found = await self._run(
            lane, f"group {group}", lambda client: client.alter_group_offsets(group, wanted)
        )
        return _first(found)

    async def renew(self, lane: Pace, group: str, places: Collection[Place]) -> Fault | None:
        """Commit positions of a group without members as they are."""
        self._ask_leave(f"group {group}")
        return _first(await self._run(lane, f"group {group}", lambda client: client.renewed(group, places)))

    async def forget(self, lane: Pace, group: str, places: Collection[Place]) -> Fault | None:
        """Delete some positions of a group; of those that are not there none is missed."""
        self._ask_leave(f"group {group}")
        wanted = [TopicPartition(*place) for place in places]
        found = await self._run(
            lane, f"group {group}", lambda client: client.delete_group_offsets(group, wanted)
        )
        return _first(found)

    async def aclose(self) -> None:
        """Let go of the connections."""
        client, self._client = self._client, None
        if client is not None:
            await asyncio.to_thread(client.close)

    def _ask_leave(self, subject: str) -> None:
        if not self._may_act():
            raise Unreachable("LeaseLost", f"another operator may be acting; {subject} was not changed")

    async def _run(self, lane: Pace, subject: str, ask: Callable[[Coordinators], R]) -> R:
        async with lane.slot(), self._own_turn(subject):
            try:
                async with asyncio.timeout(self._timeout * 2):
                    return await asyncio.to_thread(partial(self._asked, ask))
            except TimeoutError:
                raise error(Fault(_TIMED_OUT, "no answer came in time"), subject, wrote=True) from None
            except KafkaError as failure:
                raise error(fault_of(failure), subject, "Describe and Alter on Cluster", wrote=True) from None

    @asynccontextmanager
    async def _own_turn(self, subject: str) -> AsyncIterator[None]:
        """Alone with the client; where those before us wait for answers in vain, so would we."""
        try:
            async with asyncio.timeout(self._timeout):
                await self._turn.acquire()
        except TimeoutError:
            raise error(Fault(AWAY, "earlier requests are not answered"), subject) from None
        try:
            yield
        finally:
            self._turn.release()

    def _asked(self, ask: Callable[[Coordinators], R]) -> R:
        if self._client is None:
            self._client = Coordinators(**self._settings())
        return ask(self._client)


def _first(found: Mapping[Any, Any]) -> Fault | None:
    """What went wrong with the first partition of which it did."""
    return next(
        (fault_of(failure) for failure in found.values() if failure is not None and failure.errno), None
    )
