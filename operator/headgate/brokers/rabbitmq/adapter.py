"""One live virtual host of RabbitMQ behind the Broker seam. Knows nothing of Kubernetes and decides nothing."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Final

from headgate.api.eventbroker import Limits
from headgate.brokers.base import BrokerFacts, Credentials, always
from headgate.brokers.pace import Pace
from headgate.brokers.rabbitmq.amqp import Amqp
from headgate.brokers.rabbitmq.documents import UNSIGNED, Json, identity_of
from headgate.brokers.rabbitmq.facts import capabilities, level_of
from headgate.brokers.rabbitmq.handover import Handover
from headgate.brokers.rabbitmq.ledger import Ledger, Reading, noted
from headgate.brokers.rabbitmq.letterbox import Letterbox
from headgate.brokers.rabbitmq.management import Management
from headgate.brokers.rabbitmq.names import replay_name
from headgate.brokers.rabbitmq.options import Connection
from headgate.brokers.rabbitmq.reading import Reader, observe
from headgate.brokers.rabbitmq.resources import UNROUTED
from headgate.brokers.rabbitmq.writing import SETTLE, Writer
from headgate.core import defaults
from headgate.core.changes import Change
from headgate.core.progress import Capture, Holding, Progress
from headgate.core.resource import Key, Observed, Unread

_TYPE: Final = "RabbitMQ"
_LOOK: Final = 0.5  # seconds that one look takes at most
Queues = Mapping[str, Json]
_ENOUGH: Final = 3  # nodes assumed of a cluster that keeps their number to itself


class RabbitBroker:
    """Exchanges, queues and policies of one virtual host, over the management API alone."""

    def __init__(
        self,
        connection: Connection,
        limits: Limits | None,
        credentials: Credentials,
        may_act: Callable[[], bool] = always,
        *,
        settle: float = SETTLE,
    ) -> None:
        limits = limits or Limits()
        timeout = (limits.timeout or defaults.TIMEOUT).total_seconds()
        in_flight = asyncio.Semaphore(limits.max_in_flight or defaults.MAX_IN_FLIGHT)
        self._requests = Pace(limits.requests_per_second or defaults.REQUESTS_PER_SECOND, in_flight)
        self._watching = Pace(limits.progress_per_second or defaults.PROGRESS_PER_SECOND, in_flight)
        self._api = Management(connection, credentials, timeout=timeout, may_act=may_act)
        self._reader = Reader(self._api)
        self._writer = Writer(self._reader, self._requests, connection.policy_priority, settle=settle)
        amqp = (
            Amqp(connection, credentials, timeout=timeout, name="headgate") if connection.amqp_url else None
        )
        self._amqp = amqp
        self._letterbox = Letterbox(self._reader, self._watching, amqp)
        self._handover = Handover()
        self._ledgers: dict[str, Ledger] = {}
        self._counts: tuple[float, Queues, Queues] | None = None

    async def facts(self) -> BrokerFacts:
        """What the server says about itself, and the identity that was given to this virtual host."""
        found = await self._reader.overview(self._requests)
        await self._reader.look_for_host(self._requests)
        shared = await self._reader.one(self._requests, UNROUTED)
        stream = shared.queues.get(replay_name(UNROUTED.name))
        version = str(found.get("rabbitmq_version", ""))
        level = level_of(version)
        identity = identity_of(stream) if stream is not None else ""
        return BrokerFacts(
            type=_TYPE,
            server_version=version,
            identity="" if identity == UNSIGNED else identity,
            level=level,
            nodes=await self._nodes(),
            capabilities=capabilities(level),
        )

    async def _nodes(self) -> int:
        """Users without the tag monitoring may not ask."""
        told = await self._reader.nodes(self._requests)
        return _ENOUGH if told is None else told

    async def observe(self, keys: Collection[Key]) -> Mapping[Key, Observed | Unread]:
        """Exchanges and queues; absent ones are left out."""
        return await observe(self._reader, self._requests, keys)

    async def apply(self, change: Change) -> Observed | None:
        """One change of one exchange or queue."""
        try:
            return await self._writer.apply(change)
        finally:
            self._counts = None

    async def release(self, key: Key, identity: str) -> None:
        """Keep a queue with all it holds, and let nothing more come to it."""
        await self._writer.release(key, identity)

    async def progress(self, groups: Collection[Key]) -> Mapping[Key, Progress | Unread]:
        """How far queues are; absent ones are left out."""
        if not groups:
            return {}
        live, collected = await self._counted()
        for gone in self._ledgers.keys() - live.keys():
            del self._ledgers[gone]
        return {
            key: self._progress(key, live, collected.get(key.name, {})) for key in groups if key.name in live
        }

    async def _counted(self) -> tuple[Queues, Queues]:
        """All queues, now and as collected. One look at all groups asks in many calls and gets one answer."""
        now = asyncio.get_running_loop().time()
        if self._counts is None or now - self._counts[0] > _LOOK:
            live, collected = await asyncio.gather(
                self._reader.queues(self._watching), self._reader.collected(self._watching)
            )
            self._counts = (now, live, collected)
        return self._counts[1:]

    def _progress(self, key: Key, live: Mapping[str, Json], collected: Json) -> Progress | Unread:
        queue = live[key.name]
        if queue.get("messages") is None:
            return Unread("NoAnswer", f"nobody answers for {key}: the nodes that keep it may be down")
        waiting = sum(
            int(each.get("messages") or 0) for name, each in live.items() if _is_step(name, key.name)
        )
        return noted(
            self._ledgers,
            key.name,
            Reading(
                self._api.now,
                identity_of(queue),
                messages=int(queue["messages"]) + waiting,
                ready=int(queue["messages_ready"]),
                dead=int(collected.get("messages_dlx") or 0),
                published=int((collected.get("message_stats") or {}).get("publish") or 0),
                consumers=int(collected.get("consumers") or 0),
            ),
        )

    async def dead_letters(self, queues: Collection[Key]) -> Mapping[Key, Holding | Unread]:
        """How much dead-letter queues hold, and of whom where there is a way to look into them."""
        return await self._letterbox.dead_letters(queues) if queues else {}

    async def capture(self) -> Capture | None:
        """The broker itself moves dead letters, without notices: what counts is what it could not hand over yet."""
        live, collected = await asyncio.gather(
            self._reader.queues(self._watching), self._reader.collected(self._watching)
        )
        return self._handover.note(self._api.now, live, collected)

    async def lost(self) -> None:
        """Return when the server does not answer any more."""
        await self._api.lost(self._watching)

    async def aclose(self) -> None:
        """Let go of the connections."""
        if self._amqp is not None:
            await self._amqp.aclose()
        await self._api.aclose()


def _is_step(name: str, queue: str) -> bool:
    return name.startswith(f"{queue}.retry-") and name.removeprefix(f"{queue}.retry-").isdigit()
