"""Reads a stream from its beginning to where it ends now. Changes nothing in the broker.

How much is in a stream the server tells seconds late, so its end is looked at first and then everything before it.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from aio_pika.abc import AbstractIncomingMessage

from headgate.brokers.base import Refused
from headgate.brokers.rabbitmq.amqp import Amqp
from headgate.brokers.rabbitmq.deaths import UNKNOWN_TIME, Mail, text_of
from headgate.brokers.rabbitmq.walk import mail_of
from headgate.core.letters import Event

_OFFSET: Final = "x-stream-offset"
_CREDIT: Final = 200  # messages under way at once
_EMPTY: Final = 1.0  # seconds without any message, after which there is none
_QUIET: Final = 0.3  # seconds after the last one that was on its way


class Memory:
    """One stream; where it is missing there is nothing to remember."""

    def __init__(self, amqp: Amqp, stream: str) -> None:
        self._amqp, self.stream = amqp, stream

    async def read(self) -> list[Mail]:
        """Everything that is in it."""
        try:
            ends = [_offset(message) async for message in self._from("last", 0)]
            return [mail_of(message) async for message in self._from("first", max(ends))] if ends else []
        except Refused as refusal:
            if refusal.reason != "NotFound":
                raise
            return []

    async def event(self, position: int) -> Event | None:
        """The one at that offset; None where there is none any more, or not yet."""
        async with aclosing(self._from(position, position)) as found:
            async for message in found:
                if (offset := _offset(message)) >= position:
                    return _event(message) if offset == position else None
        return None

    async def _from(self, place: str | int, end: int) -> AsyncGenerator[AbstractIncomingMessage, None]:
        """From a place on, beyond the end that is known until no more come."""
        arrived = asyncio.Queue[AbstractIncomingMessage]()
        async with self._amqp.channel(f"stream {self.stream}") as channel:
            async with asyncio.timeout(self._amqp.timeout):
                stream = await channel.declare_queue(self.stream, passive=True)
                await channel.set_qos(prefetch_count=_CREDIT)
                tag = await stream.consume(arrived.put, arguments={_OFFSET: place})
            patience = _EMPTY
            while True:
                try:
                    async with asyncio.timeout(patience):
                        message = await arrived.get()
                except TimeoutError:
                    if patience == self._amqp.timeout:
                        raise
                    break
                async with asyncio.timeout(self._amqp.timeout):
                    await message.ack()
                yield message
                patience = _QUIET if _offset(message) >= end else self._amqp.timeout
            async with asyncio.timeout(self._amqp.timeout):
                await stream.cancel(tag)


def _event(message: AbstractIncomingMessage) -> Event:
    mail = mail_of(message)
    headers = {name: value for name, value in mail.headers.items() if name != _OFFSET}
    told = (*mail.properties.items(), *((name, text_of(value)) for name, value in headers.items()))
    return Event(message.routing_key or "", mail.published or UNKNOWN_TIME, told, mail.body)


def _offset(message: AbstractIncomingMessage) -> int:
    found = message.headers.get(_OFFSET)
    return found if isinstance(found, int) else 0
