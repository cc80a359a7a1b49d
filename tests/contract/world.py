"""A real JetStream account and what happens to it behind the operator's back, done with the plain client library."""

import itertools
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import nats as library
from nats.aio.client import Client
from nats.aio.msg import Msg

from headgate.api import EventBrokerSpec
from headgate.brokers.base import Broker, Credentials
from headgate.brokers.nats.documents import dump
from headgate.brokers.nats.resources import Consumer, Stream, split
from headgate.brokers.registry import driver_of
from headgate.core.resource import Key, Resource

_numbers = itertools.count(1)
UNHURRIED = {"requestsPerSecond": 10_000, "progressPerSecond": 10_000}


class NatsWorld:
    """One account of one server."""

    def __init__(self, broker: Broker, client: Client, level: int) -> None:
        self.broker, self.level = broker, level
        self._client = client
        self._in_flight: dict[tuple[Key, int], Msg] = {}

    async def api(self, verb: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Ask as anybody could; errors fail the test."""
        answer = await self._client.request(
            f"$JS.API.{verb}", json.dumps(body).encode() if body else b"", timeout=5
        )
        found: dict[str, Any] = json.loads(answer.data)
        assert "error" not in found, found["error"]
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
        if found is not None and resource.pause_until:
            await self.api(f"CONSUMER.PAUSE.{stream}.{name}", {"pause_until": resource.pause_until})

    async def _make_stream(self, resource: Stream, marks: Mapping[str, str]) -> None:
        name = resource.key.name
        found = await self._config(f"STREAM.INFO.{name}")
        body = {**dump(resource, found, marks), "name": name}
        await self.api(f"STREAM.{'CREATE' if found is None else 'UPDATE'}.{name}", body)

    async def _config(self, verb: str) -> Mapping[str, Any] | None:
        """As it is; None where there is none."""
        answer = await self._client.request(f"$JS.API.{verb}", timeout=5)
        found: dict[str, Any] = json.loads(answer.data)
        return None if "error" in found else found["config"]

    async def remove(self, key: Key) -> None:
        kind = "STREAM" if names_a_stream(key) else "CONSUMER"
        await self.api(f"{kind}.DELETE.{key.name.replace('/', '.')}")

    async def publish(self, subject: str, headers: Mapping[str, str] | None = None) -> int:
        ack = await self._client.jetstream().publish(subject, b"{}", headers=dict(headers or {}))
        return ack.seq

    async def hand_out(self, key: Key, count: int) -> list[int]:
        stream, name = split(key)
        puller = await self._client.jetstream().pull_subscribe_bind(durable=name, stream=stream)
        positions = []
        for msg in await puller.fetch(count, timeout=2):
            positions.append(msg.metadata.sequence.stream)
            self._in_flight[key, positions[-1]] = msg
        await puller.unsubscribe()
        return positions

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
