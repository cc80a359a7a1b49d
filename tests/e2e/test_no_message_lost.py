"""Numbered orders through real workers that fail, hang, crash, are killed and scaled meanwhile: every one ends handled or dead."""

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import nats
import pytest
from tests.contract.messages_account import SECOND, Account, now
from tests.servers import nats_cluster, nats_server, until

from headgate.brokers.nats.names import ADVISORIES_NAME, ADVISORY_SUBJECTS
from headgate.core.letters import Entry, Reason
from headgate.local.run import Run
from headgate.mover.loop import Mover
from headgate.mover.meter import Meter
from headgate.telemetry.metrics import Metrics

SHOP = Path(__file__).parents[2] / "examples" / "shop"
EVENTS = 20_000
POISON_EVERY, DOOMED_EVERY, HANG_EVERY = 200, 3_001, 3_000
ATTEMPTS, PREFETCH = 5, 20
SCALES = (2, 5, 1, 4)  # replicas, one after the other while orders come
LIMIT = 240.0


@dataclass
class Replica:
    """One worker that is started again when it dies, as a kubelet would."""

    folder: Path
    ledger: Path
    kills: int = 0
    process: asyncio.subprocess.Process | None = None
    _ended: bool = False
    _task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._keep_running())

    async def _keep_running(self) -> None:
        environment = {**os.environ, "BINDING": str(self.folder), "LEDGER": str(self.ledger), "RATE": "600"}
        while not self._ended:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, SHOP / "worker.py", env=environment, stdout=asyncio.subprocess.DEVNULL
            )
            code = await self.process.wait()
            self.kills += not self._ended or code < 0

    def kill(self) -> None:
        """As when its machine fails."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                self.process.kill()

    async def stop(self) -> None:
        """As when a Deployment is scaled down."""
        self._ended = True
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        if self._task is not None:
            await self._task


@dataclass
class Shop:
    """Orders, billing and its dead letters on one or three servers."""

    account: Account
    servers: Sequence[str]
    folder: Path
    ledger: Path
    copies: int
    replicas: list[Replica] = field(default_factory=list)
    retired: list[Replica] = field(default_factory=list)

    async def prepare(self) -> None:
        """What the operator would have made, and the binding that it would have written."""
        account = self.account
        await account.stream(ADVISORIES_NAME, *ADVISORY_SUBJECTS, num_replicas=self.copies)
        await account.stream("dead", "hg.dead.>", num_replicas=self.copies, discard="new")
        account.created = await account.stream(
            "orders", "orders.>", num_replicas=self.copies, duplicate_window=120 * SECOND
        )
        config = {
            "durable_name": "billing",
            "ack_policy": "explicit",
            "ack_wait": 2 * SECOND,
            "max_deliver": ATTEMPTS,
            "max_ack_pending": 1000,
            "metadata": {"headgate.dev/owner": "here/ConsumerGroup/shop/billing"},
        }
        found = await account.api(
            "CONSUMER.CREATE.orders.billing", {"stream_name": "orders", "config": config}
        )
        assert "error" not in found, found
        self._write_binding()

    def _write_binding(self) -> None:
        rules = [{"errorClass": "SchemaError", "action": "DeadLetter"}]
        files = {
            "broker-type": "NATS",
            "servers": ",".join(self.servers),
            "group": "shop/billing",
            "topic": "shop/orders",
            "stream": "orders",
            "durable": "billing",
            "ack-wait": "2s",
            "nak-delays": "100ms,200ms,400ms,800ms",
            "nak-jitter-percent": "20",
            "max-deliver": str(ATTEMPTS),
            "deadline": "5m",
            "on-exhausted": "DeadLetter",
            "rules": json.dumps(rules),
            "dead-letter-stream": "dead",
            "dead-letter-subject": self.account.route().address,
            "prefetch": str(PREFETCH),
            "revision": "1",
        }
        for name, text in files.items():
            (self.folder / name).write_text(text)

    async def scale(self, count: int) -> None:
        """So many workers."""
        while len(self.replicas) < count:
            replica = Replica(self.folder, self.ledger)
            replica.start()
            self.replicas.append(replica)
        leaving, self.replicas = self.replicas[count:], self.replicas[:count]
        await asyncio.gather(*(replica.stop() for replica in leaving))
        self.retired += leaving

    @property
    def kills(self) -> int:
        """How many worker processes died in the middle of their work."""
        return sum(replica.kills for replica in (*self.replicas, *self.retired))

    def noted(self, outcome: str) -> list[str]:
        """The names of orders with that outcome, one for each time."""
        lines = map(json.loads, self.ledger.read_text().splitlines() if self.ledger.exists() else ())
        return [line["id"] for line in lines if line["outcome"] == outcome]

    def progress(self) -> int:
        """How many orders were handled, repeats included."""
        return self.ledger.read_text().count('"handled"') if self.ledger.exists() else 0

    async def settled(self) -> bool:
        """Whether nothing waits, is under way, or was given up without a dead letter."""
        info = await self.account.api("CONSUMER.INFO.orders.billing")
        if "error" in info or info["num_pending"] or info["num_ack_pending"]:
            return False
        return await self.account.unsettled() == 0


@asynccontextmanager
async def _shop(folder: Path, urls: Sequence[str], copies: int) -> AsyncIterator[Shop]:
    client = await nats.connect(list(urls), max_reconnect_attempts=-1, reconnect_time_wait=1)
    (folder / "binding").mkdir()
    shop = Shop(Account(",".join(urls), client), urls, folder / "binding", folder / "ledger", copies)
    await shop.prepare()
    try:
        yield shop
    finally:
        await shop.scale(0)
        await client.close()


class Movers:
    """Two movers that share the work; either may be killed and is replaced by a new one."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._running = [self._start(), self._start()]

    def _start(self) -> tuple[Mover, asyncio.Task[None]]:
        account = self._shop.account
        table = {("orders", "billing"): account.route()}
        mover = Mover(account.messages(), lambda: table, Meter(Metrics(), "platform", "main"), now)
        return mover, asyncio.create_task(mover.run())

    async def kill_one(self) -> None:
        _, task = self._running.pop(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        self._running.append(self._start())

    async def stop(self) -> None:
        for mover, _ in self._running:
            mover.stop()
        await asyncio.gather(*(task for _, task in self._running))


async def _produce(shop: Shop) -> asyncio.subprocess.Process:
    options = {
        "servers": ",".join(shop.servers),
        "rate": 0,
        "count": EVENTS,
        "run": "o",
        "fail-every": POISON_EVERY,
        "crash-every": DOOMED_EVERY,  # each kills every worker that tries it: only a mover can keep it
        "crash-times": ATTEMPTS,
        "hang-every": HANG_EVERY,
        "ledger": shop.ledger,
    }
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    return await asyncio.create_subprocess_exec(sys.executable, SHOP / "producer.py", *words)


def _judge(shop: Shop, dead: Sequence[Entry], deliveries: int) -> None:
    """The books: what was published, handled, kept as dead."""
    published, handled = set(shop.noted("published")), Counter(shop.noted("handled"))
    poison = {f"o-{number}" for number in range(POISON_EVERY, EVENTS + 1, POISON_EVERY)}
    doomed = {f"o-{number}" for number in range(DOOMED_EVERY, EVENTS + 1, DOOMED_EVERY)}
    buried = Counter(entry.header("nats-msg-id") for entry in dead)
    killed_at_most = shop.kills * PREFETCH
    doubly_handled = handled.total() - len(handled)
    print(  # noqa: T201  (the figures are half of what this test is for)
        f"\n{EVENTS} orders: {len(handled)} handled, {len(buried)} dead ({len(poison)} poison, {len(doomed)} deadly), "
        f"{len(handled.keys() & buried.keys())} both, {doubly_handled} handled again, {shop.kills} workers killed, "
        f"{deliveries / EVENTS:.3f} deliveries each"
    )
    assert published == {f"o-{number}" for number in range(1, EVENTS + 1)}
    assert handled.keys() | buried.keys() == published
    assert set(buried.values()) == {1}
    assert poison | doomed <= buried.keys()
    unlucky = [entry for entry in dead if entry.header("nats-msg-id") not in poison]
    assert len(unlucky) <= killed_at_most
    assert {entry.header("headgate-reason") for entry in unlucky} <= {Reason.MAX_ATTEMPTS}
    assert len(handled.keys() & buried.keys()) <= killed_at_most
    assert deliveries / EVENTS <= 1.5


async def _story(shop: Shop, trouble: "asyncio.Task[None] | None" = None) -> None:
    """Orders come, workers come and go, movers die; then all is left to settle."""
    movers = Movers(shop)
    await shop.scale(1)
    producer = await _produce(shop)
    for step, count in enumerate(SCALES, start=1):
        reached = EVENTS * step // (len(SCALES) + 2)

        async def far_enough(reached: int = reached) -> bool:
            return shop.progress() >= reached

        await until(f"{reached} orders are handled", far_enough, limit=LIMIT, every=0.2)
        await movers.kill_one()
        shop.replicas[0].kill()
        await shop.scale(count)
    assert await producer.wait() == 0
    if trouble is not None:
        await trouble
    await until("all orders are settled", shop.settled, limit=LIMIT, every=0.5)
    info = await shop.account.api("CONSUMER.INFO.orders.billing")
    await shop.scale(0)
    await movers.stop()
    _judge(shop, await shop.account.dead(), info["delivered"]["consumer_seq"])


async def test_every_order_is_handled_or_dead_on_one_node(servers: Run, tmp_path: Path) -> None:
    async with nats_server(servers, "e2e-one") as server, _shop(tmp_path, [server.url], 1) as shop:
        await _story(shop)


@pytest.mark.parametrize("size", [3])
async def test_every_order_is_handled_or_dead_on_three_nodes_whose_leader_is_killed(
    servers: Run, tmp_path: Path, size: int
) -> None:
    async with (
        nats_cluster(servers, "e2e-three", size=size) as cluster,
        _shop(tmp_path, cluster.urls, size) as shop,
    ):

        async def kill_the_leader() -> None:
            async def under_way() -> bool:
                return shop.progress() > EVENTS // 4

            await until("work is under way", under_way, limit=LIMIT, every=0.2)
            leader = (await shop.account.api("STREAM.INFO.orders"))["cluster"]["leader"]
            node = next(each for each in cluster.nodes if each.name == leader)
            await node.kill()
            await node.restart()

        await _story(shop, asyncio.create_task(kill_the_leader()))
