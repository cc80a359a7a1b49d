"""What partitions keep, from the first offset up to the next, and what a topic holds by that. Asks nothing."""

from collections.abc import Collection
from dataclasses import dataclass

from headgate.brokers.kafka.ages import Point
from headgate.brokers.kafka.faults import Fault
from headgate.core.resource import Stats


@dataclass(frozen=True, slots=True)
class Span:
    """What one partition keeps; what compaction and transactions left out is counted too."""

    first: int
    end: int


def spanned(first: Point | Fault | None, end: Point | Fault | None) -> Span | Fault:
    """The span between two answers; where one is missing nothing is known of the partition."""
    for each in (first, end):
        if isinstance(each, Fault):
            return each
    return Span(first.offset if isinstance(first, Point) else 0, end.offset if isinstance(end, Point) else 0)


def stats_of(spans: Collection[Span | Fault | None]) -> Stats:
    """What a topic holds, and a number that grows with every event; nothing where one of its partitions is silent."""
    known = [each for each in spans if isinstance(each, Span)]
    if len(known) < len(spans):
        return Stats()
    return Stats(messages=sum(each.end - each.first for each in known), head=sum(each.end for each in known))
