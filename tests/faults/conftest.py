"""The lanes in which lives are lived, and what an undisturbed life is like: made once, used by all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest_asyncio
from tests.faults.lane import lane
from tests.faults.plans import PLAIN, POISONED, Arena, rehearsed, undisturbed

from headgate.local.client import Client
from headgate.local.cluster import Cluster
from headgate.local.install import install_crds
from headgate.local.run import Run

LANES = 6


@pytest_asyncio.fixture(scope="session")
async def arena(cluster: Cluster, api: Client, servers: Run) -> AsyncIterator[Arena]:
    """Several lanes that did nothing yet but to live undisturbed."""
    await install_crds(api)
    async with AsyncExitStack() as stack:
        names = [f"faults-{number}" for number in range(LANES)]
        lanes = [await stack.enter_async_context(lane(cluster, api, servers, name)) for name in names]
        plain, poisoned = await asyncio.gather(undisturbed(lanes[0], PLAIN), undisturbed(lanes[1], POISONED))
        await asyncio.gather(rehearsed(lanes[0], plain), rehearsed(lanes[1], poisoned))
        yield Arena(lanes, {PLAIN: plain, POISONED: poisoned})
