"""The operator on a real control plane with a real RabbitMQ of each version: what users declare is there, or they are told why not."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import yaml
from tests.brokers.kube_rabbitmq import Home, bindings, group, held, policies, queue, topic
from tests.kube.estate import condition

from headgate.local.audit import AuditLog
from headgate.local.waiting import until

pytestmark = pytest.mark.takes(150)
SHOP = Path(__file__).parents[2] / "examples" / "shop"
REST = 12.0  # seconds of silence, in which two full passes go by


def shop() -> list[dict[str, Any]]:
    """The estate of the examples in one namespace, without what only another broker has."""
    found = []
    for path in sorted(SHOP.glob("[2-5]0-*.yaml")):
        for body in yaml.safe_load_all(path.read_text()):
            spec = body["spec"]
            for field in ("keyBuckets", "native", "whenFull", "scaling"):
                spec.pop(field, None)
            if "brokerRef" in spec:
                spec["brokerRef"] = {"name": "main"}
            found.append(body)
    return found


async def test_the_shop_becomes_ready(home: Home) -> None:
    for body in shop():
        await home.estate.put(body["kind"], body["metadata"]["name"], body["spec"])
    for body in shop():
        await home.estate.ready(body["kind"], body["metadata"]["name"], limit=60)
    billing = await home.estate.status("ConsumerGroup", "billing")
    assert await bindings(home.hand, "billing") == {"orders.*.paid"}
    assert billing["retry"]["mechanism"] in {"DelayedRetry", "Ladder"}
    (policy,) = (await policies(home.hand, "billing")).values()
    assert policy["definition"]["dead-letter-routing-key"] == "checkout-dead"
    assert policy["definition"]["delivery-limit"] == 4
    main = await home.estate.status("EventBroker", "main")
    assert (main["type"], main["serverVersion"]) == ("RabbitMQ", home.server.version)
    assert main["identity"]


async def writes(home: Home, log: AuditLog, least: int) -> list[str]:
    """What the operator wrote since the log was last read, as "verb resource", what an EventBroker has of its own aside."""
    found: list[str] = []

    async def enough() -> bool:
        found.extend(
            f"{r.verb} {r.resource}"
            for r in home.operator.requests(log)
            if r.writes and not r.name.startswith("headgate-routes-") and r.resource != "eventbrokers/status"
        )
        return len(found) >= least

    await until(f"{least} writes are in the log", enough)
    return found


async def test_a_topic_takes_two_writes_and_a_group_with_a_binding_three(home: Home, audit: AuditLog) -> None:
    await home.estate.put("EventTopic", "counted", topic("counted"))
    await home.estate.ready("EventTopic", "counted", limit=30)
    assert await writes(home, audit, 2) == ["patch eventtopics", "patch eventtopics/status"]
    await home.estate.put(
        "ConsumerGroup", "counted-by", group("counted", binding={"configMapName": "counted"})
    )
    await home.estate.ready("ConsumerGroup", "counted-by", limit=30)
    expected = ["patch consumergroups", "create configmaps", "patch consumergroups/status"]
    assert await writes(home, audit, 3) == expected
    await home.estate.delete("EventTopic", "counted")
    await home.estate.gone("EventTopic", "counted")
    assert (await writes(home, audit, 1))[0] == "patch eventtopics"


async def test_a_group_that_is_kept_lets_go_and_the_topic_stays_as_it_is(home: Home) -> None:
    await home.estate.put("EventTopic", "kept", topic("kept"))
    await home.estate.put("ConsumerGroup", "kept-by", group("kept"))
    await home.estate.ready("ConsumerGroup", "kept-by", limit=30)
    assert await home.hand.publish("kept", "kept.a")
    for kind, name in (("ConsumerGroup", "kept-by"), ("EventTopic", "kept")):
        await home.estate.delete(kind, name)
        await home.estate.gone(kind, name)
    await home.hand.publish("kept", "kept.b")
    assert await bindings(home.hand, "kept-by") == set()
    await until("it is counted", lambda: _holds_one(home, "kept-by"))
    assert await bindings(home.hand, "kept.replay") == {"kept.*.#"}


async def _holds_one(home: Home, name: str) -> bool:
    return await held(home.hand, name) == 1


async def test_what_is_deleted_goes_with_all_that_belongs_to_it(home: Home) -> None:
    gone = {"deletionPolicy": "Delete"}
    await home.estate.put("EventTopic", "going", topic("going", **gone))
    await home.estate.put("DeadLetterQueue", "going-dead", queue(**gone))
    await home.estate.put(
        "ConsumerGroup",
        "going-by",
        group(
            "going",
            deadLetterQueueRef={"name": "going-dead"},
            native={"rabbitmq": {"retry": "Ladder"}},
            **gone,
        ),
    )
    await home.estate.ready("ConsumerGroup", "going-by", limit=40)
    assert len({name for name in await home.hand.names("queues") if name.startswith("going")}) == 8
    for kind, name in (
        ("ConsumerGroup", "going-by"),
        ("DeadLetterQueue", "going-dead"),
        ("EventTopic", "going"),
    ):
        await home.estate.delete(kind, name)
        await home.estate.gone(kind, name, limit=30)
    left = {kind: await home.hand.names(kind) for kind in ("queues", "exchanges", "policies")}
    assert {name for names in left.values() for name in names if "going" in name} == set()


async def test_a_group_that_is_deleted_if_empty_goes_or_is_left_without_getting_more(home: Home) -> None:
    await home.estate.put("EventTopic", "ending", topic("ending"))
    for name in ("empty-by", "full-by"):
        await home.estate.put("ConsumerGroup", name, group("ending", deletionPolicy="DeleteIfEmpty"))
        await home.estate.ready("ConsumerGroup", name, limit=30)
    await home.hand.publish("amq.default", "full-by")
    await until("it is counted", lambda: _holds_one(home, "full-by"))
    for name in ("empty-by", "full-by"):
        await home.estate.delete("ConsumerGroup", name)
    for name in ("empty-by", "full-by"):
        await home.estate.gone("ConsumerGroup", name, limit=40)
    assert {"empty-by", "full-by"} & await home.hand.names("queues") == {"full-by"}
    assert await bindings(home.hand, "full-by") == set()
    assert "queue/full-by is not empty and was left in the broker" in home.operator.log


async def test_an_exchange_and_a_queue_of_somebody_else_are_taken_over_where_that_is_asked_for(
    home: Home,
) -> None:
    """They have no policy, and get ours; nothing that they hold is lost."""
    await home.hand.exchange("found")
    await home.hand.queue("found-by")
    await home.hand.publish("amq.default", "found-by")
    await home.estate.put("EventTopic", "found", topic("found"))
    await home.estate.says("EventTopic", "found", "ExistsAndDiffers", about="Conflict", limit=30)
    await home.estate.change("EventTopic", "found", {"adoptionPolicy": "Always"})
    assert (await home.estate.ready("EventTopic", "found", limit=40))["record"]["origin"] == "Adopted"
    await home.estate.put("ConsumerGroup", "found-by", group("found", adoptionPolicy="Always"))
    assert (await home.estate.ready("ConsumerGroup", "found-by", limit=40))["record"]["origin"] == "Adopted"
    await until("it is counted", lambda: _holds_one(home, "found-by"))
    assert await bindings(home.hand, "found-by") == {"found.*.#"}
    assert len(await policies(home.hand, "found-by")) == 1


async def test_a_policy_of_somebody_else_blocks_until_it_is_out_of_the_way(home: Home) -> None:
    await home.estate.put("EventTopic", "dark", topic("dark"))
    await home.hand.policy("theirs", "^dark-by$", {"max-length": 7}, priority=9_999)
    await home.estate.put("ConsumerGroup", "dark-by", group("dark"))
    said = await home.estate.says("ConsumerGroup", "dark-by", "PolicyShadowed", about="Blocked", limit=40)
    assert "policy theirs of priority 9999" in said
    assert condition(await home.estate.status("ConsumerGroup", "dark-by"), "Ready")["reason"] == "Blocked"
    await home.hand.drop("policies", "theirs")
    await home.estate.ready("ConsumerGroup", "dark-by", limit=40)


REFUSED: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "partitions": ("EventTopic", topic("no", partitions=3), "UnsupportedByBroker", "spec.partitions"),
    "buckets of keys": (
        "EventTopic",
        topic("no", subjects=["no.*.>"], key={"wildcard": 1}, keyBuckets=4),
        "NotYet",
        "spec.keyBuckets",
    ),
    "settings of another kind of broker": (
        "EventTopic",
        topic("no", native={"nats": {"noAck": True}}),
        "UnsupportedByBroker",
        "spec.native.nats",
    ),
    "a name of the server's own": (
        "EventTopic",
        topic("no", externalName="amq.orders"),
        "NotPermitted",
        "spec.externalName",
    ),
    "more copies than nodes": (
        "DeadLetterQueue",
        queue(replicas=5),
        "ReplicasNotPossible",
        "spec.replicas",
    ),
}


@pytest.mark.parametrize(("kind", "spec", "reason", "field"), REFUSED.values(), ids=REFUSED)
async def test_what_cannot_be_kept_is_refused_by_name(
    home: Home, kind: str, spec: dict[str, Any], reason: str, field: str
) -> None:
    await home.estate.put(kind, "no", spec)
    assert field in await home.estate.says(kind, "no", reason, limit=30)
    await home.estate.delete(kind, "no")
    await home.estate.gone(kind, "no")


async def test_a_queue_of_another_type_under_the_name_is_left_as_it_is(home: Home) -> None:
    await home.hand.ask(
        "PUT",
        f"queues/{home.hand.vhost}/classic",
        {"durable": True, "arguments": {"x-queue-type": "classic"}},
    )
    await home.estate.put("EventTopic", "old", topic("old"))
    await home.estate.put(
        "ConsumerGroup", "old-by", group("old", externalName="classic", adoptionPolicy="Always")
    )
    message = await home.estate.says("ConsumerGroup", "old-by", "Blocked", limit=30)
    assert "type" in message
    assert (await home.hand.seen("classic"))["type"] == "classic"


BROKERS: dict[str, tuple[dict[str, Any], str, str, str]] = {
    "another virtual host": ({"vhost": "nowhere"}, "Ready", "VirtualHostMissing", "spec.rabbitmq.vhost"),
    "a Secret that is not there": (
        {"credentialsSecretRef": {"name": "none"}},
        "Ready",
        "SecretNotFound",
        "spec.rabbitmq.credentialsSecretRef",
    ),
    "a port that nobody listens on": (
        {"managementURL": "http://127.0.0.1:1"},
        "Reachable",
        "ConnectFailed",
        "spec.rabbitmq.managementURL",
    ),
}


@pytest.mark.parametrize(("block", "about", "reason", "told"), BROKERS.values(), ids=BROKERS)
async def test_an_event_broker_that_cannot_be_reached_says_which_field_is_wrong(
    home: Home, block: dict[str, Any], about: str, reason: str, told: str
) -> None:
    await home.estate.put("EventBroker", "wrong", home.broker(rabbitmq=block))
    assert told in await home.estate.says("EventBroker", "wrong", reason, about=about, limit=30)
    await home.estate.delete("EventBroker", "wrong")
    await home.estate.gone("EventBroker", "wrong", limit=30)


async def test_nothing_is_written_and_nobody_complains_at_rest(home: Home, audit: AuditLog) -> None:
    ready = [body["metadata"]["name"] for body in shop() if body["kind"] == "ConsumerGroup"]
    assert ready
    await until("a while has passed", _rested(home, audit), limit=3 * REST)
    assert home.operator.complaints == []


def _rested(home: Home, audit: AuditLog) -> Callable[[], Awaitable[bool]]:
    """Whether nothing was written for some seconds."""
    began = [monotonic()]

    async def check() -> bool:
        if [r for r in home.operator.requests(audit) if r.writes]:
            began[0] = monotonic()
        return monotonic() - began[0] >= REST

    return check
