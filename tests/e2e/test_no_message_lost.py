"""Numbered orders through real workers that fail, hang, crash, are killed and scaled meanwhile: every one ends handled or dead."""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from pathlib import Path

import pytest_asyncio
from tests.e2e.shop import ATTEMPTS, DURABLE, PREFETCH, SHOP, Shop, shop
from tests.servers import nats_cluster, nats_server, until

from headgate.core.letters import Entry, Reason
from headgate.local.client import Client
from headgate.local.cluster import Cluster
from headgate.local.errors import LocalError
from headgate.local.install import install_crds
from headgate.local.run import Run

EVENTS = 20_000
POISON_EVERY, DOOMED_EVERY, HANG_EVERY = 200, 3_001, 3_000
SCALES = (2, 5, 1, 4)  # replicas, one after the other while orders come
LIMIT = 240.0
LATE = 20.0  # seconds after all is settled


@pytest_asyncio.fixture(scope="module")
async def served(cluster: Cluster, api: Client) -> Cluster:
    """A control plane that knows our kinds."""
    await install_crds(api)
    return cluster


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


def _same(found: AbstractSet[str], wanted: AbstractSet[str], what: str, shop: Shop) -> None:
    """Only what differs is worth reading, with all that the ledger knows of it."""
    apart = found ^ wanted
    known = [line for line in shop.ledger.read_text().splitlines() if json.loads(line)["id"] in apart]
    assert not apart, f"{len(found)} instead of {len(wanted)} {what}:\n" + "\n".join(known[:200])


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
    _same(published, {f"o-{number}" for number in range(1, EVENTS + 1)}, "were published", shop)
    _same(handled.keys() | buried.keys(), published, "ended handled or dead", shop)
    _same({name for name, times in buried.items() if times > 1}, set(), "are dead more than once", shop)
    _same((poison | doomed) - buried.keys(), set(), "should be dead and are not", shop)
    unlucky = [entry for entry in dead if entry.header("nats-msg-id") not in poison]
    assert len(unlucky) <= killed_at_most
    assert {entry.header("headgate-reason") for entry in unlucky} <= {Reason.MAX_ATTEMPTS}
    assert len(handled.keys() & buried.keys()) <= killed_at_most
    assert deliveries / EVENTS <= 1.5


async def _ended(shop: Shop) -> bool:
    """What was announced while nobody could keep announcements is put in again a little later."""
    buried = {entry.header("nats-msg-id") for entry in await shop.account.dead()}
    return {*shop.noted("handled"), *buried} >= set(shop.noted("published"))


async def _story(shop: Shop, trouble: "asyncio.Task[None] | None" = None) -> None:
    """Orders come, workers come and go, movers die; then all is left to settle."""
    await shop.scale(1)
    producer = await _produce(shop)
    for step, count in enumerate(SCALES, start=1):
        reached = EVENTS * step // (len(SCALES) + 2)

        async def far_enough(reached: int = reached) -> bool:
            return shop.progress() >= reached

        await until(f"{reached} orders are handled", far_enough, limit=LIMIT, every=0.2)
        await shop.movers.kill_one()
        shop.replicas[0].kill()
        await shop.scale(count)
    assert await producer.wait() == 0
    if trouble is not None:
        await trouble
    await until("all orders are settled", shop.settled, limit=LIMIT, every=0.5)
    info = await shop.account.api(DURABLE)
    await shop.scale(0)
    with suppress(LocalError):  # then the books say which did not
        await until("every order has ended", lambda: _ended(shop), limit=LATE, every=0.5)
    _judge(shop, await shop.account.dead(), info["delivered"]["consumer_seq"])


async def test_every_order_is_handled_or_dead_on_one_node(
    served: Cluster, api: Client, servers: Run, tmp_path: Path
) -> None:
    async with (
        nats_server(servers, "nats-e2e-one") as server,
        shop(served, api, servers, "e2e-one", tmp_path, [server.url], 1) as opened,
    ):
        await _story(opened)


async def test_every_order_is_handled_or_dead_on_three_nodes_whose_leader_is_killed(
    served: Cluster, api: Client, servers: Run, tmp_path: Path
) -> None:
    async with (
        nats_cluster(servers, "nats-e2e-three", size=3) as nodes,
        shop(served, api, servers, "e2e-three", tmp_path, nodes.urls, 3) as opened,
    ):

        async def kill_the_leader() -> None:
            async def under_way() -> bool:
                return opened.progress() > EVENTS // 4

            await until("work is under way", under_way, limit=LIMIT, every=0.2)
            leader = (await opened.account.api("STREAM.INFO.orders"))["cluster"]["leader"]
            node = next(each for each in nodes.nodes if each.name == leader)
            await node.kill()
            await node.restart()

        await _story(opened, asyncio.create_task(kill_the_leader()))
