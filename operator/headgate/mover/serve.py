"""A mover process: one mover for each EventBroker, kept in step with what the cluster says. Knows no broker.

When the cluster does not answer, movers go on with the routes they have: messages do not wait for a control plane.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from headgate.api import EventBrokerSpec
from headgate.brokers.base import BrokerError, Credentials
from headgate.brokers.messages import Carrier
from headgate.brokers.registry import carrier_of
from headgate.kube.errors import KubeError
from headgate.mover.loop import Mover, Table
from headgate.mover.meter import Meter
from headgate.mover.orders import Name, Order, Orders
from headgate.telemetry.metrics import Metrics

LOOK: Final = 2.0  # seconds between looks at what is to be done
REREAD: Final = 60.0  # seconds after which Secrets are looked at again
AFTER_REFUSAL: Final = 10.0  # seconds until a broker that says no is asked again
SILENT: Final = 30.0  # seconds without an answer from the cluster after which the process is not ready
STILL: Final = 60.0  # seconds without a look after which the process counts as hung
STOP: Final = 8.0  # seconds for turns under way

log = logging.getLogger(__name__)


@dataclass
class Post:
    """One EventBroker being served: its connection is made anew when its declaration or its Secrets change."""

    name: Name
    meter: Meter
    clock: Callable[[], datetime]
    carrier: Callable[[EventBrokerSpec], Carrier] = carrier_of
    table: Table | None = None  # nobody said yet what is ours
    _held: tuple[EventBrokerSpec, Credentials] | None = None
    _read_at: float = float("-inf")
    _mover: Mover | None = None
    _task: asyncio.Task[None] | None = None

    async def follow(self, order: Order, orders: Orders) -> None:
        """Serve as ordered from now on."""
        if order.routes is not None:
            self.table = order.routes.by_reader()
        now = asyncio.get_running_loop().time()
        idle = self._task is None or self._task.done()
        if (
            self._held is not None
            and self._held[0] == order.spec
            and now - self._read_at < REREAD
            and not idle
        ):
            return
        if idle and self._held is not None and now - self._read_at < AFTER_REFUSAL:
            return
        self._read_at = now
        try:
            wanted = (order.spec, await orders.credentials(order))
        except BrokerError as error:
            self._complain(error)
            return
        if wanted != self._held or idle:
            await self.stop()
            self._held = wanted
            self._task = asyncio.create_task(self._serve(*wanted), name=f"mover {self.name}")

    async def stop(self) -> None:
        """Finish what is under way."""
        if self._mover is not None:
            self._mover.stop()
        if self._task is not None:
            _, late = await asyncio.wait({self._task}, timeout=STOP)
            for task in late:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        self._task = self._mover = None

    async def _serve(self, spec: EventBrokerSpec, credentials: Credentials) -> None:
        try:
            messages = self.carrier(spec).messages(spec, credentials)
        except BrokerError as error:
            self._complain(error)
            return
        self._mover = Mover(messages, lambda: self.table, self.meter, self.clock)
        try:
            await self._mover.run()
        except* Exception as group:  # noqa: BLE001  (whatever it was, it is said, and tried again after a while)
            for leaf in _leaves(group):
                self._complain(leaf)
        finally:
            await messages.aclose()

    def _complain(self, error: BaseException) -> None:
        self.meter.connected(up=False)
        reason = error.reason if isinstance(error, BrokerError) else type(error).__name__
        self.meter.put_off(reason)
        log.error(
            "%s is not served: %s", self.name, error, extra={"broker": str(self.name), "reason": reason}
        )


class Service:
    """All posts of one process."""

    def __init__(
        self,
        orders: Orders,
        metrics: Metrics,
        clock: Callable[[], datetime],
        *,
        carrier: Callable[[EventBrokerSpec], Carrier] = carrier_of,
    ) -> None:
        self._orders, self._metrics, self._clock = orders, metrics, clock
        self._carrier = carrier
        self._posts: dict[Name, Post] = {}
        self._complaints: dict[Name, str] = {}
        self._stopping = asyncio.Event()
        self._answered: float | None = None
        self._looked = float("-inf")

    def stop(self) -> None:
        """End in order."""
        self._stopping.set()

    async def run(self) -> None:
        """Serve until `stop`."""
        try:
            while not self._stopping.is_set():
                await self.look()
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK):
                        await self._stopping.wait()
        finally:
            await asyncio.gather(*(post.stop() for post in self._posts.values()))

    async def look(self) -> None:
        """Bring the posts in step with the cluster once."""
        self._looked = asyncio.get_running_loop().time()
        try:
            wanted = await self._orders.read(self._complain)
        except KubeError as error:
            log.warning("what is to be done cannot be read: %s", error, extra={"reason": error.reason})
            return
        self._answered = asyncio.get_running_loop().time()
        for name in self._posts.keys() - wanted.keys() - self._complaints.keys():
            await self._posts.pop(name).stop()
        await asyncio.gather(
            *(self._post(name).follow(order, self._orders) for name, order in wanted.items())
        )
        self._complaints = {name: text for name, text in self._complaints.items() if name not in wanted}

    def live(self) -> str:
        """Empty while the loop turns."""
        return "" if _now() - self._looked < STILL else "the loop stands still"

    def ready(self) -> str:
        """Empty while the cluster says what is to be done."""
        if self._answered is None or _now() - self._answered > SILENT:
            return "the cluster does not say what is to be done"
        return ""

    def _post(self, name: Name) -> Post:
        if name not in self._posts:
            meter = Meter(self._metrics, name.namespace, name.name)
            self._posts[name] = Post(name, meter, self._clock, self._carrier)
        return self._posts[name]

    def _complain(self, name: Name, text: str) -> None:
        if self._complaints.get(name) != text:
            log.error("%s cannot be served as declared: %s", name, text, extra={"broker": str(name)})
        self._complaints[name] = text


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterable[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


def _now() -> float:
    return asyncio.get_running_loop().time()
