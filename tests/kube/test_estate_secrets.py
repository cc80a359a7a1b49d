"""A text that stands in every Secret never comes out of the operator again: not in logs, Events, status or metrics."""

import json
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest_asyncio
from tests.kube.conftest import NamespaceOf
from tests.kube.estate import GROUP_VERSION, PLURALS, Estate, connection, group, topic
from tests.kube.operator import Operator, operator
from tests.servers import nats_server

from headgate.local.client import Client
from headgate.local.cluster import Cluster
from headgate.local.nats import LocalNats
from headgate.local.run import Run

CANARY = "canary-7f3c2a91"
WRONG = f"{CANARY}-wrong"


@dataclass
class Scene:
    estate: Estate
    server: LocalNats
    operator: Operator


@pytest_asyncio.fixture(scope="module")
async def scene(
    cluster: Cluster, api: Client, servers: Run, namespace_of: NamespaceOf
) -> AsyncIterator[Scene]:
    namespace = await namespace_of("main")
    login = f"authorization {{ user: headgate, password: {CANARY} }}"
    async with (
        nats_server(servers, "estate-secrets", config=login) as server,
        operator(
            cluster,
            api,
            servers,
            "secrets",
            namespaces=[namespace],
            env={"HEADGATE_LOG_LEVEL": "debug", "HEADGATE_GRACE": "1s"},
        ) as running,
    ):
        yield Scene(Estate(api, namespace), server, running)


async def secret(scene: Scene, name: str, **values: str) -> None:
    """Have a Secret hold exactly these values."""
    path = f"/api/v1/namespaces/{scene.estate.namespace}/secrets/{name}"
    data = {key: b64encode(text.encode()).decode() for key, text in values.items()}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data}
    await scene.estate.api.apply(path, body)


async def shown(scene: Scene) -> str:
    """Everything that the operator showed to anybody."""
    estate = scene.estate
    places = [f"/apis/{GROUP_VERSION}/namespaces/{estate.namespace}/{plural}" for plural in PLURALS.values()]
    places += [f"/api/v1/namespaces/{estate.namespace}/{each}" for each in ("events", "configmaps")]
    places += [f"/apis/events.k8s.io/v1/namespaces/{estate.namespace}/events"]
    texts = [json.dumps(await estate.api.get(place)) for place in places]
    _, metrics = await scene.operator.ask("/metrics")
    assert "headgate_" in metrics
    return "\n".join([*texts, metrics, scene.operator.log])


async def test_a_secret_text_never_comes_out_again_whatever_goes_wrong(scene: Scene) -> None:
    estate = scene.estate
    connects = {"credentialsSecretRef": {"name": "login"}}
    await secret(scene, "login", username="headgate", password=WRONG)
    await estate.put("EventBroker", "main", connection(scene.server.url, resyncInterval="1s", nats=connects))
    await estate.says("EventBroker", "main", "AuthenticationFailed", status="False")
    await secret(scene, "login", nkey=f"SU{CANARY.upper()}")
    await estate.says("EventBroker", "main", "CredentialsInvalid", status="False", limit=8)
    pems = {"ca.crt": CANARY, "tls.crt": CANARY, "tls.key": f"-----BEGIN PRIVATE KEY-----\n{CANARY}"}
    await secret(scene, "tls", **pems)
    tls = {"caSecretRef": {"name": "tls"}, "clientSecretRef": {"name": "tls"}}
    await estate.put("EventBroker", "tls", connection(scene.server.url, nats={**connects, "tls": tls}))
    await estate.says("EventBroker", "tls", "CredentialsInvalid", status="False")
    await secret(scene, "login", username="headgate", password=CANARY)
    await estate.ready("EventBroker", "main", limit=8)
    await estate.put("EventTopic", "orders", topic("orders"))
    await estate.put("ConsumerGroup", "orders", group("orders", binding={"configMapName": "orders"}))
    await estate.ready("ConsumerGroup", "orders")
    await scene.server.restart()
    await estate.ready("EventBroker", "main")
    text = await shown(scene)
    assert "orders" in text
    assert CANARY not in text.lower()
    assert scene.operator.complaints == []
