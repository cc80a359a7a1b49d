"""Reads dead-letter streams: what is new, without bodies, through a consumer that leaves no trace. Decides nothing."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Final

from nats import errors
from nats.aio.msg import Msg

from headgate.brokers.base import BrokerError, Unreachable
from headgate.brokers.nats.documents import Json
from headgate.brokers.nats.jetstream import JetStream
from headgate.brokers.nats.reading import Reader
from headgate.brokers.nats.tally import MOST, Head, Tally
from headgate.brokers.nats.times import moment, moment_of
from headgate.brokers.pace import Pace
from headgate.core.progress import DeadLetters
from headgate.core.resource import Key

_BATCH: Final = 1000
_SECOND: Final = 1_000_000_000
_IDLE: Final = 30 * _SECOND  # after so long without a pull the server removes the consumer by itself
_END: Final = ("404", "408", "409")
_SEQUENCE, _TIME, _LEFT = -4, -2, -1  # of the tokens of a reply subject


class Letterbox:
    """Dead letters by group, with a memory of what was read already."""

    def __init__(self, js: JetStream, reader: Reader, lane: Pace, timeout: float) -> None:
        self._js, self._reader, self._lane, self._timeout = js, reader, lane, timeout
        self._tallies: dict[str, Tally] = {}
        self._one_at_a_time = asyncio.Lock()

    async def dead_letters(self, queues: Collection[Key]) -> Mapping[Key, tuple[DeadLetters, ...]]:
        """One value per stream that exists. Beyond what fits into memory only how many there are."""
        async with self._one_at_a_time:
            infos = await self._reader.streams(self._lane, {key.name for key in queues})
            for gone in [name for name in self._tallies if name not in infos]:
                del self._tallies[gone]
            return {key: await self._of(key.name, infos[key.name]) for key in queues if key.name in infos}

    async def _of(self, stream: str, info: Json) -> tuple[DeadLetters, ...]:
        state = info["state"]
        messages, first = int(state["messages"]), moment(state["first_ts"])
        if messages == 0:
            self._tallies.pop(stream, None)
            return ()
        others = sum(tally.size for name, tally in self._tallies.items() if name != stream)
        if messages + others > MOST:
            self._tallies.pop(stream, None)
            return (DeadLetters("", messages, first, ()),)
        return (await self._up_to_date(stream, info)).groups(first)

    async def _up_to_date(self, stream: str, info: Json) -> Tally:
        state = info["state"]
        tally = self._tallies.get(stream)
        if tally is None or tally.identity != info["created"] or tally.last > int(state["last_seq"]):
            tally = Tally(info["created"])
        tally.forget_before(int(state["first_seq"]))
        moved = tally.last < int(state["last_seq"])
        if moved:
            await self._read(stream, tally)
        if not moved and tally.size != int(state["messages"]):  # something was taken out of the middle
            tally = Tally(info["created"])
            await self._read(stream, tally)
        self._tallies[stream] = tally
        return tally

    async def _read(self, stream: str, tally: Tally) -> None:
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
            async with self._lane.slot(), asyncio.timeout(self._timeout):
                subject = self._js.subject(f"CONSUMER.MSG.NEXT.{stream}.{name}")
                await client.publish(subject, json.dumps(body).encode(), reply=inbox)
                left = 1
                for _ in range(_BATCH):
                    msg = await subscription.next_msg(timeout=self._timeout)
                    if (msg.headers or {}).get("Status") in _END and not msg.reply:
                        return False
                    left = _take(msg, tally)
                return left > 0
        except (errors.Error, OSError, TimeoutError) as error:
            raise Unreachable("Disconnected", self._js.link.scrub(f"reading {stream}: {error}")) from None
        finally:
            with contextlib.suppress(errors.Error):
                await subscription.unsubscribe()


def _take(msg: Msg, tally: Tally) -> int:
    tokens = msg.reply.split(".")
    at = moment_of(int(tokens[_TIME]))
    tally.add(Head.of(int(tokens[_SEQUENCE]), msg.subject, dict(msg.headers or {}), at))
    return int(tokens[_LEFT])
