"""One life with a fault in some of its steps, watched and judged. Knows no protocol."""

import asyncio
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final

from nats.errors import Error as NatsError
from tests.faults import oracles
from tests.faults.journal import BROKER, FORMER, KUBE, LEASE, MOVER, OPERATOR, Fault, Journal, Kind
from tests.faults.lane import Lane
from tests.faults.life import CREATED, DELETED, FAILED, UPDATED, Life
from tests.faults.reference import QUIET, SETTLED, Reference, born, still

from headgate.local.errors import LocalError

Json = dict[str, Any]
IN_TIME: Final = 2.0  # seconds, and what the step may take twice over: its own work, and that of a full pass
AT_LEAST: Final = 15.0  # seconds that are granted all the same: other work may come to a machine at any time
AGAIN: Final = 5.0  # seconds until what a killed mover had in hand comes to another one
UNSEEN: Final = 85.0  # seconds until a watch that tells nothing has to be given up
LATE: Final = 1.5  # seconds for a call that is still to come when all is well already
MOVER_OPENS: Final = "CONSUMER.DURABLE.CREATE.headgate_advisories.headgate_mover"
_COUNTED: Final = frozenset({"observedGeneration", "revision"})  # how often something changed


@dataclass(slots=True)
class Verdict:
    """What came of a fault."""

    fault: Fault
    struck: bool
    sure: bool  # whether the call comes in every life
    complaints: list[str] = field(default_factory=list)
    seconds: float = 0.0  # from the fault until all was well

    def __str__(self) -> str:
        return "\n    ".join([str(self.fault), *self.complaints[:6]])


@dataclass(slots=True)
class _Trial:
    """A life under way."""

    life: Life
    journal: Journal
    reference: Reference
    faults: Mapping[str, Fault]
    verdicts: list[Verdict] = field(default_factory=list)
    is_back: bool = False  # after the present fault
    seconds: dict[str, float] = field(default_factory=dict)  # that each step took

    @property
    def fault(self) -> Fault | None:
        return self.journal.fault

    @property
    def lane(self) -> Lane:
        return self.life.lane

    async def live(self) -> list[str]:
        """All steps, or those until something is wrong."""
        skipped: set[str] = set()
        for step in self.reference.steps:
            if step in skipped:
                continue
            began = monotonic()
            complaints = await self._step(step)
            self.seconds[step] = monotonic() - began
            if step == FAILED:
                await self.lane.programs[MOVER].kill()
            if complaints:
                return complaints
            if self.fault is not None and self.journal.struck:
                skipped |= _pointless(self.fault.kind)
        return []

    async def _step(self, step: str) -> list[str]:
        fault = self.faults.get(step)
        self.journal.expect(fault)
        self.is_back = False
        if fault is not None and fault.kind is Kind.SILENT:
            self.lane.kubes[OPERATOR].fall_silent()
            self.journal.strike()
        await self.life.step(step)
        complaints = await self._until_well(step)
        if fault is None:
            return complaints
        if not complaints and not self.journal.struck:
            await self._strike_late()
            complaints = await self._until_well(step)
        verdict = Verdict(fault, self.journal.struck, fault.point in self.reference.sure, complaints)
        self.verdicts.append(verdict)
        if verdict.struck and not complaints:
            verdict.seconds = monotonic() - self.journal.struck_at
            verdict.complaints = await self._afterwards(step)
        return verdict.complaints

    async def _strike_late(self) -> None:
        end = monotonic() + LATE
        while not self.journal.struck and (rest := end - monotonic()) > 0:
            await still(self.journal, rest)

    def _is_down(self) -> bool:
        """Whether somebody was struck and was not seen in order since."""
        return self.journal.struck and not (self.is_back and self.lane.kubes[OPERATOR].tells_all)

    async def _recovered(self) -> None:
        """Whoever was struck is back, or replaced, and has looked at everything."""
        self.is_back = True
        await self.journal.over()
        fault = self.fault
        if fault is None:
            return
        if fault.kind is Kind.PAUSED:
            self.lane.succeed()
        if fault.kind.kills or fault.kind is Kind.PAUSED:
            await self.lane.programs[fault.point.actor].ready()

    async def _until_well(self, step: str) -> list[str]:
        """Wait until all is as it should be; else say what is not."""
        began = monotonic()
        while (found := await self._differences(step)) or self._is_down():
            if self.journal.struck and not self.is_back:
                await self._recovered()
                began = monotonic()
                continue
            if monotonic() > began + self._patience(step):
                return found or ["O2 a watch that fell silent is still believed"]
            await still(self.journal, 0.6)
        return []

    def _patience(self, step: str) -> float:
        if step not in self.reference.seconds:
            return SETTLED
        if self.fault is not None and self.fault.kind is Kind.SILENT:
            return UNSEEN
        again = AGAIN if self.fault is not None and self.fault.point.actor == MOVER else 0.0
        return max(AT_LEAST, IN_TIME + 2 * self.reference.seconds[step]) + again

    async def _differences(self, step: str) -> list[str]:
        """From how all looks in a life without a fault; of what somebody declared meanwhile, in a life with just that."""
        found, pictures = await self.life.picture(), self.reference.pictures
        kind = self.fault.kind if self.fault is not None and self.journal.struck else None
        if kind is Kind.EDITED and step != DELETED:
            wanted = pictures[UPDATED if step == CREATED else CREATED]
            return oracles.same_end(_uncounted(found), _uncounted(wanted))
        if kind is Kind.WITHDRAWN:
            wanted = pictures[DELETED]
            made = {name: each for name, each in wanted.items() if name in found}  # else it was never made
            return oracles.same_end(found, made)
        return oracles.same_end(found, pictures[step])

    async def _afterwards(self, step: str) -> list[str]:
        """Whoever was paused goes on and does nothing any more; then all is quiet, and stays well."""
        complaints = await self._resumed() if self.fault and self.fault.kind is Kind.PAUSED else []
        began, first, picture = monotonic(), len(self.journal.calls), await self.life.picture()
        while (rest := began + QUIET - monotonic()) > 0:
            await still(self.journal, rest)
        late = [
            call for call in self.journal.calls[first:] if call.writes and not _of_a_look(call.point.name)
        ]
        quiet = oracles.silent([call for call in late if call.wire != LEASE], picture)
        return [*complaints, *quiet, *await self._differences(step)]

    async def _resumed(self) -> list[str]:
        """An old leader finds that he is none: he ends, and writes nothing before."""
        first, lines = len(self.journal.calls), self.lane.broker.accepted
        former = self.lane.programs[FORMER]
        former.signal(signal.SIGCONT)
        ended = await former.ended()
        await former.kill()
        calls = [call for call in self.journal.calls[first:] if call.point.actor == FORMER]
        written = [call for call in calls if call.writes and call.wire in {KUBE, BROKER, LEASE}]
        found = [f"O4 wrote without the Lease: {call.point}" for call in written]
        found += [] if ended else ["O4 goes on without the Lease"]
        return found + (["O4 connected anew"] if self.lane.broker.accepted > lines else [])


def _pointless(kind: Kind) -> set[str]:
    """Steps that make no sense any more once somebody has declared something else."""
    return {Kind.EDITED: {UPDATED, FAILED}, Kind.WITHDRAWN: {UPDATED, FAILED, DELETED}}.get(kind, set())


def _uncounted(value: Any) -> Any:
    """A picture that does not tell how often something was changed."""
    if isinstance(value, dict):
        return {key: _uncounted(inner) for key, inner in value.items() if key not in _COUNTED}
    return [_uncounted(inner) for inner in value] if isinstance(value, list) else value


def _of_a_look(name: str) -> bool:
    """A reader of its own is how the operator looks at dead letters; a mover asks for its durable when it connects."""
    return name in {"CONSUMER.CREATE.*-dead", MOVER_OPENS, *oracles.PASSING}


async def tried(lane: Lane, faults: Mapping[str, Fault], reference: Reference) -> list[Verdict]:
    """Live once with these faults, by step, and judge; a life that fails otherwise fails its last fault."""
    logs = {actor: (program.path, len(program.log)) for actor, program in lane.programs.items()}
    life, journal = await born(lane)
    trial = _Trial(life, journal, reference, faults)
    try:
        complaints = await trial.live()
    except (LocalError, NatsError) as error:
        complaints = [f"{type(error).__name__}: {error}"]
    written = {
        actor: path.read_text(errors="replace")[begun:]
        for actor, (path, begun) in logs.items()
        if path.exists()
    }
    events = await lane.api.get(f"/api/v1/namespaces/{lane.name}/events")
    found = oracles.safe(journal, life)
    found += [each for log in written.values() for each in oracles.calm(log)]
    found += oracles.discreet(lane.canary, {**written, "events": str(events)}, journal)
    found += [f"O5 the {actor} ended by itself" for actor, p in lane.programs.items() if p.died]
    found += [f"not permitted: {what}" for what in journal.forbidden]
    await _clean(life, spoiled=bool(complaints or found))
    return _blamed(trial, complaints, found)


def _blamed(trial: _Trial, complaints: list[str], found: list[str]) -> list[Verdict]:
    """What holds for a whole life is laid to all of its faults; what no fault explains, to one that never struck."""
    verdicts = trial.verdicts
    for verdict in verdicts:
        verdict.complaints += found
    if complaints and not any(verdict.complaints for verdict in verdicts):
        blamed = next(iter(trial.faults.values()))
        verdicts = [*verdicts, Verdict(blamed, struck=True, sure=False, complaints=complaints + found)]
    return verdicts


async def _clean(life: Life, *, spoiled: bool) -> None:
    """The next life begins as this one did."""
    if spoiled:
        await life.bury()
        await life.lane.stop()
    await life.lane.wipe()


async def rehearsed(lanes: Sequence[Lane], reference: Reference) -> None:
    """Live once more in some lanes without a fault, side by side and in haste: all have to end as the first life did.

    That tells which calls do not hang on the time, and how long a step takes when the machine has much to do.
    """
    took = await asyncio.gather(*(_rehearsed(lane, reference) for lane in lanes))
    reference.seconds = {step: max(each[step] for each in took) for step in reference.steps}


async def _rehearsed(lane: Lane, reference: Reference) -> Mapping[str, float]:
    life, journal = await born(lane)
    trial = _Trial(life, journal, reference, {})
    complaints = await trial.live()
    assert not complaints, "two lives without a fault differ:\n" + "\n".join(complaints)
    reference.sure &= {call.point for call in journal.calls}
    await lane.wipe()
    return trial.seconds
