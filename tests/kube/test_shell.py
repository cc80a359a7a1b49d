"""The operator process around a recording engine, on the real API server: what it tells, writes, and how it ends."""

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from headgate.handlers.inbox import Scope
from headgate.handlers.listing import SetupError
from headgate.handlers.process import Process
from headgate.kube.client import KubeClient
from headgate.kube.config import from_kubeconfig
from headgate.kube.errors import Fenced
from headgate.kube.identity import Holder
from headgate.kube.lease import Leadership, Pace
from headgate.local.audit import AuditLog
from headgate.local.client import Client
from headgate.local.cluster import Cluster
from headgate.local.install import install_crds
from headgate.local.waiting import until
from headgate.telemetry.metrics import Metrics

pytestmark = pytest.mark.takes(20)

QUICK = Pace(duration=3, renew=0.2, retry=0.05, margin=1.0)


@dataclass
class Engine:
    """Writes down what it is told and does nothing."""

    heard: list[tuple[str, str | None, str]] = field(default_factory=list)
    names: dict[str, tuple[str, str]] = field(default_factory=dict)
    namespaces: int = 0
    endings: list[tuple[str, bool]] = field(default_factory=list)
    told_before_run: int = -1
    ready: bool = False
    _stop: asyncio.Event = field(default_factory=asyncio.Event)

    def see(self, kind: str, event: str | None, body: Mapping[str, Any]) -> None:
        meta = body["metadata"]
        self.heard.append((kind, event, meta["name"]))
        if kind == "RetryPolicy" and event == "DELETED":
            self.names.pop(meta["uid"], None)
        elif kind == "RetryPolicy":
            self.names[meta["uid"]] = (meta["namespace"], meta["name"])

    def see_namespace(self, event: str | None, body: Mapping[str, Any]) -> None:
        del event, body
        self.namespaces += 1

    def known(self, kind: str) -> Mapping[str, tuple[str, str]]:
        return self.names if kind == "RetryPolicy" else {}

    def see_ending(self, namespace: str, since: datetime | None) -> None:
        self.endings.append((namespace, since is not None))

    def listed(self, parts: Collection[str | None]) -> None:
        del parts
        self.told_before_run = len(self.heard)

    async def begun(self) -> None:
        """There is nothing to do."""

    async def run(self) -> None:
        self.ready = True
        await self._stop.wait()

    def measure(self) -> None:
        """Nothing to measure."""

    async def stop(self) -> None:
        self._stop.set()

    async def hears(self, event: str, name: str) -> None:
        """Wait until it is told of a RetryPolicy; LISTED or ADDED depends on when its watch began, so either will do."""
        wanted = {event} if event != "ADDED" else {"ADDED", None}

        async def heard() -> bool:
            return any(found in wanted and who == name for _, found, who in self.heard)

        await until(f"the engine hears {event} of {name}", heard)


@dataclass
class Clock:
    """The real time, and as much more as a test says."""

    ahead: float = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


@pytest_asyncio.fixture
async def kube(cluster: Cluster, api: Client) -> AsyncIterator[KubeClient]:
    await install_crds(api)
    client = KubeClient(from_kubeconfig(cluster.kubeconfig))
    yield client
    await client.aclose()


def leadership(kube: KubeClient, namespace: str, number: int = 1) -> Leadership:
    holder = Holder(f"host-{number}", "-", f"boot-{number}", "1", number, "1")
    return Leadership(
        kube,
        namespace,
        "headgate-operator",
        holder,
        now=time.monotonic,
        wall=lambda: datetime.fromtimestamp(time.time(), UTC),
        pace=QUICK,
    )


@asynccontextmanager
async def running(process: Process) -> AsyncIterator[asyncio.Task[None]]:
    """The process for the length of a block."""
    task = asyncio.create_task(process.run())
    try:
        yield task
    finally:
        process.request_stop()
        async with asyncio.timeout(10):
            await task


def shell(
    kube: KubeClient, engine: Engine, scope: Scope, lead: Leadership | None = None, **more: Any
) -> Process:
    return Process(
        kube=kube,
        engine=engine,
        scope=scope,
        metrics=Metrics(),
        leadership=lead,
        **{"now": Clock(), "port": None} | more,
    )


def path(namespace: str, name: str = "") -> str:
    return f"/apis/headgate.dev/v1alpha1/namespaces/{namespace}/retrypolicies" + (f"/{name}" if name else "")


async def make(api: Client, namespace: str, name: str) -> None:
    spec = {"attempts": 3, "handlingTimeout": "10s", "backoff": {"type": "Fixed", "initial": "1s"}}
    head = {"apiVersion": "headgate.dev/v1alpha1", "kind": "RetryPolicy", "metadata": {"name": name}}
    await api.post(path(namespace), {**head, "spec": spec})


async def test_what_exists_is_told_before_the_engine_runs_and_changes_as_they_come(
    kube: KubeClient, api: Client, namespace: str
) -> None:
    engine = Engine()
    await make(api, namespace, "old")
    async with running(shell(kube, engine, Scope((namespace,)))):
        await engine.hears("ADDED", "old")
        await make(api, namespace, "new")
        await engine.hears("ADDED", "new")
        await api.patch(path(namespace, "new"), {"spec": {"attempts": 4}})
        await engine.hears("MODIFIED", "new")
        await api.delete(path(namespace, "new"))
        await engine.hears("DELETED", "new")
    assert engine.told_before_run == 1


async def test_the_shell_writes_nothing_but_its_lease(
    kube: KubeClient, api: Client, namespace: str, audit: AuditLog
) -> None:
    engine = Engine()
    async with running(shell(kube, engine, Scope((namespace,)), leadership(kube, namespace))):
        await make(api, namespace, "p")
        await engine.hears("ADDED", "p")
        await api.delete(path(namespace, "p"))
        await engine.hears("DELETED", "p")
    ours = [request for request in audit.read() if request.agent == "headgate"]
    assert {request.resource for request in ours if request.writes} == {"leases"}
    assert "retrypolicies" in {request.resource for request in ours}


async def test_in_one_namespace_nothing_is_asked_of_the_cluster(
    kube: KubeClient, api: Client, namespace: str, audit: AuditLog
) -> None:
    engine = Engine()
    async with running(shell(kube, engine, Scope((namespace,)))):
        await make(api, namespace, "p")
        await engine.hears("ADDED", "p")
    asked = {(r.resource, r.namespace) for r in audit.read() if r.agent == "headgate"}
    assert {where for _, where in asked} == {namespace}
    assert engine.namespaces == 0


async def test_everywhere_means_objects_of_all_namespaces_and_the_namespaces_themselves(
    kube: KubeClient, api: Client, namespace: str
) -> None:
    engine = Engine()
    async with running(shell(kube, engine, Scope())):
        await make(api, namespace, "anywhere")
        await engine.hears("ADDED", "anywhere")
    assert engine.namespaces > 0


async def test_a_second_one_acts_as_soon_as_the_first_gives_up_the_lease(
    cluster: Cluster, kube: KubeClient, api: Client, namespace: str
) -> None:
    await make(api, namespace, "p")
    other = KubeClient(from_kubeconfig(cluster.kubeconfig))
    first, second = Engine(), Engine()
    async with running(shell(kube, first, Scope((namespace,)), leadership(kube, namespace, 1))):
        await first.hears("ADDED", "p")
        successor = asyncio.create_task(
            (process := shell(other, second, Scope((namespace,)), leadership(other, namespace, 2))).run()
        )

        async def renewed() -> bool:
            return (await kube.get_lease(namespace, "headgate-operator")).renewed != before.renewed

        before = await kube.get_lease(namespace, "headgate-operator")
        await until("the first one has renewed", renewed)
        assert second.heard == []
    await second.hears("ADDED", "p")
    with pytest.raises(Fenced):
        await kube.create_config_map(namespace, "late", {}, labels={})
    process.request_stop()
    await asyncio.wait_for(successor, 10)
    await other.aclose()
    assert (await kube.get_lease(namespace, "headgate-operator")).holder == ""


async def test_liveness_fails_for_a_watch_that_fell_silent_and_names_it(
    kube: KubeClient, api: Client, namespace: str
) -> None:
    clock, engine, ports = Clock(), Engine(), list[int]()
    process = shell(
        kube, engine, Scope((namespace,)), now=clock, host="127.0.0.1", port=0, on_listening=ports.append
    )

    async def ask(question: str) -> tuple[int, str]:
        async with session.get(f"http://127.0.0.1:{ports[0]}{question}") as answer:
            return answer.status, await answer.text()

    async with aiohttp.ClientSession() as session, running(process):
        await make(api, namespace, "first")
        await engine.hears("ADDED", "first")
        assert [(await ask(question))[0] for question in ("/livez", "/readyz")] == [200, 200]

        async def silent() -> bool:
            clock.ahead += 200.0  # again and again: a watch may open only now
            status, text = await ask("/livez")
            return status == 503 and "retrypolicies" in text and "eventtopics" in text

        await until("every watch counts as dead", silent)
        await make(api, namespace, "second")
        await engine.hears("ADDED", "second")
        _, text = await ask("/livez")
        assert "retrypolicies" not in text  # the others may have been opened anew by now: that is life too
        assert "headgate_watch_silence_seconds" in (await ask("/metrics"))[1]


async def test_an_engine_that_fails_ends_the_process_with_its_error(kube: KubeClient, namespace: str) -> None:
    class Failing(Engine):
        async def run(self) -> None:
            raise ArithmeticError("the engine is broken")

    with pytest.raises(ArithmeticError, match="broken"):
        await asyncio.wait_for(shell(kube, Failing(), Scope((namespace,))).run(), 10)


async def test_without_permission_it_says_which_one(cluster: Cluster, namespace: str) -> None:
    nobody = KubeClient(replace(from_kubeconfig(cluster.kubeconfig), token="wrong"))
    with pytest.raises(SetupError, match="Unauthorized"):
        await asyncio.wait_for(shell(nobody, Engine(), Scope((namespace,))).run(), 10)
    await nobody.aclose()
