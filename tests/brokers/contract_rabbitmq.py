"""A virtual host of RabbitMQ as the contract of brokers looks at it: its words, and what others do to it meanwhile."""

import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import quote

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue
from tests.brokers.rabbitmq.conftest import connect
from tests.brokers.rabbitmq.hand import Hand
from tests.contract.terms import OWNER_MARK

from headgate.brokers.rabbitmq.adapter import RabbitBroker
from headgate.brokers.rabbitmq.documents import Json
from headgate.brokers.rabbitmq.names import replay_name
from headgate.brokers.rabbitmq.parts import OWNER, Part, Signature, parts_of
from headgate.brokers.rabbitmq.resources import EXCHANGE, QUEUE, Binding, Exchange, Queue
from headgate.core.resource import Key, Observed, Resource, differences
from headgate.local.rabbitmq import LocalRabbit
from headgate.local.waiting import until

_NUMBERS = itertools.count(1)
PRIORITY = 900  # of policies, as the adapter has it
WAIT = 15.0  # seconds until the server shows what was made by hand
PATHS = {EXCHANGE: "exchanges", QUEUE: "queues"}


class RabbitContractWorld:
    """One virtual host; a position is how many events were published to the topic before, and one."""

    level = 0

    def __init__(self, broker: RabbitBroker, hand: Hand, channel: AbstractChannel) -> None:
        self.broker = broker
        self._hand, self._channel = hand, channel
        self._published: Counter[str] = Counter()
        self._in_flight: dict[tuple[Key, int], AbstractIncomingMessage] = {}

    def fresh(self, name: str) -> str:
        return f"{name}-{next(_NUMBERS)}"

    async def make(self, resource: Resource, marks: Mapping[str, str]) -> None:
        """What is there keeps its mark; without one there is the bare object, as our policies are named by marks."""
        assert isinstance(resource, Exchange | Queue)
        found = await self._find(PATHS[resource.key.kind], resource.key.name)
        mark = marks.get(OWNER_MARK) or ((found or {}).get("arguments") or {}).get(OWNER, "")
        for part in parts_of(resource, Signature(mark, f"made-{next(_NUMBERS)}", PRIORITY)):
            await self._make(part, _made(resource), marked=bool(mark))

        async def seen() -> bool:
            shown = (await self.broker.observe([resource.key])).get(resource.key)
            return isinstance(shown, Observed) and not (mark and list(differences(resource, shown.resource)))

        await until(f"{resource.key} is as somebody made it", seen, limit=WAIT)

    async def _make(self, part: Part, made: Json, *, marked: bool) -> None:
        """The policy first, as the server would otherwise show the object without it for a moment."""
        path = f"{PATHS[part.kind]}/{self._hand.vhost}/{quote(part.name, safe='')}"
        if part.policy is not None and marked:
            policy, to = part.policy, part.policy.applies_to
            await self._hand.policy(
                policy.name, policy.pattern, dict(policy.definition), priority=policy.priority, to=to
            )
        if await self._find(PATHS[part.kind], part.name) is None:
            arguments = dict(part.arguments) if marked else {}
            if part.kind == QUEUE:
                arguments["x-queue-type"] = part.type
            body = {"durable": True, "arguments": arguments}
            more = {} if part.kind == QUEUE else {"type": part.type, **made}
            await self._hand.ask("PUT", path, {**body, **more})
        if part.kind == QUEUE:
            await self._bind(part)

    async def _bind(self, part: Part) -> None:
        name, vhost = quote(part.name, safe=""), self._hand.vhost
        listed = await self._hand.ask("GET", f"queues/{vhost}/{name}/bindings")
        bound = {Binding(each["source"], each["routing_key"]): each for each in listed if each["source"]}
        for binding in set(part.bindings) - bound.keys():
            path = f"bindings/{vhost}/e/{binding.source}/q/{name}"
            await self._hand.ask("POST", path, {"routing_key": binding.routing_key})
        for binding in bound.keys() - set(part.bindings):
            props = quote(bound[binding]["properties_key"], safe="")
            await self._hand.ask("DELETE", f"bindings/{vhost}/e/{binding.source}/q/{name}/{props}")

    async def _find(self, kind: str, name: str) -> Json | None:
        path = f"{kind}/{self._hand.vhost}/{quote(name, safe='')}?disable_stats=true"
        status, _ = await self._hand.status("GET", path)
        return None if status == 404 else await self._hand.ask("GET", path)

    async def remove(self, key: Key) -> None:
        names = [(PATHS[key.kind], key.name)]
        if key.kind == EXCHANGE:
            names.append((PATHS[QUEUE], replay_name(key.name)))
        for kind, name in names:
            if await self._find(kind, name) is not None:
                await self._hand.drop(kind, name)

    async def publish(self, subject: str, headers: Mapping[str, str] | None = None) -> int:
        """The first word names the topic; one alone is a queue."""
        target, _, rest = subject.partition(".")
        self._published[target] += 1
        position = self._published[target]
        message = aio_pika.Message(str(position).encode(), headers=dict(headers or {}), timestamp=time.time())
        channel = self._channel
        exchange = await channel.get_exchange(target) if rest else channel.default_exchange
        await exchange.publish(message, subject)
        return position

    async def hand_out(self, key: Key, count: int) -> list[int]:
        queue = await self._queue(key)
        handed: list[int] = []
        while len(handed) < count and (message := await queue.get(fail=False)) is not None:
            position = int(message.body)
            self._in_flight[key, position] = message
            handed.append(position)
        return handed

    async def fail(self, key: Key, position: int) -> None:
        await self._in_flight.pop((key, position)).reject(requeue=True)
        assert await self.hand_out(key, 1) == [position]

    async def settle(self, key: Key, position: int) -> None:
        await self._in_flight.pop((key, position)).ack()

    async def take_out(self, key: Key, position: int) -> None:
        """Somebody works it off; those before it go back to where they were."""
        queue, others = await self._queue(key), []
        while (message := await queue.get(fail=False)) is not None:
            if int(message.body) == position:
                await message.ack()
                break
            others.append(message)
        for other in others:
            await other.reject(requeue=True)

    async def stored_subject(self, key: Key, position: int) -> str:
        raise NotImplementedError

    async def _queue(self, key: Key) -> AbstractQueue:
        return await self._channel.get_queue(key.name, ensure=False)


def _made(resource: Exchange | Queue) -> Json:
    """How an exchange is made, beside its type."""
    if isinstance(resource, Queue):
        return {}
    given = {
        "durable": resource.durable,
        "auto_delete": resource.auto_delete,
    }
    return {name: value for name, value in given.items() if value is not None}


@asynccontextmanager
async def rabbit_world(server: LocalRabbit) -> AsyncIterator[RabbitContractWorld]:
    """A virtual host that is gone afterwards with all that is in it."""
    vhost = f"contract-{next(_NUMBERS)}"
    async with server.client() as http:
        hand = Hand(http, vhost)
        await hand.ask("PUT", f"vhosts/{hand.vhost}")
        rights = {"configure": ".*", "write": ".*", "read": ".*"}
        await hand.ask("PUT", f"permissions/{hand.vhost}/{server.username}", rights)
        broker = connect(server, vhost)
        connection = await aio_pika.connect(server.user_url(vhost=vhost))
        try:
            yield RabbitContractWorld(broker, hand, await connection.channel())
        finally:
            await connection.close()
            await broker.aclose()
            await hand.ask("DELETE", f"vhosts/{hand.vhost}")
