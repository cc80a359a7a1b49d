"""Events and dead letters as workers make them, with plain AMQP. Knows nothing of how Headgate reads them."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage
from tests.brokers.rabbitmq.conftest import Place
from tests.brokers.rabbitmq.declared import created, dead, exchange, queue
from tests.servers import until

from headgate.brokers.base import Credentials
from headgate.brokers.rabbitmq.carrier import letters
from headgate.brokers.rabbitmq.letters import RabbitLetters
from headgate.brokers.rabbitmq.options import Connection
from headgate.brokers.rabbitmq.resources import Exchange, Queue
from headgate.core.claims import Owner
from headgate.core.letters import Entry

TOPIC = Owner("installation", "EventTopic", "shop", "orders")
GROUP = Owner("installation", "ConsumerGroup", "shop", "billing")
DEAD = Owner("installation", "DeadLetterQueue", "shop", "dead")
REMEMBERED = timedelta(days=1)
GONE = (OSError, TimeoutError, aio_pika.exceptions.AMQPError, aio_pika.exceptions.ChannelInvalidStateError)
PATIENCE = 30  # seconds until the broker has moved something


@dataclass(frozen=True, slots=True)
class Post:
    """A virtual host with a topic, a group and its dead-letter queue, and somebody who publishes and handles."""

    place: Place
    connection: AbstractConnection
    channel: AbstractChannel

    async def publish(self, key: str, body: bytes = b"x", exchange: str = "orders", **settings: Any) -> None:
        """Confirmed."""
        there = await self.channel.get_exchange(exchange) if exchange else self.channel.default_exchange
        message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT, **settings)
        await there.publish(message, key)

    async def taken(self, name: str = "billing") -> AbstractIncomingMessage:
        """The next event, handed out."""
        source = await self.channel.get_queue(name)
        found: list[AbstractIncomingMessage] = []

        async def there() -> bool:
            message = await source.get(fail=False)
            found.extend([message] if message else [])
            return bool(found)

        await until("an event is handed out", there, limit=PATIENCE)
        return found[0]

    async def rejected(self, count: int = 1) -> None:
        """As a worker does that will not have them."""
        for _ in range(count):
            await (await self.taken()).reject(requeue=False)

    def letters(self) -> RabbitLetters:
        """A person's handle."""
        server = self.place.server
        login = {"username": server.username.encode(), "password": server.password.encode()}
        connection = Connection(server.management_url, self.place.vhost, amqp_url=server.url)
        return letters(connection, Credentials(login), "dead")

    async def entries(self, count: int, after: int = 0) -> Sequence[Entry]:
        """As soon as there are so many."""
        return await listed(self.letters, lambda found: len(found) >= count, after)


async def listed(
    handle: Callable[[], RabbitLetters], enough: Callable[[Sequence[Entry]], bool], after: int = 0
) -> Sequence[Entry]:
    """What a new handle lists, as soon as it is enough."""
    found: list[Entry] = []
    desk = handle()

    async def so_far() -> bool:
        found[:] = [entry async for entry in desk.entries(after)]
        return enough(found)

    try:
        await until("there are enough entries", so_far, limit=PATIENCE)
    finally:
        await desk.aclose()
    return found


@asynccontextmanager
async def post(place: Place, group: Queue | None = None, letters: Queue | None = None) -> AsyncIterator[Post]:
    """Everything is made by the adapter."""
    wanted: list[tuple[Exchange | Queue, Owner]] = [
        (exchange(), TOPIC),
        (letters or dead(closed_max_age=REMEMBERED), DEAD),
        (group or queue(delivery_limit=1), GROUP),
    ]
    for each, owner in wanted:
        await place.broker.apply(replace(created(each), owner=owner))
    connection = await dial(place)
    try:
        yield Post(place, connection, await connection.channel())
    finally:
        await connection.close()


async def dial(place: Place) -> AbstractConnection:
    """AMQP as the administrator."""
    port = place.server.ports.amqp
    login, password = place.server.username, place.server.password
    return await aio_pika.connect(
        host="127.0.0.1", port=port, login=login, password=password, virtualhost=place.vhost
    )
