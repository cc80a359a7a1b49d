"""Runs lives, undisturbed or with one fault, side by side in several lanes. Knows no protocol."""

import asyncio
import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final

from tests.faults import oracles
from tests.faults.journal import MOVER, OPERATOR, Fault, Journal, Kind, Point
from tests.faults.lane import Lane
from tests.faults.life import CREATED, DELETED, FAILED, UPDATED, Life, journal_of

Json = dict[str, Any]
PLAIN: Final = (CREATED, UPDATED, DELETED)
POISONED: Final = (CREATED, FAILED, DELETED)
IN_TIME: Final = 15.0  # seconds; starting again on a busy machine is in it
QUIET: Final = 2.2  # seconds; two full passes go by
SETTLED: Final = 30.0  # seconds for a step of an undisturbed life
LATE: Final = 1.5  # seconds for a call that is still to come when all is well already
TRIES: Final = 3  # lives, until a call comes that need not come in every life
MOVER_OPENS: Final = "CONSUMER.DURABLE.CREATE.headgate_advisories.headgate_mover"
_numbers = itertools.count(1)


@dataclass(slots=True)
class Reference:
    """A life without a fault: how it looks at the end of each step, and which calls it takes until then."""

    steps: tuple[str, ...]
    pictures: dict[str, Json] = field(default_factory=dict)
    points: dict[Point, str] = field(default_factory=dict)  # and the wire of each
    sure: set[Point] = field(default_factory=set)  # the first of every call that came again in a second life


@dataclass(slots=True)
class Verdict:
    """What came of a plan."""

    fault: Fault
    struck: bool
    sure: bool  # whether the call comes in every life
    complaints: list[str]
    seconds: float = 0.0  # from the fault until all was well

    def __str__(self) -> str:
        return "\n    ".join([str(self.fault), *self.complaints[:6]])


async def undisturbed(lane: Lane, steps: tuple[str, ...]) -> Reference:
    """Live once; every step is over when all is in order and nothing was written for a while."""
    reference = Reference(steps)
    life, journal = await _born(lane)
    for step in steps:
        await life.step(step)
        picture, at = await _at_rest(life, journal, step)
        reference.pictures[step] = picture
        reference.points.update(
            (call.point, call.wire) for call in journal.calls if call.point.step == step and call.began <= at
        )
        if step == FAILED:
            await lane.programs[MOVER].kill()
    await lane.wipe()
    return reference


async def rehearsed(lane: Lane, reference: Reference) -> None:
    """Live once more without a fault, in haste: it has to end the same, and tells which calls do not hang on the time."""
    life, journal = await _born(lane)
    nothing = Fault(Kind.TWICE, Point("", "", "", 0))
    complaints = await _Trial(life, journal, nothing, reference).live()
    assert not complaints, "two lives without a fault differ:\n" + "\n".join(complaints)
    reference.sure = {call.point for call in journal.calls if call.point.nth == 1}
    await lane.wipe()


async def _at_rest(life: Life, journal: Journal, step: str) -> tuple[Json, float]:
    """The picture that stays, and since when it stands."""
    picture, since = await life.picture(), monotonic()
    deadline = since + SETTLED
    while monotonic() < deadline:
        await _heard(journal, 0.3)
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


async def _heard(journal: Journal, limit: float) -> None:
    """Return when something went over a wire, or after a while: not every change makes a call."""
    journal.heard.clear()
    try:
        async with asyncio.timeout(limit):
            await journal.heard.wait()
    except TimeoutError:
        return


async def _born(lane: Lane) -> tuple[Life, Journal]:
    life = Life(lane, f"life{next(_numbers):04d}")
    journal = journal_of(life)
    lane.programs[OPERATOR].start()
    await lane.programs[OPERATOR].ready()
    return life, journal


@dataclass(slots=True)
class _Trial:
    """One life with one fault."""

    life: Life
    journal: Journal
    fault: Fault
    reference: Reference
    seconds: float = 0.0
    is_back: bool = False

    async def live(self) -> list[str]:
        """All steps, or those until something is wrong."""
        for step in self.reference.steps:
            await self.life.step(step)
            complaints = await self._after(step)
            if step == FAILED:
                await self.life.lane.programs[MOVER].kill()
            if complaints:
                return complaints
        return []

    async def _after(self, step: str) -> list[str]:
        wanted = self.reference.pictures[step]
        complaints = await self._until(wanted)
        if complaints or step != self.fault.point.step:
            return complaints
        if not self.journal.struck.is_set():
            await self._strike_late()
            complaints = await self._until(wanted)
        if not self.journal.struck.is_set():
            return []
        self.seconds = monotonic() - self.journal.struck_at
        return complaints or await self._quiet(wanted)

    async def _strike_late(self) -> None:
        try:
            async with asyncio.timeout(LATE):
                await self.journal.struck.wait()
        except TimeoutError:
            return

    def _is_down(self) -> bool:
        """Whether somebody was struck and was not seen in order since."""
        return self.journal.struck.is_set() and not self.is_back

    async def _recovered(self) -> None:
        """Whoever was killed is back and has looked at everything."""
        self.is_back = True
        await self.journal.dead()
        if self.fault.point.actor == MOVER:
            await self.life.hurry()
        if self.fault.kind.kills:
            await self.life.lane.programs[self.fault.point.actor].ready()

    async def _until(self, wanted: Json) -> list[str]:
        """Wait until all is as it should be; else say what is not."""
        began = monotonic()
        while (found := oracles.same_end(await self.life.picture(), wanted)) or self._is_down():
            if self._is_down():
                await self._recovered()
                continue
            if monotonic() > max(began, self.journal.struck_at) + IN_TIME:
                return found
            await _heard(self.journal, 0.3)
        return []

    async def _quiet(self, wanted: Json) -> list[str]:
        """Watch a while: nothing may be written, and all stays well."""
        began, first = monotonic(), len(self.journal.calls)
        while (rest := began + QUIET - monotonic()) > 0:
            await _heard(self.journal, rest)
        late = [
            call for call in self.journal.calls[first:] if call.writes and not _of_a_look(call.point.name)
        ]
        return [*oracles.silent(late, wanted), *oracles.same_end(await self.life.picture(), wanted)]


def _of_a_look(name: str) -> bool:
    """A reader of its own is how the operator looks at dead letters; a mover asks for its durable when it connects."""
    return name in {"CONSUMER.CREATE.*-dead", MOVER_OPENS, *oracles.PASSING}


async def tried(lane: Lane, fault: Fault, reference: Reference) -> Verdict:
    """Live once with a fault, and judge."""
    logs = {actor: len(program.log) for actor, program in lane.programs.items()}
    life, journal = await _born(lane)
    journal.fault = fault
    trial = _Trial(life, journal, fault, reference)
    complaints = await trial.live()
    written = {actor: lane.programs[actor].log[begun:] for actor, begun in logs.items()}
    events = await lane.api.get(f"/api/v1/namespaces/{lane.name}/events")
    complaints += oracles.safe(journal, life)
    complaints += [each for log in written.values() for each in oracles.calm(log)]
    complaints += oracles.discreet(lane.canary, {**written, "events": str(events)}, journal)
    complaints += [f"O5 the {actor} ended by itself" for actor, p in lane.programs.items() if p.died]
    await _clean(life, spoiled=bool(complaints))
    sure = fault.point in reference.sure
    return Verdict(fault, journal.struck.is_set(), sure, complaints, trial.seconds)


async def _clean(life: Life, *, spoiled: bool) -> None:
    """The next life begins as this one did."""
    if spoiled:
        await life.bury()
        for program in life.lane.programs.values():
            await program.kill()
    await life.lane.wipe()


def _is_routine(point: Point) -> bool:
    """While the operator waits for a dead letter, its passes repeat the same readings every second: two of each do."""
    reads = point.name == "INFO" or ".INFO." in point.name
    return point.step == FAILED and point.actor == OPERATOR and reads and point.nth > 2


@dataclass(slots=True)
class Arena:
    """Lanes, and what an undisturbed life looks like."""

    lanes: Sequence[Lane]
    references: Mapping[tuple[str, ...], Reference]

    def faults(self, kinds: Iterable[Kind], wire: str, steps: tuple[str, ...], *in_steps: str) -> list[Fault]:
        """Every call of a wire, with every kind of fault; of mere repetitions at rest the first two."""
        made = self.references[steps].points.items()
        points = sorted(p for p, w in made if w == wire and p.step in in_steps and not _is_routine(p))
        return [Fault(kind, point) for kind in kinds for point in points]

    async def run(self, faults: Sequence[Fault], steps: tuple[str, ...]) -> list[Verdict]:
        """Try all of them, as many at a time as there are lanes."""
        waiting, verdicts = list(reversed(faults)), list[Verdict]()

        async def work(lane: Lane) -> None:
            while waiting:
                verdicts.append(await self._one(lane, waiting.pop(), steps))

        await asyncio.gather(*(work(lane) for lane in self.lanes))
        return verdicts

    async def _one(self, lane: Lane, fault: Fault, steps: tuple[str, ...]) -> Verdict:
        """Calls come in an order of their own now and then: what did not come is waited for in another life."""
        verdict = await tried(lane, fault, self.references[steps])
        for _ in range(TRIES - 1):
            if verdict.struck or verdict.complaints:
                break
            verdict = await tried(lane, fault, self.references[steps])
        return verdict
