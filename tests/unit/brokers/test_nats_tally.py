"""Dead letters counted from headers, with a memory that follows what happens in the middle."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core.status.accounts import FINE

from headgate.api import DeadLetterQueueStatus, dump_status
from headgate.brokers.fake import FakeBroker
from headgate.brokers.nats.resources import Stream, stream_key
from headgate.brokers.nats.tally import MOST, MOST_KINDS, OTHER, UNNAMED, Head, Tally
from headgate.core.letters import Reason
from headgate.core.progress import DeadLetters, Holding, Room
from headgate.core.status.account import QueueAccount
from headgate.core.status.queue import queue_status

NOW = datetime(2026, 11, 21, tzinfo=UTC)
DEAD = stream_key("dead")

events = st.lists(
    st.one_of(
        st.tuples(st.just("bury"), st.integers(1, 8)),
        st.tuples(st.just("resolve"), st.integers(1, 8)),
        st.tuples(st.just("take out"), st.integers(1, 20)),
        st.tuples(st.just("look"), st.just(0)),
    ),
    max_size=30,
)


def broker() -> FakeBroker:
    """A broker with one empty dead-letter stream."""
    made = FakeBroker(lambda: NOW)
    made.put(Stream(DEAD, subjects=("hg.dead.>",)))
    return made


async def held(made: FakeBroker) -> tuple[DeadLetters, ...]:
    """What a look finds."""
    found = (await made.dead_letters([DEAD]))[DEAD]
    assert isinstance(found, Holding)
    return found.groups


@given(events)
async def test_whatever_happens_the_count_is_that_of_a_fresh_look(story: list[tuple[str, int]]) -> None:
    """An incremental count and one from the start agree."""
    made = broker()
    for what, number in story:
        subject = f"hg.dead.orders.billing.1.{number}"
        match what:
            case "bury":
                headers = {"headgate-group": f"shop/{number % 3}", "headgate-reason": "MaxAttempts"}
                made.publish(subject, {**headers, "Nats-Rollup": "sub"})
            case "resolve":
                made.publish(subject, {"headgate-resolution": "Resolved", "Nats-Rollup": "sub"})
            case "take out":
                made.expire(DEAD, number)
            case _:
                await made.dead_letters([DEAD])
    remembered = (await made.dead_letters([DEAD]))[DEAD]
    fresh = FakeBroker(lambda: NOW)
    fresh.server.stores = made.server.stores
    assert remembered == (await fresh.dead_letters([DEAD]))[DEAD]


async def test_a_queue_made_anew_is_counted_anew() -> None:
    """Another object of the same name holds other letters."""
    made = broker()
    made.publish("hg.dead.a.b.1.1", {"headgate-group": "shop/a"})
    await made.dead_letters([DEAD])
    made.remove(DEAD)
    made.server.clock = lambda: NOW + timedelta(seconds=1)
    made.put(Stream(DEAD, subjects=("hg.dead.>",)))
    made.publish("hg.dead.a.b.1.2", {"headgate-group": "shop/b"})
    assert [each.group for each in await held(made)] == ["shop/b"]


async def test_beyond_what_fits_into_memory_only_the_number_is_told() -> None:
    """No group is named, nothing is dropped in silence."""
    made = broker()
    made.publish("hg.dead.a.b.1.1", {"headgate-group": "shop/a"})
    store = made.server.stores["dead"]
    store.messages.update(dict.fromkeys(range(2, MOST + 2), store.messages[1]))
    (whole,) = await held(made)
    assert (whole.group, whole.depth, whole.reasons) == ("", MOST + 1, ())


def test_letters_without_headers_are_counted_too() -> None:
    """As of nobody known, for no known reason."""
    tally = Tally("1")
    tally.add(Head.of(1, "hg.dead.x", {}, NOW))
    (found,) = tally.groups(NOW)
    assert (found.group, found.reasons) == (UNNAMED, ((UNNAMED, 1),))


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({"headgate-group": "shop/billing"}, "shop/billing", id="a group is named"),
        pytest.param({"headgate-group": ""}, UNNAMED, id="an empty name is none"),
        pytest.param({"headgate-group": "\x00\ufffd"}, OTHER, id="bytes that are no name are nobody's"),
        pytest.param({"headgate-group": "g" * 60_000}, OTHER, id="an enormous name is nobody's"),
        pytest.param({"headgate-group": "shop"}, OTHER, id="a name without a namespace is nobody's"),
        pytest.param(
            {"headgate-group": "Shop/Billing"}, OTHER, id="what no object can be called is nobody's"
        ),
    ],
)
def test_only_what_can_be_a_group_is_named(headers: dict[str, str], expected: str) -> None:
    assert Head.of(1, "s", headers, NOW).group == expected


def test_however_many_groups_and_reasons_are_made_up_few_are_told_apart_and_all_are_counted() -> None:
    tally = Tally("1")
    for number in range(10_000):
        headers = {"headgate-group": f"shop/g{number}", "headgate-reason": f"Made{number}"}
        tally.add(Head.of(number, f"hg.dead.{number}", headers, NOW))
    found = tally.groups(NOW)
    assert sum(each.depth for each in found) == 10_000
    assert len(found) <= MOST_KINDS + 1
    assert {reason for each in found for reason, _ in each.reasons} == {OTHER}


@given(st.dictionaries(st.sampled_from(["headgate-group", "headgate-reason"]), st.text()))
def test_whatever_headers_say_the_words_are_few_and_short(headers: dict[str, str]) -> None:
    head = Head.of(1, "s", headers, NOW)
    assert head.reason in {*Reason, UNNAMED, OTHER}
    assert 1 <= len(head.group) <= 317


HEADERS = st.fixed_dictionaries(
    {},
    optional={
        name: st.text() | st.sampled_from(["x" * 60_000, "shop/billing", "\x00", "MaxAttempts"])
        for name in ("headgate-group", "headgate-reason", "headgate-resolution", "headgate-error")
    },
)


@given(st.lists(HEADERS, max_size=20))
async def test_whatever_publishers_write_the_status_is_one_that_the_cluster_takes(
    published: list[dict[str, str]],
) -> None:
    made = broker()
    for number, headers in enumerate(published):
        made.publish(f"hg.dead.a.b.1.{number}", headers)
    status = shown(await held(made))
    assert status["depth"] == sum(not headers.get("headgate-resolution") for headers in published)
    validate(status)


async def test_ten_thousand_groups_and_reasons_still_fit_into_the_status() -> None:
    made = broker()
    for number in range(10_000):
        headers = {"headgate-group": f"shop/g{number}", "headgate-reason": f"Made{number}"}
        made.publish(f"hg.dead.a.b.1.{number}", headers)
    status = shown(await held(made))
    assert (status["depth"], len(status["groups"])) == (10_000, 256)
    assert status["groups"][0]["group"] == OTHER
    validate(status)


async def test_what_nobody_told_apart_is_counted_in_the_status_and_named_nobodys() -> None:
    status = shown((DeadLetters("", MOST + 1, NOW, ()),))
    assert (status["depth"], status.get("groups")) == (MOST + 1, None)
    validate(status)


def shown(letters: tuple[DeadLetters, ...]) -> dict[str, Any]:
    """The status of a queue that holds these."""
    account = QueueAccount(now=NOW, generation=1, standings=(FINE,), letters=letters)
    return dump_status(queue_status(account))


def validate(status: dict[str, Any]) -> None:
    """Read it back as the operator does, within the size that a server stores."""
    DeadLetterQueueStatus.model_validate(status)
    assert len(json.dumps(status)) < 2**17


ROOMS = {
    "a queue that refuses what is beyond its bounds": (
        {"discard": "new", "max_msgs": 5, "max_bytes": 1000},
        Room(1, 100, 5, 1000),
    ),
    "a queue that lets go of the oldest has no bound that matters": (
        {"discard": "old", "max_msgs": 5, "max_bytes": 1000},
        Room(1, 100),
    ),
    "a queue without bounds": ({"discard": "new"}, Room(1, 100)),
}


@pytest.mark.parametrize(("settings", "room"), ROOMS.values(), ids=ROOMS.keys())
async def test_the_room_of(settings: dict[str, Any], room: Room) -> None:
    made = FakeBroker(lambda: NOW)
    made.put(Stream(DEAD, subjects=("hg.dead.>",), **settings))
    made.publish("hg.dead.a.b.1.1", {})
    found = (await made.dead_letters([DEAD]))[DEAD]
    assert isinstance(found, Holding)
    assert found.room == room
