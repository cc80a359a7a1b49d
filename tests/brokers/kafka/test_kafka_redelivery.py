"""Movers that end waits, on a real Kafka: in time, in order, nothing lost, whoever ends in the midst of it."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from confluent_kafka import Producer
from tests.brokers.kafka.records import everything, published
from tests.brokers.kafka.test_kafka_ladder import LOG_TIME
from tests.brokers.kafka.worlds import KafkaWorld

from headgate.brokers.base import Credentials
from headgate.brokers.kafka.carrier import messages
from headgate.brokers.kafka.messages import KafkaMessages
from headgate.brokers.kafka.names import due_topic, retry_prefix
from headgate.brokers.kafka.resources import KafkaGroup, KafkaTopic, Step, group_key, topic_key
from headgate.brokers.kafka.values import KafkaConnection
from headgate.brokers.messages import Redelivered
from headgate.core.letters import Reason, stamp
from headgate.core.moves import Route
from headgate.local.waiting import until

pytestmark = pytest.mark.takes(60)

SECOND: Final = timedelta(seconds=1)


class Place:
    """A topic, its group with waits, and a dead-letter topic."""

    def __init__(self, world: KafkaWorld, topic: str, waits: tuple[int, ...]) -> None:
        self.world, self.topic, self.group = world, topic, f"{topic}.billing"
        self.due, self.dead = due_topic(topic, self.group), f"{topic}.dead"
        self.waits = {wait: f"{retry_prefix(topic, self.group)}{wait}" for wait in waits}

    def route(self, **changes: object) -> Route:
        """What movers are told of it."""
        values: dict[str, object] = {"address": self.dead, "due": self.due, "attempts": 5, **changes}
        return Route("shop/billing", "shop/orders", self.topic, self.group, **values)  # type: ignore[arg-type]  # by name

    def wait(self, count: int, wait: int, headers: Mapping[str, str] | None = None, first: int = 0) -> None:
        """A worker puts numbered events where they wait."""
        topic = self.waits[wait]
        published(
            self.world.bootstrap, topic, [b"%d" % n for n in range(first, first + count)], headers or {}
        )

    def returned(self) -> list[bytes]:
        """What came back, in order."""
        return [record.body or b"" for record in everything(self.world.bootstrap, self.due)]


@asynccontextmanager
async def place(world: KafkaWorld, *waits: int, partitions: int = 1) -> AsyncIterator[Place]:
    """Made by the operator's hand."""
    name = world.fresh("orders")
    at = Place(world, name, waits)
    await world.made(KafkaTopic(topic_key(name), partitions=partitions, replicas=1))
    await world.made(KafkaTopic(topic_key(at.dead), partitions=1, replicas=1))
    steps = tuple(Step(each, partitions, 1, LOG_TIME) for each in sorted([*at.waits.values(), at.due]))
    await world.made(KafkaGroup(group_key(name, at.group), start="earliest", positions="kept", ladder=steps))
    yield at


@asynccontextmanager
async def mover(world: KafkaWorld, trim: float = 30) -> AsyncIterator[KafkaMessages]:
    """One member of the group of movers."""
    found = messages(KafkaConnection((world.bootstrap,)), Credentials(), timeout=10, trim=trim)
    try:
        yield found
    finally:
        await found.aclose()


async def redelivered(
    moving: KafkaMessages, route: Route, count: int, limit: int = 500, seconds: float = 40
) -> list[Redelivered]:
    """Rounds until so many events were dealt with."""
    found: list[Redelivered] = []

    async def enough() -> bool:
        found.append(await moving.redeliver([route], limit, SECOND))
        return sum(each.returned + len(each.given_up) + each.dropped for each in found) >= count

    await until(f"{count} events are dealt with", enough, limit=seconds)
    return found


async def test_events_come_back_in_order_when_their_wait_is_over(world: KafkaWorld) -> None:
    """Not before it is over, and a long wait holds up no short one."""
    async with place(world, 500, 60_000) as at, mover(world) as moving:
        at.wait(1, 60_000)
        at.wait(200, 500, {"headgate-attempts": "1", "shop": "x"})
        began = time.time()
        await redelivered(moving, at.route(), 200)
        found = everything(world.bootstrap, at.due)
        assert [record.body for record in found] == [b"%d" % n for n in range(200)]
        assert dict(found[0].headers) == {
            "shop": b"x",
            "headgate-attempts": b"1",
            "headgate-redeliveries": b"1",
        }
        assert time.time() - began > 0.4
        assert (await moving.redeliver([at.route()], 500, SECOND)).returned == 0
        assert await waiting(world, at) == (200, 1)


async def waiting(world: KafkaWorld, at: Place) -> tuple[int, int]:
    """What the group has before it, and what waits."""
    seen = await world.progress(group_key(at.topic, at.group))
    return seen.pending, seen.in_flight


async def test_the_wait_counts_from_when_the_broker_got_the_event(world: KafkaWorld) -> None:
    """Whatever its publisher says."""
    async with place(world, 3000) as at, mover(world) as moving:
        old = datetime(2020, 1, 1, tzinfo=UTC)
        producer = Producer({"bootstrap.servers": world.bootstrap, "log_level": 0})
        producer.produce(at.waits[3000], b"0", timestamp=round(old.timestamp() * 1000))
        assert producer.flush(10) == 0
        began = time.time()
        await redelivered(moving, at.route(), 1)
        assert time.time() - began > 2.5


GIVEN_UP: Mapping[str, tuple[dict[str, str], dict[str, object], Reason]] = {
    "attempts are used up": ({"headgate-attempts": "5"}, {}, Reason.MAX_ATTEMPTS),
    "time is used up": (
        {"headgate-published": stamp(datetime(2026, 1, 1, tzinfo=UTC))},
        {"deadline": 60.0},
        Reason.DEADLINE,
    ),
    "a worker does not count": ({"headgate-redeliveries": "4"}, {}, Reason.MAX_ATTEMPTS),
}


@pytest.mark.parametrize("sentence", GIVEN_UP)
async def test_movers_are_the_net_for_what_has_nothing_left(world: KafkaWorld, sentence: str) -> None:
    """It becomes a dead letter with all its headers; what has something left comes back."""
    headers, changes, reason = GIVEN_UP[sentence]
    async with place(world, 100) as at, mover(world) as moving:
        at.wait(2, 100, {**headers, "headgate-error": "no", "shop": "x"})
        at.wait(1, 100, first=2)
        found = await redelivered(moving, at.route(**changes), 3)
        assert Counter(each for one in found for each in one.given_up) == {reason: 2}
        assert at.returned() == [b"2"]
        dead = everything(world.bootstrap, at.dead)
        told = {name: value.decode() for name, value in dead[0].headers}
        assert [record.body for record in dead] == [b"0", b"1"]
        assert (told["headgate-reason"], told["headgate-group"], told["shop"]) == (
            reason,
            "shop/billing",
            "x",
        )
        assert told["headgate-error"] == "no"
        assert "headgate-redeliveries" not in told


async def test_what_was_declared_to_be_dropped_is(world: KafkaWorld) -> None:
    """And counted."""
    async with place(world, 100) as at, mover(world) as moving:
        at.wait(2, 100, {"headgate-attempts": "5"})
        found = await redelivered(moving, at.route(drop=True), 2)
        assert sum(each.dropped for each in found) == 2
        assert (at.returned(), everything(world.bootstrap, at.dead)) == ([], [])


async def test_what_has_nowhere_to_go_is_tried_once_more(world: KafkaWorld) -> None:
    """Nothing is lost because there is no dead-letter topic."""
    async with place(world, 100) as at, mover(world) as moving:
        at.wait(1, 100, {"headgate-attempts": "5"})
        await redelivered(moving, at.route(address="not-there"), 1)
        assert at.returned() == [b"0"]
        assert "not-there" not in world.raw.list_topics(timeout=10).topics


async def test_what_cannot_come_back_yet_waits_on(world: KafkaWorld) -> None:
    """Until there is a topic for it."""
    async with place(world, 100) as at, mover(world) as moving:
        at.wait(3, 100)
        await asyncio.to_thread(world.remove, at.due)
        assert (await moving.redeliver([at.route()], 500, SECOND)).returned == 0
        await world.made(KafkaTopic(topic_key(at.due), partitions=1, replicas=1))
        await redelivered(moving, at.route(), 3)
        assert at.returned() == [b"0", b"1", b"2"]


async def test_a_dead_letter_that_is_too_large_becomes_an_envelope(world: KafkaWorld) -> None:
    """Its story is kept."""
    async with place(world, 100) as at, mover(world) as moving:
        world.override(at.dead, "max.message.bytes", "2000")
        headers = {"headgate-attempts": "5"}
        published(world.bootstrap, at.waits[100], [b"x" * 5000, b"small"], headers)
        await redelivered(moving, at.route(), 2)
        found = everything(world.bootstrap, at.dead)
        assert sorted(len(record.body or b"") for record in found) == [0, 5]
        large = next(record for record in found if not record.body)
        assert dict(large.headers)["headgate-body"] == b"too-large"


async def test_movers_share_the_work(world: KafkaWorld) -> None:
    """Each partition has one of them; when one ends, the other goes on with all."""
    async with place(world, 100, partitions=4) as at, mover(world) as one:
        async with mover(world) as two:
            counts = [0, 0]

            async def both() -> bool:
                at.wait(40, 100)
                rounds = await asyncio.gather(
                    one.redeliver([at.route()], 500, SECOND), two.redeliver([at.route()], 500, SECOND)
                )
                for index, each in enumerate(rounds):
                    counts[index] += each.returned
                return all(counts)

            await until("both have moved something", both, limit=50)
        before = len(at.returned())
        at.wait(40, 100)
        await redelivered(one, at.route(), 40)
        assert len(at.returned()) >= before + 40


async def test_what_was_moved_is_let_go_of(world: KafkaWorld) -> None:
    """So that nothing has to go by itself."""
    async with place(world, 100) as at, mover(world, trim=0) as moving:
        at.wait(10, 100)
        await redelivered(moving, at.route(), 10)
        assert everything(world.bootstrap, at.waits[100]) == []
        assert len(at.returned()) == 10
