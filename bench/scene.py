"""A control plane and a broker of the bench's own, and the objects of it in bulk. Does not know what is measured."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nats
from nats.aio.client import Client as Nats

from headgate.local.binaries import resolve
from headgate.local.client import Client
from headgate.local.controlplane import ControlPlane, start_control_plane
from headgate.local.install import install_crds
from headgate.local.nats import LocalNats, start_nats
from headgate.local.run import Run, open_run
from headgate.local.waiting import until

Json = dict[str, Any]
VERSION = "headgate.dev/v1alpha1"
PLURALS = {"EventBroker": "eventbrokers", "EventTopic": "eventtopics", "ConsumerGroup": "consumergroups"}
IN_FLIGHT = 16
PLENTY = {
    "requestsPerSecond": 10_000,
    "progressPerSecond": 10_000,
}  # the broker's pace is not what is measured
PAGE = 500


def say(line: str) -> None:
    """Tell how far things are."""
    print(f"    {line}", flush=True)


@dataclass(frozen=True, slots=True)
class Scene:
    """One API server, one NATS server, and an administrator's connection to each."""

    run: Run
    plane: ControlPlane
    broker: LocalNats
    api: Client
    nats: Nats

    def path(self, kind: str, namespace: str, name: str = "") -> str:
        """Where objects of ours are."""
        path = f"/apis/{VERSION}/namespaces/{namespace}/{PLURALS[kind]}"
        return f"{path}/{name}" if name else path

    async def namespace(self, name: str) -> None:
        """A namespace, usable at once."""
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        await self.api.apply(f"/api/v1/namespaces/{name}", body)

    async def event_broker(self, namespace: str, limits: Json | None = None) -> None:
        """The EventBroker `main`; limits are left out where the defaults are to hold."""
        spec: Json = {"nats": {"servers": [self.broker.url]}}
        if limits is not None:
            spec["limits"] = limits
        body = {"apiVersion": VERSION, "kind": "EventBroker", "metadata": {"name": "main"}, "spec": spec}
        await self.api.apply(self.path("EventBroker", namespace, "main"), body)

    async def create(self, kind: str, namespace: str, objects: Iterable[tuple[str, Json]]) -> None:
        """Many objects, 16 requests in flight."""
        path = self.path(kind, namespace)

        common = {"apiVersion": VERSION, "kind": kind}
        bodies = [{**common, "metadata": {"name": name}, "spec": spec} for name, spec in objects]
        await at_once([partial(self.api.post, path, body) for body in bodies])

    async def change(self, kind: str, namespace: str, names: Sequence[str], spec: Json) -> None:
        """The same change to many."""
        paths = [self.path(kind, namespace, name) for name in names]
        await at_once([partial(self.api.patch, path, {"spec": spec}) for path in paths])

    async def delete(self, kind: str, namespace: str, names: Sequence[str]) -> None:
        """Ask for the deletion of many."""
        paths = [self.path(kind, namespace, name) for name in names]
        await at_once([partial(self.api.delete, path) for path in paths])

    async def objects(self, kind: str, namespace: str) -> list[Json]:
        """All objects of a kind in a namespace."""
        found: list[Json] = []
        query = {"limit": str(PAGE)}
        while True:
            page = await self.api.get(self.path(kind, namespace), **query)
            found += page["items"]
            if not page["metadata"].get("continue"):
                return found
            query["continue"] = page["metadata"]["continue"]

    async def streams(self, prefix: str) -> int:
        """How many streams are called so."""
        names: list[str] = []
        while True:
            body = json.dumps({"offset": len(names)}).encode()
            page = json.loads((await self.nats.request("$JS.API.STREAM.NAMES", body, timeout=30)).data)
            names += page["streams"] or ()
            if len(names) >= page["total"]:
                return sum(name.startswith(prefix) for name in names)


async def at_once(calls: Iterable[Callable[[], Awaitable[Any]]]) -> None:
    """Make calls, as many at a time as the floor does."""
    left = iter(list(calls))

    async def worker() -> None:
        for call in left:
            await call()

    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))


def is_ready(body: Json) -> bool:
    """Whether an object is Ready at its present generation."""
    conditions = (body.get("status") or {}).get("conditions") or ()
    ready: Json = next((each for each in conditions if each["type"] == "Ready"), {})
    current = ready.get("observedGeneration") == body["metadata"]["generation"]
    return bool(current and ready["status"] == "True")


@asynccontextmanager
async def scene() -> AsyncIterator[Scene]:
    """Everything started, and ended with the block."""
    with TemporaryDirectory(prefix="headgate-bench-") as directory, closing(open_run(Path(directory))) as run:
        binaries = await asyncio.to_thread(resolve, say)
        plane = await start_control_plane(run, binaries)
        broker = await start_nats(run)
        client = await nats.connect(broker.url)
        try:
            async with Client(plane.access, user_agent="bench") as api:
                await install_crds(api)
                yield Scene(run, plane, broker, api, client)
        finally:
            await client.close()
            await broker.stop()
            await plane.stop()


async def served(scene: Scene, namespace: str) -> None:
    """Wait until a namespace can be written to."""

    async def there() -> bool:
        found = await scene.api.get(f"/api/v1/namespaces/{namespace}/serviceaccounts")
        return bool(found["items"])

    await until(f"namespace {namespace} is usable", there)
