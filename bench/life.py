"""A thousand EventTopics created live, updated, deleted, and found at start: the operator against the floor.

Both are there at the same time, on the same API server and the same broker, each with a namespace of its own, and
take turns phase by phase, so that whatever else the machine does meets both alike; who waits does nothing. Times
come from the audit log: from the first request of the user, or the start of the process, to the last necessary write.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from statistics import median

from bench.figures import Figure
from bench.programs import Program, floor, operator
from bench.scene import PLENTY, Json, Scene, at_once, is_ready, say, scene, served

from headgate.local.audit import Request
from headgate.local.waiting import until

SETTLE = 1.0  # seconds in which echoes of the last writes are taken in
WALL, CPU, BARE, FIRST, RSS, EACH = 1.3, 3.0, 1.2, 2.0, 130.0, 20.0
OURS, FLOOR, BARE_LOOP = "ours", "floor", "bare"
TOPICS, STATUS = "eventtopics", "eventtopics/status"


@dataclass(frozen=True, slots=True)
class Phase:
    """What one phase took."""

    wall: float
    cpu: float
    writes: int  # to EventTopics and their statuses
    first: float  # seconds to the first status
    span: float  # seconds from the first write to the last
    rss: int  # KiB, afterwards


@dataclass(frozen=True, slots=True)
class Life:
    """The phases of one side in one round."""

    created: Phase
    updated: Phase
    deleted: Phase
    found: Phase
    idle: int  # KiB


def topic(name: str, hours: int = 168) -> Json:
    """The spec of an EventTopic."""
    return {
        "brokerRef": {"name": "main"},
        "subjects": [f"{name}.>"],
        "retention": {"maxAge": f"{hours}h", "maxBytes": "1Mi"},
        "deletionPolicy": "Delete",
        "owner": {"team": "bench", "contact": "#bench"},
    }


def seconds(request: Request) -> float:
    """When a request arrived."""
    return datetime.fromisoformat(request.at).timestamp()


@dataclass(frozen=True, slots=True)
class Side:
    """The operator or the floor, with a namespace of its own."""

    scene: Scene
    namespace: str
    start: Callable[[], Program]
    names: list[str]

    async def begun(self) -> Program:
        """Started, and ready where it can say so."""
        program = self.start()
        if program.agent == "headgate":
            await program.ready()
        await asyncio.sleep(SETTLE)
        return program

    async def phase(self, program: Program, act: Callable[[], Awaitable[None]], resource: str) -> Phase:
        """Something done to all topics, until the last write that it needs."""
        program.forget()
        cpu = program.cpu
        await act()
        await program.wrote(resource, len(self.names))
        await asyncio.sleep(SETTLE)
        begun = min(seconds(each) for each in program.others if each.writes and each.resource == TOPICS)
        return await self._result(program, begun, program.cpu - cpu, resource)

    async def found(self) -> Phase:
        """Topics that exist when the program starts, and their end."""
        program = self.start()
        await program.wrote(STATUS, len(self.names))
        await asyncio.sleep(SETTLE)
        phase = await self._result(program, program.started, program.cpu, STATUS)
        await self.phase(program, self.delete, TOPICS)
        await program.process.stop()
        return phase

    async def _result(self, program: Program, begun: float, cpu: float, resource: str) -> Phase:
        program.read()
        times = [seconds(each) - begun for each in program.writes(resource)]
        every = [seconds(each) for each in program.writes()]
        count = sum(each.resource in {TOPICS, STATUS} for each in program.writes())
        await self._checked(gone=resource == TOPICS)
        return Phase(max(times), cpu, count, min(times), max(every) - min(every), program.rss)

    async def _checked(self, *, gone: bool) -> None:
        async def is_so() -> bool:
            there = await self.scene.objects("EventTopic", self.namespace)
            good = not there if gone else len(there) == len(self.names) and all(map(is_ready, there))
            return good and await self.scene.streams(self.names[0][:4]) == len(there)

        await until("every topic is as declared", is_so, limit=30, every=0.5)

    async def create(self) -> None:
        """Declare all."""
        await self.scene.create("EventTopic", self.namespace, [(name, topic(name)) for name in self.names])

    async def update(self) -> None:
        """Change all."""
        await self.scene.change("EventTopic", self.namespace, self.names, {"retention": {"maxAge": "100h"}})

    async def delete(self) -> None:
        """Delete all."""
        await self.scene.delete("EventTopic", self.namespace, self.names)


async def bare(side: Side) -> float:
    """Seconds from the first to the last call of a loop that makes the HTTP calls of the floor and nothing else."""
    await side.create()
    program = floor(side.scene, side.namespace, "bare")
    await program.wrote(STATUS, len(side.names))
    await program.process.wait(10)
    times = [seconds(each) for each in program.writes()]
    paths = [side.scene.path("EventTopic", side.namespace, name) for name in side.names]
    await at_once([partial(side.scene.api.patch, path, {"metadata": {"finalizers": []}}) for path in paths])
    await side.delete()
    return max(times) - min(times)


async def turns(sides: Sequence[Side]) -> dict[str, Life]:
    """Every phase of all sides, one side after the other."""
    programs = [await side.begun() for side in sides]
    found: list[dict[str, Phase]] = [{} for _ in sides]
    idle = [program.rss for program in programs]
    for side, program, phases in zip(sides, programs, found, strict=True):
        phases["created"] = await side.phase(program, side.create, STATUS)
    for side, program, phases in zip(sides, programs, found, strict=True):
        phases["updated"] = await side.phase(program, side.update, STATUS)
    for side, program, phases in zip(sides, programs, found, strict=True):
        phases["deleted"] = await side.phase(program, side.delete, TOPICS)
        await program.process.stop()
    for side, phases in zip(sides, found, strict=True):
        await side.create()
        phases["found"] = await side.found()
    return {
        side.namespace: Life(**phases, idle=before)
        for side, phases, before in zip(sides, found, idle, strict=True)
    }


async def measure(objects: int, rounds: int) -> list[Figure]:
    """Everything, in turns; who begins changes with every round."""
    async with scene() as stage:
        for namespace in (OURS, FLOOR, BARE_LOOP):
            await stage.namespace(namespace)
            await served(stage, namespace)
        await stage.event_broker(OURS, PLENTY)
        ours = Side(stage, OURS, lambda: operator(stage, OURS), names("ours", objects))
        theirs = Side(stage, FLOOR, lambda: floor(stage, FLOOR), names("base", objects))
        lives: list[tuple[Life, Life]] = []
        shares: list[float] = []
        for number in range(rounds):
            begun = time.monotonic()
            found = await turns((theirs, ours) if number % 2 else (ours, theirs))
            loop = await bare(replace(theirs, namespace=BARE_LOOP))
            lives.append((found[OURS], found[FLOOR]))
            shares.append(found[FLOOR].found.span / loop)
            say(f"round {number + 1} of {rounds} took {time.monotonic() - begun:.0f} s")
    return figures(lives, shares, objects)


def names(prefix: str, count: int) -> list[str]:
    """Names of topics, which are names of streams too."""
    return [f"{prefix}-{number:05}" for number in range(count)]


def figures(lives: list[tuple[Life, Life]], shares: list[float], objects: int) -> list[Figure]:
    """Ratios within each round; their median over the rounds."""
    found = [Figure("floor found at start / bare loop of its HTTP calls", median(shares), "x", most=BARE)]
    writes = {"created": 2, "found": 2, "updated": 1, "deleted": 1}
    for name, each in writes.items():
        pairs = [(getattr(ours, name), getattr(base, name)) for ours, base in lives]
        wall = median(ours.wall / base.wall for ours, base in pairs)
        cpu = median(ours.cpu / base.cpu for ours, base in pairs)
        found += [
            Figure(f"{name}: wall time / floor", wall, "x", most=WALL),
            Figure(f"{name}: processor time / floor", cpu, "x", most=CPU),
            Figure(f"{name}: floor's wall time", median(base.wall for _, base in pairs), "s"),
            Figure(f"{name}: floor's processor time", median(base.cpu for _, base in pairs), "s"),
        ]
        for side, phases in zip(("", "floor's "), zip(*pairs, strict=True), strict=True):
            worst = max((phase.writes / objects for phase in phases), key=lambda count: abs(count - each))
            label = f"{name}: {side}Kubernetes writes per topic"
            found.append(Figure(label, worst, "", most=each, least=each, exact=True))
    first = median(ours.found.first for ours, _ in lives)
    rss = max(max(ours.created.rss, ours.found.rss) for ours, _ in lives) / 1024
    slope = median((ours.found.rss - ours.idle) / objects for ours, _ in lives)
    return [
        *found,
        Figure("found: first topic Ready after process start", first, "s", most=FIRST),
        Figure(f"memory with {objects} topics", rss, "MiB", most=RSS),
        Figure("memory when idle", median(ours.idle for ours, _ in lives) / 1024, "MiB"),
        Figure("memory per topic", slope, "KiB", most=EACH),
    ]
