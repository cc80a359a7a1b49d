"""The policies that are compared, by what they answer to single looks and on whole traces."""

from dataclasses import replace

import pytest
from tests.unit.sim.simulating import scenario, trace

from headgate.core.scaling import Reason
from headgate.sim.ds2 import Ds2
from headgate.sim.ours import Ours
from headgate.sim.play import play
from headgate.sim.policy import Look, Reading
from headgate.sim.rivals import ABOUT, BEST, OURS, UnknownRivalError, best, make, run
from headgate.sim.setting import Limit, Scenario, Span, Terms, Workers
from headgate.sim.traces import MORE, TRACES

QUEUE = Workers(partitions=None)


def told(rival: Ds2, rates: list[int], replicas: int, lag: int = 0) -> int:
    """What it says after minutes with these arrivals per second, the number of replicas as it is."""
    head = 0
    for minute, rate in enumerate([0, *rates]):
        head += rate * 60
        reading = Reading((head,), (head - lag,), (head - lag,), (None,))
        replicas = rival.replicas(Look(minute * 60, replicas, replicas, replicas, reading))
    return replicas


@pytest.mark.parametrize(
    ("rate", "replicas", "lag", "expected"),
    [
        pytest.param(180, 4, 0, 4, id="between 40 and 100 percent nothing changes"),
        pytest.param(210, 4, 0, 7, id="above: 210/0.7 and a sixth, over 50"),
        pytest.param(190, 4, 36_000, 7, id="what waits counts by the half hour that it may take"),
        pytest.param(60, 8, 0, 4, id="below: by 60 percent at most"),
        pytest.param(60, 4, 0, 2, id="or less"),
        pytest.param(2000, 4, 0, 24, id="never above the maximum"),
    ],
)
def test_ds2_goes_to_the_parallelism_of_its_formula(
    rate: int, replicas: int, lag: int, expected: int
) -> None:
    assert told(Ds2(Scenario(trace([0]))), [rate], replicas, lag) == expected


def test_ds2_takes_a_replica_that_waits_for_what_is_behind_it_for_a_slow_one() -> None:
    limited = replace(trace([0] * 100), limit=Limit(Span(0, 100), 100))
    assert told(Ds2(Scenario(limited)), [120], 4) == 8  # 191 are wanted, and four get 25 each done


def test_ds2_wakes_up_for_anything_and_sleeps_after_a_while() -> None:
    rival = Ds2(Scenario(TRACES["batch_idle"]))
    assert told(rival, [100], 0, 50) == 4
    assert told(Ds2(Scenario(TRACES["batch_idle"])), [100, *[0] * 8], 4) == 0


@pytest.mark.parametrize("name", [name for name in ABOUT if name not in (BEST, "keda:THRESHOLD")])
@pytest.mark.parametrize("workers", [Workers(), QUEUE], ids=["partitions", "a queue"])
def test_every_policy_stays_within_its_bounds(name: str, workers: Workers) -> None:
    found = scenario(
        [30] * 200 + [600] * 200 + [0] * 800, workers, start=2, terms=Terms(minimum=2, maximum=9)
    )
    numbers = {replicas for _, replicas in run(name, found).replicas}
    assert min(numbers) >= 2
    assert max(numbers) <= 9


def test_the_best_of_keda_is_no_later_than_its_default() -> None:
    found = scenario([60] * 300 + [600] * 120 + [60] * 600, Workers(), start=4, terms=Terms())
    assert best(found).figures.violation <= run("keda", found).figures.violation
    assert best(found).figures.replica_seconds < run("keda", found).figures.replica_seconds


@pytest.mark.parametrize(
    ("name", "same"), [("keda:1/4", "keda:750"), ("keda:1/1", "keda:3000"), ("keda", "keda:10")]
)
def test_a_threshold_may_be_a_share_of_the_promise(name: str, same: str) -> None:
    found = scenario([400] * 300, Workers(), start=4, terms=Terms())
    assert run(name, found).replicas == run(same, found).replicas


@pytest.mark.parametrize("name", ["", "hpa", "keda:", "keda:0", "keda:-3", "keda:many", "keda:1/0", "ds2:1"])
def test_a_name_that_nobody_has_is_refused(name: str) -> None:
    with pytest.raises(UnknownRivalError, match=r"there are|expected"):
        make(name, scenario([0]))


def test_the_maximum_is_no_more_than_the_partitions() -> None:
    found = scenario([0] * 10, Workers(partitions=6), terms=Terms(maximum=9))
    assert run("max", found).replicas[-1][1] == 6


def test_headgate_sees_a_broker_that_cannot_be_read_as_metrics_that_grow_old() -> None:
    blind = replace(trace([40] * 300, start=1), blind=(Span(100, 300),))
    ours = Ours(Scenario(blind, QUEUE))
    play(Scenario(blind, QUEUE), ours)
    reasons = [decision.reason for second, decision in ours.decisions if second > 100]
    assert [each for each in reasons if each.startswith("Metrics")] == [
        Reason.METRICS_STALE,
        Reason.METRICS_LOST,
    ]


def test_headgate_goes_to_zero_and_comes_back() -> None:
    run_ = run(OURS, Scenario(TRACES["batch_idle"], QUEUE))
    numbers = [replicas for _, replicas in run_.replicas]
    assert numbers.count(0) >= 4  # before the first batch, and after each of the others


def test_headgate_does_not_add_replicas_for_events_that_wait_for_a_retry() -> None:
    storm = Scenario(MORE["retry_storm"], QUEUE)
    ours = Ours(storm)
    found = play(storm, ours)
    during = [replicas for second, replicas in found.replicas if 2400 <= second < 5400]
    assert during == []
    assert Reason.RETRY_SATURATED in {decision.reason for _, decision in ours.decisions}


def test_headgate_begins_with_what_an_earlier_life_learned() -> None:
    terms = Terms(learned={"eventsPerSecondPerReplica": "50"})
    found = scenario([400] * 120, QUEUE, start=1, terms=terms)
    assert [each for each in run(OURS, found).replicas if each[0] <= 30][-1][1] >= 8


@pytest.mark.unwatched
@pytest.mark.parametrize("second", [1000, 3050, 5000])
def test_a_restart_of_the_operator_changes_at_most_one_event(second: int) -> None:
    spiky = Scenario(TRACES["spike"], QUEUE)
    calm, restarted = (play(spiky, Ours(spiky, at)).figures for at in (None, second))
    assert abs(calm.events - restarted.events) <= 1


@pytest.mark.parametrize("workers", [Workers(), QUEUE], ids=["partitions", "a queue"])
def test_headgate_adds_replicas_by_what_it_knew_just_before_it_could_see_no_more(workers: Workers) -> None:
    """Arrivals rise fourfold a quarter of a minute before the broker cannot be read for ten minutes."""
    known = Terms(learned={"eventsPerSecondPerReplica": f"{workers.service_rate:g}"})
    rates = [100.0] * 583 + [400.0] * 1200
    blind = replace(trace(rates, start=3), blind=(Span(600, 1200),))
    found = Scenario(blind, workers, known)
    ours = Ours(found)
    played = play(found, ours)
    assert any(600 < second <= 660 for second, _ in played.replicas)
    assert played.figures.violation == 0
    reasons = [decision.reason for second, decision in ours.decisions if 610 <= second < 1200]
    assert reasons[-1] is Reason.METRICS_LOST


@pytest.mark.unwatched
@pytest.mark.parametrize("name", ["steady", "noise_rebalance", "slow_leak"])
def test_headgate_is_not_stirred_up_by_a_broker_that_is_away_for_a_minute_now_and_then(name: str) -> None:
    away = tuple(Span(begin, begin + 65) for begin in range(250, 7200, 440))
    calm, stirred = (
        run(OURS, Scenario(replace(TRACES[name], blind=blind), Workers(partitions=None))).figures
        for blind in ((), away)
    )
    assert (stirred.violation, stirred.events) == (calm.violation, calm.events)
    assert stirred.replica_seconds <= 1.05 * calm.replica_seconds
