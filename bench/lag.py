"""Lag appears, and the workload is scaled: how long that takes among a thousand idle groups on a thousand topics.

Every try has a group, a topic and a Deployment of its own, at zero replicas, and comes at a moment of its own within
the operator's rhythm. The EventBroker says nothing about limits, so the defaults hold.
"""

import asyncio
import time
from statistics import median

from bench.figures import Figure
from bench.life import seconds, topic
from bench.programs import Program, operator
from bench.restart import NAMESPACE, estate, group
from bench.scene import PLENTY, Json, Scene, is_ready, say, scene, served

from headgate.local.waiting import until

TRIES = 8
RHYTHM = 5.0  # seconds between two looks; the tries are spread over it
EVENTS = 2_000
WITHIN = 5.5
SCALE = "deployments/scale"


def deployment(name: str) -> Json:
    """A workload at zero; its pods never have to run."""
    labels = {"app": name}
    container = {"name": "worker", "image": "none", "command": ["true"]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def scaled(name: str) -> Json:
    """A group that is to be handled within half a minute."""
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    return {
        **group(name),
        "freshness": {"maxAge": "30s"},
        "scaling": {"targetRef": target, "minReplicas": 0, "maxReplicas": 10},
    }


async def one(stage: Scene, program: Program, name: str) -> float:
    """Seconds from the first event until its workload is scaled."""
    begun = time.time()
    for _ in range(EVENTS):
        await stage.nats.publish(f"{name}.created", b"x")
    await stage.nats.flush()

    async def is_scaled() -> bool:
        program.read()
        return any(each.name == name for each in program.writes(SCALE))

    await until(f"{name} is scaled", is_scaled, limit=60, every=0.1)
    return next(seconds(each) for each in program.writes(SCALE) if each.name == name) - begun


async def prepared(stage: Scene, objects: int) -> list[str]:
    """Everything idle, and the workloads of the tries at zero."""
    await estate(stage, [f"topic-{number:05}" for number in range(objects)], groups=True)
    tried = [f"tried-{number}" for number in range(TRIES)]
    for name in tried:
        path = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{name}"
        await stage.api.apply(path, deployment(name))
    await stage.create("EventTopic", NAMESPACE, [(name, topic(name)) for name in tried])
    await stage.create("ConsumerGroup", NAMESPACE, [(name, scaled(name)) for name in tried])

    async def all_ready() -> bool:
        return all(map(is_ready, await stage.objects("ConsumerGroup", NAMESPACE)))

    await until("the groups of the tries are Ready", all_ready, limit=60, every=1)
    return tried


async def measure(objects: int) -> list[Figure]:
    """One try after the other."""
    async with scene() as stage:
        await stage.namespace(NAMESPACE)
        await served(stage, NAMESPACE)
        await stage.event_broker(NAMESPACE, PLENTY)
        program = operator(stage, NAMESPACE)
        await program.ready()
        tried = await prepared(stage, objects)
        await program.process.stop()
        await stage.event_broker(NAMESPACE)
        program = operator(stage, NAMESPACE)
        await program.ready()
        await asyncio.sleep(2 * RHYTHM)
        took = []
        for number, name in enumerate(tried):
            await asyncio.sleep(RHYTHM + RHYTHM * number / len(tried))
            took.append(await one(stage, program, name))
        say(f"tries: {', '.join(f'{each:.1f}' for each in took)} s")
        await program.process.stop()
    beside = f"with {objects} idle groups beside"
    return [
        Figure(f"lag to scale patched, {beside}: longest of {TRIES}", max(took), "s", most=WITHIN),
        Figure(f"lag to scale patched, {beside}: median", median(took), "s"),
    ]
