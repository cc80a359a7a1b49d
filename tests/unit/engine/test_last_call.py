"""What a worker does with the objects of a namespace that ends, while there is time and when there is none."""

from datetime import UTC, datetime

import pytest
from tests.unit.engine.scene import MAIN, Scene

from headgate.core.estate import Ref
from headgate.core.index import TOPIC
from headgate.engine.reconcile import HASTY, PORTION

SINCE = datetime(2026, 11, 21, 10, tzinfo=UTC)
NAMES = [f"t{number}" for number in range(2 * HASTY)]


async def declared() -> tuple[Scene, list[Ref]]:
    """Some topics that are deleted in the broker when they go, all made."""
    scene = Scene()
    refs = [scene.declare(name) for name in NAMES]
    await scene.look(MAIN, *refs)
    assert scene.broker.server.stores.keys() >= set(NAMES)
    return scene, refs


def held(scene: Scene) -> set[str]:
    """The names of those who still wait for us."""
    bodies = scene.cluster.objects.items()
    return {name for (_, name), body in bodies if body["metadata"].get("finalizers")}


def kept(scene: Scene) -> set[str]:
    """The streams that are still there."""
    return scene.broker.server.stores.keys() & set(NAMES)


@pytest.mark.parametrize("late", [False, True], ids=["while there is time", "when there is none"])
async def test_everything_is_let_go_though_nobody_asked_it_to_go_yet(*, late: bool) -> None:
    """With time, what is to be deleted is; without, it is left, for afterwards nobody could let it go."""
    scene, refs = await declared()
    scene.shared.last_calls["shop"] = 0.0 if late else float("inf")
    scene.world.see_ending("shop", SINCE)
    await scene.look(*refs)
    await scene.look(MAIN)
    assert held(scene) == set()
    assert kept(scene) == (set(NAMES) if late else set())


async def test_the_last_call_is_heard_between_two_small_portions() -> None:
    scene, refs = await declared()
    scene.shared.last_calls["shop"] = float("inf")
    scene.world.see_ending("shop", SINCE)
    scene.broker.meanwhile[NAMES[0]] = lambda: scene.shared.last_calls.update(shop=0.0)
    await scene.look(*refs)
    assert HASTY <= len(kept(scene)) < len(NAMES)
    assert held(scene) <= {MAIN.name}


async def test_afterwards_nothing_of_it_is_made_or_guarded_again() -> None:
    scene, refs = await declared()
    scene.world.see_ending("shop", SINCE)
    await scene.look(*refs)
    scene.declare("newcomer")
    await scene.look(Ref(TOPIC, "shop", "newcomer"), *refs)
    assert (held(scene), kept(scene)) == ({MAIN.name}, set())
    assert "newcomer" not in scene.broker.server.stores


async def test_portions_are_small_only_until_the_last_call() -> None:
    scene = Scene()
    scene.shared.begun.set()
    sizes = []
    for ends in ({}, {"shop": float("inf")}, {"shop": 0.0}, {"shop": 0.0, "other": float("inf")}):
        scene.shared.last_calls = ends
        sizes.append(scene.worker._size())
    assert sizes == [PORTION, HASTY, PORTION, HASTY]
