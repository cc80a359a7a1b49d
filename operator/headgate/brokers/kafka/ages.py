"""When the event at an offset was published, found by asking at which offset a moment begins. Pure: asks nobody itself.

Kafka answers for a moment with the first event of that moment or later, its offset and its time. Every answer is a point
of a curve that only rises, so a few answers for all partitions at once put an offset between two points close together.
"""

from dataclasses import dataclass, replace
from math import isqrt
from typing import Final

CLOSE: Final = 250  # milliseconds between the two points from which on nothing is asked any more
SHARE: Final = 16  # nor once they are closer than such a part of the age


@dataclass(frozen=True, slots=True)
class Point:
    """One event: where it stands and when it was published, in milliseconds."""

    offset: int
    at: int


@dataclass(frozen=True, slots=True)
class Search:
    """What is known of the time of one offset: not before `low`, not after `high`."""

    offset: int
    low: int
    high: int
    now: int  # ages count from here
    found: int | None = None

    @property
    def done(self) -> bool:
        """Whether asking more is worth nothing."""
        return self.found is not None or self.high - self.low <= max(CLOSE, (self.now - self.low) // SHARE)

    @property
    def moment(self) -> int:
        """The moment to ask for next: between the two ages by proportion, because most are small."""
        age = isqrt(max(1, self.now - self.low) * max(1, self.now - self.high))
        return min(self.high - 1, max(self.low + 1, self.now - age))

    @property
    def answer(self) -> int:
        """The time of the event; where it is not known exactly the earlier bound, so that nothing looks fresher than it is."""
        return self.low if self.found is None else self.found


def begun(offset: int, now: int, oldest: int) -> Search:
    """A search for an event that is at most as old as the oldest that is kept."""
    return Search(offset, min(oldest, now), now, now)


def narrowed(search: Search, asked: int, answer: Point | None) -> Search:
    """What is known after one more answer; None: nothing was published at that moment or later."""
    if search.done:
        return search
    if answer is None or answer.offset > search.offset:
        return replace(search, high=min(search.high, asked))  # published before that moment
    if answer.offset == search.offset:
        return replace(search, found=answer.at)
    return replace(search, low=max(search.low, answer.at, asked))
