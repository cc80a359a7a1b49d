"""`headgate mover` and `headgate dlq` as processes: real control plane, real server, the mover's own rights and no more."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
from tests.contract.messages_account import Account, account_at
from tests.kube.conftest import NamespaceOf
from tests.kube.estate import OWNER, Estate
from tests.servers import nats_server

from headgate.core.moves import DATA_KEY, Routes, config_map_name, render
from headgate.local.audit import AuditLog
from headgate.local.client import Client
from headgate.local.cluster import Cluster
from headgate.local.install import apply
from headgate.local.kubeconfig import Access
from headgate.local.manifests import Install
from headgate.local.manifests import render as manifests
from headgate.local.processes import Process
from headgate.local.run import Run
from headgate.local.waiting import until

pytestmark = pytest.mark.takes(35)

ACCOUNT = "headgate-mover"


@dataclass
class Scene:
    """A namespace with an EventBroker, its routes, and a mover that may be started there."""

    run: Run
    namespace: str
    estate: Estate
    account: Account
    kubeconfig: str
    administrator: str
    lives: int = 0

    def start(self) -> Process:
        """The mover."""
        self.lives += 1
        words = [
            "mover",
            "--kubeconfig",
            self.kubeconfig,
            "--broker",
            f"{self.namespace}/main",
            "--port",
            "0",
        ]
        name = f"{self.namespace}-mover-{self.lives}"
        return self.run.start(name, [sys.executable, "-m", "headgate", *words], env={**os.environ})

    async def dlq(self, *words: str) -> tuple[int, str]:
        """`headgate dlq` as a person types it: exit code and what it prints."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "headgate", "dlq", *words, "--kubeconfig", self.administrator),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await process.communicate()
        return process.returncode or 0, out.decode()

    async def holds(self, count: int) -> None:
        """Wait until so many dead letters stand."""

        async def check() -> bool:
            return await self.account.count("dead") == count

        await until(f"{count} dead letters stand", check, limit=45)


async def _kubeconfig(cluster: Cluster, api: Client, run: Run, namespace: str) -> str:
    rights = [
        each
        for each in manifests(Install(namespace, (namespace,)))
        if each["kind"] not in {"Deployment", "Namespace"}
    ]
    await apply(api, rights)
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{ACCOUNT}/token"
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = str((await api.post(path, request))["status"]["token"])
    file = run.state / f"{namespace}-mover.kubeconfig"
    Access(cluster.access.url, cluster.access.authority, token, namespace).write(file)
    return str(file)


@pytest_asyncio.fixture
async def scene(
    cluster: Cluster, api: Client, servers: Run, namespace_of: NamespaceOf
) -> AsyncIterator[Scene]:
    namespace = await namespace_of("mover")
    async with nats_server(servers, f"nats-{namespace}") as server:
        account, estate = await account_at(server.url), Estate(api, namespace)
        await estate.put("EventBroker", "main", {"nats": {"servers": [server.url]}})
        name = config_map_name("main")
        routes = render(Routes(f"{namespace}/main", (account.route(),)))
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name},
            "data": {DATA_KEY: routes},
        }
        await api.post(f"/api/v1/namespaces/{namespace}/configmaps", body)
        kubeconfig = await _kubeconfig(cluster, api, servers, namespace)
        yield Scene(servers, namespace, estate, account, kubeconfig, str(cluster.kubeconfig))
        await account.client.close()


async def test_a_mover_works_with_its_own_rights_survives_a_kill_and_ends_in_order(
    scene: Scene, audit: AuditLog
) -> None:
    await scene.account.emit(20)
    await scene.account.reject(10)
    mover = scene.start()
    await scene.holds(10)
    await mover.kill()
    await scene.account.reject(10)
    mover = scene.start()
    await scene.holds(20)
    async with asyncio.timeout(10):
        assert await mover.stop(grace=10.0) == 0
    asked = [
        each for each in audit.read() if each.user == f"system:serviceaccount:{scene.namespace}:{ACCOUNT}"
    ]
    assert {(each.verb, each.resource) for each in asked} == {("get", "eventbrokers"), ("get", "configmaps")}


async def test_a_person_goes_through_dead_letters_on_the_command_line(scene: Scene) -> None:
    spec = {"brokerRef": {"name": "main"}, "owner": OWNER, "retention": {"maxAge": "24h"}}
    await scene.estate.put("DeadLetterQueue", "unmade", spec)
    await scene.estate.put("DeadLetterQueue", "dead", spec)
    status = {"status": {"record": {"externalName": "dead"}}}
    await scene.estate.api.patch(scene.estate.path("DeadLetterQueue", "dead") + "/status", status)
    await scene.account.emit(2, b'{"order": 7}')
    await scene.account.reject(2, "bad date")
    mover = scene.start()
    await scene.holds(2)
    await mover.stop(grace=10.0)
    queue = f"{scene.namespace}/dead"
    code, said = await scene.dlq("list", queue, "--output", "json")
    assert code == 0, said
    assert {json.loads(line)["headgate"]["headgate-error"] for line in said.splitlines()} == {"bad date"}
    assert await scene.dlq("show", queue, "1", "--body") == (0, '{"order": 7}')
    assert await scene.dlq("discard", queue, "1", "--reason", "a test order") == (0, "1: Discarded\n")
    assert len((await scene.dlq("list", queue))[1].splitlines()) == 2
    code, said = await scene.dlq("list", f"{scene.namespace}/unmade")
    assert (code, "not in its broker yet" in said) == (1, True)
