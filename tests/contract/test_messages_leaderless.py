"""Announcements made while the stream that keeps them has no leader: they lead to dead letters all the same."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import aiohttp
import nats
import pytest
import pytest_asyncio
from tests.contract.messages_account import Account
from tests.contract.movers import one_each, running
from tests.servers import nats_cluster, until

from headgate.brokers.nats.names import ADVISORIES_NAME, ADVISORY_SUBJECTS
from headgate.local.nats import VERSIONS, LocalNats, LocalNatsCluster
from headgate.local.run import Run

EVENTS = 20
COPIES = 3
TRIES = 10


@pytest_asyncio.fixture(params=[VERSIONS[0], VERSIONS[-1]])
async def nodes(servers: Run, request: pytest.FixtureRequest) -> AsyncIterator[LocalNatsCluster]:
    """Three servers of the oldest and of the newest version."""
    version = str(request.param)
    async with nats_cluster(servers, f"nats-leaderless-{version}", size=COPIES, version=version) as cluster:
        yield cluster


class Patient(Account):
    """Asks again where nobody answers for lack of a leader."""

    async def api(self, subject: str, body: object = None) -> dict[str, Any]:
        for _ in range(TRIES):
            with suppress(TimeoutError):
                return await super().api(subject, body)
        raise AssertionError(f"nobody answers on {subject}")


async def _leader(account: Account, subject: str) -> str:
    return str(((await account.api(subject)).get("cluster") or {}).get("leader") or "")


async def _shop(nodes: LocalNatsCluster) -> tuple[Account, LocalNats]:
    """A shop in three copies; with it the server that leads what keeps announcements, and leads nothing else."""
    account = Patient(nodes.url, await nats.connect(list(nodes.urls), max_reconnect_attempts=-1))
    for name, subjects in ((ADVISORIES_NAME, ADVISORY_SUBJECTS), ("dead", ("hg.dead.>",))):
        await account.stream(name, *subjects, num_replicas=COPIES, allow_rollup_hdrs=True)
    await account.orders(attempts=5, num_replicas=COPIES)
    leaders = list[str]()

    async def apart() -> bool:
        """Elections are a matter of chance, so they are repeated."""
        asked = (f"STREAM.INFO.{ADVISORIES_NAME}", "STREAM.INFO.orders", "CONSUMER.INFO.orders.billing")
        leaders[:] = [await _leader(account, each) for each in asked]
        together = leaders[0] in leaders[1:]
        if all(leaders) and together:
            await account.api(f"STREAM.LEADER.STEPDOWN.{ADVISORIES_NAME}")
        return all(leaders) and not together

    await until("another server leads what keeps announcements", apart, limit=60, every=0.5)
    return account, next(node for node in nodes.nodes if node.name == leaders[0])


async def _ears(nodes: LocalNatsCluster) -> int:
    """How many connections listen to announcements."""
    async with aiohttp.ClientSession() as session:
        asked = [session.get(f"{node.monitoring_url}/connz?subs=1") for node in nodes.nodes]
        found = [await (await each).json() for each in asked]
    lists = [each.get("subscriptions_list") or () for node in found for each in node["connections"]]
    return sum(set(ADVISORY_SUBJECTS) <= set(each) for each in lists)


async def test_what_is_announced_while_nobody_keeps_announcements_becomes_a_dead_letter(
    nodes: LocalNatsCluster,
) -> None:
    account, keeper = await _shop(nodes)
    living = [node.url for node in nodes.nodes if node is not keeper]
    worker = Patient(",".join(living), await nats.connect(living), account.created)
    try:
        await worker.emit(EVENTS)
        async with running(worker, worker.route(), url=nodes.url):

            async def two_listen() -> bool:
                return await _ears(nodes) == 2

            await until("the mover listens on two servers", two_listen)
            held = await worker.take(EVENTS)
            await keeper.kill()
            for msg in held:
                await worker.client.publish(msg.reply, b"+TERM cannot be read")
            await worker.client.flush()
            await one_each(worker, EVENTS)
    finally:
        await worker.client.close()
        await account.client.close()


async def test_a_mover_that_may_not_listen_says_so(servers: Run, caplog: pytest.LogCaptureFixture) -> None:
    login = '{ user: a, password: b, permissions: { subscribe: { deny: "$JS.EVENT.>" } } }'
    deaf = f"authorization {{ users: [{login}] }}\nno_auth_user: a"
    async with nats_cluster(servers, "nats-deaf", size=COPIES, config=deaf) as cluster:
        account = Account(cluster.url, await nats.connect(list(cluster.urls)))
        messages = account.messages()
        listening = asyncio.create_task(messages.listen())

        async def said() -> bool:
            return any(getattr(each, "reason", "") == "PermissionDenied" for each in caplog.records)

        await until("it is said", said)
        listening.cancel()
        await messages.aclose()
        await account.client.close()


_ALL = "{ user: all, password: b }"


def _logins(denied: str) -> str:
    """A mover that logs in as nobody may publish but what is denied; a shop that may do all."""
    return f"authorization {{ users: [{{ user: a, password: b, permissions: {{ publish: {{ deny: {denied} }} }} }}, {_ALL}] }}\nno_auth_user: a"


async def test_what_may_not_be_put_in_again_is_said_and_is_put_in_once_it_may(
    servers: Run, caplog: pytest.LogCaptureFixture
) -> None:
    async with nats_cluster(servers, "nats-mute", size=COPIES, config=_logins('"$JS.EVENT.>"')) as cluster:
        client = await nats.connect(list(cluster.urls), user="all", password="b", max_reconnect_attempts=-1)
        account = Patient(cluster.url, client)
        await account.stream(ADVISORIES_NAME, *ADVISORY_SUBJECTS, num_replicas=COPIES)
        messages = account.messages()
        listening = asyncio.create_task(messages.listen())

        async def complained() -> bool:
            """Announced just before the leader goes, so that nobody can tell whether it was kept."""
            await account.give_up(1)
            await account.api(f"STREAM.LEADER.STEPDOWN.{ADVISORIES_NAME}")
            return any("cannot be put in again" in each.message for each in caplog.records)

        await until("it is said", complained, limit=60, every=0.5)
        for node in cluster.nodes:
            await node.reload(_logins('"nothing"'))

        async def put_in() -> bool:
            return any("put in again what was announced" in each.message for each in caplog.records)

        await until("it is put in", put_in, limit=60)
        listening.cancel()
        await messages.aclose()
        await client.close()
