"""What topics of dead letters hold, read on from where the last look ended. Leaves every topic as it is."""

import asyncio
from collections.abc import Collection, Mapping
from typing import Final

from headgate.brokers.base import BrokerError
from headgate.brokers.kafka.admin import TopicView
from headgate.brokers.kafka.faults import Fault, unread
from headgate.brokers.kafka.pages import Pages
from headgate.brokers.kafka.reading import Reader, Spans
from headgate.brokers.kafka.resources import topic_key
from headgate.brokers.kafka.tallying import Tally
from headgate.brokers.pace import Pace
from headgate.core.progress import Holding, Room
from headgate.core.resource import Key, Unread

_PATIENCE: Final = 2.0  # seconds of one look for one topic; the rest is read at the next
_ONLY: Final = 0  # letters keep their order in one partition


class Letterbox:
    """Dead letters by group and reason, and how many there are."""

    def __init__(self, reader: Reader, lane: Pace, pages: Pages) -> None:
        self._reader, self._lane, self._pages = reader, lane, pages
        self._tallies: dict[str, Tally] = {}
        self._one_at_a_time = asyncio.Lock()

    async def dead_letters(self, queues: Collection[Key]) -> Mapping[Key, Holding | Unread]:
        """One value per topic that exists: three requests for all of them, and what came since the last look."""
        async with self._one_at_a_time:
            views = await self._reader.views(self._lane, [key.name for key in queues])
            spans = await self._reader.spans(self._lane, views)
            for gone in self._tallies.keys() - views.keys():
                del self._tallies[gone]
            return {
                key: await self._held(key.name, views[key.name], spans) for key in queues if key.name in views
            }

    async def aclose(self) -> None:
        """Let go of the connection."""
        await self._pages.aclose()

    async def _held(self, name: str, view: TopicView | Fault, spans: Spans) -> Holding | Unread:
        """Kafka never refuses an entry for lack of room, so there is no bound to tell."""
        if isinstance(view, Fault):
            return _silent(name, view)
        span = spans[name, _ONLY]
        if isinstance(span, Fault):
            return _silent(name, span)
        tally = self._tallies.get(name)
        if tally is None or tally.identity != view.identity:
            tally = self._tallies[name] = Tally(view.identity)
        tally.begins(span.first)
        if not tally.full:
            await self._read_on(name, tally, span.end)
        return Holding(tally.groups(span.end), Room(span.end - span.first, 0))

    async def _read_on(self, name: str, tally: Tally, end: int) -> None:
        """As far as time and memory allow; what does not work now is tried at the next look."""
        until = asyncio.get_running_loop().time() + _PATIENCE
        try:
            async with self._lane.slot():
                async for records in self._pages.read(name, tally.read, end):
                    tally.add(records, max((each.offset + 1 for each in records), default=tally.read))
                    if tally.full or asyncio.get_running_loop().time() > until:
                        return
                tally.add((), end)
        except BrokerError:
            return


def _silent(name: str, fault: Fault) -> Unread:
    return unread(fault, str(topic_key(name)), f"Describe on Topic {name}")
