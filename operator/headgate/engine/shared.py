"""What all loops of one operator process share. Decides nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from headgate.api import EventBrokerSpec
from headgate.brokers.base import Driver
from headgate.brokers.registry import driver_of
from headgate.core import defaults
from headgate.core.estate import Ref
from headgate.core.status.account import GRACE
from headgate.engine.world import World
from headgate.engine.writer import Writer
from headgate.kube.client import KubeClient
from headgate.telemetry.metrics import Metrics

RESYNC = defaults.RESYNC
WRITES_AT_ONCE = 16  # to the API server: more only queue up there


@dataclass(slots=True)
class Shared:
    """The process as its loops see it: clocks and chance come from here, so that tests can give their own."""

    kube: KubeClient
    world: World
    writer: Writer
    metrics: Metrics
    wall: Callable[[], datetime]
    monotonic: Callable[[], float]
    jitter: Callable[[], float]  # a factor of at most 1: waits are only ever shortened
    keep_secret: Callable[[bytes], None]  # have this text never appear in a log
    grace: timedelta = GRACE  # for which Ready keeps its last value while a broker is away
    may_act: Callable[[], bool] = lambda: True  # whether this process may still change anything anywhere
    drivers: Callable[[EventBrokerSpec], Driver] = driver_of  # which kinds of brokers there are
    reporter: str = "headgate"  # which process this is, for Events
    let_go: Callable[[Ref], Awaitable[str]] | None = (
        None  # leave the workload of a group that goes; what stayed
    )
    gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(WRITES_AT_ONCE))
    last_calls: dict[str, float] = field(
        default_factory=dict
    )  # when nothing of a namespace may take time any more
    begun: asyncio.Event = field(default_factory=asyncio.Event)  # something was settled, or nothing could be
    troubled: set[Ref] = field(default_factory=set)  # not Ready: any change at all may heal them
    unrecorded: set[Ref] = field(default_factory=set)  # made in the broker, maybe, and no status says so yet

    def hurries(self, namespace: str) -> bool:
        """Whether what is in a namespace has to be let go at once, because our rights there are about to end."""
        return self.monotonic() >= self.last_calls.get(namespace, float("inf"))

    def trouble(self, ref: Ref, *, troubled: bool) -> None:
        """Remember whether an object is not Ready."""
        if troubled:
            self.troubled.add(ref)
        else:
            self.troubled.discard(ref)
