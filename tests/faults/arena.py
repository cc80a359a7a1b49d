"""All lives that are needed to try some faults, side by side in several lanes; one life tries a fault in each step."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from time import monotonic
from typing import Final

from tests.faults.journal import BROKER, KUBE, OPERATOR, WATCH, Fault, Kind, Point
from tests.faults.lane import Lane
from tests.faults.life import DELETED, FAILED
from tests.faults.reference import PLAIN, WHOLE, Reference
from tests.faults.trial import Verdict, tried

TRIES: Final = 5  # lives, until a call comes that need not come in every life
SAY_EVERY: Final = 30.0  # seconds


@dataclass(frozen=True, slots=True)
class Case:
    """Everything of a kind that is to be tried at every call of an actor on a wire, in a step."""

    kind: Kind
    step: str
    wire: str = BROKER
    actor: str = OPERATOR

    def __str__(self) -> str:
        what = {KUBE: "a write to Kubernetes", BROKER: "a broker call", WATCH: "an event"}[self.wire]
        return f"{self.step}: {what} of the {self.actor}: {self.kind}"

    def faults(self, references: Mapping[tuple[str, ...], Reference]) -> list[Fault]:
        """Every call; of mere repetitions at rest the first two."""
        if self.kind is Kind.SILENT:
            return [Fault(self.kind, Point(self.step, self.actor, "all watches", 1))]
        points = references[story_of(self.step)].points.items()
        found = [
            point
            for point, call in points
            if (point.step, point.actor, call.wire) == (self.step, self.actor, self.wire)
        ]
        return [Fault(self.kind, point) for point in sorted(found) if not _is_routine(point)]


def story_of(step: str) -> tuple[str, ...]:
    """The shortest life with a step in it."""
    return WHOLE if step == FAILED else PLAIN


def _is_routine(point: Point) -> bool:
    """While the operator waits for a dead letter, its passes repeat the same readings every second: two of each do."""
    reads = point.name == "INFO" or ".INFO." in point.name
    return point.step == FAILED and point.actor == OPERATOR and reads and point.nth > 2


@dataclass(slots=True)
class Arena:
    """Lanes, what an undisturbed life looks like, and what is still to be tried."""

    lanes: Sequence[Lane]
    references: Mapping[tuple[str, ...], Reference]
    say: Callable[[str], None]
    lives: int = 0
    _waiting: dict[str, deque[Fault]] = field(default_factory=dict)
    _tries: Counter[Fault] = field(default_factory=Counter)
    _verdicts: dict[Fault, Verdict] = field(default_factory=dict)

    async def run(self, faults: Iterable[Fault]) -> Mapping[Fault, Verdict]:
        """Try all of them, as many at a time as there are lanes. What only takes patience begins first."""
        mixed = sorted(faults, key=lambda fault: str(fault.point))
        Random(1).shuffle(mixed)  # noqa: S311  (long and short ones side by side, in the same order every time)
        mixed.sort(key=lambda fault: fault.kind is not Kind.SILENT)
        for step in WHOLE:
            self._waiting[step] = deque(fault for fault in mixed if fault.point.step == step)
        speaking = asyncio.create_task(self._speak(len(mixed)))
        await asyncio.gather(*(self._work(lane) for lane in self.lanes))
        speaking.cancel()
        self.say(f"{len(mixed)} faults were tried in {self.lives} lives")
        return self._verdicts

    async def _work(self, lane: Lane) -> None:
        while plan := self._next():
            story = WHOLE if FAILED in plan else PLAIN
            self.lives += 1
            for verdict in await tried(lane, plan, self.references[story]):
                self._take(verdict)
            for fault in plan.values():  # those that never had their turn
                if fault not in self._verdicts and fault not in self._waiting[fault.point.step]:
                    self._waiting[fault.point.step].append(fault)

    def _take(self, verdict: Verdict) -> None:
        """Calls come in an order of their own now and then: what did not come is waited for in another life."""
        fault = verdict.fault
        self._tries[fault] += 1
        if verdict.struck or verdict.complaints or self._tries[fault] >= TRIES:
            self._verdicts[fault] = verdict

    def _next(self) -> dict[str, Fault]:
        """A fault for each step of one life."""
        story = WHOLE if self._waiting[FAILED] else PLAIN
        plan: dict[str, Fault] = {}
        for step in story:
            before = {fault.kind for fault in plan.values()}
            if Kind.WITHDRAWN in before or (Kind.EDITED in before and step != DELETED):
                continue
            if story is WHOLE and step == DELETED:
                continue  # what is deleted then looks otherwise
            waiting = self._waiting[step]
            found = next((f for f in waiting if story is PLAIN or not f.kind.meddles), None)
            if found is not None:
                waiting.remove(found)
                plan[step] = found
        return plan

    async def _speak(self, total: int) -> None:
        began = monotonic()
        while True:
            await asyncio.sleep(SAY_EVERY)
            done = len(self._verdicts)
            self.say(f"{done} of {total} faults in {self.lives} lives after {monotonic() - began:.0f} s")
