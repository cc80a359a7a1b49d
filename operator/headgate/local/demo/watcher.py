"""Looks at the shop twice a second and follows the operator's log. Only looks; judges nothing."""

import asyncio
import json
import re
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from headgate.local.client import ApiError
from headgate.local.demo.broker import Away, Json, queue_sight, topic_sight
from headgate.local.demo.shop import Group
from headgate.local.demo.stage import DEPLOYMENTS, Stage
from headgate.local.demo.timeline import GroupSight, QueueSight, Sample, Who

EVERY = 0.5  # seconds between two looks
OWNER = re.compile(r" for \S+/(?=(?:EventTopic|ConsumerGroup|DeadLetterQueue)/)")


@dataclass(slots=True)
class Watcher:
    """Fills the timeline until it is cancelled."""

    stage: Stage
    furthest: dict[str, int] = field(default_factory=dict)  # the newest event that each group was ever handed
    read: dict[Path, int] = field(default_factory=dict)  # how far each log was read

    async def run(self) -> None:
        """Look, for ever."""
        while True:
            self.follow()
            self.stage.timeline.samples.append(await self.sample())
            await asyncio.sleep(EVERY)

    async def sample(self) -> Sample:
        """One look at everything; a broker that is away shows as that."""
        at = self.stage.now()
        try:
            streams = await self.stage.broker.streams()
            workloads = await self._workloads()
            groups = [
                sight for group in self.stage.estate.groups if (sight := await self._group(group, workloads))
            ]
            queues = [await self._queue(name, streams) for name in self.stage.estate.names("DeadLetterQueue")]
        except (Away, ApiError, aiohttp.ClientError):
            return Sample(at, queues=self.stage.timeline.last.queues, away=True)
        topics = [
            topic_sight(streams[name]) for name in self.stage.estate.names("EventTopic") if name in streams
        ]
        return Sample(at, tuple(topics), tuple(groups), tuple(queues))

    async def _group(self, group: Group, workloads: dict[str, Json]) -> GroupSight | None:
        found = await self.stage.broker.durable(group.topic, group.name)
        workload = workloads.get(group.workload, {})
        replicas, ready = workload.get("spec", {}), workload.get("status", {})
        counts = int(replicas.get("replicas", 0)), int(ready.get("readyReplicas", 0))
        if found is None:
            return None
        age = await self._age(group, found)
        return GroupSight(group.name, found["num_pending"], found["num_ack_pending"], age, *counts)

    async def _age(self, group: Group, durable: Json) -> float:
        """How old the oldest event is that was never handed out, also not by a durable that is gone."""
        furthest = max(self.furthest.get(group.name, 0), durable["delivered"]["stream_seq"])
        self.furthest[group.name] = furthest
        if not durable["num_pending"]:
            return 0.0
        published = await self.stage.broker.published(group.topic, furthest, durable)
        return max(0.0, time.time() - published) if published else 0.0

    async def _queue(self, name: str, streams: dict[str, Json]) -> QueueSight:
        if name not in streams:
            return QueueSight(name)
        return queue_sight(name, await self.stage.broker.letters(name, streams[name]["state"]))

    async def _workloads(self) -> dict[str, Json]:
        found = await self.stage.api.get(DEPLOYMENTS)
        return {each["metadata"]["name"]: each for each in found["items"]}

    def follow(self) -> None:
        """Take what the operator wrote since the last look as marks."""
        for path in (self.stage.cluster.run.logs / "pods" / "headgate").glob("*/operator.log"):
            with path.open("rb") as log:
                log.seek(self.read.get(path, 0))
                new, _, _ = log.read().rpartition(b"\n")
            self.read[path] = self.read.get(path, 0) + len(new) + bool(new)
            for text in map(said, new.decode(errors="replace").splitlines()):
                if text:
                    self.stage.note(Who.OPERATOR, text)


def said(line: str) -> str:
    """What one line of the operator's log says to a person; empty where it is not for one."""
    with suppress(ValueError, TypeError):
        entry = json.loads(line)
        if entry.get("logger", "").startswith("headgate.engine") and entry.get("level") != "debug":
            return OWNER.sub(" for ", str(entry.get("message", "")))
    return ""
