"""One server of each kind for the whole session; whoever harms one starts one of his own."""

import sys
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.broker_servers import kafka_cluster, kafka_server, rabbitmq_server
from tests.kube.conftest import crds, namespace_of  # noqa: F401  (fixtures here too)

from headgate.local.cache import Say
from headgate.local.kafka import LocalKafka, LocalKafkaCluster
from headgate.local.rabbitmq import LocalRabbit
from headgate.local.run import Run

CONTRACT = ("figures", "letters", "objects", "settings", "terms", "words")
pytest.register_assert_rewrite(
    *(f"tests.contract.{name}" for name in CONTRACT),
    "tests.brokers.contract_kafka",
    "tests.brokers.contract_rabbitmq",
    "tests.brokers.kube_rabbitmq",
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
