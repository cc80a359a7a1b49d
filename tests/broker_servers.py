"""Real Kafka and RabbitMQ servers for the length of a block. Knows nothing of what is tested on them."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from headgate.local.cache import Say, silent
from headgate.local.kafka import LocalKafka, LocalKafkaCluster, start_kafka_cluster
from headgate.local.kafka import Wanted as WantedKafka
from headgate.local.kafka_config import Guard
from headgate.local.pki import Authority
from headgate.local.rabbitmq import LocalRabbit, start_rabbitmq
from headgate.local.rabbitmq_config import CONSISTENT_HASH, User
from headgate.local.rabbitmq_config import Wanted as WantedRabbit
from headgate.local.run import Run

NOTHING: Mapping[str, str] = {}


@asynccontextmanager
async def kafka_cluster(
    run: Run,
    name: str,
    *,
    size: int = 3,
    version: str = "",
    guard: Guard | None = None,
    settings: Mapping[str, str] = NOTHING,
    features: Mapping[str, int] | None = None,
    say: Say = silent,
) -> AsyncIterator[LocalKafkaCluster]:
    """Servers that replicate to each other, in any pinned version, with any further lines of server.properties."""
    wanted = WantedKafka(version, guard or Guard(), settings, features or {})
    cluster = await start_kafka_cluster(run, name=name, size=size, wanted=wanted, say=say)
    try:
        yield cluster
    finally:
        await asyncio.gather(*(node.kill() for node in cluster.nodes))  # nobody needs what they would save
        for node in cluster.nodes:
            shutil.rmtree(run.state / node.name, ignore_errors=True)


@asynccontextmanager
async def kafka_server(
    run: Run,
    name: str,
    *,
    version: str = "",
    guard: Guard | None = None,
    settings: Mapping[str, str] = NOTHING,
    features: Mapping[str, int] | None = None,
    say: Say = silent,
) -> AsyncIterator[LocalKafka]:
    """One server, as `kafka_cluster` has them."""
    alone = kafka_cluster(
        run, name, size=1, version=version, guard=guard, settings=settings, features=features, say=say
    )
    async with alone as cluster:
        yield cluster.nodes[0]


@asynccontextmanager
async def rabbitmq_server(
    run: Run,
    name: str,
    *,
    suite: str = "",
    plugins: tuple[str, ...] = (CONSISTENT_HASH,),
    vhosts: tuple[str, ...] = (),
    users: tuple[User, ...] = (),
    tls: Authority | None = None,
    client_certificates: bool = False,
    settings: Mapping[str, str] = NOTHING,
    say: Say = silent,
) -> AsyncIterator[LocalRabbit]:
    """One server with its management, of a suite of Debian, with any further lines of rabbitmq.conf."""
    wanted = WantedRabbit(plugins, vhosts, users, tls, client_certificates, settings)
    server = await start_rabbitmq(run, name=name, suite=suite, wanted=wanted, say=say)
    try:
        yield server
    finally:
        await server.kill()  # nobody needs what it would save
        shutil.rmtree(run.state / name, ignore_errors=True)
