"""A broker with topics and readers on paper, and a sampler that looks at it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from headgate.brokers.base import Unreachable
from headgate.core.estate import Ref
from headgate.core.progress import PartitionProgress, Progress
from headgate.core.resource import Key, Observed, Resource, Stats
from headgate.engine.sampler import PERIOD, Sampler, Watched

START = datetime(2026, 11, 21, 12, tzinfo=UTC)


@dataclass
class Clock:
    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class Queue:
    """One topic with one reader."""

    head: int | None = 0
    delivered: int = 0
    in_flight: int = 0
    identity: str = "a"


def _stats(queue: Queue) -> Stats:
    return Stats(queue.head or 0, head=queue.head)


@dataclass
class Broker:
    """Counts what it is asked."""

    clock: Clock
    queues: dict[str, Queue]
    away: bool = False
    gone: set[str] = field(default_factory=set)
    observed: int = 0
    takes: float = 0.0  # seconds per reader
    calls: list[list[str]] = field(default_factory=list)

    async def observe(self, keys: Collection[Key]) -> Mapping[Key, Observed]:
        if self.away:
            raise Unreachable("Unreachable", "away")
        self.observed += 1
        return {
            key: Observed(Resource(key), self.queues[key.name].identity, stats=_stats(self.queues[key.name]))
            for key in keys
            if key.name in self.queues
        }

    async def progress(self, groups: Collection[Key]) -> Mapping[Key, Progress]:
        self.calls.append([key.name for key in groups])
        self.clock.advance(self.takes * len(groups))
        return {key: self._progress(self.queues[key.name]) for key in groups if key.name not in self.gone}

    def _progress(self, queue: Queue) -> Progress:
        head = queue.head or 0
        pending = head - queue.delivered
        oldest = self.clock.now if pending else None
        partitions = (PartitionProgress(head, queue.delivered, queue.delivered - queue.in_flight),)
        return Progress(
            self.clock.now, partitions, pending, queue.in_flight, waiting=1, oldest_pending=oldest
        )

    def reads(self) -> list[str]:
        """What was read since the last time this was asked."""
        found = [name for call in self.calls for name in call]
        self.calls.clear()
        return found


@dataclass
class Bench:
    """A sampler with everything around it."""

    clock: Clock
    broker: Broker
    watched: list[Watched]
    sampler: Sampler
    told: list[Ref]
    changed: list[Ref]

    async def look(self, times: int = 1) -> None:
        for _ in range(times):
            self.clock.advance(PERIOD.total_seconds())
            await self.sampler.tick()


def ref(name: str) -> Ref:
    return Ref("ConsumerGroup", "shop", name)


def watch(name: str) -> Watched:
    return Watched(
        ref(name), Key("reader", name), Key("topic", name), timedelta(seconds=30), timedelta(minutes=1)
    )


def bench(*names: str, per_second: int = 50, queues: dict[str, Queue] | None = None) -> Bench:
    clock = Clock()
    broker = Broker(clock, queues if queues is not None else {name: Queue() for name in names})
    watched = [watch(name) for name in names]
    told: list[Ref] = []
    changed: list[Ref] = []

    sampler = Sampler(
        lambda: broker,
        lambda: watched,
        clock=clock,
        on_sampled=told.extend,
        on_change=changed.append,
        per_second=per_second,
    )
    return Bench(clock, broker, watched, sampler, told, changed)


MANY = tuple(f"g{n:03}" for n in range(100))
