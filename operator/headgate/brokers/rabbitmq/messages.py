"""The mover's side of a virtual host. Decides nothing.

The broker itself moves dead letters, at least once and without notices, so movers have little to do here: they see
whether it stands still, read events of the past from the replay stream, and write dead letters of their own. A queue
keeps no two letters apart: written twice is there twice.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta

import aio_pika
from aio_pika.abc import AbstractChannel
from aiormq import exceptions as wire

from headgate.brokers.base import BrokerError, Refused
from headgate.brokers.messages import Absent, Kept, Redelivered, Watch
from headgate.brokers.pace import Pace
from headgate.brokers.rabbitmq.amqp import Amqp
from headgate.brokers.rabbitmq.deaths import UNKNOWN_TIME
from headgate.brokers.rabbitmq.documents import identity_of, observed
from headgate.brokers.rabbitmq.handover import Handover
from headgate.brokers.rabbitmq.names import replay_name
from headgate.brokers.rabbitmq.reading import Reader
from headgate.brokers.rabbitmq.resources import queue_key
from headgate.brokers.rabbitmq.streams import Memory
from headgate.core.letters import Event, Letter
from headgate.core.moves import Delay, Incarnation, Notice, Route


class RabbitMessages:
    """One virtual host as a mover sees it."""

    def __init__(self, amqp: Amqp, reader: Reader, lane: Pace) -> None:
        self._amqp, self._reader, self._lane = amqp, reader, lane
        self._handover = Handover()

    async def open(self) -> None:
        """Connect both ways."""
        await self._reader.overview(self._lane)
        async with self._amqp.channel("the virtual host"):
            pass

    async def notices(self, limit: int, wait: timedelta) -> Sequence[Notice]:
        """None: what the broker gives up it moves by itself."""
        del limit
        await asyncio.sleep(wait.total_seconds())
        return ()

    async def listen(self) -> None:
        """There is nothing to keep."""

    async def fetch(self, wanted: Sequence[tuple[str, int]]) -> Sequence[Event | Absent]:
        """Events from the replay streams of exchanges, by their offsets."""
        return [await self._fetch(source, position) for source, position in wanted]

    async def _fetch(self, source: str, position: int) -> Event | Absent:
        try:
            return await Memory(self._amqp, replay_name(source)).event(position) or Absent.GONE
        except BrokerError:
            return Absent.UNKNOWN

    async def incarnations(self, sources: Collection[str]) -> Mapping[str, Incarnation]:
        """The replay streams, by what they were given at their making; since when they are there nobody knows."""
        asked = sorted(sources)
        found = await asyncio.gather(*(self._reader.live(self._lane, replay_name(each)) for each in asked))
        return {
            source: Incarnation(identity_of(stream), UNKNOWN_TIME)
            for source, stream in zip(asked, found, strict=True)
            if stream is not None
        }

    async def ours(self, source: str, reader: str) -> bool:
        """Whether the queue bears our mark; it has one topic, whichever that is."""
        del source
        key = queue_key(reader)
        found = observed(await self._reader.one(self._lane, key), key)
        return found is not None and found.mark is not None

    async def keep(self, letters: Sequence[Letter]) -> Sequence[Kept]:
        """Publish all at once, confirmed; where one breaks the channel, the others go again, each by itself."""
        try:
            async with self._amqp.channel("dead-letter queues") as channel:
                kept = await asyncio.gather(*(self._put(channel, letter) for letter in letters))
        except Refused:
            return [Kept.REFUSED] * len(letters)
        except BrokerError:
            return [Kept.UNKNOWN] * len(letters)
        if Kept.TOO_LARGE not in kept or len(letters) == 1:
            return kept
        return [(await self.keep([letter]))[0] for letter in letters]

    async def _put(self, channel: AbstractChannel, letter: Letter) -> Kept:
        queue = letter.address.rpartition("/")[0] or letter.address
        message = aio_pika.Message(
            letter.body, headers=dict(letter.headers), delivery_mode=aio_pika.DeliveryMode.PERSISTENT
        )
        try:
            async with asyncio.timeout(self._amqp.timeout):
                await channel.default_exchange.publish(message, queue)
        except wire.PublishError:
            return Kept.MISSING
        except wire.DeliveryError:
            return Kept.FULL
        except wire.ChannelPreconditionFailed:
            return Kept.TOO_LARGE
        return Kept.STORED

    async def settle(self, notices: Sequence[Notice]) -> None:
        """There are none."""

    async def postpone(self, notices: Sequence[Notice], delay: timedelta) -> None:
        """There are none."""

    async def extend(self, notices: Sequence[Notice]) -> None:
        """There are none."""

    async def redeliver(self, routes: Sequence[Route], limit: int, wait: timedelta) -> Redelivered:
        """None: the broker keeps waits itself."""
        del routes, limit
        await asyncio.sleep(wait.total_seconds())
        return Redelivered()

    async def watch(self, delays: Collection[Delay] = ()) -> Watch:
        """What the broker has given up and not handed over yet; it loses none of that."""
        del delays
        live, collected = await asyncio.gather(
            self._reader.queues(self._lane), self._reader.collected(self._lane)
        )
        return Watch(self._handover.note(self._reader.api.now, live, collected).backlog, 0)

    async def call_in(self, source: str, reader: str, after: timedelta) -> bool:
        """Nothing is ever stranded: the broker gives up by itself what nobody asks for."""
        del source, reader, after
        return False

    async def aclose(self) -> None:
        """Let go of the connections."""
        await self._amqp.aclose()
        await self._reader.api.aclose()
