"""What the operator is told about dead letters on a real server of each version: whose, why, how many, and whether any are held up."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.brokers.rabbitmq.conftest import Place
from tests.brokers.rabbitmq.declared import changed, created, dead, exchange, queue
from tests.brokers.rabbitmq.mail import DEAD, GROUP, REMEMBERED, TOPIC, dial, post
from tests.servers import until

from headgate.brokers.rabbitmq.letterbox import Letterbox
from headgate.brokers.rabbitmq.resources import DeadLetters as Target
from headgate.core.capturing import Place as Here
from headgate.core.capturing import capturing
from headgate.core.claims import Owner
from headgate.core.letters import Header, Resolution, tombstone
from headgate.core.progress import Capture, DeadLetters, Holding
from headgate.core.resource import Observed

pytestmark = pytest.mark.takes(120)
STATISTICS = 40  # seconds within which the server has counted
MAIL = Owner("installation", "ConsumerGroup", "shop", "mail")
Groups = dict[str, tuple[int, tuple[tuple[str, int], ...]]]


async def told(place: Place, enough: Callable[[Groups], bool]) -> tuple[DeadLetters, ...]:
    """As soon as it is enough."""
    found: list[Holding] = []

    async def so_far() -> bool:
        holding = (await place.broker.dead_letters([dead().key]))[dead().key]
        assert isinstance(holding, Holding)
        found.append(holding)
        return enough({each.group: (each.depth, each.reasons) for each in holding.groups})

    await until("enough is told of the dead letters", so_far, limit=STATISTICS, every=0.5)
    return found[-1].groups


async def test_dead_letters_are_told_by_group_and_reason_with_the_oldest(place: Place) -> None:
    mail = queue("mail", delivery_limit=0)
    async with post(place) as at:
        await place.broker.apply(replace(created(mail), owner=MAIL))
        for number in range(3):
            await at.publish(f"orders.{number}.paid")
        await at.rejected(2)
        for _ in range(2):
            await (await at.taken()).reject(requeue=True)
        await (await at.taken("mail")).reject(requeue=True)
        await at.publish(
            "dead", exchange="", headers={"headgate-group": "no group", "headgate-reason": "boredom"}
        )
        expected: Groups = {
            "shop/billing": (3, (("MaxAttempts", 1), ("Rejected", 2))),
            "shop/mail": (1, (("MaxAttempts", 1),)),
            "Other": (1, (("Other", 1),)),
        }
        groups = await told(place, lambda found: found == expected)
        entries = await at.entries(5)
    billing = next(each for each in groups if each.group == "shop/billing")
    assert billing.oldest == min(e.stored for e in entries if e.header(Header.GROUP) == "shop/billing")
    assert [each.group for each in groups] == sorted(expected)


async def test_a_closed_one_counts_no_more(place: Place) -> None:
    async with post(place) as at:
        for number in range(2):
            await at.publish(f"orders.{number}.paid")
        await at.rejected(2)
        entry, _ = await at.entries(2)
        desk = at.letters()
        stone = tombstone(entry, Resolution.RESOLVED, by="ann", reason="done", at=entry.stored)
        assert await desk.close_entry(entry, stone)
        await desk.aclose()
        await told(place, lambda found: found == {"shop/billing": (1, (("Rejected", 1),))})


async def test_nothing_is_read_again_while_nothing_happens(place: Place) -> None:
    async with post(place) as at:
        await at.publish("orders.1.paid")
        await at.rejected()
        await told(place, lambda found: "shop/billing" in found)
        box = place.broker._letterbox
        assert isinstance(box, Letterbox)
        seen: list[object] = []

        async def settled() -> bool:
            """The server's own counts lag behind: what was seen last is kept once they are through."""
            await place.broker.dead_letters([dead().key])
            seen.append(box._seen["dead"])
            return len(seen) >= 10 and all(each is seen[-1] for each in seen[-10:])

        await until("it is remembered", settled, limit=STATISTICS, every=0.5)


async def test_one_that_somebody_held_is_told_apart_once_it_is_back(place: Place) -> None:
    """Nothing came and nothing went meanwhile, so no figure tells of it."""
    async with post(place) as at:
        for number in range(2):
            await at.publish(f"orders.{number}.paid")
        await at.rejected(2)
        held = await at.taken("dead")
        await told(place, lambda found: found.get("", (0, ()))[0] == 1)
        await held.reject(requeue=True)
        await told(place, lambda found: found == {"shop/billing": (2, (("Rejected", 2),))})


async def test_while_somebody_else_goes_through_it_what_was_seen_stands(place: Place) -> None:
    async with post(place) as at:
        await at.publish("orders.1.paid")
        await at.rejected()
        await told(place, lambda found: "shop/billing" in found)
        desk = at.letters()
        async for _ in (entries := desk.entries()):
            groups = (await place.broker.dead_letters([dead().key]))[dead().key]
            assert isinstance(groups, Holding)
            assert [each.group for each in groups.groups] == ["shop/billing"]
        await entries.aclose()
        await desk.aclose()


async def capture(place: Place, backlog: int) -> Capture:
    found: list[Capture] = []

    async def so_far() -> bool:
        now = await place.broker.capture()
        assert now is not None
        found.append(now)
        return now.backlog == backlog

    await until(f"{backlog} wait to be handed over", so_far, limit=STATISTICS, every=0.5)
    return found[-1]


def verdict(found: Capture) -> str:
    return capturing(found, Here("dead", "shop/main")).reason


async def test_as_long_as_all_is_handed_over_dead_letters_are_captured(place: Place) -> None:
    async with post(place) as at:
        await at.publish("orders.1.paid")
        await at.rejected()
        await at.entries(1)
        assert verdict(await capture(place, 0)) == "Capturing"


async def test_dead_letters_without_a_queue_are_held_up_and_come_through_once_there_is_one(
    place: Place,
) -> None:
    async with post(place) as at:
        await place.hand.drop("queues", "dead")
        await at.publish("orders.1.paid", b"kept")
        await at.rejected()
        held = await capture(place, 1)
        assert [(each.queue, each.reason) for each in held.put_off] == [("dead", "DeadLetterQueueMissing")]
        late = replace(held, at=held.at + timedelta(minutes=2))
        assert verdict(late) == "DeadLetterQueueMissing"
        await place.broker.apply(replace(created(dead(closed_max_age=REMEMBERED)), owner=DEAD))
        source = (await place.broker.observe([queue().key]))[queue().key]
        assert isinstance(source, Observed)
        # a settings change has the broker try again at once, not after some minutes
        other = changed(source, queue(delivery_limit=2))
        await place.broker.apply(replace(other, owner=GROUP))
        (entry,) = await at.entries(1)
        assert entry.letter.body == b"kept"


async def test_a_full_queue_holds_dead_letters_up_and_loses_none(place: Place) -> None:
    async with post(place, letters=dead(max_bytes=-1, max_length=2, closed_max_age=REMEMBERED)) as at:
        for number in range(6):
            await at.publish(f"orders.{number}.paid", b"%d" % number)
        await at.rejected(6)

        async def full() -> bool:
            now = await place.broker.capture()
            return now is not None and verdict(now) == "Full"

        await until("the queue is told to be full", full, limit=STATISTICS, every=0.5)
        found = {entry.letter.body for entry in await at.entries(2)}
        held = (await place.hand.seen("billing"))["messages_dlx"]
        assert len(found) + held >= 6


async def test_at_most_once_is_seen_where_at_least_once_is_declared(place: Place) -> None:
    """Without a queue that rejects the server falls back in silence and loses what it cannot hand over."""
    await place.broker.apply(replace(created(exchange()), owner=TOPIC))
    weak = queue(overflow="drop-head", dead_letters=Target("nowhere", at_least_once=True))
    await place.broker.apply(replace(created(weak), owner=GROUP))
    connection = await dial(place)
    channel = await connection.channel()
    source = await channel.get_queue("billing")
    await place.hand.publish("orders", "orders.1.paid")

    async def rejected() -> bool:
        message = await source.get(fail=False)
        if message is not None:
            await message.reject(requeue=False)
        return message is not None

    await until("it is given up", rejected, limit=STATISTICS)

    async def gone() -> bool:
        seen = await place.hand.seen("billing")
        return bool(seen.get("messages") == 0 and seen.get("messages_dlx") == 0)

    await until("it is lost", gone, limit=STATISTICS)
    await connection.close()
