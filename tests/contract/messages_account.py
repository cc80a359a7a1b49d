"""A JetStream account for tests of the mover's side: streams, a worker, raw calls. Knows nothing of the mover."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from tests.contract.asking import answered
from tests.servers import until

from headgate.api import NatsConnection
from headgate.brokers.base import Credentials
from headgate.brokers.nats.link import Link
from headgate.brokers.nats.messages import ACK_WAIT, NatsMessages
from headgate.brokers.nats.names import ADVISORIES_NAME, ADVISORY_SUBJECTS, dead_letter_prefix
from headgate.brokers.nats.wire import entry_of
from headgate.core.letters import Entry
from headgate.core.moves import Route

SECOND = 1_000_000_000


@dataclass
class Account:
    """One server with the streams of a small shop: orders, their dead letters, advisories."""

    url: str
    client: Client
    created: str = ""  # when the stream of orders was

    async def api(self, subject: str, body: object = None) -> dict[str, Any]:
        """One raw call, whatever it answers."""
        payload = b"" if body is None else json.dumps(body).encode()
        found: dict[str, Any] = json.loads((await answered(self.client, f"$JS.API.{subject}", payload))[0])
        return found

    async def stream(self, name: str, *subjects: str, **settings: object) -> str:
        """Make a stream; when it was made."""
        body = {"name": name, "subjects": subjects, "storage": "file", **settings}
        found: dict[str, Any] = {}

        async def made() -> bool:
            """The one before it may still be on the disk."""
            found.clear()
            found.update(await self.api(f"STREAM.CREATE.{name}", body))
            return bool(found.get("error", {}).get("description") != "error creating store for stream")

        await until("there is room for the stream", made, limit=30)
        assert "error" not in found, found
        return str(found["created"])

    async def clean(self) -> None:
        """Begin again with empty streams and a reader that gives up after two attempts of 0.3 s."""
        for name in ("orders", "dead", ADVISORIES_NAME):
            await self.api(f"STREAM.DELETE.{name}")
        await self.stream(ADVISORIES_NAME, *ADVISORY_SUBJECTS)
        await self.stream("dead", "hg.dead.>", allow_rollup_hdrs=True)
        await self.orders()

    async def orders(self, *, attempts: int = 2, **settings: object) -> None:
        """The stream of orders and its reader, new."""
        await self.api("STREAM.DELETE.orders")
        self.created = await self.stream("orders", "orders.>", **settings)
        config = {
            "durable_name": "billing",
            "ack_policy": "explicit",
            "ack_wait": SECOND // 3,
            "max_deliver": attempts,
            "metadata": {"headgate.dev/owner": "here/ConsumerGroup/shop/billing"},
        }
        await self.api("CONSUMER.CREATE.orders.billing", {"stream_name": "orders", "config": config})

    def route(self, **changes: Any) -> Route:
        """The way of billing's dead letters."""
        prefix = dead_letter_prefix("dead", "orders", "billing", self.created)
        values: dict[str, Any] = {"address": prefix, "identity": self.created, **changes}
        return Route("shop/billing", "shop/orders", "orders", "billing", **values)

    def messages(self, url: str = "", ack_wait: timedelta = ACK_WAIT) -> NatsMessages:
        """The mover's side, over a connection of its own."""
        servers = NatsConnection(servers=tuple((url or self.url).split(",")))
        first = Link(servers, Credentials(), timeout=5, name="test")
        second = Link(servers, Credentials(), timeout=5, name="test-ear", apart_from=first)
        return NatsMessages(first, second, ack_wait=ack_wait)

    async def emit(self, count: int, body: bytes = b"{}", headers: Mapping[str, str] | None = None) -> None:
        """Publish orders."""
        stream, told = self.client.jetstream(), dict(headers or {})
        await asyncio.gather(*(stream.publish("orders.c1.paid", body, headers=told) for _ in range(count)))

    async def take(self, count: int) -> list[Msg]:
        """Let a worker have orders."""
        worker = await self.client.jetstream().pull_subscribe_bind("billing", "orders")
        got = list[Msg]()
        while len(got) < count:
            got += await worker.fetch(count - len(got), timeout=20)
        await worker.unsubscribe()
        return got

    async def reject(self, count: int, why: str = "cannot be read") -> None:
        """A worker that gives orders up without keeping them."""
        for msg in await self.take(count):
            await self.client.publish(msg.reply, f"+TERM {why}".strip().encode())
        await self.client.flush()

    async def give_up(self, position: int) -> None:
        """Say in the server's place that the attempts of an order are used up."""
        said = {
            "type": "io.nats.jetstream.advisory.v1.max_deliver",
            "stream": "orders",
            "consumer": "billing",
            "stream_seq": position,
            "deliveries": 2,
            "timestamp": now().isoformat(),
        }
        subject = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.orders.billing"
        await self.client.publish(subject, json.dumps(said).encode())
        await self.client.flush()

    async def count(self, stream: str) -> int:
        """How many messages a stream holds."""
        return int((await self.api(f"STREAM.INFO.{stream}"))["state"]["messages"])

    async def unsettled(self) -> int:
        """How many advisories are not done with."""
        info = await self.api(f"CONSUMER.INFO.{ADVISORIES_NAME}.headgate_mover")
        if "error" in info:
            return await self.count(ADVISORIES_NAME)
        return int(info["num_pending"]) + int(info["num_ack_pending"])

    async def position(self) -> dict[str, Any]:
        """The movers' durable."""
        found = await self.api(f"CONSUMER.INFO.{ADVISORIES_NAME}.headgate_mover")
        assert "error" not in found, found
        return {name: found[name] for name in ("config", "created", "delivered", "ack_floor")}

    async def mover(self, **config: Any) -> None:
        """Make or change the movers' durable by hand."""
        body = {"stream_name": ADVISORIES_NAME, "config": {"durable_name": "headgate_mover", **config}}
        found = await self.api(f"CONSUMER.DURABLE.CREATE.{ADVISORIES_NAME}.headgate_mover", body)
        assert "error" not in found, found

    async def dead(self) -> list[Entry]:
        """All dead letters."""
        state = (await self.api("STREAM.INFO.dead"))["state"]
        positions = range(max(1, state["first_seq"]), state["last_seq"] + 1)
        asked = (self.api("STREAM.MSG.GET.dead", {"seq": position}) for position in positions)
        return [entry_of(each["message"]) for each in await asyncio.gather(*asked) if "message" in each]


async def account_at(url: str) -> Account:
    """A clean account on a server."""
    account = Account(url, await nats.connect(url))
    await account.clean()
    return account


def now() -> datetime:
    """The time of day."""
    return datetime.now(UTC)  # noqa: TID251  (tests of a process live in real time)
