"""Movers at work on a real server, and what is true when they are done. Knows nothing of what is tested."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from tests.contract.messages_account import Account, now
from tests.servers import until

from headgate.brokers.nats.messages import ACK_WAIT
from headgate.brokers.nats.names import ADVISORIES_NAME
from headgate.core.letters import Entry
from headgate.core.moves import Route
from headgate.mover.loop import Mover, Pauses
from headgate.mover.meter import Meter
from headgate.telemetry.metrics import Metrics

HASTE = timedelta(seconds=0.3)
HASTY = Pauses(first=HASTE, watch=0.3, again=HASTE, longest=HASTE)
CALM = Pauses(
    again=HASTE, longest=HASTE
)  # asks for nothing over and over that has nothing to do with the work


class Running:
    """A mover at work, and what it counts."""

    def __init__(
        self,
        account: Account,
        *routes: Route,
        url: str = "",
        ack_wait: timedelta = ACK_WAIT,
        pauses: Pauses = HASTY,
    ) -> None:
        self.table = {(route.source, route.reader): route for route in routes}
        self.metrics = Metrics()
        self.messages = account.messages(url, ack_wait)
        meter = Meter(self.metrics, "platform", "main")
        self.mover = Mover(self.messages, lambda: self.table, meter, now, pauses)
        self.task = asyncio.create_task(self.mover.run())

    def counted(self, metric: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(metric, labels) or 0.0

    async def kill(self) -> None:
        """All that it knew is gone, as after SIGKILL."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.messages.aclose()

    async def stop(self) -> None:
        self.mover.stop()
        await self.task
        await self.messages.aclose()


@asynccontextmanager
async def running(
    account: Account, *routes: Route, url: str = "", ack_wait: timedelta = ACK_WAIT, pauses: Pauses = HASTY
) -> AsyncIterator[Running]:
    mover = Running(account, *(routes or (account.route(),)), url=url, ack_wait=ack_wait, pauses=pauses)
    try:
        yield mover
    finally:
        await mover.kill()


async def settled(account: Account, count: int = 1) -> None:
    """At least so many advisories were raised, and all are done with."""

    async def done() -> bool:
        return await account.count(ADVISORIES_NAME) >= count and await account.unsettled() == 0

    await until("every advisory is done with", done, limit=45)


async def one_each(account: Account, count: int) -> list[Entry]:
    """The dead letters, after checking that there is exactly one for each of `count` events."""
    await settled(account, count)
    entries = await account.dead()
    positions = sorted(int(entry.header("headgate-position")) for entry in entries)
    assert positions == list(range(1, count + 1))
    return entries


async def holds(account: Account, stream: str, count: int) -> bool:
    return await account.count(stream) == count
