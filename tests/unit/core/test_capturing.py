"""Whether the dead letters of a queue are kept: one verdict for each queue, with what to do in it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.brokers.messages import Kept
from headgate.core.capturing import FULL, MISSING, PATIENCE, SMALLEST, Place, capturing
from headgate.core.progress import Capture, PutOff, Room

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
TOKEN = "2026-11-21T11:00:00.000Z"
FINE = Capture(NOON, 0, movers=1)
LATE = Capture(NOON, 3, NOON - HOUR, movers=1)
LOST = Capture(NOON, 0, missed=4, missed_at=NOON - HOUR)
HERE = Place("dead", "platform/main", Room(4, 4000))
KEPT = {"Capturing", "NoNoticeNeeded"}
DIRECT = replace(HERE, no_notices="the broker itself moves what was given up")


def off(reason: str, queue: str = "dead") -> tuple[PutOff, ...]:
    return (PutOff(queue, reason),)


def room(entries: int = 0, size: int = 0, most: int | None = None, bytes_: int | None = None) -> Place:
    return replace(HERE, room=Room(entries, size, most, bytes_))


VERDICTS = {
    "nothing keeps notices": (None, HERE, "CaptureMissing"),
    "nothing keeps notices because there are none": (None, DIRECT, "NoNoticeNeeded"),
    "there are no notices and the queue is full": (
        None,
        replace(DIRECT, room=Room(3, 300, most_entries=3)),
        "Full",
    ),
    "all is done with": (FINE, HERE, "Capturing"),
    "nobody looked at the queue itself yet": (FINE, replace(HERE, room=None), "Capturing"),
    "notices are fresh": (Capture(NOON, 3, NOON - PATIENCE), HERE, "Capturing"),
    "notices are old and nobody reads": (replace(LATE, movers=0), HERE, "MoverAbsent"),
    "notices are old and nobody says why": (LATE, HERE, "MoverBehind"),
    "notices are put off on the way to this queue": (
        replace(LATE, put_off=off("Unknown")),
        HERE,
        "MoverBehind",
    ),
    "notices are put off on the way to another queue": (
        replace(LATE, put_off=off("Unknown", "other")),
        HERE,
        "Capturing",
    ),
    "notices are put off that lead to no queue yet": (
        replace(LATE, put_off=off("RouteMissing", "")),
        HERE,
        "MoverBehind",
    ),
    "notices are put off and fresh": (
        replace(LATE, oldest=NOON, put_off=off("Unknown")),
        HERE,
        "Capturing",
    ),
    "the broker moves them and cannot": (
        replace(LATE, by_broker=True, put_off=off("ServerTrouble")),
        HERE,
        "HandoverStalled",
    ),
    "the broker moves them and cannot into another queue": (
        replace(LATE, by_broker=True, put_off=off("ServerTrouble", "other")),
        HERE,
        "Capturing",
    ),
    "another queue holds up so much that no mover gets to the rest": (
        replace(LATE, unread=NOON - HOUR, put_off=off(FULL, "other")),
        HERE,
        "MoverBehind",
    ),
    "another queue is full and what is unread is fresh": (
        replace(LATE, unread=NOON - PATIENCE, put_off=off(FULL, "other")),
        HERE,
        "Capturing",
    ),
    "the queue is not in the broker": (replace(LATE, put_off=off(MISSING)), HERE, "DeadLetterQueueMissing"),
    "the queue refused an entry for lack of room": (
        replace(LATE, oldest=NOON, put_off=off(FULL)),
        HERE,
        "Full",
    ),
    "it refused an entry that was written since": (replace(FINE, put_off=off(FULL)), HERE, "Capturing"),
    "it refused an entry and now nobody reads": (
        replace(LATE, movers=0, put_off=off(FULL)),
        HERE,
        "Full",
    ),
    "as many entries as it may hold": (FINE, room(5, most=5), "Full"),
    "one entry less": (FINE, room(4, most=5), "Capturing"),
    "no room for the smallest entry": (FINE, room(1, 1001 - SMALLEST, bytes_=1000), "Full"),
    "room for the smallest entry": (FINE, room(1, 1000 - SMALLEST, bytes_=1000), "Capturing"),
    "notices were lost": (LOST, HERE, "AdvisoriesLost"),
    "notices were lost long ago and nobody said so": (
        replace(LOST, at=NOON + 1000 * HOUR),
        HERE,
        "AdvisoriesLost",
    ),
    "notices were lost, which is acknowledged": (
        LOST,
        replace(HERE, acknowledged=frozenset({"other", TOKEN})),
        "Capturing",
    ),
    "an earlier loss is acknowledged and not this one": (
        LOST,
        replace(HERE, acknowledged=frozenset({"2026-11-21T10:59:59.999Z"})),
        "AdvisoriesLost",
    ),
    "what is amiss now comes before what was lost": (LOST, room(5, most=5), "Full"),
}


@pytest.mark.parametrize(("capture", "place", "expected"), VERDICTS.values(), ids=VERDICTS.keys())
def test_the_verdict_when(capture: Capture | None, place: Place, expected: str) -> None:
    aspect = capturing(capture, place)
    assert (aspect.type, aspect.reason, aspect.holds) == ("Capturing", expected, expected in KEPT)


SENTENCES = {
    "the bound on entries, which closing does not help": (
        FINE,
        room(5, most=5),
        ("5 entries", "closed ones count towards too"),
    ),
    "the bound on bytes, which closing helps": (
        FINE,
        room(5, 5 * 2**30, bytes_=5 * 2**30),
        ("5Gi of retention.maxBytes", "headgate dlq resolve"),
    ),
    "how full it is when an entry was too large for what is left": (
        replace(LATE, put_off=off(FULL)),
        room(5, 2**29, bytes_=2**30),
        ("(512Mi of 1Gi)", "retention.maxBytes", "storage"),
    ),
    "only the storage where the queue has no bound": (
        replace(LATE, put_off=off(FULL)),
        room(5),
        ("in the queue or in its own storage",),
    ),
    "why notices wait": (replace(LATE, put_off=off("RouteStale")), HERE, ("RouteStale", "log")),
    "that others take the places": (
        replace(LATE, unread=NOON - HOUR, put_off=off(FULL, "other")),
        HERE,
        ("other queues",),
    ),
    "whom a loss may concern, how large it is and how to acknowledge it": (
        LOST,
        HERE,
        ("EventBroker platform/main", "at most 4", "any group on it", f'headgate.dev/acknowledge: "{TOKEN}"'),
    ),
    "a loss too when something else is amiss": (LOST, room(5, most=5), ("5 entries", "Besides", TOKEN)),
}


@pytest.mark.parametrize(("capture", "place", "parts"), SENTENCES.values(), ids=SENTENCES.keys())
def test_the_message_says(capture: Capture, place: Place, parts: tuple[str, ...]) -> None:
    message = capturing(capture, place).message
    assert [part for part in parts if part not in message] == []


def test_the_words_for_what_holds_up_are_those_that_movers_use() -> None:
    assert (FULL, MISSING) == (Kept.FULL, Kept.MISSING)


@given(
    reasons=st.lists(st.sampled_from([*Kept, "RouteMissing"]), max_size=3),
    old=st.booleans(),
    read=st.booleans(),
)
def test_what_holds_up_one_queue_says_nothing_about_another_that_was_read(
    *, reasons: list[str], old: bool, read: bool
) -> None:
    put_off = tuple(PutOff("other", str(reason)) for reason in reasons)
    unread = None if read else NOON
    oldest = NOON - HOUR if old and put_off else NOON
    capture = Capture(NOON, 3, oldest, unread, movers=1, put_off=put_off)
    assert capturing(capture, HERE).holds
