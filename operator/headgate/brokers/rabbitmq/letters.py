"""A dead-letter queue as a person goes through it: entries in order, one of them closed. Decides nothing.

Open entries are in the queue; who closed which one and why is in a stream beside it. Closing writes there first and
then takes the entry out: whoever ends in between leaves an entry that is still open, never one that is gone untold.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Final

import aio_pika
from aiormq import exceptions as wire

from headgate.brokers.base import Refused, Unavailable
from headgate.brokers.pace import Pace
from headgate.brokers.rabbitmq.amqp import Amqp
from headgate.brokers.rabbitmq.deaths import CLOSES, Owners, closed_entry_of, entry_of
from headgate.brokers.rabbitmq.names import closed_name
from headgate.brokers.rabbitmq.owners import owners_of
from headgate.brokers.rabbitmq.reading import Reader
from headgate.brokers.rabbitmq.streams import Memory
from headgate.brokers.rabbitmq.walk import Walk, mail_of, walk
from headgate.core.letters import Entry, Letter

PERSISTENT: Final = aio_pika.DeliveryMode.PERSISTENT


class RabbitLetters:
    """One dead-letter queue and the stream of what was closed in it."""

    def __init__(self, amqp: Amqp, reader: Reader, lane: Pace, queue: str) -> None:
        self._amqp, self._reader, self._lane = amqp, reader, lane
        self._queue, self._timeout = queue, amqp.timeout
        self._memory = Memory(amqp, closed_name(queue))
        self._alone = asyncio.Lock()
        self._walk: Walk | None = None
        self._held: dict[int, int] = {}  # what the walk has in hand: position -> how the channel calls it

    async def entries(self, after: int = 0) -> AsyncGenerator[Entry, None]:
        """Closed ones among the open ones, by when they came here."""
        closed = [entry for entry in await self._closed() if entry.position > after]
        async with self._through() as found:
            async for entry in found:
                while closed and closed[0].position <= entry.position:
                    yield closed.pop(0)
                if entry.position > after:
                    yield entry
        for entry in closed:
            yield entry

    async def entry(self, position: int) -> Entry | None:
        """Looked for from the head on; an open one comes before what is remembered of a closed one."""
        async with self._through() as found:
            async for entry in found:
                if entry.position == position:
                    return entry
        return next((entry for entry in await self._closed() if entry.position == position), None)

    async def close_entry(self, entry: Entry, tombstone: Letter) -> bool:
        """Remember who closes it, then take it out."""
        if self._walk is not None and entry.position in self._held:
            return await self._close(self._walk, entry, tombstone)
        async with self._through() as found:
            async for each in found:
                if each.position == entry.position and self._walk is not None:
                    return await self._close(self._walk, entry, tombstone)
        return False

    async def aclose(self) -> None:
        """Let go of the connections; what was taken and not closed goes back."""
        await self._amqp.aclose()
        await self._reader.api.aclose()

    async def _close(self, way: Walk, entry: Entry, tombstone: Letter) -> bool:
        tag = self._held.pop(entry.position)
        stone = aio_pika.Message(
            tombstone.body,
            headers={**dict(tombstone.headers), CLOSES: entry.position},
            delivery_mode=PERSISTENT,
        )
        async with self._amqp.channel(f"stream {self._memory.stream}") as channel:
            try:
                async with asyncio.timeout(self._timeout):
                    await channel.default_exchange.publish(stone, self._memory.stream)
            except wire.DeliveryError:
                raise Refused(
                    "NotFound",
                    f"stream {self._memory.stream}, which remembers who closed what, takes nothing; has the queue been "
                    "made by the operator? The entry is as it was",
                ) from None
        await way.settle(tag)
        return True

    async def _closed(self) -> Sequence[Entry]:
        found = [closed_entry_of(mail, self._queue) for mail in await self._memory.read()]
        return sorted((entry for entry in found if entry is not None), key=lambda entry: entry.position)

    @asynccontextmanager
    async def _through(self) -> AsyncIterator[AsyncIterator[Entry]]:
        """All entries of the queue, while nobody else goes through it."""
        try:
            async with asyncio.timeout(self._timeout):
                await self._alone.acquire()
        except TimeoutError:
            raise Unavailable(
                "TemporarilyUnavailable", f"queue {self._queue}: we go through it already; finish that first"
            ) from None
        try:
            owners = owners_of(await self._reader.snapshot(self._lane))
            async with walk(self._amqp, self._queue) as way:
                self._walk = way
                async with aclosing(self._entries(way, owners)) as found:
                    yield found
        finally:
            self._walk = None
            self._held.clear()
            self._alone.release()

    async def _entries(self, way: Walk, owners: Owners) -> AsyncGenerator[Entry, None]:
        async for message in way.messages():
            entry = entry_of(mail_of(message), self._queue, owners)
            self._held[entry.position] = message.delivery_tag or 0
            yield entry
