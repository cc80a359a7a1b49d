"""A real JetStream account and what happens to it behind the operator's back, done with the plain client library."""

import itertools
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import nats as library
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import PubAck
from nats.js.errors import NoStreamResponseError, ServiceUnavailableError
from tests.contract.asking import answered

from headgate.api import EventBrokerSpec
from headgate.brokers.base import Broker, Credentials
from headgate.brokers.nats.documents import dump
from headgate.brokers.nats.resources import Consumer, Stream, split
from headgate.brokers.registry import driver_of
from headgate.core.resource import Key, Resource
from headgate.local.waiting import until

_numbers = itertools.count(1)
NOT_FOUND = 404
UNHURRIED = {"requestsPerSecond": 10_000, "progressPerSecond": 10_000}


class NatsWorld:
    """One account of one server."""

    def __init__(self, broker: Broker, client: Client, level: int) -> None:
        self.broker, self.level = broker, level
        self._client = client
        self._in_flight: dict[tuple[Key, int], Msg] = {}

    async def api(self, verb: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Ask as anybody could; errors fail the test."""
        answer, again = await answered(
            self._client, f"$JS.API.{verb}", json.dumps(body).encode() if body else b""
        )
        found: dict[str, Any] = json.loads(answer)
        gone = again and ".DELETE." in verb and found.get("error", {}).get("code") == NOT_FOUND
        assert gone or "error" not in found, found["error"]
        return found

    def fresh(self, name: str) -> str:
        return f"{name}-{next(_numbers)}"

    async def make(self, resource: Resource, marks: Mapping[str, str]) -> None:
        if isinstance(resource, Stream):
            await self._make_stream(resource, marks)
            return
        assert isinstance(resource, Consumer)
        stream, name = split(resource.key)
        found = await self._config(f"CONSUMER.INFO.{stream}.{name}")
        config = {**dump(resource, found, marks), "durable_name": name, "name": name}
        await self.api(f"CONSUMER.CREATE.{stream}.{name}", {"stream_name": stream, "config": config})
        if found is None or not resource.pause_until:
            return
        await self.api(f"CONSUMER.PAUSE.{stream}.{name}", {"pause_until": resource.pause_until})

        async def paused() -> bool:
            """In a cluster the old moment may be shown for a little longer."""
            now = await self._config(f"CONSUMER.INFO.{stream}.{name}")
            return now is not None and now["pause_until"] == resource.pause_until

        await until("the pause is known", paused, limit=20)

    async def _make_stream(self, resource: Stream, marks: Mapping[str, str]) -> None:
        name = resource.key.name
        found = await self._config(f"STREAM.INFO.{name}")
        body = json.dumps({**dump(resource, found, marks), "name": name}).encode()
        verb = f"$JS.API.STREAM.{'CREATE' if found is None else 'UPDATE'}.{name}"
        error: list[Mapping[str, Any]] = []

        async def made() -> bool:
            """In a cluster the one before it may still be on some disk."""
            answer = json.loads((await answered(self._client, verb, body))[0])
            error[:] = [answer["error"]] if "error" in answer else []
            return not error or error[0]["description"] != "error creating store for stream"

        await until("there is room for the stream", made, limit=30)
        assert not error, error[0]

    async def _config(self, verb: str) -> Mapping[str, Any] | None:
        """As it is; None where there is none."""
        found: dict[str, Any] = json.loads((await answered(self._client, f"$JS.API.{verb}"))[0])
        return None if "error" in found else found["config"]

    async def remove(self, key: Key) -> None:
        kind = "STREAM" if names_a_stream(key) else "CONSUMER"
        await self.api(f"{kind}.DELETE.{key.name.replace('/', '.')}")

    async def publish(self, subject: str, headers: Mapping[str, str] | None = None) -> int:
        acks: list[PubAck] = []

        async def stored() -> bool:
            """In a cluster a server may not yet know of the stream that was made a moment ago."""
            with suppress(NoStreamResponseError):
                acks.append(
                    await self._client.jetstream().publish(subject, b"{}", headers=dict(headers or {}))
                )
            return bool(acks)

        await until("the stream is known", stored, limit=20)
        return acks[0].seq

    async def hand_out(self, key: Key, count: int) -> list[int]:
        stream, name = split(key)
        puller = await self._client.jetstream().pull_subscribe_bind(durable=name, stream=stream)
        handed: list[Msg] = []

        async def pulled() -> bool:
            """In a cluster a server may not yet know where the reader is that was made a moment ago."""
            try:
                handed.extend(await puller.fetch(count, timeout=2))
            except ServiceUnavailableError:
                return False
            return True

        await until("the reader is known", pulled, limit=20)
        await puller.unsubscribe()
        self._in_flight.update({(key, msg.metadata.sequence.stream): msg for msg in handed})
        return [msg.metadata.sequence.stream for msg in handed]

    async def fail(self, key: Key, position: int) -> None:
        await self._in_flight[key, position].nak()
        assert await self.hand_out(key, 1) == [position]

    async def settle(self, key: Key, position: int) -> None:
        await self._in_flight.pop((key, position)).ack_sync(timeout=5)

    async def take_out(self, key: Key, position: int) -> None:
        await self.api(f"STREAM.MSG.DELETE.{key.name}", {"seq": position})

    async def stored_subject(self, key: Key, position: int) -> str:
        found = await self.api(f"STREAM.MSG.GET.{key.name}", {"seq": position})
        return str(found["message"]["subject"])


def names_a_stream(key: Key) -> bool:
    """Whether a key names a stream."""
    return key.kind == "stream"


def connect(url: str, credentials: Credentials | None = None, **more: Any) -> Broker:
    """The adapter for a server, as the operator would make it."""
    spec = EventBrokerSpec.model_validate({"nats": {"servers": url.split(","), **more}, "limits": UNHURRIED})
    return driver_of(spec).connect(spec, credentials or Credentials())


@asynccontextmanager
async def nats_world(url: str) -> AsyncIterator[NatsWorld]:
    """The adapter and a plain client on the same server; everything is deleted afterwards."""
    broker, client = connect(url), await library.connect(url.split(","))
    world = NatsWorld(broker, client, (await broker.facts()).level)
    try:
        yield world
    finally:
        for name in (await world.api("STREAM.NAMES"))["streams"] or ():
            await world.api(f"STREAM.DELETE.{name}")
        await client.close()
        await broker.aclose()
