"""Reads one virtual host in as few requests as it takes. Changes nothing in the broker."""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from headgate.brokers.base import Refused
from headgate.brokers.pace import Pace
from headgate.brokers.rabbitmq.documents import Json, Snapshot, bindings_of, named, observed
from headgate.brokers.rabbitmq.facts import level_of
from headgate.brokers.rabbitmq.management import LIVE, Management
from headgate.brokers.rabbitmq.names import replay_name
from headgate.brokers.rabbitmq.resources import EXCHANGE
from headgate.core.resource import Key, Observed

_NOT_OURS_TO_SEE: Final = "PermissionDenied"
# What is collected every five seconds and told by no other way.
_COLLECTED: Final = (
    "name,consumers,messages_dlx,messages_delayed,message_bytes,message_stats.publish,message_stats.ack,"
    "effective_policy_definition"
)


class Reader:
    """Exchanges, queues, bindings and policies."""

    def __init__(self, api: Management) -> None:
        self.api = api
        self._level: int | None = None
        self._definitions = True  # until the server says that they are for administrators only

    async def overview(self, lane: Pace) -> Json:
        """What the server says about itself."""
        found: Json = await self.api.get(lane, "overview", {"disable_stats": "true"})
        self._level = level_of(str(found.get("rabbitmq_version", "")))
        return found

    async def look_for_host(self, lane: Pace) -> None:
        """Refused where the virtual host is not there; this exchange is in every one."""
        path = self.api.path("exchanges", "amq.topic")
        if await self.api.find(lane, path, {"disable_stats": "true"}) is None:
            raise Refused(
                "VirtualHostMissing",
                f"spec.rabbitmq.vhost: there is no virtual host {self.api.virtual_host}; make it, or name another one",
            )

    async def level(self, lane: Pace) -> int:
        """Of the server's version, as it was seen last."""
        if self._level is None:
            await self.overview(lane)
        return self._level or 0

    async def nodes(self, lane: Pace) -> int | None:
        """How many there are; None where the user may not know."""
        try:
            return len(await self.api.get(lane, "nodes", {"columns": "name"}))
        except Refused as refusal:
            if refusal.reason != _NOT_OURS_TO_SEE:
                raise
            return None

    async def queues(self, lane: Pace) -> Mapping[str, Json]:
        """All queues of the virtual host with their policies in effect and how much they hold."""
        return named(await self.api.get(lane, self.api.path("queues"), LIVE))

    async def collected(self, lane: Pace) -> Mapping[str, Json]:
        """What the server collects about all queues, up to some seconds old."""
        return named(await self.api.get(lane, self.api.path("queues"), {"columns": _COLLECTED}))

    async def snapshot(self, lane: Pace) -> Snapshot:
        """The whole virtual host: one list of queues, and all definitions in one piece where the user may have them."""
        catalogue, queues = await asyncio.gather(self._catalogue(lane), self.queues(lane))
        return Snapshot(
            named(catalogue["exchanges"]),
            queues,
            bindings_of(catalogue["bindings"]),
            named(catalogue["policies"]),
        )

    async def _catalogue(self, lane: Pace) -> Mapping[str, Any]:
        if self._definitions:
            try:
                found: Json = await self.api.get(lane, self.api.path("definitions"))
            except Refused as refusal:
                if refusal.reason != _NOT_OURS_TO_SEE:
                    raise
                self._definitions = False
            else:
                return found
        kinds = ("exchanges", "bindings", "policies")
        quiet = {"disable_stats": "true"}
        lists = await asyncio.gather(*(self.api.get(lane, self.api.path(kind), quiet) for kind in kinds))
        return dict(zip(kinds, lists, strict=True))

    async def one(
        self,
        lane: Pace,
        key: Key,
        beside: Iterable[str] = (),
        policies: Iterable[str] = (),
        known: Mapping[str, Json] = MappingProxyType({}),
    ) -> Snapshot:
        """Everything about one object, and the queues beside it that are named; `policies` are names to look for beside those in effect, `known` need no look."""
        name = key.name
        if key.kind == EXCHANGE:
            path = self.api.path("exchanges", name)
            exchange, replay = await asyncio.gather(
                self.api.find(lane, path, LIVE), self.live(lane, replay_name(name))
            )
            exchanges, queues = _there({name: exchange}), _there({replay_name(name): replay})
        else:
            names = [name, *beside]
            found = await asyncio.gather(*(self.live(lane, each) for each in names))
            exchanges, queues = {}, _there(dict(zip(names, found, strict=True)))
        main = replay_name(name) if key.kind == EXCHANGE else name
        bound = await self._bindings(lane, main) if main in queues else []
        items = (*exchanges.values(), *queues.values())
        wanted = {str(item.get("policy") or "") for item in items} | set(policies if items else ())
        looked = await self._policies(lane, wanted - known.keys())
        return Snapshot(exchanges, queues, bindings_of(bound), {**looked, **known})

    async def fresh(self, lane: Pace, queue: str) -> Json | None:
        """One queue as it was collected last."""
        found: Json | None = await self.api.find(lane, self.api.path("queues", queue))
        return found

    async def live(self, lane: Pace, name: str) -> Json | None:
        """One queue with what is told without statistics."""
        found: Json | None = await self.api.find(lane, self.api.path("queues", name), LIVE)
        return found

    async def _bindings(self, lane: Pace, queue: str) -> list[Json]:
        return await self.api.find(lane, f"{self.api.path('queues', queue)}/bindings") or []

    async def _policies(self, lane: Pace, names: Collection[str]) -> Mapping[str, Json]:
        wanted = sorted(filter(None, names))
        found = await asyncio.gather(
            *(self.api.find(lane, self.api.path("policies", each)) for each in wanted)
        )
        return {name: policy for name, policy in zip(wanted, found, strict=True) if policy is not None}


async def observe(reader: Reader, lane: Pace, keys: Collection[Key]) -> Mapping[Key, Observed]:
    """Objects of the virtual host; absent ones are left out."""
    if not keys:
        return {}
    snapshot = await reader.snapshot(lane)
    return {key: found for key in keys if (found := observed(snapshot, key)) is not None}


def _there(items: Mapping[str, Json | None]) -> dict[str, Json]:
    return {name: item for name, item in items.items() if item is not None}
