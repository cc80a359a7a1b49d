"""The shop's worker on a real RabbitMQ of each version: woken from zero, failing and dying, it loses no event."""

import json
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aio_pika
import pytest
from tests.brokers.kube_rabbitmq import SECRET, Home, dlq, group, held, queue, topic
from tests.kube.rivals import target

from headgate.local.cluster import Cluster
from headgate.local.waiting import until

pytestmark = pytest.mark.takes(120)

WORKER = Path(__file__).parents[2] / "examples" / "shop" / "rabbitmq" / "worker.py"
EVENTS, ATTEMPTS, PREFETCH = 400, 6, 10
# More than one worker may die with an event in its hands, each time it costs an attempt: there are attempts enough.
TROUBLE: Mapping[str, tuple[int, dict[str, str]]] = {
    "is never handled": (50, {"shop-fail": "DatabaseDown"}),
    "is not worth another attempt": (48, {"shop-fail": "SchemaError"}),
    "is handled the second time": (30, {"shop-fail": "DatabaseDown 1"}),
    "kills its worker once": (130, {"shop-crash": "1"}),
}


def headers_of(number: int) -> dict[str, str]:
    """The trouble that an event asks for, of which there is one sort at most."""
    return next((asked for every, asked in TROUBLE.values() if number % every == 0), {})


def numbers(sort: str) -> set[str]:
    """The events that ask for a sort of trouble."""
    asked = TROUBLE[sort][1]
    return {str(number) for number in range(1, EVENTS + 1) if headers_of(number) == asked}


async def declare(home: Home) -> None:
    """What the shop's team writes."""
    backoff = {"type": "Fixed", "initial": "300ms"}
    rules = [{"match": {"errorClass": "SchemaError"}, "action": "DeadLetter"}]
    spec = {"attempts": ATTEMPTS, "handlingTimeout": "5s", "backoff": backoff, "rules": rules}
    await home.estate.put("RetryPolicy", "standard", spec)
    await home.estate.put("EventTopic", "orders", topic("orders", subjects=["orders.*.>"]))
    await home.estate.put("DeadLetterQueue", "dead", queue())
    billing = group(
        "orders",
        filter={"subjects": ["orders.*.paid"]},
        freshness={"maxAge": "30s"},
        concurrency={"perReplica": PREFETCH},
        retryPolicyRef={"name": "standard"},
        deadLetterQueueRef={"name": "dead"},
        binding={"configMapName": "billing-binding"},
        scaling={
            "targetRef": target("billing"),
            "minReplicas": 0,
            "maxReplicas": 3,
            "capacity": {"eventsPerSecondPerReplica": "20"},
        },
    )
    await home.estate.put("ConsumerGroup", "billing", billing)
    await home.estate.ready("ConsumerGroup", "billing", limit=60)


async def workload(home: Home, ledger: Path) -> None:
    """The Deployment of the worker: it mounts its binding and its login, and knows nothing else."""
    values = {"BINDING": "/etc/binding", "CREDENTIALS": "/etc/login", "LEDGER": str(ledger), "RATE": "60"}
    container = {
        "name": "worker",
        "image": "shop-worker",
        "command": [sys.executable, str(WORKER)],
        "env": [{"name": name, "value": value} for name, value in values.items()],
        "volumeMounts": [
            {"name": "binding", "mountPath": "/etc/binding"},
            {"name": "login", "mountPath": "/etc/login"},
        ],
    }
    volumes: list[dict[str, Any]] = [
        {"name": "binding", "configMap": {"name": "billing-binding"}},
        {"name": "login", "secret": {"secretName": SECRET}},
    ]
    labels = {"app": "billing"}
    pod = {"automountServiceAccountToken": False, "containers": [container], "volumes": volumes}
    spec = {
        "replicas": 0,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    path = f"/apis/apps/v1/namespaces/{home.estate.namespace}/deployments"
    await home.estate.api.post(path, {"metadata": {"name": "billing"}, "spec": spec})


async def publish(home: Home) -> None:
    """Every event, confirmed."""
    server = home.server
    async with await aio_pika.connect(server.user_url(vhost=home.vhost)) as connection:
        channel = await connection.channel(on_return_raises=True)
        orders = await channel.get_exchange("orders")
        for number in range(1, EVENTS + 1):
            message = aio_pika.Message(
                str(number).encode(),
                headers=dict(headers_of(number)),
                message_id=str(number),
                timestamp=time.time(),
                delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            )
            await orders.publish(message, f"orders.c{number % 7}.paid")


def noted(ledger: Path, outcome: str) -> set[str]:
    """The events with an outcome."""
    lines = ledger.read_text().splitlines() if ledger.exists() else []
    found = map(json.loads, lines)
    return {line["id"] for line in found if line["outcome"] == outcome}


async def test_every_event_is_handled_or_a_dead_letter_whatever_happens_to_workers(
    home: Home, cluster: Cluster, tmp_path: Path
) -> None:
    ledger = tmp_path / "billing.jsonl"
    dead = numbers("is never handled") | numbers("is not worth another attempt")
    everything = {str(number) for number in range(1, EVENTS + 1)}
    reasons = {
        "MaxAttempts": len(numbers("is never handled")),
        "Rejected": len(numbers("is not worth another attempt")),
    }
    await declare(home)
    await workload(home, ledger)
    await publish(home)

    async def handled() -> bool:
        return noted(ledger, "handled") == everything - dead

    async def given_up() -> bool:
        return await held(home.hand, "dead") == len(dead)

    async def told() -> bool:
        groups = (await home.estate.status("DeadLetterQueue", "dead")).get("groups") or [{}]
        return bool(groups[0].get("reasons", {}).keys() == reasons.keys())

    await until("all that can be handled is", handled, limit=120, every=0.2)
    await until("the others are dead letters", given_up, limit=60, every=0.2)
    await until("status tells why", told, limit=60, every=0.2)
    code, listed = await dlq(home, cluster, "list", "dead")
    assert code == 0, listed
    found = Counter(line.split()[3] for line in listed.splitlines()[1:])
    assert found == reasons
    assert numbers("is handled the second time") <= noted(ledger, "failed")
    assert noted(ledger, "dead") <= dead
    replicas = (await home.estate.status("ConsumerGroup", "billing"))["scaling"]["current"]
    assert replicas >= 1
    assert home.operator.complaints == []
