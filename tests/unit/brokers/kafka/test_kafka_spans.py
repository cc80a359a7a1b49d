"""What a topic holds, from the offsets of its partitions."""

from collections.abc import Mapping

import pytest

from headgate.brokers.kafka.ages import Point
from headgate.brokers.kafka.faults import Fault
from headgate.brokers.kafka.spans import Span, spanned, stats_of
from headgate.core.resource import Stats

SILENT = Fault(5, "nobody leads it")
HELD: Mapping[str, tuple[list[Span | Fault | None], Stats]] = {
    "what is gone already is not held": ([Span(3, 5), Span(0, 2)], Stats(messages=4, head=7)),
    "a topic without events holds none": ([Span(0, 0)], Stats(messages=0, head=0)),
    "where one partition is silent nothing is told of the topic": ([Span(3, 5), SILENT], Stats()),
    "nothing is told where nobody asked": ([None], Stats()),
}


@pytest.mark.parametrize("sentence", HELD)
def test_a_topic(sentence: str) -> None:
    spans, expected = HELD[sentence]
    assert stats_of(spans) == expected


def test_a_partition_of_which_one_end_is_not_known_is_silent() -> None:
    assert spanned(Point(3, -1), Point(5, -1)) == Span(3, 5)
    assert spanned(SILENT, Point(5, -1)) == SILENT
    assert spanned(Point(3, -1), SILENT) == SILENT
