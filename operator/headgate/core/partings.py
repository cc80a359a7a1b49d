"""What stands in the way of deleting an object: small named checks, each a pure function. Knows no broker."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from headgate.api import DeletionPolicy, Origin
from headgate.core.claims import Farewell, Owner
from headgate.core.outcomes import Finding, Outcome
from headgate.core.resource import Observed
from headgate.core.safety import named, origin_of, owns

NOT_EMPTY: Final = "NotEmpty"


@dataclass(frozen=True, slots=True)
class Parting:
    """One object that its owner wants deleted, with everything that the checks look at."""

    farewell: Farewell
    found: Observed
    users: tuple[Owner, ...] = ()  # who still claims something that needs it

    @property
    def origin(self) -> Origin:
        """How the owner came by the object."""
        return origin_of(self.farewell.record, self.found)

    @property
    def kept(self) -> bool:
        """Whether the object stays without any question."""
        policy = self.farewell.policy
        return policy is DeletionPolicy.RETAIN or (
            policy is DeletionPolicy.DELETE_IF_EMPTY and self.origin is Origin.ADOPTED
        )

    @property
    def released(self) -> bool:
        """Whether what stays is told that nobody wants it any more; what was there before us is left as it is."""
        recorded = self.farewell.record.identity
        same = recorded in ("", self.found.identity)
        return self.farewell.lets_go and self.ours and same and self.origin is Origin.CREATED

    @property
    def ours(self) -> bool:
        """Whether the object may be deleted in its owner's name: an unmarked one only where marks have no room."""
        unmarked = self.found.mark is None and self.found.resource.bears_mark
        return not unmarked and owns(self.farewell, self.found)


PartingCheck = Callable[[Parting], Finding | None]


def not_ours(parting: Parting) -> Finding | None:
    """What carries no mark of ours stays."""
    if parting.ours:
        return None
    message = f"{parting.farewell.key} does not carry our mark and was left in the broker"
    return Finding(Outcome.WARNING, "NotOurs", message)


def identity_changed(parting: Parting) -> Finding | None:
    """What is not the object that was recorded stays."""
    recorded, ours = parting.farewell.record.identity, parting.farewell.pledge is not None
    if ours or recorded in ("", parting.found.identity):
        return None
    message = f"{parting.farewell.key} is not the object that was declared and was left in the broker"
    return Finding(Outcome.WARNING, "IdentityChanged", message)


def deletion_not_permitted(parting: Parting) -> Finding | None:
    """The owner's namespace may not delete on this broker."""
    if parting.farewell.may_delete:
        return None
    return Finding(
        Outcome.REFUSED,
        "NotPermitted",
        f"namespace {parting.farewell.owner.namespace} may not delete {parting.farewell.key}: declare deletionPolicy "
        "Retain, or have the EventBroker's tenancy.deletion allow the namespace",
        field="spec.deletionPolicy",
    )


def unconfirmed(parting: Parting) -> Finding | None:
    """What was there before us is deleted only when a person names it."""
    if parting.origin is not Origin.ADOPTED:
        return None
    name = parting.farewell.record.external_name or parting.farewell.key.name.rpartition("/")[2]
    if parting.farewell.confirmed == name:
        return None
    return Finding(
        Outcome.BLOCKED,
        "ConfirmDelete",
        f"{parting.farewell.key} was adopted, not made for this object: annotate headgate.dev/confirm-delete: {name} to "
        "delete it, or declare deletionPolicy Retain to keep it",
        field="spec.deletionPolicy",
    )


def not_empty(parting: Parting) -> Finding | None:
    """What is to be deleted only when empty holds something."""
    if parting.farewell.policy is not DeletionPolicy.DELETE_IF_EMPTY or not parting.found.stats.messages:
        return None
    return Finding(
        Outcome.WARNING, NOT_EMPTY, f"{parting.farewell.key} is not empty and was left in the broker"
    )


def still_used(parting: Parting) -> Finding | None:
    """Others still live on it."""
    if not parting.users:
        return None
    users = ", ".join(named(user) for user in parting.users)
    message = f"{parting.farewell.key} is still used by {users}: it is deleted once they are gone"
    return Finding(Outcome.WAITING, "StillUsed", message)


# The first finding of these keeps the object; what is not ours comes first, because then nothing else matters.
PARTING_CHECKS: Final[tuple[PartingCheck, ...]] = (
    not_ours,
    identity_changed,
    deletion_not_permitted,
    unconfirmed,
    not_empty,
    still_used,
)
