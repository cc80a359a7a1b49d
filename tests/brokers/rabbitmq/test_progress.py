"""How far queues are and what dead-letter queues hold, as a real server of each version counts it."""

from datetime import timedelta

import pytest
from tests.brokers.rabbitmq.conftest import Place
from tests.brokers.rabbitmq.declared import created, dead, exchange, queue
from tests.servers import until

from headgate.brokers.base import Refused
from headgate.brokers.rabbitmq.facts import LIVE_POLICIES, level_of
from headgate.brokers.rabbitmq.names import step_name
from headgate.brokers.rabbitmq.resources import Delay
from headgate.core.progress import Holding, Progress

pytestmark = pytest.mark.takes(60)
STATISTICS = 30  # seconds within which the server has counted


async def progressed(place: Place, pending: int, in_flight: int) -> Progress:
    """As soon as the server has counted so much."""
    found: list[Progress] = []

    async def so_far() -> bool:
        seen = (await place.broker.progress([queue().key]))[queue().key]
        assert isinstance(seen, Progress)
        found.append(seen)
        return (seen.pending, seen.in_flight) == (pending, in_flight)

    await until(f"{pending} are pending and {in_flight} in flight", so_far, limit=STATISTICS)
    return found[-1]


async def test_absent_queues_are_left_out(place: Place) -> None:
    assert await place.broker.progress([queue().key]) == {}
    assert await place.broker.dead_letters([dead().key]) == {}


async def test_progress_follows_events_through_their_life(place: Place) -> None:
    for each in (exchange(), dead(), queue()):
        await place.broker.apply(created(each))
    idle = await progressed(place, 0, 0)
    assert (idle.oldest_pending, idle.members) == (None, 0)
    for number in range(3):
        await place.hand.publish("orders", f"orders.{number}.paid")
    waiting = await progressed(place, 3, 0)
    assert waiting.oldest_pending is not None
    assert waiting.oldest_pending >= idle.at
    await place.hand.take("billing", 2)
    left = await progressed(place, 1, 0)
    (before,), (after,) = waiting.partitions, left.partitions
    assert (after.head, after.settled) == (before.head, before.settled + 2)
    assert left.oldest_pending is not None
    assert left.oldest_pending >= waiting.oldest_pending


async def test_an_event_that_the_broker_holds_back_is_in_flight(place: Place) -> None:
    held_back = queue(bindings=(), delay=Delay("all", timedelta(minutes=5), timedelta(minutes=5)))
    if level_of(place.server.version) < LIVE_POLICIES:
        with pytest.raises(Refused, match="not recognised") as refusal:
            await place.broker.apply(created(held_back))
        assert refusal.value.reason == "InvalidSetting"
        return
    await place.broker.apply(created(held_back))
    await place.hand.publish("amq.default", "billing")
    await place.hand.take("billing", mode="reject_requeue_true")
    await progressed(place, 0, 1)


async def test_an_event_that_waits_in_a_step_is_in_flight_and_comes_back(place: Place) -> None:
    long, short = timedelta(minutes=5), timedelta(milliseconds=300)
    await place.broker.apply(created(queue(bindings=(), steps=(short, long))))
    await place.hand.publish("amq.default", step_name("billing", long))
    await progressed(place, 0, 1)
    await place.hand.publish("amq.default", step_name("billing", short))
    await progressed(place, 1, 1)


async def test_dead_letters_are_counted(place: Place) -> None:
    await place.broker.apply(created(dead()))
    await place.hand.publish("amq.default", "dead")

    async def counted() -> bool:
        found = (await place.broker.dead_letters([dead().key]))[dead().key]
        assert isinstance(found, Holding)
        return found.room.entries == 1 and found.room.most_size == 1_000_000

    await until("the dead letter is counted", counted, limit=STATISTICS)
