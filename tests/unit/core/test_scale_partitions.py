"""What is decided where replicas read partitions of their own, and after replicas that did not help."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from headgate.core.lag import Lag, Sight
from headgate.core.scale import decide
from headgate.core.scaling import (
    Decision,
    Habits,
    Load,
    Observation,
    Reason,
    Rule,
    Shelved,
    State,
    Trial,
)
from headgate.core.spread import Spread

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
RULE = Rule(minimum=1, maximum=24, idle_after=timedelta(minutes=5))
COUNT = 24


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def state(current: int, rate: float | None = 50.0, **more: Any) -> State:
    long_ago = ago(3600)
    rates = {} if rate is None else {"g": rate}
    return replace(State(rates, current, long_ago, long_ago, habits=Habits(20.0, 10.0)), **more)


def load(
    arriving: float, waiting: float = 0.0, replicas: int = 4, hot: float = 0.0, age: float = 5.0, **more: Any
) -> Load:
    """Partitions with equal parts but for a hot first one, read in turn by so many replicas."""
    rest = arriving * (1 - hot) / (COUNT - 1)
    usual = (arriving * hot, *[rest] * (COUNT - 1)) if hot else (arriving / COUNT,) * COUNT
    pending = (waiting, *[0.0] * (COUNT - 1)) if hot else (waiting / COUNT,) * COUNT
    owners = tuple(n % replicas for n in range(COUNT))
    promise = more.pop("promise", MINUTE)
    spread = Spread(usual, pending, owners, age, members=min(replicas, COUNT), **more)
    lag = Lag(
        Sight.FRESH,
        pending=round(waiting + 5 * arriving),
        arriving=arriving,
        usual=arriving,
        finishing=min(arriving, 50.0 * replicas),
        unfinished_for=timedelta(0),
        working_for=MINUTE,
        spread=spread,
    )
    return Load("g", lag, promise, promise, MINUTE)


def decided(found: Load, current: int, before: State | None = None, rule: Rule = RULE) -> Decision:
    return decide(Observation(NOW, current, current, (found,)), before or state(current), rule)[0]


def test_events_that_wait_for_a_commit_bring_nobody() -> None:
    assert decided(load(180, age=9.0), 4).reason is Reason.STEADY


def test_up_to_the_next_number_that_takes_a_partition_from_the_busiest() -> None:
    decision = decided(load(420, 6000, age=35), 4)
    assert (decision.desired, decision.reason) == (12, Reason.WOULD_MISS_FRESHNESS)


def test_no_further_than_to_what_shows_a_difference() -> None:
    assert decided(load(270, 6000, age=40), 4).desired == 6


def test_a_hot_partition_gets_a_replica_with_few_others() -> None:
    decision = decided(load(100, 1600, hot=0.4, age=43), 4)
    assert (decision.desired, decision.reason) == (6, Reason.WOULD_MISS_FRESHNESS)


def test_a_partition_with_more_than_one_replica_can_do_is_said_to_be_hot() -> None:
    decision = decided(load(200, 9000, hot=0.5, age=90, replicas=24), 24)
    assert (decision.desired, decision.reason) == (24, Reason.PARTITION_HOT)


def test_partitions_that_are_stuck_are_named() -> None:
    decision = decided(load(180, stuck=(3, 7)), 4)
    assert (decision.desired, decision.reason) == (4, Reason.PARTITION_STALLED)
    assert "Partitions 3, 7 make no progress" in decision.message
    assert "Partition 3 makes no progress" in decided(load(180, stuck=(3,)), 4).message


def test_partitions_that_were_read_a_while_ago_are_reckoned_on_by_what_each_of_them_gets() -> None:
    read = load(420, 0, age=5)
    stale = replace(read, lag=replace(read.lag, sight=Sight.STALE, unread_for=timedelta(seconds=45)))
    decision = decided(stale, 4)
    assert (decision.desired, decision.reason) == (12, Reason.WOULD_MISS_FRESHNESS)
    assert "read 45s ago" in decision.message
    calm = replace(stale, lag=replace(stale.lag, arriving=180.0))
    assert decided(calm, 4).reason is Reason.METRICS_STALE


def test_workers_that_do_not_get_done_what_they_should_are_not_relied_on() -> None:
    late = load(0, 9000, age=90)
    assert decided(late, 4).desired > 4
    assert decided(replace(late, lag=replace(late.lag, finishing=200.0)), 4).desired == 4


def test_no_more_than_there_are_partitions() -> None:
    rule = replace(RULE, maximum=100)
    decision = decided(load(1150, 90_000, replicas=24, age=90), 24, rule=rule)
    assert (decision.desired, decision.reason) == (24, Reason.CONCURRENCY_LIMIT)
    assert "24 replicas already have all" in decision.message


def test_fewer_are_what_the_busiest_replica_can_bear() -> None:
    decision = decided(load(270, replicas=12), 12)
    assert (decision.desired, decision.reason) == (6, Reason.LESS_NEEDED)


def test_fewer_leave_room_to_catch_up_with_a_pause_that_is_long_for_the_promise() -> None:
    short = load(180, replicas=12, promise=timedelta(seconds=15))
    assert decided(short, 12, state(12, habits=Habits(20.0, 15.0))).desired == 8
    assert decided(load(180, replicas=12), 12, state(12, habits=Habits(20.0, 15.0))).desired == 4


def test_where_little_time_is_promised_fewer_need_not_be_enough_for_long() -> None:
    for promise, passed, desired in ((60, 200, 12), (60, 210, 5), (20, 65, 12), (20, 72, 5), (5, 65, 5)):
        found = load(200, replicas=12, promise=timedelta(seconds=promise))
        before = state(12, steady_since=ago(passed), habits=Habits(20.0, 0.0))
        assert decided(found, 12, before).desired == desired


def test_one_step_down_is_better_than_two_within_a_minute() -> None:
    for passed, desired in ((140, 2), (100, 24), (60, 12)):
        before = state(24, needs=((ago(500), 20), (ago(passed), 12)))
        assert decided(load(60, replicas=24), 24, before).desired == desired


def test_a_rate_that_is_unknown_is_found_out_by_one_step_down() -> None:
    before = state(4, None, calm_since=ago(400))
    assert decided(load(90), 4, before).reason is Reason.PROBING
    assert decided(load(90), 4, before).desired == 3
    eight = decided(load(90, replicas=8), 8, replace(before, current=8))
    assert eight.desired == 6


@pytest.mark.parametrize(
    ("before", "current"),
    [
        pytest.param(state(4, None, calm_since=ago(200)), 4, id="it was not calm for long"),
        pytest.param(state(1, None, calm_since=ago(900)), 1, id="there is but one"),
        pytest.param(
            state(2, None, calm_since=ago(900), habits=Habits(120.0, 10.0)), 2, id="more would come too late"
        ),
    ],
)
def test_nothing_is_tried_where(before: State, current: int) -> None:
    assert decided(load(10, replicas=current), current, before).reason is Reason.STEADY


# --- while replicas start, and when they did not help


def test_while_replicas_start_no_more_are_added_for_what_these_will_do() -> None:
    starting = state(6, raised=ago(10), awaited=True, steady_since=ago(10))
    late = load(270, 9000, age=65, replicas=6)
    assert decided(late, 6, starting).desired == 6
    assert decided(load(420, 3000, age=42, replicas=6), 6, starting).desired == 12


def test_right_after_fewer_a_pause_is_no_reason_for_more() -> None:
    late = load(180, 9000, age=70)
    assert (
        decided(late, 4, state(4, habits=Habits(20.0, 10.0, lowered=ago(10)), steady_since=ago(10))).desired
        == 4
    )
    assert (
        decided(late, 4, state(4, habits=Habits(20.0, 10.0, lowered=ago(60)), steady_since=ago(60))).desired
        > 4
    )


def test_replicas_on_trial_have_to_show_that_they_help_before_more_are_added() -> None:
    trial = Trial(4, 6, 270.0, 5000.0)
    slow = load(420, 30_000, replicas=6, age=50)
    stuck = replace(slow, lag=replace(slow.lag, finishing=270.0))
    held = state(6, trial=trial, steady_since=ago(20), begun=ago(5))
    assert decided(stuck, 6, held).desired == 6
    assert decided(replace(slow, lag=replace(slow.lag, finishing=300.0)), 6, held).desired > 6


def test_replicas_that_did_not_help_are_taken_back_and_no_more_are_added_for_a_while() -> None:
    trial = Trial(4, 12, 180.0, 5000.0)
    late = load(260, 30_000, replicas=12, age=90)
    late = replace(late, lag=replace(late.lag, finishing=180.0))
    judged = state(12, trial=trial, steady_since=ago(60), begun=ago(30))
    observation = Observation(NOW, 12, 12, (late,))
    decision, after = decide(observation, judged, RULE)
    assert (decision.desired, decision.reason) == (4, Reason.SCALE_UP_INEFFECTIVE)
    assert "no more done than 180/s" in decision.message
    again, _ = decide(Observation(NOW + timedelta(seconds=5), 4, 4, (late,)), after, RULE)
    assert (again.desired, again.reason) == (4, Reason.SCALE_UP_INEFFECTIVE)


def test_replicas_that_did_not_help_are_kept_while_somebody_cannot_be_seen() -> None:
    failed = state(
        12, trial=Trial(4, 12, 180.0, 5000.0, failed=True), habits=Habits(shelved=Shelved(NOW, 600, 180))
    )
    blind = Load("h", Lag(Sight.STALE), MINUTE, MINUTE, MINUTE)
    decision, _ = decide(Observation(NOW, 12, 12, (load(260), blind)), failed, RULE)
    assert decision.desired == 12


def test_a_hold_that_is_over_holds_nobody() -> None:
    past = Habits(20.0, 10.0, shelved=Shelved(ago(1), 600.0, 180.0))
    assert decided(load(260, 30_000, age=90), 4, state(4, habits=past)).desired > 4


def test_of_several_loads_the_one_that_would_be_latest_is_told() -> None:
    first, second = load(100, 3000, age=30), load(100, 6000, age=58)
    seen = Observation(NOW, 4, 4, (first, replace(second, name="h"), replace(load(10), name="i")))
    decision, _ = decide(seen, state(4, rates={"g": 50.0, "h": 50.0, "i": 50.0}), RULE)
    assert decision.reason is Reason.WOULD_MISS_FRESHNESS
    assert decision.desired > 4


def test_figures_that_contradict_each_other_wake_nobody_and_do_no_harm() -> None:
    found = load(0, 900)
    silent = replace(found, lag=replace(found.lag, pending=0))
    assert decided(silent, 0, state(0), replace(RULE, minimum=0)).reason is Reason.IDLE
