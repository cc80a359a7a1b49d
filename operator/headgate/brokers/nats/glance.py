"""Streams as they were read a moment ago, for whoever asks right after. Reads nothing itself."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from headgate.brokers.nats.jetstream import JetStream, Json

SPAN: Final = 5.0  # seconds; a pass acts for longer on what it read at its beginning


@dataclass(frozen=True, slots=True)
class Moment:
    """When something was read: over which connection, and after how many changes of our own."""

    connection: object
    changes: int
    at: float


@dataclass(frozen=True, slots=True)
class _Seen:
    moment: Moment
    infos: Mapping[str, Json | None] = field(default_factory=dict)  # None: not there
    page: Json | None = None  # the first one of the list of all streams


class Glance:
    """What was read last. It counts while nothing was changed by us since, over the same connection, for a few seconds."""

    def __init__(self, js: JetStream, clock: Callable[[], float] | None = None) -> None:
        self._js = js
        self._clock = clock or (lambda: asyncio.get_running_loop().time())
        self._seen: _Seen | None = None

    def now(self) -> Moment:
        """To be asked for before the reading begins."""
        return Moment(self._js.connection, self._js.changes, self._clock())

    def keep(
        self, moment: Moment, infos: Mapping[str, Json | None] | None = None, page: Json | None = None
    ) -> None:
        """Remember what was read; a page is large and let go of soon."""
        seen = self._seen = _Seen(moment, infos or {}, page)
        asyncio.get_running_loop().call_later(SPAN, self._drop, seen)

    def infos(self, names: Collection[str]) -> Mapping[str, Json] | None:
        """Those of some streams that are there; None where it is not known of all of them."""
        seen = self._valid()
        if seen is None or not seen.infos.keys() >= set(names):
            return None
        return {name: info for name in names if (info := seen.infos[name]) is not None}

    def page(self) -> Json | None:
        """The first page of the list of all streams."""
        seen = self._valid()
        return seen.page if seen is not None else None

    def _valid(self) -> _Seen | None:
        if self._seen is None:
            return None
        then, now = self._seen.moment, self.now()
        same = (then.connection, then.changes) == (now.connection, now.changes)
        return self._seen if same and now.at - then.at < SPAN else None

    def _drop(self, seen: _Seen) -> None:
        if self._seen is seen:
            self._seen = None
