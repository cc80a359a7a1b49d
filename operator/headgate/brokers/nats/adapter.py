"""One live JetStream account behind the Broker seam. Knows nothing of Kubernetes and decides nothing."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Final

from headgate.api import NatsConnection
from headgate.api.eventbroker import Limits
from headgate.brokers.base import BrokerFacts, Credentials, Unavailable, always
from headgate.brokers.nats.capture import capture
from headgate.brokers.nats.documents import Json, identity_of
from headgate.brokers.nats.facts import capabilities
from headgate.brokers.nats.jetstream import JetStream
from headgate.brokers.nats.letterbox import Letterbox
from headgate.brokers.nats.link import Link
from headgate.brokers.nats.positions import Positions
from headgate.brokers.nats.reading import Reader, observe
from headgate.brokers.nats.resources import ADVISORIES
from headgate.brokers.nats.scanner import Scanner
from headgate.brokers.nats.writing import Writer
from headgate.brokers.pace import Pace
from headgate.core import defaults
from headgate.core.changes import Change
from headgate.core.progress import Capture, Holding, Progress
from headgate.core.resource import Key, Observed, Unread

_TYPE: Final = "NATS"
_ENOUGH: Final = 3  # nodes assumed of a cluster that keeps its addresses to itself


class NatsBroker:
    """Streams and consumers of one account, in one domain, over one connection."""

    def __init__(
        self,
        spec: NatsConnection,
        limits: Limits | None,
        credentials: Credentials,
        may_act: Callable[[], bool] = always,
    ) -> None:
        limits = limits or Limits()
        timeout = (limits.timeout or defaults.TIMEOUT).total_seconds()
        in_flight = asyncio.Semaphore(limits.max_in_flight or defaults.MAX_IN_FLIGHT)
        self._requests = Pace(limits.requests_per_second or defaults.REQUESTS_PER_SECOND, in_flight)
        watching = Pace(limits.progress_per_second or defaults.PROGRESS_PER_SECOND, in_flight)
        self._link = Link(spec, credentials, timeout=timeout, name="headgate")
        self._js = JetStream(self._link, spec.jet_stream_domain, timeout)
        self._js.may_act = may_act
        self._reader = Reader(self._js)
        self._writer = Writer(self._js, self._requests)
        self._positions = Positions(self._js, self._reader, watching)
        self._letterbox = Letterbox(self._reader, watching, Scanner(self._js, watching, timeout).scan)
        self._seen: tuple[object, Json | None] | None = (
            None  # a connection, and the shared stream as it showed it
        )

    async def facts(self) -> BrokerFacts:
        """What the servers say about themselves, and the identity that was given to this account."""
        account = await self._js.call(self._requests, "INFO")
        shared = await self._shared_stream()
        level = int((account.get("api") or {}).get("level", 0))
        return BrokerFacts(
            type=_TYPE,
            server_version=str(self._link.server.get("version", "")),
            identity=identity_of(shared["config"]) if shared else "",
            level=level,
            nodes=self._nodes(shared),
            capabilities=capabilities(level),
            limits=_limits(account, self._link.server),
        )

    async def observe(self, keys: Collection[Key]) -> Mapping[Key, Observed | Unread]:
        """Streams and consumers; absent ones are left out."""
        return await observe(self._reader, self._requests, keys)

    async def apply(self, change: Change) -> Observed | None:
        """One change of one stream or consumer."""
        return await self._writer.apply(change)

    async def progress(self, groups: Collection[Key]) -> Mapping[Key, Progress | Unread]:
        """How far durables are; absent ones are left out."""
        return await self._positions.progress(groups)

    async def dead_letters(self, queues: Collection[Key]) -> Mapping[Key, Holding | Unread]:
        """What dead-letter streams hold; absent ones are left out."""
        return await self._letterbox.dead_letters(queues)

    async def capture(self) -> Capture | None:
        """How far movers are with the account's advisories."""
        return await capture(self._js, self._requests)

    async def lost(self) -> None:
        """Return when the connection is gone."""
        await self._link.lost()

    async def aclose(self) -> None:
        """Let go of the connection."""
        await self._link.aclose()

    async def _shared_stream(self) -> Json | None:
        """The stream that tells whose account this is; while nobody answers for it, as this connection saw it last."""
        client = await self._link.client()
        first = self._seen is None or self._seen[0] is not client  # then everything else is read next
        found = await self._reader.stream(self._requests, ADVISORIES.name, more=first)
        if not isinstance(found, Unread):
            self._seen = (client, found)
            return found
        if self._seen is None or self._seen[0] is not client:
            raise Unavailable(found.reason, f"which cluster this is cannot be told: {found.message}")
        return self._seen[1]

    def _nodes(self, shared: Json | None) -> int:
        """Servers of a cluster are counted by the addresses that they tell; some tell none."""
        if "cluster" not in self._link.server:
            return 1
        copies = (shared or {}).get("config", {}).get("num_replicas", 1)
        return max(self._link.servers or _ENOUGH, int(copies))


def _limits(account: Json, server: Json) -> Mapping[str, int]:
    """Bounds of the account; those that are not set are left out."""
    names = {
        "max_streams": "streams",
        "max_consumers": "consumers",
        "max_storage": "storage",
        "max_memory": "memory",
    }
    bounds = account.get("limits") or {}
    found = {name: int(bounds.get(field, -1)) for field, name in names.items()}
    found["max_payload"] = int(server.get("max_payload", -1))
    return {name: value for name, value in found.items() if value > 0}
