"""What becomes of an event whose wait is over, as tables and laws."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.brokers.kafka.ladders import Family, families
from headgate.brokers.kafka.redelivery import Fate, Outcome, Record, enveloped, fate, moment, outcomes
from headgate.brokers.kafka.resources import group_key
from headgate.core.letters import Header, Reason, stamp
from headgate.core.moves import Route

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
ROUTE = Route(
    "shop/billing",
    "shop/orders",
    "orders",
    "billing",
    "dead",
    due="orders-billing-due",
    attempts=5,
    deadline=600.0,
)
RECORD = Record("orders-billing-retry-2000", 3, 17, NOON, b"key", (("shop", b"x"),), b"body")
YOUNG = ("headgate-published", stamp(NOON - timedelta(minutes=9)).encode())
OLD = ("Headgate-Published", stamp(NOON - timedelta(minutes=10)).encode())

FATES: Mapping[str, tuple[tuple[tuple[str, bytes], ...], dict[str, Any], str, Reason | None]] = {
    "it has attempts left": ((("headgate-attempts", b"4"),), {}, "orders-billing-due", None),
    "it has none left": ((("headgate-attempts", b"5"),), {}, "dead", Reason.MAX_ATTEMPTS),
    "nobody counts but movers": ((("headgate-redeliveries", b"4"),), {}, "dead", Reason.MAX_ATTEMPTS),
    "nobody counted yet": ((), {}, "orders-billing-due", None),
    "what is no number counts for nothing": (
        (("headgate-attempts", b"\xff"), ("headgate-redeliveries", b"99999")),
        {},
        "orders-billing-due",
        None,
    ),
    "it has time left": ((YOUNG,), {}, "orders-billing-due", None),
    "it has no time left": ((OLD,), {}, "dead", Reason.DEADLINE),
    "there is no deadline": ((OLD,), {"deadline": None}, "orders-billing-due", None),
    "nobody knows when it was published": (
        (("headgate-published", b"once"),),
        {},
        "orders-billing-due",
        None,
    ),
    "attempts have no end": ((("headgate-attempts", b"9"),), {"attempts": 0}, "orders-billing-due", None),
    "nobody keeps what is given up": (
        (("headgate-attempts", b"5"),),
        {"address": ""},
        "orders-billing-due",
        None,
    ),
    "what is given up is dropped": ((("headgate-attempts", b"5"),), {"drop": True}, "", Reason.MAX_ATTEMPTS),
}


def decided(headers: tuple[tuple[str, bytes], ...], **changes: Any) -> Fate:
    """The fate of an event with such headers."""
    return fate(replace(RECORD, headers=headers), replace(ROUTE, **changes), NOON, 6)


@pytest.mark.parametrize("sentence", FATES)
def test_an_event_comes_back_or_is_given_up(sentence: str) -> None:
    """One row each."""
    headers, changes, topic, reason = FATES[sentence]
    found = decided(headers, **changes)
    assert (found.sent.topic if found.sent else "", found.reason) == (topic, reason)


def test_what_comes_back_is_what_was_put_there() -> None:
    """Key, body and headers; beside them how often it was tried and brought back."""
    found = decided((("shop", b"x"), ("headgate-attempts", b"2"), ("headgate-redeliveries", b"1"))).sent
    assert found is not None
    assert (found.key, found.body, found.partition) == (b"key", b"body", 3)
    assert found.headers == (("shop", b"x"), ("headgate-attempts", b"2"), ("headgate-redeliveries", b"2"))


def test_what_comes_back_keeps_its_partition_where_there_is_one() -> None:
    """Else its key decides."""
    found = fate(RECORD, ROUTE, NOON, 3).sent
    assert found is not None
    assert found.partition is None


def test_a_dead_letter_tells_its_story() -> None:
    """What the worker said holds, but for what a mover knows better; what a mover counts stays out of it."""
    headers = (
        ("shop", b"x"),
        ("headgate-attempts", b"5"),
        ("headgate-error", b"no"),
        ("headgate-reason", b"Rejected"),
        ("headgate-position", b"2:40"),
        ("headgate-redeliveries", b"4"),
    )
    found = decided(headers).sent
    assert found is not None
    assert (found.key, found.body, found.partition) == (b"key", b"body", None)
    assert dict(found.headers) == {
        "shop": b"x",
        "headgate-reason": b"MaxAttempts",
        "headgate-group": b"shop/billing",
        "headgate-topic": b"shop/orders",
        "headgate-position": b"2:40",
        "headgate-last-failed": stamp(NOON).encode(),
        "headgate-attempts": b"5",
        "headgate-error": b"no",
    }


def test_an_envelope_keeps_the_story_and_nothing_else() -> None:
    """Of a body that is too large."""
    letter = decided((("shop", b"x"), ("headgate-attempts", b"5"))).sent
    assert letter is not None
    found = enveloped(letter)
    told = dict(found.headers)
    assert (found.body, found.key, told["headgate-body"], told["headgate-attempts"]) == (
        b"",
        None,
        b"too-large",
        b"5",
    )
    assert "shop" not in told


@given(st.lists(st.tuples(st.text(min_size=1, max_size=20), st.binary(max_size=12)), max_size=8))
def test_whatever_stands_in_headers_an_event_goes_somewhere(headers: list[tuple[str, bytes]]) -> None:
    """And takes the headers of others along."""
    found = decided(tuple(headers)).sent
    assert found is not None
    assert {pair for pair in headers if not pair[0].lower().startswith("headgate-")} <= set(found.headers)


@given(st.binary(max_size=5), st.binary(max_size=5))
def test_no_worker_has_events_tried_without_end(attempts: bytes, redeliveries: bytes) -> None:
    """However it counts: every time that a mover brings it back is one more."""
    headers = ((Header.ATTEMPTS.value, attempts), ("headgate-redeliveries", redeliveries))
    for _ in range(ROUTE.attempts):
        found = decided(headers)
        if found.reason is not None:
            return
        assert found.sent is not None
        headers = tuple(pair for pair in found.sent.headers if pair[0] != Header.ATTEMPTS)  # type: ignore[assignment]  # fewer
    raise AssertionError("it is tried again and again")


def test_moments_are_read_as_they_are_written() -> None:
    """One without a time zone is UTC, and what is none is none."""
    assert moment(stamp(NOON)) == moment("2026-11-21T12:00:00") == NOON
    assert moment("noon") is None


PLACE = ("retry", 0)
OTHER = ("retry", 1)


def test_a_partition_is_committed_up_to_what_could_not_be_moved() -> None:
    """And read again from there; others are done."""
    records = [
        replace(RECORD, topic="retry", partition=n % 2, offset=10 + n) for n in range(6)
    ]  # 0: 10 12 14, 1: 11 13 15
    assert outcomes(records, []) == {PLACE: Outcome(15, None), OTHER: Outcome(16, None)}
    assert outcomes(records, [2]) == {PLACE: Outcome(11, 12), OTHER: Outcome(16, None)}
    assert outcomes(records, [0, 4, 5]) == {PLACE: Outcome(None, 10), OTHER: Outcome(14, 15)}


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=30))
def test_nothing_that_was_not_moved_is_ever_behind_a_position(told: list[tuple[int, bool]]) -> None:
    """Whatever failed."""
    records = [
        replace(RECORD, topic="retry", partition=number, offset=index)
        for index, (number, _) in enumerate(told)
    ]
    failed = [index for index, (_, fine) in enumerate(told) if not fine]
    found = outcomes(records, failed)
    for index in failed:
        outcome = found["retry", records[index].partition]
        assert outcome.done is None or outcome.done <= index
        assert outcome.again is not None
        assert outcome.again <= index


def test_the_topics_of_a_group_are_told_by_their_names() -> None:
    """Also of waits of before; those of a group whose name begins alike are none of its own."""
    names = [
        "orders",
        "orders-billing-due",
        "orders-billing-retry-2000",
        "orders-billing-retry-77",
        "orders-billing-retry-77-due",
        "orders-billing-retry-x",
        "orders-billing-v2-due",
        "orders-billing-v2-retry-5",
    ]
    billing, second, mail = (group_key("orders", name) for name in ("billing", "billing-v2", "mail"))
    found = families([billing, second, mail], names)
    assert found[billing] == Family(
        ("orders-billing-retry-2000", "orders-billing-retry-77"), "orders-billing-due"
    )
    assert found[second] == Family(("orders-billing-v2-retry-5",), "orders-billing-v2-due")
    assert found[mail] == Family()
    assert found[mail].names == ()
