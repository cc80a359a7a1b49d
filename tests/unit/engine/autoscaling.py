"""An autoscaler with a cluster, groups and a clock that tests hold in their hands."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from headgate.core.estate import Ref
from headgate.core.lag import Lag, Sight
from headgate.core.scaling import Rule
from headgate.core.workload import Member, Stance, Target
from headgate.engine.autoscale import Autoscaler, Scaled
from headgate.engine.workmemory import LEFT_AT_ZERO
from headgate.kube.errors import Conflict, KubeError, NotFound
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
    versions: Counter[str] = field(default_factory=Counter)

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
        if resource_version != str(self.versions[target.name]):
            raise Conflict("moved on")
        self.versions[target.name] += 1
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
        return Scale(self.scales[name], self.scales[name], str(self.versions[name]), "uid")


@dataclass
class Bench:
    """An autoscaler with everything around it."""

    clock: Clock
    cluster: Cluster
    members: list[Member]
    lags: dict[Ref, Lag]
    changed: list[Ref]
    scaled: list[Scaled]
    autoscaler: Autoscaler

    async def act(self, seconds: float = 5) -> None:
        self.clock.now += timedelta(seconds=seconds)
        self.autoscaler.act([*self.lags])
        await self.autoscaler.done()

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
    scaled: list[Scaled] = []
    autoscaler = Autoscaler(
        cluster,
        lambda: found,
        lambda group: lags[group],
        clock=clock,
        on_change=changed.append,
        on_scaled=scaled.append,
    )
    return Bench(clock, cluster, found, lags, changed, scaled, autoscaler)


async def enforced_to_zero() -> Bench:
    """One workload that was left at zero for want of work, with two replicas promised for afterwards."""
    found = bench(member(release=2), billing=3)
    await found.act()
    assert found.cluster.writes == [("billing", 0)]
    assert found.autoscaler.views[ref("billing")].learned == {LEFT_AT_ZERO: "Deployment shop/billing"}
    found.cluster.writes.clear()
    found.scaled.clear()
    return found
