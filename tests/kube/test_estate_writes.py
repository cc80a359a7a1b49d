"""What the operator writes to Kubernetes, counted by the API server itself: what has to be, and nothing at rest."""

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import pytest
import pytest_asyncio
from tests.kube.conftest import NamespaceOf
from tests.kube.estate import Estate, JetStream, condition, connection, group, policy, queue, topic
from tests.kube.home import at_home
from tests.kube.operator import Operator

from headgate.local.audit import AuditLog, Request
from headgate.local.client import Client
from headgate.local.cluster import Cluster
from headgate.local.errors import LocalError
from headgate.local.run import Run
from headgate.local.waiting import until

pytestmark = pytest.mark.takes(90)

PASSES = 3
REST = 12.0  # seconds of silence; ten full passes go by
MANY = 20
APART = 29.9
COUNTED = 34.0  # seconds: thirty between two writes, and one until the first


@dataclass
class Scene:
    estate: Estate
    nats: JetStream
    operator: Operator

    async def writes(self, log: AuditLog, least: int) -> list[str]:
        """What was written since the log was last read, as "verb resource"; refused writes count too.

        A watch may tell of a write before the log does, so `least` writes are waited for.

        What an EventBroker has of its own is not of the object that brought something new into it: the ConfigMap that
        movers read, and how many objects there are, which is written for many of them at once.
        """
        found: list[str] = []

        async def enough() -> bool:
            found.extend(
                f"{r.verb} {r.resource}"
                for r in self.operator.requests(log)
                if r.writes
                and not r.name.startswith("headgate-routes-")
                and r.resource != "eventbrokers/status"
            )
            return len(found) >= least

        await until(f"{least} writes are in the log", enough)
        return found


@pytest_asyncio.fixture(scope="module")
async def scene(
    cluster: Cluster, api: Client, servers: Run, namespace_of: NamespaceOf
) -> AsyncIterator[Scene]:
    namespace = await namespace_of("main")
    async with at_home(cluster, api, servers, namespace, "writes", resync="1s") as home:
        yield Scene(home.estate, home.nats, home.operator)


async def test_a_topic_takes_two_writes_to_create_one_to_change_and_one_to_delete(
    scene: Scene, audit: AuditLog
) -> None:
    await scene.estate.put("EventTopic", "counted", topic("counted"))
    await scene.estate.ready("EventTopic", "counted")
    create = await scene.writes(audit, 2)
    await scene.estate.put("EventTopic", "counted", topic("counted", retention={"maxAge": "2h"}))
    await scene.estate.ready("EventTopic", "counted")
    update = await scene.writes(audit, 1)
    await scene.estate.delete("EventTopic", "counted")
    await scene.estate.gone("EventTopic", "counted")
    delete = await scene.writes(audit, 1)
    assert create == ["patch eventtopics", "patch eventtopics/status"]
    assert update == ["patch eventtopics/status"]
    assert delete == ["patch eventtopics"]


async def test_a_group_with_a_binding_takes_three_writes(scene: Scene, audit: AuditLog) -> None:
    await scene.estate.put("EventTopic", "bound", topic("bound"))
    await scene.estate.ready("EventTopic", "bound")
    await scene.writes(audit, 2)
    await scene.estate.put("ConsumerGroup", "bound", group("bound", binding={"configMapName": "bound"}))
    await scene.estate.ready("ConsumerGroup", "bound")
    assert await scene.writes(audit, 3) == [
        "patch consumergroups",
        "create configmaps",
        "patch consumergroups/status",
    ]


async def test_an_event_broker_counts_its_objects_within_seconds_and_in_few_writes(
    scene: Scene, audit: AuditLog
) -> None:
    """However many come and go: once a second after the first of them, then thirty seconds apart."""
    estate = scene.estate
    await estate.put("EventBroker", "many", connection(scene.nats.url, resyncInterval="1s"))
    await estate.ready("EventBroker", "many")
    audit.read()
    for number in range(MANY):
        await estate.put("EventTopic", f"many-{number}", topic(f"many-{number}", broker="many"))
    for number in range(MANY):
        await estate.ready("EventTopic", f"many-{number}")
    await counted(estate, "many", {"topics": MANY, "groups": 0, "deadLetterQueues": 0})
    written = [r for r in scene.operator.requests(audit) if r.resource == "eventbrokers/status"]
    times = [datetime.fromisoformat(r.at) for r in written if r.name == "many"]
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(times)]
    assert [gap for gap in gaps if gap < APART] == []
    for number in range(MANY):
        await estate.delete("EventTopic", f"many-{number}")
    await counted(estate, "many", {"topics": 0, "groups": 0, "deadLetterQueues": 0})


async def objects_on(estate: Estate, broker: str) -> dict[str, int]:
    """How many objects name an EventBroker, groups through their topics."""

    async def named(kind: str, field: str, names: Collection[str]) -> list[str]:
        items = (await estate.api.get(estate.path(kind, "").rstrip("/")))["items"]
        return [each["metadata"]["name"] for each in items if each["spec"][field]["name"] in names]

    topics = await named("EventTopic", "brokerRef", {broker})
    groups = await named("ConsumerGroup", "topicRef", topics)
    queues = await named("DeadLetterQueue", "brokerRef", {broker})
    return {"topics": len(topics), "groups": len(groups), "deadLetterQueues": len(queues)}


async def counted(estate: Estate, broker: str, objects: Mapping[str, int]) -> None:
    """Wait until an EventBroker says how many objects it has."""

    async def says() -> bool:
        return (await estate.status("EventBroker", broker)).get("objects") == objects

    await until(f"{broker} counts {objects}", says, limit=COUNTED)


async def test_a_pass_reads_the_bindings_of_a_namespace_in_one_list(scene: Scene, audit: AuditLog) -> None:
    await scene.estate.put("EventTopic", "listed", topic("listed"))
    names = [f"listed-{number}" for number in range(5)]
    for name in names:
        await scene.estate.put("ConsumerGroup", name, group("listed", binding={"configMapName": name}))
    for name in names:
        await scene.estate.ready("ConsumerGroup", name)
    asked: list[Request] = []

    async def are_passes() -> bool:
        asked.extend(each for each in scene.operator.requests(audit) if each.resource == "configmaps")
        return sum(each.verb == "list" for each in asked) >= PASSES

    await until("passes go by", are_passes)
    asked.clear()
    await until("more passes go by", are_passes)
    others = {each.name for each in asked if each.verb != "list"}
    assert {name for name in others if not name.startswith("headgate-routes-")} == set()


async def test_nothing_is_written_at_rest_while_dead_letters_age_and_groups_idle(
    scene: Scene, audit: AuditLog
) -> None:
    estate = scene.estate
    await scene.nats.make("calm")
    await scene.nats.publish("calm.x", 3)
    await scene.nats.make("dead", subjects=["hg.dead.>"])
    await scene.nats.publish("hg.dead.calm.idle.1")
    await estate.put(
        "DeadLetterQueue", "dead", queue(broker="calm", adoptionPolicy="Always", triageWithin="4h")
    )
    await estate.put("RetryPolicy", "calm", policy())
    await estate.put("EventTopic", "calm", topic("calm", broker="calm", adoptionPolicy="Always"))
    spec = group(
        "calm",
        start={"from": "Latest"},
        retryPolicyRef={"name": "calm"},
        deadLetterQueueRef={"name": "dead"},
        binding={"configMapName": "calm"},
        freshness={"maxAge": "30s"},
    )
    await estate.put("ConsumerGroup", "idle", spec)
    await estate.put("EventBroker", "calm", connection(scene.nats.url, resyncInterval="1s"))
    for kind, name in (("DeadLetterQueue", "dead"), ("RetryPolicy", "calm"), ("ConsumerGroup", "idle")):
        await estate.ready(kind, name)
    await figures_are_true(estate)
    for broker in ("calm", "main"):
        await counted(estate, broker, await objects_on(estate, broker))
    audit.read()
    written: list[str] = []

    async def is_written() -> bool:
        written.extend(f"{r.verb} {r.resource} {r.name}" for r in scene.operator.requests(audit) if r.writes)
        return bool(written)

    async with estate.changes() as changes:
        with suppress(LocalError):
            await until("something is written", is_written, limit=REST)
        assert written == [], "\n".join(changes)
        assert changes == []
    assert scene.operator.complaints == []


async def figures_are_true(estate: Estate) -> None:
    """Wait until status shows what there is; where a figure moves later it is written at most once in half a minute."""

    async def true() -> bool:
        idle = await estate.status("ConsumerGroup", "idle")
        dead = await estate.status("DeadLetterQueue", "dead")
        messages = (await estate.status("EventTopic", "calm")).get("messages")
        capturing = {condition(each, "Capturing").get("status") for each in (idle, dead)}
        figures = ((idle.get("lag") or {}).get("pending"), dead.get("depth"), messages)
        return (figures, capturing) == ((0, 1, "3"), {"True"})

    await until("figures are true", true, limit=15)
