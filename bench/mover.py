"""How fast dead letters move: the mover against a bare client loop that makes the same calls. Knows nothing of Kubernetes.

Both sides read advisories that a real server raised, fetch each original, publish it on the condition that nothing
stands there, and acknowledge: 500 in flight, one process, one connection. They take turns, three rounds each, on
the same server; the best of each counts.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg

from headgate.api import NatsConnection
from headgate.brokers.base import Credentials
from headgate.brokers.nats.link import Link
from headgate.brokers.nats.messages import NatsMessages
from headgate.brokers.nats.movers import MOVER
from headgate.brokers.nats.names import ADVISORIES_NAME as CAPTURE
from headgate.core.moves import Route
from headgate.local.nats import start_nats
from headgate.local.run import open_run
from headgate.local.waiting import until
from headgate.mover.loop import Mover
from headgate.mover.meter import Meter
from headgate.telemetry.metrics import Metrics

EVENTS = 10_000
ROUNDS = 3
WINDOW = 500
BODY = b"x" * 200
FLOOR_SHARE, FLOOR_RATE = 0.8, 4_000


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured, in dead letters a second."""

    events: int
    mover: float
    bare: float
    share: float
    mover_cpu_per_event_us: float
    bare_cpu_per_event_us: float
    good: bool


class Account:
    """A JetStream account with events that no worker will settle any more."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.stream = client.jetstream()

    async def api(self, subject: str, body: object = None) -> dict[str, object]:
        """One raw call."""
        payload = b"" if body is None else json.dumps(body).encode()
        answer = await self.client.request(f"$JS.API.{subject}", payload, timeout=30)
        found: dict[str, object] = json.loads(answer.data)
        assert "error" not in found, found
        return found

    async def prepare(self, name: str) -> None:
        """A capture stream with one advisory for each of EVENTS events of a fresh stream."""
        for old in ("orders", CAPTURE, "dead"):
            await self.client.request(f"$JS.API.STREAM.DELETE.{old}", b"", timeout=30)
        advisories = [
            f"$JS.EVENT.ADVISORY.CONSUMER.{kind}.>" for kind in ("MAX_DELIVERIES", "MSG_TERMINATED")
        ]
        await self.api(
            f"STREAM.CREATE.{CAPTURE}", {"name": CAPTURE, "subjects": advisories, "storage": "file"}
        )
        await self.api("STREAM.CREATE.dead", {"name": "dead", "subjects": ["hg.dead.>"], "storage": "file"})
        await self.api(
            "STREAM.CREATE.orders", {"name": "orders", "subjects": ["orders.>"], "storage": "file"}
        )
        reader = {"durable_name": name, "ack_policy": "explicit", "max_ack_pending": EVENTS}
        await self.api(f"CONSUMER.CREATE.orders.{name}", {"stream_name": "orders", "config": reader})
        for start in range(0, EVENTS, WINDOW):
            sent = [
                await self.stream.publish_async("orders.a.paid", BODY) for _ in range(start, start + WINDOW)
            ]
            await asyncio.gather(*sent)
        worker = await self.stream.pull_subscribe_bind(name, "orders")
        left = EVENTS
        while left:
            got = await worker.fetch(min(WINDOW, left), timeout=10)
            for msg in got:
                await self.client.publish(msg.reply, b"+TERM cannot be read")
            left -= len(got)
        await until("all advisories are kept", lambda: self.holds(CAPTURE, EVENTS))

    async def holds(self, stream: str, count: int) -> bool:
        """Whether a stream has so many messages."""
        state = (await self.api(f"STREAM.INFO.{stream}"))["state"]
        assert isinstance(state, dict)
        return int(state["messages"]) == count

    async def is_done(self) -> bool:
        """Whether every dead letter stands and every advisory is acknowledged."""
        if not await self.holds("dead", EVENTS):
            return False
        position = await self.api(f"CONSUMER.INFO.{CAPTURE}.{MOVER}")
        return position["num_ack_pending"] == 0


async def bare(account: Account) -> None:
    """The same calls in the plainest way that the client library has for many at once."""
    reader = {"durable_name": MOVER, "ack_policy": "explicit", "max_ack_pending": 10_000}
    await account.api(f"CONSUMER.CREATE.{CAPTURE}.{MOVER}", {"stream_name": CAPTURE, "config": reader})
    advisories = await account.stream.pull_subscribe_bind(MOVER, CAPTURE)

    async def move(advisory: Msg) -> None:
        said = json.loads(advisory.data)
        original = await account.stream.get_msg(said["stream"], said["stream_seq"])
        await account.stream.publish(
            f"hg.dead.{said['stream']}.{said['consumer']}.1.{said['stream_seq']}",
            original.data or b"",
            headers={"Nats-Expected-Last-Subject-Sequence": "0", "headgate-reason": "Rejected"},
            timeout=10,
        )
        await advisory.ack()

    left = EVENTS
    while left:
        got = await advisories.fetch(min(WINDOW, left), timeout=10)
        await asyncio.gather(*(move(each) for each in got))
        left -= len(got)


@asynccontextmanager
async def at_work(url: str) -> AsyncIterator[None]:
    """A mover as it runs in a pod; starting is measured, an orderly end is not."""
    messages = NatsMessages(Link(NatsConnection(servers=(url,)), Credentials(), timeout=5, name="bench"))
    route = Route("shop/billing", "shop/orders", "orders", "billing", "hg.dead.orders.billing.1")
    table = {("orders", "billing"): route}
    meter = Meter(Metrics(), "platform", "main")
    mover = Mover(messages, lambda: table, meter, lambda: datetime.now(UTC))  # noqa: TID251  (no clock to be given)
    running = asyncio.ensure_future(mover.run())
    yield
    mover.stop()
    await running
    await messages.aclose()


@asynccontextmanager
async def measured(into: list[tuple[float, float]]) -> AsyncIterator[None]:
    """Wall and CPU seconds of the block."""
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    into.append((time.perf_counter() - wall, time.process_time() - cpu))


async def measure(directory: Path) -> Figures:
    """Both, in turns."""
    with closing(open_run(directory)) as run:
        server = await start_nats(run)
        account = Account(await nats.connect(server.url))
        ours, theirs = list[tuple[float, float]](), list[tuple[float, float]]()
        for _ in range(ROUNDS):
            await account.prepare("billing")
            async with measured(theirs):
                await bare(account)
            await account.prepare("billing")
            async with AsyncExitStack() as stack, measured(ours):
                await stack.enter_async_context(at_work(server.url))
                await until("every dead letter stands", account.is_done, limit=120, every=0.01)
        await account.client.close()
        await server.stop()
    mover, plain = EVENTS / min(ours)[0], EVENTS / min(theirs)[0]
    return Figures(
        events=EVENTS,
        mover=round(mover),
        bare=round(plain),
        share=round(mover / plain, 2),
        mover_cpu_per_event_us=round(min(cpu for _, cpu in ours) / EVENTS * 1e6),
        bare_cpu_per_event_us=round(min(cpu for _, cpu in theirs) / EVENTS * 1e6),
        good=mover >= FLOOR_SHARE * plain and mover >= FLOOR_RATE,
    )


def main() -> int:
    """Measure, print a table and one line of JSON; 1 when the goal is missed."""
    with TemporaryDirectory() as directory:
        figures = asyncio.run(measure(Path(directory) / "run"))
    print(f"{'':12}{'per second':>12}{'CPU µs each':>14}")
    print(f"{'mover':12}{figures.mover:>12,.0f}{figures.mover_cpu_per_event_us:>14}")
    print(f"{'bare loop':12}{figures.bare:>12,.0f}{figures.bare_cpu_per_event_us:>14}")
    print(f"share {figures.share} (at least {FLOOR_SHARE}, and {FLOOR_RATE:,} a second)")
    print(json.dumps({"mover": asdict(figures)}))
    return 0 if figures.good else 1


if __name__ == "__main__":
    sys.exit(main())
