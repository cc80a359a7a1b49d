"""One namespace with operators, a mover and a NATS server of its own, behind proxies. Knows processes, no plans."""

import asyncio
import json
import os
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import nats as nats_py
from nats.aio.client import Client as Nats
from tests.faults.journal import FORMER, MOVER, OPERATOR, Hands, Journal
from tests.faults.kubeproxy import KubeProxy
from tests.faults.natsproxy import NatsProxy
from tests.faults.nursery import Child, Nursery
from tests.servers import nats_server

from headgate.local.client import Client
from headgate.local.cluster import Cluster
from headgate.local.install import apply
from headgate.local.manifests import Install, render
from headgate.local.run import Run
from headgate.local.waiting import until

Json = dict[str, Any]
ACTORS = {"headgate": OPERATOR, "headgate-mover": MOVER}
READY = 60.0  # seconds; a successor may have to wait until a Lease has run out
ENDS = 10.0  # seconds for somebody to notice that he is not the one any more


@dataclass(slots=True)
class Program:
    """One actor through all of its lives; they write to one log."""

    nursery: Nursery
    words: list[str]
    path: Path
    child: Child | None = None

    _began: int = 0  # where in the log its present life begins

    def start(self) -> None:
        """Start it where it does not run."""
        if self.child is None:
            self._began = len(self.log)
            self.child = self.nursery.start(self.words, self.path, {"HEADGATE_HOST": "127.0.0.1"})

    async def kill(self) -> None:
        """SIGKILL."""
        if self.child is not None:
            child, self.child = self.child, None
            await child.kill()

    def signal(self, number: signal.Signals) -> None:
        """Stop its clock, or have it go on."""
        if self.child is not None:
            self.child.signal(number)

    async def ended(self) -> bool:
        """Whether it ends by itself within a while."""
        assert self.child is not None
        try:
            async with asyncio.timeout(ENDS):
                await self.child.ended()
        except TimeoutError:
            return False
        return True

    @property
    def died(self) -> bool:
        """Whether it ended by itself."""
        return self.child is not None and not self.child.running

    async def ready(self) -> None:
        """Wait until it has looked at everything once; where it was told to end meanwhile, that is enough."""
        async with aiohttp.ClientSession() as session:

            async def is_ready() -> bool:
                if self.child is None or self.died:
                    return True
                told = re.findall(r"probes on port (\d+)", self.log[self._began :])
                if not told:
                    return False
                try:
                    async with session.get(f"http://127.0.0.1:{told[0]}/readyz") as answer:
                        return answer.status == 200
                except aiohttp.ClientError:
                    return False

            await until(f"{self.path.stem} is ready", is_ready, limit=READY)

    @property
    def log(self) -> str:
        """Everything that it ever wrote."""
        return self.path.read_text(errors="replace") if self.path.exists() else ""


@dataclass(slots=True)
class Lane:
    """A small world in which one life after the other is lived."""

    name: str  # of the namespace and of the installation
    api: Client
    nats: Nats  # the administrator's own connection
    broker: NatsProxy
    canary: str  # the one secret of this lane
    journal: Journal
    programs: dict[str, Program] = field(default_factory=dict)  # by actor; what is FORMER waits its turn
    kubes: dict[str, KubeProxy] = field(default_factory=dict)  # of the same

    async def ask(self, subject: str, body: Json | None = None) -> Json:
        """One answer of JetStream's API, errors included."""
        payload = b"" if body is None else json.dumps(body).encode()
        answer: Json = json.loads((await self.nats.request(f"$JS.API.{subject}", payload, timeout=5)).data)
        return answer

    async def restart(self, actor: str) -> None:
        """Kill an actor and start it again, as a kubelet would."""
        await self.programs[actor].kill()
        self.programs[actor].start()

    async def pause(self, actor: str) -> None:
        """Stop an actor's clock."""
        self.programs[actor].signal(signal.SIGSTOP)

    def succeed(self) -> None:
        """Have another operator take the place of one that was paused."""
        programs, kubes = self.programs, self.kubes
        programs[OPERATOR], programs[FORMER] = programs[FORMER], programs[OPERATOR]
        kubes[OPERATOR], kubes[FORMER] = kubes[FORMER], kubes[OPERATOR]
        for actor in (OPERATOR, FORMER):
            self.kubes[actor].actor = actor
        self.broker.rename(OPERATOR, FORMER)
        self.programs[OPERATOR].start()

    async def wipe(self) -> None:
        """Leave the server as empty as it was in the beginning."""
        for name in (await self.ask("STREAM.NAMES", {})).get("streams") or ():
            await self.ask(f"STREAM.DELETE.{name}")

    async def stop(self) -> None:
        """Nobody acts here any more."""
        await asyncio.gather(*(program.kill() for program in self.programs.values()))


async def _nobody(actor: str) -> None:
    raise AssertionError(f"{actor} made a call outside of every life")


@asynccontextmanager
async def lane(cluster: Cluster, api: Client, run: Run, nursery: Nursery, name: str) -> AsyncIterator[Lane]:
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
        KubeProxy(cluster.access, FORMER, journal).serving() as other_kube,
        KubeProxy(cluster.access, MOVER, journal).serving() as kube_of_mover,
        await nats_py.connect(server.url, token=canary) as client,
    ):
        nobody = Journal(str, Hands(_nobody, _nobody, _nobody))
        world.append(Lane(name, api, client, broker, canary, nobody))
        world[0].kubes = {OPERATOR: kube, FORMER: other_kube, MOVER: kube_of_mover}
        for number, (actor, proxy) in enumerate(world[0].kubes.items()):
            component = "mover" if actor == MOVER else "operator"
            kubeconfig = run.state / f"{name}-{number}.kubeconfig"
            token = await _token(api, name, component)
            replace(cluster.access, url=proxy.url, namespace=name, token=token).write(kubeconfig)
            log = run.logs / f"{name}-{component}-{number}.log"
            world[0].programs[actor] = Program(nursery, _words(component, name, kubeconfig), log)
        try:
            yield world[0]
        finally:
            await world[0].stop()


def _words(component: str, name: str, kubeconfig: Path) -> list[str]:
    words = ["mover"] if component == "mover" else ["run", "--installation", name, "--own-namespace", name]
    words += ["--kubeconfig", str(kubeconfig), "--namespace", name, "--port", "0"]
    return [*words, "--log-form", "json", "--log-level", "debug"]


async def _namespace(api: Client, name: str, canary: str) -> None:
    """The namespace with what an installation for it alone grants, and not a right more."""
    await api.post("/api/v1/namespaces", {"metadata": {"name": name}})

    async def has_account() -> bool:
        return bool((await api.get(f"/api/v1/namespaces/{name}/serviceaccounts"))["items"])

    await until("the namespace has its default ServiceAccount", has_account)
    wanted = render(Install(name, (name,)))
    await apply(api, [each for each in wanted if each["kind"] not in {"Deployment", "Namespace"}])
    secret = {"metadata": {"name": "login"}, "stringData": {"token": canary}}
    await api.post(f"/api/v1/namespaces/{name}/secrets", secret)


async def _token(api: Client, namespace: str, component: str) -> str:
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/headgate-{component}/token"
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    return str((await api.post(path, request))["status"]["token"])
