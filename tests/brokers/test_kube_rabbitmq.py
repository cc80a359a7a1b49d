"""The operator on a real control plane with a real RabbitMQ of each version: what users declare is there, and stays there."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml
from tests.broker_servers import rabbitmq_server
from tests.brokers.kube_rabbitmq import Home, at_home, bindings, policies
from tests.kube.conftest import NamespaceOf

from headgate.local.cache import Say
from headgate.local.client import Client
from headgate.local.cluster import Cluster
from headgate.local.rabbitmq import SUITES
from headgate.local.run import Run

pytestmark = pytest.mark.takes(150)
SHOP = Path(__file__).parents[2] / "examples" / "shop"


@pytest_asyncio.fixture(scope="module", params=SUITES)
async def home(
    cluster: Cluster,
    api: Client,
    servers: Run,
    namespace_of: NamespaceOf,
    aloud: Say,
    request: pytest.FixtureRequest,
) -> AsyncIterator[Home]:
    """An operator and a server of its own."""
    suite = str(request.param)
    namespace = await namespace_of("main")
    async with (
        rabbitmq_server(servers, f"kube-{suite}", suite=suite, say=aloud) as server,
        at_home(cluster, api, servers, server, namespace, f"kube-{suite}") as found,
    ):
        yield found


def shop() -> list[dict[str, Any]]:
    """The estate of the examples in one namespace, without what only another broker has."""
    found = []
    for path in sorted(SHOP.glob("[2-5]0-*.yaml")):
        for body in yaml.safe_load_all(path.read_text()):
            spec = body["spec"]
            for field in ("keyBuckets", "native", "whenFull", "scaling"):
                spec.pop(field, None)
            if "brokerRef" in spec:
                spec["brokerRef"] = {"name": "main"}
            found.append(body)
    return found


async def test_the_shop_becomes_ready(home: Home) -> None:
    for body in shop():
        await home.estate.put(body["kind"], body["metadata"]["name"], body["spec"])
    for body in shop():
        await home.estate.ready(body["kind"], body["metadata"]["name"], limit=60)
    billing = await home.estate.status("ConsumerGroup", "billing")
    assert await bindings(home.hand, "billing") == {"orders.*.paid"}
    assert billing["retry"]["mechanism"] in {"DelayedRetry", "Ladder"}
    (policy,) = (await policies(home.hand, "billing")).values()
    assert policy["definition"]["dead-letter-routing-key"] == "checkout-dead"
    assert policy["definition"]["delivery-limit"] == 4
    main = await home.estate.status("EventBroker", "main")
    assert (main["type"], main["serverVersion"]) == ("RabbitMQ", home.server.version)
    assert main["identity"]
