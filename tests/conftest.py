"""Real servers for a whole session, started when the first test asks for them; a fresh namespace for each test."""

import itertools
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, settings
from tests.servers import Kubectl, close_test_run, nats_cluster, open_test_run

from headgate.local.audit import AuditLog
from headgate.local.client import Client
from headgate.local.cluster import Cluster, start_cluster
from headgate.local.nats import LocalNats, LocalNatsCluster, start_nats
from headgate.local.run import Run
from headgate.local.waiting import until

# Machines are shared: how long an example takes says nothing about the law that it tries.
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")

NatsOf = Callable[[str], Awaitable[LocalNats]]
_numbers = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that say that they take long come first: several processes that share the files then end together."""
    items.sort(key=_seconds, reverse=True)


def _seconds(item: pytest.Item) -> int:
    mark = item.get_closest_marker("takes")
    return int(mark.args[0]) if mark else 0


@pytest.fixture(scope="session")
def servers() -> Iterator[Run]:
    """Where the servers of this session live; nothing of it is left afterwards."""
    run = open_test_run("session")
    yield run
    close_test_run(run)


@pytest_asyncio.fixture(scope="session")
async def nats_of(servers: Run) -> AsyncIterator[NatsOf]:
    """Gives the session's one server of a version (empty: the newest); whoever harms one starts one of his own."""
    started: dict[str, LocalNats] = {}

    async def of(version: str = "") -> LocalNats:
        if version not in started:
            started[version] = await start_nats(servers, name=f"nats-{version or 'newest'}", version=version)
        return started[version]

    yield of
    for server in started.values():
        await server.stop()


@pytest_asyncio.fixture(scope="session")
async def nats(nats_of: NatsOf) -> LocalNats:
    """The session's server of the newest version."""
    return await nats_of("")


@pytest_asyncio.fixture(scope="session")
async def nats_trio(servers: Run) -> AsyncIterator[LocalNatsCluster]:
    """The session's three clustered servers of the newest version."""
    async with nats_cluster(servers, "nats-trio") as cluster:
        yield cluster


@pytest_asyncio.fixture(scope="session")
async def cluster(servers: Run, pytestconfig: pytest.Config) -> AsyncIterator[Cluster]:
    """etcd, API server with audit log, controllers, kubelet. The first ever start builds them."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")

    def say(line: str) -> None:
        """Past pytest's capture: a first build takes minutes, and whoever waits wants to know what for."""
        with capture.global_and_fixture_disabled():
            sys.stdout.write(f"\n{line}")
            sys.stdout.flush()

    cluster = await start_cluster(servers, say=say)
    yield cluster
    await cluster.stop()


@pytest_asyncio.fixture(scope="session")
async def api(cluster: Cluster) -> AsyncIterator[Client]:
    """The administrator's client."""
    async with cluster.client() as client:
        yield client


@pytest_asyncio.fixture
async def namespace(api: Client) -> AsyncIterator[str]:
    """A namespace of this test's own, usable at once, deleted with everything in it without waiting for that."""
    name = f"test-{next(_numbers)}"
    await api.post("/api/v1/namespaces", {"metadata": {"name": name}})
    account = f"/api/v1/namespaces/{name}/serviceaccounts"

    async def has_account() -> bool:
        return bool((await api.get(account))["items"])

    await until("the namespace has its default ServiceAccount", has_account)
    yield name
    await api.delete(f"/api/v1/namespaces/{name}")


@pytest.fixture
def kubectl(cluster: Cluster, namespace: str) -> Kubectl:
    """The administrator's kubectl in this test's namespace."""
    return Kubectl(cluster.kubectl, cluster.kubeconfig, namespace)


@pytest.fixture
def audit(cluster: Cluster) -> AuditLog:
    """What the API server is asked from here on."""
    return AuditLog(cluster.plane.audit_log)
