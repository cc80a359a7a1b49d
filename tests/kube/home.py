"""Where most estates are tried: a namespace with a Ready EventBroker on a server of its own, under one operator."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.kube.estate import Estate, JetStream, connection, jetstream
from tests.kube.operator import Operator, operator
from tests.servers import nats_server

from headgate.local.client import Client
from headgate.local.cluster import Cluster
from headgate.local.nats import LocalNats
from headgate.local.run import Run


@dataclass(frozen=True)
class Home:
    estate: Estate
    server: LocalNats
    nats: JetStream
    operator: Operator


@asynccontextmanager
async def at_home(
    cluster: Cluster, api: Client, servers: Run, namespace: str, name: str, *, resync: str
) -> AsyncIterator[Home]:
    """`name` tells its server and its operator from those of other tests, `resync` is how often all is looked at."""
    async with (
        nats_server(servers, f"estate-{name}") as server,
        operator(cluster, api, servers, name, namespaces=[namespace]) as running,
    ):
        estate = Estate(api, namespace)
        await estate.put("EventBroker", "main", connection(server.url, resyncInterval=resync))
        await estate.ready("EventBroker", "main")
        yield Home(estate, server, jetstream(server.url), running)
