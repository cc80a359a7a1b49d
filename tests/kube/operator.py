"""The operator as a real process under the rights that it is installed with: started, killed, asked. Knows no kind."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from headgate.local.audit import AuditLog, Request
from headgate.local.client import Client
from headgate.local.cluster import Cluster
from headgate.local.install import apply
from headgate.local.kubeconfig import Access
from headgate.local.manifests import Install, render
from headgate.local.processes import Process
from headgate.local.run import Run
from headgate.local.waiting import until

ACCOUNT = "headgate-operator"


@dataclass(slots=True)
class Operator:
    """One operator that may be started again and again; all of its lives write to one log."""

    name: str
    run: Run
    words: Sequence[str]
    env: Mapping[str, str]
    user: str  # as the audit log names it
    port: int = 0
    process: Process | None = field(default=None)
    _began: int = 0

    async def start(self, *, ready: bool = True) -> None:
        """Start it; by default return when it has looked at everything once."""
        self._began = len(self.log)
        command = [sys.executable, "-m", "headgate", "run", *self.words]
        self.process = self.run.start(self.name, command, env={**os.environ, **self.env})
        if ready:
            await self.ready()

    async def stop(self) -> int:
        """Ask it to end; its exit code."""
        assert self.process is not None
        return await self.process.stop(grace=10.0)

    async def kill(self) -> None:
        """End it without a word."""
        assert self.process is not None
        await self.process.kill()

    def pause(self) -> None:
        """Stop its clock."""
        assert self.process is not None
        self.process.signal(signal.SIGSTOP)

    async def restart(self) -> None:
        """Kill it and start it again."""
        await self.kill()
        await self.start()

    @property
    def log(self) -> str:
        """Everything that it ever wrote."""
        path = self.run.logs / f"{self.name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    @property
    def complaints(self) -> list[str]:
        """Lines of errors and tracebacks."""
        lines = [line for line in self.log.splitlines() if line]
        return [line for line in lines if not line.startswith("{") or json.loads(line)["level"] == "error"]

    async def ready(self) -> None:
        """Wait until it has looked at everything once."""
        process = self.process
        assert process is not None

        async def is_ready() -> bool:
            assert process.running, process.tail()
            self.port = self._told_port()
            return self.port != 0 and (await self.ask("/readyz"))[0] == 200

        await until(f"{self.name} is ready", is_ready)

    async def ask(self, path: str) -> tuple[int, str]:
        """What its probes or metrics answer; status 0 while nobody does."""
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"http://127.0.0.1:{self.port}{path}") as answer,
            ):
                return answer.status, await answer.text()
        except aiohttp.ClientConnectionError:
            return 0, ""

    def requests(self, log: AuditLog) -> list[Request]:
        """What it asked of the API server since the log was last read, Leases and watches aside."""
        asked = [request for request in log.read() if request.user == self.user]
        return [r for r in asked if r.verb != "watch" and r.resource != "leases"]

    def _told_port(self) -> int:
        told = [line for line in self.log[self._began :].splitlines() if "probes on port" in line]
        return int(json.loads(told[0])["message"].rpartition(" ")[2]) if told else 0


@asynccontextmanager
async def operator(
    cluster: Cluster,
    api: Client,
    run: Run,
    name: str,
    *,
    namespaces: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    lease: bool = False,
) -> AsyncIterator[Operator]:
    """An operator for some namespaces, by Roles alone, or for the whole cluster; running, and ended with the block."""
    await api.apply(
        f"/api/v1/namespaces/{name}", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    )
    wanted = Install(name, tuple(namespaces))
    rights = [each for each in render(wanted) if each["kind"] not in {"Deployment", "Namespace"}]
    await apply(api, _renamed(rights, name))
    kubeconfig = run.state / f"{name}.kubeconfig"
    Access(cluster.access.url, cluster.access.authority, await token(api, name, ACCOUNT), name).write(
        kubeconfig
    )
    words = ["--kubeconfig", str(kubeconfig), "--port", "0", "--log-form", "json"]
    words += [] if lease else ["--no-lease"]
    words += [word for each in namespaces for word in ("--namespace", each)] or ["--all-namespaces"]
    words += ["--installation", name] if namespaces else []
    found = Operator(name, run, words, {"HEADGATE_HOST": "127.0.0.1", **(env or {})}, _user(name))
    await found.start()
    try:
        yield found
    finally:
        if found.process is not None and found.process.running:
            found.process.signal(signal.SIGCONT)
            await found.stop()


def _user(name: str) -> str:
    return f"system:serviceaccount:{name}:{ACCOUNT}"


def _renamed(objects: Sequence[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """What belongs to no namespace is called after its installation: several stand side by side in one cluster."""
    for each in objects:
        if each["kind"].startswith("Cluster"):
            each["metadata"]["name"] += f"-{name}"
        if each["kind"] == "ClusterRoleBinding":
            each["roleRef"]["name"] += f"-{name}"
        if each["kind"] in {"Role", "RoleBinding"} and each["metadata"]["namespace"] != name:
            each["metadata"]["name"] += f"-{name}"
            if "roleRef" in each:
                each["roleRef"]["name"] += f"-{name}"
    return list(objects)


async def token(api: Client, namespace: str, account: str) -> str:
    """What a ServiceAccount signs in with."""
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    return str((await api.post(path, request))["status"]["token"])


async def release(kubeconfig: Path, *words: str, limit: float = 30.0) -> tuple[int, str]:
    """`headgate release` as an administrator types it: its exit code and what it prints."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "headgate", "release", "--kubeconfig", str(kubeconfig), *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(limit):
        out, _ = await process.communicate()
    return process.returncode or 0, out.decode()
