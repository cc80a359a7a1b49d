"""The lanes in which lives are lived, what an undisturbed life is like, and what came of all faults: made once for all."""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from tests.faults.arena import Arena, Case
from tests.faults.journal import Fault
from tests.faults.lane import lane
from tests.faults.nursery import nursery
from tests.faults.reference import PLAIN, WHOLE, Reference, undisturbed
from tests.faults.trial import Verdict, rehearsed

from headgate.local.client import Client
from headgate.local.cluster import Cluster
from headgate.local.install import install_crds
from headgate.local.run import Run

LANES = 16  # most of what a life takes is waiting
REHEARSING = 6
Book = Mapping[Case, list[Verdict]]


@pytest_asyncio.fixture(scope="session")
async def arena(
    cluster: Cluster, api: Client, servers: Run, pytestconfig: pytest.Config
) -> AsyncIterator[Arena]:
    """Several lanes that did nothing yet but to live undisturbed."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")

    def say(line: str) -> None:
        """Past pytest's capture: all of this takes minutes."""
        with capture.global_and_fixture_disabled():
            sys.stdout.write(f"\n{line}")
            sys.stdout.flush()

    await install_crds(api)
    async with AsyncExitStack() as stack:
        crib = await stack.enter_async_context(nursery(servers, "nursery"))
        made = (lane(cluster, api, servers, crib, f"faults-{number}") for number in range(LANES))
        lanes = await asyncio.gather(*(stack.enter_async_context(each) for each in made))
        found = await asyncio.gather(undisturbed(lanes[0], PLAIN), undisturbed(lanes[1], WHOLE))
        await asyncio.gather(
            rehearsed(lanes[0:REHEARSING:2], found[0]), rehearsed(lanes[1:REHEARSING:2], found[1])
        )
        references: dict[tuple[str, ...], Reference] = {each.steps: each for each in found}
        for each in found:
            say(", ".join(f"{step} in {seconds:.1f} s" for step, seconds in each.seconds.items()))
        yield Arena(lanes, references, say)


@pytest_asyncio.fixture(scope="session")
async def book(arena: Arena, request: pytest.FixtureRequest) -> Book:
    """What came of the faults of all cases that were asked for; they share lives, so all of them are tried at once."""
    calls = (getattr(item, "callspec", None) for item in request.session.items)
    cases: list[Case] = [call.params["case"] for call in calls if call is not None and "case" in call.params]
    faults: dict[Case, list[Fault]] = {case: case.faults(arena.references) for case in cases}
    verdicts = await arena.run({fault for each in faults.values() for fault in each})
    return {case: [verdicts[fault] for fault in each] for case, each in faults.items()}
