"""What goes wrong behind the operator's back on a real server of each version: told by a stable reason, nobody else is held up, and it heals."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial

import pytest
from tests.brokers.rabbitmq.conftest import Place, connect
from tests.brokers.rabbitmq.declared import changed, created, dead, exchange, queue
from tests.servers import until

from headgate.api.eventbroker import Limits
from headgate.brokers.base import BrokerError, Refused, Unreachable
from headgate.brokers.rabbitmq.adapter import RabbitBroker
from headgate.brokers.rabbitmq.resources import Exchange, Queue
from headgate.core.changes import Action
from headgate.core.resource import Observed, Resource, differences

pytestmark = pytest.mark.takes(120)
HASTY = Limits(requests_per_second=10_000, progress_per_second=10_000, timeout="2s")
MANY = 40


async def read(broker: RabbitBroker, resource: Resource) -> Observed:
    """The one object, as a full look shows it."""
    found = (await broker.observe([resource.key]))[resource.key]
    assert isinstance(found, Observed)
    return found


async def outcome(broker: RabbitBroker, wanted: Resource) -> str:
    """Made or brought to what is declared, as the operator would do it: empty when done, else the reason."""
    try:
        found = (await broker.observe([wanted.key])).get(wanted.key)
        if not isinstance(found, Observed):
            await broker.apply(created(wanted))
        elif list(differences(wanted, found.resource)):
            await broker.apply(changed(found, wanted, Action.UPDATE if found.mark else Action.ADOPT))
    except BrokerError as error:
        return error.reason
    return ""


async def as_declared(broker: RabbitBroker, wanted: Resource) -> bool:
    """Whether a look shows what is declared."""
    return not list(differences(wanted, (await read(broker, wanted)).resource))


async def healed(broker: RabbitBroker, *wanted: Resource) -> None:
    """As soon as whatever is in the way is gone, the next pass brings all of it about."""
    for each in wanted:

        async def done(each: Resource = each) -> bool:
            return await outcome(broker, each) == "" and await as_declared(broker, each)

        await until(f"{each.key} is as declared", done, limit=40)


async def interrupted(
    broker: RabbitBroker, wanted: list[Queue], harm: Callable[[], Awaitable[None]]
) -> list[BaseException | Observed | None]:
    """Many are made at once; when a few are there, something happens to the server."""
    work = [asyncio.ensure_future(broker.apply(created(each))) for each in wanted]
    await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED, timeout=30)
    assert not all(each.done() for each in work), "the server was faster than its end"
    await harm()
    return await asyncio.gather(*work, return_exceptions=True)


async def test_a_server_killed_in_the_midst_of_many_changes_has_them_all_after_another_pass(
    place: Place,
) -> None:
    wanted = [dead(f"queue-{number}") for number in range(MANY)]
    broker = connect(place.server, place.vhost, limits=HASTY)
    results = await interrupted(broker, wanted, place.server.kill)
    failed = [each for each in results if isinstance(each, BaseException)]
    assert failed
    assert {type(each) for each in failed if not isinstance(each, Unreachable)} == set()
    await place.server.restart()
    await healed(broker, *wanted)
    assert await place.hand.names("queues") == {each.key.name for each in wanted}
    assert len(await place.hand.names("policies")) == MANY
    await broker.aclose()


async def test_a_server_frozen_in_the_midst_of_many_changes_has_them_all_after_another_pass(
    place: Place,
) -> None:
    wanted = [dead(f"queue-{number}") for number in range(MANY)]
    broker = connect(place.server, place.vhost, limits=HASTY)

    async def freeze() -> None:
        place.server.freeze()

    try:
        results = await interrupted(broker, wanted, freeze)
    finally:
        place.server.thaw()
    reasons = {each.reason for each in results if isinstance(each, BrokerError)}
    assert reasons <= {"TimedOut", "Disconnected", "ConnectFailed"}
    assert "TimedOut" in reasons
    await healed(broker, *wanted)
    assert len(await place.hand.names("policies")) == MANY
    await broker.aclose()


BEHIND: Mapping[str, tuple[Resource, str, str]] = {
    "a queue": (queue(), ":queue:billing:", "delivery_limit"),
    "an exchange": (exchange(), ":exchange:orders:", "alternate_exchange"),
    "a replay stream": (exchange(), ":queue:orders.replay:", "replay_max_age"),
}


@pytest.mark.parametrize(("wanted", "title", "field"), BEHIND.values(), ids=BEHIND)
async def test_a_deleted_policy_is_seen_and_written_again_for(
    place: Place, wanted: Resource, title: str, field: str
) -> None:
    for each in (exchange(), dead(), queue()):
        await place.broker.apply(created(each))
    (name,) = [each for each in await place.hand.names("policies") if title in each]
    await place.hand.drop("policies", name)
    found = await read(place.broker, wanted)
    assert field in {diff.field for diff in differences(wanted, found.resource)}
    assert found.mark is not None  # it is still told whose it is
    await healed(place.broker, wanted)
    assert name in await place.hand.names("policies")


async def test_a_shadowed_policy_holds_up_its_own_object_alone_until_the_other_one_goes(place: Place) -> None:
    await place.broker.apply(created(queue(bindings=())))
    await place.hand.policy("theirs", "^bill", {"max-length": 7}, priority=9_999)
    wanted, other = queue(bindings=(), delivery_limit=2), dead()
    reasons = await asyncio.gather(*(outcome(place.broker, each) for each in (wanted, other)))
    assert reasons == ["PolicyShadowed", ""]
    await place.hand.drop("policies", "theirs")
    await healed(place.broker, wanted)


async def test_a_queue_of_another_type_holds_up_its_own_object_alone_until_it_goes(place: Place) -> None:
    await place.hand.ask("PUT", f"queues/{place.hand.vhost}/billing", {"durable": True})
    wanted, other = queue(bindings=()), dead()
    reasons = await asyncio.gather(*(outcome(place.broker, each) for each in (wanted, other)))
    assert reasons == ["ImmutableSetting", ""]
    await place.hand.drop("queues", "billing")
    await healed(place.broker, wanted)


async def test_arguments_that_weaken_what_a_policy_says_are_seen_through(place: Place) -> None:
    """A queue drops what is at its head although our policy has it reject: at least once would be a lie."""
    await place.hand.queue("billing", **{"x-overflow": "drop-head", "x-delivery-limit": 2})
    wanted = queue(bindings=())
    with pytest.raises(Refused, match="x-overflow") as refusal:
        await place.broker.apply(changed(await read(place.broker, wanted), wanted, Action.ADOPT))
    assert refusal.value.reason == "ImmutableSetting"
    assert await place.hand.names("policies") == set()
    fitting = replace(wanted, overflow="drop-head", delivery_limit=2)
    assert await outcome(place.broker, fitting) == ""


KINDS: Mapping[str, tuple[dict[str, object], str]] = {
    "one that a restart of the server takes away": ({"durable": False}, "durable"),
    "one that goes with its last binding": ({"auto_delete": True}, "auto_delete"),
    "one that sends elsewhere what no binding takes": (
        {"arguments": {"alternate-exchange": "amq.fanout"}},
        "alternate-exchange=amq.fanout",
    ),
}


@pytest.mark.parametrize(("made", "told"), KINDS.values(), ids=KINDS)
async def test_an_exchange_that_is_not_what_a_topic_is_is_not_taken_over(
    place: Place, made: dict[str, object], told: str
) -> None:
    body = {"type": "topic", "durable": True, **made}
    await place.hand.ask("PUT", f"exchanges/{place.hand.vhost}/orders", body)
    wanted = exchange()
    with pytest.raises(Refused, match=told) as refusal:
        await place.broker.apply(changed(await read(place.broker, wanted), wanted, Action.ADOPT))
    assert refusal.value.reason == "ImmutableSetting"
    assert await place.hand.names("policies") == set()


async def test_an_exchange_that_nobody_can_publish_to_is_not_taken_over(place: Place) -> None:
    """RabbitMQ 4.3 leaves it out of its definitions, and then it is found when its name is to be used."""
    body = {"type": "topic", "durable": True, "internal": True}
    await place.hand.ask("PUT", f"exchanges/{place.hand.vhost}/orders", body)
    assert await outcome(place.broker, exchange()) in {"ImmutableSetting", "AlreadyExists"}
    assert await place.hand.names("policies") == set()


async def test_an_argument_of_an_exchange_overrules_its_policy(place: Place) -> None:
    """Of two ways for what no binding takes the server goes the one that was given at the making."""
    for name in ("by-argument", "by-policy"):
        await place.hand.exchange(name, "fanout")
        await place.hand.queue(name)
        await place.hand.ask("POST", f"bindings/{place.hand.vhost}/e/{name}/q/{name}", {"routing_key": ""})
    await place.hand.policy("theirs", "^orders$", {"alternate-exchange": "by-policy"}, to="exchanges")
    body = {"type": "topic", "durable": True, "arguments": {"alternate-exchange": "by-argument"}}
    await place.hand.ask("PUT", f"exchanges/{place.hand.vhost}/orders", body)
    assert await place.hand.publish("orders", "nobody.wants.it")
    assert [each["payload"] for each in await place.hand.take("by-argument")] == ["x"]
    found = (await read(place.broker, exchange())).resource
    assert isinstance(found, Exchange)
    assert found.alternate_exchange == "by-argument"


async def test_a_missing_permission_holds_up_its_own_object_alone_until_it_is_given(place: Place) -> None:
    await place.hand.ask("PUT", "users/narrow", {"password": "secret", "tags": "policymaker"})
    rights = f"permissions/{place.hand.vhost}/narrow"
    await place.hand.ask("PUT", rights, {"configure": "^dead", "write": ".*", "read": ".*"})
    broker = connect(place.server, place.vhost, user="narrow", password="secret")
    wanted, other = queue(bindings=()), dead()
    reasons = await asyncio.gather(*(outcome(broker, each) for each in (wanted, other)))
    assert reasons == ["PermissionDenied", ""]
    await place.hand.ask("PUT", rights, {"configure": ".*", "write": ".*", "read": ".*"})
    await healed(broker, wanted)
    await broker.aclose()


async def test_a_missing_plugin_is_named_and_holds_up_its_own_object_alone(place: Place) -> None:
    wanted = exchange(type="x-recent-history", replay=None)
    with pytest.raises(Refused, match=r"x-recent-history.*plugin") as refusal:
        await place.broker.apply(created(wanted))
    assert refusal.value.reason == "PluginMissing"
    assert await outcome(place.broker, exchange("others")) == ""


@pytest.mark.parametrize("gone", ["exchange", "queue"])
async def test_a_target_that_went_while_it_was_bound_comes_back_with_its_bindings(
    place: Place, gone: str
) -> None:
    for each in (exchange(), queue()):
        await place.broker.apply(created(each))
    await place.hand.drop(f"{gone}s", {"exchange": "orders", "queue": "billing"}[gone])
    wanted: tuple[Exchange | Queue, ...] = (exchange(), queue())
    await healed(place.broker, *wanted)
    publish = partial(place.hand.publish, "orders", "orders.7.paid", "again")
    assert await publish()
    assert [each["payload"] for each in await place.hand.take("billing")] == ["again"]
