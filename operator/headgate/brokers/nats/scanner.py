"""Reads what is new in a dead-letter stream, without bodies, through a consumer that leaves no trace. Decides nothing."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from nats import errors
from nats.aio.msg import Msg

from headgate.brokers.base import BrokerError, Unreachable
from headgate.brokers.nats.jetstream import JetStream
from headgate.brokers.nats.tally import Head, Tally
from headgate.brokers.pace import Pace

_BATCH: Final = 1000
_SECOND: Final = 1_000_000_000
_IDLE: Final = 30 * _SECOND  # after so long without a pull the server removes the consumer by itself


class Scanner:
    """Streams read from where a tally ends."""

    def __init__(self, js: JetStream, lane: Pace, limit: float) -> None:
        self._js, self._lane, self._limit = js, lane, limit

    async def scan(self, stream: str, tally: Tally) -> None:
        """Add every message behind the last one that the tally knows."""
        async with self._consumer(stream, tally.last + 1) as name:
            left = True
            while left:
                left = await self._pull(stream, name, tally)

    @asynccontextmanager
    async def _consumer(self, stream: str, start: int) -> AsyncIterator[str]:
        config = {
            "ack_policy": "none",
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": start,
            "headers_only": True,
            "inactive_threshold": _IDLE,
            "mem_storage": True,
            "num_replicas": 1,
        }
        info = await self._js.call(
            self._lane, f"CONSUMER.CREATE.{stream}", {"stream_name": stream, "config": config}
        )
        try:
            yield info["name"]
        finally:
            with contextlib.suppress(BrokerError):
                await self._js.find(self._lane, f"CONSUMER.DELETE.{stream}.{info['name']}")

    async def _pull(self, stream: str, name: str, tally: Tally) -> bool:
        """One batch; whether there is more."""
        client = await self._js.link.client()
        inbox = client.new_inbox()
        subscription = await client.subscribe(inbox)
        try:
            body = {"batch": _BATCH, "no_wait": True}
            async with self._lane.slot(), asyncio.timeout(self._limit):
                subject = self._js.subject(f"CONSUMER.MSG.NEXT.{stream}.{name}")
                await client.publish(subject, json.dumps(body).encode(), reply=inbox)
                for _ in range(_BATCH):
                    msg = await subscription.next_msg(timeout=self._limit)
                    if not msg.reply or _take(msg, tally) == 0:
                        return False  # a bare status says that nothing is left
                return True
        except (errors.Error, OSError, TimeoutError) as error:
            raise Unreachable("Disconnected", self._js.link.scrub(f"reading {stream}: {error}")) from None
        finally:
            with contextlib.suppress(errors.Error):
                await subscription.unsubscribe()


def _take(msg: Msg, tally: Tally) -> int:
    """Note a message; how many are left behind it."""
    found = msg.metadata
    tally.add(Head.of(found.sequence.stream, msg.subject, dict(msg.headers or {}), found.timestamp))
    return found.num_pending
