"""The mover's side of a Kafka cluster. Decides nothing.

Kafka says nothing about events that were given up: workers make dead letters, and movers do for what waits and has no
attempt left. What movers have to do here is to end waits: positions are those of their common group, so that they share
the work as members of any group do.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, TypeVar

from headgate.brokers.base import BrokerError
from headgate.brokers.kafka.admin import Admin, TopicView
from headgate.brokers.kafka.deadrecords import entry_of
from headgate.brokers.kafka.faults import Fault, error
from headgate.brokers.kafka.names import retry_prefix, wait_of
from headgate.brokers.kafka.pages import Pages
from headgate.brokers.kafka.redeliverer import Ladder, Redeliverer
from headgate.brokers.kafka.redelivery import Sent
from headgate.brokers.kafka.refusals import Sort
from headgate.brokers.kafka.sending import TOO_LARGE, Sender
from headgate.brokers.messages import Absent, Kept, Redelivered, Watch
from headgate.brokers.pace import Pace
from headgate.core.letters import Event, Letter
from headgate.core.moves import Delay, Incarnation, Notice, Route

_LOOK: Final = 5.0  # seconds between looks which topics there are
TRIM: Final = 30.0  # seconds between two times that what was moved is let go of
_LONGEST: Final = 1.0  # seconds that a thread waits, so that a mover ends soon after it is told to
_UNKNOWN_TIME: Final = datetime.fromtimestamp(0, UTC)

R = TypeVar("R")


class KafkaMessages:
    """One cluster as a mover sees it."""

    def __init__(
        self,
        admin: Admin,
        redeliverer: Redeliverer,
        sender: Sender,
        pages: Pages,
        lane: Pace,
        *,
        trim: float = TRIM,
    ) -> None:
        self._often = trim
        self._admin, self._redeliverer, self._sender, self._pages, self._lane = (
            admin,
            redeliverer,
            sender,
            pages,
            lane,
        )
        self._turn = asyncio.Lock()  # one thread at a time has the redeliverer
        self._routes: tuple[Route, ...] = ()
        self._ladders: Mapping[str, Ladder] = {}
        self._looked = self._trimmed = float("-inf")

    async def open(self) -> None:
        """Ask for something, so that a login that is refused is told at once."""
        await self._names()

    async def notices(self, limit: int, wait: timedelta) -> Sequence[Notice]:
        """None: the broker says nothing about events that were given up."""
        del limit
        await asyncio.sleep(wait.total_seconds())
        return ()

    async def listen(self) -> None:
        """There is nothing to hear."""

    async def fetch(self, wanted: Sequence[tuple[str, int]]) -> Sequence[Event | Absent]:
        """Events of topics with one partition, by their positions."""
        return [await self._fetch(source, position) for source, position in wanted]

    async def _fetch(self, source: str, position: int) -> Event | Absent:
        try:
            first, end = await self._pages.span(source)
            if not first <= position - 1 < end:
                return Absent.GONE
            async for page in self._pages.read(source, position - 1, position):
                for record in page:
                    letter = entry_of(record).letter
                    return Event(source, record.at, letter.headers, letter.body)
        except BrokerError:
            return Absent.UNKNOWN
        return Absent.GONE

    async def incarnations(self, sources: Collection[str]) -> Mapping[str, Incarnation]:
        """Topics by their identities; since when they are there nobody knows."""
        found = await self._admin.topics(self._lane, sorted(sources))
        return {
            name: Incarnation(view.identity, _UNKNOWN_TIME)
            for name, view in found.items()
            if isinstance(view, TopicView)
        }

    async def ours(self, source: str, reader: str) -> bool:
        """A group has no room for a mark."""
        del source, reader
        return False

    async def keep(self, letters: Sequence[Letter]) -> Sequence[Kept]:
        """Publish all at once, acknowledged. A topic keeps no two letters apart: written twice is there twice."""
        sent = [
            Sent(
                each.address.rpartition("/")[0] or each.address,
                None,
                None,
                tuple((name, value.encode()) for name, value in each.headers),
                each.body,
            )
            for each in letters
        ]
        known = await self._names()
        missing = {index for index, each in enumerate(sent) if each.topic not in known}
        rest = [each for index, each in enumerate(sent) if index not in missing]
        faults = iter(await asyncio.to_thread(self._sender.send, rest) if rest else ())
        return [Kept.MISSING if index in missing else _kept(next(faults)) for index in range(len(sent))]

    async def settle(self, notices: Sequence[Notice]) -> None:
        """There are none."""

    async def postpone(self, notices: Sequence[Notice], delay: timedelta) -> None:
        """There are none."""

    async def extend(self, notices: Sequence[Notice]) -> None:
        """There are none."""

    async def redeliver(self, routes: Sequence[Route], limit: int, wait: timedelta) -> Redelivered:
        """As one member of the group of movers."""
        await self._look(routes)
        patience = min(wait.total_seconds(), _LONGEST)
        found = await self._alone(partial(self._redeliverer.redeliver, self._ladders, limit, patience))
        await self._trim()
        return found

    async def watch(self, delays: Collection[Delay] = ()) -> Watch:
        """Nothing is kept for movers but what waits, and that is counted with the groups."""
        del delays
        return Watch(0, 0)

    async def call_in(self, source: str, reader: str, after: timedelta) -> bool:
        """Nothing is ever stranded: what nobody has handled is still in the topic."""
        del source, reader, after
        return False

    async def aclose(self) -> None:
        """Leave the group and let go of the connections."""
        await self._alone(self._redeliverer.close)
        self._sender.close()
        await self._pages.aclose()

    async def _look(self, routes: Sequence[Route]) -> None:
        """Which topics there are in which events of these groups wait, also those of waits of before."""
        now = asyncio.get_running_loop().time()
        if tuple(routes) == self._routes and now - self._looked < _LOOK:
            return
        self._ladders = _ladders(routes, await self._names()) if routes else {}
        self._routes, self._looked = tuple(routes), now

    async def _names(self) -> Mapping[str, int]:
        found = await self._admin.names(self._lane)
        if isinstance(found, Fault):
            raise error(found, "topics", "Describe on Topic")
        return found

    async def _trim(self) -> None:
        """Let go of what was moved, now and then. Where we may not, it stays, and is not moved again all the same."""
        now = asyncio.get_running_loop().time()
        if now - self._trimmed < self._often:
            return
        self._trimmed = now
        if taken := self._redeliverer.taken():
            await self._admin.trim(self._lane, taken)

    async def _alone(self, work: Callable[[], R]) -> R:
        """In a thread that nobody else has, to its end also where nobody waits for it any more."""
        async with self._turn:
            task = asyncio.ensure_future(asyncio.to_thread(work))
            try:
                return await asyncio.shield(task)
            except asyncio.CancelledError:
                await asyncio.wait({task})
                raise


def _ladders(routes: Sequence[Route], names: Mapping[str, int]) -> Mapping[str, Ladder]:
    """Where there is no topic for what is given up, it is tried once more; where nothing can come back, it waits on."""
    found: dict[str, Ladder] = {}
    for route in routes:
        if route.due not in names:
            continue
        known = route if route.address in names else replace(route, address="")
        prefix = retry_prefix(route.source, route.reader)
        for name in names:
            wait = wait_of(route.source, route.reader, name) if name.startswith(prefix) else None
            if wait is not None:
                found[name] = Ladder(known, wait, names[route.due])
    return found


def _kept(failed: Fault | None) -> Kept:
    if failed is None:
        return Kept.STORED
    if failed.code == TOO_LARGE:
        return Kept.TOO_LARGE
    match failed.sort:
        case Sort.ABSENT:
            return Kept.MISSING
        case Sort.REFUSED:
            return Kept.REFUSED
        case _:
            return Kept.UNKNOWN
