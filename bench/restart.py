"""An operator killed and started again over a thousand topics, with and without a thousand groups on them.

What it writes is counted from the audit log, what it reads from the broker by listening on JetStream's own subjects.
A first start tells the counts. In others something new is declared the moment the process starts.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from statistics import median
from types import TracebackType
from typing import Self

from bench.figures import Figure
from bench.life import STATUS, seconds, topic
from bench.programs import Program, operator
from bench.scene import PLENTY, Json, Scene, is_ready, say, scene, served
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from headgate.local.waiting import until

NAMESPACE = "shop"
TRIES = 3
SOON, READS, READS_BESIDE = 2.0, 20, 4
QUIET = 3.0  # seconds in which nothing may be written after everything was looked at
WRITING = frozenset({"CREATE", "UPDATE", "DELETE", "PURGE", "PAUSE"})
REST = 0.5


class Ear:
    """Counts what JetStream is asked."""

    def __init__(self, stage: Scene) -> None:
        self._stage = stage
        self._subscription: Subscription | None = None
        self.heard: Counter[str] = Counter()

    async def __aenter__(self) -> Self:
        async def hear(message: Msg) -> None:
            self.heard[".".join(message.subject.split(".")[2:4])] += 1

        self._subscription = await self._stage.nats.subscribe("$JS.API.>", cb=hear)
        await self._stage.nats.flush()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._subscription is not None:
            await self._subscription.unsubscribe()

    @property
    def reads(self) -> int:
        """Questions that change nothing."""
        return sum(count for verb, count in self.heard.items() if verb.split(".")[-1] not in WRITING)


def group(of: str) -> Json:
    """The spec of a ConsumerGroup that nobody scales."""
    return {"topicRef": {"name": of}, "start": {"from": "Earliest"}, "deletionPolicy": "Delete"}


async def estate(stage: Scene, names: Sequence[str], *, groups: bool) -> None:
    """Topics, and on each of them a group where asked; all Ready."""
    await stage.create("EventTopic", NAMESPACE, [(name, topic(name)) for name in names])
    if groups:
        await stage.create("ConsumerGroup", NAMESPACE, [(name, group(name)) for name in names])

    async def settled() -> bool:
        kinds = ("EventTopic", "ConsumerGroup") if groups else ("EventTopic",)
        there = [each for kind in kinds for each in await stage.objects(kind, NAMESPACE)]
        ready = all(map(is_ready, there)) and all(map(_is_measured, there))
        status = (await stage.api.get(stage.path("EventBroker", NAMESPACE, "main"))).get("status") or {}
        counts = status.get("objects") or {}
        return ready and counts.get("topics") == len(names) and counts.get("groups", 0) == len(names) * groups

    await until(
        "the estate is Ready and measured, and its EventBroker counts it", settled, limit=600, every=1
    )


def _is_measured(item: Json) -> bool:
    """Whether nothing more is to be said of an object: a group's first figures take their turn."""
    return item["kind"] != "ConsumerGroup" or "lag" in item["status"]


async def again(stage: Scene, before: Program) -> Program:
    """Kill and start."""
    await before.process.kill()
    return operator(stage, NAMESPACE)


async def restarted(stage: Scene, before: Program, label: str, *, reads: int) -> tuple[Program, list[Figure]]:
    """Counts of a start at which there is nothing to do."""
    async with Ear(stage) as ear:
        program = await again(stage, before)
        await program.ready()
        asked = ear.reads
        await asyncio.sleep(QUIET)
        say(f"{label}: asked {dict(ear.heard)}")
    program.read()
    wrote = [f"{each.verb} {each.resource} {each.name}" for each in program.writes()]
    if wrote:
        say(f"{label}: wrote {wrote[:5]}")
    return program, [
        Figure(f"{label}: Kubernetes writes after kill -9", len(wrote), most=0, least=0, exact=True),
        Figure(f"{label}: broker reads until all was looked at", asked, most=reads, exact=True),
    ]


async def soon(stage: Scene, before: Program, number: int) -> tuple[Program, float]:
    """Seconds from process start until something declared at that moment is Ready."""
    name = f"new-{number}"
    program = await again(stage, before)
    await stage.create("EventTopic", NAMESPACE, [(name, topic(name))])

    async def reported() -> bool:
        program.read()
        return any(each.name == name for each in program.writes(STATUS))

    await until("the new topic has a status", reported, limit=60, every=0.05)
    last = next(seconds(each) for each in program.writes(STATUS) if each.name == name)
    await asyncio.sleep(REST)
    assert is_ready(await stage.api.get(stage.path("EventTopic", NAMESPACE, name)))
    await program.ready()
    return program, last - program.started


async def measure(objects: int) -> list[Figure]:
    """Both estates, each of its own servers."""
    found: list[Figure] = []
    for groups in (False, True):
        label = f"{objects} topics and groups" if groups else f"{objects} topics"
        async with scene() as stage:
            await stage.namespace(NAMESPACE)
            await served(stage, NAMESPACE)
            await stage.event_broker(NAMESPACE, PLENTY)
            program = operator(stage, NAMESPACE)
            await program.ready()
            await estate(stage, [f"topic-{number:05}" for number in range(objects)], groups=groups)
            await asyncio.sleep(REST)
            # one for every stream there is
            reads = READS_BESIDE + await stage.streams("") if groups else READS
            program, counts = await restarted(stage, program, label, reads=reads)
            tries = []
            for number in range(TRIES):
                program, took = await soon(stage, program, number)
                tries.append(took)
            await program.process.stop()
        found += [
            *counts,
            Figure(f"{label}: new topic Ready after process start, median", median(tries), "s", most=SOON),
            Figure(f"{label}: new topic Ready after process start, longest", max(tries), "s"),
        ]
    return found
