"""Requests about groups to whoever coordinates them, as many groups as it coordinates in one. Decides nothing, blocks.

A coordinator moves when its server goes, so who it is is asked anew each time: the library keeps the first answer for
ever. A group whose coordinator does not answer is in trouble alone.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, TypeVar

from kafka import KafkaAdminClient, TopicPartition
from kafka.errors import KafkaError
from kafka.protocol.admin import DeleteGroupsRequest, DescribeGroupsRequest
from kafka.protocol.api_message import ApiMessage
from kafka.protocol.consumer import OffsetFetchRequest
from kafka.protocol.consumer.metadata import ConsumerProtocolAssignment
from kafka.protocol.metadata import CoordinatorType, FindCoordinatorRequest

from headgate.brokers.kafka import groupviews
from headgate.brokers.kafka.faults import Fault
from headgate.brokers.kafka.groupviews import NOBODY, GroupView, Place
from headgate.brokers.kafka.refusals import GROUP_NOT_FOUND

AWAY: Final = -195
_WIRE: Final = "headgate.brokers.kafka.wire"

R = TypeVar("R")


class ConsumerGroupDescribeRequest(ApiMessage, load_json=_WIRE):  # type: ignore[misc, call-arg]  # no types
    """Asks for members of groups whose partitions the coordinator divides."""


class ConsumerGroupDescribeResponse(ApiMessage, load_json=_WIRE):  # type: ignore[misc, call-arg]  # no types
    """Tells them; the library finds it by its number."""


class Coordinators(KafkaAdminClient):  # type: ignore[misc]  # the library has no types
    """A client of one cluster that leaves nothing behind where nobody answers it."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401  (settings have any type)
        try:
            super().__init__(**settings)
        except BaseException:
            self._abandoned()
            raise

    def members(self, groups: Collection[str]) -> Mapping[str, GroupView | Fault]:
        """Who is in each group, of either protocol; nobody is in one that is not there."""
        found: Mapping[str, GroupView | Fault] = self._manager.run(self._members, list(groups))
        return found

    def positions(self, groups: Collection[str]) -> Mapping[str, Mapping[Place, int] | Fault]:
        """How far each group is, in all topics."""
        found: Mapping[str, Mapping[Place, int] | Fault] = self._manager.run(self._positions, list(groups))
        return found

    def removed(self, groups: Collection[str]) -> Mapping[str, Fault | None]:
        """Delete groups without members, with all their positions."""
        found: Mapping[str, Fault | None] = self._manager.run(self._removed, list(groups))
        return found

    def renewed(self, group: str, places: Collection[Place]) -> Mapping[Any, Any]:
        """Commit positions as they are, with all that was written beside them; what went wrong by partition."""
        wanted = {group: [TopicPartition(*place) for place in places]}
        held = self.list_group_offsets(wanted)[group]
        found: Mapping[Any, Any] = self.alter_group_offsets(
            group, {place: each for place, each in held.items() if each.offset >= 0}
        )
        return found

    async def _members(self, groups: list[str]) -> Mapping[str, GroupView | Fault]:
        found = await self._each(groups, lambda names: DescribeGroupsRequest(groups=names), _classic)
        others = [name for name, each in found.items() if _not_found(each)]
        if others and ConsumerGroupDescribeRequest.API_KEY in self._known():
            found |= await self._each(
                others, lambda names: ConsumerGroupDescribeRequest(group_ids=names), groupviews.modern
            )
        return {name: NOBODY if _not_found(each) else each for name, each in found.items()}

    async def _positions(self, groups: list[str]) -> Mapping[str, Mapping[Place, int] | Fault]:
        asked = OffsetFetchRequest.OffsetFetchRequestGroup

        def request(names: list[str]) -> Any:  # noqa: ANN401  (the library has no types)
            wanted = [asked(group_id=name, topics=None) for name in names]
            # from version 10 on it speaks of topics by their identities only
            return OffsetFetchRequest(groups=wanted, min_version=8, max_version=8)

        return await self._each(groups, request, groupviews.positions)

    async def _removed(self, groups: list[str]) -> Mapping[str, Fault | None]:
        return await self._each(
            groups, lambda names: DeleteGroupsRequest(groups_names=names), groupviews.deleted
        )

    async def _each(
        self,
        groups: list[str],
        request: Callable[[list[str]], Any],
        read: Callable[[Any], Mapping[str, R | Fault]],
    ) -> dict[str, R | Fault]:
        """Ask all coordinators at once; the answers by group."""
        found: dict[str, R | Fault] = {}
        asked: dict[int, list[str]] = defaultdict(list)
        for name, node in (await self._seated(groups)).items():
            if isinstance(node, Fault):
                found[name] = node
            else:
                asked[node].append(name)
        sent = {node: self._manager.send(request(names), node_id=node) for node, names in asked.items()}
        for node, answer in sent.items():
            try:
                found.update(read(await answer))
            except KafkaError as failure:
                found.update(dict.fromkeys(asked[node], fault_of(failure)))
        return found

    async def _seated(self, groups: Collection[str]) -> Mapping[str, int | Fault]:
        """Who coordinates each group now."""
        request = FindCoordinatorRequest(
            key_type=CoordinatorType.GROUP.value, coordinator_keys=list(groups), min_version=4
        )
        answer = await self._manager.send(request)
        found: dict[str, int | Fault] = {}
        for each in answer.coordinators:
            if each.error_code:
                found[each.key] = Fault(each.error_code, each.error_message or "nobody coordinates the group")
            else:
                found[each.key] = self._manager.cluster.add_coordinator(
                    each, CoordinatorType.GROUP, each.key, synthesize_node_id=False
                )
        return found

    async def _find_coordinator_ids(
        self, keys: Collection[str], key_type: CoordinatorType = CoordinatorType.GROUP
    ) -> Mapping[str, int]:
        """What the library asks before it writes positions, without its memory."""
        for key in keys:
            self._manager.cluster._coordinators.pop((key_type, key), None)  # noqa: SLF001  (it offers no other way)
        found: Mapping[str, int] = await super()._find_coordinator_ids(keys, key_type=key_type)
        return found

    def _known(self) -> Collection[int]:
        known: Collection[int] = self._manager.broker_version_data.api_versions
        return known

    def _abandoned(self) -> None:
        """End the thread that the library begins before it has found anybody, and forgets when it has not."""
        client, net = getattr(self, "_client", None), getattr(self, "_net", None)
        if client is not None:
            client.close()
        if net is not None:
            net.stop()


def fault_of(failure: Any) -> Fault:  # noqa: ANN401  (an error of the library or its class)
    """Errors of the library itself have no number: they all mean that nobody answered."""
    text = str(failure) if isinstance(failure, Exception) else str(getattr(failure, "message", failure))
    return Fault(getattr(failure, "errno", None) or AWAY, text)


def _classic(answer: Any) -> Mapping[str, GroupView | Fault]:  # noqa: ANN401  (untyped)
    return groupviews.classic(answer, ConsumerProtocolAssignment.decode)


def _not_found(each: GroupView | Fault) -> bool:
    return isinstance(each, Fault) and each.code == GROUP_NOT_FOUND
