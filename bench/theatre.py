"""A cluster with Headgate, a broker, and the objects and workers of one replay. Does not know what is measured."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
import nats
from bench.replays import (
    DRAIN_WITHIN,
    IDLE_AFTER,
    MAXIMUM,
    PER_REPLICA,
    PROMISE,
    RATE,
    Replay,
)
from bench.scene import PLURALS, VERSION, is_ready, say
from nats.aio.client import Client as Nats

from headgate.local.client import Client
from headgate.local.cluster import Cluster, start_cluster
from headgate.local.demo.broker import Broker, moment
from headgate.local.install import install
from headgate.local.manifests import Install
from headgate.local.nats import LocalNats
from headgate.local.run import open_run
from headgate.local.waiting import until

Json = dict[str, Any]  # Any: objects of the Kubernetes API as they come
NAMESPACE = "reality"
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
PROGRAM = Path(__file__).parents[1] / "examples" / "shop"
STARTING = 5  # seconds that a worker takes before it does anything, as larger programs do
OWNER = {"team": "bench", "contact": "#bench"}
DEAD = "dead"
ALL_PLURALS = {**PLURALS, "RetryPolicy": "retrypolicies", "DeadLetterQueue": "deadletterqueues"}


@dataclass(frozen=True, slots=True)
class Theatre:
    """Everything that a replay needs."""

    cluster: Cluster
    server: LocalNats
    api: Client
    nats: Nats
    broker: Broker  # a look at it that is not the operator's
    ledgers: Path

    async def put(self, kind: str, name: str, spec: Json) -> None:
        """Declare an object and wait until it is Ready."""
        path = self._path(kind, name)
        body = {"apiVersion": VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}
        await self.api.apply(path, body)
        if kind == "RetryPolicy":
            return

        async def ready() -> bool:
            return is_ready(await self.api.get(path))

        await until(f"{kind} {name} is Ready", ready, limit=60, every=0.2)

    async def workers(self) -> dict[int, float]:
        """The connections of workers: since when each one is there."""
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"{self.server.monitoring_url}/connz?limit=1000") as answer,
        ):
            found: Json = await answer.json()
        return {
            each["cid"]: moment(each["start"])
            for each in found["connections"]
            if each.get("name") == "shop-worker"
        }

    async def there(self, count: int) -> None:
        """Wait until exactly so many workers are connected."""

        async def enough() -> bool:
            return len(await self.workers()) == count

        await until(f"{count} workers are there", enough, limit=90, every=0.2)

    async def open(self, replay: Replay) -> None:
        """The topic, the workload and the group of a replay, all of them ready."""
        name = replay.name
        topic = {"subjects": [f"{name}.>"], "retention": {"maxAge": "1h", "maxBytes": "64Mi"}}
        await self.put("EventTopic", topic_of(name), {"brokerRef": {"name": "main"}, "owner": OWNER, **topic})
        policy = {"attempts": replay.attempts, "handlingTimeout": "10s", "deadline": "10m"}
        waits = {"type": "Fixed", "initial": f"{replay.wait}s"}
        await self.put("RetryPolicy", name, {**policy, "backoff": waits})
        await self.api.apply(f"{DEPLOYMENTS}/{name}", self._deployment(replay))
        await self.put("ConsumerGroup", name, _group(replay))
        await self.there(replay.start)

    async def close(self, replay: Replay) -> None:
        """No workers are left."""
        await self.api.delete(self._path("ConsumerGroup", replay.name))
        await self.api.delete(f"{DEPLOYMENTS}/{replay.name}", {"propagationPolicy": "Background"})
        await self.there(0)

    def said(self, name: str) -> list[str]:
        """What the operator wrote of each change of a workload."""
        logs = (self.cluster.run.logs / "pods" / "headgate").glob("*/operator.log")
        lines = [line for log in logs for line in log.read_text(errors="replace").splitlines()]
        return [line for line in lines if f"Deployment {NAMESPACE}/{name} -> " in line]

    def _path(self, kind: str, name: str) -> str:
        return f"/apis/{VERSION}/namespaces/{NAMESPACE}/{ALL_PLURALS[kind]}/{name}"

    def _deployment(self, replay: Replay) -> Json:
        labels = {"app": replay.name}
        env = {
            "BINDING": "/etc/binding",
            "RATE": f"{RATE:g}",
            "LEDGER": f"/var/ledgers/{replay.name}.jsonl",
        }
        mounts = {"binding": "/etc/binding", "app": "/app", "ledgers": "/var/ledgers"}
        words = [
            "sh",
            "-c",
            'sleep "$0"; exec "$@"',
            str(STARTING),
            sys.executable,
            "/app/worker.py",
        ]
        container = {
            "name": "worker",
            "image": "none",
            "command": words,
            "env": [{"name": name, "value": value} for name, value in env.items()],
            "volumeMounts": [{"name": name, "mountPath": path} for name, path in mounts.items()],
        }
        volumes: list[Json] = [
            {"name": "binding", "configMap": {"name": f"{replay.name}-binding"}},
            {"name": "app", "hostPath": {"path": str(PROGRAM)}},
            {"name": "ledgers", "hostPath": {"path": str(self.ledgers)}},
        ]
        pod = {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 15,
            "containers": [container],
            "volumes": volumes,
        }
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": replay.name, "namespace": NAMESPACE},
            "spec": {
                "replicas": replay.start,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        }


def topic_of(name: str) -> str:
    """What the topic of a replay is called, which is what its stream is called."""
    return f"{name}-events"


def _group(replay: Replay) -> Json:
    return {
        "topicRef": {"name": topic_of(replay.name)},
        "owner": OWNER,
        "start": {"from": "Earliest"},
        "freshness": {"maxAge": f"{PROMISE}s"},
        "concurrency": {"perReplica": PER_REPLICA, "total": replay.in_flight},
        "retryPolicyRef": {"name": replay.name},
        "deadLetterQueueRef": {"name": DEAD},
        "binding": {"configMapName": f"{replay.name}-binding"},
        "scaling": {
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": replay.name},
            "minReplicas": replay.minimum,
            "maxReplicas": MAXIMUM,
            "drainWithin": f"{DRAIN_WITHIN}s",
            "idleAfter": f"{IDLE_AFTER}s",
        },
    }


@asynccontextmanager
async def theatre() -> AsyncIterator[Theatre]:
    """Everything started, Headgate installed with its own rights, and all ended with the block."""
    with (
        TemporaryDirectory(prefix="headgate-reality-") as directory,
        closing(open_run(Path(directory))) as run,
    ):
        cluster = await start_cluster(run, brokers=["nats"], say=say)
        server = cluster.nats
        assert server is not None
        ledgers = run.state / "ledgers"
        ledgers.mkdir()
        client = await nats.connect(server.url, name="publisher")
        broker = await Broker.connect(server.url)
        try:
            async with cluster.client() as api:
                await install(cluster, Install(), say, limit=120)
                made = Theatre(cluster, server, api, client, broker, ledgers)
                await _declare(made)
                yield made
        finally:
            await client.close()
            await broker.aclose()
            await cluster.stop()


async def _declare(made: Theatre) -> None:
    """What all replays share."""
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    await made.api.apply(f"/api/v1/namespaces/{NAMESPACE}", body)
    broker = {"name": "main"}
    await made.put("EventBroker", "main", {"nats": {"servers": [made.server.url]}})
    kept = {"retention": {"maxAge": "24h", "maxBytes": "64Mi"}}
    await made.put("DeadLetterQueue", DEAD, {"brokerRef": broker, "owner": OWNER, **kept})
