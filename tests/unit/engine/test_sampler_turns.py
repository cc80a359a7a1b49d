"""Which groups are read at a look that has not time for all."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

from tests.unit.engine.sampling import MANY, START, Queue, bench, ref

from headgate.core.lag import Sight
from headgate.engine.sampler import PERIOD


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


async def test_groups_that_wait_for_their_first_turn_are_not_lost() -> None:
    found = bench(*MANY, per_second=1)
    assert found.sampler.lag(ref("g000")).sight is Sight.UNSEEN
    await found.look(20)
    sights = Counter(lag.sight for _, lag in found.sampler.lags())
    assert sights[Sight.UNSEEN] > 0
    assert sights[Sight.LOST] == 0
    assert len(found.sampler.views) == 100 - sights[Sight.UNSEEN]
