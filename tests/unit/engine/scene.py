"""A worker with a broker in memory and a cluster that obeys, and what happens to both while it works."""

import time
from collections.abc import Callable, Collection, Mapping
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

from headgate.brokers.base import Driver
from headgate.brokers.fake import FakeBroker, FakeDriver
from headgate.brokers.nats.times import written
from headgate.core.changes import Change
from headgate.core.estate import Ref
from headgate.core.resource import Key, Observed, Unread
from headgate.engine.reconcile import Worker
from headgate.engine.reports import Sights
from headgate.engine.shared import Shared
from headgate.engine.world import World
from headgate.engine.writer import Writer
from headgate.kube.client import KubeClient
from headgate.kube.errors import Fenced, NotFound, Unavailable
from headgate.kube.values import ConfigMap, Owner
from headgate.telemetry.metrics import Metrics

MAIN = Ref("EventBroker", "shop", "main")
BROKER_SPEC = {"nats": {"servers": ["nats://nowhere:1"]}, "allowedNamespaces": {"from": "Same"}}
Meanwhile = Callable[[], None]


def now() -> datetime:
    return datetime.fromtimestamp(time.time(), UTC)


class Cluster:
    """Objects by kind and name; every write grows the version, as an API server does it."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.maps: dict[str, ConfigMap] = {}
        self.fenced = False  # whoever writes does not hold the Lease
        self.writes: list[str] = []
        self.unwritable: set[str] = set()  # names of objects whose status cannot be written now
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
        self,
        kind: str,
        namespace: str,
        name: str,
        *,
        finalizers: tuple[str, ...],
        annotations: Mapping[str, str] | None = None,
        **_: object,
    ) -> dict[str, Any]:
        """See KubeClient."""
        del namespace
        self.writes.append(f"finalizers of {name}")
        if self.fenced:
            raise Fenced("the Lease is not held")
        if (kind, name) not in self.objects:
            raise NotFound(f"{name} is gone")
        kept = self.objects[kind, name]["metadata"].get("annotations") or {}
        written = {**kept, **(annotations or {})}
        body = self.touched(kind, name, finalizers=list(finalizers), annotations=written)
        if not finalizers and "deletionTimestamp" in body["metadata"]:
            del self.objects[kind, name]
        return body

    async def replace_status(
        self, kind: str, namespace: str, name: str, *, uid: str, status: Mapping[str, Any]
    ) -> dict[str, Any]:
        """See KubeClient."""
        del namespace, uid
        self.writes.append(f"status of {name}")
        if name in self.unwritable:
            raise Unavailable("the API server does not answer")
        if self.fenced:
            raise Fenced("the Lease is not held")
        self.objects[kind, name]["status"] = dict(status)
        return self.touched(kind, name)

    async def create_event(self, body: Mapping[str, Any], namespace: str) -> None:
        """What is said about an object."""
        self.said.append(f"{namespace}: {body['reason']}")

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

    def __init__(
        self, before: "Scene | None" = None, drivers: Callable[[FakeDriver], Driver] = lambda driver: driver
    ) -> None:
        """`before` is an operator that ended: what it left in the cluster and in the broker is still there."""
        self.used: list[Ref] = []  # policies that the worker had something new for
        self.cluster: Cluster = Cluster() if before is None else before.cluster
        self.broker: Interrupted = Interrupted(now) if before is None else before.broker
        self.broker.meanwhile = {}
        kube = cast("KubeClient", self.cluster)
        self.world = World("here", lambda _: None)
        driver = drivers(FakeDriver(cast("Any", self.broker)))
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
        if before is None:
            self.cluster.put("EventBroker", "main", BROKER_SPEC)
        for kind, name in self.cluster.objects:
            self.world.see(kind, None, self.cluster.touched(kind, name))

    async def look(self, *refs: Ref) -> None:
        """One turn of the worker."""
        self.worker.queue.add(refs)
        await self.worker._turn()

    def declare(self, name: str, **fields: Any) -> Ref:
        """A topic that is deleted in the broker when its object goes."""
        spec = {
            "brokerRef": {"name": "main"},
            "subjects": [f"{name}.>"],
            "retention": {"maxAge": "1h"},
            "deletionPolicy": "Delete",
            **fields,
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
