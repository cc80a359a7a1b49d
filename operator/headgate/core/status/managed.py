"""What the status of everything in a broker has in common: conditions, record, plan, loss. Knows no single kind."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from headgate.api import (
    Checkpoint,
    Condition,
    Effect,
    Lost,
    ManagedStatus,
    Mode,
    PlanEntry,
    Record,
    Unsupported,
)
from headgate.core.changes import Standing
from headgate.core.conditions import Aspect, find, merge, no, unknown, yes
from headgate.core.outcomes import Finding, Outcome
from headgate.core.resource import Diff
from headgate.core.status.account import ManagedAccount
from headgate.core.status.verdict import Course, Trial, Verdict, course_aspects, judge, lost_before, said

REMEMBERED: Final = timedelta(hours=1)  # for which status says that a reader came back at a position
RESUMED: Final = frozenset({"PositionResumed", "PositionUnknown", "OffsetsExpired"})  # how it came back
_NOTHING: Final = ManagedStatus()
_STANDING_CONDITIONS: Final = (Outcome.CONFLICT, Outcome.BLOCKED)


@dataclass(frozen=True, slots=True)
class Common:
    """The fields that every such status has; a status of a kind is built from it by name."""

    observed_generation: int
    conditions: tuple[Condition, ...]
    record: Record | None
    effective: Mapping[str, str] | None
    plan: tuple[PlanEntry, ...]
    unsupported: tuple[Unsupported, ...]
    lost: Lost | None
    still: bool = field(default=False, kw_only=True)  # nothing was looked at: figures stay as they were


def common(
    account: ManagedAccount,
    previous: ManagedStatus | None,
    *,
    aspects: Collection[Aspect] = (),
    checkpoint: Checkpoint | None = None,
    learned: Mapping[str, str] | None = None,
    unseen: Collection[str] = (),
) -> Common:
    """The common part of status after a pass; what was not looked at stays as it was."""
    before = previous or _NOTHING
    lost = _lost(account, before.lost)
    trial = Trial(account, before.conditions, _mourning(account, lost))
    verdict = judge(trial)
    still = verdict.reason in ("Unreachable", "Suspended", "EstateVanished")
    return Common(
        observed_generation=account.generation,
        conditions=_conditions(trial, verdict, (*account.aspects, *aspects), unseen, still=still),
        record=_record(account, before.record, checkpoint, learned),
        effective=before.effective
        if account.compiled is None
        else ({**account.compiled.effective, **account.defaults} or None),
        plan=before.plan if still else tuple(_plan(account)),
        unsupported=before.unsupported
        if account.compiled is None and still
        else tuple(_unsupported(account)),
        lost=lost,
        still=still,
    )


def _conditions(
    trial: Trial, verdict: Verdict, aspects: Collection[Aspect], unseen: Collection[str], *, still: bool
) -> tuple[Condition, ...]:
    account, before = trial.account, trial.before
    keep = {*account.unseen, *unseen}
    if still:
        keep |= {condition.type for condition in before} - _replaced(verdict)
    keep -= {aspect.type for aspect in aspects}
    wanted = (*course_aspects(verdict), *_own(trial, verdict), *aspects)
    return merge(before, wanted, generation=account.generation, now=account.now, keep=keep)


def _replaced(verdict: Verdict) -> set[str]:
    """What does not stay as it was when nothing was looked at."""
    told = {"Synced", "Suspended", "EstateVanished", "Resumed"}
    return told if verdict.kept else {*told, "Ready", "Reconciling", "Stalled"}


def _own(trial: Trial, verdict: Verdict) -> Iterator[Aspect]:
    account = trial.account
    yield _synced(trial, verdict)
    if account.suspended:
        yield yes(
            "Suspended", "Suspended", "spec.suspend is set: the broker and the workload are left as they are"
        )
    if account.estate is not None and not account.estate.acknowledged:
        yield yes("EstateVanished", account.estate.reason, account.estate.message)
    findings = (*trial.declared, *trial.planned)
    for outcome in _STANDING_CONDITIONS:
        if (found := said(findings, outcome)) is not None:
            yield yes(outcome.value, *found)
    yield from _losses(trial, findings)
    yield from _drift(account)
    if (warned := said((*trial.declared, *trial.remarked), Outcome.WARNING)) is not None:
        yield yes("Warning", *warned)
    yield from _resumed(trial)


def _losses(trial: Trial, findings: Collection[Finding]) -> Iterator[Aspect]:
    if (found := said(findings, Outcome.LOST)) is not None:
        yield yes("DataLost", *found)
    elif trial.mourning:
        yield yes("DataLost", "Recreated", lost_before(trial.mourning))


def _synced(trial: Trial, verdict: Verdict) -> Aspect:
    account = trial.account
    if verdict.reason in ("Unreachable", "Suspended"):
        return unknown("Synced", verdict.reason, verdict.message)
    if verdict.course is not Course.DONE:
        return no("Synced", verdict.reason, verdict.message)
    differs = any(standing.diffs or not standing.exists for standing in account.standings)
    if account.mode is Mode.ENFORCE or not differs:
        return yes("Synced", "InSync", "the broker holds what is declared")
    return no("Synced", verdict.reason, "the broker does not hold what is declared")


def _drift(account: ManagedAccount) -> Iterator[Aspect]:
    """Differences that nobody is going to repair, because somebody asked only to look."""
    if account.mode is not Mode.OBSERVE:
        return
    absent = [str(standing.key) for standing in account.standings if not standing.exists]
    differing = [
        f"{diff.word} of {standing.key} is {diff.was}, declared {diff.will}"
        for standing in account.standings
        for diff in standing.diffs
    ]
    if absent:
        yield yes("Drifted", "NotFound", f"{', '.join(absent)} is not in the broker")
    elif differing:
        yield yes("Drifted", "Differs", "; ".join(differing))


def _resumed(trial: Trial) -> Iterator[Aspect]:
    """A reader that came back is told for a while, so that people who look later still see it."""
    found = next((f for f in trial.planned if f.reason in RESUMED), None)
    before = find(trial.before, "Resumed")
    if found is not None:
        yield yes("Resumed", found.reason, found.message)
    elif before is not None and trial.account.now - before.last_transition_time < REMEMBERED:
        yield yes("Resumed", before.reason, before.message)


def _mourning(account: ManagedAccount, lost: Lost | None) -> str:
    """The loss that goes on being told although nothing is amiss any more."""
    current = any(standing.lost for standing in account.standings)
    return "" if lost is None or current else lost.external_id


def _lost(account: ManagedAccount, before: Lost | None) -> Lost | None:
    """What is gone: kept after a recreation until acknowledged, forgotten when the very object is back.

    While the whole estate is gone that is asked about on the EventBroker, once, and not here too. While the broker
    says nothing there is no news.
    """
    if account.outage is not None or (account.estate is not None and not account.estate.acknowledged):
        return before
    gone = next((standing.lost for standing in account.standings if standing.lost), "")
    if gone:
        same = before is not None and before.external_id == gone
        return before if same else Lost(external_id=gone, since=account.now)
    if before is None or account.acknowledged == before.external_id:
        return None
    back = any(standing.identity == before.external_id for standing in account.standings)
    return None if back else before


def _record(
    account: ManagedAccount,
    before: Record | None,
    checkpoint: Checkpoint | None,
    learned: Mapping[str, str] | None,
) -> Record | None:
    """What is remembered: the first object speaks for the custom resource; nothing is forgotten without a reason."""
    known = account.record
    first = account.standings[0] if account.standings else None
    remembered = before.checkpoint if before is not None else None
    if first is not None and known.checkpoint and not first.checkpoint:
        checkpoint = remembered = None  # positions in data that was made anew mean nothing
    record = Record(
        external_name=known.external_name or (account.external_name if first and first.owned else "") or None,
        identity=(first.identity if first else "") or known.identity or None,
        origin=(first.origin if first else None) or known.origin,
        checkpoint=checkpoint or remembered,
        learned=learned or (before.learned if before is not None else None),
    )
    return None if record == Record() else record


def _plan(account: ManagedAccount) -> Iterator[PlanEntry]:
    """What would change, where it is not simply changed."""
    for standing in account.standings:
        blocked = {f.field: f.reason for f in standing.findings if f.outcome is Outcome.BLOCKED}
        if standing.action is None or not (account.mode is Mode.PLAN or blocked):
            continue
        if not standing.diffs:
            yield PlanEntry(action=standing.action.value, target=str(standing.key))
        for diff in standing.diffs:
            yield _entry(standing, standing.action.value, diff, blocked.get(diff.word))


def _entry(standing: Standing, action: str, diff: Diff, blocked: str | None) -> PlanEntry:
    return PlanEntry(
        action=action,
        target=str(standing.key),
        field=diff.word,
        from_=diff.was,
        to=diff.will,
        blocked=blocked,
    )


def _unsupported(account: ManagedAccount) -> Iterator[Unsupported]:
    for note in account.compiled.notes if account.compiled is not None else ():
        yield Unsupported(field=note.field, message=note.message, effect=Effect(note.effect.value))
