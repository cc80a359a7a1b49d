"""Dead letters as values."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.letters import (
    LONGEST_ERROR,
    OWN,
    Entry,
    Header,
    Lack,
    Letter,
    Resolution,
    Selection,
    envelope,
    foreign,
    one_line,
    stamp,
    tombstone,
    value_of,
)

NOON = datetime(2026, 11, 21, 12, 0, 0, 5_999, tzinfo=UTC)
NAMES = st.sampled_from([*OWN, "traceparent", "Headgate-Reason", "x"])
HEADERS = st.lists(st.tuples(NAMES, st.text(max_size=8))).map(tuple)


def _entry(*headers: tuple[str, str]) -> Entry:
    return Entry(7, NOON, Letter("a.7", headers, b"body"))


def test_a_moment_is_written_in_utc_to_the_millisecond() -> None:
    assert stamp(NOON.astimezone(timezone(timedelta(hours=5)))) == "2026-11-21T12:00:00.005Z"


def test_a_value_is_found_whatever_the_case_of_its_name() -> None:
    assert (
        value_of((("Headgate-Reason", "Rejected"), ("headgate-reason", "second")), Header.REASON)
        == "Rejected"
    )


def test_a_value_that_is_not_there_is_empty() -> None:
    assert value_of((), Header.REASON) == ""


def test_an_error_fits_into_one_header() -> None:
    assert one_line("a\r\n\tb") == "a b"
    assert len(one_line("x" * 5000)) == LONGEST_ERROR


def test_an_envelope_says_which_event_and_why_there_is_no_body() -> None:
    letter = Letter(
        "a.7", (("trace", "1"), ("headgate-group", "shop/billing"), ("headgate-body", "old")), b"large"
    )
    assert envelope(letter, Lack.TOO_LARGE) == Letter(
        "a.7", (("headgate-group", "shop/billing"), ("headgate-body", "too-large")), b""
    )


def test_a_tombstone_adds_who_when_and_why_and_takes_the_payload() -> None:
    entry = _entry(
        ("trace", "1"), ("headgate-group", "shop/billing"), ("headgate-resolved-by", "somebody before")
    )
    stone = tombstone(entry, Resolution.RESOLVED, by="ann\n", reason="paid by hand", at=NOON)
    assert stone == Letter(
        "a.7",
        (
            ("headgate-group", "shop/billing"),
            ("headgate-resolution", "Resolved"),
            ("headgate-resolved-by", "ann"),
            ("headgate-resolution-reason", "paid by hand"),
            ("headgate-resolved-at", "2026-11-21T12:00:00.005Z"),
        ),
        b"",
    )


def test_an_entry_with_a_resolution_is_closed() -> None:
    assert _entry().open
    assert not _entry(("headgate-resolution", "Discarded")).open


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        pytest.param(Selection(), True, id="no restriction means every open entry"),
        pytest.param(Selection(group="shop/billing"), True, id="the group fits"),
        pytest.param(Selection(group="shop/mail"), False, id="the group is another"),
        pytest.param(Selection(reason="MaxAttempts"), False, id="it was given up for another reason"),
        pytest.param(
            Selection(error_class="SchemaError", reason="Rejected"), True, id="all restrictions fit"
        ),
    ],
)
def test_which_entries_a_person_means(selection: Selection, *, expected: bool) -> None:
    entry = _entry(
        ("headgate-group", "shop/billing"),
        ("headgate-reason", "Rejected"),
        ("headgate-error-class", "SchemaError"),
    )
    assert selection(entry) is expected


def test_closed_entries_are_meant_only_when_asked_for() -> None:
    closed = _entry(("headgate-resolution", "Resolved"))
    assert (Selection()(closed), Selection(closed=True)(closed)) == (False, True)


@given(HEADERS)
def test_foreign_headers_keep_their_order_and_repetitions(headers: tuple[tuple[str, str], ...]) -> None:
    assert list(foreign(headers)) == [pair for pair in headers if pair[0].lower() not in OWN]


@given(HEADERS)
def test_an_envelope_of_an_envelope_changes_nothing(headers: tuple[tuple[str, str], ...]) -> None:
    once = envelope(Letter("a.7", headers, b"x"), Lack.LOST)
    assert envelope(once, Lack.LOST) == once


@given(HEADERS)
def test_a_tombstone_of_a_tombstone_says_only_who_closed_it_last(
    headers: tuple[tuple[str, str], ...],
) -> None:
    first = tombstone(_entry(*headers), Resolution.RESOLVED, by="ann", reason="a", at=NOON)
    again = tombstone(Entry(8, NOON, first), Resolution.RESOLVED, by="ann", reason="a", at=NOON)
    assert again == first
