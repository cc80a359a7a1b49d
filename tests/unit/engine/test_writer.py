"""Two loops may report on one object when it moves from one to the other: their writes never cross."""

import asyncio
from collections.abc import Mapping
from typing import Any, cast

from tests.unit.engine.scene import BROKER_SPEC, MAIN, Cluster

from headgate.engine.world import World
from headgate.engine.writer import Writer
from headgate.kube.client import KubeClient


class Slow(Cluster):
    """An API server that takes as long as a test wants."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.answer = asyncio.Event()

    async def replace_status(
        self, kind: str, namespace: str, name: str, *, uid: str, status: Mapping[str, Any]
    ) -> dict[str, Any]:
        """See KubeClient."""
        self.asked.append(status["said"])
        await self.answer.wait()
        return await super().replace_status(kind, namespace, name, uid=uid, status=status)


async def _turn() -> None:
    """Let everybody go as far as he can."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_the_second_write_waits_for_the_first_and_has_the_last_word() -> None:
    cluster = Slow()
    kube = cast("KubeClient", cluster)
    world = World("here", lambda _: None)
    writer = Writer(kube, world)
    world.see("EventBroker", None, cluster.put("EventBroker", "main", BROKER_SPEC))
    entry = world.entries[MAIN]
    first = asyncio.create_task(writer.report(entry, {"said": "first"}))
    await _turn()
    second = asyncio.create_task(writer.report(entry, {"said": "second"}))
    await _turn()
    assert cluster.asked == ["first"]
    cluster.answer.set()
    await asyncio.gather(first, second)
    assert cluster.objects["EventBroker", "main"]["status"] == {"said": "second"}


async def test_what_the_second_wants_is_compared_with_what_the_first_wrote() -> None:
    cluster = Slow()
    world = World("here", lambda _: None)
    writer = Writer(cast("KubeClient", cluster), world)
    world.see("EventBroker", None, cluster.put("EventBroker", "main", BROKER_SPEC))
    cluster.answer.set()
    await writer.report(world.entries[MAIN], {"said": "before"})
    entry = world.entries[MAIN]
    await asyncio.gather(writer.report(entry, {"said": "other"}), writer.report(entry, {"said": "before"}))
    assert cluster.asked == ["before", "other", "before"]
    assert cluster.objects["EventBroker", "main"]["status"] == {"said": "before"}
