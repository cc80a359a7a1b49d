"""Dead letters by group, with a memory of what was read already. Changes nothing that lasts."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping

from headgate.brokers.base import Unreachable
from headgate.brokers.nats.documents import Json
from headgate.brokers.nats.reading import Reader
from headgate.brokers.nats.tally import MOST, Tally
from headgate.brokers.nats.times import moment
from headgate.brokers.pace import Pace
from headgate.core.progress import DeadLetters, Holding, Room
from headgate.core.resource import Key, Unread

Scan = Callable[[str, Tally], Awaitable[None]]  # adds to the tally of a stream whatever is new in it


class Letterbox:
    """Dead letters by group, with a memory of what was read already."""

    def __init__(self, reader: Reader, lane: Pace, scan: Scan) -> None:
        self._reader, self._lane, self._scan = reader, lane, scan
        self._tallies: dict[str, Tally] = {}
        self._one_at_a_time = asyncio.Lock()

    async def dead_letters(self, queues: Collection[Key]) -> Mapping[Key, Holding | Unread]:
        """One value per stream that exists. Beyond what fits into memory only how many there are."""
        async with self._one_at_a_time:
            infos = await self._reader.streams(self._lane, {key.name for key in queues})
            for gone in [key.name for key in queues if key.name not in infos]:
                self._tallies.pop(gone, None)
            return {
                key: await self._held(key, info)
                for key in queues
                if (info := infos.get(key.name)) is not None
            }

    async def _held(self, key: Key, info: Json | Unread) -> Holding | Unread:
        if isinstance(info, Unread):
            return info
        try:
            return Holding(await self._of(key.name, info), _room(info))
        except Unreachable as error:
            return self._reader.unread(error, str(key))

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
        last = int(state["last_seq"])
        tally = self._tallies.get(stream)
        if tally is None or tally.identity != info["created"] or tally.last > last:
            tally = Tally(info["created"])
        tally.forget_before(int(state["first_seq"]))
        await self._read(stream, tally, last)
        if tally.last == last and tally.size != int(
            state["messages"]
        ):  # something was taken out of the middle
            tally = Tally(info["created"])
            await self._read(stream, tally, last)
        self._tallies[stream] = tally
        return tally

    async def _read(self, stream: str, tally: Tally, last: int) -> None:
        if tally.last < last:
            await self._scan(stream, tally)
            tally.last = max(
                tally.last, last
            )  # the last ones may be gone: there is nothing to find up to here


def _room(info: Json) -> Room:
    """Bounds count only where the stream refuses what is beyond them."""
    config, state = info["config"], info["state"]
    refuses = config.get("discard") == "new"
    most = [int(config.get(name) or 0) if refuses else 0 for name in ("max_msgs", "max_bytes")]
    entries, size = (bound if bound > 0 else None for bound in most)
    return Room(int(state["messages"]), int(state["bytes"]), entries, size)
