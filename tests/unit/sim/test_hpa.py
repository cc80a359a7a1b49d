"""The number that an HPA comes to, by figures worked out by hand from the source of its controller."""

from collections.abc import Sequence

import pytest

from headgate.sim.hpa import Autoscaler, per_pod


@pytest.mark.parametrize(
    ("metric", "target", "status", "expected"),
    [
        pytest.param(100, 10, 5, 10, id="twice the target doubles"),
        pytest.param(55, 10, 5, 5, id="a tenth above the target is near enough"),
        pytest.param(55.6, 10, 5, 6, id="a little more than a tenth above is not"),
        pytest.param(45, 10, 5, 5, id="a tenth below the target is near enough"),
        pytest.param(44, 10, 5, 5, id="more than a tenth below rounds up to the same number"),
        pytest.param(40, 10, 5, 4, id="a fifth below takes one away"),
        pytest.param(240, 10, 22, 22, id="22 of 24 never become 24"),
        pytest.param(640, 10, 63, 63, id="63 of 64 never become 64"),
        pytest.param(0, 10, 3, 0, id="nothing waiting asks for nothing"),
        pytest.param(7, 10, 0, 1, id="without pods the tolerance does not count"),
    ],
)
def test_the_number_is_the_metric_over_the_target_rounded_up(
    metric: float, target: float, status: int, expected: int
) -> None:
    assert per_pod(metric, target, status) == expected


def played(hpa: Autoscaler, begin: int, metrics: Sequence[float | None]) -> list[int]:
    """One pass every fifteen seconds, all pods ready at once."""
    found, replicas = [], begin
    for sync, metric in enumerate(metrics):
        replicas = hpa.sync(sync * 15, replicas, replicas, metric)
        found.append(replicas)
    return found


def test_without_behavior_one_pass_at_most_doubles_or_makes_four() -> None:
    assert played(Autoscaler(1, 100, 10), 1, [1000] * 5) == [4, 8, 16, 32, 64]


def test_with_behavior_the_same_follows_from_the_default_policies() -> None:
    assert played(Autoscaler(1, 100, 10, down_window=300), 1, [1000] * 5) == [5, 10, 20, 40, 80]


def test_with_behavior_what_was_added_within_the_period_counts() -> None:
    hpa = Autoscaler(1, 100, 10, down_window=300)
    assert [hpa.sync(0, 10, 10, 150), hpa.sync(10, 15, 15, 1000)] == [15, 20]


@pytest.mark.parametrize(("window", "held"), [(None, 20), (300, 20), (900, 60)])
def test_a_lower_number_waits_for_the_window(window: int | None, held: int) -> None:
    found = played(Autoscaler(1, 100, 10, down_window=window), 8, [80.0] + [20.0] * 70)
    assert found.index(2) == held


def test_a_high_look_now_and_then_keeps_everything() -> None:
    looks = [80.0 if sync % 15 == 0 else 20.0 for sync in range(100)]
    assert set(played(Autoscaler(1, 100, 10), 8, looks)) == {8}


@pytest.mark.parametrize(
    ("spec", "metric", "expected"),
    [
        pytest.param(0, 500.0, 0, id="no replicas means that scaling is off"),
        pytest.param(30, 10.0, 20, id="above the maximum comes down at once"),
        pytest.param(1, 10.0, 2, id="below the minimum goes up at once"),
        pytest.param(7, None, 7, id="without a metric nothing changes"),
        pytest.param(19, 900.0, 20, id="the maximum ends it"),
    ],
)
def test_bounds_come_before_the_metric(spec: int, metric: float | None, expected: int) -> None:
    assert Autoscaler(2, 20, 10).sync(0, spec, spec, metric) == expected
