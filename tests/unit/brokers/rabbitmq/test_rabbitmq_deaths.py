"""What a dead letter says about itself in RabbitMQ's words, in ours."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.brokers.rabbitmq.deaths import (
    CLOSES,
    UNKNOWN_TIME,
    Mail,
    Owners,
    closed_entry_of,
    entry_of,
    own_headers,
)
from headgate.core.letters import Header, Resolution, tombstone

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)
EARLIER = AT - timedelta(minutes=5)
OWNERS = Owners({"billing": "shop/billing"}, {"orders": "shop/orders"})


def death(
    reason: str,
    queue: str = "billing",
    exchange: str = "orders",
    at: datetime = AT,
    key: str = "orders.1.paid",
) -> dict[str, Any]:
    return {
        "count": 1,
        "reason": reason,
        "queue": queue,
        "exchange": exchange,
        "time": at,
        "routing-keys": [key],
    }


STEP = death("expired", "billing.retry-1000", "", EARLIER, "billing.retry-1000")
ALWAYS = {
    Header.GROUP: "shop/billing",
    Header.TOPIC: "shop/orders",
    Header.SUBJECT: "orders.1.paid",
    Header.LAST_FAILED: "2026-11-21T10:00:00.000Z",
}
CASES: Mapping[str, tuple[dict[str, Any], dict[Header, str]]] = {
    "one that failed too often": (
        {"x-death": [death("delivery_limit")]},
        {**ALWAYS, Header.REASON: "MaxAttempts"},
    ),
    "one that its worker would not have": (
        {"x-death": [death("rejected")]},
        {**ALWAYS, Header.REASON: "Rejected"},
    ),
    "one that grew too old": ({"x-death": [death("expired")]}, {**ALWAYS, Header.REASON: "Expired"}),
    "one that gave way": ({"x-death": [death("maxlen")]}, {**ALWAYS, Header.REASON: "Evicted"}),
    "one with a reason of a later server": ({"x-death": [death("boredom")]}, ALWAYS),
    "one that came over the ladder, which counts what was before": (
        {"x-death": [death("rejected", exchange="", key="billing"), STEP], "headgate-attempts": "4"},
        {
            Header.GROUP: "shop/billing",
            Header.REASON: "Rejected",
            Header.ATTEMPTS: "5",
            Header.FIRST_FAILED: "2026-11-21T09:55:00.000Z",
            Header.LAST_FAILED: "2026-11-21T10:00:00.000Z",
        },
    ),
    "one that a worker put there": (
        {"headgate-reason": "Deadline", "headgate-group": "shop/billing", "headgate-attempts": 3},
        {Header.REASON: "Deadline", Header.GROUP: "shop/billing", Header.ATTEMPTS: "3"},
    ),
    "one of whom nothing is known": ({"a": "b"}, {}),
    "one whose deaths are none": ({"x-death": "nonsense"}, {}),
    "one whose death says nothing": ({"x-death": [{}, 7]}, {}),
    "one of a queue and an exchange of strangers": (
        {"x-death": [death("rejected", "theirs", "theirs")]},
        {
            k: v
            for k, v in {**ALWAYS, Header.REASON: "Rejected"}.items()
            if k not in (Header.GROUP, Header.TOPIC)
        },
    ),
}


@pytest.mark.parametrize(("headers", "expected"), CASES.values(), ids=CASES)
def test_is_told_as(headers: dict[str, Any], expected: dict[Header, str]) -> None:
    assert dict(own_headers(Mail(headers), OWNERS)) == expected


def test_when_it_was_published_is_known_where_its_publisher_said_so() -> None:
    found = dict(own_headers(Mail({}, published=EARLIER), OWNERS))
    assert found == {Header.PUBLISHED: "2026-11-21T09:55:00.000Z"}


def test_what_its_publisher_wrote_is_kept_and_what_the_server_wrote_is_not_repeated() -> None:
    headers = {
        "b": 2,
        "a": "x\ny",
        "raw": b"\xff",
        "when": AT,
        "x-death": [death("rejected")],
        "x-delivery-count": 1,
    }
    entry = entry_of(Mail(headers, b"body", {"message-id": "m"}), "dead", OWNERS)
    assert [pair for pair in entry.letter.headers if not pair[0].startswith("headgate-")] == [
        ("message-id", "m"),
        ("a", '"x\\ny"'),
        ("b", "2"),
        ("raw", "\\xff"),
        ("when", "2026-11-21T10:00:00.000Z"),
    ]
    assert (entry.letter.body, entry.stored) == (b"body", AT)


def test_nobody_closes_an_entry_by_what_he_writes_on_it() -> None:
    mail = Mail({"headgate-resolution": "Discarded", "x-death": [death("rejected")]})
    assert entry_of(mail, "dead", OWNERS).open


@pytest.mark.parametrize(
    ("headers", "stored"),
    [
        ({"headgate-last-failed": "2026-11-21T10:00:00.700Z"}, AT),
        ({"headgate-last-failed": "yesterday"}, UNKNOWN_TIME),
        ({"headgate-last-failed": "2026-11-21T10:00:00"}, UNKNOWN_TIME),
        ({}, UNKNOWN_TIME),
    ],
)
def test_when_it_came_is_when_its_worker_gave_it_up(headers: dict[str, Any], stored: datetime) -> None:
    assert entry_of(Mail(headers), "dead", OWNERS).stored == stored


@given(st.binary(max_size=20), st.integers(0, 50), st.text(max_size=5))
def test_an_entry_stays_at_its_position_however_often_it_is_handed_out(
    body: bytes, count: int, text: str
) -> None:
    mail = Mail({"a": text, "x-death": [death("rejected")]}, body)
    again = replace(mail, headers={**mail.headers, "x-delivery-count": count, "x-acquired-count": count})
    assert entry_of(again, "dead", OWNERS) == entry_of(mail, "dead", OWNERS)


def test_entries_stand_in_the_order_of_their_deaths_and_apart_where_they_differ() -> None:
    def position(at: datetime, body: bytes) -> int:
        return entry_of(Mail({"x-death": [death("rejected", at=at)]}, body), "dead", OWNERS).position

    assert max(position(EARLIER, bytes([n])) for n in range(50)) < min(
        position(AT, bytes([n])) for n in range(50)
    )
    assert len({position(AT, bytes([n])) for n in range(50)}) == 50


def test_what_was_closed_is_remembered_at_its_position() -> None:
    entry = entry_of(Mail({"x-death": [death("rejected")]}, b"body"), "dead", OWNERS)
    stone = tombstone(entry, Resolution.DISCARDED, by="ann", reason="a test", at=AT)
    found = closed_entry_of(Mail({**dict(stone.headers), CLOSES: entry.position}), "dead")
    assert found is not None
    assert (found.position, found.stored, found.open) == (entry.position, AT, False)
    assert found.header(Header.GROUP) == "shop/billing"


@pytest.mark.parametrize(
    "headers",
    [{}, {CLOSES: "7", "headgate-resolution": "Resolved"}, {CLOSES: 7}, {"headgate-resolution": "Resolved"}],
)
def test_what_closes_nothing_is_passed_over(headers: dict[str, Any]) -> None:
    assert closed_entry_of(Mail(headers), "dead") is None
