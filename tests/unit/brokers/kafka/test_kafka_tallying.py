"""Dead letters of a topic of Kafka, counted as they are read."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from headgate.brokers.kafka.deadrecords import CLOSES
from headgate.brokers.kafka.redelivery import Record
from headgate.brokers.kafka.tallying import MOST, Tally
from headgate.core.letters import Header

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def record(offset: int, headers: Mapping[str, str]) -> Record:
    """Published so many minutes after noon as its offset says."""
    pairs = tuple((name, value.encode()) for name, value in headers.items())
    return Record("dead", 0, offset, NOON + timedelta(minutes=offset), None, pairs, b"event")


def entry(offset: int, group: str = "shop/billing", reason: str = "MaxAttempts") -> Record:
    return record(offset, {Header.GROUP.value: group, Header.REASON.value: reason})


def closing(offset: int, position: int) -> Record:
    return record(offset, {CLOSES: str(position), Header.RESOLUTION.value: "Resolved"})


def told(tally: Tally, end: int) -> list[tuple[str, int, tuple[tuple[str, int], ...]]]:
    return [(each.group, each.depth, each.reasons) for each in tally.groups(end)]


def test_entries_are_told_apart_by_group_and_reason() -> None:
    tally = Tally("1")
    tally.add([entry(0), entry(1, reason="Rejected"), entry(2, "shop/mail")], 3)
    assert told(tally, 3) == [
        ("shop/billing", 2, (("MaxAttempts", 1), ("Rejected", 1))),
        ("shop/mail", 1, (("MaxAttempts", 1),)),
    ]
    assert [each.oldest for each in tally.groups(3)] == [NOON, NOON + timedelta(minutes=2)]


def test_what_anybody_writes_has_few_names() -> None:
    tally = Tally("1")
    tally.add([entry(0, "no group", "no reason"), record(1, {}), entry(2, "a/b", "")], 3)
    assert told(tally, 3) == [
        ("Other", 1, (("Other", 1),)),
        ("a/b", 1, (("unknown", 1),)),
        ("unknown", 1, (("unknown", 1),)),
    ]


def test_groups_beyond_a_thousand_have_one_name() -> None:
    tally = Tally("1")
    tally.add([entry(number, f"shop/g{number}") for number in range(1_100)], 1_100)
    found = {group: depth for group, depth, _ in told(tally, 1_100)}
    assert len(found) == 1_001
    assert found["Other"] == 100


def test_an_entry_that_was_closed_counts_no_more_and_what_closes_it_never_did() -> None:
    tally = Tally("1")
    tally.add([entry(0), entry(1), closing(2, 1)], 3)
    assert told(tally, 3) == [("shop/billing", 1, (("MaxAttempts", 1),))]
    tally.add([closing(3, 2)], 4)
    assert told(tally, 4) == []


def test_what_was_let_go_of_counts_no_more() -> None:
    tally = Tally("1")
    tally.add([entry(0), entry(1), entry(2)], 3)
    tally.begins(2)
    assert told(tally, 3) == [("shop/billing", 1, (("MaxAttempts", 1),))]
    tally.begins(7)
    assert (told(tally, 7), tally.read) == ([], 7)


def test_what_was_not_read_is_counted_without_a_group() -> None:
    tally = Tally("1")
    assert told(tally, 5) == [("", 5, ())]
    tally.add([entry(number) for number in range(MOST)], MOST)
    assert tally.full
    assert told(tally, MOST + 7)[0] == ("", 7, ())


@given(st.lists(st.booleans(), max_size=30), st.integers(1, 7))
def test_reading_in_parts_comes_to_the_same(opens: list[bool], size: int) -> None:
    """Whoever reads on from where he stopped has counted what somebody has who reads all at once."""
    records: list[Record] = []
    for offset, is_entry in enumerate(opens):
        records.append(entry(offset) if is_entry or not offset else closing(offset, offset))
    whole, parts = Tally("1"), Tally("1")
    whole.add(records, len(records))
    for start in range(0, len(records), size):
        parts.add(records[start : start + size], min(start + size, len(records)))
    assert parts.groups(len(records)) == whole.groups(len(records))
