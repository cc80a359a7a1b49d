"""That what was made by an operator that ended before it could say so is known for ours, also where a broker has no marks."""

from typing import Any

import pytest
from tests.unit.engine.bare import bare
from tests.unit.engine.scene import MAIN, Scene

from headgate.core.estate import Ref
from headgate.core.pledges import PLEDGE


@pytest.fixture
async def scene() -> Scene:
    scene = Scene(drivers=bare)
    await scene.look(MAIN)
    return scene


def written(scene: Scene, name: str) -> str | None:
    """What was written down of a topic that is made."""
    annotations: dict[str, str] = scene.cluster.objects["EventTopic", name]["metadata"]["annotations"]
    return annotations.get(PLEDGE)


def record(scene: Scene, name: str) -> dict[str, Any]:
    """What status remembers of a topic."""
    remembered: dict[str, Any] = scene.cluster.objects["EventTopic", name]["status"]["record"]
    return remembered


async def ended_early(scene: Scene, name: str, **spec: Any) -> Ref:
    """The topic is made, and the operator ends before its status is written."""
    scene.cluster.unwritable.add(name)
    topic = scene.declare(name, **spec)
    await scene.look(topic)
    assert scene.holds(name)
    assert "status" not in scene.cluster.objects["EventTopic", name]
    scene.cluster.unwritable.discard(name)
    return topic


async def test_what_is_made_is_written_down_in_the_write_of_the_finalizer(scene: Scene) -> None:
    scene.cluster.writes.clear()
    await scene.look(scene.declare("orders"))
    uid = scene.cluster.objects["EventTopic", "orders"]["metadata"]["uid"]
    assert written(scene, "orders") == f"stream/orders for {uid}"
    assert scene.cluster.writes == ["finalizers of orders", "status of orders"]


async def test_where_marks_have_room_nothing_is_written_down() -> None:
    scene = Scene()
    await scene.look(MAIN)
    await scene.look(scene.declare("orders"))
    assert written(scene, "orders") is None


async def test_an_operator_that_ended_after_making_a_topic_finds_its_own(scene: Scene) -> None:
    topic = await ended_early(scene, "orders", adoptionPolicy="Never")
    after = Scene(scene, drivers=bare)
    after.cluster.writes.clear()
    await after.look(MAIN, topic)
    assert after.ready("orders") == ("True", 1)
    assert record(after, "orders")["origin"] == "Created"
    assert [write for write in after.cluster.writes if "orders" in write] == ["status of orders"]


async def test_a_topic_that_was_there_before_is_adopted_and_nothing_was_written_down(scene: Scene) -> None:
    first = scene.declare("orders", deletionPolicy="Retain")
    await scene.look(first)
    del scene.cluster.objects["EventTopic", "orders"]
    after = Scene(scene, drivers=bare)
    topic = after.declare("orders")
    await after.look(MAIN, topic)
    assert (written(after, "orders"), record(after, "orders")["origin"]) == (None, "Adopted")


async def test_what_another_object_wrote_down_counts_for_nobody_else(scene: Scene) -> None:
    """Annotations are copied along when people copy objects."""
    await ended_early(scene, "orders")
    copied = dict(scene.cluster.objects["EventTopic", "orders"]["metadata"]["annotations"])
    del scene.cluster.objects["EventTopic", "orders"]
    after = Scene(scene, drivers=bare)
    topic = after.declare("orders", adoptionPolicy="Never")
    after.world.see(
        "EventTopic", "MODIFIED", after.cluster.touched("EventTopic", "orders", annotations=copied)
    )
    await after.look(MAIN, topic)
    assert after.ready("orders") == ("False", 1)


async def test_what_was_made_and_not_told_of_is_deleted_with_its_object(scene: Scene) -> None:
    topic = await ended_early(scene, "orders")
    scene.cluster.touched("EventTopic", "orders", deletionTimestamp="2026-11-21T12:00:00Z")
    after = Scene(scene, drivers=bare)
    await after.look(MAIN, topic)
    assert (after.holds("orders"), topic in after.world.entries) == (False, False)


async def test_each_making_is_written_down_anew(scene: Scene) -> None:
    """Else whatever took the place of a lost object would count as made by us."""
    topic = scene.declare("orders", onVanished="Recreate")
    await scene.look(topic)
    first, before = record(scene, "orders")["identity"], written(scene, "orders")
    scene.broker.server.stores.pop("orders")
    scene.cluster.writes.clear()
    await scene.look(topic)
    assert written(scene, "orders") == f"{before} in place of {first}"
    assert scene.cluster.writes == ["finalizers of orders", "status of orders"]
    await scene.look(topic)
    assert scene.cluster.writes.count("finalizers of orders") == 1
