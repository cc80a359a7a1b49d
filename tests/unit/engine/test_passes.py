"""What a worker does about an object that changes under its hands, with a broker in memory and a cluster that obeys."""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from headgate.brokers.fake import FakeBroker, FakeDriver
from headgate.brokers.nats.times import written
from headgate.core.changes import Change
from headgate.core.estate import Ref
from headgate.core.moves import DATA_KEY, load
from headgate.core.resource import Key, Observed, Unread
from headgate.engine.operator import Operator
from headgate.engine.reconcile import Worker
from headgate.engine.reports import Sights
from headgate.engine.shared import Shared
from headgate.engine.unplaced import EARLY, Unplaced
from headgate.engine.world import World
from headgate.engine.writer import Writer
from headgate.kube.client import KubeClient
from headgate.kube.errors import NotFound
from headgate.kube.values import ConfigMap, Owner
from headgate.settings import Settings
from headgate.telemetry.metrics import Metrics

MAIN = Ref("EventBroker", "shop", "main")
BROKER_SPEC = {"nats": {"servers": ["nats://nowhere:1"]}, "allowedNamespaces": {"from": "Same"}}
Meanwhile = Callable[[], None]


def now() -> datetime:
    return datetime.fromtimestamp(time.time(), UTC)


class Cluster:
    """Objects by kind and name; every write grows the version, as an API server does it."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.maps: dict[str, ConfigMap] = {}
        self._version = 100

    def put(self, kind: str, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
        """A new object."""
        self._version += 1
        meta = {
            "namespace": "shop",
            "name": name,
            "uid": f"{name}-{self._version}",
            "generation": 1,
            "creationTimestamp": "2026-11-21T10:00:00Z",
        }
        self.objects[kind, name] = {"kind": kind, "metadata": meta, "spec": dict(spec)}
        return self.touched(kind, name)

    def touched(self, kind: str, name: str, **meta: Any) -> dict[str, Any]:
        """The object as the watch tells it after a change of its metadata."""
        self._version += 1
        body = self.objects[kind, name]
        body["metadata"].update(meta, resourceVersion=str(self._version))
        return deepcopy(body)

    async def patch_finalizers(
        self, kind: str, namespace: str, name: str, *, finalizers: tuple[str, ...], **_: object
    ) -> dict[str, Any]:
        """See KubeClient."""
        del namespace
        if (kind, name) not in self.objects:
            raise NotFound(f"{name} is gone")
        body = self.touched(kind, name, finalizers=list(finalizers))
        if not finalizers and "deletionTimestamp" in body["metadata"]:
            del self.objects[kind, name]
        return body

    async def replace_status(
        self, kind: str, namespace: str, name: str, *, uid: str, status: Mapping[str, Any]
    ) -> dict[str, Any]:
        """See KubeClient."""
        del namespace, uid
        self.objects[kind, name]["status"] = dict(status)
        return self.touched(kind, name)

    async def get_config_map(self, namespace: str, name: str) -> ConfigMap:
        """See KubeClient."""
        if name not in self.maps:
            raise NotFound(f"{namespace}/{name}")
        return self.maps[name]

    async def create_config_map(
        self, namespace: str, name: str, data: Mapping[str, str], *, labels: Mapping[str, str], owner: Owner
    ) -> ConfigMap:
        """See KubeClient."""
        self.maps[name] = ConfigMap(namespace, name, f"{name}-uid", "1", data, labels, (owner,))
        return self.maps[name]

    async def patch_config_map(self, known: ConfigMap, data: Mapping[str, str | None]) -> ConfigMap:
        """See KubeClient."""
        kept = {key: text for key, text in {**known.data, **data}.items() if text is not None}
        self.maps[known.name] = replace(known, data=kept)
        return self.maps[known.name]


class Interrupted(FakeBroker):
    """A broker during whose work something else happens."""

    meanwhile: dict[str, Meanwhile]
    once_read: Meanwhile | None = None

    async def observe(self, keys: Collection[Key]) -> Mapping[Key, Observed | Unread]:
        """As always, and then what is to happen before anything is decided to be done."""
        result = await super().observe(keys)
        happens, self.once_read = self.once_read, None
        if happens is not None:
            happens()
        return result

    async def apply(self, change: Change) -> Observed | None:
        """As always, and then what is to happen meanwhile."""
        result = await super().apply(change)
        self.meanwhile.pop(change.key.name, lambda: None)()
        return result


class Scene:
    """A worker with everything around it."""

    def __init__(self) -> None:
        self.used: list[Ref] = []  # policies that the worker had something new for
        self.cluster = Cluster()
        self.broker = Interrupted(now)
        self.broker.meanwhile = {}
        kube = cast("KubeClient", self.cluster)
        self.world = World("here", lambda _: None)
        driver = FakeDriver(cast("Any", self.broker))
        self.shared = Shared(
            kube=kube,
            world=self.world,
            writer=Writer(kube, self.world),
            metrics=Metrics(),
            wall=now,
            monotonic=time.monotonic,
            jitter=lambda: 1.0,
            keep_secret=lambda _: None,
            drivers=lambda _: driver,
        )
        nothing: Any = lambda _: None  # noqa: E731  (four times the same)
        sights = Sights(nothing, nothing, nothing, lambda _: (), nothing, nothing, self.used.append)
        self.worker = Worker(MAIN, self.shared, lambda _: sights)
        self.world.see("EventBroker", None, self.cluster.put("EventBroker", "main", BROKER_SPEC))

    async def look(self, *refs: Ref) -> None:
        """One turn of the worker."""
        self.worker.queue.add(refs)
        await self.worker._turn()

    def declare(self, name: str) -> Ref:
        """A topic that is deleted in the broker when its object goes."""
        spec = {
            "brokerRef": {"name": "main"},
            "subjects": [f"{name}.>"],
            "retention": {"maxAge": "1h"},
            "deletionPolicy": "Delete",
        }
        return self.put("EventTopic", name, spec)

    def declare_group(self, topic: str) -> tuple[Ref, Ref, Ref]:
        """A group with a binding, its policy and its dead letters."""
        owner = {"team": "t", "contact": "#t", "runbook": "https://runbooks.example/t"}
        policy = {"attempts": 3, "handlingTimeout": "10s", "backoff": {"type": "Fixed", "initial": "1s"}}
        queue = {"brokerRef": {"name": "main"}, "owner": owner, "retention": {"maxAge": "24h"}}
        group = {
            "topicRef": {"name": topic},
            "start": {"from": "Earliest"},
            "retryPolicyRef": {"name": "calm"},
            "deadLetterQueueRef": {"name": "dead"},
            "binding": {"configMapName": "bound"},
        }
        return (
            self.put("RetryPolicy", "calm", policy),
            self.put("DeadLetterQueue", "dead", queue),
            self.put("ConsumerGroup", "billing", group),
        )

    def put(self, kind: str, name: str, spec: Mapping[str, Any]) -> Ref:
        """An object that appears."""
        self.world.see(kind, "ADDED", self.cluster.put(kind, name, spec))
        return Ref(kind, "shop", name)

    def incarnation(self, name: str) -> str:
        """Which stream of that name the broker holds."""
        return written(self.broker.server.stores[name].created)

    def holds(self, name: str) -> bool:
        """Whether the broker holds the stream of a topic."""
        return name in self.broker.server.stores

    def ready(self, name: str) -> tuple[str, int]:
        """What condition Ready says, and of which generation."""
        conditions = self.cluster.objects["EventTopic", name]["status"]["conditions"]
        return next((c["status"], c["observedGeneration"]) for c in conditions if c["type"] == "Ready")


@pytest.fixture
async def scene() -> Scene:
    scene = Scene()
    await scene.look(MAIN)
    return scene


async def test_nothing_is_made_for_an_object_that_is_gone_before_its_finalizer(scene: Scene) -> None:
    topic = scene.declare("brief")
    del scene.cluster.objects["EventTopic", "brief"]
    await scene.look(topic)
    assert not scene.holds("brief")


async def test_an_object_deleted_in_the_middle_of_a_pass_takes_its_stream_with_it(scene: Scene) -> None:
    topic = scene.declare("orders")

    def delete() -> None:
        body = scene.cluster.touched("EventTopic", "orders", deletionTimestamp="2026-11-21T12:00:00Z")
        scene.world.see("EventTopic", "MODIFIED", body)

    scene.broker.meanwhile["orders"] = delete
    await scene.look(topic)
    assert scene.holds("orders")
    assert ("EventTopic", "orders") in scene.cluster.objects
    await scene.look(topic)
    assert not scene.holds("orders")
    assert ("EventTopic", "orders") not in scene.cluster.objects


async def test_an_edit_in_the_middle_of_a_pass_is_not_called_ready_before_it_is_done(scene: Scene) -> None:
    topic = scene.declare("orders")

    def edit() -> None:
        scene.cluster.objects["EventTopic", "orders"]["spec"]["retention"] = {"maxAge": "2h"}
        scene.world.see("EventTopic", "MODIFIED", scene.cluster.touched("EventTopic", "orders", generation=2))

    scene.broker.meanwhile["orders"] = edit
    await scene.look(topic)
    assert "status" not in scene.cluster.objects["EventTopic", "orders"]
    await scene.look(topic)
    assert scene.ready("orders") == ("True", 2)
    assert scene.broker.server.stores["orders"].config["max_age"] == 2 * 3600 * 10**9


async def test_an_answer_of_the_cluster_that_carries_somebody_elses_edit_is_news(scene: Scene) -> None:
    topic, heard = scene.declare("orders"), list[Ref]()
    scene.world._on_dirty = heard.extend
    edited = scene.cluster.touched("EventTopic", "orders", generation=2)
    edited["spec"]["retention"] = {"maxAge": "3h"}
    scene.world.absorb(topic, edited)
    assert topic in heard


# --- what comes of a topic reaches its groups


async def test_binding_and_route_name_the_stream_in_the_pass_that_made_it(scene: Scene) -> None:
    topic = scene.declare("orders")
    _, queue, group = scene.declare_group("orders")
    await scene.look(queue, topic, group)
    (route,) = load(scene.cluster.maps["headgate-routes-main"].data[DATA_KEY]).routes
    assert route.identity == scene.incarnation("orders")
    assert scene.cluster.maps["bound"].data["dead-letter-subject"] == route.address


async def test_a_group_that_was_not_due_is_looked_at_once_its_topic_turned_out_to_be_another(
    scene: Scene,
) -> None:
    topic = scene.declare("orders")
    _, queue, group = scene.declare_group("orders")
    await scene.look(queue, topic)
    assert group in scene.worker.queue.take()


async def test_a_topic_that_turned_out_as_it_was_known_bothers_no_group(scene: Scene) -> None:
    topic = scene.declare("orders")
    _, queue, group = scene.declare_group("orders")
    await scene.look(queue, topic, group)
    scene.worker.queue.take()
    await scene.look(topic)
    assert group not in scene.worker.queue.take()


# --- what a policy amounts to


async def test_a_policy_hears_of_a_group_as_soon_as_it_is_worked_out_and_never_again(scene: Scene) -> None:
    topic = scene.declare("orders")
    policy, queue, group = scene.declare_group("orders")
    await scene.look(queue, topic, group)
    assert scene.used == [policy]
    await scene.look(group)
    assert scene.used == [policy]


async def test_a_policy_keeps_what_was_reported_until_its_groups_are_known_again(scene: Scene) -> None:
    topic = scene.declare("orders")
    policy, queue, group = scene.declare_group("orders")
    await scene.look(queue, topic, group)
    loop = Unplaced(scene.shared, scene.worker.readers.placed, lambda _: True)
    await loop._one(policy)
    reported = scene.cluster.objects["RetryPolicy", "calm"]["status"]
    assert [each["group"] for each in reported["worst"]] == ["shop/billing"]

    passed = [0.0]
    shared = replace(scene.shared, monotonic=lambda: passed[0])
    started_again = Unplaced(shared, lambda _: None, lambda _: False)
    await started_again._one(policy)
    assert scene.cluster.objects["RetryPolicy", "calm"]["status"] == reported
    assert started_again.queue.take() == ()
    passed[0] = EARLY
    assert started_again.queue.take() == (policy,)


async def test_what_becomes_of_a_group_is_not_known_while_its_broker_was_never_reached(scene: Scene) -> None:
    scene.declare("orders")
    _, _, group = scene.declare_group("orders")
    dangling = scene.put("ConsumerGroup", "lost", {"topicRef": {"name": "nowhere"}})
    kube, scrubber = cast("KubeClient", scene.cluster), cast("Any", None)
    operator = Operator(kube, Settings(), installation="here", metrics=Metrics(), scrubber=scrubber)
    for kind, name in scene.cluster.objects:
        operator.see(kind, None, scene.cluster.touched(kind, name))
    branch = operator._branch(MAIN)
    try:
        branch.worker.looked = True
        assert tuple(map(operator._unplaced._is_known, (group, dangling))) == (False, True)
    finally:
        for task in branch.tasks:
            task.cancel()
        await asyncio.gather(*branch.tasks, return_exceptions=True)


async def test_a_policy_nobody_ever_reported_on_does_not_wait_for_its_groups(scene: Scene) -> None:
    policy, _, _ = scene.declare_group("orders")
    await Unplaced(scene.shared, lambda _: None, lambda _: False)._one(policy)
    assert scene.cluster.objects["RetryPolicy", "calm"]["status"]["usedBy"] == 1


# --- what is decided anew because the object is another one


async def test_an_object_made_again_under_its_name_is_not_reported_on_with_what_was_decided_before(
    scene: Scene,
) -> None:
    topic = scene.declare("orders")

    def replace_it() -> None:
        scene.declare("orders")

    scene.broker.meanwhile["orders"] = replace_it
    await scene.look(topic)
    assert "status" not in scene.cluster.objects["EventTopic", "orders"]
    assert topic in scene.worker.queue.take()


async def test_nothing_is_made_for_an_object_asked_to_go_between_decision_and_finalizer(scene: Scene) -> None:
    topic = scene.declare("orders")
    scene.cluster.objects["EventTopic", "orders"]["metadata"]["deletionTimestamp"] = "2026-11-21T12:00:00Z"
    await scene.look(topic)
    assert not scene.holds("orders")


async def test_nothing_is_changed_for_an_object_asked_to_go_after_the_change_was_decided(
    scene: Scene,
) -> None:
    topic = scene.declare("orders")
    await scene.look(topic)
    scene.cluster.objects["EventTopic", "orders"]["spec"]["retention"] = {"maxAge": "2h"}
    scene.world.see("EventTopic", "MODIFIED", scene.cluster.touched("EventTopic", "orders", generation=2))

    def delete() -> None:
        body = scene.cluster.touched("EventTopic", "orders", deletionTimestamp="2026-11-21T12:00:00Z")
        scene.world.see("EventTopic", "MODIFIED", body)

    scene.broker.once_read = delete
    await scene.look(topic)
    assert scene.broker.server.stores["orders"].config["max_age"] == 3600 * 10**9
    await scene.look(topic)
    assert not scene.holds("orders")
