"""What a simulated world does with events, pods and partitions."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.sim.simulating import EXACT, Script, scenario, trace

from headgate.sim.play import play
from headgate.sim.setting import Failing, Limit, Scenario, Span, Terms, Workers
from headgate.sim.traces import TRACES
from headgate.sim.world import World

QUEUE = replace(EXACT, partitions=None)

numbers = st.integers(0, 12)
scripts = st.dictionaries(st.integers(0, 199), numbers, max_size=8).map(Script)
arrivals = st.lists(st.floats(0, 900), min_size=4, max_size=10).map(
    lambda rates: [rate for rate in rates for _ in range(200 // len(rates) + 1)][:200]
)
workers = st.builds(
    Workers,
    partitions=st.none() | st.integers(1, 13),
    service_rate=st.floats(1, 200),
    pod_start=st.integers(0, 30),
    commit_interval=st.integers(1, 7),
    pause=st.integers(0, 9),
    eager=st.booleans(),
    concurrency=st.integers(1, 50),
)
spans = st.tuples(st.integers(0, 150), st.integers(1, 60)).map(lambda s: Span(s[0], s[0] + s[1]))
mishaps = st.fixed_dictionaries(
    {
        "hot": st.sampled_from([0.0, 0.4]),
        "noise": st.sampled_from([0.0, 0.3]),
        "slowing": st.sampled_from([1.0, 0.3]),
        "blocked": st.none() | spans,
        "limit": st.none() | st.builds(Limit, spans, st.floats(0, 300)),
        "failing": st.none()
        | st.builds(
            Failing,
            spans,
            st.floats(0, 1),
            st.integers(1, 60),
            st.integers(1, 300),
            st.integers(1, 5),
            st.booleans(),
        ),
        "start": st.integers(0, 5),
        "to_zero": st.just(value=True),
    }
)


def world_after(found: Scenario, script: Script) -> World:
    world = World(found)
    for second in range(found.seconds):
        world.advance(second)
        world.scale(script.at.get(second, len(world.crew.pods)))
    world.advance(found.seconds)
    return world


@pytest.mark.unwatched
@settings(max_examples=60, deadline=None)
@given(arrivals, workers, mishaps, scripts, st.integers(0, 5))
def test_what_arrived_is_handled_or_waits(
    rates: list[float], crew: Workers, mishap: dict[str, Any], script: Script, seed: int
) -> None:
    found = Scenario(replace(trace(rates), **mishap), crew, Terms(maximum=12), seed)
    world = world_after(found, script)
    assert world.worked - world.repeated + world.waiting == pytest.approx(world.arrived, abs=1e-3)
    assert len(world.ages) == found.seconds


@pytest.mark.unwatched
@settings(max_examples=60, deadline=None)
@given(arrivals, workers, mishaps, scripts, st.integers(0, 5))
def test_a_reading_is_ordered_and_positions_of_the_topic_never_fall(
    rates: list[float], crew: Workers, mishap: dict[str, Any], script: Script, seed: int
) -> None:
    found = Scenario(replace(trace(rates), **mishap), crew, Terms(maximum=12), seed)
    play(found, script)
    before = (0,) * (crew.partitions or 1)
    for each in script.looks:
        reading = each.reading
        assert reading is not None
        for low, middle, high in zip(reading.settled, reading.delivered, reading.heads, strict=True):
            assert 0 <= low <= middle <= high
        assert all(old <= new for old, new in zip(before, reading.heads, strict=True))
        assert reading.in_flight == sum(reading.delivered) - sum(reading.settled)
        before = reading.heads


@pytest.mark.unwatched
@settings(max_examples=20, deadline=None)
@given(arrivals, workers, mishaps, scripts, st.integers(0, 5))
def test_the_same_run_ends_the_same(
    rates: list[float], crew: Workers, mishap: dict[str, Any], script: Script, seed: int
) -> None:
    found = Scenario(replace(trace(rates), **mishap), crew, Terms(maximum=12), seed)
    again = Script(script.at)
    assert play(found, script) == play(found, again)
    assert script.looks == again.looks


@pytest.mark.unwatched
@settings(max_examples=30, deadline=None)
@given(arrivals, st.integers(1, 8))
def test_looking_changes_nothing(rates: list[float], every: int) -> None:
    found = scenario(rates, start=2)
    looked, alone = World(found), World(found)
    for second in range(0, found.seconds, every):
        looked.advance(second)
        looked.look()
    looked.advance(found.seconds)
    alone.advance(found.seconds)
    assert looked.ages == alone.ages
    assert looked.worked == pytest.approx(alone.worked)


def test_another_seed_is_another_run() -> None:
    steady = TRACES["steady"]
    runs = [World(Scenario(steady, seed=seed)) for seed in (1, 2)]
    for world in runs:
        world.advance(100)
    assert runs[0].arrived != runs[1].arrived
    assert runs[0].arrived == pytest.approx(runs[1].arrived, rel=0.02)


def test_a_replica_that_can_do_it_leaves_nothing_waiting() -> None:
    assert play(scenario([50] * 60), Script({})).ages == (0,) * 60


def test_the_oldest_event_gets_older_by_what_one_replica_cannot_do() -> None:
    ages = play(scenario([100] * 61), Script({})).ages
    assert [ages[9], ages[29], ages[59]] == [4, 14, 29]


def test_a_pod_begins_after_its_start_and_its_partitions_stand_still_meanwhile() -> None:
    run = play(scenario([100] * 60), Script({0: 2, 1: 2}))
    assert run.figures.rebalances == 1
    world = World(scenario([0] * 60))
    world.scale(2)
    world.advance(4)
    assert len(world.crew.ready(4)) == 1
    world.advance(6)
    assert len(world.crew.ready(6)) == 2


@pytest.mark.parametrize(
    ("workers", "idle"),
    [
        pytest.param(EXACT, 0.5, id="only what moves stands still"),
        pytest.param(
            replace(EXACT, eager=True), 1.0, id="everything stands still where rebalances are eager"
        ),
        pytest.param(QUEUE, 0.0, id="nothing of a queue stands still"),
    ],
)
def test_a_rebalance(workers: Workers, idle: float) -> None:
    found = scenario([40] * 30, workers)
    world = World(found)
    world.advance(10)
    world.scale(2)
    world.advance(15)
    before = world.worked - world.repeated
    world.advance(18)
    assert world.worked - world.repeated - before == pytest.approx(
        3 * 40 * (1 - idle) - world.repeated, abs=1
    )


def test_what_was_not_committed_is_handled_again_after_a_move() -> None:
    world = World(scenario([40] * 30))
    world.advance(10)
    world.scale(2)
    world.advance(16)
    assert 0 < world.repeated <= 2 * 10 * 5


def test_commits_come_in_turns() -> None:
    world = World(scenario([40] * 40))
    lags = []
    for second in range(20, 40):
        world.advance(second)
        reading = world.look().reading
        assert reading is not None
        lags.append(reading.lag)
    assert min(lags) > 0
    assert max(lags) - min(lags) <= 40  # together, all partitions would come down to nothing at once


@pytest.mark.parametrize(
    ("before", "seconds", "after", "left"),
    [
        pytest.param(3, 0, 1, [0], id="of ready pods the newest go"),
        pytest.param(1, 2, 1, [0], id="a pod that is not ready goes first"),
    ],
)
def test_which_pods_go(before: int, seconds: int, after: int, left: list[int]) -> None:
    world = World(scenario([0] * 30, start=before))
    world.scale(before + 1)
    world.advance(seconds)
    world.scale(after)
    assert [pod.number for pod in world.crew.pods] == left


def test_a_blocked_partition_is_excused_until_it_is_back_within_the_promise() -> None:
    blocked = replace(trace([40] * 400), blocked=Span(100, 200))
    run = play(Scenario(blocked, EXACT, Terms(promise=20)), Script({}))
    assert run.figures.violation == 0
    assert run.figures.peak_age <= 20


def test_while_a_limit_lasts_more_replicas_get_no_more_done() -> None:
    limited = replace(trace([100] * 300, start=4), limit=Limit(Span(100, 200), 50))
    world = World(Scenario(limited, EXACT))
    world.advance(200)
    assert world.waiting == pytest.approx(100 * 50)


def test_the_broker_cannot_be_read_while_blind() -> None:
    blind = replace(trace([10] * 60), blind=(Span(20, 40),))
    script = Script({})
    play(Scenario(blind, EXACT), script)
    assert [each.second for each in script.looks if each.reading is None] == list(range(20, 40))


def test_events_in_flight_are_seen_after_the_last_one_arrived() -> None:
    slow = Workers(partitions=None, service_rate=50, concurrency=500)  # ten seconds each
    world = World(scenario([30] * 20 + [0] * 40, slow))
    seen = {}
    for second in (19, 25, 31):
        world.advance(second)
        reading = world.look().reading
        assert reading is not None
        seen[second] = reading.in_flight
    assert seen == {19: 300, 25: 150, 31: 0}


def test_events_in_the_hands_of_stopped_replicas_come_again() -> None:
    slow = Workers(partitions=None, service_rate=50, concurrency=500)
    world = World(scenario([80] * 40, slow, start=2))
    world.advance(30)
    world.scale(1)
    world.advance(31)
    assert world.repeated == 400


@pytest.mark.parametrize(
    ("rates", "at", "events", "replica_seconds"),
    [
        pytest.param([10] * 100, {}, 0, 100, id="nothing changes"),
        pytest.param([10] * 100, {40: 3}, 1, 40 + 60 * 3, id="pods count from when they are asked for"),
        pytest.param(
            [10] * 100, {40: 3, 50: 3, 60: 1}, 2, 40 + 20 * 3 + 40, id="the same number is no change"
        ),
    ],
)
def test_what_a_run_costs(rates: list[float], at: dict[int, int], events: int, replica_seconds: int) -> None:
    figures = play(scenario(rates, seed=0), Script(at)).figures
    assert (figures.events, figures.replica_seconds) == (events, replica_seconds)


def stormy(limit: int, attempts: int = 2, delay: int = 40) -> World:
    """Two minutes with 10/s, of which a half fails for half a minute and waits for forty seconds."""
    failing = Failing(Span(20, 50), 0.5, delay, limit, attempts)
    return World(Scenario(replace(trace([10] * 120), failing=failing), QUEUE))


@pytest.mark.parametrize(
    ("second", "delayed"), [(20, 0), (30, 50), (50, 150), (60, 150), (75, 75), (90, 0), (100, 0)]
)
def test_events_that_failed_are_in_flight_until_their_retry(second: int, delayed: int) -> None:
    world = stormy(1000)
    world.advance(second)
    reading = world.look().reading
    assert reading is not None
    assert reading.delayed == delayed
    assert reading.in_flight >= delayed


def test_events_that_wait_for_a_retry_take_the_places_of_new_ones() -> None:
    world = stormy(60)
    world.advance(50)
    reading = world.look().reading
    assert reading is not None
    assert 50 <= reading.delayed <= 60
    assert world.ages[-1] > 10


@pytest.mark.parametrize(
    ("attempts", "repeated"),
    [
        pytest.param(1, 0, id="an event with one attempt never comes again"),
        pytest.param(2, 150, id="with two it comes once more"),
        pytest.param(4, 450, id="with four it comes three times more"),
    ],
)
def test_every_event_that_failed_takes_all_of_its_attempts(attempts: int, repeated: int) -> None:
    world = stormy(1000, attempts, 20)
    world.advance(120)
    assert world.repeated == pytest.approx(repeated)
    assert world.waiting == pytest.approx(0)


@pytest.mark.parametrize(
    ("second", "delayed"), [(30, 50), (50, 150), (60, 150), (75, 125), (85, 75), (99, 5)]
)
def test_events_that_fail_again_go_on_waiting(second: int, delayed: int) -> None:
    world = stormy(1000, 3, 25)
    world.advance(second)
    reading = world.look().reading
    assert reading is not None
    assert reading.delayed == pytest.approx(delayed, abs=1)


def late_storm(*, inborn: bool) -> World:
    """Events wait for half a minute for their first attempt; those of the last ten seconds of it are bad."""
    failing = Failing(Span(20, 30), 0.5, 5, 10_000, 2, inborn)
    found = replace(trace([10] * 120, start=0), failing=failing)
    world = World(Scenario(found, QUEUE, Terms(minimum=0, maximum=10)))
    world.advance(30)
    world.scale(4)
    world.advance(120)
    return world


def test_events_that_are_bad_from_the_beginning_fail_whenever_they_are_tried() -> None:
    assert late_storm(inborn=True).repeated == pytest.approx(50, abs=5)


def test_nothing_fails_that_is_tried_when_the_trouble_is_over() -> None:
    assert late_storm(inborn=False).repeated == 0


@pytest.mark.parametrize(
    ("period", "first", "seconds"),
    [
        pytest.param(5, None, [3, 8, 13, 18], id="the seed says when it first looks"),
        pytest.param(5, 11, [1, 6, 11, 16], id="unless a moment is given at which it looks"),
        pytest.param(4.5, 11, [2, 6, 11, 16], id="whose period need not be whole seconds"),
    ],
)
def test_a_policy_looks_in_its_rhythm(period: float, first: float | None, seconds: list[int]) -> None:
    script = Script({}, period=period)
    play(scenario([10] * 20, seed=8), script, first)
    assert [look.second for look in script.looks] == seconds
