"""When groups are read, and what is made of it."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest
from tests.unit.engine.sampling import MANY, Queue, bench, ref

from headgate.core.lag import Sight
from headgate.core.lagview import Freshness
from headgate.core.resource import Key
from headgate.engine.sampler import PERIOD, Watched


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
