"""One server of each kind for the whole session; whoever harms one starts one of his own."""

import sys
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.broker_servers import kafka_cluster, kafka_server, rabbitmq_server
from tests.brokers.kube_rabbitmq import Home, at_home
from tests.kube.conftest import NamespaceOf, crds, namespace_of  # noqa: F401  (fixtures here too)

from headgate.local.cache import Say
from headgate.local.client import Client
from headgate.local.cluster import Cluster
from headgate.local.kafka import LocalKafka, LocalKafkaCluster
from headgate.local.rabbitmq import SUITES, LocalRabbit
from headgate.local.run import Run

CONTRACT = ("figures", "letters", "objects", "settings", "terms", "words")
pytest.register_assert_rewrite(
    *(f"tests.contract.{name}" for name in CONTRACT),
    "tests.brokers.contract_kafka",
    "tests.brokers.contract_rabbitmq",
)


@pytest.fixture(scope="session")
def aloud(pytestconfig: pytest.Config) -> Say:
    """Progress past pytest's capture: what is fetched takes a minute, and whoever waits wants to know what for."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")

    def say(line: str) -> None:
        with capture.global_and_fixture_disabled():
            sys.stdout.write(f"\n{line}")
            sys.stdout.flush()

    return say


@pytest_asyncio.fixture(scope="session")
async def kafka(servers: Run, aloud: Say) -> AsyncIterator[LocalKafka]:
    """The newest Kafka, alone, open to everybody."""
    async with kafka_server(servers, "kafka", say=aloud) as server:
        yield server


@pytest_asyncio.fixture(scope="session")
async def kafka_trio(servers: Run, aloud: Say) -> AsyncIterator[LocalKafkaCluster]:
    """Three of the newest Kafka."""
    async with kafka_cluster(servers, "kafka-trio", say=aloud) as cluster:
        yield cluster


@pytest_asyncio.fixture(scope="session")
async def rabbitmq(servers: Run, aloud: Say) -> AsyncIterator[LocalRabbit]:
    """The RabbitMQ of Debian's stable suite."""
    async with rabbitmq_server(servers, "rabbitmq", say=aloud) as server:
        yield server


@pytest_asyncio.fixture(scope="session")
async def rabbitmq_newest(servers: Run, aloud: Say) -> AsyncIterator[LocalRabbit]:
    """The newest RabbitMQ that Debian has."""
    async with rabbitmq_server(servers, "rabbitmq-newest", suite="forky", say=aloud) as server:
        yield server


@pytest_asyncio.fixture(scope="module", params=SUITES)
async def home(
    cluster: Cluster,
    api: Client,
    servers: Run,
    namespace_of: NamespaceOf,  # noqa: F811  (the fixture above)
    aloud: Say,
    request: pytest.FixtureRequest,
) -> AsyncIterator[Home]:
    """A RabbitMQ of each version, one after the other, with an operator and a namespace."""
    suite, what = str(request.param), request.module.__name__.rpartition("_")[2]
    name = f"kube-{what}-{suite}"
    async with (
        rabbitmq_server(servers, f"{name}-server", suite=suite, say=aloud) as server,
        at_home(
            cluster, api, servers, server, await namespace_of("main"), name, env={"HEADGATE_GRACE": "4s"}
        ) as found,
    ):
        yield found
