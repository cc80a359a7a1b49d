"""How hard a broker may be pressed: so many requests at once, so many a second. Knows no broker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Bucket:
    """Tokens that refill at a steady rate; a second's worth may be spent at once."""

    def __init__(self, per_second: int) -> None:
        self._rate = per_second
        self._tokens = float(per_second)
        self._stamp: float | None = None

    async def take(self) -> None:
        """Wait for a token. Those who wait get theirs in the order in which they asked."""
        now = asyncio.get_running_loop().time()
        if self._stamp is not None:
            self._tokens = min(float(self._rate), self._tokens + (now - self._stamp) * self._rate)
        self._stamp = now
        self._tokens -= 1  # a debt is the place in the line
        if self._tokens < 0:
            await asyncio.sleep(-self._tokens / self._rate)


class Pace:
    """One lane of requests with its own rate, inside a number of requests that all lanes share."""

    def __init__(self, per_second: int, in_flight: asyncio.Semaphore) -> None:
        self._bucket = Bucket(per_second)
        self._in_flight = in_flight

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """One request may be made inside."""
        await self._bucket.take()
        async with self._in_flight:
            yield
