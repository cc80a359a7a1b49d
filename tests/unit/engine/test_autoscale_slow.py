"""A cluster that does not answer: looks go on, other workloads are scaled, nothing piles up, and the end comes at once."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from tests.unit.engine.autoscaling import LATE, Bench, Cluster, bench, member, ref
from tests.unit.engine.sampling import Queue
from tests.unit.engine.sampling import bench as looks

from headgate.kube.values import Named, Scale


@dataclass
class Hanging(Cluster):
    """Some workloads whose scale is not answered until somebody says so."""

    hangs: set[str] = field(default_factory=set)
    under_way: Counter[str] = field(default_factory=Counter)
    most: Counter[str] = field(default_factory=Counter)
    answers: asyncio.Event = field(default_factory=asyncio.Event)

    async def get_scale(self, target: Named) -> Scale:
        self.under_way[target.name] += 1
        self.most[target.name] = max(self.most[target.name], self.under_way[target.name])
        try:
            if target.name in self.hangs:
                await self.answers.wait()
            return await super().get_scale(target)
        finally:
            self.under_way[target.name] -= 1


def hanging(*names: str, hangs: set[str]) -> tuple[Bench, Hanging]:
    found = bench(*(member(name) for name in names), lag=LATE)
    cluster = Hanging(dict.fromkeys(names, 0), hangs=hangs)
    found.cluster = cluster
    found.autoscaler._kube = cluster
    return found, cluster


async def turn() -> None:
    """Let every task go as far as it can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_look_does_not_wait_for_a_cluster_that_hangs() -> None:
    found, cluster = hanging("slow", "quick", hangs={"slow"})
    sampling = looks("slow", "quick", queues={"slow": Queue(head=5), "quick": Queue(head=5)})
    sampling.sampler._on_sampled = found.autoscaler.act
    async with asyncio.timeout(5):
        await sampling.look(3)
    await turn()
    assert cluster.writes == [("quick", 3)]
    assert (cluster.under_way["slow"], cluster.most["slow"]) == (1, 1)
    await found.autoscaler.aclose()


async def test_news_of_a_workload_under_way_makes_one_more_look_at_it_when_it_is_done() -> None:
    found, cluster = hanging("slow", hangs={"slow"})
    for _ in range(10):
        found.autoscaler.act([ref("slow")])
        await turn()
    assert cluster.under_way["slow"] == 1
    cluster.answers.set()
    await found.autoscaler.done()
    assert (cluster.reads, cluster.most["slow"]) == (["slow", "slow"], 1)
    assert cluster.writes == [("slow", 3)]


async def test_the_cluster_is_asked_a_bounded_number_of_things_at_once() -> None:
    names = [f"g{number:03}" for number in range(200)]
    found, cluster = hanging(*names, hangs=set(names))
    for _ in range(5):
        found.autoscaler.act([ref(name) for name in names])
        await turn()
    assert sum(cluster.under_way.values()) == 16
    cluster.answers.set()
    await found.autoscaler.done()
    assert {name for name, _ in cluster.writes} == set(names)


async def test_the_end_does_not_wait_for_a_cluster_that_hangs() -> None:
    found, cluster = hanging("slow", hangs={"slow"})
    found.autoscaler.act([ref("slow")])
    await turn()
    async with asyncio.timeout(1):
        await found.autoscaler.aclose()
    assert cluster.under_way["slow"] == 0
    found.autoscaler.act([ref("slow")])
    await turn()
    assert (cluster.most["slow"], cluster.writes) == (1, [])
