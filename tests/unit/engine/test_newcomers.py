"""What a worker does first when it starts over an estate that it knows: see to what was declared meanwhile."""

from typing import Any

import pytest
from tests.unit.engine.scene import MAIN, Scene

from headgate.engine.reconcile import HASTY, Worker
from headgate.engine.reports import Sights


class Restarted(Scene):
    """An operator that ended and is there again, with one topic that it knew."""

    async def estate(self) -> None:
        """What there was before."""
        await self.look(MAIN)
        await self.look(self.declare("old"))

    async def first_turn(self) -> list[bool]:
        """The first turn of another worker; for every reading of the broker, whether `new` was there by then."""
        nothing: Any = lambda _: None  # noqa: E731  (four times the same)
        sights = Sights(nothing, nothing, nothing, lambda _: (), nothing, nothing, nothing)
        worker = Worker(MAIN, self.shared, lambda _: sights)
        seen: list[bool] = []

        def read() -> None:
            seen.append(self.holds("new"))
            self.broker.once_read = read

        self.broker.once_read = read
        worker.queue.add(self.world.of_broker(MAIN))
        await worker._turn()
        return seen


@pytest.fixture
async def scene() -> Restarted:
    scene = Restarted()
    await scene.estate()
    return scene


async def test_what_is_new_is_made_before_all_that_is_known_is_read(scene: Restarted) -> None:
    scene.declare("new")
    assert (await scene.first_turn())[-1]
    assert scene.ready("new") == ("True", 1)


async def test_with_nothing_new_the_broker_is_not_read_more_often(scene: Restarted) -> None:
    quiet = len(await scene.first_turn())
    scene.declare("new")
    assert len(await scene.first_turn()) == quiet + 1


async def test_the_first_portion_is_a_small_one_so_that_something_is_ready_soon(scene: Restarted) -> None:
    scene.shared.begun.clear()
    names = [scene.declare(f"new-{number:02}").name for number in range(40)]
    await scene.first_turn()
    bodies = [scene.cluster.objects["EventTopic", name] for name in names]
    last = sorted(int(body["metadata"]["resourceVersion"]) for body in bodies)
    begins = [number for number in range(1, 40) if last[number] - last[number - 1] > 1]
    assert begins == [HASTY]  # the finalizers of all others were written in between
    assert scene.shared.begun.is_set()


async def test_in_another_cluster_nothing_is_made_before_somebody_has_looked(scene: Restarted) -> None:
    body = scene.cluster.objects["EventBroker", "main"]
    body["status"]["record"] = {**body["status"]["record"], "identity": "another"}
    scene.world.see("EventBroker", "MODIFIED", scene.cluster.touched("EventBroker", "main"))
    scene.declare("new")
    assert not any(await scene.first_turn())
