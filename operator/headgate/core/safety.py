"""What stands in the way of a change: small named checks, each a pure function. Knows no broker and plans nothing itself."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from headgate.api import AdoptionPolicy, Mode, OnVanished, Origin
from headgate.core.claims import Claim, Farewell, Owner, Record
from headgate.core.outcomes import Finding, Outcome
from headgate.core.resource import Diff, FieldClass, Key, Observed, differences


def owns(of: Claim | Farewell, found: Observed) -> bool:
    """Whether an object belongs to an owner: by the mark; where there is none, by what was recorded of this very object.

    Where nothing was recorded yet, it is the owner's that looks just like what was written down to be made in its name.
    """
    record = of.record
    if found.mark is not None:
        return found.mark == str(of.owner)
    if record.origin is not None and record.identity and record.identity == found.identity:
        return True
    return of.pledge is not None and not any(differences(of.pledge, found.resource))


def origin_of(record: Record, found: Observed) -> Origin:
    """How its owner came by an object: as recorded, else as the mark says."""
    return record.origin or (Origin.ADOPTED if found.adopted else Origin.CREATED)


@dataclass(frozen=True, slots=True)
class Case:
    """One claim with everything that its checks look at."""

    claim: Claim
    found: Observed | None
    first: Owner  # whose claim on the object comes first
    diffs: tuple[Diff, ...] = ()
    missing: tuple[Key, ...] = ()  # objects it needs that will not be there
    unread: tuple[Key, ...] = ()  # objects it needs of which nothing is known now
    renewed: bool = False  # an object it needs was made anew, so recorded positions in it mean nothing

    @property
    def key(self) -> Key:
        """The object in question."""
        return self.claim.desired.key

    @property
    def ours(self) -> bool:
        """Whether the object is there and belongs to the claimant."""
        return self.found is not None and owns(self.claim, self.found)

    @property
    def strange(self) -> Observed | None:
        """The object, where it is there, carries no mark and is not known to be ours."""
        return self.found if self.found is not None and self.found.mark is None and not self.ours else None

    @property
    def lost(self) -> str:
        """The recorded identity, where the object that had it is gone."""
        recorded = self.claim.record.identity
        return recorded if self.found is None or self.found.identity != recorded else ""

    @property
    def held(self) -> bool:
        """Whether nothing may be made in the place of a lost object."""
        return self.claim.on_vanished is OnVanished.HOLD or self.claim.mode is not Mode.ENFORCE

    @property
    def mourned(self) -> str:
        """The same, for an object that held data, until somebody acknowledges the loss."""
        return self.lost if self.claim.desired.holds_data and self.claim.acknowledged != self.lost else ""


Check = Callable[[Case], Finding | None]


def marked_by_another(case: Case) -> Finding | None:
    """The mark in the broker names somebody else."""
    if case.found is None or case.found.mark is None or case.ours:
        return None
    return Finding(
        Outcome.CONFLICT,
        "OwnedByAnother",
        f"{case.key} belongs to {_named(case.found.mark, case.claim.owner)}: choose another externalName, or "
        f"{_way_out(case.found.mark, case.claim.owner)}",
        field="spec.externalName",
    )


def claimed_by_another(case: Case) -> Finding | None:
    """Nobody is marked, and somebody else's claim comes first."""
    if case.first == case.claim.owner:
        return None
    return Finding(
        Outcome.CONFLICT,
        "ClaimedByAnother",
        f"{case.key} is also claimed by {named(case.first)}, which comes first: choose another externalName, or "
        "delete the other one",
        field="spec.externalName",
    )


def adoption_not_permitted(case: Case) -> Finding | None:
    """The object exists, and this namespace may not take over what exists."""
    if case.strange is None or case.claim.may_adopt or case.claim.adoption is AdoptionPolicy.NEVER:
        return None
    return Finding(
        Outcome.REFUSED,
        "NotPermitted",
        f"{case.key} exists already, and namespace {case.claim.owner.namespace} may not adopt on this broker: choose "
        "another externalName, or have the EventBroker's tenancy.adoption allow the namespace",
        field="spec.adoptionPolicy",
    )


def adoption_unwanted(case: Case) -> Finding | None:
    """The object exists, and the claim does not want to take over anything."""
    if case.strange is None or case.claim.adoption is not AdoptionPolicy.NEVER:
        return None
    return Finding(
        Outcome.CONFLICT,
        "AlreadyExists",
        f"{case.key} exists already and is not ours, and adoptionPolicy is Never: choose another externalName, or "
        "declare adoptionPolicy IfMatches or Always",
        field="spec.adoptionPolicy",
    )


def adoption_differs(case: Case) -> Finding | None:
    """The object exists and may be taken over only as it is, which is not as declared."""
    diffs = [diff for diff in case.diffs if diff.field not in case.claim.desired.kept_up]
    if case.strange is None or case.claim.adoption is not AdoptionPolicy.IF_MATCHES or not diffs:
        return None
    listed = "; ".join(f"{diff.word} is {diff.was}, declared {diff.will}" for diff in diffs)
    return Finding(
        Outcome.CONFLICT,
        "ExistsAndDiffers",
        f"{case.key} exists already, is not ours and differs ({listed}): declare what is there, or adoptionPolicy "
        "Always to have it changed",
        field="spec.adoptionPolicy",
    )


def needs_missing(case: Case) -> Finding | None:
    """Something that has to be there first is not and will not be."""
    if not case.missing:
        return None
    return Finding(
        Outcome.WAITING,
        "NeedsMissing",
        f"{case.key} needs {', '.join(map(str, case.missing))}, which is not there as declared: see the object that declares it",
    )


def needs_unread(case: Case) -> Finding | None:
    """There is something to do, and something that has to be there first does not answer."""
    if not case.unread or (case.ours and not case.diffs):
        return None
    return Finding(
        Outcome.WAITING,
        "NeedsUnread",
        f"{case.key} needs {', '.join(map(str, case.unread))}, of which the broker can say nothing now: it goes on when "
        "that answers again",
    )


def vanished(case: Case) -> Finding | None:
    """An object that held data is gone."""
    if not case.mourned or case.found is not None:
        return None
    if case.held:
        reason, text = (
            "Vanished",
            "nothing is made in its place until it is restored or its loss acknowledged",
        )
    else:
        reason, text = "Recreated", "it is made anew, empty, as onVanished asks"
    message = f"{case.key} is gone, and with it what it held: {text}. {_acknowledge(case.mourned)}"
    return Finding(Outcome.LOST, reason, message)


def replaced(case: Case) -> Finding | None:
    """Another object has taken the place of one that held data."""
    if not case.mourned or case.found is None:
        return None
    message = f"{case.key} is not the object it was: that one is gone, and with it what it held. {_acknowledge(case.mourned)}"
    return Finding(Outcome.LOST, "Replaced", message)


def identity_unknown(case: Case) -> Finding | None:
    """The object is ours by its mark, and nothing is recorded of it."""
    if not case.ours or case.claim.record.identity or case.claim.pledged:
        return None
    message = f"{case.key} is ours by its mark, but nothing was recorded of it: its identity is learned anew"
    return Finding(Outcome.WARNING, "IdentityUnknown", message)


def reader_resumed(case: Case) -> Finding | None:
    """A reader is gone and its position is known."""
    if not _reader_gone(case) or case.renewed or not case.claim.record.checkpoint:
        return None
    message = (
        f"{case.key} was gone and continues after position {case.claim.record.checkpoint}, the last one seen settled: "
        "events after it may be handled again, none is left out"
    )
    finding = Finding(Outcome.WARNING, "PositionResumed", message)
    return replace(finding, reason=case.claim.desired.resumes or finding.reason)


def reader_restarted(case: Case) -> Finding | None:
    """A reader is gone and no position of it means anything."""
    if not _reader_gone(case) or not (case.renewed or not case.claim.record.checkpoint):
        return None
    cause = "what it read was made anew" if case.renewed else "no position of it was seen"
    message = f"{case.key} was gone and {cause}: it starts as spec.start says"
    return Finding(Outcome.WARNING, "PositionUnknown", message)


def reader_replaced(case: Case) -> Finding | None:
    """Somebody made a reader of ours anew; where it stands was decided by them."""
    if case.claim.desired.holds_data or not case.lost or case.found is None:
        return None
    if case.claim.pledged and case.ours:  # by us, and there was no time to write that down
        return None
    message = f"{case.key} was deleted and made again by somebody else: its position is what they gave it"
    return Finding(Outcome.WARNING, "ReaderReplaced", message)


# The first finding of these ends the matter: whose object it is comes before what it looks like.
OWNERSHIP_CHECKS: Final[tuple[Check, ...]] = (
    marked_by_another,
    claimed_by_another,
    adoption_not_permitted,
    adoption_unwanted,
    adoption_differs,
)
# Every finding of these is reported.
STATE_CHECKS: Final[tuple[Check, ...]] = (
    vanished,
    replaced,
    needs_missing,
    needs_unread,
    identity_unknown,
    reader_resumed,
    reader_restarted,
    reader_replaced,
)

_IMPOSSIBLE: Final = {
    FieldClass.GROW_ONLY: ("FieldCannotShrink", "it can only grow"),
    FieldClass.ONE_WAY: ("FieldCannotBeSwitchedOff", "once on it stays on"),
}
_IMMUTABLE: Final = ("FieldImmutable", "only a new object can have another value")


def impossible(case: Case, diff: Diff) -> Finding | None:
    """A setting that the broker cannot change in place to what is declared."""
    desired = case.claim.desired
    if desired.may_change(diff.field, diff.before, diff.after):
        return None
    reason, why = _IMPOSSIBLE.get(desired.field_class(diff.field), _IMMUTABLE)
    before, after = diff.was, diff.will
    message = (
        f"{diff.word} of {case.key} is {before} and {after} is declared, but {why}: declare {before} again, or move to "
        "an object with another externalName; nothing was changed"
    )
    return Finding(Outcome.BLOCKED, reason, message, field=diff.word)


def stops(case: Case, finding: Finding) -> bool:
    """Whether nothing is done about an object because of a finding."""
    if finding.outcome is Outcome.LOST:
        return case.held
    return finding.outcome is not Outcome.WARNING


def _acknowledge(identity: str) -> str:
    return f'Annotate headgate.dev/acknowledge: "{identity}" to say that the loss is known'


def _reader_gone(case: Case) -> bool:
    acted_on = case.claim.mode is Mode.ENFORCE and not case.missing and not case.unread
    return acted_on and not case.claim.desired.holds_data and case.found is None and bool(case.lost)


def named(owner: Owner) -> str:
    return f"{owner.kind} {owner.namespace}/{owner.name}"


def _way_out(mark: str, asking: Owner) -> str:
    """Whose objects the operator sees come and go, their marks it takes care of itself."""
    owner = Owner.parse(mark)
    ours = owner is not None and owner.installation == asking.installation
    return "delete that owner first" if ours else "have its owner let it go and remove the mark in the broker"


def _named(mark: str, asking: Owner) -> str:
    owner = Owner.parse(mark)
    if owner is None:
        return f"somebody who marked it {mark!r}"
    elsewhere = "" if owner.installation == asking.installation else f" of installation {owner.installation}"
    return named(owner) + elsewhere
