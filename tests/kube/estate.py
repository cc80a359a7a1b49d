"""Custom resources of one namespace and what became of them, seen from both ends: the API server and JetStream."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import nats as nats_py
from nats.aio.client import Client as Connection

from headgate.api import KINDS
from headgate.engine.writer import merge_patch
from headgate.local.client import ApiError, Client
from headgate.local.errors import LocalError
from headgate.local.waiting import until

Json = dict[str, Any]
GROUP_VERSION = "headgate.dev/v1alpha1"
PLURALS = {kind.kind: kind.plural for kind in KINDS}
QUICK = "5s"  # between two full passes
OWNER = {"team": "t", "contact": "#t", "runbook": "https://runbooks.example/t"}


@dataclass(frozen=True, slots=True)
class Estate:
    """The objects of one namespace."""

    api: Client
    namespace: str

    def within(self, namespace: str) -> "Estate":
        """The same for another namespace."""
        return Estate(self.api, namespace)

    def path(self, kind: str, name: str) -> str:
        """Where the API server has an object of ours."""
        return f"/apis/{GROUP_VERSION}/namespaces/{self.namespace}/{PLURALS[kind]}/{name}"

    async def put(
        self, kind: str, name: str, spec: Mapping[str, Any], annotations: Mapping[str, str] | None = None
    ) -> Json:
        """Have an object be as declared."""
        meta = {"name": name, "annotations": dict(annotations or {})}
        body = {"apiVersion": GROUP_VERSION, "kind": kind, "metadata": meta, "spec": dict(spec)}
        return await self.api.apply(self.path(kind, name), body)

    async def get(self, kind: str, name: str) -> Json:
        """An object as it is."""
        return await self.api.get(self.path(kind, name))

    async def status(self, kind: str, name: str) -> Json:
        """Its status, empty where there is none."""
        found: Json = (await self.get(kind, name)).get("status") or {}
        return found

    async def annotate(self, kind: str, name: str, **words: str) -> None:
        """Annotate with words of ours; `_` is written as `-`."""
        named = {f"headgate.dev/{key.replace('_', '-')}": text for key, text in words.items()}
        await self.api.patch(self.path(kind, name), {"metadata": {"annotations": named}})

    async def change(self, kind: str, name: str, spec: Mapping[str, Any]) -> None:
        """Merge something into a spec."""
        await self.api.patch(self.path(kind, name), {"spec": dict(spec)})

    async def delete(self, kind: str, name: str) -> None:
        """Ask for deletion; does not wait."""
        await self.api.delete(self.path(kind, name))

    async def gone(self, kind: str, name: str, *, limit: float = 15.0) -> None:
        """Wait until an object is no more."""

        async def is_gone() -> bool:
            return not await self.exists(kind, name)

        await self._until(f"{kind} {name} is gone", is_gone, kind, name, limit)

    async def exists(self, kind: str, name: str) -> bool:
        """Whether there is such an object."""
        try:
            await self.get(kind, name)
        except ApiError as error:
            if error.status == 404:
                return False
            raise
        return True

    async def says(
        self,
        kind: str,
        name: str,
        reason: str,
        *,
        about: str = "Ready",
        status: str = "",
        limit: float = 15.0,
    ) -> str:
        """Wait until a condition of this generation has a reason (and a status); its message."""
        found: Json = {}

        async def said() -> bool:
            body = await self.get(kind, name)
            found.update(condition(body.get("status") or {}, about))
            current = found.get("observedGeneration") == body["metadata"]["generation"]
            fits = found.get("reason") == reason and status in {"", found["status"]}
            return bool(current and fits)

        await self._until(f"{kind} {name} says {about} {status} {reason}", said, kind, name, limit)
        return str(found["message"])

    async def ready(self, kind: str, name: str, *, limit: float = 15.0) -> Json:
        """Wait until an object is Ready at its present generation; its status."""
        body: Json = {}

        async def is_ready() -> bool:
            body.update(await self.get(kind, name))
            found = condition(body.get("status") or {}, "Ready")
            current = found.get("observedGeneration") == body["metadata"]["generation"]
            return bool(current and found["status"] == "True")

        await self._until(f"{kind} {name} is Ready", is_ready, kind, name, limit)
        status: Json = body["status"]
        return status

    @asynccontextmanager
    async def changes(self) -> AsyncIterator[list[str]]:
        """Grows with every change of anything of ours in the namespace: what it was, and how it changed."""
        seen: list[str] = []
        watches = [asyncio.create_task(self._follow(kind, seen)) for kind in PLURALS]
        try:
            yield seen
        finally:
            for each in watches:
                each.cancel()
            await asyncio.gather(*watches, return_exceptions=True)

    async def _follow(self, kind: str, seen: list[str]) -> None:
        path = self.path(kind, "").rstrip("/")
        listing = await self.api.get(path)
        known = {body["metadata"]["name"]: body for body in listing["items"]}
        async for event in self.api.watch(path, listing["metadata"]["resourceVersion"]):
            body = event["object"]
            if event["type"] != "BOOKMARK":
                name = body["metadata"]["name"]
                change = merge_patch(known.get(name, {}), body)
                change.get("metadata", {}).pop("managedFields", None)
                seen.append(f"{event['type']} {kind} {name}: {json.dumps(change)}")
                known[name] = body

    async def _until(self, what: str, check: Any, kind: str, name: str, limit: float) -> None:
        """Wait; in vain, say how things stand."""
        try:
            await until(what, check, limit=limit)
        except LocalError as error:
            try:
                now = json.dumps((await self.get(kind, name)).get("status"), indent=1)
            except ApiError as gone:
                now = str(gone)
            raise AssertionError(f"{error}\n{now}") from error


def condition(status: Mapping[str, Any], about: str) -> Json:
    """A condition of a status, empty where it is not there."""
    return next((c for c in status.get("conditions") or () if c["type"] == about), {})


@dataclass(frozen=True, slots=True)
class JetStream:
    """A JetStream as an administrator sees it, with a connection of its own for every look: servers come and go."""

    url: str
    login: Mapping[str, str]

    async def ask(self, subject: str, body: Mapping[str, Any] | None = None) -> Json:
        """One answer of the API, errors included."""
        async with self.client() as client:
            return await _ask(client, subject, body)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Connection]:
        """A connection for the length of a block."""
        client = await nats_py.connect(self.url, **dict(self.login))
        try:
            yield client
        finally:
            await client.close()

    async def stream(self, name: str) -> Json | None:
        """Configuration, state and creation time of a stream; None when there is none."""
        found = await self.ask(f"STREAM.INFO.{name}")
        return None if "error" in found else found

    async def durable(self, stream: str, name: str) -> Json | None:
        """The same of a durable."""
        found = await self.ask(f"CONSUMER.INFO.{stream}.{name}")
        return None if "error" in found else found

    async def config(self, name: str) -> Json:
        """The configuration of a stream that has to be there."""
        found = await self.stream(name)
        assert found is not None, f"there is no stream {name}"
        config: Json = found["config"]
        return config

    async def make(self, name: str, **settings: Any) -> Json:
        """Create a stream that is nobody's."""
        config = {
            "name": name,
            "subjects": [f"{name}.>"],
            "storage": "file",
            "retention": "limits",
            **settings,
        }
        return _fine(await self.ask(f"STREAM.CREATE.{name}", config))

    async def edit(self, name: str, **settings: Any) -> None:
        """Change a stream behind the operator's back."""
        _fine(await self.ask(f"STREAM.UPDATE.{name}", {**await self.config(name), **settings}))

    async def drop(self, name: str, durable: str = "") -> None:
        """Delete a stream, or a durable of it."""
        what = f"CONSUMER.DELETE.{name}.{durable}" if durable else f"STREAM.DELETE.{name}"
        _fine(await self.ask(what))

    async def names(self) -> set[str]:
        """All streams."""
        return set((await self.ask("STREAM.NAMES", {})).get("streams") or ())

    async def image(self) -> Json:
        """Every stream and durable, as made and as configured, without what moves by itself."""
        image: Json = {}
        async with self.client() as client:
            for name in sorted((await _ask(client, "STREAM.NAMES", {})).get("streams") or ()):
                found = await _ask(client, f"STREAM.INFO.{name}", None)
                image[name] = {"config": found["config"], "created": found["created"]}
                for each in (await _ask(client, f"CONSUMER.LIST.{name}", {})).get("consumers") or ():
                    kept = {key: each[key] for key in ("config", "created", "ack_floor")}
                    image[f"{name}/{each['name']}"] = kept | {"ack_floor": each["ack_floor"]["stream_seq"]}
        return image

    async def publish(self, subject: str, count: int = 1) -> None:
        """Store events."""
        async with self.client() as client:
            stream = client.jetstream()
            for number in range(count):
                await stream.publish(subject, f"{number}".encode())

    async def settle(self, stream: str, durable: str, count: int) -> None:
        """Take events as a worker does, and acknowledge them."""
        async with self.client() as client:
            reader = await client.jetstream().pull_subscribe_bind(durable, stream=stream)
            for message in await reader.fetch(count, timeout=5):
                await message.ack_sync()


def jetstream(url: str, **login: str) -> JetStream:
    """A JetStream by its address."""
    return JetStream(url, login)


def connection(url: str, **more: Any) -> Json:
    """The spec of an EventBroker."""
    nats = {"servers": url.split(","), **more.pop("nats", {})}
    return {"nats": nats, "resyncInterval": QUICK, **more}


def topic(name: str, *, broker: str = "main", **more: Any) -> Json:
    """The spec of a topic with subjects of its own; None leaves a field out."""
    spec = {"brokerRef": {"name": broker}, "subjects": [f"{name}.>"], "retention": {"maxAge": "1h"}, **more}
    return {key: value for key, value in spec.items() if value is not None}


def group(of: str, **more: Any) -> Json:
    """The spec of a group that reads a topic from the beginning."""
    return {"topicRef": {"name": of}, "start": {"from": "Earliest"}, **more}


def queue(*, broker: str = "main", **more: Any) -> Json:
    """The spec of a dead-letter queue."""
    return {"brokerRef": {"name": broker}, "owner": OWNER, "retention": {"maxAge": "24h"}, **more}


def policy(attempts: int = 3, timeout: str = "10s") -> Json:
    """The spec of a retry policy."""
    wait = {"type": "Fixed", "initial": "1s"}
    return {"attempts": attempts, "handlingTimeout": timeout, "backoff": wait}


async def _ask(client: Connection, subject: str, body: Mapping[str, Any] | None) -> Json:
    payload = b"" if body is None else json.dumps(body).encode()
    answer: Json = json.loads((await client.request(f"$JS.API.{subject}", payload, timeout=5)).data)
    return answer


def _fine(answer: Json) -> Json:
    assert "error" not in answer, answer
    return answer
