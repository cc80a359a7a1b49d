"""Asking a running program how it is. Does not know what follows from the answer."""

import asyncio
from collections.abc import Callable

import aiohttp

from headgate.local.podspec import Probe

SOONER = 0.25  # seconds between two questions until the first yes: a laptop need not wait out the period


async def follow(probe: Probe, ip: str, http: aiohttp.ClientSession, tell: Callable[[bool], None]) -> None:
    """Ask for ever; `tell` hears each change that the thresholds make one, beginning with the first."""
    await asyncio.sleep(probe.delay)
    good: bool | None = None
    run = 0
    last: bool | None = None
    while True:
        answer = await ask(probe, ip, http)
        run = run + 1 if answer == last else 1
        last = answer
        if answer != good and run >= (probe.successes if answer else probe.failures):
            good = answer
            tell(good)
        await asyncio.sleep(probe.period if good else min(probe.period, SOONER))


async def ask(probe: Probe, ip: str, http: aiohttp.ClientSession) -> bool:
    """One question: any answer from 200 to 399 is a yes, for TCP an accepted connection."""
    host = probe.host or ip
    try:
        async with asyncio.timeout(probe.timeout):
            if not probe.path:
                _, writer = await asyncio.open_connection(host, probe.port)
                writer.close()
                return True
            url = f"{probe.scheme}://{host}:{probe.port}{probe.path}"
            async with http.get(url, allow_redirects=False, ssl=False) as response:
                return 200 <= response.status < 400  # noqa: PLR2004  (as the kubelet counts)
    except (OSError, TimeoutError, aiohttp.ClientError):
        return False
