"""Workloads of a real control plane, scaled by lag on a real server, and everything that stands against it.

Most of it is waiting: for looks, for idleness, for figures to grow old. So all plays run at the same time, each with
objects of its own, and every test waits for one of them.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from typing import Any, Final

import pytest
import pytest_asyncio
from tests.kube.conftest import NamespaceOf
from tests.kube.estate import Estate, condition, connection, jetstream
from tests.kube.operator import operator
from tests.kube.rivals import put_hpa, put_scaled_object, scaled_objects
from tests.kube.scaling import HASTY, RULE, Scene, policies
from tests.servers import nats_server

from headgate.local.audit import AuditLog
from headgate.local.client import Client
from headgate.local.cluster import Cluster
from headgate.local.run import Run
from headgate.local.waiting import until

pytestmark = pytest.mark.takes(75)

MANY: Final = 300  # events that take several replicas
Play = Callable[[Scene], Coroutine[Any, Any, None]]
PLAYS: dict[str, Play] = {}


def play(sentence: str) -> Callable[[Play], Play]:
    """Have a function played and tested under a sentence."""

    def keep(function: Play) -> Play:
        PLAYS[sentence] = function
        return function

    return keep


@pytest_asyncio.fixture(scope="module")
async def plays(
    cluster: Cluster, api: Client, servers: Run, namespace_of: NamespaceOf, request: pytest.FixtureRequest
) -> AsyncIterator[dict[str, asyncio.Task[None]]]:
    """Every play that a test of this run waits for."""
    namespace = await namespace_of("main")
    estate = Estate(api, namespace)
    log = AuditLog(cluster.plane.audit_log)
    async with (
        nats_server(servers, "estate-scaling") as server,
        nats_server(servers, "estate-scaling-blind") as other,
        scaled_objects(api),
    ):
        await put_hpa(
            api, namespace, "hpa"
        )  # before anybody looks for rivals, which is done once in a minute
        await put_scaled_object(api, namespace, "keda")
        async with operator(cluster, api, servers, "scaling", namespaces=[namespace]) as running:
            for name, url in (("main", server.url), ("second", server.url), ("blind", other.url)):
                await estate.put("EventBroker", name, connection(url, resyncInterval="2s"))
            await policies(estate)
            for name in ("main", "second", "blind"):
                await estate.ready("EventBroker", name)
            scene = Scene(api, estate, jetstream(server.url), running, log, other)
            asked = _asked(request)
            begun = {name: asyncio.create_task(PLAYS[name](scene)) for name in PLAYS if name in asked}
            yield begun
            for each in begun.values():
                each.cancel()
            await asyncio.gather(*begun.values(), return_exceptions=True)
            assert running.complaints == []


def _asked(request: pytest.FixtureRequest) -> set[str]:
    """The sentences that this run was asked for."""
    here = [item for item in request.session.items if item.path == request.path]
    return {sentence for sentence in PLAYS if any(f"[{sentence}]" in item.name for item in here)}


# --- up and down


@play("from zero it takes one step to what is needed")
async def burst(scene: Scene) -> None:
    await scene.scaled("burst", events=MANY)
    assert await scene.comes_to("burst", lambda n: n > 0, limit=12) >= 2
    await scene.patched("burst", 1)


@play("to zero it goes only when nothing is in flight")
async def busy(scene: Scene) -> None:
    await scene.scaled("busy", replicas=1, events=1)
    await scene.scaled("quiet", replicas=1)
    async with scene.nats.client() as client:
        reader = await client.jetstream().pull_subscribe_bind("busy", stream="busy")
        (message,) = await reader.fetch(1, timeout=5)
        await scene.comes_to("quiet", lambda n: n == 0)
        await scene.active("busy", "Enforced")
        assert (await scene.replicas("busy"), scene.patches("busy")) == (1, [])
        await message.ack_sync()
    await scene.comes_to("busy", lambda n: n == 0)


@play("a stranded event is work until it has moved on")
async def stranded(scene: Scene) -> None:
    nats = scene.nats
    await scene.scaled("stranded", events=1, retryPolicyRef={"name": HASTY})
    async with nats.client() as client:
        reader = await client.jetstream().pull_subscribe_bind("stranded", stream="stranded")
        for _ in range(2):  # attempts, each given up by saying nothing
            await reader.fetch(1, timeout=5)
    await scene.comes_to("stranded", lambda n: n == 1)
    await scene.lag("stranded", lambda lag: lag.get("stranded") == 1, limit=60)
    assert await scene.replicas("stranded") == 1
    async with nats.client() as client:
        reader = await client.jetstream().pull_subscribe_bind("stranded", stream="stranded")
        with pytest.raises(TimeoutError):
            await reader.fetch(1, timeout=1)
    await scene.comes_to("stranded", lambda n: n == 0)


@play("events that wait for a retry are said to fill the places, and bring no replicas")
async def saturated(scene: Scene) -> None:
    limits = {"perReplica": 1, "total": 4}
    await scene.scaled("saturated", replicas=1, events=20, rule={"minReplicas": 1}, concurrency=limits)
    async with scene.nats.client() as client:
        reader = await client.jetstream().pull_subscribe_bind("saturated", stream="saturated")
        for message in await reader.fetch(4, timeout=5):
            await message.nak(delay=20)
        found = await scene.estate.says(
            "ConsumerGroup", "saturated", "RetrySaturated", about="RetrySaturated", status="True", limit=60
        )
        assert "retry" in found
        shown = (await scene.estate.status("ConsumerGroup", "saturated"))["scaling"]
        assert (shown["reason"], shown["desired"]) == (
            "RetrySaturated",
            await scene.replicas("saturated"),
        )
        for _ in range(20):
            (message,) = await reader.fetch(1, timeout=30)
            await message.ack_sync()

    async def is_over() -> bool:
        return not condition(await scene.estate.status("ConsumerGroup", "saturated"), "RetrySaturated")

    await until("the places are free again, and status says so", is_over)


# --- by hand, by others, not at all


@play("a workload that is pinned by hand stays pinned until it is let go")
async def pinned(scene: Scene) -> None:
    estate = scene.estate
    await scene.scaled("pinned", replicas=1, rule={"maxReplicas": 3, "idleAfter": "10m"})
    await estate.annotate("ConsumerGroup", "pinned", hold_replicas="4")
    await scene.comes_to("pinned", lambda n: n == 4)
    assert "4" in await scene.active("pinned", "HeldByAnnotation")
    number, why = await scene.told("pinned")
    assert (number, "headgate.dev/hold-replicas" in why) == (4, True)
    await estate.annotate("ConsumerGroup", "pinned", hold_replicas="many")
    await estate.says("ConsumerGroup", "pinned", "HeldByAnnotation", about="ScalingActive")

    async def is_unclear() -> bool:
        status = await estate.status("ConsumerGroup", "pinned")
        return "whole number" in condition(status, "ScalingActive")["message"]

    await until("the annotation is called unclear", is_unclear)
    assert await scene.replicas("pinned") == 4
    path = estate.path("ConsumerGroup", "pinned")
    await scene.api.patch(path, {"metadata": {"annotations": {"headgate.dev/hold-replicas": None}}})
    await scene.active("pinned", "Enforced")
    await scene.comes_to("pinned", lambda n: n <= 3)


@play("a workload that an HPA scales too is left alone until the HPA is gone")
async def beside_hpa(scene: Scene) -> None:
    await scene.scaled("hpa", replicas=1, events=MANY)
    message = await scene.active("hpa", "TargetContested")
    assert f"HorizontalPodAutoscaler {scene.estate.namespace}/hpa" in message
    assert scene.patches("hpa") == []
    path = f"/apis/autoscaling/v2/namespaces/{scene.estate.namespace}/horizontalpodautoscalers/hpa"
    await scene.api.delete(path)
    await scene.active("hpa", "Enforced", limit=80)
    await scene.comes_to("hpa", lambda n: n > 1)


@play("a workload that a ScaledObject scales too is left alone")
async def beside_scaled_object(scene: Scene) -> None:
    await scene.scaled("keda", replicas=1, events=MANY)
    message = await scene.active("keda", "TargetContested")
    assert f"ScaledObject {scene.estate.namespace}/keda" in message
    assert scene.patches("keda") == []


@play("a recommendation is shown and never written")
async def recommended(scene: Scene) -> None:
    await scene.scaled("recommended", events=MANY, rule={"mode": "Recommend"})
    await scene.active("recommended", "Recommending")

    async def is_wanted() -> bool:
        shown = (await scene.estate.status("ConsumerGroup", "recommended"))["scaling"]
        return bool(shown["desired"] >= 2 and shown["current"] == 0)

    await until("status says what would be done", is_wanted)
    assert (await scene.replicas("recommended"), scene.patches("recommended")) == (0, [])


@play("a disabled workload is left alone")
async def disabled(scene: Scene) -> None:
    await scene.scaled("disabled", events=MANY, rule={"mode": "Disabled"})
    await scene.active("disabled", "Disabled")
    assert (await scene.replicas("disabled"), scene.patches("disabled")) == (0, [])


# --- several groups on one workload


@play("needs of groups on different brokers add up")
async def two_brokers(scene: Scene) -> None:
    rule = {"maxReplicas": 60}
    await scene.scaled("alone", events=MANY, rule=rule)
    await scene.topic("left", MANY)
    await scene.topic("right", MANY, broker="second")
    await scene.deployment("both", 0)
    for name in ("left", "right"):
        await scene.group(name, name, "both", rule=rule)
    await scene.comes_to("alone", lambda n: n > 0)
    alone, _ = await scene.told("alone")
    both = await scene.comes_to("both", lambda n: n > alone)
    assert both <= 2 * alone
    for name in ("left", "right"):
        await scene.active(name, "Enforced")


@play("groups that differ in capacity alone share a workload, and contest it when they differ in more")
async def shared(scene: Scene) -> None:
    estate = scene.estate
    await scene.deployment("shared", 1)
    await scene.topic("shared")
    rule = {"minReplicas": 1}
    await scene.group(
        "slow", "shared", "shared", rule=rule | {"capacity": {"eventsPerSecondPerReplica": "5"}}
    )
    await scene.group("fast", "shared", "shared", rule=rule)
    for name in ("slow", "fast"):
        await scene.active(name, "Enforced")
    await estate.change("ConsumerGroup", "fast", {"scaling": {"maxReplicas": 7}})
    await scene.nats.publish("shared.x", MANY)
    for name in ("slow", "fast"):
        message = await scene.active(name, "TargetContested")
        assert "spec.scaling" in message
    assert await scene.replicas("shared") == 1
    await estate.change("ConsumerGroup", "fast", {"scaling": {"maxReplicas": RULE["maxReplicas"]}})
    for name in ("slow", "fast"):
        await scene.active(name, "Enforced")
    await scene.comes_to("shared", lambda n: n > 1)


# --- what is left behind

ENDS: Final[
    Mapping[str, tuple[Mapping[str, Any], int, int]]
] = {  # by name: what onRelease says, replicas before, replicas afterwards
    "promised": ({"onRelease": {"replicas": 2}}, 0, 2),
    "none-promised": ({"onRelease": {"replicas": 0}}, 0, 0),
    "unsaid": ({}, 0, 0),
    "not-at-zero": ({"onRelease": {"replicas": 2}, "minReplicas": 1}, 1, 1),
}


async def _ended(scene: Scene, how: str, end: Callable[[str], Awaitable[None]]) -> None:
    """Workloads of groups whose scaling ends, each left with what it should be left with."""
    for name, (rule, before, _) in ENDS.items():
        await scene.scaled(f"{how}-{name}", replicas=before, rule=rule)
    for name in ENDS:
        await scene.active(f"{how}-{name}", "Enforced")
    for name in ENDS:
        await end(f"{how}-{name}")
    await scene.comes_to(f"{how}-promised", lambda n: n == 2)
    for name, (_, before, after) in ENDS.items():
        assert await scene.replicas(f"{how}-{name}") == after, name
        await scene.patched(f"{how}-{name}", int(before != after))


@play("a group that is deleted leaves what onRelease says")
async def deleted(scene: Scene) -> None:
    async def end(name: str) -> None:
        await scene.estate.delete("ConsumerGroup", name)
        await scene.estate.gone("ConsumerGroup", name)

    await _ended(scene, "deleted", end)


@play("a group that names its workload no more leaves what onRelease says")
async def unnamed(scene: Scene) -> None:
    async def end(name: str) -> None:
        await scene.api.patch(scene.estate.path("ConsumerGroup", name), {"spec": {"scaling": None}})

    await _ended(scene, "unnamed", end)
    assert "scaling" not in await scene.estate.status("ConsumerGroup", "unnamed-promised")


@play("a group whose scaling is disabled leaves what onRelease says")
async def switched_off(scene: Scene) -> None:
    async def end(name: str) -> None:
        await scene.estate.change("ConsumerGroup", name, {"scaling": {"mode": "Disabled"}})
        await scene.active(name, "Disabled")

    await _ended(scene, "switched-off", end)


@play("a group that is suspended leaves what onRelease says")
async def suspended(scene: Scene) -> None:
    async def end(name: str) -> None:
        await scene.estate.change("ConsumerGroup", name, {"suspend": True})
        await scene.active(name, "Suspended")

    await _ended(scene, "suspended", end)


# --- blindness


@play("a workload whose figures are lost keeps its replicas until they are back")
async def blind(scene: Scene) -> None:
    rule, promise = {"idleAfter": "20s"}, {"maxAge": "30s"}
    await scene.scaled("fading", replicas=2, rule=rule)
    await scene.deployment("blind", 2)
    await scene.estate.put("EventTopic", "blind", {**_TOPIC, "brokerRef": {"name": "blind"}})
    await scene.group("blind", "blind", "blind", rule=rule, freshness=promise)
    await scene.active("blind", "Enforced")
    await scene.other.stop()
    await scene.comes_to("fading", lambda n: n == 0, limit=40)
    assert await scene.replicas("blind") == 2
    await scene.active("blind", "MetricsLost", limit=90)
    await scene.estate.says("ConsumerGroup", "blind", "MetricsLost", about="Fresh", status="Unknown")
    assert (await scene.replicas("blind"), scene.patches("blind")) == (2, [])
    await scene.other.restart()
    await scene.active("blind", "Enforced", limit=20)
    await scene.comes_to("blind", lambda n: n == 0, limit=40)


_TOPIC: Final = {"subjects": ["blind.>"], "retention": {"maxAge": "1h"}}


@pytest.mark.parametrize("sentence", PLAYS, ids=PLAYS)
async def test_scaling(plays: dict[str, asyncio.Task[None]], sentence: str) -> None:
    await plays[sentence]
