"""Whether dead letters are kept, queue by queue: full ones, and notices that were lost. Operator, mover and server are real."""

import os
import re
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from tests.kube.conftest import NamespaceOf
from tests.kube.estate import Estate, JetStream, condition, group, queue, topic
from tests.kube.home import at_home
from tests.kube.operator import Operator

from headgate.local.client import Client
from headgate.local.cluster import Cluster
from headgate.local.processes import Process
from headgate.local.run import Run
from headgate.local.waiting import until

pytestmark = pytest.mark.takes(45)

TOKEN = re.compile(r'headgate\.dev/acknowledge: "([^"]+)"')


@dataclass
class Scene:
    estate: Estate
    nats: JetStream
    operator: Operator
    run: Run
    kubeconfig: str
    lives: int = 0

    def mover(self) -> Process:
        """A mover at work."""
        self.lives += 1
        name, words = f"{self.estate.namespace}-mover-{self.lives}", ["--kubeconfig", self.kubeconfig]
        words += ["--broker", f"{self.estate.namespace}/main", "--port", "0"]
        return self.run.start(name, [sys.executable, "-m", "headgate", "mover", *words], env={**os.environ})

    async def declare(self, name: str, retention: Mapping[str, Any]) -> None:
        """A topic, its one group, and a queue for what the group gives up, all of one name."""
        spec = queue(externalName=f"{name}-dead", retention={"maxAge": "24h", **retention})
        await self.estate.put("DeadLetterQueue", name, spec)
        await self.estate.put("EventTopic", name, topic(name))
        await self.estate.put("ConsumerGroup", name, group(name, deadLetterQueueRef={"name": name}))
        for kind in ("DeadLetterQueue", "EventTopic", "ConsumerGroup"):
            await self.estate.ready(kind, name)

    async def give_up(self, name: str, count: int, size: int = 10) -> None:
        """A worker gives up so many new events without keeping them."""
        async with self.nats.client() as client:
            stream = client.jetstream()
            for _ in range(count):
                await stream.publish(f"{name}.x", b"x" * size)
            reader, left = await stream.pull_subscribe_bind(name, stream=name), count
            while left:
                for message in await reader.fetch(left, timeout=5):
                    await message.term()
                    left -= 1
            await client.flush()

    async def kept(self, name: str) -> list[int]:
        """Of which events, by position, there are dead letters."""
        found, state = [], (await self.nats.stream(f"{name}-dead") or {})["state"]
        for sequence in range(state["first_seq"], state["last_seq"] + 1):
            answer = await self.nats.ask(f"STREAM.MSG.GET.{name}-dead", {"seq": sequence})
            if "message" in answer:
                found.append(int(answer["message"]["subject"].rpartition(".")[2]))
        return found

    async def notices(self) -> int:
        """How often the server ever said that an event is given up."""
        state: Mapping[str, int] = (await self.nats.stream("headgate_advisories") or {})["state"]
        return state["last_seq"]

    async def keeps(self, name: str, count: int) -> None:
        """Wait until so many dead letters stand."""

        async def stand() -> bool:
            return len(await self.kept(name)) == count

        await until(f"{count} dead letters of {name} stand", stand)

    async def says(self, name: str, reason: str, *, limit: float = 20.0) -> str:
        """Wait until the queue and its group say so of Capturing while both stay Ready; the message."""
        said, good = "", "True" if reason == "Capturing" else "False"
        for kind in ("ConsumerGroup", "DeadLetterQueue"):
            said = await self.estate.says(kind, name, reason, about="Capturing", status=good, limit=limit)
            ready = condition(await self.estate.status(kind, name), "Ready")
            assert ready["status"] == "True", ready
        return said


@pytest_asyncio.fixture(scope="module")
async def scene(
    cluster: Cluster, api: Client, servers: Run, namespace_of: NamespaceOf
) -> AsyncIterator[Scene]:
    namespace = await namespace_of("main")
    async with at_home(cluster, api, servers, namespace, "capturing", resync="60s") as home:
        yield Scene(home.estate, home.nats, home.operator, servers, str(cluster.kubeconfig))


FULL = {
    "entries": ({"maxMessages": 2}, {"maxMessages": 100}, 10, 2, "retention.maxMessages"),
    "bytes": ({"maxBytes": "4Ki"}, {"maxBytes": "1Mi"}, 1800, 1, "lack of room"),
}


@pytest.mark.parametrize(
    ("name", "little", "more", "size", "fits", "says"),
    [pytest.param(name, *row, id=f"full by {name}") for name, row in FULL.items()],
)
async def test_a_full_queue_says_so_loses_nothing_and_heals_when_there_is_room(
    scene: Scene,
    name: str,
    little: Mapping[str, Any],
    more: Mapping[str, Any],
    size: int,
    fits: int,
    says: str,
) -> None:
    other = f"{name}-other"
    await scene.declare(name, little)
    await scene.declare(other, {})
    mover = scene.mover()
    await scene.give_up(name, 5, size)
    await scene.give_up(other, 2)
    assert says in await scene.says(name, "Full")
    await scene.keeps(other, 2)
    await scene.says(other, "Capturing")
    assert len(await scene.kept(name)) == fits
    await scene.estate.change("DeadLetterQueue", name, {"retention": {"maxAge": "24h", **more}})
    await scene.says(name, "Capturing", limit=45)
    await scene.keeps(name, 5)
    assert sorted(await scene.kept(name)) == [1, 2, 3, 4, 5]
    assert await mover.stop(grace=10.0) == 0
    assert scene.operator.complaints == []


async def test_lost_notices_are_said_of_every_queue_until_somebody_acknowledges_them(scene: Scene) -> None:
    estate = scene.estate
    await scene.declare("lossy", {})
    await scene.declare("lossy-other", {})
    before = await scene.notices()
    await scene.give_up("lossy", 6)

    async def raised() -> bool:
        return await scene.notices() == before + 6

    await until("the server has said so of all", raised)
    await scene.nats.edit("headgate_advisories", max_msgs=2)
    await scene.nats.edit("headgate_advisories", max_msgs=-1)
    mover = scene.mover()
    message = await scene.says("lossy", "AdvisoriesLost")
    assert f"EventBroker {estate.namespace}/main" in message
    assert "at most 4" in message
    assert await scene.says("lossy-other", "AdvisoriesLost") == message
    assert sorted(await scene.kept("lossy")) == [5, 6]
    (token,) = TOKEN.findall(message)
    await estate.annotate("DeadLetterQueue", "lossy-other", acknowledge=token)
    await scene.says("lossy-other", "Capturing")
    await scene.says("lossy", "AdvisoriesLost")
    await estate.annotate("EventBroker", "main", acknowledge=token)
    await scene.says("lossy", "Capturing")
    assert await mover.stop(grace=10.0) == 0
    await scene.operator.restart()
    await scene.says("lossy", "Capturing")
    assert scene.operator.complaints == []
