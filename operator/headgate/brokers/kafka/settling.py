"""Looks after a change until the cluster shows it, and knows what it must show for a while after. Decides nothing.

Brokers learn of changes one after the other: right after a success some still show the old state. What is read then is
neither drift nor a loss.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Final

from headgate.brokers.base import Unavailable, Unknown
from headgate.core.resource import Key, Observed, Unread

SHORT: Final = 0.05  # seconds between two looks
LONG: Final = 0.4
STALE: Final = 5.0  # seconds after a change for which an old state is not believed
Look = Callable[[Key], Awaitable[Observed | Unread | None]]
Read = Callable[[Collection[Key]], Awaitable[Mapping[Key, Observed | Unread]]]


class Settling:
    """What was written lately, and what has to be seen of it."""

    def __init__(self, look: Look, patience: float) -> None:
        self._look = look
        self._patience = patience
        self._lately: dict[Key, tuple[Observed | None, float]] = {}

    async def shown(self, key: Key, enough: Callable[[Observed | None], bool], what: str) -> Observed | None:
        """The object once the cluster shows the change; Unknown where it does not do so in time."""
        deadline = asyncio.get_running_loop().time() + self._patience
        wait = SHORT
        while True:
            found = await self._look(key)
            if not isinstance(found, Unread) and enough(found):
                self._lately[key] = found, asyncio.get_running_loop().time() + STALE
                return found
            if asyncio.get_running_loop().time() >= deadline:
                said = f"; {found.message}" if isinstance(found, Unread) else ""
                text = f"{key}: {what} was accepted and not seen within {self._patience:.0f}s{said}; it is read back"
                raise Unknown("TimedOut", text)
            await asyncio.sleep(wait)
            wait = min(LONG, wait * 2)

    async def believed(self, keys: Collection[Key], read: Read) -> Mapping[Key, Observed | Unread]:
        """What is there; what was written lately is read again until it looks like it, or until it has had its time."""
        found = dict(await read(keys))
        wait = SHORT
        while doubted := [key for key in keys if self._doubtful(key, found.get(key))]:
            await asyncio.sleep(wait)
            wait = min(LONG, wait * 2)
            again = await read(doubted)
            for key in doubted:
                found.pop(key, None)
            found.update(again)
        return found

    def _doubtful(self, key: Key, found: Observed | Unread | None) -> bool:
        """Whether a read contradicts what was seen after a change a moment ago."""
        if key not in self._lately or isinstance(found, Unread):
            return False
        seen, until = self._lately[key]
        if asyncio.get_running_loop().time() >= until:
            del self._lately[key]
            return False
        if seen is None or found is None:
            return (seen is None) is not (found is None)
        return (seen.identity, seen.resource) != (found.identity, found.resource)


def there(found: Observed | Unread | None, key: Key) -> Observed | None:
    """The object, or that it is absent; where nothing is known of it nothing can be changed now."""
    if isinstance(found, Unread):
        raise Unavailable(found.reason, f"{key}: {found.message}")
    return found
