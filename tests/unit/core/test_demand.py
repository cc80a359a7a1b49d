"""What loads ask of replicas, whatever partitions they have."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.demand import Share, demand, fit, gone_on, packed
from headgate.core.lag import Lag, Sight
from headgate.core.scaling import Load
from headgate.core.spread import Spread

MINUTE = timedelta(minutes=1)


def even(total: float, count: int | None) -> Share:
    return Share(total, total / count if count else 0.0, count)


FITS = {
    "a queue takes as many as it needs": ((even(6.1, None),), 1.0, 24, 7),
    "nothing to do takes nobody": ((even(0.0, None),), 1.0, 24, 0),
    "partitions take the next number that takes one from the busiest": ((even(9.0, 24),), 1.0, 24, 12),
    "a number that does not take one from the busiest is not taken": ((even(5.0, 12),), 1.0, 24, 6),
    "no more than there are partitions": ((even(50.0, 12),), 1.0, 24, 12),
    "no more than is allowed": ((even(50.0, None),), 1.0, 24, 24),
    "room to spare counts": ((even(9.0, None),), 0.9, 24, 10),
    "a large partition has a replica with few others": ((Share(2.0, 0.8, 24),), 1.0, 24, 6),
    "a partition that nobody can help has one nearly to itself": ((Share(3.2, 2.0, 24),), 1.0, 24, 8),
    "a partition that is too much for anybody takes no more than one for each": (
        (Share(2.5, 2.5, 2),),
        1.0,
        24,
        2,
    ),
    "one partition takes one": ((even(3.0, 1),), 1.0, 24, 1),
    "a queue beside partitions goes on where these end": ((even(2.0, 4), even(3.0, None)), 1.0, 24, 6),
    "several topics add up": ((even(2.0, 8), even(2.0, 8)), 1.0, 24, 4),
}


@pytest.mark.parametrize(("shares", "limit", "most", "wanted"), FITS.values(), ids=FITS.keys())
def test_replicas_that_are_needed(shares: tuple[Share, ...], limit: float, most: int, wanted: int) -> None:
    assert fit(shares, limit, most) == wanted


counts = st.integers(1, 60)
totals = st.floats(0, 40)
shares = st.builds(
    lambda total, count, hot: Share(total, total / count + (total - total / count) * hot, count),
    totals,
    counts,
    st.floats(0, 1),
) | st.builds(Share, totals)
several = st.lists(shares, min_size=1, max_size=3)


@given(counts, st.integers(1, 100))
def test_packing_never_raises_what_the_busiest_replica_has(partitions: int, replicas: int) -> None:
    number = packed([partitions], replicas)
    assert number <= replicas or replicas > partitions
    assert -(-partitions // number) == -(-partitions // min(replicas, partitions))


@given(several, st.integers(1, 60), st.floats(1, 3), st.floats(0.5, 1))
def test_more_work_never_takes_fewer(found: list[Share], most: int, more: float, limit: float) -> None:
    grown = [Share(share.total * more, share.top * more, share.count) for share in found]
    assert fit(grown, limit, most) >= fit(found, limit, most)


@given(several, st.integers(1, 60))
def test_what_fits_fits(found: list[Share], most: int) -> None:
    number = fit(found, 1.0, most)
    assert 0 <= number <= max(most, 1)
    unlimited = most >= 60 and all(share.count is None and share.total < 15 for share in found)
    if unlimited and number:
        assert sum(share.peak(number) for share in found) <= 1 + 1e-6


@given(shares, st.integers(1, 60))
def test_more_replicas_never_give_the_busiest_more(share: Share, replicas: int) -> None:
    assert share.peak(replicas + 1) <= share.peak(replicas) + 1e-9


def load(spread: Spread | None) -> Load:
    found = Lag(Sight.FRESH, pending=900, age=timedelta(seconds=30), arriving=30.0, usual=30.0, spread=spread)
    return Load("g", found, MINUTE, MINUTE, MINUTE)


def spread(usual: tuple[float, ...], pending: tuple[float, ...], owners: tuple[int | None, ...]) -> Spread:
    return Spread(usual, pending, owners, age=30.0, members=len(set(owners) - {None}))


def test_the_busiest_replica_is_known_where_it_is_known_who_reads_what() -> None:
    found = demand(load(spread((10.0, 10.0, 10.0), (90.0, 0.0, 30.0), (0, 0, 1))), 10.0)
    assert found.busiest(2) == pytest.approx(2.0)
    assert found.longest(2) == pytest.approx(9.0)


def test_replicas_that_do_not_read_yet_will_take_equal_parts() -> None:
    found = demand(load(spread((10.0, 10.0, 10.0), (90.0, 0.0, 30.0), (0, 0, 0))), 10.0)
    assert found.busiest(3) == pytest.approx(1.0)
    assert found.longest(3) == pytest.approx(4.0)


def test_arrivals_before_anything_usual_are_spread_evenly() -> None:
    found = demand(load(spread((0.0, 0.0), (5.0, 0.0), (0, 1))), 10.0)
    assert found.flow(30.0) == Share(3.0, 1.5, 2)
    assert found.busiest(2) == pytest.approx(1.5)


def test_events_on_their_way_to_a_commit_make_nothing_old() -> None:
    assert demand(load(spread((10.0,), (0.0,), (0,))), 10.0).age == 0.0
    assert demand(load(spread((10.0,), (1.0,), (0,))), 10.0).age == 20.0


def test_a_backlog_that_more_replicas_do_not_help_counts_for_nothing() -> None:
    found = demand(load(None), 10.0, helpful=False)
    assert (found.backlog, found.age, found.longest(2), found.drain(1.0, 9.0, 30.0)) == (
        0.0,
        0.0,
        0.0,
        Share(3.0),
    )


def test_work_is_drained_beside_what_arrives() -> None:
    assert demand(load(None), 10.0).drain(0.5, 15.0, 30.0) == Share(6.0)
    made = demand(load(spread((20.0, 10.0), (60.0, 30.0), (0, 1))), 10.0)
    share = made.drain(1.0, 9.0, 0.0)
    assert (share.total, share.count) == (1.0, 2)
    assert share.top == pytest.approx(60 / 90)


def test_without_replicas_what_waits_is_taken_for_the_beginning_of_a_stream() -> None:
    assert demand(load(None), 10.0, served=False).arriving == 30.0
    waiting = Lag(Sight.FRESH, pending=900, age=timedelta(seconds=5), arriving=30.0)
    assert demand(Load("g", waiting, MINUTE, MINUTE, MINUTE), 10.0, served=False).arriving == 90.0
    unknown = Lag(Sight.FRESH, pending=900, arriving=30.0)
    assert demand(Load("g", unknown, MINUTE, MINUTE, MINUTE), 10.0, served=False).arriving == 30.0


GONE_ON = {
    "what exceeds what gets done waits": (Lag(Sight.STALE, arriving=20.0), 10.0, 300, 15.0),
    "what does not exceed it waits for nobody": (Lag(Sight.STALE, arriving=10.0), 10.0, 0, None),
    "a backlog that gets done is gone": (Lag(Sight.STALE, pending=200, age=MINUTE), 10.0, 0, None),
    "what came at once is worked off from its beginning": (Lag(Sight.STALE, pending=3000, age=MINUTE), 10.0, 2700, 57.0),
    "of a backlog that grows the oldest gets older": (
        Lag(Sight.STALE, pending=300, age=MINUTE, arriving=20.0), 10.0, 600, 45.0,
    ),
    "what grew goes on growing": (Lag(Sight.STALE, arriving=10.0, growing=1.0), 10.0, 450, 18.0),
}  # fmt: skip


@pytest.mark.parametrize(("lag", "able", "waits", "age"), GONE_ON.values(), ids=GONE_ON.keys())
def test_half_a_minute_after_the_last_look(lag: Lag, able: float, waits: int, age: float | None) -> None:
    after = gone_on(Load("g", lag, MINUTE, MINUTE, MINUTE), able, 30.0).lag
    assert after.pending == waits
    assert after.age == (None if age is None else timedelta(seconds=age))


def test_partitions_get_their_parts_of_what_is_not_done() -> None:
    found = Spread((30.0, 10.0, 0.0), (5.0, 0.0, 0.0), (0, 1, None), age=30.0, stuck=(2,))
    lag = Lag(Sight.STALE, arriving=40.0, spread=found)
    after = gone_on(Load("g", lag, MINUTE, MINUTE, MINUTE), 20.0, 10.0).lag.spread
    assert after == Spread((30.0, 10.0, 0.0), (155.0, 50.0, 0.0), (0, 1, None), age=25.0, stuck=(2,))
    silent = replace(lag, spread=replace(found, usual=(0.0, 0.0, 0.0), stuck=()))
    equal = gone_on(Load("g", silent, MINUTE, MINUTE, MINUTE), 10.0, 10.0).lag.spread
    assert equal is not None
    assert equal.pending == pytest.approx((105.0, 100.0, 100.0))
