"""What an undisturbed life is like: how all looks at the end of each step, and the calls until then. Knows no fault."""

import asyncio
import itertools
import json
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final

from tests.faults.journal import MOVER, OPERATOR, Call, Journal, Point
from tests.faults.lane import Lane
from tests.faults.life import CREATED, DELETED, FAILED, UPDATED, Life

Json = dict[str, Any]
PLAIN: Final = (CREATED, UPDATED, DELETED)
WHOLE: Final = (CREATED, UPDATED, FAILED, DELETED)
QUIET: Final = 2.2  # seconds; two full passes go by
SETTLED: Final = 60.0  # seconds for a step of an undisturbed life
STILL: Final = 0.15  # seconds without a call after which a look is worth its price
_numbers = itertools.count(1)


@dataclass(slots=True)
class Reference:
    """A life without a fault."""

    steps: tuple[str, ...]
    pictures: dict[str, Json] = field(default_factory=dict)
    points: dict[Point, Call] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)  # a step takes while other lanes are at work
    sure: set[Point] = field(
        default_factory=set
    )  # the first of every call that came in all lives without a fault


async def undisturbed(lane: Lane, steps: tuple[str, ...]) -> Reference:
    """Live once; every step is over when all is in order and nothing was written for a while."""
    reference = Reference(steps)
    life, journal = await born(lane)
    for step in steps:
        await life.step(step)
        picture, at = await _at_rest(life, journal, step)
        reference.pictures[step] = picture
        reference.points.update(
            (call.point, call) for call in journal.calls if call.point.step == step and call.began <= at
        )
        if step == FAILED:
            await lane.programs[MOVER].kill()
    reference.sure = {point for point in reference.points if point.nth == 1}
    await lane.wipe()
    return reference


async def born(lane: Lane) -> tuple[Life, Journal]:
    """A new life in a lane, with an operator that waits for it."""
    life = Life(lane, f"life{next(_numbers):04d}")
    journal = lane.journal = Journal(life.mask, life.hands())
    lane.programs[OPERATOR].start()
    await lane.programs[OPERATOR].ready()
    return life, journal


async def still(journal: Journal, limit: float) -> None:
    """Return when something went over a wire and nothing follows, or after a while: not every change makes a call."""
    end = monotonic() + limit
    if await _heard(journal, limit):
        while monotonic() < end and await _heard(journal, STILL):
            pass


async def _heard(journal: Journal, limit: float) -> bool:
    journal.heard.clear()
    try:
        async with asyncio.timeout(limit):
            await journal.heard.wait()
    except TimeoutError:
        return False
    return True


async def _at_rest(life: Life, journal: Journal, step: str) -> tuple[Json, float]:
    """The picture that stays, and since when it stands."""
    picture, since = await life.picture(), monotonic()
    deadline = since + SETTLED
    while monotonic() < deadline:
        await still(journal, 0.3)
        now = await life.picture()
        if now != picture:
            picture, since = now, monotonic()
        elif monotonic() - since > 2 * QUIET and _in_order(picture, step):
            return picture, since
    raise AssertionError(f"{step}: not in order after {SETTLED:g} s: {json.dumps(picture, indent=1)}")


def _in_order(picture: Json, step: str) -> bool:
    objects = [each["status"] for each in picture.values() if "status" in each]
    if step == DELETED:
        return not objects
    dead = picture["deadletterqueues *-dead"]["status"]
    return all(_ready(status) for status in objects) and (step != FAILED or "depth" in dead)


def _ready(status: Json | None) -> bool:
    said = {c["type"]: c["status"] for c in (status or {}).get("conditions") or ()}
    return said.get("Ready") == "True"
