"""Waiting for something to become true, never for time to pass. Knows nothing of what is waited for."""

import asyncio
from collections.abc import Awaitable, Callable

from headgate.local.errors import LocalError


async def until(
    what: str, check: Callable[[], Awaitable[bool]], *, limit: float = 30.0, every: float = 0.05
) -> None:
    """Return once `check` says yes; LocalError(TimedOut), which says `what` was waited for, after `limit` seconds."""
    try:
        async with asyncio.timeout(limit):
            while True:
                if await check():
                    return
                await asyncio.sleep(every)
    except TimeoutError:
        raise LocalError("TimedOut", f"waited {limit:g} s in vain until {what}") from None
