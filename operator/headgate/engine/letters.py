"""Keeps an eye on the dead letters of one broker and on what captures them. Decides nothing, moves nothing."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from headgate.brokers.base import Broker, BrokerError, Unavailable
from headgate.core.capturing import Place, capturing
from headgate.core.conditions import Aspect, no
from headgate.core.estate import Ref
from headgate.core.progress import Capture, DeadLetters, Holding, Room
from headgate.core.resource import Key, Unread

log = logging.getLogger(__name__)

PERIOD: Final = 5.0  # seconds between two looks
AGEING: Final = timedelta(seconds=30)  # between two reports of a queue in which nothing happened


class Letters:
    """What the dead-letter queues of one broker hold.

    `on_change` hears of every queue whose report may change, `on_verdict` with which reason it is kept or not, at first
    and whenever that changes.
    """

    def __init__(
        self,
        home: Ref,
        broker: Callable[[], Broker | None],
        queues: Callable[[], Mapping[Ref, Key]],
        *,
        words: Callable[[Ref], frozenset[str]],
        no_notices: Callable[[], str],
        clock: Callable[[], datetime],
        on_change: Callable[[Ref], None],
        on_verdict: Callable[[Ref, str], None],
    ) -> None:
        self.found: dict[Ref, tuple[DeadLetters, ...]] = {}
        self._home, self._broker, self._queues = home, broker, queues
        self._words, self._no_notices, self._clock = words, no_notices, clock
        self._on_change, self._on_verdict = on_change, on_verdict
        self._looked = False
        self._names: dict[Ref, str] = {}
        self._rooms: dict[Ref, Room] = {}
        self._capture: Capture | None = None
        self._silent: Unavailable | None = None  # what keeps notices cannot be read
        self._told: dict[Ref, tuple[object, str, datetime]] = {}

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
            held = await broker.dead_letters(queues.values())
            await self._look_at_capture(broker)
        except BrokerError as error:
            log.debug("dead letters: %s", error)
            return
        self._looked = True
        self._names = {ref: key.name for ref, key in queues.items()}
        self._remember({ref: held.get(key) for ref, key in queues.items()})
        for ref in self.found:
            self._tell(ref)

    def capturing(self, ref: Ref) -> tuple[Aspect, ...]:
        """Whether the dead letters of a queue are kept, as far as anybody looked."""
        if not self._looked:
            return ()
        if self._silent is not None:  # what is raised meanwhile is kept nowhere
            said = f"what keeps the broker's notices does not answer: {self._silent}"
            return (no("Capturing", self._silent.reason, said),)
        name, home = self._names.get(ref, ""), f"{self._home.namespace}/{self._home.name}"
        place = Place(name, home, self._rooms.get(ref), self._words(ref), self._no_notices())
        return (capturing(self._capture, place),)

    async def _look_at_capture(self, broker: Broker) -> None:
        if self._no_notices():
            return
        try:
            self._capture, self._silent = await broker.capture(), None
        except Unavailable as error:
            self._silent = error

    def _remember(self, held: Mapping[Ref, Holding | Unread | None]) -> None:
        """What is not there holds nothing; what could not be read is as it was."""
        unread = {ref for ref, one in held.items() if isinstance(one, Unread)}
        seen = {ref: one for ref, one in held.items() if isinstance(one, Holding)}
        kept = {ref: self.found[ref] for ref in unread if ref in self.found}
        absent = {ref: () for ref, one in held.items() if one is None}
        self.found = {**absent, **{ref: one.groups for ref, one in seen.items()}, **kept}
        rooms = {ref: self._rooms[ref] for ref in unread if ref in self._rooms}
        self._rooms = {**{ref: one.room for ref, one in seen.items()}, **rooms}
        self._told = {ref: told for ref, told in self._told.items() if ref in held}

    def _tell(self, ref: Ref) -> None:
        """Say what is new at once; what only grows older, now and then."""
        (verdict,), now = self.capturing(ref), self._clock()
        news = (self.found[ref], verdict)
        told, reason, at = self._told.get(ref, (None, "", now))
        if news != told or (self.found[ref] and now - at >= AGEING):
            self._told[ref] = (news, verdict.reason, now)
            self._on_change(ref)
        if verdict.reason != reason:
            self._on_verdict(ref, verdict.reason)
