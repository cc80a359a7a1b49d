"""Real RabbitMQ servers with their management, from Debian's packages. Does not know what is in them."""

import asyncio
import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from headgate.local.cache import Say, silent
from headgate.local.chroot import check_rights, inside
from headgate.local.debian import debian_tree
from headgate.local.errors import LocalError
from headgate.local.ports import free_port
from headgate.local.processes import Process
from headgate.local.rabbitmq_config import (
    ADMINISTRATOR,
    HOST,
    Ports,
    Wanted,
    first_words,
    variables,
    write_files,
)
from headgate.local.readiness import listening, served
from headgate.local.run import Run
from headgate.local.waiting import until

SUITES = ("trixie", "forky")  # of Debian; the second moves, and has the newest
PACKAGES = ("rabbitmq-server", "bash", "coreutils", "dash", "gawk", "grep", "libc-bin", "sed")
SERVER = "/usr/lib/rabbitmq/bin/rabbitmq-server"
NAMES = "/usr/bin/epmd"
START_LIMIT = 90.0  # seconds; one is up after two, where the machine is quiet
GRACE = 15.0  # seconds for an orderly end


@dataclass(slots=True)
class LocalRabbit:
    """One server with its own epmd; ports and store stay the same over `kill` and `restart`."""

    name: str
    run: Run
    root: Path
    ports: Ports
    tls: bool
    names: Process  # epmd: ours, since one that the server starts outlives it
    process: Process

    @property
    def url(self) -> str:
        """AMQP, without anybody's name in it."""
        return f"amqp://{HOST}:{self.ports.amqp}"

    @property
    def tls_url(self) -> str:
        return f"amqps://{HOST}:{self.ports.amqps}" if self.tls else ""

    @property
    def management_url(self) -> str:
        return f"http://{HOST}:{self.ports.management}"

    @property
    def management_tls_url(self) -> str:
        return f"https://{HOST}:{self.ports.management_tls}" if self.tls else ""

    @property
    def username(self) -> str:
        """The administrator's."""
        return ADMINISTRATOR.name

    @property
    def password(self) -> str:
        return ADMINISTRATOR.password

    @property
    def version(self) -> str:
        """As its folder says."""
        found = next(self.root.glob("usr/lib/rabbitmq/lib/rabbitmq_server-*"))
        return found.name.rpartition("-")[2]

    def user_url(self, username: str = "", password: str = "", vhost: str = "%2F") -> str:
        """AMQP with a name in it, by default the administrator's; the virtual host is quoted already."""
        who = f"{username or self.username}:{password or self.password}"
        return f"amqp://{who}@{HOST}:{self.ports.amqp}/{vhost}"

    def client(self) -> aiohttp.ClientSession:
        """A new client of the management API with the administrator's rights; the caller closes it."""
        return aiohttp.ClientSession(
            f"{self.management_url}/api/",
            headers={"Authorization": aiohttp.encode_basic_auth(self.username, self.password)},
        )

    async def stop(self) -> None:
        """End it as an operator would."""
        if self.process.running:
            os.kill(self.process.popen.pid, signal.SIGTERM)
        try:
            await self.process.wait(GRACE)
        except TimeoutError:
            await self.process.kill()
        await self.names.stop()

    async def kill(self) -> None:
        """End it as a failing machine would."""
        await asyncio.gather(self.process.kill(), self.names.kill())

    def freeze(self) -> None:
        """Let it hold its connections and answer nothing, until `thaw`."""
        self.process.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.signal(signal.SIGCONT)

    async def restart(self, *, wait: bool = True) -> None:
        """Start it again with what it had stored; end it first where it still runs."""
        await self.stop()
        self.names = await _launch_names(self.run, self.name, self.root, self.ports)
        self.process = _launch(self.run, self.name, self.root, self.ports)
        if wait:
            await self.ready()

    async def ready(self) -> None:
        """Wait until clients are served; a server that ends meanwhile is an error with its words."""

        async def up() -> None:
            async with self.client() as http:
                for check in (f"port-listener/{self.ports.amqp}", "virtual-hosts", "local-alarms"):
                    await until(f"{check} is healthy", lambda: _healthy(http, check), limit=START_LIMIT)  # noqa: B023

        await served(self.process, up(), reason="RabbitFailed")


def obtain_rabbitmq(suite: str = "", say: Say = silent) -> Path:
    """The folder that holds the server of a suite (empty: the stable one); a minute the first time."""
    suite = suite or SUITES[0]
    if suite not in SUITES:
        raise LocalError("NoRabbit", f"no RabbitMQ of Debian {suite} here; there are {', '.join(SUITES)}")
    check_rights()
    return debian_tree("rabbitmq", suite, PACKAGES, complete=_complete, say=say)


async def start_rabbitmq(
    run: Run, *, name: str = "rabbitmq", suite: str = "", wanted: Wanted | None = None, say: Say = silent
) -> LocalRabbit:
    """One server; returns when AMQP is served and the virtual hosts and users are made."""
    wanted = wanted or Wanted()
    root = await asyncio.to_thread(obtain_rabbitmq, suite, say)
    ports = Ports(*(free_port() for _ in range(6)))
    await asyncio.to_thread(write_files, run.state / name, ports, wanted)
    names = await _launch_names(run, name, root, ports)
    server = LocalRabbit(
        name, run, root, ports, wanted.tls is not None, names, _launch(run, name, root, ports)
    )
    try:
        await server.ready()
        await _tell(server, wanted)
    except BaseException:
        await server.kill()
        raise
    return server


def _complete(root: Path) -> None:
    """What the packages' scripts would have left: the names of programs, people and this machine."""
    for name, program in (("awk", "gawk"), ("sh", "dash")):
        (root / "usr/bin" / name).unlink(missing_ok=True)
        (root / "usr/bin" / name).symlink_to(program)
    (root / "srv").mkdir(exist_ok=True)
    etc = root / "etc"
    (etc / "passwd").write_text("root:x:0:0:root:/srv:/bin/sh\nrabbitmq:x:0:0:rabbitmq:/srv:/bin/sh\n")
    (etc / "group").write_text("root:x:0:\nrabbitmq:x:0:\n")
    (etc / "hosts").write_text("127.0.0.1 localhost\n")


async def _launch_names(run: Run, name: str, root: Path, ports: Ports) -> Process:
    """Start its epmd, and wait: a server that finds none starts one that nobody ends."""
    command = inside(root, run.state / name, [NAMES])
    process = run.start(f"{name}-epmd", command, env=variables(ports))
    await served(process, listening(HOST, ports.names, limit=START_LIMIT), reason="RabbitFailed")
    return process


def _launch(run: Run, name: str, root: Path, ports: Ports) -> Process:
    return run.start(name, inside(root, run.state / name, [SERVER]), env=variables(ports))


async def _healthy(http: aiohttp.ClientSession, check: str) -> bool:
    with suppress(aiohttp.ClientError, TimeoutError, OSError):
        async with http.get(f"health/checks/{check}", timeout=aiohttp.ClientTimeout(total=5)) as response:
            return response.ok
    return False


async def _tell(server: LocalRabbit, wanted: Wanted) -> None:
    async with server.client() as http:
        for path, body in first_words(wanted):
            async with http.put(path, json=body) as response:
                if not response.ok:
                    raise LocalError("RabbitFailed", f"{server.name} refuses {path}: {await response.text()}")
