"""Whole estates: vanished from the broker, forgotten by Kubernetes, deleted at once, released without an operator."""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from tests.kube.conftest import NamespaceOf
from tests.kube.estate import (
    GROUP_VERSION,
    PLURALS,
    Estate,
    JetStream,
    condition,
    connection,
    group,
    jetstream,
    policy,
    queue,
    topic,
)
from tests.kube.operator import Operator, operator, release
from tests.servers import nats_server

from headgate.local.audit import AuditLog
from headgate.local.client import ApiError, Client
from headgate.local.cluster import Cluster
from headgate.local.nats import LocalNats
from headgate.local.run import Run
from headgate.local.waiting import until

pytestmark = pytest.mark.takes(80)

TOPICS = ("one", "two", "three", "four", "five")
FINALIZER = "headgate.dev/finalizer"


@dataclass
class Scene:
    estate: Estate
    server: LocalNats
    nats: JetStream
    operator: Operator

    async def settle(self) -> None:
        """Wait until everything is Ready."""
        await self.estate.ready("EventBroker", "main")
        await self.estate.ready("DeadLetterQueue", "dead")
        for name in TOPICS:
            await self.estate.ready("EventTopic", name)
            await self.estate.ready("ConsumerGroup", name)

    async def wipe(self) -> None:
        """Kill the server and have it come back without anything that it stored."""
        await self.server.kill()
        shutil.rmtree(self.server.config.parent / "store")
        await self.server.restart()


@asynccontextmanager
async def declared(
    cluster: Cluster, api: Client, run: Run, namespace: str, name: str, *, served: Sequence[str]
) -> AsyncIterator[Scene]:
    """An estate with events in it, everything Ready, some of it read."""
    async with (
        nats_server(run, f"estate-{name}") as server,
        operator(cluster, api, run, name, namespaces=served) as running,
    ):
        scene = Scene(Estate(api, namespace), server, jetstream(server.url), running)
        await scene.estate.put("EventBroker", "main", connection(server.url, resyncInterval="1s"))
        await scene.estate.put("DeadLetterQueue", "dead", queue())
        for each in TOPICS:
            await scene.estate.put("EventTopic", each, topic(each, deletionPolicy="Delete"))
            spec = group(each, deadLetterQueueRef={"name": "dead"}, deletionPolicy="Delete")
            await scene.estate.put("ConsumerGroup", each, spec)
        await scene.settle()
        for each in TOPICS:
            await scene.nats.publish(f"{each}.x", 4)
            await scene.nats.settle(each, each, 3)
        yield scene


@pytest_asyncio.fixture(scope="module")
async def scene(
    cluster: Cluster, api: Client, servers: Run, namespace_of: NamespaceOf
) -> AsyncIterator[Scene]:
    namespace = await namespace_of("main")
    async with declared(cluster, api, servers, namespace, "disasters", served=(namespace,)) as found:
        yield found


async def test_nothing_is_deleted_recreated_or_rewound_when_all_status_was_lost(scene: Scene) -> None:
    estate = scene.estate
    before = await scene.nats.image()
    await scene.operator.kill()
    for kind, names in (
        ("EventBroker", ("main",)),
        ("DeadLetterQueue", ("dead",)),
        ("EventTopic", TOPICS),
        ("ConsumerGroup", TOPICS),
    ):
        for name in names:
            await estate.api.patch(estate.path(kind, name) + "/status", {"status": None})
    await scene.operator.start()
    await scene.settle()
    assert await scene.nats.image() == before
    found = await estate.status("EventTopic", "one")
    assert found["record"]["identity"]
    assert found["record"]["origin"] == "Created"


async def test_a_killed_operator_that_comes_back_writes_nothing(scene: Scene, audit: AuditLog) -> None:
    await scene.settle()
    before = await scene.nats.image()
    await scene.operator.kill()
    audit.read()
    await scene.operator.start()
    assert [r for r in scene.operator.requests(audit) if r.writes] == []
    assert await scene.nats.image() == before


async def test_a_vanished_estate_is_not_made_again_until_one_acknowledgement(scene: Scene) -> None:
    estate = scene.estate
    await scene.wipe()
    message = await estate.says("EventBroker", "main", "EstateVanished", status="False")
    for name in TOPICS:
        await estate.says("EventTopic", name, "EstateVanished", status="False")
        await estate.says("ConsumerGroup", name, "EstateVanished", status="False")
    assert await scene.nats.names() & {*TOPICS, "dead"} == set()
    await scene.operator.restart()
    await estate.says("EventBroker", "main", "EstateVanished", status="False")
    assert await scene.nats.names() & {*TOPICS, "dead"} == set()
    token = (await estate.status("EventBroker", "main"))["lost"]["externalId"]
    assert f'headgate.dev/acknowledge: "{token}"' in message
    await estate.annotate("EventBroker", "main", acknowledge=token)
    await scene.settle()
    assert await scene.nats.names() >= {*TOPICS, "dead"}
    assert condition(await estate.status("EventBroker", "main"), "EstateVanished").get("status") != "True"


async def emptied(scene: Scene) -> None:
    """Delete every stream, but leave the cluster the one that it is; nobody looks while only some are gone."""
    await scene.operator.kill()
    for name in (*TOPICS, "dead"):
        await scene.nats.drop(name)
    await scene.operator.start()


LOSSES = {"a server that comes back empty": Scene.wipe, "streams that are deleted one by one": emptied}


@pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES.keys())
async def test_the_word_on_one_loss_does_not_let_the_next_one_pass(
    scene: Scene, lose: Callable[[Scene], Awaitable[None]]
) -> None:
    """The annotation of the first acknowledgement still stands there."""
    estate = scene.estate
    await scene.settle()
    words = []
    for _ in range(2):
        await lose(scene)
        await estate.says("EventBroker", "main", "EstateVanished", status="False")
        await estate.says("EventTopic", "one", "EstateVanished", status="False")
        assert await scene.nats.names() & {*TOPICS, "dead"} == set()
        words.append((await estate.status("EventBroker", "main"))["lost"]["externalId"])
        await estate.annotate("EventBroker", "main", acknowledge=words[-1])
        await scene.settle()
    assert len(set(words)) == 2


async def test_another_cluster_at_the_same_address_is_not_touched_and_the_known_one_heals(
    scene: Scene,
) -> None:
    """The known server is replaced by one with data of somebody else, then comes back."""
    estate = scene.estate
    await scene.settle()
    before = await scene.nats.image()
    await scene.server.kill()
    store = scene.server.config.parent / "store"
    aside = scene.server.config.parent / "aside"
    store.rename(aside)
    await scene.server.restart()
    await scene.nats.make("theirs")
    theirs = await scene.nats.image()
    message = await estate.says("EventBroker", "main", "EstateVanished", status="False")
    assert "another cluster" in message
    assert "headgate.dev/acknowledge" in message
    await estate.says("EventTopic", "one", "EstateVanished", status="False")
    assert await scene.nats.image() == theirs
    await scene.server.kill()
    shutil.rmtree(store)
    aside.rename(store)
    await scene.server.restart()
    await scene.settle()
    assert await scene.nats.image() == before
    assert scene.operator.complaints == []


async def test_release_lets_everything_go_without_an_operator_and_leaves_the_broker(
    scene: Scene, cluster: Cluster
) -> None:
    estate = scene.estate
    await scene.settle()
    before = await scene.nats.image()
    await scene.operator.stop()
    for name in TOPICS:
        await estate.delete("ConsumerGroup", name)
        await estate.delete("EventTopic", name)
    await estate.delete("DeadLetterQueue", "dead")
    await estate.delete("EventBroker", "main")
    assert await estate.exists("EventTopic", "one")
    code, text = await release(cluster.kubeconfig, "--all", "--namespace", estate.namespace)
    assert (code, "released" in text) == (0, True), text
    for name in TOPICS:
        await estate.gone("EventTopic", name)
        await estate.gone("ConsumerGroup", name)
    await estate.gone("EventBroker", "main")
    assert await scene.nats.image() == before


async def gone(api: Client, namespace: str, limit: float) -> None:
    """Wait until a namespace is no more."""

    async def is_gone() -> bool:
        try:
            await api.get(f"/api/v1/namespaces/{namespace}")
        except ApiError as error:
            return error.status == 404
        return False

    await until("the namespace is gone", is_gone, limit=limit)


MODES = {"in cluster mode": "cluster", "in namespaced mode": "namespaced"}
SOON = 25.0  # seconds: Kubernetes itself waits five before it begins, and looks again in growing steps


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES.keys())
@pytest.mark.parametrize("away", [False, True], ids=["its broker at hand", "its broker away"])
async def test_a_namespace_deleted_with_everything_in_it_goes(
    cluster: Cluster, api: Client, servers: Run, namespace_of: NamespaceOf, mode: str, *, away: bool
) -> None:
    """By Roles alone there are five seconds for it: then the rights may go before anything else does."""
    name = f"doomed-{mode}{'-alone' if away else ''}"
    namespace = await namespace_of("doomed")
    served = (namespace,) if mode == "namespaced" else ()
    async with declared(cluster, api, servers, namespace, name, served=served) as scene:
        if away:
            await scene.server.kill()
        await api.delete(f"/api/v1/namespaces/{namespace}")
        await let_go(scene.estate, 4.5)
        await gone(api, namespace, SOON)
        assert scene.operator.process is not None
        assert scene.operator.process.running
        assert scene.operator.complaints == []
        if away:
            await scene.server.restart()
        left = {*TOPICS} & await scene.nats.names()
        assert left == ({*TOPICS} if away else set())


async def let_go(estate: Estate, limit: float) -> None:
    """Wait until nothing in a namespace waits for us any more, deleted or not."""

    async def free() -> bool:
        for plural in PLURALS.values():
            path = f"/apis/{GROUP_VERSION}/namespaces/{estate.namespace}/{plural}"
            items = (await estate.api.get(path))["items"]
            if any(FINALIZER in (each["metadata"].get("finalizers") or ()) for each in items):
                return False
        return True

    await until("nothing holds the namespace up", free, limit=limit)


async def test_the_end_of_one_namespace_ends_nothing_elsewhere_and_its_return_is_seen(
    cluster: Cluster, api: Client, servers: Run, namespace_of: NamespaceOf
) -> None:
    """Two namespaces served by Roles: one goes with what is in it, comes back under its name and is served again."""
    home, other = await namespace_of("lasting"), await namespace_of("passing")
    async with declared(cluster, api, servers, home, "return", served=(home, other)) as scene:
        passing = scene.estate.within(other)
        await passing.put("RetryPolicy", "first", policy())
        await passing.ready("RetryPolicy", "first")
        rights = await rights_in(api, other)
        await api.delete(f"/api/v1/namespaces/{other}")
        await gone(api, other, SOON)
        await scene.estate.put("EventTopic", "meanwhile", topic("meanwhile"))
        await scene.estate.ready("EventTopic", "meanwhile")
        await api.post("/api/v1/namespaces", {"metadata": {"name": other}})
        for path, body in rights:
            await api.post(path, body)
        await passing.put("RetryPolicy", "second", policy())
        await passing.ready("RetryPolicy", "second", limit=SOON)
        await scene.operator.restart()
        await passing.delete("RetryPolicy", "second")
        await passing.gone("RetryPolicy", "second")


async def rights_in(api: Client, namespace: str) -> list[tuple[str, dict[str, Any]]]:
    """Every Role and RoleBinding of a namespace, as it can be made again: Roles first."""
    found: list[tuple[str, dict[str, Any]]] = []
    for plural in ("roles", "rolebindings"):
        path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/{plural}"
        for each in (await api.get(path))["items"]:
            kept = {key: value for key, value in each.items() if key != "metadata"}
            found.append((path, {**kept, "metadata": {"name": each["metadata"]["name"]}}))
    return found


async def test_an_operator_starts_although_one_of_its_namespaces_is_not_open_to_it(
    cluster: Cluster, api: Client, servers: Run, namespace_of: NamespaceOf
) -> None:
    home, other = await namespace_of("open"), await namespace_of("closed")
    async with declared(cluster, api, servers, home, "closed", served=(home, other)) as scene:
        rights = await rights_in(api, other)
        bindings = "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings/{}"
        for path, body in rights:
            if path.endswith("rolebindings"):
                await api.delete(bindings.format(other, body["metadata"]["name"]))
        await scene.operator.restart()
        assert [
            line for line in scene.operator.complaints if f"namespace {other} is not served" in line
        ] != []
        closed = scene.estate.within(other)
        await closed.put("RetryPolicy", "late", policy())
        for path, body in rights:
            if path.endswith("rolebindings"):
                await api.post(path, body)
        await closed.ready("RetryPolicy", "late", limit=SOON)


async def test_a_namespace_whose_roles_went_first_is_let_go_by_release(
    cluster: Cluster, api: Client, servers: Run, namespace_of: NamespaceOf
) -> None:
    """Whoever takes the rights away before the namespace has to let its objects go too."""
    namespace = await namespace_of("roles")
    async with declared(cluster, api, servers, namespace, "roles", served=(namespace,)) as scene:
        roles = (
            f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings/headgate-operator-roles"
        )
        await api.delete(roles)
        await api.delete(f"/api/v1/namespaces/{namespace}")
        await scene.operator.stop()
        code, text = await release(cluster.kubeconfig, "--all", "--namespace", namespace)
        assert code == 0, text
        await gone(api, namespace, SOON)
