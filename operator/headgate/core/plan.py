"""What must change so that a broker holds what is claimed. Pure: knows no broker, no clock and no cluster."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from headgate.api import DeletionPolicy, Mode, Origin
from headgate.core.changes import Action, Change, Plan, Standing
from headgate.core.claims import Claim, Farewell, Owner, Record
from headgate.core.outcomes import Finding, Outcome
from headgate.core.partings import NOT_EMPTY, PARTING_CHECKS, Parting
from headgate.core.resource import (
    Diff,
    FieldClass,
    Key,
    Observed,
    Resource,
    Unread,
    differences,
    reset_value,
    settings_of,
)
from headgate.core.safety import (
    OWNERSHIP_CHECKS,
    STATE_CHECKS,
    Case,
    impossible,
    origin_of,
    owns,
    stops,
)

_LAST: Final = datetime.max.replace(tzinfo=UTC)


def plan(
    claims: Iterable[Claim],
    observed: Mapping[Key, Observed | Unread],
    farewells: Iterable[Farewell] = (),
    *,
    earlier: Plan | None = None,
) -> Plan:
    """Every change that brings the broker to what is claimed, in the order in which they work, and what was found.

    Nothing at all is changed about an object while anything stands in the way of one of its changes, or while nothing
    is known of it. Whoever plans in portions puts what is needed before what needs it and hands every plan to the next
    one as `earlier`.
    """
    by_key = _by_key(claims)
    made = _Made()
    if earlier is not None:
        made.absent |= earlier.absent - by_key.keys()
        made.unread |= earlier.unread - by_key.keys()
        made.renewed |= earlier.renewed
    for key in _ordered({key: _needs(rivals) for key, rivals in by_key.items()}):
        _plan_key(by_key[key], observed.get(key), made)
    wanted = [claim for rivals in by_key.values() for claim in rivals]
    deletes = dict(_partings(sorted(farewells, key=lambda f: (f.key, f.owner)), observed, wanted, made))
    last = reversed(_ordered({key: _inside(change, deletes) for key, change in deletes.items()}))
    changes = (*made.changes, *(deletes[key] for key in last))
    standings = {owner: tuple(standings) for owner, standings in made.standings.items()}
    return Plan(changes, standings, frozenset(made.absent), frozenset(made.renewed), frozenset(made.unread))


def done(standing: Standing, change: Change, result: Observed | None) -> Standing:
    """Where a claim stands once its change was carried out; `result` is what the broker made of it."""
    if result is None:
        return replace(standing, exists=False, owned=False, identity="", diffs=(), action=None, remarks=())
    match change.action:
        case Action.CREATE:
            origin = Origin.CREATED
        case Action.ADOPT:
            origin = standing.origin or Origin.ADOPTED
        case _:
            origin = standing.origin or Origin.CREATED
    return replace(
        standing,
        exists=True,
        owned=True,
        identity=result.identity,
        origin=origin,
        diffs=(),
        action=None,
        remarks=_remarks(result),
    )


@dataclass(slots=True)
class _Made:
    """What was decided so far in one plan."""

    changes: list[Change] = field(default_factory=list)
    standings: dict[Owner, list[Standing]] = field(default_factory=dict)
    absent: set[Key] = field(default_factory=set)  # claimed, and not there for others to build on
    unread: set[Key] = field(default_factory=set)  # claimed, and nobody knows whether they are there
    renewed: set[Key] = field(default_factory=set)  # not the data that positions were recorded in

    def stand(self, owner: Owner, standing: Standing) -> None:
        self.standings.setdefault(owner, []).append(standing)


def _by_key(claims: Iterable[Claim]) -> dict[Key, list[Claim]]:
    by_key: dict[Key, list[Claim]] = {}
    for claim in sorted(claims, key=lambda c: (c.desired.key, c.owner)):
        by_key.setdefault(claim.desired.key, []).append(claim)
    return by_key


def _needs(rivals: Iterable[Claim]) -> set[Key]:
    return {need for claim in rivals for need in claim.desired.needs}


def _ordered(needs: Mapping[Key, Collection[Key]]) -> list[Key]:
    """Keys after those they need, else by name; needs outside are left out, a circle is cut at its first name."""
    placed: dict[Key, None] = {}
    seen: set[Key] = set()

    def place(key: Key) -> None:
        if key in needs and key not in seen:
            seen.add(key)
            for need in sorted(needs[key]):
                place(need)
            placed[key] = None

    for key in sorted(needs):
        place(key)
    return list(placed)


def _plan_key(rivals: list[Claim], found: Observed | Unread | None, made: _Made) -> None:
    """Decide every claim on one object."""
    if isinstance(found, Unread):
        made.unread.add(rivals[0].desired.key)
        for claim in rivals:
            made.stand(claim.owner, _remembered(claim.desired.key, claim.record, found))
        return
    first = _first(rivals, found)
    usable = False
    for claim in rivals:
        case = _case(claim, found, first, made)
        findings = tuple(_findings(case))
        stopped = any(stops(case, finding) for finding in findings)
        change = None if claim.mode is Mode.OBSERVE else _change(case, findings)
        made.stand(claim.owner, _standing(case, findings, change))
        acted = change is not None and claim.mode is Mode.ENFORCE and not stopped
        if change is not None and acted:
            made.changes.append(change)
        usable = usable or acted or _stands(case, findings)
        if claim.desired.holds_data and case.lost and not stopped:
            made.renewed.add(case.key)
    if not usable:
        made.absent.add(rivals[0].desired.key)


def _first(rivals: Iterable[Claim], found: Observed | None) -> Owner | None:
    """Whose claim comes first: by the mark, then who would act on it, then the older, then the smaller uid."""

    def rank(claim: Claim) -> tuple[bool, bool, datetime, str, Owner]:
        ours = found is not None and owns(claim, found)
        return (not ours, claim.mode is not Mode.ENFORCE, claim.created or _LAST, claim.uid, claim.owner)

    claiming = [claim for claim in rivals if claim.mode is not Mode.OBSERVE]
    return min(claiming, key=rank).owner if claiming else None


def _case(claim: Claim, found: Observed | None, first: Owner | None, made: _Made) -> Case:
    desired = claim.desired
    case = Case(
        claim,
        found,
        first=claim.owner if claim.mode is Mode.OBSERVE or first is None else first,
        missing=tuple(need for need in sorted(desired.needs) if need in made.absent),
        unread=tuple(need for need in sorted(desired.needs) if need in made.unread),
        renewed=any(need in made.renewed for need in desired.needs),
    )
    if found is None:
        return case
    diffs = [*differences(desired, found.resource), *(_resets(desired, found) if case.ours else ())]
    return replace(case, diffs=tuple(diffs))


def _resets(desired: Resource, found: Observed) -> Iterator[Diff]:
    """Settings that were managed, have left the declaration and are not at the broker's default."""
    for name, field_class in settings_of(type(desired)).items():
        default = reset_value(type(desired), name)
        forgotten = name in found.managed and getattr(desired, name) is None
        if not forgotten or field_class is FieldClass.AT_CREATION or default is None:
            continue
        before = getattr(found.resource, name)
        if before != default:
            yield Diff(name, before, default, reset=True, of=type(desired))


def _findings(case: Case) -> Iterator[Finding]:
    state = [finding for check in STATE_CHECKS if (finding := check(case)) is not None]
    if case.found is not None:
        state += [finding for finding in case.found.findings if finding.outcome is not Outcome.WARNING]
    if case.claim.mode is Mode.OBSERVE:
        yield from (finding for finding in state if finding.outcome is Outcome.LOST)
        return
    yield from state
    foreign = next((finding for check in OWNERSHIP_CHECKS if (finding := check(case)) is not None), None)
    if foreign is not None:
        yield foreign
        return
    for diff in case.diffs:
        if (finding := impossible(case, diff)) is not None:
            yield finding


def _remarks(found: Observed | None) -> tuple[Finding, ...]:
    """What is worth knowing of an object, also where it is only looked at."""
    return tuple(one for one in found.findings if one.outcome is Outcome.WARNING) if found is not None else ()


def _change(case: Case, findings: Iterable[Finding]) -> Change | None:
    """What would be done about the object if nothing stood in its way; None where it is not the claimant's to change."""
    claim, found, desired = case.claim, case.found, case.claim.desired
    if any(finding.outcome in (Outcome.CONFLICT, Outcome.REFUSED) for finding in findings):
        return None
    if found is None:
        resumes = bool(case.lost) and not desired.holds_data and not case.renewed
        after = desired.resumed_at(claim.record.checkpoint, claim.record.identity) if resumes else desired
        return Change(Action.CREATE, case.key, claim.owner, after=after)
    unmarked = found.mark is None and found.resource.bears_mark
    if not case.diffs and case.ours and not unmarked:
        return None
    return Change(
        Action.ADOPT if unmarked or not case.ours else Action.UPDATE,
        case.key,
        claim.owner,
        after=_with_resets(_reminded(case), case.diffs),
        before=found.resource,
        diffs=case.diffs,
        identity=found.identity,
        replaces=found.lapsed,
    )


def _reminded(case: Case) -> Resource:
    """What is declared, with what is remembered of it."""
    known = case.ours and not case.renewed
    return case.claim.desired.reminded(case.claim.record.checkpoint if known else "")


def _with_resets(desired: Resource, diffs: Iterable[Diff]) -> Resource:
    values: dict[str, Any] = {
        diff.field: diff.after for diff in diffs if diff.reset
    }  # settings have any type
    return replace(desired, **values) if values else desired


def _standing(case: Case, findings: tuple[Finding, ...], change: Change | None) -> Standing:
    record, found = case.claim.record, case.found
    accepted = found is not None and case.ours and not (case.mourned and case.held)
    return Standing(
        case.key,
        origin=origin_of(record, found) if found is not None and case.ours else None,
        identity=found.identity if found is not None and accepted else record.identity,
        owned=case.ours,
        exists=found is not None,
        action=None if change is None else change.action,
        diffs=case.diffs,
        findings=findings,
        remarks=_remarks(found),
        lost=case.mourned,
        checkpoint="" if case.renewed else record.checkpoint,
    )


def _remembered(key: Key, record: Record, unread: Unread) -> Standing:
    """Where a claim stood, as far as its record tells."""
    return Standing(
        key,
        origin=record.origin,
        identity=record.identity,
        owned=bool(record.identity),
        exists=bool(record.identity),
        checkpoint=record.checkpoint,
        unread=unread,
    )


def _stands(case: Case, findings: Iterable[Finding]) -> bool:
    """Whether the object is there for others to build on."""
    foreign = (Outcome.CONFLICT, Outcome.REFUSED, Outcome.LOST)
    return case.found is not None and not any(finding.outcome in foreign for finding in findings)


def _partings(
    farewells: Iterable[Farewell],
    observed: Mapping[Key, Observed | Unread],
    claims: Collection[Claim],
    made: _Made,
) -> Iterator[tuple[Key, Change]]:
    """What is deleted or let go of, and what was found about everything on its way out."""
    for farewell in farewells:
        found = observed.get(farewell.key)
        if found is None or any(c.owner == farewell.owner and c.desired.key == farewell.key for c in claims):
            made.stand(farewell.owner, Standing(farewell.key, exists=found is not None))
            continue
        if isinstance(found, Unread):
            made.stand(farewell.owner, _remembered(farewell.key, farewell.record, found))
            continue
        parting = Parting(farewell, found, tuple(_users(farewell, claims)))
        finding = (
            None if parting.kept else next((f for check in PARTING_CHECKS if (f := check(parting))), None)
        )
        action = _last_action(parting, finding)
        made.stand(farewell.owner, _last_standing(parting, finding, action))
        if action is not None:
            yield farewell.key, _last_change(parting, action)


def _last_standing(parting: Parting, finding: Finding | None, action: Action | None) -> Standing:
    return Standing(
        parting.farewell.key,
        origin=parting.origin if parting.ours else None,
        identity=parting.farewell.record.identity or parting.found.identity,
        owned=parting.ours,
        exists=True,
        action=action,
        findings=() if finding is None else (finding,),
        checkpoint=parting.farewell.record.checkpoint,
    )


def _last_action(parting: Parting, finding: Finding | None) -> Action | None:
    if finding is None and not parting.kept:
        return Action.DELETE
    stays_for_its_content = finding is not None and finding.reason == NOT_EMPTY
    return Action.RELEASE if (parting.kept or stays_for_its_content) and parting.released else None


def _last_change(parting: Parting, action: Action) -> Change:
    farewell, found = parting.farewell, parting.found
    return Change(
        action,
        farewell.key,
        farewell.owner,
        before=found.resource,
        identity=found.identity,
        only_if_empty=farewell.policy is DeletionPolicy.DELETE_IF_EMPTY,
    )


def _users(farewell: Farewell, claims: Iterable[Claim]) -> list[Owner]:
    """Who else claims something that needs the object or lies inside it."""
    inside = f"{farewell.key.name}/"
    users = {
        claim.owner
        for claim in claims
        if farewell.key in claim.desired.needs or claim.desired.key.name.startswith(inside)
    }
    return sorted(users - {farewell.owner})


def _inside(change: Change, deleted: Iterable[Key]) -> set[Key]:
    """What of the deleted an object lies in or needs."""
    needs = change.before.needs if change.before is not None else ()
    return {other for other in deleted if change.key.name.startswith(f"{other.name}/")} | set(needs)
