"""Whether an object is Ready, and if not, whose turn it is: one list of checks for every kind. Knows no kind and no clock."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Final

from headgate.api import Condition, Mode
from headgate.core.compiled import Effect
from headgate.core.conditions import Aspect, find, yes
from headgate.core.outcomes import Finding, Outcome
from headgate.core.status.account import ManagedAccount, Outage


class Course(StrEnum):
    """How things go on from here."""

    DONE = "Done"
    UNDER_WAY = "UnderWay"  # by itself
    STUCK = "Stuck"  # not without a person


@dataclass(frozen=True, slots=True)
class Verdict:
    """What Ready says; `kept` where it goes on saying what it said."""

    reason: str
    message: str
    course: Course
    holds: bool | None = field(default=False, kw_only=True)
    kept: bool = field(default=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Trial:
    """An account with what follows from it, for the checks below to look at."""

    account: ManagedAccount
    before: Collection[Condition]
    mourning: str = ""  # the identity whose loss nobody has acknowledged

    @property
    def declared(self) -> Iterator[Finding]:
        """Findings that need no look at the broker."""
        yield from self.account.findings
        if self.account.compiled is not None:
            yield from self.account.compiled.findings
            for note in self.account.compiled.notes:
                if note.effect == Effect.REFUSED:
                    yield Finding(Outcome.REFUSED, "Unsupported", f"{note.field}: {note.message}", note.field)

    @property
    def planned(self) -> Iterator[Finding]:
        """Findings on the objects in the broker."""
        for standing in self.account.standings:
            yield from standing.findings

    @property
    def remarked(self) -> Iterator[Finding]:
        """What the broker shows of its objects and what stands in the way of nothing."""
        for standing in self.account.standings:
            yield from standing.remarks

    @property
    def pending(self) -> bool:
        """Whether something is still to be done."""
        standings = self.account.standings
        return not standings or any(standing.action is not None for standing in standings)


Check = Callable[[Trial], Verdict | None]


def judge(trial: Trial) -> Verdict:
    """The first verdict that applies; the last check always has one."""
    return next(verdict for check in _CHECKS if (verdict := check(trial)) is not None)


def said(findings: Iterable[Finding], outcome: Outcome) -> tuple[str, str] | None:
    """The reason and the sentences of all findings of one outcome."""
    found = [finding for finding in findings if finding.outcome is outcome]
    if not found:
        return None
    return found[0].reason, "; ".join(dict.fromkeys(_told(finding) for finding in found))


def _told(finding: Finding) -> str:
    """Its message, which always names the field."""
    named = not finding.field or finding.field in finding.message
    return finding.message if named else f"{finding.field}: {finding.message}"


def away(
    outage: Outage | None, before: Collection[Condition], generation: int, passed: timedelta
) -> Verdict | None:
    """Nothing is heard: for a while Ready says what it said of this generation, then that nobody knows."""
    if outage is None:
        return None
    message = f"{outage.about}: {outage.message}"
    if passed > outage.grace:
        return Verdict("Unreachable", message, Course.UNDER_WAY)
    ready = find(before, "Ready")
    if ready is not None and ready.observed_generation == generation:
        return Verdict("Unreachable", message, Course.DONE, holds=None, kept=True)
    return Verdict("Unreachable", message, Course.UNDER_WAY, holds=None)


def _suspended(trial: Trial) -> Verdict | None:
    if not trial.account.suspended or trial.account.deleting:
        return None
    kept = find(trial.before, "Ready") is not None
    return Verdict(
        "Suspended", "nothing was done before spec.suspend was set", Course.DONE, holds=None, kept=kept
    )


def _estate_vanished(trial: Trial) -> Verdict | None:
    estate = trial.account.estate
    if estate is None or estate.acknowledged:
        return None
    return Verdict("EstateVanished", estate.message, Course.STUCK)


def _refused(trial: Trial) -> Verdict | None:
    return _verdict(trial.declared, Outcome.REFUSED)


def _unreachable(trial: Trial) -> Verdict | None:
    account = trial.account
    passed = timedelta(0) if account.outage is None else account.now - account.outage.since
    return away(account.outage, trial.before, account.generation, passed)


def _lost(trial: Trial) -> Verdict | None:
    found = said(trial.planned, Outcome.LOST)
    if found is not None:
        return Verdict("DataLost", found[1], Course.STUCK)
    return Verdict("DataLost", lost_before(trial.mourning), Course.STUCK) if trial.mourning else None


def _obstructed(trial: Trial) -> Verdict | None:
    """In Plan and Observe nothing is attempted, so what would stand in the way is told elsewhere."""
    if trial.account.mode is not Mode.ENFORCE and not trial.account.deleting:
        return None
    for outcome in (Outcome.CONFLICT, Outcome.BLOCKED, Outcome.REFUSED, Outcome.WAITING):
        if (verdict := _verdict(trial.planned, outcome)) is not None:
            return verdict
    return None


def _waiting(trial: Trial) -> Verdict | None:
    if trial.account.deleting:
        return Verdict("Deleting", "the object is being deleted", Course.UNDER_WAY)
    for outcome in (Outcome.LOST, Outcome.CONFLICT, Outcome.BLOCKED, Outcome.WAITING):
        if (verdict := _verdict(trial.declared, outcome)) is not None:
            return verdict
    return None


def _only_looking(trial: Trial) -> Verdict | None:
    match trial.account.mode:
        case Mode.PLAN:
            return Verdict(
                "PlanOnly", "mode is Plan: see status.plan for what would change", Course.DONE, holds=True
            )
        case Mode.OBSERVE:
            return Verdict(
                "Observed", "mode is Observe: nothing is changed in the broker", Course.DONE, holds=True
            )
        case _:
            return None


def _under_way(trial: Trial) -> Verdict | None:
    if not trial.pending:
        return None
    return Verdict("Progressing", "the broker does not yet hold what is declared", Course.UNDER_WAY)


def _in_sync(trial: Trial) -> Verdict | None:
    del trial
    return Verdict("InSync", "the broker holds what is declared", Course.DONE, holds=True)


_CHECKS: Final[tuple[Check, ...]] = (
    _suspended,  # leaves everything as it was
    _estate_vanished,  # nothing is done on this broker
    _refused,  # known without the broker
    _unreachable,  # nothing below is known without it
    _lost,
    _obstructed,
    _waiting,
    _only_looking,
    _under_way,
    _in_sync,
)

_NAMED_BY_OUTCOME: Final = frozenset({Outcome.LOST, Outcome.CONFLICT, Outcome.BLOCKED})


def _verdict(findings: Iterable[Finding], outcome: Outcome) -> Verdict | None:
    found = said(findings, outcome)
    if found is None:
        return None
    reason, message = found
    course = Course.UNDER_WAY if outcome is Outcome.WAITING else Course.STUCK
    return Verdict(outcome.value if outcome in _NAMED_BY_OUTCOME else reason, message, course)


def lost_before(identity: str) -> str:
    """What is said of a loss for as long as nobody acknowledges it."""
    return (
        "what the object held was lost, and a new, empty one was made: annotate headgate.dev/acknowledge: "
        f'"{identity}" to say that the loss is known'
    )


def course_aspects(verdict: Verdict) -> Iterator[Aspect]:
    """Ready, and what kstatus expects beside it."""
    yield Aspect("Ready", verdict.holds, verdict.reason, verdict.message)
    if verdict.course is Course.UNDER_WAY:
        yield yes("Reconciling", verdict.reason, verdict.message)
    if verdict.course is Course.STUCK:
        yield yes("Stalled", verdict.reason, verdict.message)
