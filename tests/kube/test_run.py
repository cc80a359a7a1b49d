"""`headgate run` and `headgate release` as programs: started, asked, killed, started again."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from headgate.kube.client import KubeClient
from headgate.kube.config import from_kubeconfig
from headgate.local.client import Client
from headgate.local.cluster import Cluster
from headgate.local.install import install_crds
from headgate.local.kubeconfig import Access
from headgate.local.ports import free_port
from headgate.local.waiting import until

pytestmark = pytest.mark.takes(40)

FINALIZER = "headgate.dev/finalizer"
LEASE = "headgate-operator"


@pytest_asyncio.fixture
async def kube(cluster: Cluster, api: Client) -> AsyncIterator[KubeClient]:
    await install_crds(api)
    client = KubeClient(from_kubeconfig(cluster.kubeconfig))
    yield client
    await client.aclose()


async def start(cluster: Cluster, *words: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "headgate",
        *words,
        env={**os.environ, "KUBECONFIG": str(cluster.kubeconfig)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def said(process: asyncio.subprocess.Process, limit: float = 10.0) -> tuple[int, str]:
    """The exit code and everything that was printed."""
    async with asyncio.timeout(limit):
        out, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode()


@asynccontextmanager
async def operator(cluster: Cluster, namespace: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """An operator for one namespace, with its Lease there, from when it is ready."""
    port = free_port()
    words = ("--namespace", namespace, "--own-namespace", namespace, "--port", str(port))
    process = await start(cluster, "run", *words)

    async def ready() -> bool:
        try:
            async with session.get(f"http://127.0.0.1:{port}/readyz") as answer:
                return answer.status == 200
        except aiohttp.ClientConnectionError:
            assert process.returncode is None
            return False

    try:
        async with aiohttp.ClientSession() as session:
            await until("the operator is ready", ready)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def release(cluster: Cluster, namespace: str, *words: str) -> tuple[int, str]:
    options = ("release", "--lease-namespace", namespace, *words)
    return await said(await start(cluster, *options), limit=30)


async def guarded(api: Client, namespace: str) -> str:
    """A RetryPolicy with our finalizer; its path."""
    path = f"/apis/headgate.dev/v1alpha1/namespaces/{namespace}/retrypolicies"
    body = {
        "apiVersion": "headgate.dev/v1alpha1",
        "kind": "RetryPolicy",
        "metadata": {"name": "p", "finalizers": [FINALIZER, "example.com/other"]},
        "spec": {"attempts": 3, "handlingTimeout": "10s", "backoff": {"type": "Fixed", "initial": "1s"}},
    }
    await api.post(path, body)
    return f"{path}/p"


async def test_sigterm_ends_it_cleanly_in_time_and_gives_the_lease_back(
    cluster: Cluster, kube: KubeClient, namespace: str
) -> None:
    async with operator(cluster, namespace) as process:
        assert (await kube.get_lease(namespace, LEASE)).holder != ""
        process.terminate()
        code, text = await said(process)
    assert (code, "Traceback" in text) == (0, False)
    assert (await kube.get_lease(namespace, LEASE)).holder == ""


async def test_after_a_kill_the_next_one_does_not_wait_for_the_lease_to_run_out(
    cluster: Cluster, kube: KubeClient, namespace: str
) -> None:
    async with operator(cluster, namespace) as first:
        dead = (await kube.get_lease(namespace, LEASE)).holder
        first.send_signal(signal.SIGKILL)
        await first.communicate()
    start_at = asyncio.get_running_loop().time()
    async with operator(cluster, namespace):
        lease = await kube.get_lease(namespace, LEASE)
    took = asyncio.get_running_loop().time() - start_at
    assert (lease.holder != dead, lease.transitions, took < lease.duration) == (True, 1, True)


async def test_release_refuses_while_an_operator_runs_unless_it_is_forced(
    cluster: Cluster, api: Client, kube: KubeClient, namespace: str
) -> None:
    del kube
    path = await guarded(api, namespace)
    async with operator(cluster, namespace):
        code, text = await release(cluster, namespace, "--all", "--namespace", namespace)
        assert (code, "an operator runs" in text) == (1, True)
        code, _ = await release(cluster, namespace, "--force", "RetryPolicy", f"{namespace}/p")
        assert code == 0
    await api.patch(path, {"metadata": {"finalizers": None}})


async def test_release_finds_the_operator_wherever_it_lives(
    cluster: Cluster, api: Client, kube: KubeClient, namespace: str
) -> None:
    del kube
    path = await guarded(api, namespace)
    async with operator(cluster, namespace) as process:
        code, text = await said(await start(cluster, "release", "--all", "--namespace", namespace), limit=30)
        assert (code, f"Lease {namespace}/{LEASE}" in text) == (1, True)
        process.terminate()
        await process.communicate()
        code, text = await said(await start(cluster, "release", "RetryPolicy", f"{namespace}/p"), limit=30)
        assert (code, "released 1 of 1" in text) == (0, True)
    await api.patch(path, {"metadata": {"finalizers": None}})


async def limited(cluster: Cluster, api: Client, namespace: str, kubeconfig: Path) -> None:
    """A kubeconfig of somebody who may release policies in one namespace and read Leases there, and nothing else."""
    rights = [
        {"apiGroups": ["headgate.dev"], "resources": ["retrypolicies"], "verbs": ["get", "patch"]},
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get"]},
    ]
    auth = "rbac.authorization.k8s.io"
    within = f"/apis/{auth}/v1/namespaces/{namespace}"
    await api.post(f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "someone"}})
    await api.post(f"{within}/roles", {"metadata": {"name": "someone"}, "rules": rights})
    binding = {
        "metadata": {"name": "someone"},
        "roleRef": {"apiGroup": auth, "kind": "Role", "name": "someone"},
        "subjects": [{"kind": "ServiceAccount", "name": "someone", "namespace": namespace}],
    }
    await api.post(f"{within}/rolebindings", binding)
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/someone/token"
    token = str((await api.post(path, request))["status"]["token"])
    Access(cluster.access.url, cluster.access.authority, token, namespace).write(kubeconfig)


async def test_release_by_somebody_who_may_not_look_everywhere_says_so_and_touches_nothing(
    cluster: Cluster, api: Client, kube: KubeClient, namespace: str, tmp_path: Path
) -> None:
    """Silence is not taken for safety: without a Lease at hand the person has to say where it is, or that there is none."""
    path = await guarded(api, namespace)
    someone = tmp_path / "someone"
    await limited(cluster, api, namespace, someone)
    words = ("release", "--kubeconfig", str(someone), "RetryPolicy", f"{namespace}/p")
    code, text = await said(await start(cluster, *words), limit=30)
    assert (code, "--lease-namespace" in text, "--force" in text) == (1, True, True)
    assert FINALIZER in (await api.get(path))["metadata"]["finalizers"]
    await kube.create_lease(namespace, LEASE, {"holderIdentity": "", "leaseDurationSeconds": 1})
    code, text = await said(await start(cluster, *words), limit=30)
    assert (code, "released 1 of 1" in text) == (0, True), text
    await api.patch(path, {"metadata": {"finalizers": None}})


SAFE = {
    "everything": ("--all",),
    "one object by its kind": ("RetryPolicy",),
    "one object by its plural": ("retrypolicies",),
}


@pytest.mark.parametrize("words", SAFE.values(), ids=SAFE.keys())
async def test_release_takes_our_finalizer_and_no_other(
    cluster: Cluster, api: Client, kube: KubeClient, namespace: str, words: tuple[str, ...]
) -> None:
    del kube
    path = await guarded(api, namespace)
    target = ("--namespace", namespace) if words == ("--all",) else (f"{namespace}/p",)
    code, text = await release(cluster, namespace, *words, *target)
    assert (code, "released 1 of 1" in text) == (0, True)
    assert (await api.get(path))["metadata"]["finalizers"] == ["example.com/other"]
    await api.patch(path, {"metadata": {"finalizers": None}})
