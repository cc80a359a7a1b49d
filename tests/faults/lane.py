"""One namespace with an operator, a mover and a NATS server of its own, behind proxies. Knows processes, no plans."""

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
import nats as nats_py
from nats.aio.client import Client as Nats
from tests.faults.journal import MOVER, OPERATOR, Journal
from tests.faults.proxies import KubeProxy, NatsProxy
from tests.servers import nats_server

from headgate.local.client import Client
from headgate.local.cluster import Cluster
from headgate.local.processes import Process
from headgate.local.run import Run
from headgate.local.waiting import until

Json = dict[str, Any]
ACTORS = {"headgate": OPERATOR, "headgate-mover": MOVER}
COMMANDS = {OPERATOR: ("run", "--no-lease"), MOVER: ("mover",)}


@dataclass(slots=True)
class Program:
    """One actor through all of its lives; they write to one log."""

    name: str
    run: Run
    words: Sequence[str]
    process: Process | None = None

    _began: int = 0  # where in the log its present life begins

    def start(self) -> None:
        """Start it where it does not run."""
        if self.process is None:
            self._began = len(self.log)
            command = [sys.executable, "-m", "headgate", *self.words]
            self.process = self.run.start(
                self.name, command, env={**os.environ, "HEADGATE_HOST": "127.0.0.1"}
            )

    async def kill(self) -> None:
        """SIGKILL."""
        if self.process is not None:
            process, self.process = self.process, None
            await process.kill()

    @property
    def died(self) -> bool:
        """Whether it ended by itself."""
        return self.process is not None and not self.process.running

    async def ready(self) -> None:
        """Wait until it has looked at everything once; where it was told to end meanwhile, that is enough."""
        async with aiohttp.ClientSession() as session:

            async def is_ready() -> bool:
                if self.process is None or self.died:
                    return True
                told = re.findall(r"probes on port (\d+)", self.log[self._began :])
                if not told:
                    return False
                try:
                    async with session.get(f"http://127.0.0.1:{told[0]}/readyz") as answer:
                        return answer.status == 200
                except aiohttp.ClientError:
                    return False

            await until(f"{self.name} is ready", is_ready, limit=20, every=0.1)

    @property
    def log(self) -> str:
        """Everything that it ever wrote."""
        path = self.run.logs / f"{self.name}.log"
        return path.read_text(errors="replace") if path.exists() else ""


@dataclass(slots=True)
class Lane:
    """A small world in which one life after the other is lived."""

    name: str  # of the namespace and of the installation
    api: Client
    nats: Nats  # the administrator's own connection
    broker_url: str  # through the proxy
    canary: str  # the one secret of this lane
    journal: Journal = field(default_factory=lambda: Journal(str, _nobody))
    programs: dict[str, Program] = field(default_factory=dict)

    async def ask(self, subject: str, body: Json | None = None) -> Json:
        """One answer of JetStream's API, errors included."""
        payload = b"" if body is None else json.dumps(body).encode()
        answer: Json = json.loads((await self.nats.request(f"$JS.API.{subject}", payload, timeout=5)).data)
        return answer

    async def restart(self, actor: str) -> None:
        """Kill an actor and start it again, as a kubelet would."""
        await self.programs[actor].kill()
        self.programs[actor].start()

    async def wipe(self) -> None:
        """Leave the server as empty as it was in the beginning."""
        for name in (await self.ask("STREAM.NAMES", {})).get("streams") or ():
            await self.ask(f"STREAM.DELETE.{name}")


async def _nobody(actor: str) -> None:
    raise AssertionError(f"{actor} made a call outside of every life")


@asynccontextmanager
async def lane(cluster: Cluster, api: Client, run: Run, name: str) -> AsyncIterator[Lane]:
    """Everything of one lane but the life in it, for the length of a block."""
    canary = f"canary-{os.urandom(12).hex()}"
    await _namespace(api, name, canary)
    world: list[Lane] = []

    def journal() -> Journal:
        return world[0].journal

    config = f"authorization {{ token: {canary} }}"
    async with (
        nats_server(run, f"nats-{name}", config=config) as server,
        NatsProxy(server.port, ACTORS, journal).serving() as broker,
        KubeProxy(cluster.access, OPERATOR, journal).serving() as kube,
        KubeProxy(cluster.access, MOVER, journal).serving() as kube_of_mover,
        await nats_py.connect(server.url, token=canary) as client,
    ):
        world.append(Lane(name, api, client, broker.url, canary))
        for actor, proxy in ((OPERATOR, kube), (MOVER, kube_of_mover)):
            world[0].programs[actor] = _program(cluster, run, name, actor, proxy.url)
        try:
            yield world[0]
        finally:
            await asyncio.gather(*(program.kill() for program in world[0].programs.values()))


def _program(cluster: Cluster, run: Run, name: str, actor: str, url: str) -> Program:
    kubeconfig = run.state / f"{name}-{actor}.kubeconfig"
    replace(cluster.access, url=url, namespace=name).write(kubeconfig)
    words = [*COMMANDS[actor], "--kubeconfig", str(kubeconfig), "--namespace", name, "--port", "0"]
    words += ["--log-form", "json", "--log-level", "debug"]
    words += ["--installation", name] if actor == OPERATOR else []
    return Program(f"{name}-{actor}", run, words)


async def _namespace(api: Client, name: str, canary: str) -> None:
    await api.post("/api/v1/namespaces", {"metadata": {"name": name}})

    async def has_account() -> bool:
        return bool((await api.get(f"/api/v1/namespaces/{name}/serviceaccounts"))["items"])

    await until("the namespace has its default ServiceAccount", has_account)
    secret = {"metadata": {"name": "login"}, "stringData": {"token": canary}}
    await api.post(f"/api/v1/namespaces/{name}/secrets", secret)
