"""Goes through a queue from its head to its end and leaves it as it was: events are taken in pages and all given back.

A queue hands out each event to one reader at a time, so two who go through it at once would each see a part. Whoever
begins takes a place that the server gives to one connection only, and that is free again when that connection ends.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue

from headgate.brokers.rabbitmq.amqp import Amqp
from headgate.brokers.rabbitmq.deaths import Mail
from headgate.brokers.rabbitmq.names import desk_name

PAGE: Final = 500  # events under way at once
_BACK: Final = 0.02  # seconds between looks whether all events are back
_PROPERTIES: Final = (
    "content_type",
    "content_encoding",
    "correlation_id",
    "reply_to",
    "message_id",
    "type",
    "app_id",
)


class Walk:
    """One way through a queue; what was taken stays taken until its end."""

    def __init__(self, channel: AbstractChannel, queue: AbstractQueue, ready: int, timeout: float) -> None:
        self._channel, self._queue, self._timeout = channel, queue, timeout
        self._left = ready
        self.taken = 0

    async def messages(self) -> AsyncIterator[AbstractIncomingMessage]:
        """Every event that was there at the beginning, unless it goes by itself meanwhile."""
        while self._left > 0:
            page = await self._page(min(PAGE, self._left))
            self._left -= len(page)
            if not page:  # fewer than there were: they aged
                return
            for message in page:
                yield message

    async def settle(self, tag: int) -> None:
        """Take one out for good."""
        async with asyncio.timeout(
            self._timeout
        ):  # on a connection that broke the client would wait for ever
            await (await self._channel.get_underlay_channel()).basic_ack(tag)
            self.taken -= 1
            await self._channel.declare_queue(
                self._queue.name, passive=True
            )  # answered after what was said before

    async def _page(self, size: int) -> list[AbstractIncomingMessage]:
        """Up to so many; fewer where there are no more."""
        found: list[AbstractIncomingMessage] = []
        full = asyncio.Event()

        async def take(message: AbstractIncomingMessage) -> None:
            found.append(message)
            if len(found) == size:
                full.set()

        async with asyncio.timeout(self._timeout):
            await self._channel.set_qos(prefetch_count=size)
            tag = await self._queue.consume(take)
        if not await self._came(full):
            async with asyncio.timeout(self._timeout):
                if (await _ready(self._channel, self._queue.name))[1]:
                    raise TimeoutError
        async with asyncio.timeout(self._timeout):
            await self._queue.cancel(tag)
        self.taken += len(found)
        return found

    async def _came(self, event: asyncio.Event) -> bool:
        """Whether it did in time; a connection that breaks meanwhile is not waited out."""
        came = asyncio.ensure_future(event.wait())
        gone = asyncio.ensure_future(asyncio.shield(self._channel.closed()))
        try:
            await asyncio.wait({came, gone}, timeout=self._timeout, return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                raise ConnectionError
            return came.done()
        finally:
            came.cancel()
            gone.cancel()


@asynccontextmanager
async def walk(amqp: Amqp, queue: str) -> AsyncIterator[Walk]:
    """Alone with a queue for as long as the block takes; Unavailable while somebody else is."""
    what, limit = f"queue {queue}", amqp.timeout
    async with amqp.channel(what) as door:
        async with asyncio.timeout(limit):
            there, ready = await _ready(door, queue)
            desk = await door.declare_queue(
                desk_name(queue), durable=False, exclusive=True, auto_delete=False
            )
        try:
            async with amqp.channel(what) as channel:
                here = await channel.get_queue(there.name, ensure=False)
                way = Walk(channel, here, ready, limit)
                yield way
            await _all_back(door, queue, way.taken, limit)
        finally:
            if not door.is_closed:
                async with asyncio.timeout(limit):
                    await desk.delete(if_unused=False, if_empty=False)


async def _ready(channel: AbstractChannel, queue: str) -> tuple[AbstractQueue, int]:
    found = await channel.declare_queue(queue, passive=True)
    return found, int(found.declaration_result.message_count or 0)


async def _all_back(door: AbstractChannel, queue: str, taken: int, limit: float) -> None:
    """Whoever comes next finds what we had; in vain only where it went by itself."""
    end = asyncio.get_running_loop().time() + limit
    while asyncio.get_running_loop().time() < end:
        async with asyncio.timeout(limit):
            if (await _ready(door, queue))[1] >= taken:
                return
        await asyncio.sleep(_BACK)


def mail_of(message: AbstractIncomingMessage) -> Mail:
    """A message in plain values."""
    said = {name.replace("_", "-"): getattr(message, name) for name in _PROPERTIES}
    properties = {name: str(value) for name, value in said.items() if value}
    return Mail(dict(message.headers), message.body, properties, message.timestamp)
