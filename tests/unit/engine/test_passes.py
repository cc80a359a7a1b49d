"""What a worker does about an object that changes under its hands, with a broker in memory and a cluster that obeys."""

import time
from collections.abc import Callable, Mapping
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from headgate.brokers.fake import FakeBroker, FakeDriver
from headgate.core.changes import Change
from headgate.core.estate import Ref
from headgate.core.resource import Observed
from headgate.engine.reconcile import Worker
from headgate.engine.reports import Sights
from headgate.engine.shared import Shared
from headgate.engine.world import World
from headgate.engine.writer import Writer
from headgate.kube.client import KubeClient
from headgate.kube.errors import NotFound
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

    async def get_config_map(self, namespace: str, name: str) -> None:
        """See KubeClient."""
        raise NotFound(f"{namespace}/{name}")


class Interrupted(FakeBroker):
    """A broker during whose work something else happens."""

    meanwhile: dict[str, Meanwhile]

    async def apply(self, change: Change) -> Observed | None:
        """As always, and then what is to happen meanwhile."""
        result = await super().apply(change)
        self.meanwhile.pop(change.key.name, lambda: None)()
        return result


class Scene:
    """A worker with everything around it."""

    def __init__(self) -> None:
        self.cluster = Cluster()
        self.broker = Interrupted(now)
        self.broker.meanwhile = {}
        kube = cast("KubeClient", self.cluster)
        self.world = World("here", lambda _: None)
        driver = FakeDriver(cast("Any", self.broker))
        shared = Shared(
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
        nothing: Any = lambda _: None  # noqa: E731  (five times the same)
        sights = Sights(nothing, nothing, nothing, lambda _: (), nothing, nothing, nothing)
        self.worker = Worker(MAIN, shared, lambda _: sights)
        self.world.see("EventBroker", None, self.cluster.put("EventBroker", "main", BROKER_SPEC))

    async def look(self, *refs: Ref) -> None:
        """One turn of the worker."""
        self.worker.queue.add(refs)
        await self.worker._turn()

    def declare(self, name: str, max_age: str = "1h") -> Ref:
        """A topic that is deleted in the broker when its object goes."""
        spec = {
            "brokerRef": {"name": "main"},
            "subjects": [f"{name}.>"],
            "retention": {"maxAge": max_age},
            "deletionPolicy": "Delete",
        }
        self.world.see("EventTopic", "ADDED", self.cluster.put("EventTopic", name, spec))
        return Ref("EventTopic", "shop", name)

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
