"""What the autoscaler asks of the cluster, writes to it and says in status."""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import pytest

from headgate.core.estate import Ref
from headgate.core.lag import Lag, Sight
from headgate.core.scaling import Reason, Rule
from headgate.core.workload import Activity, Member, Stance, Target
from headgate.engine.autoscale import LEFT_AT_ZERO, Autoscaler
from headgate.kube.errors import Conflict, Fenced, Forbidden, Invalid, KubeError, NotFound, Unavailable
from headgate.kube.values import Named, Rival, Scale

START = datetime(2026, 11, 21, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
IDLE = Lag(Sight.FRESH, arriving=0.0, usual=0.0, idle_for=timedelta(hours=1))
LATE = Lag(
    Sight.FRESH, pending=600, arriving=20.0, usual=20.0, working_for=MINUTE, unfinished_for=timedelta(0)
)


@dataclass
class Clock:
    now: datetime = START

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Cluster:
    """Workloads with a scale, and everything that was asked of them."""

    scales: dict[str, int]
    rivals: tuple[Rival, ...] = ()
    reads: list[str] = field(default_factory=list)
    writes: list[tuple[str, int]] = field(default_factory=list)
    lists: list[str] = field(default_factory=list)
    on_get: dict[str, list[KubeError]] = field(default_factory=dict)
    on_patch: list[KubeError] = field(default_factory=list)
    on_list: list[KubeError] = field(default_factory=list)
    version: int = 1

    async def get_scale(self, target: Named) -> Scale:
        self.reads.append(target.name)
        await asyncio.sleep(0)
        if errors := self.on_get.get(target.name):
            raise errors.pop(0)
        if target.name not in self.scales:
            raise NotFound("no such workload")
        return self._scale(target.name)

    async def patch_scale(self, target: Named, replicas: int, *, resource_version: str) -> Scale:
        await asyncio.sleep(0)
        if self.on_patch:
            raise self.on_patch.pop(0)
        if resource_version != str(self.version):
            raise Conflict("moved on")
        self.version += 1
        self.writes.append((target.name, replicas))
        self.scales[target.name] = replicas
        return self._scale(target.name)

    async def list_rivals(self, namespace: str) -> tuple[Rival, ...]:
        self.lists.append(namespace)
        await asyncio.sleep(0)
        if self.on_list:
            raise self.on_list.pop(0)
        return self.rivals

    def _scale(self, name: str) -> Scale:
        return Scale(self.scales[name], self.scales[name], str(self.version), "uid")


@dataclass
class Bench:
    """An autoscaler with everything around it."""

    clock: Clock
    cluster: Cluster
    members: list[Member]
    lags: dict[Ref, Lag]
    changed: list[Ref]
    autoscaler: Autoscaler

    async def act(self, seconds: float = 5) -> None:
        self.clock.now += timedelta(seconds=seconds)
        await self.autoscaler.act([member.group for member in self.members])

    def shown(self, name: str = "billing") -> tuple[int, int, str, str]:
        view = self.autoscaler.views[ref(name)]
        return view.current, view.desired, view.reason, view.active_reason


def ref(name: str) -> Ref:
    return Ref("ConsumerGroup", "shop", name)


def member(name: str = "billing", **more: Any) -> Member:
    found = Member(
        group=ref(name),
        target=Target("apps/v1", "Deployment", "shop", name),
        stance=Stance.ENFORCE,
        rule=Rule(0, 12, timedelta(minutes=5)),
        terms="",
        promise=MINUTE,
        drain_within=MINUTE,
        patience=MINUTE,
        capacity=10.0,
    )
    return replace(found, **more)


def bench(*members: Member, lag: Lag = IDLE, **scales: int) -> Bench:
    clock = Clock()
    cluster = Cluster(scales or {one.target.name: 0 for one in members})
    found = list(members)
    lags = {one.group: lag for one in members}
    changed: list[Ref] = []
    autoscaler = Autoscaler(
        cluster, lambda: found, lambda group: lags[group], clock=clock, on_change=changed.append
    )
    return Bench(clock, cluster, found, lags, changed, autoscaler)


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


async def test_at_rest_the_scale_is_read_every_thirty_seconds_and_nothing_is_said() -> None:
    found = bench(member())
    await found.act()
    found.changed.clear()
    found.cluster.reads.clear()
    for _ in range(60):
        await found.act()
    assert len(found.cluster.reads) == 10
    assert found.cluster.writes == []
    assert found.changed == []


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


async def enforced_to_zero() -> Bench:
    found = bench(member(release=2), billing=3)
    await found.act()
    assert found.cluster.writes == [("billing", 0)]
    assert found.autoscaler.views[ref("billing")].learned == {LEFT_AT_ZERO: "true"}
    found.cluster.writes.clear()
    return found


@pytest.mark.parametrize("stance", [Stance.DISABLED, Stance.SUSPENDED])
async def test_a_workload_left_at_zero_gets_its_replicas_back_once(stance: Stance) -> None:
    found = await enforced_to_zero()
    found.members[0] = member(release=2, stance=stance)
    await found.act()
    assert found.cluster.writes == [("billing", 2)]
    assert found.shown() == (2, 2, stance.value, stance.value)
    found.cluster.scales["billing"] = 0
    await found.act(60)
    assert found.cluster.writes == [("billing", 2)]


async def test_a_workload_left_at_zero_by_an_earlier_run_gets_its_replicas_back() -> None:
    learned = MappingProxyType({LEFT_AT_ZERO: "true"})
    found = bench(member(release=2, stance=Stance.DISABLED, learned=learned))
    await found.act()
    assert found.cluster.writes == [("billing", 2)]
    assert found.autoscaler.views[ref("billing")].learned == {}


async def test_a_workload_that_somebody_else_left_at_zero_stays_there() -> None:
    found = bench(member(release=2, stance=Stance.DISABLED))
    await found.act()
    assert found.cluster.writes == []


async def test_without_a_number_to_leave_behind_nothing_is_left_behind() -> None:
    found = await enforced_to_zero()
    found.members[0] = member(stance=Stance.DISABLED)
    await found.act()
    assert found.cluster.writes == []


async def test_a_deleted_group_gives_its_workload_back() -> None:
    found = await enforced_to_zero()
    found.members[0] = member(release=2, stance=Stance.LEAVING)
    assert await found.autoscaler.release(ref("billing")) == ""
    assert found.cluster.writes == [("billing", 2)]
    assert await found.autoscaler.release(ref("billing")) == ""
    assert found.cluster.writes == [("billing", 2)]


async def test_a_group_that_shares_its_workload_takes_nothing_along() -> None:
    shared = Target("apps/v1", "Deployment", "shop", "worker")
    found = bench(
        member(target=shared, release=2, stance=Stance.LEAVING), member("audit", target=shared), worker=0
    )
    assert await found.autoscaler.release(ref("billing")) == ""
    assert await found.autoscaler.release(ref("unknown")) == ""
    assert found.cluster.writes == []


async def test_a_deleted_group_that_is_no_longer_listed_gives_its_workload_back_too() -> None:
    found = bench(member("audit"), billing=0, audit=0)
    leaving = member(release=2, stance=Stance.LEAVING)
    assert await found.autoscaler.release(ref("billing"), leaving) == ""
    assert found.cluster.writes == [("billing", 2)]
    taken = replace(leaving, target=member("audit").target)
    assert await found.autoscaler.release(ref("billing"), taken) == ""
    assert found.cluster.writes == [("billing", 2)]


GIVEN_BACK: dict[str, tuple[list[KubeError], str]] = {
    "a workload that is gone": ([NotFound("no")], ""),
    "a workload that somebody changed meanwhile": ([Conflict("moved on")], ""),
    "a workload that may not be scaled": (
        [Forbidden("no")],
        "could not be given its replicas back: Forbidden",
    ),
}


@pytest.mark.parametrize(("errors", "said"), GIVEN_BACK.values(), ids=GIVEN_BACK.keys())
async def test_giving_back(errors: list[KubeError], said: str) -> None:
    found = bench(member(release=2, stance=Stance.LEAVING))
    found.cluster.on_patch = list(errors)
    assert said in await found.autoscaler.release(ref("billing"))


@pytest.mark.parametrize("errors", [[Unavailable("away")], [Conflict("moved on")] * 3])
async def test_giving_back_is_asked_for_again(errors: list[KubeError]) -> None:
    found = bench(member(release=2, stance=Stance.LEAVING))
    found.cluster.on_patch = list(errors)
    with pytest.raises(Unavailable):
        await found.autoscaler.release(ref("billing"))


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


async def test_a_group_that_is_gone_is_forgotten() -> None:
    found = bench(member(), member("audit"))
    await found.act()
    del found.members[0]
    await found.act()
    assert set(found.autoscaler.views) == {ref("audit")}
    await found.autoscaler.act([ref("billing")])


async def test_nothing_is_decided_before_all_groups_were_looked_at() -> None:
    shared = Target("apps/v1", "Deployment", "shop", "worker")
    found = bench(member(target=shared), member("audit", target=shared), lag=LATE, worker=0)
    found.lags[ref("audit")] = Lag(Sight.UNSEEN)
    await found.act()
    assert found.cluster.reads == []
    assert found.changed == []


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


async def test_every_change_is_reported_with_its_decision() -> None:
    found = bench(member(), lag=LATE)
    scaled: list[tuple[str, int, str]] = []
    found.autoscaler._on_scaled = lambda workload, replicas, decision: scaled.append(
        (workload.target.name, replicas, decision.reason if decision else "")
    )
    await found.act()
    assert scaled == [("billing", 3, "WorkWaiting")]
