"""Which groups are read at which look, and what is made of it."""

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from headgate.brokers.base import Unreachable
from headgate.core.estate import Ref
from headgate.core.lag import Sight
from headgate.core.lagview import Freshness
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


async def test_at_rest_topics_are_looked_at_and_no_reader_is_read() -> None:
    found = bench(*MANY)
    await found.look(2)
    found.broker.reads()
    found.changed.clear()
    await found.look(10)
    assert found.broker.reads() == []
    assert found.broker.observed == 12
    assert found.changed == []
    assert all(lag.sight is Sight.FRESH for _, lag in found.sampler.lags())


async def test_lag_that_appears_is_read_at_the_next_look_and_handed_on_first() -> None:
    found = bench(*MANY)
    await found.look(2)
    found.broker.reads()
    found.told.clear()
    found.broker.queues["g042"].head = 10
    await found.look()
    assert found.broker.reads() == ["g042"]
    assert found.told[0] == ref("g042")
    assert found.sampler.lag(ref("g042")).pending == 10
    assert Counter(found.told) == Counter(ref(name) for name in MANY)


async def test_a_group_with_work_is_read_at_every_look_until_it_is_at_rest() -> None:
    found = bench("a")
    found.broker.queues["a"] = queue = Queue(head=5)
    await found.look(3)
    assert found.broker.reads() == ["a", "a", "a"]
    queue.delivered, queue.in_flight = 5, 2
    await found.look(2)
    queue.in_flight = 0
    await found.look(3)
    assert found.broker.reads() == ["a", "a", "a"]


async def test_a_broker_that_does_not_say_how_long_a_topic_is_has_every_reader_read() -> None:
    found = bench("a", queues={"a": Queue(head=None)})
    await found.look(3)
    assert found.broker.reads() == ["a", "a", "a"]


async def test_a_topic_that_was_made_anew_has_its_readers_read() -> None:
    found = bench("a")
    await found.look(2)
    found.broker.reads()
    found.broker.queues["a"].identity = "b"
    await found.look()
    assert found.broker.reads() == ["a"]


async def test_the_budget_is_kept_and_readers_take_turns() -> None:
    found = bench(*MANY, per_second=10, queues={name: Queue(head=5) for name in MANY})
    for _ in range(3):
        await found.look()
        assert len(found.broker.reads()) <= 45
    await found.look(17)
    counts = Counter(found.broker.reads())
    assert set(counts) == set(MANY)
    assert max(counts.values()) - min(counts.values()) <= 1


async def test_figures_that_are_read_in_turns_are_not_stale_between_them() -> None:
    found = bench(*MANY, per_second=5, queues={name: Queue(head=5) for name in MANY})
    await found.look(20)
    assert {lag.sight for _, lag in found.sampler.lags()} == {Sight.FRESH}


async def test_lag_that_appears_goes_before_readers_that_are_always_busy() -> None:
    found = bench(*MANY, per_second=10)
    await found.look(4)
    for name in MANY[:90]:
        found.broker.queues[name].head = 5
    await found.look(4)
    found.broker.reads()
    found.broker.queues["g099"].head = 5
    await found.look()
    assert found.broker.reads()[0] == "g099"


async def test_lag_that_appears_goes_before_groups_that_nobody_has_read_yet() -> None:
    found = bench(*MANY, per_second=4)
    await found.look()
    assert len(found.broker.reads()) == 18
    found.broker.queues["g099"].head = 5
    await found.look()
    assert found.broker.reads()[0] == "g099"
    assert found.sampler.lag(ref("g099")).pending == 5


async def test_at_the_first_look_those_come_first_that_may_be_late() -> None:
    found = bench(*MANY, per_second=4, queues={name: Queue(head=5 * (name == "g099")) for name in MANY})
    found.watched[98] = replace(found.watched[98], scaled=True)
    await found.look()
    assert found.broker.reads()[:2] == ["g099", "g098"]


async def test_what_there_was_no_time_for_waits_so_that_news_is_seen_at_the_next_look() -> None:
    found = bench(*MANY)
    found.broker.takes = 0.1
    await found.look()
    took = found.clock.now - START - PERIOD
    assert 48 <= len(found.broker.reads()) <= 64
    assert took <= PERIOD + timedelta(seconds=1.1)
    found.broker.queues["g099"].head = 5
    await found.look()
    assert found.broker.calls[0] == ["g099"]
    await found.look(2)
    assert {lag.sight for _, lag in found.sampler.lags()} == {Sight.FRESH}


async def test_however_slow_a_broker_is_news_and_those_that_wait_have_their_turn() -> None:
    found = bench(*MANY, queues={name: Queue(head=5) for name in MANY})
    found.broker.takes = 3.0
    for _ in range(4):
        for name in MANY[50:]:
            queue = found.broker.queues[name]
            queue.head = (queue.head or 0) + 1
        await found.look()
    assert {f"g{number:03}" for number in range(30)} <= set(found.broker.reads())


async def test_readers_at_rest_are_read_now_and_then() -> None:
    found = bench(*MANY)
    await found.look(2)
    found.broker.reads()
    await found.look(75)
    assert Counter(found.broker.reads()) == Counter(MANY)


async def test_a_reader_that_is_not_there_is_looked_for_every_ten_seconds() -> None:
    found = bench("a", "b")
    found.broker.gone.add("a")
    await found.look(6)
    assert Counter(found.broker.reads())["a"] == 2
    found.broker.gone.clear()
    await found.look(3)
    assert found.sampler.lag(ref("a")).sight is Sight.FRESH


async def test_a_reader_that_was_touched_is_read_at_the_next_look() -> None:
    found = bench("a", "b")
    found.broker.gone.add("a")
    await found.look(2)
    found.broker.reads()
    found.broker.gone.clear()
    found.sampler.touch(ref("a"))
    found.sampler.touch(ref("nobody"))
    await found.look()
    assert found.broker.reads() == ["a"]


async def test_groups_that_wait_for_their_first_turn_are_not_lost() -> None:
    found = bench(*MANY, per_second=1)
    assert found.sampler.lag(ref("g000")).sight is Sight.UNSEEN
    await found.look(20)
    sights = Counter(lag.sight for _, lag in found.sampler.lags())
    assert sights[Sight.UNSEEN] > 0
    assert sights[Sight.LOST] == 0
    assert len(found.sampler.views) == 100 - sights[Sight.UNSEEN]


LOST: dict[str, Queue | None] = {"the reader": Queue(), "the topic": None}


@pytest.mark.parametrize("queue", LOST.values(), ids=LOST.keys())
async def test_what_is_not_there_for_a_minute_is_lost(queue: Queue | None) -> None:
    found = bench("a", queues={} if queue is None else {"a": queue})
    found.broker.gone.add("a")
    await found.look(10)
    assert found.sampler.lag(ref("a")).sight is Sight.UNSEEN
    await found.look(10)
    assert found.sampler.lag(ref("a")).sight is Sight.LOST


async def test_a_broker_that_never_answered_is_lost_after_a_minute() -> None:
    found = bench("a")
    found.broker.away = True
    await found.look(10)
    assert found.sampler.lag(ref("a")).sight is Sight.UNSEEN
    await found.look(10)
    assert found.sampler.lag(ref("a")).sight is Sight.LOST
    assert found.changed == []


async def test_a_topic_that_is_gone_leaves_its_figures_to_grow_old() -> None:
    found = bench("a", "b")
    await found.look(2)
    del found.broker.queues["a"]
    await found.look(5)
    assert found.sampler.lag(ref("a")).sight is Sight.STALE
    assert found.sampler.lag(ref("b")).sight is Sight.FRESH


async def test_a_broker_that_is_away_leaves_all_figures_to_grow_old_and_everybody_hears_of_it() -> None:
    found = bench("a", "b")
    await found.look(2)
    found.broker.away = True
    found.told.clear()
    found.changed.clear()
    await found.look(4)
    assert found.sampler.lag(ref("a")).sight is Sight.STALE
    await found.look(12)
    assert found.sampler.lag(ref("a")).sight is Sight.LOST
    assert Counter(found.told) == {ref("a"): 16, ref("b"): 16}
    assert Counter(found.changed) == {ref("a"): 1, ref("b"): 1}
    assert found.sampler.views[ref("a")].fresh is Freshness.UNKNOWN
    found.broker.away = False
    await found.look()
    assert found.sampler.views[ref("a")].fresh is Freshness.KEPT


async def test_without_a_connection_nothing_is_asked() -> None:
    found = bench("a")
    found.sampler._broker = lambda: None
    await found.look(2)
    assert found.told == [ref("a"), ref("a")]
    assert found.sampler.views == {}


async def test_a_group_that_is_no_longer_watched_is_forgotten() -> None:
    found = bench("a", "b")
    await found.look(2)
    del found.watched[0]
    await found.look()
    assert set(found.sampler.views) == {ref("b")}
    assert [group for group, _ in found.sampler.lags()] == [ref("b")]
    assert found.sampler.lag(ref("a")).sight is Sight.UNSEEN
    await found.look(20)
    assert found.sampler.lag(ref("a")).sight is Sight.LOST


async def test_a_group_with_another_reader_starts_anew() -> None:
    found = bench("a", "b")
    await found.look(2)
    found.broker.reads()
    found.watched[0] = Watched(ref("a"), Key("reader", "b"), Key("topic", "b"), timedelta(seconds=30), PERIOD)
    await found.look()
    assert found.broker.reads() == ["b"]


async def test_a_broken_promise_is_told_at_once_and_figures_now_and_then() -> None:
    found = bench("a", queues={"a": Queue(head=5)})
    await found.look()
    assert found.sampler.views[ref("a")].lag.pending == 5
    found.broker.queues["a"].head = 500
    await found.look()
    assert found.sampler.views[ref("a")].lag.pending == 5
    await found.look(6)
    assert found.sampler.views[ref("a")].lag.pending == 500
    assert found.changed == [ref("a")] * 2


async def test_looks_come_at_a_steady_pace() -> None:
    found = bench("a")
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        found.clock.advance(seconds)
        if len(waits) == 3:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await found.sampler.run(sleep)
    assert waits == [4.5, 4.5, 4.5]


async def test_a_look_that_took_long_is_followed_by_the_next_one() -> None:
    found = bench("a")
    waits: list[float] = []

    def slow() -> list[Watched]:
        found.clock.advance(60)
        return found.watched

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        raise asyncio.CancelledError

    found.sampler._watched = slow
    with pytest.raises(asyncio.CancelledError):
        await found.sampler.run(sleep)
    assert waits == [0]
