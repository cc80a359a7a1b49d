"""What the operator decides about objects that depend on each other, exist already, are contested, lost or going."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any

import pytest
import pytest_asyncio
from tests.kube.conftest import NamespaceOf
from tests.kube.estate import Estate, JetStream, condition, group, policy, queue, topic
from tests.kube.home import at_home
from tests.kube.operator import Operator

from headgate.local.client import Client
from headgate.local.cluster import Cluster
from headgate.local.run import Run
from headgate.local.waiting import until

HOUR = 3600 * 10**9
GROUPS = 5


@dataclass
class Scene:
    estate: Estate
    nats: JetStream
    operator: Operator

    async def topic(self, name: str, **more: Any) -> None:
        """A topic that is Ready."""
        await self.estate.put("EventTopic", name, topic(name, **more))
        await self.estate.ready("EventTopic", name)

    async def gone(self, kind: str, name: str) -> None:
        """Delete and wait."""
        await self.estate.delete(kind, name)
        await self.estate.gone(kind, name)


@pytest_asyncio.fixture(scope="module")
async def scene(
    cluster: Cluster, api: Client, servers: Run, namespace_of: NamespaceOf
) -> AsyncIterator[Scene]:
    namespace = await namespace_of("main")
    async with at_home(cluster, api, servers, namespace, "decisions", resync="2s") as home:
        yield Scene(home.estate, home.nats, home.operator)


# --- dependencies


async def test_an_edited_retry_policy_reaches_every_group_that_uses_it(scene: Scene) -> None:
    estate = scene.estate
    await estate.put("RetryPolicy", "shared", policy(attempts=3, timeout="10s"))
    await scene.topic("retried")
    names = [f"user-{number}" for number in range(GROUPS)]
    for name in names:
        await estate.put("ConsumerGroup", name, group("retried", retryPolicyRef={"name": "shared"}))
    for name in names:
        await estate.ready("ConsumerGroup", name)
    await estate.put("RetryPolicy", "shared", policy(attempts=7, timeout="20s"))

    async def reached() -> bool:
        found = [await scene.nats.durable("retried", name) for name in names]
        settings = {(each["config"]["max_deliver"], each["config"]["ack_wait"]) for each in found if each}
        return settings == {(7, 20 * 10**9)}

    await until("every group has the new policy", reached, limit=2)

    async def counted() -> bool:
        return (await estate.status("RetryPolicy", "shared")).get("usedBy") == GROUPS

    await until("the policy counts its users", counted, limit=5)


async def test_a_topic_that_appears_lets_waiting_groups_proceed_at_once(scene: Scene) -> None:
    estate = scene.estate
    names = [f"early-{number}" for number in range(GROUPS)]
    for name in names:
        await estate.put("ConsumerGroup", name, group("awaited"))
    for name in names:
        message = await estate.says("ConsumerGroup", name, "TopicNotFound", status="False")
        assert "spec.topicRef" in message
    at = monotonic()
    await estate.put("EventTopic", "awaited", topic("awaited"))
    for name in names:
        await estate.ready("ConsumerGroup", name, limit=1)
    assert monotonic() - at < 1


# --- modes


LOOKING = {"Plan": "PlanOnly", "Observe": "Observed"}


@pytest.mark.parametrize(("mode", "reason"), LOOKING.items(), ids=LOOKING.keys())
async def test_who_only_looks_makes_nothing_and_changes_nothing(scene: Scene, mode: str, reason: str) -> None:
    estate, nats, name = scene.estate, scene.nats, f"mode-{mode.lower()}"
    await estate.put("EventTopic", name, topic(name, mode=mode))
    await estate.says("EventTopic", name, reason, status="True")
    assert await nats.stream(name) is None
    await estate.change("EventTopic", name, {"mode": "Enforce"})
    await estate.ready("EventTopic", name)
    await estate.change("EventTopic", name, {"mode": mode, "retention": {"maxAge": "2h"}})
    await estate.says("EventTopic", name, reason, status="True")
    assert (await nats.config(name))["max_age"] == HOUR
    found = await estate.status("EventTopic", name)
    if mode == "Plan":
        entry = {"action": "Update", "target": f"stream/{name}", "field": "max_age", "from": "1h", "to": "2h"}
        assert found["plan"] == [entry]
    else:
        assert condition(found, "Drifted")["status"] == "True"
    await estate.change("EventTopic", name, {"mode": "Enforce"})
    await estate.ready("EventTopic", name)
    assert (await nats.config(name))["max_age"] == 2 * HOUR


async def test_a_suspended_object_is_left_alone_until_it_goes_on(scene: Scene) -> None:
    estate, nats = scene.estate, scene.nats
    await scene.topic("paused")
    await estate.change("EventTopic", "paused", {"suspend": True})
    await estate.says("EventTopic", "paused", "Suspended", about="Suspended", status="True")
    await nats.edit("paused", max_age=3 * HOUR)
    await estate.change("EventTopic", "paused", {"retention": {"maxAge": "2h"}})
    await scene.topic("beside")  # a pass has gone by
    found = await estate.status("EventTopic", "paused")
    assert condition(found, "Ready")["status"] == "True"
    assert (await nats.config("paused"))["max_age"] == 3 * HOUR
    await estate.change("EventTopic", "paused", {"suspend": False})
    await estate.ready("EventTopic", "paused")
    assert (await nats.config("paused"))["max_age"] == 2 * HOUR


# --- what exists already


@dataclass(frozen=True)
class Adoption:
    policy: str
    found: Mapping[str, Any]  # how the stream is
    reason: str  # empty: Ready
    changed: bool = False  # whether the stream becomes as declared


SAME = {"max_age": HOUR}
OTHER = {"max_age": 5 * HOUR}
ADOPTIONS = {
    "IfMatches takes over what is as declared": Adoption("IfMatches", SAME, "", changed=True),
    "IfMatches leaves what differs": Adoption("IfMatches", OTHER, "Conflict"),
    "Always takes over what differs and changes it": Adoption("Always", OTHER, "", changed=True),
    "Never leaves even what is as declared": Adoption("Never", SAME, "Conflict"),
}


@pytest.mark.parametrize("row", ADOPTIONS.values(), ids=ADOPTIONS.keys())
async def test_what_exists_is_adopted_as_the_policy_says(scene: Scene, row: Adoption) -> None:
    estate, nats = scene.estate, scene.nats
    name = f"found-{row.policy.lower()}-{len(row.reason)}"
    await nats.make(name, subjects=[f"{name}.>", f"hg.{name}.>"], **row.found)
    await nats.publish(f"{name}.x", 3)
    before = await nats.stream(name)
    await estate.put("EventTopic", name, topic(name, adoptionPolicy=row.policy))
    if not row.reason:
        status = await estate.ready("EventTopic", name)
        assert status["record"]["origin"] == "Adopted"
    else:
        message = await estate.says("EventTopic", name, row.reason, status="False")
        assert "adoptionPolicy" in message
    after = await nats.stream(name)
    assert before is not None
    assert after is not None
    assert after["created"] == before["created"]
    assert after["state"]["messages"] == 3
    if row.changed:
        assert after["config"]["max_age"] == HOUR
    else:
        assert after["config"] == before["config"]


async def test_of_two_objects_on_one_stream_the_second_waits_for_the_first_to_go(scene: Scene) -> None:
    estate, nats = scene.estate, scene.nats
    await scene.topic("first", externalName="contested", subjects=["contested.>"])
    await estate.put(
        "EventTopic", "second", topic("second", externalName="contested", subjects=["contested.>"])
    )
    message = await estate.says("EventTopic", "second", "Conflict", status="False")
    assert "externalName" in message
    assert condition(await estate.status("EventTopic", "first"), "Ready")["status"] == "True"
    await estate.change("EventTopic", "first", {"deletionPolicy": "Delete"})
    await estate.ready("EventTopic", "first")
    await scene.gone("EventTopic", "first")
    await estate.ready("EventTopic", "second", limit=3)
    assert await nats.stream("contested") is not None


async def test_what_an_owner_kept_and_left_behind_may_be_taken_over_by_the_next_one(scene: Scene) -> None:
    """Its mark stays in the broker and holds nobody off any more; what it is adopted by decides as for any other find."""
    estate, nats = scene.estate, scene.nats
    shared: dict[str, Any] = {"externalName": "legacy", "subjects": ["legacy.>"]}
    await scene.topic("elder", **shared)
    await nats.publish("legacy.x", 3)
    before = await nats.stream("legacy")
    await estate.put("EventTopic", "never", topic("never", **shared, adoptionPolicy="Never"))
    await estate.put("EventTopic", "younger", topic("younger", **shared, deletionPolicy="Delete"))
    for name in ("never", "younger"):
        message = await estate.says("EventTopic", name, "Conflict", status="False")
        assert "belongs to EventTopic" in message
    await scene.gone("EventTopic", "never")
    await scene.gone("EventTopic", "elder")
    status = await estate.ready("EventTopic", "younger", limit=3)
    assert status["record"]["origin"] == "Adopted"
    after = await nats.stream("legacy")
    assert before is not None
    assert after is not None
    assert (after["created"], after["state"]["messages"]) == (before["created"], 3)
    assert after["config"]["metadata"]["headgate.dev/owner"].endswith(
        "/EventTopic/" + estate.namespace + "/younger"
    )
    await estate.put("EventTopic", "elder", topic("elder", **shared))
    await estate.says("EventTopic", "elder", "Conflict", status="False")
    await estate.delete("EventTopic", "younger")
    message = await estate.says("EventTopic", "younger", "Blocked", status="False")
    assert "headgate.dev/confirm-delete: legacy" in message
    await estate.change("EventTopic", "younger", {"deletionPolicy": "Retain"})
    await estate.gone("EventTopic", "younger")
    await estate.ready("EventTopic", "elder", limit=3)


async def test_an_owner_that_comes_back_finds_what_it_kept(scene: Scene) -> None:
    estate, nats = scene.estate, scene.nats
    await scene.topic("returning")
    before = await nats.stream("returning")
    await scene.gone("EventTopic", "returning")
    await estate.put("EventTopic", "returning", topic("returning", adoptionPolicy="Never"))
    status = await estate.ready("EventTopic", "returning")
    assert status["record"]["origin"] == "Created"
    after = await nats.stream("returning")
    assert (before and before["created"]) == (after and after["created"])


async def test_the_mark_of_another_installation_holds_everybody_off(scene: Scene) -> None:
    estate, nats = scene.estate, scene.nats
    mark = f"elsewhere/EventTopic/{estate.namespace}/gone"
    await nats.make("abroad", subjects=["abroad.>"], metadata={"headgate.dev/owner": mark})
    await estate.put("EventTopic", "abroad", topic("abroad", adoptionPolicy="Always"))
    message = await estate.says("EventTopic", "abroad", "Conflict", status="False")
    assert "of installation elsewhere" in message
    assert (await nats.config("abroad"))["metadata"]["headgate.dev/owner"] == mark


# --- losses


async def test_lost_data_is_not_replaced_until_somebody_acknowledges_it(scene: Scene) -> None:
    estate, nats = scene.estate, scene.nats
    await scene.topic("precious")
    await estate.put("ConsumerGroup", "of-precious", group("precious"))
    await estate.ready("ConsumerGroup", "of-precious")
    await nats.drop("precious")
    message = await estate.says("EventTopic", "precious", "DataLost", status="False", limit=4)
    lost = (await estate.status("EventTopic", "precious"))["lost"]["externalId"]
    assert f'headgate.dev/acknowledge: "{lost}"' in message
    await estate.says("ConsumerGroup", "of-precious", "TopicDataLost", status="False")
    assert await nats.stream("precious") is None
    await estate.annotate("EventTopic", "precious", acknowledge=lost)
    await estate.ready("EventTopic", "precious", limit=3)
    await estate.ready("ConsumerGroup", "of-precious", limit=3)
    assert await nats.durable("precious", "of-precious") is not None
    assert "lost" not in await estate.status("EventTopic", "precious")


async def test_a_topic_in_memory_is_made_again_and_says_what_was_lost(scene: Scene) -> None:
    estate, nats = scene.estate, scene.nats
    await scene.topic("fleeting", storage="Memory")
    await nats.drop("fleeting")
    await estate.says("EventTopic", "fleeting", "DataLost", status="False", limit=4)

    async def back() -> bool:
        return await nats.stream("fleeting") is not None

    await until("it is made again", back, limit=3)
    lost = (await estate.status("EventTopic", "fleeting"))["lost"]["externalId"]
    await estate.annotate("EventTopic", "fleeting", acknowledge=lost)
    await estate.ready("EventTopic", "fleeting", limit=3)


# --- deletion


@dataclass(frozen=True)
class Parting:
    policy: str
    events: int
    kept: bool


PARTINGS = {
    "Retain keeps the stream": Parting("Retain", 0, kept=True),
    "DeleteIfEmpty keeps what holds events": Parting("DeleteIfEmpty", 2, kept=True),
    "DeleteIfEmpty deletes what is empty": Parting("DeleteIfEmpty", 0, kept=False),
    "Delete deletes what holds events": Parting("Delete", 2, kept=False),
}


@pytest.mark.parametrize("row", PARTINGS.values(), ids=PARTINGS.keys())
async def test_a_deleted_topic_leaves_what_its_policy_keeps(scene: Scene, row: Parting) -> None:
    name = f"parting-{row.policy.lower()}-{row.events}"
    await scene.topic(name, deletionPolicy=row.policy)
    await scene.nats.publish(f"{name}.x", row.events)
    await scene.gone("EventTopic", name)
    assert (await scene.nats.stream(name) is not None) == row.kept


async def test_an_adopted_stream_is_deleted_only_when_a_person_names_it(scene: Scene) -> None:
    estate, nats = scene.estate, scene.nats
    await nats.make("elders", subjects=["elders.>", "hg.elders.>"], max_age=HOUR)
    await scene.topic("elders", deletionPolicy="Delete")
    await estate.delete("EventTopic", "elders")
    message = await estate.says("EventTopic", "elders", "Blocked", status="False")
    assert "headgate.dev/confirm-delete: elders" in message
    assert await nats.stream("elders") is not None
    await estate.annotate("EventTopic", "elders", confirm_delete="elders")
    await estate.gone("EventTopic", "elders")
    assert await nats.stream("elders") is None


async def test_what_is_not_owned_is_never_deleted(scene: Scene) -> None:
    """Somebody deleted our stream and made one of that name: it is theirs."""
    nats = scene.nats
    await scene.topic("swapped", deletionPolicy="Delete")
    await nats.drop("swapped")
    await nats.make("swapped")
    theirs = await nats.stream("swapped")
    await scene.gone("EventTopic", "swapped")
    still = await nats.stream("swapped")
    assert theirs is not None
    assert still is not None
    assert (still["created"], still["config"]) == (theirs["created"], theirs["config"])


async def test_topic_and_groups_deleted_together_all_go_with_what_they_made(scene: Scene) -> None:
    estate, nats = scene.estate, scene.nats
    await estate.put("DeadLetterQueue", "leaving", queue(deletionPolicy="Delete"))
    await scene.topic("leaving-topic", deletionPolicy="Delete")
    spec = group("leaving-topic", deadLetterQueueRef={"name": "leaving"}, deletionPolicy="Delete")
    await estate.put("ConsumerGroup", "leaving", spec)
    await estate.ready("ConsumerGroup", "leaving")
    for kind, name in (
        ("DeadLetterQueue", "leaving"),
        ("EventTopic", "leaving-topic"),
        ("ConsumerGroup", "leaving"),
    ):
        await estate.delete(kind, name)
    for kind, name in (
        ("DeadLetterQueue", "leaving"),
        ("EventTopic", "leaving-topic"),
        ("ConsumerGroup", "leaving"),
    ):
        await estate.gone(kind, name)
    assert {"leaving", "leaving-topic"} & await nats.names() == set()
    assert scene.operator.complaints == []
