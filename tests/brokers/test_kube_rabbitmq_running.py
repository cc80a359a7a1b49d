"""An estate on a real RabbitMQ of each version that lives: drift, outages, lag that scales, dead letters that people close."""

import asyncio
import os
import re
import sys
from collections.abc import Awaitable, Callable, Mapping
from time import monotonic
from typing import Any
from urllib.parse import quote

import pytest
from tests.brokers.kube_rabbitmq import RESYNC, Home, bindings, dlq, group, held, policies, queue, topic
from tests.kube.estate import condition, policy
from tests.kube.rivals import target

from headgate.brokers.rabbitmq.facts import LIVE_POLICIES, level_of
from headgate.local.cluster import Cluster
from headgate.local.run import Run
from headgate.local.waiting import until

pytestmark = pytest.mark.takes(200)

YOUNG = 2.0  # seconds after its making in which a queue loses events with its one server (decision 8)
STATISTICS = 30.0  # seconds within which the server has counted
Repaired = Callable[[], Awaitable[bool]]


def in_time(home: Home) -> float:
    """How long a repair may take: where settings are told late, also until they are."""
    live = level_of(home.server.version) >= LIVE_POLICIES
    return RESYNC + 1.0 if live else RESYNC + 1.0 + 10.0


async def ours(home: Home, name: str) -> tuple[str, Mapping[str, Any]]:
    """Our policy of an object."""
    ((title, found),) = (await policies(home.hand, name)).items()
    return title, found


async def estate(home: Home, name: str) -> None:
    """A topic, its one group and a dead-letter queue, with names that begin alike."""
    await home.estate.put("EventTopic", name, topic(name))
    await home.estate.put("DeadLetterQueue", f"{name}-dead", queue())
    await home.estate.put("RetryPolicy", f"{name}-twice", policy(attempts=2))
    await home.estate.put(
        "ConsumerGroup",
        f"{name}-by",
        group(
            name,
            deadLetterQueueRef={"name": f"{name}-dead"},
            retryPolicyRef={"name": f"{name}-twice"},
        ),
    )
    for kind, each in (("DeadLetterQueue", f"{name}-dead"), ("ConsumerGroup", f"{name}-by")):
        await home.estate.ready(kind, each, limit=60)


async def changed_policy(home: Home) -> Repaired:
    title, found = await ours(home, "drift-by")
    definition = {**found["definition"], "delivery-limit": 9}
    await home.hand.policy(title, found["pattern"], definition, priority=900, to="quorum_queues")

    async def repaired() -> bool:
        return bool((await ours(home, "drift-by"))[1]["definition"] == found["definition"])

    return repaired


async def dropped_policy(home: Home) -> Repaired:
    title, found = await ours(home, "drift")
    await home.hand.drop("policies", title)

    async def repaired() -> bool:
        there = (await policies(home.hand, "drift")).get(title)
        return there is not None and there["definition"] == found["definition"]

    return repaired


async def bound_elsewhere(home: Home) -> Repaired:
    path = f"bindings/{home.hand.vhost}/e/drift/q/drift-by"
    await home.hand.ask("POST", path, {"routing_key": "drift.more"})
    (key,) = await bindings(home.hand, "drift-by") - {"drift.more"}
    await home.hand.ask("DELETE", f"{path}/{quote(key, safe='')}")

    async def repaired() -> bool:
        return await bindings(home.hand, "drift-by") == {key}

    return repaired


DRIFT = {
    "a changed policy is put right": changed_policy,
    "a deleted policy comes back": dropped_policy,
    "bindings are as declared again": bound_elsewhere,
}


@pytest.mark.parametrize("harm", DRIFT.values(), ids=DRIFT.keys())
async def test_drift_is_repaired_in_time(home: Home, harm: Callable[[Home], Awaitable[Repaired]]) -> None:
    await estate(home, "drift")
    repaired = await harm(home)
    await until("it is repaired", repaired, limit=in_time(home))
    await home.estate.ready("ConsumerGroup", "drift-by", limit=30)


async def test_a_queue_that_vanished_is_a_loss_until_somebody_says_so(home: Home) -> None:
    await estate(home, "gone")
    await home.hand.drop("queues", "gone-by")
    await home.estate.says("ConsumerGroup", "gone-by", "DataLost", limit=in_time(home) + 10)
    assert "gone-by" not in await home.hand.names("queues")
    lost = (await home.estate.status("ConsumerGroup", "gone-by"))["lost"]["externalId"]
    await home.estate.annotate("ConsumerGroup", "gone-by", acknowledge=lost)
    await home.estate.ready("ConsumerGroup", "gone-by", limit=30)
    assert await bindings(home.hand, "gone-by") == {"gone.*.#"}


async def test_lag_is_in_status_and_scales_a_workload_up_and_back_to_zero(home: Home) -> None:
    api, apps = home.estate.api, f"/apis/apps/v1/namespaces/{home.estate.namespace}/deployments"
    pod = {
        "schedulingGates": [{"name": "example.com/never"}],
        "containers": [{"name": "worker", "image": "none", "command": ["true"]}],
    }
    template = {"metadata": {"labels": {"app": "busy"}}, "spec": pod}
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": "busy"}}, "template": template}
    await api.post(apps, {"metadata": {"name": "busy"}, "spec": spec})
    scaling = {
        "targetRef": target("busy"),
        "minReplicas": 0,
        "maxReplicas": 6,
        "idleAfter": "4s",
        "drainWithin": "10s",
        "capacity": {"eventsPerSecondPerReplica": "10"},
    }
    await home.estate.put("EventTopic", "busy", topic("busy"))
    await home.estate.put("ConsumerGroup", "busy", group("busy", scaling=scaling))
    await home.estate.ready("ConsumerGroup", "busy", limit=30)

    async def replicas() -> int:
        return int((await api.get(f"{apps}/busy"))["spec"]["replicas"])

    async def several() -> bool:
        return await replicas() > 1

    async def none() -> bool:
        return await replicas() == 0

    for number in range(300):
        assert await home.hand.publish("busy", "busy.a", str(number))
    await until("there are several replicas", several, limit=STATISTICS, every=0.2)
    await lag(home, "busy", lambda found: found.get("pending") == 300 and "oldestTime" in found)
    assert len(await home.hand.take("busy", 300)) == 300
    await lag(home, "busy", lambda found: found.get("pending") == 0)
    await until("there are none again", none, limit=90, every=0.5)


async def lag(home: Home, name: str, fits: Callable[[Mapping[str, Any]], bool]) -> None:
    """Wait until status.lag fits: it is rewritten every thirty seconds at most."""

    async def check() -> bool:
        return fits((await home.estate.status("ConsumerGroup", name)).get("lag") or {})

    await until(f"status.lag of {name} is as it should be", check, limit=STATISTICS + 35, every=0.2)


async def test_dead_letters_are_told_apart_in_status_and_closed_by_people(
    home: Home, cluster: Cluster, servers: Run
) -> None:
    """Given up by attempts and refused for good: the broker moves both, and a mover beside it has nothing to do."""
    words = ["--broker", f"{home.estate.namespace}/main", "--kubeconfig", str(cluster.kubeconfig)]
    mover = servers.start(
        f"{home.vhost}-mover",
        [sys.executable, "-m", "headgate", "mover", "--port", "0", *words],
        env={**os.environ},
    )
    try:
        await estate(home, "dying")
        assert await home.hand.publish("dying", "dying.refused")
        await home.hand.take("dying-by", mode="reject_requeue_false")
        assert await home.hand.publish("dying", "dying.tried")
        await until("its attempts are used up", lambda: _given_up(home), limit=60)

        async def told() -> bool:
            found = await home.estate.status("DeadLetterQueue", "dying-dead")
            groups = [
                {
                    "group": f"{home.estate.namespace}/dying-by",
                    "depth": 2,
                    "reasons": {"MaxAttempts": 1, "Rejected": 1},
                }
            ]
            return found.get("depth") == 2 and bool(found.get("oldestTime")) and found["groups"] == groups

        await until("status tells them apart", told, limit=60, every=0.2)
        await home.estate.says(
            "DeadLetterQueue", "dying-dead", "Capturing", about="Capturing", status="True", limit=30
        )
        code, listed = await dlq(home, cluster, "list", "dying-dead")
        assert code == 0, listed
        assert {line.split()[3] for line in listed.splitlines()[1:]} == {"MaxAttempts", "Rejected"}
        position = re.findall(r"^\s*(\d+) .* Rejected ", listed, re.MULTILINE)
        code, said = await dlq(home, cluster, "show", "dying-dead", *position)
        assert code == 0, said
        assert "dying.refused" in said
        code, said = await dlq(home, cluster, "resolve", "dying-dead", *position, "--reason", "done by hand")
        assert code == 0, said
        code, said = await dlq(
            home, cluster, "discard", "dying-dead", "--given-up", "MaxAttempts", "--reason", "a test"
        )
        assert code == 0, said
        await until("the queue is empty", lambda: _empty(home), limit=100, every=0.2)
        code, closed = await dlq(home, cluster, "list", "dying-dead", "--closed")
        assert (code, closed.count("Resolved"), closed.count("Discarded")) == (0, 1, 1), closed
        assert mover.running
    finally:
        await mover.stop()


async def _given_up(home: Home) -> bool:
    """Reject the one event again and again, as a worker does that fails."""
    await home.hand.take("dying-by", mode="reject_requeue_true")
    return await _holds(home, "dying-dead", 2)


async def _holds(home: Home, name: str, count: int) -> bool:
    return await held(home.hand, name) == count


async def _empty(home: Home) -> bool:
    found = await home.estate.status("DeadLetterQueue", "dying-dead")
    return not found.get("depth") and not found.get("groups")


async def test_plan_says_what_would_change_and_changes_nothing(home: Home, cluster: Cluster) -> None:
    await estate(home, "planned")
    await home.estate.change("ConsumerGroup", "planned-by", {"mode": "Plan"})
    await home.estate.ready("ConsumerGroup", "planned-by", limit=30)
    await home.estate.change("ConsumerGroup", "planned-by", {"backlog": {"maxBytes": "1Gi"}})
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "headgate", "plan", "cg/planned-by", "--installation", home.vhost),
        *("--kubeconfig", str(cluster.kubeconfig), "--namespace", home.estate.namespace),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()
    assert "max_bytes" in out.decode()
    assert "max-length-bytes" not in (await ours(home, "planned-by"))[1]["definition"]


async def test_a_server_that_goes_and_comes_back_takes_nothing_along(home: Home) -> None:
    await estate(home, "tough")
    made = monotonic()
    title, found = await ours(home, "tough-by")

    async def is_old_enough() -> bool:
        return monotonic() - made > YOUNG

    await until("its server remembers the queue however it ends", is_old_enough)
    assert await home.hand.publish("tough", "tough.a")
    await home.server.kill()
    await home.estate.says(
        "EventBroker", "main", "ConnectFailed", about="Reachable", status="False", limit=30
    )
    await home.estate.says("ConsumerGroup", "tough-by", "Unreachable", status="False", limit=30)
    await home.server.restart()
    back = monotonic()
    await home.estate.ready("ConsumerGroup", "tough-by", limit=60)
    assert monotonic() - back < STATISTICS
    assert (await ours(home, "tough-by")) == (title, found)
    await until("its event is there", lambda: _holds(home, "tough-by", 1), limit=STATISTICS)
    assert (
        condition(await home.estate.status("EventBroker", "main"), "EstateVanished").get("status") != "True"
    )
    assert home.operator.complaints == []
