"""Reads streams and consumers in as few requests as it takes. Changes nothing in the broker."""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from headgate.brokers.base import Unreachable
from headgate.brokers.nats.documents import (
    Json,
    adopted,
    load_consumer,
    load_stream,
    managed_of,
    mark_of,
)
from headgate.brokers.nats.glance import Glance
from headgate.brokers.nats.jetstream import JetStream
from headgate.brokers.nats.resources import CONSUMER, STREAM, consumer_key, split, stream_key
from headgate.brokers.nats.times import moment
from headgate.brokers.pace import Pace
from headgate.core.resource import Key, Observed, Stats, Unread

SOON: Final = (
    1.0  # seconds for an answer about what gave none before: one dead server holds up nobody for long
)
FEW: Final = 8  # up to here one question per object is cheaper than a list of all
PAGE: Final = 256  # what the server puts on one page


@dataclass(frozen=True, slots=True)
class _Listing:
    """How objects of one kind are listed and asked for one by one."""

    names: frozenset[str]
    list_verb: str
    info_verb: str
    entries: str  # the field of the answer with the objects


class Reader:
    """Raw infos by name; the caller chooses whose budget they are read from."""

    def __init__(self, js: JetStream) -> None:
        self._js = js
        self._silent: set[str] = set()  # questions that were not answered when they were asked last
        self._glance = Glance(js)

    async def streams(self, lane: Pace, names: Iterable[str]) -> Mapping[str, Json | Unread]:
        """Infos of the streams that exist."""
        return await self._read(lane, _streams(names))

    async def stream(self, lane: Pace, name: str, *, more: bool) -> Json | Unread | None:
        """One stream; None where it is not there. What is read for that is kept for `streams_just_read`.

        With `more` to come it is looked for on the first page of the list of all, which then need not be read again.
        In a cluster such a list waits for the slowest server, so there it is not.
        """
        moment, page = self._glance.now(), None
        if more and not self._js.clustered:
            with suppress(Unreachable):  # then it is asked for by name
                page = await self._js.find(lane, "STREAM.LIST", {"offset": 0})
        listed = _by_name(page or {}, "streams")
        info: Json | Unread | None = _silent(page or {}).get(name) or listed.get(name)
        if info is None and (page is None or int(page["total"]) > len(listed)):
            info = (await self.streams(lane, {name})).get(name)
        if not isinstance(info, Unread):
            self._glance.keep(moment, {name: info}, page)
        return info

    async def streams_just_read(self, lane: Pace, names: Iterable[str]) -> Mapping[str, Json | Unread]:
        """The same as `streams`; what was read a moment ago and not changed since is not read again."""
        listing = _streams(names)
        known = self._glance.infos(listing.names)
        return known if known is not None else await self._read(lane, listing, self._glance.page())

    async def consumers(self, lane: Pace, keys: Collection[Key]) -> Mapping[Key, Json | Unread]:
        """Infos of the consumers that exist, one list per stream of which several are asked."""
        durables: dict[str, set[str]] = {}
        for key in keys:
            stream, durable = split(key)
            durables.setdefault(stream, set()).add(durable)
        found = await asyncio.gather(
            *(self._of_stream(lane, stream, names) for stream, names in durables.items())
        )
        return {key: info for part in found for key, info in part.items()}

    def unread(self, error: Unreachable, what: str) -> Unread:
        """See JetStream."""
        return self._js.unread(error, what)

    async def _of_stream(self, lane: Pace, stream: str, names: set[str]) -> Mapping[Key, Json | Unread]:
        verbs = (f"CONSUMER.LIST.{stream}", f"CONSUMER.INFO.{stream}")
        infos = await self._read(lane, _Listing(frozenset(names), *verbs, "consumers"))
        return {consumer_key(stream, durable): info for durable, info in infos.items()}

    async def _read(
        self, lane: Pace, listing: _Listing, page: Json | None = None
    ) -> Mapping[str, Json | Unread]:
        """What is there, by name. What is said of single objects is believed only while the account itself answers."""
        found = await self._found(lane, listing, page)
        if any(isinstance(info, Unread) for info in found.values()):
            await self._js.call(lane, "INFO")
        return found

    async def _found(self, lane: Pace, listing: _Listing, page: Json | None) -> Mapping[str, Json | Unread]:
        few = 1 if listing.entries == "consumers" else FEW
        if len(listing.names) <= few:
            return await self._each(lane, listing, listing.names)
        try:
            found, certain = await self._listed(lane, listing, page)
        except Unreachable as error:
            self.unread(error, listing.list_verb)
            return await self._each(
                lane, listing, listing.names
            )  # a list waits for the slowest of all servers
        missing = listing.names - found.keys()
        if certain or not missing:
            return found
        return {**found, **await self._each(lane, listing, missing)}

    async def _each(
        self, lane: Pace, listing: _Listing, names: Collection[str]
    ) -> Mapping[str, Json | Unread]:
        async def one(name: str) -> tuple[str, Json | Unread | None]:
            return name, await self._one(lane, f"{listing.info_verb}.{name}")

        return {name: info for name, info in await asyncio.gather(*map(one, names)) if info is not None}

    async def _one(self, lane: Pace, verb: str) -> Json | Unread | None:
        try:
            info = await self._js.find(lane, verb, limit=SOON if verb in self._silent else None)
        except Unreachable as error:
            unread = self.unread(error, verb.partition(".INFO.")[2])
            self._silent.add(verb)
            return unread
        self._silent.discard(verb)
        return info

    async def _listed(
        self, lane: Pace, listing: _Listing, page: Json | None
    ) -> tuple[dict[str, Json | Unread], bool]:
        """What the pages hold, and whether a name that is on none of them can be taken for absent.

        Pages overlap by one entry: when it is not the same one any more, something before it came or went and an
        object may have slipped between two pages. In a cluster a server that did not answer in time is missing; where
        a page says so, nobody need be asked again.
        """
        found: dict[str, Json | Unread] = {}
        offset, last, certain = 0, "", not self._js.clustered
        while True:
            if page is None:
                page = await self._js.find(lane, listing.list_verb, {"offset": offset})
            infos = _by_name(page or {}, listing.entries)
            names = list(infos)
            silent = _silent(page or {})
            certain = certain and (not last or names[:1] == [last])
            found.update((name, unread) for name, unread in silent.items() if name in listing.names)
            found.update((name, info) for name, info in infos.items() if name in listing.names)
            size = len(names) + len(silent.keys() - set(names))
            end = offset + size
            left = int((page or {}).get("total", 0)) - end
            if left <= 0 or size < 2 or found.keys() >= listing.names:  # noqa: PLR2004  (one entry is the overlap)
                return found, certain
            if left > PAGE * len(listing.names - found.keys()):
                return found, False  # asking for the rest by name is cheaper
            offset, last, page = end - 1, names[-1] if names else "", None


def _silent(page: Json) -> dict[str, Unread]:
    """Objects that are there and for which nobody answered."""
    missing = {
        name: Unread("NoAnswer", f"nobody answers for {name}: the servers that keep it may be down")
        for name in page.get("missing") or ()
    }
    offline = page.get("offline") or {}
    return missing | {
        name: Unread("StreamOffline", f"{name} is offline: {why}") for name, why in offline.items()
    }


def _streams(names: Iterable[str]) -> _Listing:
    return _Listing(frozenset(names), "STREAM.LIST", "STREAM.INFO", "streams")


def _by_name(page: Json, entries: str) -> dict[str, Json]:
    return {_name(entry): entry for entry in page.get(entries) or ()}


def _name(info: Json) -> str:
    return str(info["name"] if "stream_name" in info else info["config"]["name"])


def observed(key: Key, info: Json) -> Observed:
    """An info of the server as a value."""
    config = info["config"]
    load = load_stream if key.kind == STREAM else load_consumer
    mark, managed = mark_of(config), managed_of(config)
    was_there = adopted(config)
    return Observed(
        load(key, config), info["created"], mark, managed=managed, stats=_stats(info), adopted=was_there
    )


def _stats(info: Json) -> Stats:
    state = info.get("state")
    if state is None:
        return Stats()
    messages = int(state["messages"])
    oldest = moment(state["first_ts"]) if messages else None
    return Stats(messages, int(state["bytes"]), int(state["last_seq"]), oldest)


async def observe(reader: Reader, lane: Pace, keys: Collection[Key]) -> Mapping[Key, Observed | Unread]:
    """Streams, then consumers; absent ones are left out."""
    streams = {key.name for key in keys if key.kind == STREAM}
    infos = await reader.streams_just_read(lane, streams)
    found = {stream_key(name): info for name, info in infos.items()}
    found.update(await readers_of(reader, lane, [key for key in keys if key.kind == CONSUMER], found))
    return {key: info if isinstance(info, Unread) else observed(key, info) for key, info in found.items()}


async def readers_of(
    reader: Reader, lane: Pace, keys: Collection[Key], streams: Mapping[Key, Json | Unread]
) -> Mapping[Key, Json | Unread]:
    """Consumers; where nobody answers for the stream nobody is asked about what lies in it."""
    silent = {
        key: stream for key in keys if isinstance(stream := streams.get(stream_key(split(key)[0])), Unread)
    }
    return {**await reader.consumers(lane, [key for key in keys if key not in silent]), **silent}
