"""A program becomes ready or ends: whichever comes first. Does not know what ready means."""

import asyncio
from collections.abc import Coroutine
from contextlib import closing, suppress

from headgate.local.errors import LocalError
from headgate.local.processes import Process
from headgate.local.waiting import until

LAST_WORDS = (
    6000  # characters: servers on a virtual machine of their own say the cause first, and much after it
)


async def served(process: Process, ready: Coroutine[None, None, None], *, reason: str) -> None:
    """Return once `ready` does; LocalError(reason) with the last words of a program that ends or never gets there."""
    up = asyncio.ensure_future(ready)
    ended = asyncio.ensure_future(process.wait())
    try:
        await asyncio.wait({up, ended}, return_when=asyncio.FIRST_COMPLETED)
        if not up.done():
            raise LocalError(reason, f"{process.name} ended before it was ready:\n{process.tail(LAST_WORDS)}")
        try:
            up.result()
        except LocalError as error:
            raise LocalError(
                reason, f"{process.name}: {error}; it wrote:\n{process.tail(LAST_WORDS)}"
            ) from error
    finally:
        for each in (up, ended):
            each.cancel()
            with suppress(asyncio.CancelledError, LocalError):
                await each


async def listening(host: str, port: int, *, limit: float) -> None:
    """Return once something takes connections there."""

    async def connects() -> bool:
        with suppress(OSError):
            _, writer = await asyncio.open_connection(host, port)
            with closing(writer):
                return True
        return False

    await until(f"something listens on port {port}", connects, limit=limit)
