"""`headgate plan` as a process, against a real API server and a real broker: it says what the operator then does, and writes nothing."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.kube.conftest import NamespaceOf
from tests.kube.estate import Estate, JetStream, connection, group, jetstream, queue, topic
from tests.kube.operator import operator
from tests.servers import nats_server

from headgate.local.audit import AuditLog
from headgate.local.client import Client
from headgate.local.cluster import Cluster
from headgate.local.run import Run

AGENT = "headgate"  # how the command introduces itself to the API server


@dataclass(frozen=True)
class Scene:
    estate: Estate
    nats: JetStream
    kubeconfig: Path

    async def plan(self, *words: str) -> tuple[int, str, str]:
        """Exit code, output and complaints of `headgate plan` in the scene's namespace."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "headgate", "plan", "--kubeconfig", str(self.kubeconfig)),
            *("-n", self.estate.namespace, *words),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(60):
            out, err = await process.communicate()
        return process.returncode or 0, out.decode(), err.decode()

    async def changes(self, *words: str) -> list[str]:
        """What would be done, in its order."""
        code, out, err = await self.plan("--json", *words)
        assert code == 0, out + err
        steps = [step for each in json.loads(out)["objects"] for step in each["changes"]]
        return [f"{s['action']} {s['object']}" for s in sorted(steps, key=lambda s: s["order"])]

    def file(self, name: str, kind: str, spec: Mapping[str, Any]) -> str:
        """A manifest on disk."""
        path = self.kubeconfig.parent / f"{self.estate.namespace}-{name}.json"
        meta = {"name": name, "namespace": self.estate.namespace}
        body = {"apiVersion": "headgate.dev/v1alpha1", "kind": kind, "metadata": meta, "spec": dict(spec)}
        path.write_text(json.dumps(body))
        return str(path)


@pytest_asyncio.fixture(scope="module")
async def scene(
    cluster: Cluster, api: Client, servers: Run, namespace_of: NamespaceOf
) -> AsyncIterator[Scene]:
    namespace = await namespace_of("plan")
    config = "authorization { token: let-me-in }"
    async with nats_server(servers, "plan-command", config=config) as server:
        estate = Estate(api, namespace)
        secret = {"metadata": {"name": "login"}, "stringData": {"token": "let-me-in"}}
        await api.post(f"/api/v1/namespaces/{namespace}/secrets", secret)
        spec = connection(server.url, nats={"credentialsSecretRef": {"name": "login"}})
        await estate.put("EventBroker", "main", spec)
        await estate.put("EventTopic", "orders", topic("orders"))
        await estate.put("ConsumerGroup", "billing", group("orders"))
        yield Scene(estate, jetstream(server.url, token="let-me-in"), cluster.kubeconfig)


async def test_nothing_is_written_to_the_cluster_or_the_broker(scene: Scene, audit: AuditLog) -> None:
    before = await scene.nats.image()
    audit.read()
    code, out, err = await scene.plan()
    asked = [request for request in audit.read() if request.agent == AGENT]
    assert code == 0, out + err
    assert [request for request in asked if request.writes] == []
    assert {request.verb for request in asked} >= {"list", "get"}
    assert not any(r.resource == "secrets" and r.verb != "get" for r in asked)
    assert before == await scene.nats.image() == {}
    assert "+ Create stream/orders" in out
    assert "let-me-in" not in out + err


async def test_scripts_are_told_of_changes_only_when_they_ask(scene: Scene) -> None:
    assert [(await scene.plan(*words))[0] for words in ((), ("--exit-code",))] == [0, 2]


async def test_the_operator_does_what_was_planned_and_then_nothing_is_left(
    scene: Scene, cluster: Cluster, api: Client, servers: Run
) -> None:
    planned = await scene.changes()
    assert planned == [
        "Create stream/headgate_advisories",
        "Create stream/orders",
        "Create consumer/orders/billing",
    ]
    async with operator(cluster, api, servers, "planned", namespaces=[scene.estate.namespace]):
        await scene.estate.ready("ConsumerGroup", "billing")
    made = {key for key in await scene.nats.image() if key != "headgate_advisories/headgate_mover"}
    assert made == {word.partition("/")[2] for word in planned}
    code, out, err = await scene.plan("--exit-code", "--installation", "planned")
    assert (code, err) == (0, ""), out
    assert out.splitlines()[-1].startswith("Plan: nothing to change; 3 of 3 as declared")


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        pytest.param(
            {"retention": {"maxAge": "2h"}}, 2, "max_age  1h -> 2h", id="what can be changed is an update"
        ),
        pytest.param({"storage": "Memory"}, 1, "storage", id="what cannot be changed stands in the way"),
        pytest.param({"retenion": {}}, 1, "spec.retenion: is not a field", id="what is misspelt is refused"),
    ],
)
async def test_a_file_is_planned_as_if_it_were_applied(
    scene: Scene, audit: AuditLog, change: dict[str, Any], code: int, says: str
) -> None:
    before = await scene.nats.image()
    audit.read()
    file = scene.file("orders", "EventTopic", topic("orders", **change))
    found, out, err = await scene.plan("-f", file, "--exit-code", "--installation", "planned")
    assert found == code, out + err
    assert says in out
    assert [request for request in audit.read() if request.writes and request.agent == AGENT] == []
    assert before == await scene.nats.image()


async def test_a_file_with_something_new_is_planned_with_what_the_cluster_has(scene: Scene) -> None:
    file = scene.file("dead", "DeadLetterQueue", queue())
    assert await scene.changes("-f", file, "--installation", "planned") == ["Create stream/dead"]


async def test_one_object_is_shown_also_when_nothing_is_to_be_done(scene: Scene) -> None:
    code, out, _ = await scene.plan("et/orders", "--installation", "planned")
    assert (code, out.splitlines()[0]) == (
        0,
        f"EventTopic {scene.estate.namespace}/orders on EventBroker {scene.estate.namespace}/main: InSync",
    )
    code, _, err = await scene.plan("et/nothing", "--installation", "planned")
    assert code == 1
    assert "there is no EventTopic nothing" in err
