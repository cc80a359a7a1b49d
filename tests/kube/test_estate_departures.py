"""Objects that are deleted while their broker is away: which of them wait, for how long, and what is said of the rest."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from time import monotonic
from typing import Any

import pytest
import pytest_asyncio
from tests.kube.conftest import NamespaceOf
from tests.kube.estate import Estate, JetStream, topic
from tests.kube.home import at_home
from tests.kube.operator import Operator

from headgate.local.client import Client
from headgate.local.cluster import Cluster
from headgate.local.nats import LocalNats
from headgate.local.run import Run
from headgate.local.waiting import until

HOUR = 3600 * 10**9
PROMPT = 3.0  # seconds


@dataclass
class Scene:
    estate: Estate
    server: LocalNats
    nats: JetStream
    operator: Operator

    async def topic(self, name: str, **more: Any) -> None:
        """A topic that is Ready."""
        await self.estate.put("EventTopic", name, topic(name, **more))
        await self.estate.ready("EventTopic", name)

    async def elder(self, name: str, **more: Any) -> None:
        """A topic that took over a stream."""
        await self.nats.make(name, subjects=[f"{name}.>", f"hg.{name}.>"], max_age=HOUR)
        await self.topic(name, **more)

    async def warnings(self, name: str) -> list[str]:
        """The messages of Warnings about a topic."""
        path = f"/api/v1/namespaces/{self.estate.namespace}/events"
        found = (await self.estate.api.get(path))["items"]
        about = [each for each in found if each["involvedObject"]["name"] == name]
        assert {each["type"] for each in about} <= {"Warning"}
        return [f"{each['reason']}: {each['message']}" for each in about]

    async def warned(self, name: str) -> str:
        """Wait for the one Warning about a topic."""
        seen: list[str] = []

        async def heard() -> bool:
            seen[:] = await self.warnings(name)
            return bool(seen)

        await until("there is a Warning", heard, limit=PROMPT)
        (only,) = seen
        return only


@pytest_asyncio.fixture(scope="module")
async def scene(
    cluster: Cluster, api: Client, servers: Run, namespace_of: NamespaceOf
) -> AsyncIterator[Scene]:
    namespace = await namespace_of("main")
    async with at_home(cluster, api, servers, namespace, "departures", resync="2s") as home:
        yield Scene(home.estate, home.server, home.nats, home.operator)
        assert home.operator.complaints == []


@pytest_asyncio.fixture
async def outage(scene: Scene) -> AsyncIterator[None]:
    """Undoes whatever a test did to the server."""
    yield
    await scene.server.kill()
    await scene.server.restart()
    await scene.estate.ready("EventBroker", "main")


async def test_under_block_it_waits_for_the_broker_and_is_deleted_there(scene: Scene, outage: None) -> None:
    del outage
    estate = scene.estate
    await scene.topic("patient", deletionPolicy="Delete", deletionTimeout="1h")
    await scene.server.kill()
    await estate.delete("EventTopic", "patient")
    await estate.says("EventTopic", "patient", "Unreachable", about="Synced")
    assert await estate.exists("EventTopic", "patient")
    await scene.server.restart()
    await estate.gone("EventTopic", "patient", limit=PROMPT)
    assert await scene.nats.stream("patient") is None
    assert await scene.warnings("patient") == []


async def test_block_becomes_orphan_after_the_timeout_and_a_warning_names_what_was_left(
    scene: Scene, outage: None
) -> None:
    del outage
    await scene.topic("impatient", externalName="left-over", deletionPolicy="Delete", deletionTimeout="3s")
    await scene.server.kill()
    asked = monotonic()
    await scene.estate.delete("EventTopic", "impatient")
    await scene.estate.gone("EventTopic", "impatient")
    assert 2 < monotonic() - asked < 3 + PROMPT  # deletionTimestamp knows whole seconds only
    warning = await scene.warned("impatient")
    assert warning.startswith("Orphaned: ")
    assert "left-over" in warning
    await scene.server.restart()
    assert await scene.nats.stream("left-over") is not None


@dataclass(frozen=True)
class Leaving:
    """What is declared, and whether a Warning tells that something was left."""

    spec: dict[str, Any]
    warned: bool = False
    adopted: bool = False


AT_ONCE = {
    "what is an orphan at once": Leaving(
        {"deletionPolicy": "Delete", "unreachablePolicy": "Orphan"}, warned=True
    ),
    "what is kept anyway": Leaving({"deletionPolicy": "Retain"}),
    "what was only adopted": Leaving({"deletionPolicy": "Delete"}, adopted=True),
    "what was adopted and goes only if empty": Leaving({"deletionPolicy": "DeleteIfEmpty"}, adopted=True),
    "what only looks": Leaving({"deletionPolicy": "Delete", "mode": "Observe"}),
}


@pytest.mark.parametrize("row", AT_ONCE.values(), ids=AT_ONCE.keys())
async def test_without_its_broker_goes_at_once(scene: Scene, outage: None, row: Leaving) -> None:
    del outage
    name = f"prompt-{list(AT_ONCE.values()).index(row)}"
    await (scene.elder if row.adopted else scene.topic)(name, **row.spec)
    before = await scene.nats.stream(name)
    await scene.server.kill()
    await scene.estate.delete("EventTopic", name)
    await scene.estate.gone("EventTopic", name, limit=PROMPT)
    if row.warned:
        assert name in await scene.warned(name)
    else:
        assert await scene.warnings(name) == []
    await scene.server.restart()
    after = await scene.nats.stream(name)
    assert (before and before["created"]) == (after and after["created"])


async def test_what_was_adopted_waits_for_the_broker_once_a_person_confirmed_its_deletion(
    scene: Scene, outage: None
) -> None:
    del outage
    estate, name = scene.estate, "confirmed"
    await scene.elder(name, deletionPolicy="Delete")
    await estate.annotate("EventTopic", name, confirm_delete=name)
    await scene.server.kill()
    await estate.delete("EventTopic", name)
    await estate.says("EventTopic", name, "Unreachable", about="Synced")
    assert await estate.exists("EventTopic", name)
    await scene.server.restart()
    await estate.gone("EventTopic", name, limit=PROMPT)
    assert await scene.nats.stream(name) is None


async def test_what_was_never_made_goes_without_a_broker_and_leaves_nothing(
    scene: Scene, outage: None
) -> None:
    """One was declared while the broker was away, the other stood in conflict with a stream of somebody else."""
    del outage
    estate = scene.estate
    await scene.nats.make("theirs", subjects=["theirs.>", "hg.theirs.>"], max_age=5 * HOUR)
    theirs = await scene.nats.image()
    await estate.put("EventTopic", "theirs", topic("theirs", deletionPolicy="Delete"))
    await estate.says("EventTopic", "theirs", "Conflict", status="False")
    assert (await estate.get("EventTopic", "theirs"))["metadata"]["finalizers"] != []
    await scene.server.kill()
    await estate.put("EventTopic", "unmade", topic("unmade", deletionPolicy="Delete"))
    await estate.says("EventTopic", "unmade", "Unreachable", about="Synced")
    for name in ("theirs", "unmade"):
        await estate.delete("EventTopic", name)
        await estate.gone("EventTopic", name, limit=PROMPT)
        assert await scene.warnings(name) == []
    await scene.server.restart()
    assert (await scene.nats.image())["theirs"] == theirs["theirs"]
    assert await scene.nats.stream("unmade") is None
    await scene.nats.drop("theirs")
