"""Retries and dead letters on a real Kafka, as users have them: declared, bound, worked on, moved, triaged, deleted."""

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio
from confluent_kafka import Producer
from tests.broker_servers import kafka_server
from tests.brokers.kube_kafka import Home, at_home, group, queue, topic
from tests.kube.conftest import NamespaceOf

from headgate.local.cache import Say
from headgate.local.client import Client
from headgate.local.cluster import Cluster
from headgate.local.processes import Process
from headgate.local.run import Run
from headgate.local.waiting import until

pytestmark = pytest.mark.takes(150)

ROOT: Final = Path(__file__).parents[2]
WORKER: Final = ROOT / "examples" / "kafka" / "worker.py"
EVENTS: Final = 200
ATTEMPTS: Final = 3
WAITS: Final = ("orders-billing-retry-500", "orders-billing-retry-1000")


@pytest_asyncio.fixture
async def home(
    cluster: Cluster, api: Client, servers: Run, namespace_of: NamespaceOf, aloud: Say
) -> AsyncIterator[Home]:
    """An operator and a server of its own."""
    namespace = await namespace_of("retries")
    async with (
        kafka_server(servers, "kube-kafka-retries", say=aloud) as server,
        at_home(cluster, api, servers, server, namespace, "kube-kafka-retries") as found,
    ):
        yield found


def failures(number: int) -> int:
    """Every twentieth event fails for ever, every fifth once."""
    return ATTEMPTS if number % 20 == 0 else 1 if number % 5 == 0 else 0


def publish(home: Home) -> None:
    """Numbered events."""
    producer = Producer({"bootstrap.servers": home.server.bootstrap, "log_level": 0})
    for number in range(EVENTS):
        headers: Any = {"fail": str(failures(number))}
        producer.produce("orders", f"{number}".encode(), f"{number}".encode(), headers=headers)
    assert producer.flush(15) == 0


async def declared(home: Home) -> None:
    """An estate whose group goes with all that it has."""
    estate = home.estate
    await estate.put("EventTopic", "orders", topic())
    await estate.put("DeadLetterQueue", "dead", queue())
    backoff = {"type": "Exponential", "initial": "500ms", "factor": "2"}
    policy = {"attempts": ATTEMPTS, "handlingTimeout": "10s", "backoff": backoff}
    await estate.put("RetryPolicy", "patient", policy)
    wanted = group(
        "orders",
        retryPolicyRef={"name": "patient"},
        deadLetterQueueRef={"name": "dead"},
        binding={"configMapName": "billing-binding"},
        deletionPolicy="DeleteIfEmpty",
    )
    await estate.put("ConsumerGroup", "billing", wanted)
    for kind, name in (("EventTopic", "orders"), ("DeadLetterQueue", "dead"), ("ConsumerGroup", "billing")):
        await estate.ready(kind, name, limit=30)


async def bound(home: Home, api: Client, folder: Path) -> Path:
    """The binding, as it is mounted into a worker."""
    path = f"/api/v1/namespaces/{home.estate.namespace}/configmaps/billing-binding"
    files: dict[str, str] = (await api.get(path))["data"]
    await asyncio.to_thread(written, folder, files)
    return folder


def written(folder: Path, files: Mapping[str, str]) -> None:
    """Each under its name."""
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)


def begun(servers: Run, name: str, *words: str, **env: str) -> Process:
    """A process of its own."""
    return servers.start(name, [sys.executable, *words], env={**os.environ, **env})


async def dlq(cluster: Cluster, home: Home, *words: str) -> str:
    """What the command line says to whoever goes through dead letters."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "headgate", "dlq", *words, "-n", home.estate.namespace),
        *("--kubeconfig", str(cluster.kubeconfig)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    return said.decode()


async def test_failed_events_come_back_are_given_up_and_are_triaged(
    home: Home, cluster: Cluster, api: Client, servers: Run, tmp_path: Path
) -> None:
    """By a mover and an unmodified worker of the examples."""
    await declared(home)
    status = await home.estate.status("ConsumerGroup", "billing")
    assert status["retry"]["mechanism"] == "RetryTopics"
    assert {*WAITS, "orders-billing-due"} <= await home.hand.names()
    folder = await bound(home, api, tmp_path / "binding")
    publish(home)
    broker = f"{home.estate.namespace}/main"
    where = ("--kubeconfig", str(cluster.kubeconfig), "--broker", broker, "--port", "0")
    mover = begun(servers, "kube-kafka-mover", "-m", "headgate", "mover", *where)
    worker = begun(servers, "kube-kafka-worker", str(WORKER), BINDING=str(folder))
    fatal = sum(failures(number) == ATTEMPTS for number in range(EVENTS))

    async def dead() -> bool:
        depth = (await home.estate.status("DeadLetterQueue", "dead")).get("depth")
        return int(depth or 0) == fatal

    await until("all that fails for ever is a dead letter", dead, limit=60)
    accounts(worker, await listed(cluster, home))
    first = (await listed(cluster, home))[0]
    await dlq(cluster, home, "resolve", "dead", str(first["position"]), "--reason", "done by hand")
    assert len(await listed(cluster, home)) == fatal - 1
    assert await mover.stop(grace=10.0) == 0
    await worker.stop(grace=5.0)
    await leaves(home)


async def listed(cluster: Cluster, home: Home) -> list[dict[str, Any]]:
    """The open entries."""
    return [
        json.loads(line) for line in (await dlq(cluster, home, "list", "dead", "-o", "json")).splitlines()
    ]


def accounts(worker: Process, entries: list[dict[str, Any]]) -> None:
    """What became of every event, and at which attempt; nothing twice where nobody was killed."""
    told = Counter(line for line in worker.log.read_text().splitlines() if line.startswith("handled"))
    fine = [number for number in range(EVENTS) if failures(number) < ATTEMPTS]
    assert told == Counter(f"handled {number} at attempt {failures(number) + 1}" for number in fine)
    assert len(entries) == EVENTS - len(fine)


async def leaves(home: Home) -> None:
    """Nothing waits and nothing is left, so the group goes with its topics; its topic stays."""
    await home.estate.delete("ConsumerGroup", "billing")
    await home.estate.gone("ConsumerGroup", "billing", limit=60)
    assert {name for name in await home.hand.names() if name.startswith("orders")} == {"orders"}
