"""What the autoscaler asks of the cluster, writes to it and says in status."""

from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType

import pytest
from tests.unit.engine.autoscaling import IDLE, LATE, MINUTE, START, bench, enforced_to_zero, member, ref

from headgate.core.lag import Lag, Sight
from headgate.core.scaling import Reason, Rule
from headgate.core.schedule import Window
from headgate.core.workload import Activity, Member, Stance, Target
from headgate.kube.errors import Conflict, Fenced, Forbidden, Invalid, KubeError, NotFound, Unavailable
from headgate.kube.values import Named, Rival


async def test_lag_brings_replicas_in_one_write() -> None:
    found = bench(member(), lag=LATE)
    await found.act()
    assert found.cluster.writes == [("billing", 3)]
    assert found.shown() == (3, 3, "WorkWaiting", "Enforced")
    assert found.changed == [ref("billing")]


async def test_one_late_group_among_a_thousand_idle_ones_is_scaled_at_the_same_look() -> None:
    found = bench(*(member(f"g{n:04}") for n in range(1000)))
    for _ in range(40):
        await found.act()
    assert len(found.cluster.reads) >= 1000
    found.cluster.reads.clear()
    found.changed.clear()
    found.lags[ref("g0500")] = LATE
    await found.act()
    assert found.cluster.writes == [("g0500", 3)]
    assert found.changed == [ref("g0500")]
    assert len(found.cluster.reads) <= 51


async def test_at_rest_the_scale_is_read_ever_more_rarely_and_nothing_is_said() -> None:
    found = bench(member())
    await found.act()
    found.changed.clear()
    waits, last = [], found.clock.now
    for _ in range(200):
        found.cluster.reads.clear()
        await found.act()
        if found.cluster.reads:
            waits.append((found.clock.now - last).total_seconds())
            last = found.clock.now
    assert waits[:2] == [30, 60]
    assert set(waits[2:]) == {120}
    assert found.cluster.writes == []
    assert found.changed == []


async def test_a_workload_at_rest_that_somebody_else_changed_is_looked_at_more_often_again() -> None:
    found = bench(member(stance=Stance.RECOMMEND))
    for _ in range(100):
        await found.act()
    found.cluster.scales["billing"] = 2
    await found.act(120)
    found.cluster.scales["billing"] = 0
    await found.act(120)
    found.cluster.reads.clear()
    await found.act(30)
    assert found.cluster.reads == ["billing"]


ANEW: dict[str, Member] = {
    "pinned by hand": member(hold=1),
    "suspended": member(stance=Stance.SUSPENDED),
    "given another minimum": member(rule=Rule(1, 12, MINUTE)),
}


@pytest.mark.parametrize("declared", ANEW.values(), ids=ANEW.keys())
async def test_a_workload_at_rest_is_looked_at_at_once_when_it_is(declared: Member) -> None:
    found = bench(member())
    await found.act()
    found.cluster.reads.clear()
    found.members[0] = declared
    await found.act()
    assert found.cluster.reads == ["billing"]


async def test_a_status_that_was_written_is_nothing_new_about_a_workload_at_rest() -> None:
    found = bench(member())
    await found.act()
    found.cluster.reads.clear()
    found.members[0] = member(shown=found.autoscaler.views[ref("billing")])
    await found.act()
    assert found.cluster.reads == []


async def test_other_scalers_are_looked_up_once_a_minute_for_a_whole_namespace() -> None:
    found = bench(*(member(f"g{n}") for n in range(20)), lag=LATE)
    for _ in range(12):
        await found.act()
    assert found.cluster.lists == ["shop"]
    await found.act()
    assert found.cluster.lists == ["shop", "shop"]


async def test_a_workload_that_another_scaler_has_is_left_alone() -> None:
    found = bench(member(), lag=LATE)
    named = Named("apps/v1", "Deployment", "shop", "billing")
    found.cluster.rivals = (Rival("HorizontalPodAutoscaler", "shop", "hpa", named),)
    await found.act()
    assert found.cluster.writes == []
    assert found.shown() == (0, 0, "TargetContested", "TargetContested")


async def test_without_the_right_to_look_for_other_scalers_the_workload_is_scaled() -> None:
    found = bench(member(), lag=LATE)
    found.cluster.on_list = [Forbidden("no")]
    await found.act()
    assert found.cluster.writes == [("billing", 3)]
    assert found.shown() == (3, 3, "WorkWaiting", "ContestUnknown")
    assert found.autoscaler.views[ref("billing")].active


async def test_groups_of_one_workload_are_added_up_and_scaled_once() -> None:
    shared = Target("apps/v1", "Deployment", "shop", "worker")
    found = bench(member(target=shared), member("audit", target=shared), lag=LATE, worker=0)
    await found.act()
    assert found.cluster.writes == [("worker", 6)]
    assert found.shown("audit") == found.shown("billing")


async def test_a_workload_that_somebody_else_changed_meanwhile_is_read_again() -> None:
    found = bench(member(), lag=LATE)
    found.cluster.on_patch = [Conflict("moved on")]
    await found.act()
    assert found.cluster.writes == []
    assert found.changed == []
    await found.act()
    assert found.cluster.writes == [("billing", 3)]


TROUBLE: dict[str, tuple[KubeError, str]] = {
    "there is no such workload": (NotFound("no"), "TargetNotFound"),
    "the right is missing": (Forbidden("no"), "NotPermitted"),
    "the cluster refuses": (Invalid("no"), "TargetRefused"),
}


@pytest.mark.parametrize(("error", "reason"), TROUBLE.values(), ids=TROUBLE.keys())
async def test_what_waiting_does_not_heal_is_said_at_once_and_tried_now_and_then(
    error: KubeError, reason: str
) -> None:
    found = bench(member(), lag=LATE)
    found.cluster.on_get["billing"] = [error]
    await found.act()
    assert found.shown() == (0, 0, reason, reason)
    assert not found.autoscaler.views[ref("billing")].active
    await found.act()
    assert len(found.cluster.reads) == 1
    await found.act(30)
    assert found.shown() == (3, 3, "WorkWaiting", "Enforced")


async def test_a_workload_that_vanished_after_a_long_rest_is_looked_for_as_often_as_any_other() -> None:
    found = bench(member())
    for _ in range(100):
        await found.act()
    del found.cluster.scales["billing"]
    await found.act(120)
    assert found.shown()[3] == "TargetNotFound"
    found.cluster.scales["billing"] = 0
    await found.act(30)
    assert found.shown()[3] == "Enforced"


async def test_blindness_raises_to_the_floor_after_a_while_and_takes_nothing_away() -> None:
    found = bench(member(rule=Rule(0, 12, timedelta(0), floor=3)), lag=Lag(Sight.LOST), billing=2)
    await found.act()
    assert (found.cluster.writes, found.shown()[2]) == ([], "MetricsLost")
    for _ in range(60):
        await found.act()
    assert found.cluster.writes == [("billing", 3)]
    assert found.shown() == (3, 3, "MetricsLostFloor", "MetricsLost")
    found.cluster.scales["billing"] = 7
    await found.act()
    assert found.cluster.writes == [("billing", 3)]


async def test_a_cluster_that_is_away_for_a_moment_is_not_worth_a_word() -> None:
    found = bench(member(), lag=LATE)
    found.cluster.on_get["billing"] = [Unavailable("away") for _ in range(14)]
    for _ in range(12):
        await found.act()
    assert found.changed == []
    await found.act()
    assert found.shown() == (0, 0, "TargetUnreachable", "TargetUnreachable")


async def test_an_operator_that_may_not_write_says_nothing_about_it() -> None:
    found = bench(member(), lag=LATE)
    found.cluster.on_patch = [Fenced("not ours") for _ in range(20)]
    for _ in range(20):
        await found.act()
    assert found.changed == []


async def test_a_recommendation_is_shown_and_not_written() -> None:
    found = bench(member(stance=Stance.RECOMMEND), lag=LATE)
    await found.act()
    assert found.cluster.writes == []
    assert found.shown() == (0, 3, "WorkWaiting", "Recommending")


async def test_a_pinned_workload_gets_what_was_pinned() -> None:
    found = bench(member(hold=4), lag=LATE)
    await found.act()
    assert found.cluster.writes == [("billing", 4)]
    assert found.shown() == (4, 4, "HeldByAnnotation", "HeldByAnnotation")


async def test_a_workload_at_rest_gets_what_its_schedule_says_as_soon_as_it_begins() -> None:
    begins = START + 2 * MINUTE
    window = Window(f"{begins.minute} {begins.hour} * * *", "UTC", 30 * MINUTE, 3)
    found = bench(member(windows=(window,)), billing=0)
    for _ in range(23):
        await found.act()
    assert found.cluster.writes == []
    await found.act()
    assert found.cluster.writes == [("billing", 3)]
    assert found.shown() == (3, 3, "BelowMinimum", "Enforced")


async def test_an_annotation_that_becomes_unclear_is_told_at_once() -> None:
    found = bench(member(hold=4), lag=LATE)
    await found.act()
    found.members[0] = member(hold_error="a whole number, please")
    await found.act()
    assert found.autoscaler.views[ref("billing")].active_message == "a whole number, please"


async def test_figures_alone_are_said_every_thirty_seconds() -> None:
    found = bench(member(stance=Stance.DISABLED), billing=1)
    await found.act()
    found.changed.clear()
    found.cluster.scales["billing"] = 2
    await found.act(29)
    assert found.changed == []
    await found.act(30)
    assert found.changed == [ref("billing")]
    assert found.shown() == (2, 2, "Disabled", "Disabled")


async def test_a_restart_says_nothing_that_status_says_already() -> None:
    first = await enforced_to_zero()
    await first.act(300)
    shown = first.autoscaler.views[ref("billing")]
    again = bench(member(shown=shown, learned=shown.learned, release=2))
    for _ in range(20):
        await again.act()
    assert again.changed == []
    assert again.autoscaler.views[ref("billing")] == shown
    assert shown.reason == Reason.IDLE_LONG_ENOUGH


async def test_a_learned_rate_survives_a_restart() -> None:
    learned = MappingProxyType({"eventsPerSecondPerReplica": "10"})
    found = bench(member(capacity=None, learned=learned), lag=LATE)
    await found.act()
    assert found.cluster.writes == [("billing", 3)]
    assert found.autoscaler.views[ref("billing")].learned == learned


async def test_what_was_seen_of_replicas_survives_a_restart() -> None:
    learned = MappingProxyType(
        {
            "startSeconds": "40",
            "inVainUntil": (START + 10 * MINUTE).isoformat(),
            "inVainSeconds": "600",
            "inVainEventsPerSecond": "20.0",
        }
    )
    found = bench(member(learned=learned), lag=replace(LATE, pending=9000), billing=2)
    await found.act()
    assert found.shown()[2] == "ScaleUpIneffective"
    assert found.cluster.writes == []
    assert found.autoscaler.views[ref("billing")].learned == learned


async def test_a_group_that_is_gone_is_forgotten() -> None:
    found = bench(member(), member("audit"))
    await found.act()
    del found.members[0]
    await found.act()
    assert set(found.autoscaler.views) == {ref("audit")}
    found.autoscaler.act([ref("billing")])


async def test_nothing_is_decided_before_all_groups_were_looked_at() -> None:
    shared = Target("apps/v1", "Deployment", "shop", "worker")
    found = bench(member(target=shared), member("audit", target=shared), lag=LATE, worker=0)
    found.lags[ref("audit")] = Lag(Sight.UNSEEN)
    await found.act()
    assert found.cluster.reads == []
    assert found.changed == []


async def test_blindness_does_not_make_the_cluster_be_asked_at_every_look() -> None:
    found = bench(member(), lag=Lag(Sight.STALE, pending=5), billing=2)
    await found.act()
    assert found.shown()[2] == "MetricsStale"
    found.lags[ref("billing")] = Lag(Sight.LOST, pending=5)
    await found.act()
    assert found.shown()[2] == "MetricsLost"
    found.cluster.reads.clear()
    for _ in range(60):
        await found.act()
    assert len(found.cluster.reads) == 10
    found.lags[ref("billing")] = replace(LATE, pending=900)
    await found.act()
    assert found.cluster.writes == [("billing", 3)]


async def test_lost_figures_are_shown_as_such() -> None:
    found = bench(member(), lag=Lag(Sight.LOST), billing=2)
    await found.act()
    found.lags[ref("billing")] = Lag(Sight.LOST, pending=5)
    await found.act(31)
    assert found.cluster.writes == []
    assert found.shown() == (2, 2, "MetricsLost", Activity.METRICS_LOST)


async def test_events_that_wait_for_a_retry_are_said_to_fill_the_places() -> None:
    found = bench(member(per_replica=20, total=200), lag=replace(LATE, in_flight=180), billing=2)
    await found.act()
    assert found.autoscaler.views[ref("billing")].retry_saturated
    assert found.shown() == (2, 2, "RetrySaturated", "Enforced")


async def test_what_held_a_workload_up_is_not_said_any_more_once_there_is_nothing_to_do() -> None:
    full = replace(LATE, in_flight=180)
    rule = Rule(2, 12, timedelta(minutes=5))
    found = bench(member(per_replica=20, total=200, rule=rule), lag=full, billing=2)
    await found.act()
    assert found.autoscaler.views[ref("billing")].retry_saturated
    found.lags[ref("billing")] = IDLE
    await found.act()
    assert not found.autoscaler.views[ref("billing")].retry_saturated
    assert found.shown() == (2, 2, "Steady", "Enforced")


async def test_every_change_is_reported_with_what_it_was_and_why() -> None:
    found = bench(member(), lag=LATE)
    await found.act()
    (scaled,) = found.scaled
    assert (scaled.target.name, scaled.before, scaled.after, scaled.reason) == (
        "billing",
        0,
        3,
        "WorkWaiting",
    )
    assert scaled.message == found.autoscaler.views[ref("billing")].message


async def test_a_pinned_workload_is_reported_as_pinned_and_not_by_what_would_have_been_decided() -> None:
    found = bench(member(hold=4), lag=LATE)
    await found.act()
    (scaled,) = found.scaled
    assert (scaled.before, scaled.after, scaled.reason) == (0, 4, "HeldByAnnotation")
    assert "headgate.dev/hold-replicas" in scaled.message


async def test_a_group_with_work_is_reckoned_on_at_every_look_until_its_figures_are_lost() -> None:
    found = bench(member(), lag=Lag(Sight.FRESH, pending=60, arriving=20.0, usual=20.0), billing=2)
    await found.act()
    more = Lag(Sight.STALE, pending=60, arriving=30.0, usual=30.0)
    for seconds in range(20, 61, 5):
        found.lags[ref("billing")] = replace(more, unread_for=timedelta(seconds=seconds))
        await found.act()
    assert [name for name, _ in found.cluster.writes] == ["billing"]
    assert found.cluster.scales["billing"] > 2
    found.cluster.reads.clear()
    found.lags[ref("billing")] = replace(more, sight=Sight.LOST)
    for _ in range(6):
        await found.act()
    assert len(found.cluster.reads) <= 2


async def test_a_group_without_work_that_cannot_be_read_costs_the_cluster_nothing() -> None:
    found = bench(member(), lag=replace(IDLE, sight=Sight.STALE), billing=2)
    await found.act()
    found.cluster.reads.clear()
    for _ in range(5):
        await found.act()
    assert found.cluster.reads == []
