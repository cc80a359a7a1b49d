"""One replay at true speed: events published on time, broker and workload watched from outside. Predicts nothing."""

import asyncio
import hashlib
import json
import os
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median

from bench.compared import Seen
from bench.replays import RATE, Measured, Replay, due, fails, out_by
from bench.scene import say
from bench.theatre import DEAD, DEPLOYMENTS, STARTING, Theatre, topic_of

from headgate.core import scale
from headgate.local.demo.broker import Away

TICK = 0.1
CORE = Path(scale.__file__).parent
DECIDING = ("scal*.py", "lag.py", "rates.py")


@dataclass(frozen=True, slots=True)
class Sight:
    """One look from outside."""

    age: float
    pending: int
    in_flight: int
    workers: frozenset[int]

    def is_busy(self, limit: int) -> bool:
        """Whether every worker has something to do: more waits, and it may be handed out."""
        return self.pending > 0 and self.in_flight + len(self.workers) <= limit


@dataclass(slots=True)
class Watch:
    """What is noted while a replay runs; times are seconds since its beginning."""

    stage: Theatre
    replay: Replay
    begun: float
    sights: dict[int, Sight] = field(default_factory=dict)
    replicas: list[tuple[float, int]] = field(default_factory=list)
    since: dict[int, float] = field(default_factory=dict)  # when workers came
    loads: list[float] = field(default_factory=list)
    furthest: int = 0

    async def publish(self) -> int:
        """All events, each at its time; how many of them are to fail."""
        ends, out, doomed = due(self.replay.rates), 0, 0
        while out < ends[-1]:
            moment = time.time() - self.begun
            for number in range(out, out_by(ends, moment)):
                bad = fails(self.replay.failing, number, moment)
                doomed += bad
                headers = {"shop-fail": "Poison"} if bad else None
                await self.stage.nats.publish(f"{self.replay.name}.made", b"{}", headers=headers)
            out = out_by(ends, moment)
            await asyncio.sleep(TICK)
        return doomed

    async def look(self) -> None:
        """Once in every second."""
        for second in range(1, len(self.replay.rates) + 1):
            await asyncio.sleep(max(0.0, self.begun + second - time.time()))
            with suppress(Away):
                self.sights[second] = await self._sight()

    async def _sight(self) -> Sight:
        stream, name = topic_of(self.replay.name), self.replay.name
        durable = await self.stage.broker.durable(stream, name)
        assert durable is not None
        self.furthest = max(self.furthest, durable["delivered"]["stream_seq"])
        published = None
        if durable["num_pending"]:
            published = await self.stage.broker.published(stream, self.furthest, durable)
        workers = await self.stage.workers()
        self.since.update({number: since - self.begun for number, since in workers.items()})
        self.loads.append(os.getloadavg()[0])
        age = time.time() - published if published is not None else 0.0
        counts = durable["num_pending"], durable["num_ack_pending"]
        return Sight(max(0.0, age), *counts, frozenset(workers))

    async def follow(self) -> None:
        """Every number of replicas that the workload is to have."""
        path = f"{DEPLOYMENTS}/{self.replay.name}"
        found = await self.stage.api.get(path)
        version = found["metadata"]["resourceVersion"]
        self.replicas.append((0.0, int(found["spec"]["replicas"])))
        query = {"fieldSelector": f"metadata.name={self.replay.name}"}
        async for event in self.stage.api.watch(DEPLOYMENTS, version, **query):
            if event["type"] != "MODIFIED":
                continue
            count = int(event["object"]["spec"]["replicas"])
            if count != self.replicas[-1][1]:
                self.replicas.append((round(time.time() - self.begun, 2), count))


async def replayed(stage: Theatre, replay: Replay) -> Seen:
    """Play it, and say what was seen."""
    await stage.open(replay)
    watch = Watch(stage, replay, time.time())
    following = asyncio.create_task(watch.follow())
    try:
        doomed, _ = await asyncio.gather(watch.publish(), watch.look())
    finally:
        following.cancel()
    dead = (await stage.broker.streams())[DEAD]["state"]["messages"]
    await stage.close(replay)
    done = _done(stage.ledgers / f"{replay.name}.jsonl", watch.begun)
    say(f"{replay.name}: {len(watch.sights)} looks, {len(done)} attempts, {watch.replicas}")
    seconds = range(1, len(replay.rates) + 1)
    return Seen(
        ages=tuple(round(watch.sights[each].age, 2) for each in seconds if each in watch.sights),
        pending=tuple(watch.sights[each].pending for each in seconds if each in watch.sights),
        workers=tuple(len(watch.sights[each].workers) for each in seconds if each in watch.sights),
        replicas=tuple(each for each in watch.replicas if each[0] <= len(replay.rates)),
        measured=Measured(
            service_rate(watch.sights, done, replay.in_flight),
            pod_start(watch.replicas, watch.since.values()),
        ),
        load=sum(watch.loads) / len(watch.loads),
        dead=dead,
        doomed=doomed,
        policy=POLICY,
        said=tuple(stage.said(replay.name)),
    )


def service_rate(sights: dict[int, Sight], done: Iterable[float], limit: int) -> float:
    """Events per second of one worker in seconds in which all of them had something to do."""
    busy = {
        each
        for each, sight in sights.items()
        if each + 1 in sights and sight.is_busy(limit) and sights[each + 1].is_busy(limit)
    }
    worked = sum(len(sights[each].workers & sights[each + 1].workers) for each in busy)
    attempts = sum(int(each) in busy for each in done)
    return attempts / worked if worked and attempts else RATE


def pod_start(replicas: Sequence[tuple[float, int]], came: Iterable[float]) -> float:
    """Seconds from asking for a replica until its worker was connected, in the middle of all."""
    left = sorted(came)
    took: list[float] = []
    for (_, before), (at, after) in pairwise(replicas):
        for _ in range(after - before):
            later = next((each for each in left if each > at), None)
            if later is not None:
                left.remove(later)
                took.append(later - at)
    return median(took) if took else float(STARTING)


def _policy() -> str:
    found = sorted(path for pattern in DECIDING for path in CORE.glob(pattern))
    return hashlib.sha256(b"".join(path.read_bytes() for path in found)).hexdigest()[:12]


POLICY = _policy()  # which code decides: what was measured under another one is not to be compared


def _done(ledger: Path, begun: float) -> list[float]:
    """When each attempt ended."""
    lines = ledger.read_text().splitlines() if ledger.exists() else ()
    return [json.loads(line)["at"] - begun for line in lines]
