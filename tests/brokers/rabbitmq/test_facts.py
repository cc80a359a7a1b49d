"""What RabbitMQ does that the adapter relies on, tried with plain HTTP on each version: a release that differs fails here."""

from typing import Any

import pytest
from tests.brokers.rabbitmq.conftest import Place
from tests.servers import until

from headgate.brokers.rabbitmq.facts import LIVE_POLICIES, level_of

pytestmark = pytest.mark.takes(90)
STATISTICS = 30  # seconds within which the server has collected what it collects
SAFE = {
    "dead-letter-exchange": "",
    "dead-letter-routing-key": "dead",
    "dead-letter-strategy": "at-least-once",
    "overflow": "reject-publish",
}


async def listed(place: Place, queue: str) -> dict[str, Any]:
    """A queue in the one list that is read, without statistics."""
    query = "disable_stats=true&enable_queue_totals=true"
    return next(
        each
        for each in await place.hand.ask("GET", f"queues/{place.hand.vhost}?{query}")
        if each["name"] == queue
    )


async def test_an_argument_that_the_server_does_not_know_is_kept_and_its_first_value_stays(
    place: Place,
) -> None:
    for value in ("first", "second"):
        await place.hand.queue("orders", **{"x-headgate-id": value})
        assert (await listed(place, "orders"))["arguments"]["x-headgate-id"] == "first"
    await place.hand.queue("orders")
    assert (await listed(place, "orders"))["arguments"]["x-headgate-id"] == "first"


async def test_nothing_but_such_an_argument_tells_a_queue_from_a_later_one_of_its_name(place: Place) -> None:
    await place.hand.queue("orders")
    before = await listed(place, "orders")
    await place.hand.drop("queues", "orders")
    await place.hand.queue("orders")
    after = await listed(place, "orders")
    counted = {"messages", "messages_ready", "messages_unacknowledged", "online", "members", "leader", "node"}
    assert {k: v for k, v in before.items() if k not in counted} == {
        k: v for k, v in after.items() if k not in counted
    }


async def test_the_list_without_statistics_names_the_policy_in_effect_at_once(place: Place) -> None:
    await place.hand.policy("ours", "^orders$", {"max-length": 9}, priority=900, to="quorum_queues")
    await place.hand.queue("orders")
    found = await listed(place, "orders")
    assert found["policy"] == "ours"
    live = level_of(place.server.version) >= LIVE_POLICIES
    assert found.get("effective_policy_definition") == ({"max-length": 9} if live else None)
    await place.hand.policy("theirs", "^ord", {"max-length": 3}, priority=901)
    assert (await listed(place, "orders"))["policy"] == "theirs"


async def test_statistics_tell_the_settings_in_effect_after_a_while(place: Place) -> None:
    await place.hand.policy("ours", "^orders$", {"max-length": 9}, priority=900, to="quorum_queues")
    await place.hand.queue("orders")

    async def told() -> bool:
        return (await place.hand.seen("orders")).get("effective_policy_definition") == {"max-length": 9}

    await until("statistics tell what is in effect", told, limit=STATISTICS)


async def test_of_two_policies_the_one_that_ranks_higher_applies_alone(place: Place) -> None:
    await place.hand.policy("ours", "^orders$", {"max-length": 9}, priority=900)
    await place.hand.policy("theirs", "^ord", {"max-length-bytes": 3}, priority=901)
    await place.hand.queue("orders")

    async def alone() -> bool:
        return (await place.hand.seen("orders")).get("effective_policy_definition") == {"max-length-bytes": 3}

    await until("the other policy is in effect, and nothing of ours", alone, limit=STATISTICS)


async def test_an_event_goes_to_the_dead_letters_through_the_exchange_that_is_always_there(
    place: Place,
) -> None:
    await place.hand.queue("dead")
    await place.hand.policy("ours", "^orders$", {**SAFE, "delivery-limit": 1}, to="quorum_queues")
    await place.hand.queue("orders")
    await place.hand.publish("amq.default", "orders", "poison")
    for _ in range(2):

        async def again() -> bool:
            return bool(await place.hand.take("orders", mode="reject_requeue_true"))

        await until("the event is handed out", again, limit=STATISTICS)
    found: list[dict[str, Any]] = []

    async def buried() -> bool:
        found.extend(await place.hand.take("dead"))
        return bool(found)

    await until("the event is a dead letter", buried, limit=STATISTICS)
    (death,) = found[0]["properties"]["headers"]["x-death"]
    assert (death["queue"], death["reason"], found[0]["payload"]) == ("orders", "delivery_limit", "poison")


async def test_a_limit_of_minus_one_never_gives_an_event_up(place: Place) -> None:
    await place.hand.policy("ours", "^orders$", {"delivery-limit": -1}, to="quorum_queues")
    await place.hand.queue("orders")
    await place.hand.publish("amq.default", "orders")
    for _ in range(25):  # the server's own limit is 20

        async def again() -> bool:
            return bool(await place.hand.take("orders", mode="reject_requeue_true"))

        await until("the event is handed out again", again, limit=STATISTICS)


async def test_an_event_that_waited_in_a_step_comes_back(place: Place) -> None:
    step = {**SAFE, "dead-letter-routing-key": "orders", "message-ttl": 300, "delivery-limit": -1}
    await place.hand.policy("step", "^orders\\.retry-300$", step, to="quorum_queues")
    await place.hand.queue("orders")
    await place.hand.queue("orders.retry-300")
    await place.hand.publish("amq.default", "orders.retry-300", "once more")
    found: list[str] = []

    async def back() -> bool:
        found.extend(each["payload"] for each in await place.hand.take("orders"))
        return found == ["once more"]

    await until("the event is back", back, limit=STATISTICS)


async def test_delays_by_the_broker_itself_are_refused_before_4_3(place: Place) -> None:
    definition = {"delayed-retry-type": "all", "delayed-retry-min": 1000, "delayed-retry-max": 4000}
    body = {"pattern": "^orders$", "apply-to": "quorum_queues", "priority": 1, "definition": definition}
    status, text = await place.hand.status("PUT", f"policies/{place.hand.vhost}/ours", body)
    if level_of(place.server.version) >= LIVE_POLICIES:
        assert status == 201
    else:
        assert status == 400
        assert "not recognised" in text


async def test_a_queue_that_holds_messages_is_deleted_without_asking(place: Place) -> None:
    await place.hand.queue("orders")
    await place.hand.publish("amq.default", "orders")
    status, text = await place.hand.status("DELETE", f"queues/{place.hand.vhost}/orders?if-empty=true")
    assert status == 400, text


async def test_an_exchange_that_is_deleted_takes_its_bindings_along(place: Place) -> None:
    await place.hand.exchange("orders")
    await place.hand.queue("billing")
    await place.hand.ask("POST", f"bindings/{place.hand.vhost}/e/orders/q/billing", {"routing_key": "#"})
    await place.hand.drop("exchanges", "orders")
    await place.hand.exchange("orders")
    assert not await place.hand.publish("orders", "anything")


async def test_a_binding_with_arguments_is_another_one(place: Place) -> None:
    await place.hand.exchange("orders")
    await place.hand.queue("billing")
    path = f"bindings/{place.hand.vhost}/e/orders/q/billing"
    for arguments in ({}, {"x-headgate-owner": "a"}):
        await place.hand.ask("POST", path, {"routing_key": "a", "arguments": arguments})
    assert len(await place.hand.ask("GET", path)) == 2
