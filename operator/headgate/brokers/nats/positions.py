"""How far consumers are, and how old what they have not handled is. Changes nothing in the broker.

Ages cost a read of a message each, so what was read is remembered by position: a consumer that stands still and a
stream from which nothing was taken cost nothing.
"""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from headgate.brokers.base import Unreachable
from headgate.brokers.nats.documents import Json
from headgate.brokers.nats.jetstream import JetStream, StoredMessage
from headgate.brokers.nats.reading import Reader, readers_of
from headgate.brokers.nats.resources import split, stream_key
from headgate.brokers.nats.times import moment
from headgate.brokers.pace import Pace
from headgate.core.progress import PartitionProgress, Progress
from headgate.core.resource import Key, Unread

_ANY: Final = ">"
_MOST_FILTERS: Final = 8  # beyond, one read per filter would cost more than an age is worth


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a search for the oldest event began, in which state of stream and consumer."""

    consumer: str  # the identities: positions of another one mean nothing
    filters: tuple[str, ...]
    after: int
    deleted: int  # messages that were taken out of the middle so far


@dataclass(frozen=True, slots=True)
class _Found:
    """What a search found."""

    place: _Place
    message: StoredMessage


class Positions:
    """Progress of groups, read with a budget of its own."""

    def __init__(self, js: JetStream, reader: Reader, lane: Pace) -> None:
        self._js, self._reader, self._lane = js, reader, lane
        self._known: dict[tuple[Key, str], _Found] = {}

    async def progress(self, groups: Collection[Key]) -> Mapping[Key, Progress | Unread]:
        """One value per consumer that exists."""
        names = {split(key)[0] for key in groups}
        infos = await self._reader.streams(self._lane, names)
        streams = {stream_key(name): info for name, info in infos.items()}
        consumers = await readers_of(self._reader, self._lane, groups, streams)
        for known in [known for known in self._known if known[0] in groups and known[0] not in consumers]:
            del self._known[known]
        there = [
            (key, info, streams[stream_key(split(key)[0])])
            for key, info in consumers.items()
            if stream_key(split(key)[0]) in streams
        ]
        results = await asyncio.gather(*(self._or_unread(*each) for each in there))
        return dict(zip((key for key, _, _ in there), results, strict=True))

    async def _or_unread(self, key: Key, info: Json | Unread, stream: Json | Unread) -> Progress | Unread:
        if isinstance(info, Unread):
            return info
        if isinstance(stream, Unread):
            return stream
        try:
            return await self._one(key, info, stream)
        except Unreachable as error:
            return self._reader.unread(error, str(key))

    async def _one(self, key: Key, info: Json, stream: Json) -> Progress:
        pending, in_flight = int(info["num_pending"]), int(info["num_ack_pending"])
        delivered, floor = int(info["delivered"]["stream_seq"]), int(info["ack_floor"]["stream_seq"])
        settled = floor if in_flight else max(floor, delivered)
        oldest_pending, oldest_unsettled = await asyncio.gather(
            self._oldest(key, "pending", info, stream, delivered) if pending else _nothing(),
            self._oldest(key, "unsettled", info, stream, floor) if in_flight else _nothing(),
        )
        return Progress(
            at=moment(info["ts"]),
            partitions=(PartitionProgress(int(stream["state"]["last_seq"]), delivered, settled),),
            pending=pending,
            in_flight=in_flight,
            redelivered=int(info.get("num_redelivered", 0)),
            waiting=int(info.get("num_waiting", 0)),
            oldest_pending=oldest_pending,
            oldest_unsettled=oldest_unsettled,
            checkpoint=str(settled),
            repeats_at_most=delivered - settled,
            deliveries=int(info["delivered"]["consumer_seq"]),
        )

    async def _oldest(self, key: Key, what: str, info: Json, stream: Json, after: int) -> datetime | None:
        state, filters = stream["state"], _filters(info["config"])
        identity = f"{stream['created']} {info['created']}"
        place = _Place(identity, filters, after, int(state.get("num_deleted", 0)))
        known = self._known.get((key, what))
        if known is None or known.place != place or known.message.sequence < int(state["first_seq"]):
            message = await self._first_after(split(key)[0], after, filters)
            if message is None:
                self._known.pop((key, what), None)
                return None
            known = self._known[key, what] = _Found(place, message)
        return moment(known.message.time)

    async def _first_after(self, stream: str, after: int, filters: tuple[str, ...]) -> StoredMessage | None:
        found = await asyncio.gather(
            *(self._js.first_at(self._lane, stream, after + 1, each) for each in filters)
        )
        return min(filter(None, found), key=lambda message: message.sequence, default=None)


def _filters(config: Json) -> tuple[str, ...]:
    """The subjects to look for; where there are too many, any: the age may then be that of an older event of others."""
    single = config.get("filter_subject")
    filters = tuple(config.get("filter_subjects") or ((single,) if single else ()))
    return filters if 0 < len(filters) <= _MOST_FILTERS else (_ANY,)


async def _nothing() -> None:
    return None
