"""What may be done to a workload, and what status says about it."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import pytest

from headgate.api import ConsumerGroupSpec
from headgate.core.estate import Declared, Ref
from headgate.core.lag import Lag, Sight
from headgate.core.members import HOLD, member, patience
from headgate.core.rates import recalled, remembered
from headgate.core.scaling import Decision, Reason, Rule
from headgate.core.workload import (
    NOTHING,
    Activity,
    Competitor,
    Course,
    Member,
    Stance,
    Target,
    Workload,
    contested,
    course,
    released,
    unreached,
    view,
    workloads,
)

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
WORKER = Target("apps/v1", "Deployment", "shop", "billing-worker")
SCALING: dict[str, Any] = {
    "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "billing-worker"},
    "minReplicas": 0,
    "maxReplicas": 12,
}


def spec(scaling: dict[str, Any] | None = None, **more: Any) -> ConsumerGroupSpec:
    body = {"topicRef": {"name": "orders"}, "start": {"from": "Earliest"}, "scaling": scaling, **more}
    return ConsumerGroupSpec.model_validate({key: value for key, value in body.items() if value is not None})


def declared(
    found: ConsumerGroupSpec, name: str = "billing", *, deleting: bool = False, hold: str | None = None
) -> Declared[ConsumerGroupSpec]:
    annotations = {} if hold is None else {HOLD: hold}
    return Declared(
        Ref("ConsumerGroup", "shop", name),
        "u",
        1,
        found,
        deleting=deleting,
        annotations=MappingProxyType(annotations),
    )


def made(name: str = "billing", **more: Any) -> Member:
    found = member(declared(spec(SCALING), name), MINUTE)
    assert found is not None
    return replace(found, **more)


def test_a_group_without_scaling_has_no_say() -> None:
    assert member(declared(spec()), MINUTE) is None


def test_everything_declared_is_taken_over() -> None:
    found = member(
        declared(
            spec(
                {
                    **SCALING,
                    "minReplicas": 1,
                    "drainWithin": "90s",
                    "idleAfter": "2m",
                    "capacity": {"eventsPerSecondPerReplica": "12.5"},
                    "onMetricsLoss": {"floor": 2},
                    "onRelease": {"replicas": 3},
                },
                freshness={"maxAge": "30s"},
                concurrency={"perReplica": 20, "total": 200},
            ),
            hold="4",
        ),
        MINUTE,
    )
    assert found is not None
    assert found.rule == Rule(1, 12, timedelta(minutes=2), 2)
    load = found.load(Lag(Sight.FRESH))
    assert (load.promise, load.drain_within, load.patience) == (
        timedelta(seconds=30),
        timedelta(seconds=90),
        MINUTE,
    )
    assert (load.capacity, load.per_replica, load.total) == (12.5, 20, 200)
    assert (found.target, found.release, found.hold, found.stance) == (WORKER, 3, 4, Stance.ENFORCE)


def test_what_is_left_out_has_defaults() -> None:
    found = made()
    assert found.rule == Rule(0, 12, timedelta(minutes=5), None)
    assert (found.promise, found.drain_within) == (None, MINUTE)
    assert (found.capacity, found.per_replica, found.total, found.release, found.hold) == (None,) * 5


def test_a_backlog_is_drained_within_the_promise_where_nothing_else_is_said() -> None:
    found = member(declared(spec(SCALING, freshness={"maxAge": "30s"})), MINUTE)
    assert found is not None
    assert found.drain_within == timedelta(seconds=30)


def test_the_total_follows_from_the_replicas_where_it_is_left_out() -> None:
    found = member(declared(spec(SCALING, concurrency={"perReplica": 20})), MINUTE)
    assert found is not None
    assert found.total == 240


STANCES: dict[str, tuple[dict[str, Any], dict[str, Any], bool, Stance, bool]] = {
    "left out": ({}, {}, False, Stance.ENFORCE, True),
    "recommend": ({"mode": "Recommend"}, {}, False, Stance.RECOMMEND, False),
    "disabled": ({"mode": "Disabled"}, {}, False, Stance.DISABLED, False),
    "suspended": ({}, {"suspend": True}, False, Stance.SUSPENDED, False),
    "being deleted": ({}, {}, True, Stance.LEAVING, True),
    "being deleted, never scaled": ({"mode": "Disabled"}, {}, True, Stance.LEAVING, False),
}


@pytest.mark.parametrize(
    ("scaling", "more", "deleting", "stance", "managed"), STANCES.values(), ids=STANCES.keys()
)
def test_stance(
    scaling: dict[str, Any], more: dict[str, Any], *, deleting: bool, stance: Stance, managed: bool
) -> None:
    found = member(declared(spec({**SCALING, **scaling}, **more), deleting=deleting), MINUTE)
    assert found is not None
    assert (found.stance, found.managed) == (stance, managed)


@pytest.mark.parametrize("text", ["", "four", "-1", "4.5", "10001", "٤"])
def test_an_annotation_that_names_no_number_leaves_the_replicas_alone(text: str) -> None:
    found = member(declared(spec(SCALING), hold=text), MINUTE)
    assert found is not None
    result = course(Workload(WORKER, (found,)), UP, 2, ())
    assert (result.desired, result.write, result.activity) == (2, False, Activity.HELD_BY_ANNOTATION)
    assert "whole number" in result.message


def test_a_healthy_event_stays_for_one_attempt_and_the_longest_wait() -> None:
    assert patience(MINUTE, (timedelta(seconds=2), timedelta(minutes=2))) == timedelta(minutes=3)
    assert patience(MINUTE, ()) == MINUTE


def test_groups_with_one_target_share_a_workload_whatever_version_names_it() -> None:
    other = replace(made("audit"), target=replace(WORKER, api_version="apps/v1beta1"))
    elsewhere = made("search", target=replace(WORKER, namespace="search"))
    found = workloads([made("billing"), elsewhere, other])
    assert [[one.group.name for one in workload.members] for workload in found] == [
        ["audit", "billing"],
        ["search"],
    ]


def test_a_group_on_its_way_out_has_no_say_while_others_stay() -> None:
    leaving = made("audit", stance=Stance.LEAVING)
    assert [one.group.name for one in workloads([leaving, made("billing")])[0].members] == ["billing"]
    assert workloads([leaving])[0].stance is Stance.LEAVING
    assert workloads([leaving])[0].rule(NOW) == leaving.rule


@pytest.mark.parametrize(
    ("least", "minimum"),
    [
        pytest.param(3, 3, id="more than the minimum"),
        pytest.param(1, 2, id="less than the minimum"),
        pytest.param(20, 12, id="more than there may be"),
    ],
)
def test_a_schedule_raises_the_minimum_while_it_lasts(least: int, minimum: int) -> None:
    noon = [{"cron": "0 12 * * *", "duration": "1h", "minReplicas": least}]
    found = member(declared(spec({**SCALING, "minReplicas": 2, "schedule": noon})), MINUTE)
    assert found is not None
    (workload,) = workloads([found])
    assert workload.rule(NOW).minimum == minimum
    assert workload.rule(NOW - MINUTE) == found.rule
    assert workload.rule(NOW + 60 * MINUTE) == found.rule


UP = Decision(5, Reason.WOULD_MISS_FRESHNESS, "five")
KEEP = Decision(2, Reason.STEADY, "two")
BLIND = Decision(2, Reason.METRICS_LOST, "blind")
RIVAL = Competitor("HorizontalPodAutoscaler shop/billing", replace(WORKER, api_version="apps/v1beta2"))
STRANGER = Competitor("HorizontalPodAutoscaler shop/other", replace(WORKER, name="other"))


@dataclass(frozen=True)
class Way:
    members: tuple[Member, ...]
    decision: Decision
    desired: int
    write: bool
    activity: Activity
    competitors: tuple[Competitor, ...] | None = ()
    says: str = ""


OTHER_TERMS = made("audit", terms="others")
WRITTEN, LEFT = True, False
WAYS = {
    "more is set": Way((made(),), UP, 5, WRITTEN, Activity.ENFORCED),
    "nothing is written without a difference": Way((made(),), KEEP, 2, LEFT, Activity.ENFORCED),
    "another workload's scaler does not matter": Way(
        (made(),), UP, 5, WRITTEN, Activity.ENFORCED, (STRANGER,)
    ),
    "another scaler has the workload": Way(
        (made(),), UP, 2, LEFT, Activity.TARGET_CONTESTED, (STRANGER, RIVAL), RIVAL.name
    ),
    "nobody may look for other scalers": Way((made(),), UP, 5, WRITTEN, Activity.CONTEST_UNKNOWN, None),
    "two groups disagree": Way(
        (made(), OTHER_TERMS), UP, 2, LEFT, Activity.TARGET_CONTESTED, (), "billing and audit"
    ),
    "two groups agree in everything but capacity": Way(
        (made(capacity=5.0), made("audit", capacity=9.0)), UP, 5, WRITTEN, Activity.ENFORCED
    ),
    "recommended": Way((made(stance=Stance.RECOMMEND),), UP, 5, LEFT, Activity.RECOMMENDING),
    "disabled": Way((made(stance=Stance.DISABLED),), UP, 2, LEFT, Activity.DISABLED, (RIVAL,)),
    "suspended": Way((made(stance=Stance.SUSPENDED),), UP, 2, LEFT, Activity.SUSPENDED),
    "one of two suspended": Way(
        (made(), made("audit", stance=Stance.SUSPENDED)), UP, 2, LEFT, Activity.SUSPENDED
    ),
    "being deleted": Way((made(stance=Stance.LEAVING),), UP, 2, LEFT, Activity.SUSPENDED),
    "pinned by hand": Way((made(hold=4),), UP, 4, WRITTEN, Activity.HELD_BY_ANNOTATION, (), "Pinned at 4"),
    "pinned where it is": Way((made(hold=2),), UP, 2, LEFT, Activity.HELD_BY_ANNOTATION),
    "pinned twice": Way((made(hold=3), made("audit", hold=6)), UP, 6, WRITTEN, Activity.HELD_BY_ANNOTATION),
    "pinned, and only recommended": Way(
        (made(hold=4, stance=Stance.RECOMMEND),), UP, 4, LEFT, Activity.HELD_BY_ANNOTATION
    ),
    "blind": Way((made(),), BLIND, 2, LEFT, Activity.METRICS_LOST),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_course(way: Way) -> None:
    found = course(Workload(WORKER, way.members), way.decision, 2, way.competitors)
    assert (found.desired, found.write, found.activity) == (way.desired, way.write, way.activity)
    assert found.active is (way.activity in (Activity.ENFORCED, Activity.CONTEST_UNKNOWN))
    assert way.says in found.message


def test_terms_that_differ_in_capacity_only_agree() -> None:
    learned = member(declared(spec(SCALING)), MINUTE)
    fixed = member(
        declared(spec({**SCALING, "capacity": {"eventsPerSecondPerReplica": "5"}}), "audit"), MINUTE
    )
    larger = member(declared(spec({**SCALING, "maxReplicas": 13}), "audit"), MINUTE)
    assert learned is not None
    assert fixed is not None
    assert larger is not None
    assert contested(Workload(WORKER, (learned, fixed)), ()) == ""
    assert "disagree" not in contested(Workload(WORKER, (learned, larger)), ())
    assert "make spec.scaling of both agree" in contested(Workload(WORKER, (learned, larger)), ())


RELEASES: dict[str, tuple[tuple[Member, ...], int, int | None]] = {
    "left at zero": ((made(release=2),), 0, 2),
    "left with something": ((made(release=2),), 1, None),
    "nothing declared": ((made(),), 0, None),
    "zero declared": ((made(release=0),), 0, None),
    "never scaled by us": ((made(release=2, managed=False),), 0, None),
    "in dispute": ((made(release=2), OTHER_TERMS), 0, None),
    "several numbers": ((made(release=2), made("audit", release=3)), 0, 3),
}


@pytest.mark.parametrize(("members", "current", "replicas"), RELEASES.values(), ids=RELEASES.keys())
def test_release(members: tuple[Member, ...], current: int, replicas: int | None) -> None:
    assert released(Workload(WORKER, members), current) == replicas


FIVE = Course(5, write=True, reason="A", message="first", activity=Activity.ENFORCED, note="note")


def test_a_sentence_stays_until_its_reason_or_number_changes() -> None:
    first = view(None, FIVE, 2, NOW)
    again = view(first, replace(FIVE, message="second"), 5, NOW + MINUTE)
    assert (again.message, again.last_change, again.current) == ("first", NOW, 5)
    reason = view(first, replace(FIVE, reason="B", message="second"), 5, NOW + MINUTE)
    assert (reason.message, reason.last_change) == ("second", NOW)
    number = view(first, replace(FIVE, desired=6, message="second"), 5, NOW + MINUTE)
    assert (number.message, number.last_change) == ("second", NOW + MINUTE)


def test_a_target_that_cannot_be_reached_keeps_its_last_figures() -> None:
    learned = MappingProxyType({"a": "1"})
    shown = replace(view(None, FIVE, 2, NOW, saturated=True, learned=learned), message="first")
    found = unreached(shown, Activity.TARGET_NOT_FOUND, "gone")
    assert (found.current, found.desired, found.reason, found.message) == (2, 5, "TargetNotFound", "gone")
    assert (found.active, found.last_change, found.learned) == (False, NOW, {"a": "1"})
    assert unreached(None, Activity.NOT_PERMITTED, "no").current == 0


LEARNED: dict[str, tuple[float | None, dict[str, str], dict[str, str]]] = {
    "nothing learned": (None, {}, {}),
    "two digits": (31.26, {}, {"eventsPerSecondPerReplica": "31"}),
    "large": (12_345.0, {}, {"eventsPerSecondPerReplica": "12000"}),
    "small": (0.01234, {}, {"eventsPerSecondPerReplica": "0.012"}),
    "moved by less than a tenth": (
        33.0,
        {"eventsPerSecondPerReplica": "31"},
        {"eventsPerSecondPerReplica": "31"},
    ),
    "moved by more than a tenth": (
        36.0,
        {"eventsPerSecondPerReplica": "31"},
        {"eventsPerSecondPerReplica": "36"},
    ),
    "forgotten": (None, {"eventsPerSecondPerReplica": "31"}, {"eventsPerSecondPerReplica": "31"}),
}


@pytest.mark.parametrize(("rate", "before", "after"), LEARNED.values(), ids=LEARNED.keys())
def test_what_is_remembered(rate: float | None, before: dict[str, str], after: dict[str, str]) -> None:
    assert remembered(rate, before) == after


@pytest.mark.parametrize("text", ["", "fast", "-1", "0", "nan", "inf"])
def test_what_cannot_be_understood_was_never_learned(text: str) -> None:
    assert recalled({"eventsPerSecondPerReplica": text}) is None


def test_what_was_remembered_is_recalled() -> None:
    assert recalled({"eventsPerSecondPerReplica": "31"}) == 31.0
    assert recalled(NOTHING) is None
