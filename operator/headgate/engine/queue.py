"""A keyed queue that remembers what is due, not what happened. Knows nothing of what its keys stand for."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT")

FIRST_WAIT = 0.5  # seconds before the first repetition of a key that failed
LONGEST_WAIT = 60.0


class DirtyQueue(Generic[KeyT]):
    """Keys that need a look, each at most once; failed ones come back after a wait that doubles.

    `clock` gives seconds that never run backwards, `jitter` a factor around 1 for every wait.
    """

    def __init__(self, clock: Callable[[], float], jitter: Callable[[], float]) -> None:
        self._clock = clock
        self._jitter = jitter
        self._ready: dict[KeyT, None] = {}
        self._later: dict[KeyT, float] = {}
        self._failures: dict[KeyT, int] = {}
        self._woken = asyncio.Event()

    def __len__(self) -> int:
        return len(self._ready)

    def add(self, keys: Iterable[KeyT]) -> None:
        """Mark keys as due now."""
        for key in keys:
            self._ready[key] = None
            self._later.pop(key, None)
        if self._ready:
            self._woken.set()

    def retry(self, key: KeyT) -> float:
        """Mark a key as failed; returns the wait in seconds until it is due again."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        wait = min(LONGEST_WAIT, FIRST_WAIT * float(2 ** min(failures, 16))) * self._jitter()
        self.at(key, wait)
        return wait

    def at(self, key: KeyT, wait: float) -> None:
        """Have a key come back after `wait` seconds, or earlier where that was asked before."""
        due = self._clock() + wait
        if key not in self._ready:
            self._later[key] = min(due, self._later.get(key, due))
        self._woken.set()

    def settled(self, key: KeyT) -> None:
        """Forget the failures of a key."""
        self._failures.pop(key, None)

    def forget(self, key: KeyT) -> None:
        """Drop a key altogether."""
        for store in (self._ready, self._later, self._failures):
            store.pop(key, None)

    def take(self) -> tuple[KeyT, ...]:
        """All keys that are due, in the order in which they became so; they are no longer in the queue."""
        self._promote()
        keys = tuple(self._ready)
        self._ready.clear()
        return keys

    async def wait(self, at_most: float) -> None:
        """Return when something is due, or after `at_most` seconds."""
        deadline = self._clock() + at_most
        while not self._promote():
            now = self._clock()
            if now >= deadline:
                return
            self._woken.clear()
            next_due = min((*self._later.values(), deadline))
            try:
                async with asyncio.timeout(max(0.0, next_due - now)):
                    await self._woken.wait()
            except TimeoutError:
                continue

    def _promote(self) -> bool:
        now = self._clock()
        for key in [key for key, due in self._later.items() if due <= now]:
            del self._later[key]
            self._ready[key] = None
        return bool(self._ready)
