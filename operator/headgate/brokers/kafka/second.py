"""What librdkafka cannot do: move copies of partitions, and everything about positions of groups. Decides nothing.

librdkafka takes the positions of one group a request, and where a coordinator has moved it ends the whole process. The
other library blocks, so it works in a thread, and it connects only when it is asked something.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, Final, TypeVar

from kafka import KafkaAdminClient, TopicPartition
from kafka.errors import BrokerResponseError, KafkaError
from kafka.structs import OffsetAndMetadata

from headgate.brokers.base import Unreachable, always
from headgate.brokers.kafka.admin import Place
from headgate.brokers.kafka.faults import Fault, error
from headgate.brokers.pace import Pace

_AWAY: Final = -195
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
        self._client: KafkaAdminClient | None = None
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
                raise error(_fault(failure), subject, "Alter on Cluster")

    async def committed(self, lane: Pace, groups: Collection[str]) -> Offsets:
        """The positions of groups in all topics, one request to each coordinator.

        The library gives up at the first group in trouble; then halves are asked for, so that it is the only one, as
        long as there is time: where nobody coordinates anything each try takes all of it.
        """
        if not groups:
            return {}
        deadline = asyncio.get_running_loop().time() + self._timeout
        return await self._halves(lane, sorted(groups), deadline)

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

    async def _halves(self, lane: Pace, groups: list[str], deadline: float) -> Offsets:
        found = await self._positions(lane, groups)
        if not isinstance(found, Fault):
            return found
        if len(groups) == 1 or asyncio.get_running_loop().time() >= deadline:
            return dict.fromkeys(groups, found)
        middle = len(groups) // 2
        first = await self._halves(lane, groups[:middle], deadline)
        return {**first, **await self._halves(lane, groups[middle:], deadline)}

    async def _positions(self, lane: Pace, groups: list[str]) -> Mapping[str, Mapping[Place, int]] | Fault:
        def ask(client: KafkaAdminClient) -> Mapping[str, Mapping[Place, int]] | Fault:
            try:
                found = client.list_group_offsets(groups)
            except BrokerResponseError as failure:
                return _fault(failure)
            return {
                group: {
                    (place.topic, place.partition): each.offset
                    for place, each in offsets.items()
                    if each.offset >= 0
                }
                for group, offsets in found.items()
            }

        return await self._run(lane, "groups", ask)

    def _ask_leave(self, subject: str) -> None:
        if not self._may_act():
            raise Unreachable("LeaseLost", f"another operator may be acting; {subject} was not changed")

    async def _run(self, lane: Pace, subject: str, ask: Callable[[KafkaAdminClient], R]) -> R:
        async with lane.slot(), self._turn:
            try:
                async with asyncio.timeout(self._timeout * 2):
                    return await asyncio.to_thread(partial(self._asked, ask))
            except TimeoutError:
                raise error(Fault(_TIMED_OUT, "no answer came in time"), subject, wrote=True) from None
            except KafkaError as failure:
                raise error(_fault(failure), subject, "Describe and Alter on Cluster", wrote=True) from None

    def _asked(self, ask: Callable[[KafkaAdminClient], R]) -> R:
        if self._client is None:
            self._client = KafkaAdminClient(**self._settings())
        return ask(self._client)


def _fault(failure: Any) -> Fault:  # noqa: ANN401  (an error of the library or its class)
    """Errors of the library itself have no number: they all mean that nobody answered."""
    text = str(failure) if isinstance(failure, Exception) else str(getattr(failure, "message", failure))
    return Fault(getattr(failure, "errno", None) or _AWAY, text)


def _first(found: Mapping[Any, Any]) -> Fault | None:
    """What went wrong with the first partition of which it did."""
    return next(
        (_fault(failure) for failure in found.values() if failure is not None and failure.errno), None
    )
