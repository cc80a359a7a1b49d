"""A dead-letter topic as a person goes through it, on a real Kafka."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from confluent_kafka import TopicPartition
from tests.brokers.kafka.records import everything, published
from tests.brokers.kafka.test_kafka_redelivery import mover
from tests.brokers.kafka.worlds import KafkaWorld

from headgate.brokers.base import Credentials, Refused
from headgate.brokers.kafka.carrier import letters
from headgate.brokers.kafka.letters import KafkaLetters
from headgate.brokers.kafka.resources import KafkaTopic, topic_key
from headgate.brokers.kafka.values import KafkaConnection
from headgate.brokers.messages import Absent, Kept
from headgate.core.letters import Entry, Event, Header, Letter, Resolution, tombstone
from headgate.core.moves import Incarnation

pytestmark = pytest.mark.takes(30)

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
HEADERS = {"headgate-group": "shop/billing", "headgate-reason": "MaxAttempts", "shop": "x"}


@asynccontextmanager
async def reading(world: KafkaWorld, topic: str) -> AsyncIterator[KafkaLetters]:
    """A person at work."""
    found = letters(KafkaConnection((world.bootstrap,)), Credentials(), topic, timeout=10)
    try:
        yield found
    finally:
        await found.aclose()


async def dead(world: KafkaWorld, count: int) -> str:
    """A dead-letter topic with so many entries."""
    name = world.fresh("dead")
    await world.made(KafkaTopic(topic_key(name), partitions=1, replicas=1))
    published(world.bootstrap, name, [b"%d" % n for n in range(1, count + 1)], HEADERS)
    return name


def closing(entry: Entry, by: str = "ada") -> Letter:
    """What takes an entry's place."""
    return tombstone(entry, Resolution.RESOLVED, by=by, reason="done by hand", at=NOON)


async def listed(box: KafkaLetters, after: int = 0) -> list[Entry]:
    """All entries."""
    return [entry async for entry in box.entries(after)]


async def test_entries_come_in_order_with_what_was_said_of_them(world: KafkaWorld) -> None:
    """More than fit on a page; from a position on."""
    async with reading(world, await dead(world, 1200)) as box:
        found = await listed(box)
        assert [entry.position for entry in found] == list(range(1, 1201))
        assert found[0].header(Header.GROUP) == "shop/billing"
        assert (found[-1].letter.body, found[-1].open, found[-1].header("shop")) == (b"1200", True, "x")
        assert [entry.position for entry in await listed(box, 1198)] == [1199, 1200]


async def test_an_entry_is_closed_once_and_stays_told_of(world: KafkaWorld) -> None:
    """Those beside it stay open; the second who closes it is told that somebody did."""
    name = await dead(world, 3)
    async with reading(world, name) as box, reading(world, name) as other:
        entry = await box.entry(2)
        assert entry is not None
        assert await box.close_entry(entry, closing(entry))
        assert not await other.close_entry(entry, closing(entry, by="bob"))
        found = await listed(other)
        assert [(each.position, each.open) for each in found] == [(1, True), (2, False), (3, True)]
        assert (found[1].header(Header.RESOLVED_BY), found[1].letter.body) == ("ada", b"")
        assert found[1].header(Header.GROUP) == "shop/billing"
        seen = await other.entry(2)
        assert seen is not None
        assert not seen.open
        assert await box.entry(4) is None  # what closed it is no entry


async def test_entries_are_closed_while_one_goes_through_them(world: KafkaWorld) -> None:
    """What is written meanwhile is not met."""
    async with reading(world, await dead(world, 20)) as box:
        closed = [await box.close_entry(entry, closing(entry)) async for entry in box.entries()]
        assert closed == [True] * 20
        assert not any(entry.open for entry in await listed(box))


async def test_of_two_who_close_an_entry_at_once_the_first_did(world: KafkaWorld) -> None:
    """Whoever looked before both."""
    name = await dead(world, 1)
    async with reading(world, name) as box:
        entry = await box.entry(1)
        assert entry is not None
        stone = closing(entry, by="bob")
        headers = {**dict(stone.headers), "headgate-closes": "1"}
        published(world.bootstrap, name, [b""], headers)
        assert not await box.close_entry(entry, closing(entry))
        found = await box.entry(1)
        assert found is not None
        assert found.header(Header.RESOLVED_BY) == "bob"


async def test_what_is_gone_is_not_there(world: KafkaWorld) -> None:
    """Neither by retention nor because it never was."""
    name = await dead(world, 3)
    (future,) = world.raw.delete_records([TopicPartition(name, 0, 2)]).values()
    future.result(15)
    async with reading(world, name) as box:
        assert [entry.position for entry in await listed(box)] == [3]
        assert [await box.entry(position) for position in (0, 1, 2, 4)] == [None] * 4
        gone = Entry(1, NOON, Letter(f"{name}/1", (), b""))
        assert not await box.close_entry(gone, closing(gone))


async def test_a_queue_that_is_not_there_is_said_to_be(world: KafkaWorld) -> None:
    """And is not made by asking."""
    name = world.fresh("nothing")
    async with reading(world, name) as box:
        with pytest.raises(Refused) as refusal:
            await listed(box)
        assert refusal.value.reason == "NotFound"
    assert name not in world.raw.list_topics(timeout=10).topics


async def test_movers_keep_letters_where_there_is_a_topic(world: KafkaWorld) -> None:
    """Each is told by itself; nothing is made by writing."""
    name, missing = await dead(world, 0), world.fresh("nothing")
    world.override(name, "max.message.bytes", "2000")
    told = (("headgate-group", "shop/billing"),)
    async with mover(world) as moving:
        wanted = [
            Letter(f"{name}/1", told, b"small"),
            Letter(f"{missing}/1", told, b""),
            Letter(f"{name}/2", told, b"x" * 5000),
            Letter(name, told, b"small too"),
        ]
        assert await moving.keep(wanted) == [Kept.STORED, Kept.MISSING, Kept.TOO_LARGE, Kept.STORED]
        assert await moving.keep([]) == []
    assert sorted(record.body or b"" for record in everything(world.bootstrap, name)) == [
        b"small",
        b"small too",
    ]
    assert missing not in world.raw.list_topics(timeout=10).topics


async def test_movers_read_events_and_know_topics_by_their_identity(world: KafkaWorld) -> None:
    """Those that are not there are left out."""
    name, missing = await dead(world, 2), world.fresh("nothing")
    async with mover(world) as moving:
        await moving.open()
        second, gone, unknown = await moving.fetch([(name, 2), (name, 3), (missing, 1)])
        assert isinstance(second, Event)
        assert (second.subject, second.body) == (name, b"2")
        assert (gone, unknown) == (Absent.GONE, Absent.UNKNOWN)
        found = await moving.incarnations([name, missing])
        assert list(found) == [name]
        assert isinstance(found[name], Incarnation)
        assert found[name].identity
