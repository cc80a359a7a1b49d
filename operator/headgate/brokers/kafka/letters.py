"""A dead-letter topic as a person goes through it: entries in order, one of them closed. Decides nothing.

Nothing can be taken out of the middle of a topic, so what closes an entry is a record behind it, in the same partition:
it comes after what it closes, and goes after it too.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from headgate.brokers.base import Refused
from headgate.brokers.kafka.deadrecords import CLOSES, closes, entry_of, position_of, stone_of
from headgate.brokers.kafka.faults import error
from headgate.brokers.kafka.pages import Pages
from headgate.brokers.kafka.redelivery import Record, Sent
from headgate.brokers.kafka.refusals import Sort
from headgate.brokers.kafka.sending import Sender
from headgate.core.letters import Entry, Headers, Letter

_ONLY: Final = 0  # letters keep their order in one partition


class KafkaLetters:
    """One dead-letter topic."""

    def __init__(self, pages: Pages, sender: Sender, topic: str) -> None:
        self._pages, self._sender, self._topic = pages, sender, topic

    async def entries(self, after: int = 0) -> AsyncIterator[Entry]:
        """Twice through: what closes an entry stands behind it."""
        first, end = await self._pages.span(self._topic)
        start = max(first, after)
        closed = await self._closed(start, end)
        async for page in self._pages.read(self._topic, start, end):
            for record in page:
                if closes(record) is None:
                    yield entry_of(record, closed.get(position_of(record.offset)))

    async def entry(self, position: int) -> Entry | None:
        """The record at an offset, with what closes it."""
        first, end = await self._pages.span(self._topic)
        offset = position - 1
        if not first <= offset < end:
            return None
        found = [
            record async for page in self._pages.read(self._topic, offset, offset + 1) for record in page
        ]
        if not found or closes(found[0]) is not None:
            return None
        return entry_of(found[0], (await self._closed(offset, end)).get(position))

    async def close_entry(self, entry: Entry, tombstone: Letter) -> bool:
        """Write behind it who closes it. Of two who do so at once the first one did."""
        current = await self.entry(entry.position)
        if current is None or not current.open:
            return False
        own: Headers = (*tombstone.headers, (CLOSES, str(entry.position)))
        headers = tuple((name, value.encode()) for name, value in own)
        sent = Sent(self._topic, _ONLY, None, headers, tombstone.body)
        (failed,) = await asyncio.to_thread(self._sender.send, [sent])
        if failed is not None:
            if failed.sort is Sort.ABSENT:
                raise Refused("NotFound", f"topic {self._topic} is gone; the entry is as it was")
            raise error(failed, f"topic/{self._topic}", f"Write on Topic {self._topic}", wrote=True)
        _, end = await self._pages.span(self._topic)
        return (await self._closed(entry.position - 1, end)).get(entry.position) == tombstone.headers

    async def aclose(self) -> None:
        """Let go of the connections."""
        self._sender.close()
        await self._pages.aclose()

    async def _closed(self, start: int, end: int) -> dict[int, Headers]:
        """How entries were closed, by position; of what stands between two offsets."""
        found: dict[int, Headers] = {}
        async for page in self._pages.read(self._topic, start, end):
            for record in page:
                self._note(record, found)
        return found

    def _note(self, record: Record, found: dict[int, Headers]) -> None:
        position = closes(record)
        if position is not None:
            found.setdefault(position, stone_of(record))
