"""Groups that nobody is in, on a Kafka that forgets positions after a minute; and workloads that are scaled by lag."""

import re
from collections.abc import AsyncIterator
from time import monotonic
from typing import Any

import pytest
import pytest_asyncio
from tests.broker_servers import kafka_cluster, kafka_server
from tests.brokers.kube_kafka import Home, at_home, group, topic
from tests.kube.conftest import NamespaceOf

from headgate.local.cache import Say
from headgate.local.client import Client
from headgate.local.cluster import Cluster
from headgate.local.run import Run
from headgate.local.waiting import until

pytestmark = pytest.mark.takes(150)

FORGETFUL = {"offsets.retention.minutes": "1", "offsets.retention.check.interval.ms": "500"}
A_MINUTE_AND_MORE = 80.0
SLOW = 40_000  # bytes a second


@pytest_asyncio.fixture(scope="module")
async def home(
    cluster: Cluster, api: Client, servers: Run, namespace_of: NamespaceOf, aloud: Say
) -> AsyncIterator[Home]:
    """An operator and a server of its own that is forgetful."""
    namespace = await namespace_of("main")
    async with (
        kafka_server(servers, "kube-kafka-idle", settings=FORGETFUL, say=aloud) as server,
        at_home(cluster, api, servers, server, namespace, "kube-kafka-idle") as found,
    ):
        yield found


async def metric(home: Home, name: str, **labels: str) -> float:
    """One number of the operator's."""
    told = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
    _, text = await home.operator.ask("/metrics")
    found = re.search(rf"^{re.escape(f'{name}{{{told}}}')} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


async def test_positions_of_a_group_that_nobody_is_in_outlive_what_the_broker_remembers(home: Home) -> None:
    """What scaling to zero comes to: committed again as they are, which is counted and troubles nobody."""
    await home.estate.put("EventTopic", "idle", topic())
    await home.estate.put("ConsumerGroup", "sleeper", group("idle"))
    await home.estate.ready("ConsumerGroup", "sleeper")
    await home.hand.publish("idle", 20)
    await home.hand.settle("sleeper", "idle", {0: 1, 1: 2})
    began = monotonic()

    async def long_enough() -> bool:
        found = await home.hand.positions("sleeper")
        assert found == {("idle", 0): 1, ("idle", 1): 2}, monotonic() - began
        return monotonic() - began > A_MINUTE_AND_MORE

    await until("more than a minute went by", long_enough, limit=A_MINUTE_AND_MORE + 10, every=1.0)
    assert await metric(home, "headgate_drift_fields_total", kind="group", field="positions") >= 1
    await home.estate.ready("ConsumerGroup", "sleeper")
    assert home.operator.complaints == []


async def test_a_workload_is_scaled_up_for_lag_and_to_zero_when_nothing_is_left(home: Home) -> None:
    estate, name = home.estate, "scaled"
    path = f"/apis/apps/v1/namespaces/{estate.namespace}/deployments"
    await estate.api.post(path, {"metadata": {"name": name}, "spec": deployment(name)})
    await estate.put("EventTopic", name, topic(partitions=4))
    await estate.ready("EventTopic", name)
    await home.hand.publish(name, 400)
    scaling = {
        "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
        "minReplicas": 0,
        "maxReplicas": 6,
        "idleAfter": "4s",
        "drainWithin": "10s",
        "capacity": {"eventsPerSecondPerReplica": "20"},
    }
    await estate.put("ConsumerGroup", name, group(name, scaling=scaling))
    await estate.ready("ConsumerGroup", name)

    async def replicas(least: int, most: int) -> bool:
        found = (await estate.api.get(f"{path}/{name}"))["spec"]["replicas"]
        return least <= int(found) <= most

    await until("there are replicas for the lag", lambda: replicas(2, 4), limit=30)
    await home.hand.settle(name, name, await home.hand.ends(name))
    await until("there are none once nothing is left", lambda: replicas(0, 0), limit=60)


def deployment(name: str) -> dict[str, Any]:
    """A workload without replicas, whose pods would wait at a gate that nobody opens."""
    labels = {"app": name}
    container = {"name": "worker", "image": "none", "command": ["true"]}
    pod = {"schedulingGates": [{"name": "example.com/never"}], "containers": [container]}
    return {
        "replicas": 0,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }


async def test_copies_are_moved_and_ready_says_so_until_that_is_done(
    cluster: Cluster, api: Client, servers: Run, namespace_of: NamespaceOf, aloud: Say
) -> None:
    """Three servers, on which copies are made slowly."""
    namespace = await namespace_of("trio")
    async with (
        kafka_cluster(servers, "kube-kafka-trio", say=aloud) as trio,
        at_home(cluster, api, servers, trio, namespace, "kube-kafka-trio") as home,
    ):
        await home.estate.put("EventTopic", "moved", topic(replicas=1))
        await home.estate.ready("EventTopic", "moved", limit=30)
        await home.hand.publish("moved", 40, size=50_000)
        await home.hand.throttle("moved", 3, SLOW)
        await home.estate.change("EventTopic", "moved", {"replicas": 3})
        message = await home.estate.says("EventTopic", "moved", "MoveInProgress", limit=30)
        assert "of 3" in message
        await home.hand.throttle("moved", 3, None)
        await home.estate.ready("EventTopic", "moved", limit=60)
        assert await home.hand.copies("moved") == {3}
