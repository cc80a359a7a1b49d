"""What somebody changed behind the operator's back is repaired in time, and a broker that is away harms only itself."""

import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from time import monotonic

import pytest
import pytest_asyncio
from tests.kube.conftest import NamespaceOf
from tests.kube.estate import Estate, JetStream, condition, connection, group, jetstream, topic
from tests.kube.operator import Operator, operator
from tests.servers import nats_server

from headgate.local.client import Client
from headgate.local.cluster import Cluster
from headgate.local.nats import LocalNats
from headgate.local.run import Run
from headgate.local.waiting import until

pytestmark = pytest.mark.takes(25)

RESYNC = 5.0
IN_TIME = RESYNC + 1.0
FINALIZER = "headgate.dev/finalizer"
HOUR = 3600 * 10**9


@dataclass
class Scene:
    estate: Estate
    server: LocalNats
    nats: JetStream
    other: LocalNats
    operator: Operator


@pytest_asyncio.fixture(scope="module")
async def scene(
    cluster: Cluster, api: Client, servers: Run, namespace_of: NamespaceOf
) -> AsyncIterator[Scene]:
    """An operator whose grace for brokers that are away is short, and two brokers."""
    namespace = await namespace_of("main")
    async with (
        nats_server(servers, "estate-drift") as server,
        nats_server(servers, "estate-drift-other") as other,
        operator(
            cluster, api, servers, "drift", namespaces=[namespace], env={"HEADGATE_GRACE": "4s"}
        ) as running,
    ):
        estate = Estate(api, namespace)
        await estate.put("EventBroker", "main", connection(server.url))
        await estate.put("EventBroker", "other", connection(other.url, limits={"timeout": "2s"}))
        await estate.put("EventTopic", "orders", topic("orders"))
        await estate.put("ConsumerGroup", "billing", group("orders"))
        for kind, name in (("EventBroker", "other"), ("EventTopic", "orders"), ("ConsumerGroup", "billing")):
            await estate.ready(kind, name)
        yield Scene(estate, server, jetstream(server.url), other, running)


async def retention(scene: Scene) -> Callable[[], Awaitable[bool]]:
    await scene.nats.edit("orders", max_age=2 * HOUR)

    async def repaired() -> bool:
        return bool((await scene.nats.config("orders"))["max_age"] == HOUR)

    return repaired


async def description_and_retention(scene: Scene) -> Callable[[], Awaitable[bool]]:
    await scene.nats.edit("orders", max_age=3 * HOUR, subjects=["orders.>", "hg.orders.>", "more.>"])

    async def repaired() -> bool:
        config = await scene.nats.config("orders")
        return config["max_age"] == HOUR and "more.>" not in config["subjects"]

    return repaired


async def durable(scene: Scene) -> Callable[[], Awaitable[bool]]:
    await scene.nats.drop("orders", "billing")

    async def repaired() -> bool:
        return await scene.nats.durable("orders", "billing") is not None

    return repaired


async def finalizer(scene: Scene) -> Callable[[], Awaitable[bool]]:
    estate = scene.estate
    await estate.api.patch(estate.path("EventTopic", "orders"), {"metadata": {"finalizers": None}})

    async def repaired() -> bool:
        return FINALIZER in (await estate.get("EventTopic", "orders"))["metadata"].get("finalizers", ())

    return repaired


async def status(scene: Scene) -> Callable[[], Awaitable[bool]]:
    estate = scene.estate
    lie = {"status": {"conditions": [], "observedGeneration": 77}}
    await estate.api.patch(estate.path("EventTopic", "orders") + "/status", lie)

    async def repaired() -> bool:
        found = await estate.status("EventTopic", "orders")
        return condition(found, "Ready").get("status") == "True" and found["observedGeneration"] == 1

    return repaired


async def whole_status(scene: Scene) -> Callable[[], Awaitable[bool]]:
    estate = scene.estate
    await estate.api.patch(estate.path("ConsumerGroup", "billing") + "/status", {"status": None})

    async def repaired() -> bool:
        found = await estate.status("ConsumerGroup", "billing")
        return condition(found, "Ready").get("status") == "True" and "identity" in found["record"]

    return repaired


DRIFT = {
    "a changed retention is put right": retention,
    "several changed fields are put right": description_and_retention,
    "a deleted durable comes back": durable,
    "a finalizer that was taken away comes back": finalizer,
    "a status that somebody edited tells the truth again": status,
    "a status that somebody emptied is written again": whole_status,
}


@pytest.mark.parametrize("harm", DRIFT.values(), ids=DRIFT.keys())
async def test_drift_is_repaired_within_the_resync_interval_and_a_second(
    scene: Scene, harm: Callable[[Scene], Awaitable[Callable[[], Awaitable[bool]]]]
) -> None:
    repaired = await harm(scene)
    await until("it is repaired", repaired, limit=IN_TIME)
    await scene.estate.ready("EventTopic", "orders")
    await scene.estate.ready("ConsumerGroup", "billing")


async def test_a_deleted_durable_comes_back_at_its_checkpoint_and_says_what_repeats(scene: Scene) -> None:
    estate, nats = scene.estate, scene.nats
    await estate.put("EventTopic", "read", topic("read"))
    await estate.put("ConsumerGroup", "reader", group("read"))
    await estate.ready("ConsumerGroup", "reader")
    await nats.publish("read.x", 10)
    await nats.settle("read", "reader", 6)

    async def checkpoint() -> bool:
        record = (await estate.status("ConsumerGroup", "reader")).get("record") or {}
        return bool((record.get("checkpoint") or {}).get("position") == "6")

    await until("the checkpoint is written down", checkpoint, limit=45)
    await nats.drop("read", "reader")

    async def back() -> bool:
        return await nats.durable("read", "reader") is not None

    await until("the durable is back", back, limit=IN_TIME)
    found = await nats.durable("read", "reader")
    assert found is not None
    assert found["config"]["opt_start_seq"] == 7
    assert found["num_pending"] == 4
    message = await estate.says("ConsumerGroup", "reader", "PositionResumed", about="Resumed")
    assert "position 6" in message
    assert "again" in message


async def test_a_broker_killed_and_restarted_gets_a_full_pass_within_two_seconds(scene: Scene) -> None:
    await scene.server.kill()
    await scene.estate.says("EventBroker", "main", "ConnectFailed", about="Reachable", status="False")
    await scene.server.restart()
    at = monotonic()
    await scene.nats.edit("orders", max_age=4 * HOUR)

    async def repaired() -> bool:
        return bool((await scene.nats.config("orders"))["max_age"] == HOUR)

    await until("drift made at the moment of return is repaired", repaired, limit=2.0 - (monotonic() - at))


async def test_a_broker_that_hangs_delays_no_other_brokers_objects(scene: Scene) -> None:
    estate = scene.estate
    scene.other.process.signal(signal.SIGSTOP)
    try:
        await estate.put("EventTopic", "hanging", topic("hanging", broker="other"))
        at = monotonic()
        await estate.put("EventTopic", "quick", topic("quick"))
        await estate.ready("EventTopic", "quick", limit=1.5)
        assert monotonic() - at < 1.5
        assert condition(await estate.status("EventTopic", "hanging"), "Ready").get("status") != "True"
    finally:
        scene.other.process.signal(signal.SIGCONT)
    await estate.ready("EventTopic", "hanging")


async def test_ready_is_kept_for_a_while_when_a_broker_is_away_and_then_given_up(scene: Scene) -> None:
    estate = scene.estate
    await estate.put("EventTopic", "kept", topic("kept", broker="other"))
    await estate.ready("EventTopic", "kept")
    await scene.other.kill()
    try:
        message = await estate.says(
            "EventBroker", "other", "ConnectFailed", about="Reachable", status="False"
        )
        assert f"127.0.0.1:{scene.other.port}" in message
        for kind, name in (("EventBroker", "other"), ("EventTopic", "kept")):
            assert condition(await estate.status(kind, name), "Ready")["status"] == "True"
        for kind, name in (("EventBroker", "other"), ("EventTopic", "kept")):
            await estate.says(kind, name, "Unreachable", status="False", limit=8)
    finally:
        await scene.other.restart()
    for kind, name in (("EventBroker", "other"), ("EventTopic", "kept")):
        await estate.ready(kind, name, limit=2)
    assert scene.operator.complaints == []
