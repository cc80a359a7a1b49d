"""What is granted is used, and what is used is granted: by the API server's own log of a whole life, in both modes."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import pytest
from tests.kube.conftest import NamespaceOf
from tests.kube.estate import Estate, JetStream, condition, connection, group, jetstream, policy, queue, topic
from tests.kube.operator import Operator, operator, token
from tests.kube.rivals import scaled_objects, target
from tests.servers import nats_server

from headgate.kube.rbac import RULES
from headgate.local.audit import AuditLog, Request
from headgate.local.client import Client
from headgate.local.cluster import Cluster
from headgate.local.kubeconfig import Access
from headgate.local.manifests import Install, render
from headgate.local.processes import Process
from headgate.local.run import Run
from headgate.local.waiting import until

pytestmark = pytest.mark.takes(65)

FORBIDDEN = 403
TOKEN = "s3cret-of-the-rights"
Right = tuple[str, str, str]  # component, resource, verb


@dataclass
class Scene:
    """Everything that one life needs."""

    cluster: Cluster
    api: Client
    run: Run
    estate: Estate
    nats: JetStream
    operator: Operator
    home: str  # where operator and mover live
    namespaces: Sequence[str]  # that they serve; none: all

    async def mover(self, *words: str) -> Process:
        """The mover under its own account."""
        account = "headgate-mover"
        file = self.run.state / f"{self.home}-mover.kubeconfig"
        secret = await token(self.api, self.home, account)
        Access(self.cluster.access.url, self.cluster.access.authority, secret, self.home).write(file)
        command = [
            sys.executable,
            "-m",
            "headgate",
            "mover",
            "--kubeconfig",
            str(file),
            "--port",
            "0",
            *words,
        ]
        return self.run.start(f"{self.home}-mover", command, env={**os.environ})

    async def workload(self, kind: str, name: str) -> None:
        """A workload without pods."""
        pod = {"containers": [{"name": "c", "image": "none", "command": ["true"]}]}
        spec = {
            "replicas": 0,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": pod | {"schedulingGates": [{"name": "example.com/never"}]},
            },
        }
        more = {"serviceName": name} if kind == "StatefulSet" else {}
        path = f"/apis/apps/v1/namespaces/{self.estate.namespace}/{kind.lower()}s"
        await self.api.post(path, {"metadata": {"name": name}, "spec": spec | more})

    async def scaled(self, path: str) -> None:
        """Wait until a workload has replicas."""

        async def has_replicas() -> bool:
            return bool((await self.api.get(path))["spec"]["replicas"])

        await until(f"{path} has replicas", has_replicas)


@pytest.mark.parametrize("mode", ["namespaced", "cluster"])
async def test_every_right_is_used_and_none_is_missing(
    cluster: Cluster, api: Client, servers: Run, namespace_of: NamespaceOf, mode: str
) -> None:
    namespace, home = await namespace_of("shop"), f"rights-{mode}"
    namespaces = (namespace,) if mode == "namespaced" else ()
    log = AuditLog(cluster.plane.audit_log)
    config = f"authorization {{ token: {TOKEN} }}"
    async with (
        scaled_objects(api),
        nats_server(servers, f"{home}-nats", config=config) as server,
        operator(cluster, api, servers, home, namespaces=namespaces, lease=True) as running,
    ):
        nats = jetstream(server.url, token=TOKEN)
        scene = Scene(cluster, api, servers, Estate(api, namespace), nats, running, home, namespaces)
        await _declared(scene, server.url)
        for act in (_scaled, _bound, _dead, _orphaned, _deleted):
            await act(scene)
        await running.stop()  # watches are in the log once they end
    asked = [request for request in log.read() if request.user.startswith(f"system:serviceaccount:{home}:")]
    own = {"", namespace, home}  # what other tests left elsewhere may want what no object of ours does
    assert [request for request in asked if request.code == FORBIDDEN and request.namespace in own] == []
    assert set(_granted(Install(home, namespaces))) - set(_used(asked)) == set()


def _granted(install: Install) -> Iterator[Right]:
    for each in render(install):
        if each["kind"] in {"Role", "ClusterRole"}:
            component = each["metadata"]["name"].removesuffix("-own")
            for rule in each["rules"]:
                yield from (
                    (component, resource, verb) for resource in rule["resources"] for verb in rule["verbs"]
                )


def _used(asked: Sequence[Request]) -> Iterator[Right]:
    for request in asked:
        yield request.user.rpartition(":")[2], request.resource, request.verb


def test_resources_of_different_groups_have_different_names() -> None:
    names = {(rule.resource, rule.api_group) for rule in RULES}
    assert len(names) == len({resource for resource, _ in names})


# --- one life


async def _declared(scene: Scene, url: str) -> None:
    """All five kinds, on a server that wants credentials."""
    estate = scene.estate
    secret = {"metadata": {"name": "nats"}, "stringData": {"token": TOKEN}}
    await scene.api.post(f"/api/v1/namespaces/{estate.namespace}/secrets", secret)
    named = {"credentialsSecretRef": {"name": "nats"}}
    await estate.put("EventBroker", "main", connection(url, nats=named, resyncInterval="1s"))
    await estate.put("DeadLetterQueue", "dead", queue(deletionPolicy="Delete"))
    await estate.put("RetryPolicy", "once", policy(attempts=1, timeout="1s"))
    await estate.put("EventTopic", "orders", topic("orders", deletionPolicy="Delete"))
    for name, kind in (("billing", "Deployment"), ("audit", "StatefulSet")):
        await scene.workload(kind, name)
        rule = {"targetRef": target(name) | {"kind": kind}, "maxReplicas": 2, "minReplicas": 0}
        spec = group(
            "orders",
            retryPolicyRef={"name": "once"},
            deadLetterQueueRef={"name": "dead"},
            binding={"configMapName": name},
            scaling=rule | {"capacity": {"eventsPerSecondPerReplica": "10"}},
            deletionPolicy="Delete",
        )
        await estate.put("ConsumerGroup", name, spec)
    for kind, name in (("DeadLetterQueue", "dead"), ("RetryPolicy", "once"), ("ConsumerGroup", "audit")):
        await estate.ready(kind, name)
    await estate.ready("ConsumerGroup", "billing")


async def _scaled(scene: Scene) -> None:
    await scene.nats.publish("orders.x")
    root = f"/apis/apps/v1/namespaces/{scene.estate.namespace}"
    await scene.scaled(f"{root}/deployments/billing")
    await scene.scaled(f"{root}/statefulsets/audit")


async def _bound(scene: Scene) -> None:
    """A binding that changes, and one under another name."""
    estate = scene.estate
    path = f"/api/v1/namespaces/{estate.namespace}/configmaps"
    before = (await scene.api.get(f"{path}/billing"))["data"]["revision"]
    await estate.change("RetryPolicy", "once", {"handlingTimeout": "2s"})

    async def is_changed() -> bool:
        return bool((await scene.api.get(f"{path}/billing"))["data"]["revision"] != before)

    await until("the binding is changed", is_changed)
    await estate.change("ConsumerGroup", "audit", {"binding": {"configMapName": "elsewhere"}})

    async def is_moved() -> bool:
        names = {each["metadata"]["name"] for each in (await scene.api.get(path))["items"]}
        return "elsewhere" in names and "audit" not in names

    await until("the binding is under its other name alone", is_moved)


async def _dead(scene: Scene) -> None:
    """An event that no worker settles, and movers of everything and of one EventBroker."""
    where = [word for name in scene.namespaces for word in ("--namespace", name)] or ["--all-namespaces"]
    mover = await scene.mover(*where)
    await _given_up(scene, "billing")

    async def is_dead() -> bool:
        found = await scene.nats.stream("dead")
        return found is not None and found["state"]["messages"] > 0

    await until("the event is in the dead-letter queue", is_dead)
    assert await mover.stop(grace=10.0) == 0
    mover = await scene.mover("--broker", f"{scene.estate.namespace}/main")
    await _given_up(scene, "audit")

    async def is_dead_twice() -> bool:
        found = await scene.nats.stream("dead")
        return found is not None and found["state"]["messages"] > 1

    await until("the other event is in the dead-letter queue", is_dead_twice)
    assert await mover.stop(grace=10.0) == 0


async def _given_up(scene: Scene, durable: str) -> None:
    """Take an event, let its one attempt run out, and ask for more, upon which it moves on."""
    async with scene.nats.client() as client:
        reader = await client.jetstream().pull_subscribe_bind(durable, stream="orders")
        await reader.fetch(1, timeout=5)

        async def is_moved() -> bool:
            with suppress(TimeoutError):
                await reader.fetch(1, timeout=0.5)
            found = await scene.nats.durable("orders", durable)
            return found is not None and found["num_ack_pending"] == 0

        await until("the event has no attempt left", is_moved)


async def _orphaned(scene: Scene) -> None:
    """A topic that goes while its broker is away, which people are told of by an Event."""
    estate = scene.estate
    async with nats_server(scene.run, f"{scene.home}-mortal") as server:
        await estate.put("EventBroker", "mortal", connection(server.url, resyncInterval="1s"))
        spec = topic("left", broker="mortal", deletionPolicy="Delete", unreachablePolicy="Orphan")
        await estate.put("EventTopic", "left", spec)
        await estate.ready("EventTopic", "left")

    async def is_away() -> bool:
        found = condition(await estate.status("EventBroker", "mortal"), "Reachable")
        return bool(found["status"] == "False")

    await until("the broker is away", is_away)
    await estate.delete("EventTopic", "left")
    await estate.gone("EventTopic", "left")


async def _deleted(scene: Scene) -> None:
    kinds: Sequence[tuple[str, str]] = (
        ("ConsumerGroup", "billing"),
        ("ConsumerGroup", "audit"),
        ("EventTopic", "orders"),
        ("DeadLetterQueue", "dead"),
        ("RetryPolicy", "once"),
        ("EventBroker", "main"),
        ("EventBroker", "mortal"),
    )
    for kind, name in kinds:
        await scene.estate.delete(kind, name)
    for kind, name in kinds:
        await scene.estate.gone(kind, name)
    assert await scene.nats.names() & {"orders", "dead"} == set()
    assert scene.operator.complaints == []
