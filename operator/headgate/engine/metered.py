"""A broker whose calls are counted and timed. Changes nothing about them."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import TypeVar

from headgate.brokers.base import Broker, BrokerError, BrokerFacts
from headgate.core.changes import Change
from headgate.core.estate import Ref
from headgate.core.progress import Capture, Holding, Progress
from headgate.core.resource import Key, Observed, Unread
from headgate.telemetry.metrics import Metrics

AnswerT = TypeVar("AnswerT")


class Metered:
    """Hands every call on to the real one."""

    def __init__(self, broker: Broker, ref: Ref, metrics: Metrics, clock: Callable[[], float]) -> None:
        self._broker = broker
        self._ref = ref
        self._metrics = metrics
        self._clock = clock

    async def facts(self) -> BrokerFacts:
        """See Broker."""
        return await self._timed("facts", self._broker.facts())

    async def observe(self, keys: Collection[Key]) -> Mapping[Key, Observed | Unread]:
        """See Broker."""
        return await self._timed("observe", self._broker.observe(keys))

    async def apply(self, change: Change) -> Observed | None:
        """See Broker."""
        return await self._timed("apply", self._broker.apply(change))

    async def progress(self, groups: Collection[Key]) -> Mapping[Key, Progress | Unread]:
        """See Broker."""
        return await self._timed("progress", self._broker.progress(groups))

    async def dead_letters(self, queues: Collection[Key]) -> Mapping[Key, Holding | Unread]:
        """See Broker."""
        return await self._timed("dead_letters", self._broker.dead_letters(queues))

    async def capture(self) -> Capture | None:
        """See Broker."""
        return await self._timed("capture", self._broker.capture())

    async def lost(self) -> None:
        """See Broker."""
        await self._broker.lost()

    async def aclose(self) -> None:
        """See Broker."""
        await self._broker.aclose()

    async def _timed(self, operation: str, call: Awaitable[AnswerT]) -> AnswerT:
        began, outcome = self._clock(), "done"
        try:
            return await call
        except BrokerError as error:
            outcome = error.reason
            raise
        finally:
            where = (self._ref.namespace, self._ref.name)
            self._metrics.broker_requests.labels(*where, operation, outcome).inc()
            self._metrics.broker_request_seconds.labels(operation).observe(self._clock() - began)
