"""What a workload is left with that Headgate scales no more."""

from dataclasses import replace
from types import MappingProxyType

import pytest
from tests.unit.engine.autoscaling import bench, enforced_to_zero, member, ref

from headgate.core.workload import Stance, Target
from headgate.engine.workmemory import LEFT_AT_ZERO
from headgate.kube.errors import Conflict, Forbidden, KubeError, NotFound, Unavailable
from headgate.kube.values import Named, Rival


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
    learned = MappingProxyType({LEFT_AT_ZERO: "Deployment shop/billing"})
    found = bench(member(release=2, stance=Stance.DISABLED, learned=learned))
    await found.act()
    assert found.cluster.writes == [("billing", 2)]
    assert found.autoscaler.views[ref("billing")].learned == {}


async def test_a_workload_is_not_taken_for_the_one_that_an_earlier_run_left_at_zero() -> None:
    learned = MappingProxyType({LEFT_AT_ZERO: "Deployment shop/another"})
    found = bench(member(release=2, stance=Stance.DISABLED, learned=learned))
    await found.act()
    assert found.cluster.writes == []


async def test_a_workload_that_somebody_else_left_at_zero_stays_there() -> None:
    found = bench(member(release=2, stance=Stance.DISABLED))
    await found.act()
    assert found.cluster.writes == []


async def test_without_a_number_to_leave_behind_nothing_is_left_behind() -> None:
    found = await enforced_to_zero()
    found.members[0] = member(stance=Stance.DISABLED)
    await found.act()
    assert found.cluster.writes == []


async def test_a_workload_that_its_group_no_longer_names_gets_its_replicas_back_once() -> None:
    found = await enforced_to_zero()
    found.members.clear()
    await found.act()
    assert found.cluster.writes == [("billing", 2)]
    found.cluster.scales["billing"] = 0
    await found.act()
    assert found.cluster.writes == [("billing", 2)]
    assert [(each.after, each.reason) for each in found.scaled] == [(2, "Released")]


async def test_a_group_that_names_another_workload_gives_the_earlier_one_back() -> None:
    found = await enforced_to_zero()
    found.cluster.scales["other"] = 1
    found.members[0] = member(release=2, target=Target("apps/v1", "Deployment", "shop", "other"))
    await found.act()
    assert ("billing", 2) in found.cluster.writes


LET_GO: dict[str, tuple[list[KubeError], int]] = {
    "is away for a moment": ([Unavailable("away")], 1),
    "may not be scaled any more": ([Forbidden("no")], 0),
    "is gone": ([NotFound("no")], 0),
}


@pytest.mark.parametrize(("errors", "writes"), LET_GO.values(), ids=LET_GO.keys())
async def test_giving_back_a_workload_that_nobody_names_and_that(
    errors: list[KubeError], writes: int
) -> None:
    found = await enforced_to_zero()
    found.members.clear()
    found.cluster.on_get["billing"] = list(errors)
    for _ in range(3):
        await found.act()
    assert len(found.cluster.writes) == writes


async def test_a_workload_that_is_named_again_before_it_was_given_back_is_scaled_on() -> None:
    found = await enforced_to_zero()
    kept = found.members.pop()
    found.cluster.on_get["billing"] = [Unavailable("away")]
    await found.act()
    found.members.append(kept)
    await found.act()
    assert found.cluster.writes == []


async def test_a_workload_that_another_scaler_left_at_zero_is_not_given_replicas() -> None:
    found = bench(member(release=2))
    named = Named("apps/v1", "Deployment", "shop", "billing")
    found.cluster.rivals = (Rival("HorizontalPodAutoscaler", "shop", "hpa", named),)
    await found.act()
    found.members[0] = member(release=2, stance=Stance.DISABLED)
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
