"""Replays are cut out of the standard traces, and what is published follows them to the event."""

import pytest
from bench.replays import (
    MAXIMUM,
    RATE,
    REPLAYS,
    RHYTHM,
    Measured,
    Replay,
    due,
    fails,
    out_by,
    parts,
    predicted,
    scenario,
)
from hypothesis import given
from hypothesis import strategies as st

from headgate.sim.setting import Failing, Span

RATES = st.lists(st.floats(0, 100), min_size=1, max_size=50)


def test_parts_of_a_trace_follow_each_other_at_lower_rates() -> None:
    rates = [10.0, 20.0, 30.0, 40.0, 50.0]
    assert parts(rates, [Span(0, 1), Span(3, 5)], 0.1) == pytest.approx((1, 4, 5))


@pytest.mark.parametrize(
    ("rates", "ends"),
    [
        pytest.param([2, 3], [2, 5], id="whole numbers are published in their second"),
        pytest.param([0.5, 0.5, 0.5], [0, 1, 1], id="an event is published when it is whole"),
        pytest.param([0.1] * 10, [0] * 9 + [1], id="ten tenths are one event, whatever floats make of it"),
    ],
)
def test_what_is_due_at_the_end_of_a_second(rates: list[float], ends: list[int]) -> None:
    assert due(rates) == ends


@pytest.mark.parametrize(
    ("moment", "out"),
    [(0.0, 0), (0.5, 5), (1.0, 10), (1.25, 15), (2.0, 30), (9.0, 30)],
)
def test_events_of_a_second_are_spread_over_it(moment: float, out: int) -> None:
    assert out_by([10, 30], moment) == out


@given(RATES, st.lists(st.floats(0, 60), min_size=1))
def test_no_event_is_ever_taken_back_and_all_are_out_at_the_end(rates: list[float], at: list[float]) -> None:
    ends = due(rates)
    outs = [out_by(ends, moment) for moment in sorted(at)]
    assert outs == sorted(outs)
    assert out_by(ends, len(rates)) == ends[-1]
    assert all(out_by(ends, second + 1.0) >= end for second, end in enumerate(ends))


@given(st.floats(0.01, 1), st.integers(0, 500), st.integers(1, 500))
def test_failures_are_spread_evenly_from_any_event_on(share: float, first: int, count: int) -> None:
    failing = Failing(Span(0, 10), share, 5, 100)
    failed = sum(fails(failing, number, 1.0) for number in range(first, first + count))
    assert abs(failed - share * count) <= 1


def test_events_fail_in_their_time_only() -> None:
    failing = Failing(Span(5, 10), 1.0, 5, 100)
    found = [fails(failing, 7, moment) for moment in (4.9, 5.0, 9.9, 10.0)]
    assert found == [False, True, True, False]
    assert not fails(None, 7, 5.0)


@pytest.mark.parametrize("replay", REPLAYS.values(), ids=str)
def test_a_replay_takes_minutes_and_workers_that_a_small_machine_has(replay: Replay) -> None:
    assert len(replay.rates) <= 240
    assert replay.start <= MAXIMUM
    assert sum(replay.rates) / len(replay.rates) < MAXIMUM * RATE


@pytest.mark.parametrize("replay", REPLAYS.values(), ids=str)
def test_a_replay_makes_the_simulator_scale(replay: Replay) -> None:
    assert predicted(replay, Measured(RATE, 7.0), 0.0).figures.events >= 1


def test_the_simulator_plays_what_was_replayed_on_workers_as_they_were_measured() -> None:
    replay = REPLAYS["spike"].cut(60)
    found = scenario(replay, Measured(4.8, 7.6))
    assert (found.seconds, found.start, found.minimum) == (60, replay.start, replay.minimum)
    assert (found.workers.service_rate, found.workers.pod_start) == (4.8, 8)
    assert found.workers.partitions is None
    assert found.trace.noise == 0


@pytest.mark.parametrize("looked", [40.0, 41.3, 43.9])
def test_a_prediction_follows_the_rhythm_of_the_operator_that_was_seen(looked: float) -> None:
    first = predicted(REPLAYS["step"], Measured(RATE, 7.0), looked).replicas[1][0]
    looks = {round(looked + RHYTHM * number) for number in range(-10, 10)}
    assert first in looks
