"""Keeps an eye on the dead letters of one broker and on what captures them. Decides nothing, moves nothing."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from headgate.brokers.base import Broker, BrokerError
from headgate.core.conditions import Aspect, no, yes
from headgate.core.estate import Ref
from headgate.core.moves import held_up
from headgate.core.progress import Capture, DeadLetters
from headgate.core.resource import Key

log = logging.getLogger(__name__)

PERIOD: Final = 5.0  # seconds between two looks
AGEING: Final = timedelta(seconds=30)  # between two reports of a queue in which nothing happened
_CAPTURED: Final = yes("Capturing", "Capturing", "what workers give up is kept")


class Letters:
    """What the dead-letter queues of one broker hold. `on_change` hears of every queue whose report may change."""

    def __init__(
        self,
        broker: Callable[[], Broker | None],
        queues: Callable[[], Mapping[Ref, Key]],
        *,
        clock: Callable[[], datetime],
        on_change: Callable[[Ref], None],
    ) -> None:
        self.found: dict[Ref, tuple[DeadLetters, ...]] = {}
        self._broker = broker
        self._queues = queues
        self._clock = clock
        self._on_change = on_change
        self._capture: Capture | None = None
        self._aspect: Aspect | None = None
        self._told: dict[Ref, tuple[object, datetime]] = {}

    async def run(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Look for ever."""
        while True:
            try:
                await self.look()
            except Exception:
                log.exception("a look at dead letters failed")
            await sleep(PERIOD)

    async def look(self) -> None:
        """One look; a broker that does not answer leaves everything as it was last seen."""
        broker, queues = self._broker(), self._queues()
        if broker is None or not queues:
            return
        try:
            letters = await broker.dead_letters(queues.values())
            self._capture = await broker.capture()
        except BrokerError as error:
            log.debug("dead letters: %s", error)
            return
        self.found = {ref: letters.get(key, ()) for ref, key in queues.items()}
        self._aspect = self._judge()
        for ref in queues:
            self._tell(ref)

    def _tell(self, ref: Ref) -> None:
        """Say what is new at once; what only grows older, now and then."""
        news, now = (self.found[ref], self._aspect), self._clock()
        told, at = self._told.get(ref, (None, now))
        if news != told or (self.found[ref] and now - at >= AGEING):
            self._told[ref] = (news, now)
            self._on_change(ref)

    def capturing(self, ref: Ref) -> tuple[Aspect, ...]:
        """Whether dead letters are kept, as far as anybody looked."""
        del ref
        return () if self._aspect is None else (self._aspect,)

    def _judge(self) -> Aspect:
        trouble = held_up(self._capture, self._clock())
        return _CAPTURED if trouble is None else no("Capturing", *trouble)
