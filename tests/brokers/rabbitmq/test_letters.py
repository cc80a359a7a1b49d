"""Dead letters as people see them on a real server of each version: whose, why, since when, and closed one by one."""

from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from tests.brokers.rabbitmq.conftest import Place
from tests.brokers.rabbitmq.declared import dead, queue
from tests.brokers.rabbitmq.mail import REMEMBERED, Post, listed, post
from tests.servers import until

from headgate.brokers.base import Refused, Unavailable
from headgate.brokers.rabbitmq.resources import DeadLetters, Queue
from headgate.core.letters import Entry, Header, Letter, Reason, Resolution, tombstone

pytestmark = pytest.mark.takes(120)
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def stone(entry: Entry) -> Letter:
    """Closed by somebody."""
    return tombstone(entry, Resolution.RESOLVED, by="ann", reason="paid by hand", at=NOW)


def bodies(entries: object) -> list[bytes]:
    assert isinstance(entries, list)
    return [entry.letter.body for entry in entries if entry.open]


async def test_an_event_that_failed_too_often_says_whose_it_is_where_it_came_from_and_when(
    place: Place,
) -> None:
    async with post(place) as at:
        published = datetime(2026, 11, 20, 8, tzinfo=UTC)
        await at.publish(
            "orders.7.paid", b"poison", headers={"trace": "t1", "n": 3}, message_id="m1", timestamp=published
        )
        for _ in range(2):
            await (await at.taken()).reject(requeue=True)
        (entry,) = await at.entries(1)
    assert (entry.letter.body, entry.open) == (b"poison", True)
    assert (
        dict(entry.letter.headers).items()
        >= {
            "headgate-reason": Reason.MAX_ATTEMPTS.value,
            "headgate-group": "shop/billing",
            "headgate-topic": "shop/orders",
            "headgate-subject": "orders.7.paid",
            "headgate-published": "2026-11-20T08:00:00.000Z",
            "trace": "t1",
            "n": "3",
            "message-id": "m1",
        }.items()
    )
    assert entry.stored > published
    assert entry.header(Header.LAST_FAILED) == entry.stored.isoformat(timespec="milliseconds").replace(
        "+00:00", "Z"
    )
    assert not [name for name, _ in entry.letter.headers if name.startswith("x-")]


WHY = {
    "its worker would not have it": (queue(delivery_limit=1), Reason.REJECTED),
    "it grew too old": (
        queue(delivery_limit=1, message_ttl=timedelta(milliseconds=100)),
        Reason.EXPIRED,
    ),
    "it had to give way": (
        queue(
            delivery_limit=1,
            max_length=1,
            overflow="drop-head",
            dead_letters=DeadLetters("dead", at_least_once=False),
        ),
        Reason.EVICTED,
    ),
}


@pytest.mark.parametrize(("group", "reason"), WHY.values(), ids=WHY)
async def test_an_event_is_given_up_because(place: Place, group: Queue, reason: Reason) -> None:
    async with post(place, group) as at:
        for number in range(3):
            await at.publish(f"orders.{number}.paid")
            if reason is Reason.REJECTED:
                await at.rejected()
        entries = await at.entries(1)
    assert {entry.header(Header.REASON) for entry in entries} == {reason.value}


async def test_what_a_worker_wrote_holds(place: Place) -> None:
    ours = {
        Header.REASON.value: "Deadline",
        Header.GROUP.value: "shop/billing",
        Header.ATTEMPTS.value: "5",
        Header.LAST_FAILED.value: "2026-11-20T10:00:00.000Z",
    }
    async with post(place) as at:
        await at.publish("dead", b"late", exchange="", headers=ours)
        (entry,) = await at.entries(1)
    assert dict(entry.letter.headers) | {"message-id": ""} == ours | {"message-id": ""}
    assert entry.stored == datetime(2026, 11, 20, 10, tzinfo=UTC)


async def test_however_often_they_are_looked_at_entries_stay_where_they_are(place: Place) -> None:
    async with post(place) as at:
        for number in range(5):
            await at.publish(f"orders.{number}.paid", b"%d" % number)
        await at.rejected(5)
        first = await at.entries(5)
        desk = at.letters()
        middle = await desk.entry(first[2].position)
        async with aclosing(desk.entries()) as found:
            async for _ in found:  # leaves in the midst of it
                break
        again = [entry async for entry in desk.entries()]
        await desk.aclose()
        assert middle == first[2]
        assert again == first
        assert bodies(again) == [b"0", b"1", b"2", b"3", b"4"]
        later = await at.entries(0, after=sorted(entry.position for entry in first)[2])
        assert {entry.position for entry in later} == set(sorted(entry.position for entry in first)[3:])


async def closed(at: Post, *, full: bool = False) -> None:
    """Two of three are closed, one of them in the midst of a list."""
    for number in range(3):
        await at.publish(f"orders.{number}.paid", b"%d" % number * (200 if full else 1))
    await at.rejected(3)
    entries = await at.entries(3)
    desk = at.letters()
    assert await desk.close_entry(entries[1], stone(entries[1]))
    assert not await desk.close_entry(entries[1], stone(entries[1]))
    async with aclosing(desk.entries()) as found:
        async for entry in found:
            if entry.position == entries[0].position:
                assert await desk.close_entry(entry, stone(entry))
    everything = [entry async for entry in desk.entries()]
    assert {entry.position for entry in everything} == {entry.position for entry in entries}
    assert [entry.position for entry in everything if entry.open] == [entries[2].position]
    gone = await desk.entry(entries[0].position)
    assert gone is not None
    assert (gone.header(Header.RESOLUTION), gone.header(Header.RESOLVED_BY)) == ("Resolved", "ann")
    assert (gone.header(Header.GROUP), gone.letter.body) == ("shop/billing", b"")
    await desk.aclose()


async def test_a_closed_entry_is_taken_out_and_who_closed_it_is_remembered(place: Place) -> None:
    async with post(place) as at:
        await closed(at)


async def test_entries_of_a_full_queue_can_be_closed(place: Place) -> None:
    full = dead(max_bytes=-1, max_length=3, closed_max_age=REMEMBERED)
    async with post(place, letters=full) as at:
        await closed(at, full=True)


async def test_without_a_memory_of_closed_entries_none_is_closed(place: Place) -> None:
    async with post(place, letters=dead()) as at:
        await at.publish("orders.1.paid")
        await at.rejected()
        (entry,) = await at.entries(1)
        desk = at.letters()
        with pytest.raises(Refused) as refusal:
            await desk.close_entry(entry, stone(entry))
        await desk.aclose()
        assert refusal.value.reason == "NotFound"
        assert await at.entries(1) == [entry]


async def test_two_who_go_through_a_queue_at_once_never_see_a_part_of_it(place: Place) -> None:
    async with post(place) as at:
        await at.publish("orders.1.paid")
        await at.rejected()
        (entry,) = await at.entries(1)
        first, second = at.letters(), at.letters()
        async with aclosing(first.entries()) as found:
            async for _ in found:
                with pytest.raises(Unavailable) as refusal:
                    await second.entry(entry.position)
                assert refusal.value.reason == "TemporarilyUnavailable"
        assert await second.entry(entry.position) == entry
        await first.aclose()
        await second.aclose()


async def test_a_queue_that_is_not_there_is_told_so(place: Place) -> None:
    async with post(place) as at:
        desk = at.letters()
        await place.hand.drop("queues", "dead")
        with pytest.raises(Refused) as refusal:
            await desk.entry(1)
        await desk.aclose()
    assert refusal.value.reason == "NotFound"


async def test_dead_letters_without_a_way_out_are_kept_and_go_on_once_there_is_one(place: Place) -> None:
    """That is what at least once means: at most once would have lost it."""
    async with post(place) as at:
        await place.hand.drop("queues", "dead")
        await at.publish("orders.1.paid", b"kept")
        await at.rejected()

        async def parked() -> bool:
            return (await place.hand.seen("billing")).get("messages_dlx") == 1

        await until("the dead letter waits in its queue", parked, limit=30)


async def test_events_of_equal_content_are_closed_one_by_one(place: Place) -> None:
    async with post(place) as at:
        same = partial(
            at.publish, "dead", b"same", exchange="", message_id="m", headers={"headgate-group": "a/b"}
        )
        await same()
        await same()
        one, other = await at.entries(2)
        assert replace(one) == other
        desk = at.letters()
        assert await desk.close_entry(one, stone(one))
        await desk.aclose()
        assert len([entry for entry in await listed(at.letters, bool) if entry.open]) == 1
