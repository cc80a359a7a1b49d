"""A namespace with a Ready EventBroker in a virtual host of its own, under one operator; and its estate, as users write it."""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.brokers.rabbitmq.hand import Hand
from tests.kube.estate import OWNER, Estate, Json
from tests.kube.operator import Operator, operator

from headgate.local.client import Client
from headgate.local.cluster import Cluster
from headgate.local.rabbitmq import LocalRabbit
from headgate.local.run import Run

SECRET = "rabbit-headgate"
RESYNC = 5.0


@dataclass(frozen=True)
class Home:
    """Where an estate is tried."""

    estate: Estate
    server: LocalRabbit
    hand: Hand
    operator: Operator
    vhost: str

    def broker(self, **more: Any) -> Json:
        """The spec of an EventBroker in this virtual host."""
        return broker(self.server, self.vhost, **more)


def broker(server: LocalRabbit, vhost: str, **more: Any) -> Json:
    """The spec of an EventBroker."""
    block = {
        "managementURL": server.management_url,
        "amqpURL": server.url,
        "vhost": vhost,
        "credentialsSecretRef": {"name": SECRET},
        **more.pop("rabbitmq", {}),
    }
    return {"rabbitmq": block, "resyncInterval": f"{RESYNC:g}s", **more}


@asynccontextmanager
async def at_home(
    cluster: Cluster,
    api: Client,
    servers: Run,
    server: LocalRabbit,
    namespace: str,
    name: str,
    *,
    resync: str = f"{RESYNC:g}s",
    env: Mapping[str, str] | None = None,
) -> AsyncIterator[Home]:
    """`name` tells its virtual host and its operator from those of other tests."""
    estate, login = Estate(api, namespace), {"username": server.username, "password": server.password}
    await secret(api, namespace, SECRET, login)
    async with (
        virtual_host(server, name) as hand,
        operator(cluster, api, servers, name, namespaces=[namespace], env=env) as running,
    ):
        found = Home(estate, server, hand, running, name)
        await estate.put("EventBroker", "main", found.broker(resyncInterval=resync))
        await estate.ready("EventBroker", "main")
        yield found


@asynccontextmanager
async def virtual_host(server: LocalRabbit, name: str) -> AsyncIterator[Hand]:
    """An administrator's hand in a virtual host that is gone afterwards."""
    async with server.client() as http:
        hand = Hand(http, name)
        await hand.ask("PUT", f"vhosts/{hand.vhost}")
        rights = {"configure": ".*", "write": ".*", "read": ".*"}
        await hand.ask("PUT", f"permissions/{hand.vhost}/{server.username}", rights)
        yield hand
        await hand.ask("DELETE", f"vhosts/{hand.vhost}")


async def secret(api: Client, namespace: str, name: str, values: Mapping[str, str]) -> None:
    """Have a Secret hold these texts."""
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": dict(values)}
    await api.apply(f"/api/v1/namespaces/{namespace}/secrets/{name}", body)


def topic(name: str, **more: Any) -> Json:
    """The spec of a topic with subjects of its own; None leaves a field out."""
    spec = {
        "brokerRef": {"name": "main"},
        "subjects": [f"{name}.>"],
        "retention": {"maxAge": "1h"},
        **more,
    }
    return {key: value for key, value in spec.items() if value is not None}


def group(of: str, **more: Any) -> Json:
    """The spec of a group that gets what comes from now on."""
    return {"topicRef": {"name": of}, "start": {"from": "Latest"}, **more}


def queue(**more: Any) -> Json:
    """The spec of a dead-letter queue."""
    return {"brokerRef": {"name": "main"}, "owner": OWNER, "retention": {"maxAge": "24h"}, **more}


async def bindings(hand: Hand, name: str) -> set[str]:
    """With which keys a queue is bound to exchanges of somebody's."""
    found = await hand.ask("GET", f"queues/{hand.vhost}/{name}/bindings")
    return {each["routing_key"] for each in found if each["source"]}


async def policies(hand: Hand, name: str) -> dict[str, Json]:
    """Policies with the name of an object in theirs."""
    found = await hand.ask("GET", f"policies/{hand.vhost}")
    return {each["name"]: each for each in found if f":{name}:" in each["name"]}


async def held(hand: Hand, name: str) -> int:
    """How many messages a queue holds, counted at once."""
    totals = "disable_stats=true&enable_queue_totals=true"
    return int((await hand.ask("GET", f"queues/{hand.vhost}/{name}?{totals}")).get("messages") or 0)


async def dlq(home: Home, cluster: Cluster, *words: str) -> tuple[int, str]:
    """`headgate dlq` as a person types it: exit code and what it prints."""
    where = ["--kubeconfig", str(cluster.kubeconfig), "--namespace", home.estate.namespace]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "headgate", "dlq", *words, *where),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()
