"""The process kubelet keeps the promises that Deployments, probes, volumes and accounts rely on."""

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.servers import Kubectl

from headgate.local.cluster import Cluster
from headgate.local.waiting import until

pytestmark = pytest.mark.takes(30)

SLEEP = "import signal; signal.pause()"
CRASH_ONCE = """
import pathlib, signal, sys
mark = pathlib.Path(sys.argv[1], "seen")
if not mark.exists():
    mark.touch()
    sys.exit(3)
print("second life")
signal.pause()
"""
PRINT_CHANGES = """
import pathlib, sys, time
seen = None
while True:
    text = pathlib.Path(sys.argv[1]).read_text()
    if text != seen:
        print("content:", text)
        seen = text
    time.sleep(0.05)
"""
SHOW = "import os, signal; print({k: v for k, v in os.environ.items() if k.startswith('T_')}); signal.pause()"
SERVE_WHEN_TOLD = """
import http.server, os, pathlib, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if pathlib.Path(sys.argv[1]).read_text() == "yes" else 503)
        self.end_headers()
http.server.HTTPServer((os.environ["POD_IP"], 18080), Handler).serve_forever()
"""
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up'); [signal.pause() for _ in iter(int, 1)]"
POD_IP = {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}


def container(code: str, *args: str, **more: Any) -> dict[str, Any]:
    return {
        "name": "main",
        "image": "none",
        "command": [sys.executable, "-u", "-c", code],
        "args": list(args),
        **more,
    }


def deployment(name: str, replicas: int, main: Mapping[str, Any]) -> dict[str, Any]:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [main]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }


def pod(name: str, main: Mapping[str, Any], **spec: Any) -> dict[str, Any]:
    spec = {"terminationGracePeriodSeconds": 2, "containers": [main], **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def shows(volume: str, name: str) -> dict[str, Any]:
    return {"name": volume, "configMap": {"name": name}}


def mounted(volume: str, path: str) -> dict[str, Any]:
    return {"volumeMounts": [{"name": volume, "mountPath": path}]}


async def said(cluster: Cluster, kubectl: Kubectl, name: str, text: str) -> str:
    """Wait until the program of a pod wrote this; everything it wrote."""
    path = cluster.pod_log(kubectl.namespace, name, "main")

    async def there() -> bool:
        return path.exists() and text in path.read_text()

    await until(f"{name} says {text!r}", there, limit=20)
    return path.read_text()


async def test_a_deployment_grows_from_zero_and_shrinks_to_zero(kubectl: Kubectl) -> None:
    await kubectl.apply(deployment("worker", 0, container(SLEEP)))
    await kubectl.run("scale", "deployment/worker", "--replicas=3")
    await kubectl.run("rollout", "status", "deployment/worker", "--timeout=20s")
    pods = (await kubectl.get("pods"))["items"]
    assert [each["status"]["phase"] for each in pods] == ["Running"] * 3
    assert len({each["status"]["podIP"] for each in pods}) == 3
    await kubectl.run("scale", "deployment/worker", "--replicas=0")
    await kubectl.run("wait", "pods", "--all", "--for=delete", "--timeout=20s")
    assert (await kubectl.get("pods"))["items"] == []


async def test_a_crashed_program_is_started_again_and_the_crash_is_on_record(
    cluster: Cluster, kubectl: Kubectl
) -> None:
    main = container(CRASH_ONCE, "/scratch", **mounted("scratch", "/scratch"))
    await kubectl.apply(pod("crashes", main, volumes=[{"name": "scratch", "emptyDir": {}}]))
    await said(cluster, kubectl, "crashes", "second life")
    await kubectl.wait("pod/crashes", "condition=Ready")
    status = (await kubectl.get("pod", "crashes"))["status"]["containerStatuses"][0]
    assert status["restartCount"] == 1
    assert status["lastState"]["terminated"]["exitCode"] == 3


async def test_a_mounted_config_map_follows_a_change(cluster: Cluster, kubectl: Kubectl) -> None:
    await kubectl.apply(config_map("binding", word="before"))
    main = container(PRINT_CHANGES, "/etc/binding/word", **mounted("binding", "/etc/binding"))
    await kubectl.apply(pod("reader", main, volumes=[shows("binding", "binding")]))
    await said(cluster, kubectl, "reader", "content: before")
    await kubectl.apply(config_map("binding", word="after"))
    await said(cluster, kubectl, "reader", "content: after")


async def test_a_pod_waits_for_the_config_map_it_mounts(cluster: Cluster, kubectl: Kubectl) -> None:
    main = container(PRINT_CHANGES, "/etc/binding/word", **mounted("binding", "/etc/binding"))
    await kubectl.apply(pod("early", main, volumes=[shows("binding", "late")]))
    reason = "jsonpath={.status.containerStatuses[0].state.waiting.message}=configmaps late is not there"
    await kubectl.wait("pod/early", reason)
    await kubectl.apply(config_map("late", word="here"))
    await said(cluster, kubectl, "early", "content: here")


async def test_variables_come_from_values_fields_and_objects(cluster: Cluster, kubectl: Kubectl) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"k": "hidden"}}
    env = [
        {"name": "T_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "T_GREETING", "value": "hello $(T_NAME), $$(T_NAME)"},
        {"name": "T_SECRET", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        {"name": "T_MAYBE", "valueFrom": {"secretKeyRef": {"name": "s", "key": "other", "optional": True}}},
    ]
    source = [{"configMapRef": {"name": "c"}, "prefix": "T_C_"}]
    await kubectl.apply(secret, config_map("c", colour="green"))
    await kubectl.apply(pod("vars", container(SHOW, env=env, envFrom=source)))
    written = await said(cluster, kubectl, "vars", "T_")
    expected = {
        "T_C_colour": "green",
        "T_NAME": "vars",
        "T_GREETING": "hello vars, $(T_NAME)",
        "T_SECRET": "hidden",
    }
    assert written.strip() == str(expected)


async def test_a_pod_is_ready_exactly_while_its_probe_says_so(kubectl: Kubectl) -> None:
    probe = {"httpGet": {"path": "/readyz", "port": 18080}, "periodSeconds": 1, "failureThreshold": 1}
    main = container(
        SERVE_WHEN_TOLD, "/told/ready", env=[POD_IP], readinessProbe=probe, **mounted("told", "/told")
    )
    await kubectl.apply(config_map("told", ready="no"))
    await kubectl.apply(pod("probed", main, volumes=[shows("told", "told")]))
    await kubectl.wait("pod/probed", "jsonpath={.status.phase}=Running")
    await kubectl.wait("pod/probed", "condition=Ready=false")
    await kubectl.apply(config_map("told", ready="yes"))
    await kubectl.wait("pod/probed", "condition=Ready")
    await kubectl.apply(config_map("told", ready="no"))
    await kubectl.wait("pod/probed", "condition=Ready=false")


async def test_two_replicas_may_listen_on_the_same_port_of_their_own_addresses(kubectl: Kubectl) -> None:
    probe = {"httpGet": {"path": "/", "port": 18080}}
    code = SERVE_WHEN_TOLD.replace('pathlib.Path(sys.argv[1]).read_text() == "yes"', "True")
    await kubectl.apply(deployment("twins", 2, container(code, env=[POD_IP], readinessProbe=probe)))
    await kubectl.run("rollout", "status", "deployment/twins", "--timeout=20s")


async def test_a_program_that_fails_its_liveness_probe_is_started_again(kubectl: Kubectl) -> None:
    probe = {"tcpSocket": {"port": 18081}, "periodSeconds": 1, "failureThreshold": 2}
    await kubectl.apply(pod("dead", container(SLEEP, livenessProbe=probe)))
    await kubectl.wait("pod/dead", "jsonpath={.status.containerStatuses[0].restartCount}=1")


async def test_a_program_that_ignores_sigterm_is_killed_when_its_grace_is_over(
    cluster: Cluster, kubectl: Kubectl
) -> None:
    await kubectl.apply(pod("stubborn", container(STUBBORN), terminationGracePeriodSeconds=1))
    await said(cluster, kubectl, "stubborn", "up")
    await kubectl.run("delete", "pod", "stubborn", "--timeout=10s")
    assert not await kubectl.exists("pod", "stubborn")


async def test_kubectl_shows_what_a_program_writes(cluster: Cluster, kubectl: Kubectl) -> None:
    await kubectl.apply(pod("writer", container("print('one'); print('two'); import signal; signal.pause()")))
    await said(cluster, kubectl, "writer", "two")
    assert await kubectl.run("logs", "writer") == "one\ntwo\n"
    assert await kubectl.run("logs", "writer", "--tail=1") == "two\n"


async def test_a_program_that_ends_by_itself_completes_its_job(kubectl: Kubectl) -> None:
    template = {"spec": {"restartPolicy": "Never", "containers": [container("pass")]}}
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "once"},
        "spec": {"template": template},
    }
    await kubectl.apply(job)
    await kubectl.wait("job/once", "condition=Complete")


async def test_a_pod_that_cannot_be_run_as_declared_says_why(kubectl: Kubectl) -> None:
    await kubectl.apply(pod("image-only", {"name": "main", "image": "nginx"}))
    await kubectl.wait("pod/image-only", "jsonpath={.status.reason}=Unsupported")
    status = (await kubectl.get("pod", "image-only"))["status"]
    assert "command of container main" in status["message"]
    await kubectl.delete("pod", "image-only")


async def test_fifty_pods_run_at_once_and_cost_nothing_at_rest(cluster: Cluster, kubectl: Kubectl) -> None:
    shell = {"name": "main", "image": "none", "command": ["sleep", "1000"]}
    await kubectl.apply(deployment("crowd", 50, shell))
    await kubectl.run("rollout", "status", "deployment/crowd", "--timeout=60s")
    before = _cpu_ticks(cluster.kubelet.popen.pid)
    await asyncio.sleep(2)  # the length of the measurement, not a wait for something
    assert _cpu_ticks(cluster.kubelet.popen.pid) - before <= 20  # a tick is 10 ms: a tenth of a core


def _cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
