"""Real Kafka servers without ZooKeeper and without containers, alone or three of them. Does not know what is in them."""

import asyncio
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka.admin import AdminClient

from headgate.local.cache import Say, silent
from headgate.local.jars import find_java, kafka_classpath
from headgate.local.kafka_admin import (
    admin,
    brokers,
    coordinates,
    keep_passwords,
    knows_passwords,
    make_offsets_topic,
)
from headgate.local.kafka_config import (
    HOST,
    Guard,
    Seat,
    client_settings,
    server_text,
    write_certificates,
)
from headgate.local.kafka_format import JVM, empty_store, formatted, new_id
from headgate.local.ports import free_port
from headgate.local.processes import Process
from headgate.local.readiness import listening, served
from headgate.local.run import Run
from headgate.local.waiting import until

START_LIMIT = 90.0  # seconds; one is up after two, three after five, where the machine is quiet
GRACE = 10.0  # seconds for an orderly end


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a server is to be; the same for all servers of a cluster."""

    version: str = ""  # empty: the newest that is pinned
    guard: Guard = field(default_factory=Guard)
    settings: Mapping[str, str] = field(default_factory=dict)  # lines of server.properties; they win
    features: Mapping[str, int] = field(default_factory=dict)  # levels to begin with: {"share.version": 0}


@dataclass(slots=True)
class LocalKafka:
    """One server; ports and store stay the same over `kill` and `restart`."""

    name: str
    run: Run
    seat: Seat
    guard: Guard
    command: tuple[str, ...]
    process: Process

    @property
    def bootstrap(self) -> str:
        """Where clients begin."""
        return f"{HOST}:{self.seat.port}"

    @property
    def internal(self) -> str:
        """Where nothing is demanded and everything may be done; for tests that prepare something."""
        return f"{HOST}:{self.seat.internal_port}"

    def client(self, user: str = "", mechanism: str = "") -> dict[str, str]:
        """The settings of a librdkafka client that comes in as this user."""
        return client_settings(self.bootstrap, self.guard, user, mechanism)

    async def stop(self) -> None:
        """End it as an operator would."""
        await self.process.stop(GRACE)

    async def kill(self) -> None:
        """End it as a failing machine would."""
        await self.process.kill()

    def freeze(self) -> None:
        """Let it hold its connections and answer nothing, until `thaw`."""
        self.process.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.signal(signal.SIGCONT)

    async def restart(self, *, wait: bool = True) -> None:
        """Start it again with what it had stored; end it first where it still runs."""
        await self.stop()
        self.process = self.run.start(self.name, self.command)
        if wait:
            await self.ready()

    async def ready(self) -> None:
        """Wait until it is in the cluster and groups are served; one that ends meanwhile is an error with its words."""

        async def up() -> None:
            await listening(HOST, self.seat.internal_port, limit=START_LIMIT)
            client = admin(self.internal)
            await _until(f"{self.name} is in its cluster", lambda: self.seat.number in brokers(client))
            await _until(f"{self.name} serves groups", lambda: coordinates(self.internal))

        await served(self.process, up(), reason="KafkaFailed")


@dataclass(frozen=True, slots=True)
class LocalKafkaCluster:
    """Several servers that replicate to each other."""

    nodes: tuple[LocalKafka, ...]

    @property
    def bootstrap(self) -> str:
        return ",".join(node.bootstrap for node in self.nodes)

    @property
    def internal(self) -> str:
        return ",".join(node.internal for node in self.nodes)

    def client(self, user: str = "", mechanism: str = "") -> dict[str, str]:
        """The settings of a librdkafka client that comes in as this user."""
        return client_settings(self.bootstrap, self.nodes[0].guard, user, mechanism)

    async def stop(self) -> None:
        await asyncio.gather(*(node.stop() for node in self.nodes))


def obtain_kafka(version: str = "", say: Say = silent) -> None:
    """Have everything at hand that `start_kafka` needs; takes a minute the first time."""
    find_java()
    formatted(version, {}, say)


async def start_kafka(
    run: Run, *, name: str = "kafka", wanted: Wanted | None = None, say: Say = silent
) -> LocalKafka:
    """One server that is broker and controller; returns when topics can be made and groups are served."""
    cluster = await start_kafka_cluster(run, name=name, size=1, wanted=wanted, say=say)
    return cluster.nodes[0]


async def start_kafka_cluster(
    run: Run, *, name: str = "kafka", size: int = 3, wanted: Wanted | None = None, say: Say = silent
) -> LocalKafkaCluster:
    """Servers that are brokers and controllers alike; returns when all are in sight and groups are served."""
    wanted = wanted or Wanted()
    await asyncio.to_thread(obtain_kafka, wanted.version, say)
    seats = [Seat(number, free_port(), free_port(), free_port()) for number in range(1, size + 1)]
    names = [name if size == 1 else f"{name}-{seat.number}" for seat in seats]
    identity = new_id()
    commands = [
        await asyncio.to_thread(_prepare, run.state / own, seat, seats, identity, wanted)
        for own, seat in zip(names, seats, strict=True)
    ]
    cluster = LocalKafkaCluster(
        tuple(
            LocalKafka(own, run, seat, wanted.guard, command, run.start(own, command))
            for own, seat, command in zip(names, seats, commands, strict=True)
        )
    )
    try:
        await _settle(cluster)
    except BaseException:
        await asyncio.gather(*(node.kill() for node in cluster.nodes))
        raise
    return cluster


def _prepare(
    directory: Path, seat: Seat, seats: list[Seat], identity: str, wanted: Wanted
) -> tuple[str, ...]:
    """Write what the server reads; the command that starts it."""
    data, config = directory / "data", directory / "server.properties"
    empty_store(data, seat.number, identity, wanted.version, wanted.features)
    config.write_text(server_text(seat, seats, data, wanted.guard, wanted.settings))
    write_certificates(directory, wanted.guard)
    classpath = kafka_classpath(wanted.version)
    return (str(find_java()), *JVM, "-cp", classpath, "kafka.Kafka", str(config))


async def _settle(cluster: LocalKafkaCluster) -> None:
    """From started to usable: all in sight, the topic of offsets made, passwords stored."""
    first, size = cluster.nodes[0], len(cluster.nodes)

    async def settled() -> None:
        for node in cluster.nodes:
            await listening(HOST, node.seat.internal_port, limit=START_LIMIT)
        await _first_words(admin(cluster.internal), size, first.guard)

    await served(first.process, settled(), reason="KafkaFailed")
    await asyncio.gather(*(node.ready() for node in cluster.nodes))


async def _first_words(client: AdminClient, size: int, guard: Guard) -> None:
    await _until("all servers are in sight", lambda: len(brokers(client)) == size)
    await _until("the topic of offsets is made", lambda: make_offsets_topic(client, min(size, 3)))
    if guard.scram:
        names = list(guard.users)
        await _until("passwords are stored", lambda: keep_passwords(client, guard.users, guard.scram))
        await _until("passwords are known", lambda: knows_passwords(client, names, guard.scram))


async def _until(what: str, check: Callable[[], bool]) -> None:
    async def asked() -> bool:
        return await asyncio.to_thread(check)

    await until(what, asked, limit=START_LIMIT)
