"""What records of a dead-letter topic say about themselves, whoever wrote them."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.brokers.kafka.deadrecords import CLOSES, closes, entry_of, stone_of
from headgate.brokers.kafka.redelivery import Record
from headgate.core.letters import Header

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
RECORD = Record("dead", 0, 6, NOON, b"key", (), b"body")
OURS = (("shop", b"x"), ("headgate-group", b"shop/billing"), ("Headgate-Reason", b"Rejected"))
SPRING = (
    ("shop", b"x"),
    ("kafka_dlt-original-topic", b"orders"),
    ("kafka_dlt-original-partition", (2).to_bytes(4)),
    ("kafka_dlt-original-offset", (40).to_bytes(8)),
    ("kafka_dlt-original-timestamp", round(NOON.timestamp() * 1000).to_bytes(8)),
    ("kafka_dlt-original-consumer-group", b"billing"),
    ("kafka_dlt-exception-fqcn", b"org.example.ListenerFailed"),
    ("kafka_dlt-exception-cause-fqcn", b"org.example.DatabaseDown"),
    ("kafka_dlt-exception-message", b"no\n  answer"),
    ("kafka_dlt-exception-stacktrace", b"at ..."),
    ("retry_topic-attempts", (4).to_bytes(4)),
)
CLOSING = ((CLOSES, b"7"), ("headgate-resolution", b"Resolved"), ("headgate-resolved-by", b"ada"))

SAID: Mapping[str, tuple[tuple[tuple[str, bytes], ...], Header, str]] = {
    "a worker's own word": (OURS, Header.REASON, "Rejected"),
    "when it came here stands for when it failed": (OURS, Header.LAST_FAILED, "2026-11-21T12:00:00.000Z"),
    "attempts that were counted are used up": (SPRING, Header.REASON, "MaxAttempts"),
    "a first attempt that was the last": (SPRING[:-1], Header.REASON, "Rejected"),
    "how often a framework tried": (SPRING, Header.ATTEMPTS, "4"),
    "where it was published": (SPRING, Header.SUBJECT, "orders"),
    "where it stood": (SPRING, Header.POSITION, "2:40"),
    "when it was published": (SPRING, Header.PUBLISHED, "2026-11-21T12:00:00.000Z"),
    "whose it is, as the framework knows it": (SPRING, Header.GROUP, "billing"),
    "what went wrong behind what went wrong": (SPRING, Header.ERROR_CLASS, "org.example.DatabaseDown"),
    "its text on one line": (SPRING, Header.ERROR, "no answer"),
    "ours before theirs": ((*SPRING, *OURS), Header.GROUP, "shop/billing"),
    "numbers may be digits": (
        (("kafka_dlt-original-topic", b"orders"), ("retry_topic-attempts", b"12")),
        Header.ATTEMPTS,
        "12",
    ),
    "a time that is none is left out": (
        (("kafka_dlt-original-timestamp", b"\x7f" + b"\xff" * 7),),
        Header.PUBLISHED,
        "",
    ),
    "half a position is none": ((("kafka_dlt-original-offset", (4).to_bytes(8)),), Header.POSITION, ""),
}


@pytest.mark.parametrize("sentence", SAID)
def test_an_entry_says(sentence: str) -> None:
    """One header each."""
    headers, name, wanted = SAID[sentence]
    assert entry_of(replace(RECORD, headers=headers)).header(name) == wanted


def test_an_entry_is_what_lies_there() -> None:
    """Positions count from one; headers of others stay, those that were retold go."""
    found = entry_of(replace(RECORD, headers=(*SPRING, ("headgate-redeliveries", b"3"))))
    assert (found.position, found.stored, found.letter.body, found.open) == (7, NOON, b"body", True)
    assert [name for name, _ in found.letter.headers if not name.startswith("headgate-")] == ["shop"]
    assert found.header("headgate-redeliveries") == ""


def test_an_entry_is_closed_by_what_stands_behind_it() -> None:
    """Its body is of no use any more."""
    stone = replace(RECORD, offset=9, headers=CLOSING)
    assert closes(stone) == 7
    found = entry_of(RECORD, stone_of(stone))
    assert (found.position, found.open, found.letter.body) == (7, False, b"")
    assert found.header(Header.RESOLVED_BY) == "ada"
    assert found.header(CLOSES) == ""


NO_STONES: Mapping[str, tuple[tuple[str, bytes], ...]] = {
    "it names nothing": CLOSING[1:],
    "it does not say how": CLOSING[:1],
    "what it names is no position": ((CLOSES, b"-7"), *CLOSING[1:]),
}


@pytest.mark.parametrize("sentence", NO_STONES)
def test_anything_else_is_an_entry_and_open(sentence: str) -> None:
    """Whatever anybody wrote on it."""
    record = replace(RECORD, headers=NO_STONES[sentence])
    assert closes(record) is None
    assert entry_of(record).open


@given(st.lists(st.tuples(st.text(min_size=1, max_size=30), st.binary(max_size=40)), max_size=10))
def test_whatever_stands_in_headers_is_text_on_one_line(headers: list[tuple[str, bytes]]) -> None:
    """Nobody's terminal is led astray."""
    found = entry_of(replace(RECORD, headers=tuple(headers)))
    assert all("\n" not in value and "\x1b" not in value for _, value in found.letter.headers)
    assert found.open


@given(st.sampled_from([name for name, _ in SPRING]), st.binary(max_size=20))
def test_whatever_a_framework_writes_is_read(name: str, value: bytes) -> None:
    """Nothing that it could write ends the reading."""
    assert entry_of(replace(RECORD, headers=(*SPRING[:2], (name, value)))).open
