"""Positions for queues that have none: how much ever came in, was handed out and was settled, from what the server counts. Pure.

The server's counts are some seconds old, of different moments, and begin anew with it. What is made of them only grows,
and what is not known is never taken for work that is done: an event that lies in the queue may be missing in the count
of what came in, so the count is only held against positions that are older than it can be.
"""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from headgate.core.progress import PartitionProgress, Progress

_MOST: Final = 512  # moments remembered of one queue
_LAG: Final = timedelta(seconds=15)  # what is older has been counted: servers count every 5 s, twice in a row


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at a queue."""

    at: datetime
    identity: str
    messages: int  # all of them, in whatever state
    ready: int
    dead: int = 0  # given up, and not yet taken over by the dead-letter queue
    published: int = 0  # so far, since the server began to count
    consumers: int = 0


@dataclass(slots=True)
class Ledger:
    """What is remembered of one queue."""

    identity: str
    head: int = 0
    delivered: int = 0
    settled: int = 0
    published: int = 0
    _offset: int | None = None  # at least so much more than what was counted has come in; None: not known yet
    _heads: deque[tuple[datetime, int]] = field(default_factory=lambda: deque(maxlen=_MOST))
    _looked: datetime | None = None
    _marks: deque[tuple[int, datetime]] = field(
        default_factory=lambda: deque(maxlen=_MOST)
    )  # up to which position nothing is older

    def note(self, reading: Reading) -> Progress:
        """Take a look into account, and say how far the queue is."""
        work = max(reading.messages - reading.dead, 0)
        ready = min(reading.ready, work)
        self.head = max(self.head, self._counted(reading), self.settled + work, self.delivered + ready)
        self.settled = max(self.settled, self.head - work)
        self.delivered = max(self.delivered, self.head - ready)
        self._heads.append((reading.at, self.head))
        self._remember(reading.at)
        return self._progress(reading, ready, work - ready)

    def _counted(self, reading: Reading) -> int:
        """How far events came in by what the server counted, where that can be told."""
        if reading.published < self.published:  # it began anew
            self._offset = None
        self.published = reading.published
        while len(self._heads) > 1 and self._heads[1][0] <= reading.at - _LAG:
            self._heads.popleft()
        if self._heads and self._heads[0][0] <= reading.at - _LAG:
            least = self._heads[0][1] - reading.published
            self._offset = least if self._offset is None else max(self._offset, least)
        return 0 if self._offset is None else self._offset + reading.published

    def _remember(self, at: datetime) -> None:
        """What is there now and was not at the look before came since then."""
        if not self._marks or self._marks[-1][0] != self.head:
            self._marks.append((self.head, self._looked or at))
        self._looked = at
        while len(self._marks) > 1 and self._marks[0][0] <= self.settled:
            self._marks.popleft()

    def _since(self, position: int) -> datetime | None:
        """An event may be younger than is told here, and older only where it was there at the first look."""
        return next((at for head, at in self._marks if head >= position), None)

    def _progress(self, reading: Reading, ready: int, in_flight: int) -> Progress:
        return Progress(
            at=reading.at,
            partitions=(PartitionProgress(self.head, self.delivered, self.settled),),
            pending=ready,
            in_flight=in_flight,
            waiting=reading.consumers,
            members=reading.consumers,
            oldest_pending=self._since(self.head - ready + 1) if ready else None,
            oldest_unsettled=self._since(self.head - ready - in_flight + 1) if in_flight else None,
        )


def noted(ledgers: dict[str, Ledger], queue: str, reading: Reading) -> Progress:
    """The same, with a new beginning for a queue that was made anew."""
    known = ledgers.get(queue)
    if known is None or known.identity != reading.identity:
        known = ledgers[queue] = Ledger(reading.identity)
    return known.note(reading)
