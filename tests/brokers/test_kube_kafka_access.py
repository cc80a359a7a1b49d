"""An EventBroker on a Kafka that does not let everybody in; and `headgate plan` on an estate there."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.broker_servers import kafka_server
from tests.brokers.kube_kafka import broker, topic
from tests.kube.conftest import NamespaceOf
from tests.kube.estate import Estate
from tests.kube.operator import Operator, operator

from headgate.local.cache import Say
from headgate.local.client import Client
from headgate.local.cluster import Cluster
from headgate.local.kafka import LocalKafka
from headgate.local.kafka_config import Guard
from headgate.local.run import Run

pytestmark = pytest.mark.takes(60)

SASL = {"mechanism": "SCRAM-SHA-512", "credentialsSecretRef": {"name": "login"}}


@pytest_asyncio.fixture(scope="module")
async def server(servers: Run, aloud: Say) -> AsyncIterator[LocalKafka]:
    """One that wants a password."""
    guard = Guard({"ann": "hush-hush"}, ("SCRAM-SHA-512",))
    async with kafka_server(servers, "kube-kafka-guarded", guard=guard, say=aloud) as found:
        yield found


@pytest_asyncio.fixture(scope="module")
async def estate(api: Client, namespace_of: NamespaceOf) -> Estate:
    return Estate(api, await namespace_of("main"))


@pytest_asyncio.fixture(scope="module")
async def running(cluster: Cluster, api: Client, servers: Run, estate: Estate) -> AsyncIterator[Operator]:
    async with operator(cluster, api, servers, "kube-kafka-access", namespaces=[estate.namespace]) as found:
        yield found


async def secret(estate: Estate, name: str, password: str) -> None:
    """Have a Secret hold a login."""
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name},
        "stringData": {"username": "ann", "password": password},
    }
    await estate.api.apply(f"/api/v1/namespaces/{estate.namespace}/secrets/{name}", body)


async def test_what_is_wrong_with_a_login_is_told_with_its_field_until_it_is_right(
    estate: Estate, server: LocalKafka, running: Operator
) -> None:
    """No Secret, a wrong password, the right one; a password is never told."""
    await estate.put("EventBroker", "main", broker(server.bootstrap, kafka={"sasl": SASL}))
    message = await estate.says("EventBroker", "main", "SecretNotFound", about="Authorized")
    assert "spec.kafka.sasl.credentialsSecretRef" in message
    await secret(estate, "login", "guessed-it")
    message = await estate.says("EventBroker", "main", "AuthenticationFailed", about="Authorized", limit=60)
    assert "spec.kafka.sasl" in message
    assert "guessed-it" not in message
    await secret(estate, "login", "hush-hush")
    await estate.ready("EventBroker", "main", limit=60)
    await estate.put("EventTopic", "orders", topic())
    await estate.ready("EventTopic", "orders")
    assert "guessed-it" not in running.log
    assert "hush-hush" not in running.log


async def test_plan_says_what_would_be_done(
    cluster: Cluster, estate: Estate, server: LocalKafka, tmp_path: Path
) -> None:
    """On the same broker, with the Secret of the cluster; after the test above."""
    del server
    spec = topic(retention={"maxAge": "2h"}, native={"kafka": {"compression.type": "zstd"}})
    meta = {"name": "orders", "namespace": estate.namespace}
    body = {"apiVersion": "headgate.dev/v1alpha1", "kind": "EventTopic", "metadata": meta, "spec": spec}
    (tmp_path / "orders.json").write_text(json.dumps(body))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "headgate", "plan", "--kubeconfig", str(cluster.kubeconfig), "-n", estate.namespace),
        *("-f", str(tmp_path / "orders.json")),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(60):
        out, _ = await process.communicate()
    text = out.decode()
    assert "topic/orders" in text, text
    assert "retention.ms" in text
    assert "7200000" in text
    assert "compression.type" in text
