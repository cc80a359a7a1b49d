"""When KEDA wakes a workload, what it tells the HPA, and when it lets the workload sleep."""

import pytest
from tests.unit.sim.simulating import look, reading, trace

from headgate.sim.keda import Keda
from headgate.sim.setting import Scenario, Terms, Workers

QUEUE = Workers(partitions=None)


def keda(minimum: int = 0, workers: Workers | None = None, threshold: float = 10) -> Keda:
    terms = Terms(minimum=minimum, maximum=24)
    return Keda(Scenario(trace([0]), workers or Workers(), terms), threshold)


@pytest.mark.parametrize(
    ("lag", "minimum", "expected"),
    [
        pytest.param(0, 0, 0, id="no lag wakes nobody"),
        pytest.param(1, 0, 1, id="one event wakes one replica"),
        pytest.param(9999, 0, 1, id="however many wait, it begins with one"),
        pytest.param(9999, 3, 3, id="or with the minimum"),
    ],
)
def test_waking_up(lag: int, minimum: int, expected: int) -> None:
    assert keda(minimum).replicas(look(0, 0, lag)) == expected


def test_the_hpa_goes_on_from_one() -> None:
    rival = keda()
    found = [0]
    for second in range(0, 105, 15):
        found.append(rival.replicas(look(second, found[-1], 5000)))
    assert found[1:] == [1, 4, 8, 16, 24, 24, 24]


def test_lag_between_two_polls_has_to_wait() -> None:
    rival = keda()
    looks = [look(0, 0, 0), look(15, 0, 50), look(30, 0, 50)]
    assert [rival.replicas(each) for each in looks] == [0, 0, 1]


def test_sleep_comes_after_the_cooldown() -> None:
    rival = keda()
    found = {second: rival.replicas(look(second, 1, 5 if second == 0 else 0)) for second in range(0, 361, 15)}
    assert next(second for second, replicas in found.items() if replicas == 0) == 330


@pytest.mark.parametrize("replicas", [0, 5])
def test_a_broker_that_cannot_be_asked_freezes_everything(replicas: int) -> None:
    rival = keda()
    assert {rival.replicas(look(second, replicas, None)) for second in range(0, 900, 15)} == {replicas}


@pytest.mark.parametrize(
    ("lag", "partitions", "expected"),
    [
        pytest.param(239, 24, 239, id="what waits is the metric"),
        pytest.param(240, 24, 240, id="up to one threshold per partition"),
        pytest.param(249, 24, 249, id="and a little more, for the division rounds down"),
        pytest.param(250, 24, 240, id="never more than that"),
    ],
)
def test_the_metric_of_partitions(lag: int, partitions: int, expected: float) -> None:
    assert keda().metric(reading(lag, partitions)) == expected


def test_the_metric_of_a_queue_has_no_limit_and_counts_what_is_in_flight() -> None:
    assert keda(workers=QUEUE).metric(reading(5000, 1)) == 5000
