"""How many events a replica is found to handle, as decisions see it."""

from dataclasses import replace

import pytest
from tests.unit.core.scaled import NOW, RULE, WORKING, ago, lag, load, settled

from headgate.core.lag import Lag, Sample, Sight
from headgate.core.scale import decide
from headgate.core.scaling import Observation, State


def saturated(rate: float) -> Lag:
    """Figures of workers that always had more to do, over the last minute."""
    samples = tuple(
        Sample(ago(60 - 5 * n), round(5 * n * rate) + 900, round(5 * n * rate), pending=900, in_flight=0)
        for n in range(13)
    )
    return lag(900, rate, finishing=rate, samples=samples, **WORKING)


def rate_after(found: Lag, state: State, current: int = 4, running: int = 4) -> float | None:
    seen = Observation(NOW, current, running, (load(found),))
    return decide(seen, state, RULE)[1].rates.get("g")


def test_a_rate_is_learned_from_workers_with_enough_to_do() -> None:
    assert rate_after(saturated(200), settled(4, None)) == pytest.approx(50)


def test_replicas_on_their_way_out_count_too() -> None:
    assert rate_after(saturated(200), settled(4, None), running=8) == pytest.approx(25)


def test_what_is_known_moves_towards_what_is_seen() -> None:
    assert rate_after(saturated(200), settled(4, 40.0)) == pytest.approx(43)
    assert rate_after(saturated(200), settled(4, 60.0)) == pytest.approx(57)


def test_right_after_a_change_only_a_higher_rate_is_believed() -> None:
    recent = ago(40)
    assert rate_after(saturated(200), settled(4, 60.0, steady_since=recent)) == 60.0
    assert rate_after(saturated(200), settled(4, 40.0, steady_since=recent)) == pytest.approx(43)


def test_nothing_is_learned_from_nobody() -> None:
    assert rate_after(saturated(200), settled(0, None), current=0) is None


def test_nothing_is_learned_from_stale_figures() -> None:
    assert rate_after(replace(saturated(200), sight=Sight.STALE), settled(4, None)) is None


def test_workers_with_too_little_to_do_show_what_one_can_do_at_least() -> None:
    calm = lag(0, 240.0, finishing=240.0, **WORKING)
    assert rate_after(calm, settled(4, 50.0)) == 60.0
    assert rate_after(calm, settled(4, 10.0)) == 13.0
    assert rate_after(calm, settled(4, 80.0)) == 80.0
    assert rate_after(calm, settled(4, None)) is None
    assert rate_after(calm, settled(4, 50.0, steady_since=ago(20))) == 50.0


def test_workers_that_finish_nothing_teach_nothing() -> None:
    assert rate_after(saturated(0), settled(4, 50.0)) == 50.0


@pytest.mark.parametrize(
    ("in_flight", "per_replica", "total", "rate"),
    [
        pytest.param(60, 1, 60, 70.0, id="the limit leaves replicas idle: no lower rate is believed"),
        pytest.param(57, 1, 60, 70.0, id="not each of the four could have been handed one more"),
        pytest.param(56, 1, 60, 64.0, id="there was room for each"),
        pytest.param(80, 20, 80, 64.0, id="they hold all that may be in flight themselves"),
        pytest.param(60, None, 60, 64.0, id="nobody knows how many they hold"),
    ],
)
def test_a_replica_that_may_be_handed_nothing_does_not_show_how_fast_it_is(
    in_flight: int, per_replica: int | None, total: int, rate: float
) -> None:
    found = saturated(200)
    samples = tuple(
        replace(each, in_flight=in_flight, handed=each.handed + in_flight) for each in found.samples
    )
    full = load(replace(found, samples=samples, in_flight=in_flight), per_replica=per_replica, total=total)
    _, state = decide(Observation(NOW, 4, 4, (full,)), settled(4, 70.0), RULE)
    assert state.rates["g"] == pytest.approx(rate)
