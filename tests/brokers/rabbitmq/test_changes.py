"""Objects are made, read back, changed, taken over and deleted on a real server of each version."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.brokers.rabbitmq.conftest import Place
from tests.brokers.rabbitmq.declared import OWNER, STRANGER, changed, created, dead, deleted, exchange, queue

from headgate.brokers.base import Blocked, Refused
from headgate.brokers.rabbitmq.resources import Binding, DeadLetters, Queue
from headgate.brokers.rabbitmq.translate import infrastructure
from headgate.core.changes import Action, Change
from headgate.core.claims import Claim, Record
from headgate.core.plan import plan
from headgate.core.resource import Observed, Resource, differences

pytestmark = pytest.mark.takes(120)


async def applied(place: Place, change: Change) -> Observed:
    """What the broker made of it."""
    found = await place.broker.apply(change)
    assert found is not None
    return found


async def read(place: Place, resource: Resource) -> Observed:
    """The one object, as a full look shows it."""
    found = (await place.broker.observe([resource.key]))[resource.key]
    assert isinstance(found, Observed)
    return found


async def estate(place: Place) -> tuple[Observed, Observed, Observed]:
    """A topic, its dead-letter queue and a group."""
    made = [await applied(place, created(each)) for each in (exchange(), dead(), queue())]
    return made[0], made[1], made[2]


async def test_what_was_made_reads_back_as_it_was_answered(place: Place) -> None:
    for made in await estate(place):
        found = await read(place, made.resource)
        assert replace(found, stats=made.stats) == made
        assert (found.mark, found.adopted) == (str(OWNER), False)
        assert (
            plan(
                [Claim(OWNER, made.resource, record=Record(identity=made.identity))],
                {made.resource.key: found},
            ).changes
            == ()
        )


async def test_making_it_twice_makes_it_once(place: Place) -> None:
    for made in await estate(place):
        assert (await applied(place, created(made.resource))).identity == made.identity


async def test_an_event_goes_to_whom_it_concerns_and_what_concerns_nobody_is_kept(place: Place) -> None:
    (unrouted,) = infrastructure(await place.broker.facts(), None)
    shared = await applied(place, created(unrouted))
    await estate(place)
    assert await place.hand.publish("orders", "orders.7.paid")
    assert [each["payload"] for each in await place.hand.take("billing")] == ["x"]
    assert await place.hand.publish("orders", "nobody.asked")
    assert (await place.broker.facts()).identity == shared.identity


SETTINGS: Mapping[str, tuple[Queue, dict[str, Any]]] = {
    "the number of attempts": (queue(), {"delivery_limit": 2}),
    "no second attempt": (queue(), {"delivery_limit": 0}),
    "attempts without end": (queue(), {"delivery_limit": -1}),
    "where dead letters go": (queue(), {"dead_letters": DeadLetters("elsewhere", at_least_once=True)}),
    "that dead letters go nowhere": (queue(), {"dead_letters": DeadLetters()}),
    "how large a backlog grows": (queue(), {"max_bytes": 100_000}),
    "how old a dead letter gets": (dead(), {"message_ttl": timedelta(hours=2)}),
    "how many dead letters there are": (dead(), {"max_length": 10}),
    "what gives way when it is full": (dead(), {"overflow": "drop-head"}),
    "more that it gets": (
        queue(),
        {"bindings": (Binding("orders", "#"), Binding("orders", "orders.*.paid"))},
    ),
    "other things that it gets": (queue(), {"bindings": (Binding("orders", "orders.*.*.#"),)}),
    "steps to wait in": (queue(), {"steps": (timedelta(seconds=1), timedelta(minutes=2))}),
}


@pytest.mark.parametrize(("base", "settings"), SETTINGS.values(), ids=SETTINGS)
async def test_a_queue_can_be_given_other(place: Place, base: Queue, settings: dict[str, Any]) -> None:
    await applied(place, created(exchange()))
    made = await applied(place, created(base))
    wanted = replace(base, **settings)
    changed_to = await applied(place, changed(made, wanted))
    assert list(differences(wanted, changed_to.resource)) == []
    assert list(differences(wanted, (await read(place, base)).resource)) == []
    back = await applied(place, changed(changed_to, base))
    assert (list(differences(base, back.resource)), back.identity) == ([], made.identity)


async def test_a_stream_can_be_given_other_bounds_and_subjects(place: Place) -> None:
    made = await applied(place, created(exchange()))
    wanted = exchange(replay_max_age=timedelta(hours=2), replay_max_bytes=-1, replay_keys=("a.*.#", "b"))
    assert list(differences(wanted, (await applied(place, changed(made, wanted))).resource)) == []


async def test_what_was_changed_by_hand_differs_and_is_mended(place: Place) -> None:
    _, _, made = await estate(place)
    name = next(each for each in await place.hand.names("policies") if ":billing:" in each)
    await place.hand.policy(name, "^billing$", {"delivery-limit": 9}, priority=900, to="quorum_queues")
    found = await read(place, made.resource)
    assert {diff.field for diff in differences(made.resource, found.resource)} >= {
        "delivery_limit",
        "dead_letters",
    }
    mended = await applied(place, changed(found, made.resource))
    assert list(differences(made.resource, mended.resource)) == []


async def test_a_policy_of_somebody_else_that_wins_is_named(place: Place) -> None:
    _, _, made = await estate(place)
    await place.hand.policy("theirs", "^bill", {"max-length": 7}, priority=9_999)
    found = await read(place, made.resource)
    assert isinstance(found.resource, Queue)
    assert found.resource.shadowed_by == "theirs"
    with pytest.raises(Blocked, match="policy theirs of priority 9999") as refusal:
        await place.broker.apply(changed(found, made.resource))
    assert refusal.value.reason == "PolicyShadowed"


async def test_an_operator_policy_that_says_less_is_named(place: Place) -> None:
    _, _, made = await estate(place)
    body = {
        "pattern": "^bill",
        "apply-to": "quorum_queues",
        "priority": 1,
        "definition": {"delivery-limit": 1},
    }
    await place.hand.ask("PUT", f"operator-policies/{place.hand.vhost}/strict", body)
    with pytest.raises(Refused, match="delivery") as refusal:
        await place.broker.apply(changed(made, replace(queue(), delivery_limit=3)))
    assert refusal.value.reason == "NotHonoured"


async def test_a_queue_of_another_type_under_the_name_is_left_alone(place: Place) -> None:
    await place.hand.ask("PUT", f"queues/{place.hand.vhost}/billing", {"durable": True})
    found = await read(place, queue())
    with pytest.raises(Refused, match="type is classic and cannot become quorum") as refusal:
        await place.broker.apply(changed(found, queue(), Action.ADOPT))
    assert refusal.value.reason == "ImmutableSetting"
    assert await place.hand.names("policies") == set()


async def test_what_a_stranger_made_is_not_taken_over_by_making_it(place: Place) -> None:
    await applied(place, created(exchange(), STRANGER))
    with pytest.raises(Refused) as refusal:
        await place.broker.apply(created(exchange()))
    assert refusal.value.reason == "AlreadyExists"
    found = await read(place, exchange())
    assert found.mark == str(STRANGER)
    with pytest.raises(Refused) as refusal:
        await place.broker.apply(changed(found, exchange()))
    assert refusal.value.reason == "OwnedByAnother"


async def test_adopting_puts_our_mark_into_the_policy(place: Place) -> None:
    await place.hand.exchange("orders")
    await place.hand.queue("billing")
    found = await read(place, queue())
    assert (found.mark, found.identity) == (None, "unsigned")
    taken = await applied(place, changed(found, queue(), Action.ADOPT))
    assert (taken.mark, taken.adopted, taken.identity) == (str(OWNER), True, "unsigned")
    assert (await read(place, queue())).mark == str(OWNER)


async def test_a_lapsed_mark_gives_way_to_whoever_takes_over(place: Place) -> None:
    made = await applied(place, created(exchange(), STRANGER))
    taken = await applied(place, changed(made, exchange(), Action.ADOPT, replaces=str(STRANGER)))
    assert (taken.mark, taken.identity) == (str(OWNER), made.identity)
    assert not [name for name in await place.hand.names("policies") if str(STRANGER) in name]


async def test_a_queue_deleted_and_made_again_by_hand_is_another_one(place: Place) -> None:
    _, _, made = await estate(place)
    await place.hand.drop("queues", "billing")
    await place.hand.queue("billing")
    found = await read(place, queue())
    assert found.identity != made.identity
    for change in (changed(made, queue()), deleted(made)):
        with pytest.raises(Refused) as refusal:
            await place.broker.apply(change)
        assert refusal.value.reason == "IdentityChanged"


async def test_a_lost_stream_is_a_loss_and_a_lost_exchange_is_none(place: Place) -> None:
    made, _, _ = await estate(place)
    await place.hand.drop("exchanges", "orders")
    found = await read(place, exchange())
    assert found.identity == made.identity
    assert (await applied(place, changed(found, exchange()))).identity == made.identity
    await place.hand.drop("queues", "orders.replay")
    found = await read(place, exchange())
    assert found.identity != made.identity
    renewed = await applied(place, changed(found, exchange()))
    assert renewed.identity not in (found.identity, made.identity)


async def test_deleting_leaves_nothing_and_may_be_repeated(place: Place) -> None:
    for made in reversed(await estate(place)):
        for _ in range(2):
            assert await place.broker.apply(deleted(made)) is None
    assert await place.hand.names("queues") == set()
    assert await place.hand.names("policies") == set()


async def test_a_queue_that_holds_events_is_not_empty_and_goes_on_getting_them(place: Place) -> None:
    _, _, made = await estate(place)
    await place.hand.publish("orders", "orders.7.paid")
    with pytest.raises(Refused) as refusal:
        await place.broker.apply(deleted(made, only_if_empty=True))
    assert refusal.value.reason == "NotEmpty"
    assert (await read(place, queue())).resource == made.resource
    await place.hand.take("billing")
    assert await place.broker.apply(deleted(made, only_if_empty=True)) is None


async def test_a_released_queue_keeps_what_it_holds_and_gets_no_more(place: Place) -> None:
    _, _, made = await estate(place)
    await place.hand.publish("orders", "orders.1.paid", "kept")
    change = Change(Action.RELEASE, made.resource.key, OWNER, before=made.resource, identity=made.identity)
    for _ in range(2):
        assert await place.broker.apply(change) is None
    await place.hand.publish("orders", "orders.2.paid", "late")
    assert [each["payload"] for each in await place.hand.take("billing", 5)] == ["kept"]


async def test_of_many_that_are_changed_at_once_each_ends_as_declared(place: Place) -> None:
    names = [f"queue-{number}" for number in range(40)]
    made = await asyncio.gather(*(applied(place, created(dead(name))) for name in names))
    wanted = {each.resource.key: dead(each.resource.key.name, max_length=7) for each in made}
    await asyncio.gather(*(applied(place, changed(each, wanted[each.resource.key])) for each in made))
    found = await place.broker.observe(list(wanted))
    for key, each in found.items():
        assert isinstance(each, Observed)
        assert list(differences(wanted[key], each.resource)) == []
