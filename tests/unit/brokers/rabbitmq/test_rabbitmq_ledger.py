"""Positions that are made of counts only grow, and say what is pending, whatever the counts do."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.brokers.rabbitmq.ledger import Ledger, Reading, noted
from headgate.core.progress import PartitionProgress

START = datetime(2026, 11, 21, tzinfo=UTC)
COUNTS = st.integers(0, 50)


def at(seconds: int, messages: int, ready: int, published: int = 0, dead: int = 0) -> Reading:
    """A look so many seconds after the first one."""
    return Reading(START + timedelta(seconds=seconds), "1", messages, ready, dead, published)


@given(st.lists(st.tuples(COUNTS, COUNTS, COUNTS, COUNTS), min_size=1, max_size=20))
def test_positions_only_grow_and_agree_with_the_counts(looks: list[tuple[int, int, int, int]]) -> None:
    ledger = Ledger("1")
    before = (0, 0, 0)
    for number, (messages, ready, dead, published) in enumerate(looks):
        found = ledger.note(at(number * 5, messages, min(ready, messages), published, min(dead, messages)))
        (part,) = found.partitions
        assert part.settled <= part.delivered <= part.head
        assert part.head - part.settled == found.pending + found.in_flight
        assert (part.head, part.delivered, part.settled) >= before
        assert part.settled >= before[2]
        assert part.head >= before[0]
        before = (part.head, part.delivered, part.settled)


def test_events_that_come_and_go_between_two_looks_are_counted() -> None:
    ledger = Ledger("1")
    ledger.note(at(0, 0, 0, published=100))
    ledger.note(at(15, 0, 0, published=100))
    (part,) = ledger.note(at(20, 2, 1, published=130)).partitions
    assert (part.head, part.delivered, part.settled) == (30, 29, 28)


@pytest.mark.parametrize(
    ("seen", "counted"),
    [
        pytest.param((0, 4, 4), (0, 0, 4), id="the count is there only after the first look"),
        pytest.param((4, 4, 4), (0, 0, 4), id="the events were there at the first look"),
        pytest.param((0, 4, 4), (70, 70, 74), id="the server counted others before"),
    ],
)
def test_an_event_that_is_seen_before_it_is_counted_came_once(
    seen: tuple[int, int, int], counted: tuple[int, int, int]
) -> None:
    ledger = Ledger("1")
    for second, messages, published in zip((0, 2, 7), seen, counted, strict=True):
        ledger.note(at(second, messages, messages, published))
    for second in range(10, 60, 5):
        (part,) = ledger.note(at(second, 4, 4, counted[-1])).partitions
        assert (part.head, part.settled) == (4, 0)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=40), st.integers(0, 3))
def test_nothing_is_taken_for_handled_that_was_not(minutes: list[tuple[int, int]], late: int) -> None:
    """However late the server counts within its time, and in the end everything was seen."""
    ledger, came, gone = Ledger("1"), [0] * (late + 1), 0
    part = PartitionProgress(0, 0, 0)
    for number, (arriving, handled) in enumerate([*minutes, *[(0, 0)] * (late + 4)]):
        came.append(came[-1] + arriving)
        gone = min(gone + handled, came[-1])
        (part,) = ledger.note(at(number * 5, came[-1] - gone, 0, came[-1 - late])).partitions
        assert part.settled <= gone
        assert part.head <= came[-1]
    assert part.head - part.settled == came[-1] - gone


def test_a_server_that_counts_anew_has_got_nothing_back() -> None:
    ledger = Ledger("1")
    ledger.note(at(0, 0, 0, published=100))
    (part,) = ledger.note(at(5, 3, 3, published=3)).partitions
    assert (part.head, part.settled) == (3, 0)


def test_an_event_came_at_the_earliest_with_the_look_before_it_was_seen() -> None:
    ledger = Ledger("1")
    ledger.note(at(0, 0, 0))
    ledger.note(at(3600, 0, 0))
    seen = START + timedelta(seconds=3600)
    assert ledger.note(at(3605, 2, 2, published=2)).oldest_pending == seen
    assert ledger.note(at(3610, 2, 1, published=2)).oldest_pending == seen
    assert ledger.note(at(3615, 4, 2, published=4)).oldest_unsettled == seen
    found = ledger.note(at(3620, 2, 2, published=4))
    assert found.oldest_pending == START + timedelta(seconds=3610)
    assert ledger.note(at(3625, 0, 0, published=4)).oldest_pending is None


def test_what_waits_for_the_dead_letter_queue_is_no_work() -> None:
    found = Ledger("1").note(at(0, 5, 1, dead=3))
    assert (found.pending, found.in_flight) == (1, 1)


def test_a_queue_that_was_made_anew_begins_anew() -> None:
    ledgers: dict[str, Ledger] = {}
    noted(ledgers, "billing", at(0, 5, 5))
    found = noted(ledgers, "billing", Reading(START, "2", 1, 1))
    assert found.partitions[0].head == 1
