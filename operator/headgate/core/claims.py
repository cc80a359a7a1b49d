"""Who wants which broker object, and what it allows on the way there. Knows no broker and no cluster."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Self

from headgate.api import AdoptionPolicy, DeletionPolicy, Mode, OnVanished, Origin
from headgate.core.resource import Key, Observed, Resource


@dataclass(frozen=True, slots=True, order=True)
class Owner:
    """The custom resource behind a broker object; never a uid, so that a re-applied one is the same owner."""

    installation: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.installation}/{self.kind}/{self.namespace}/{self.name}"

    @classmethod
    def parse(cls, mark: str) -> Self | None:
        """The owner that a mark names; None where it is not one of ours."""
        parts = mark.split("/")
        return cls(*parts) if len(parts) == 4 and all(parts) else None  # noqa: PLR2004  (the four parts above)


def released(found: Observed, is_gone: Callable[[Owner], bool]) -> Observed:
    """An object as it counts: the mark of an owner that is gone and kept it (Retain) holds nobody off any more.

    The mark itself stays until somebody takes over, so that the same owner, applied again, finds everything as it was.
    """
    owner = Owner.parse(found.mark) if found.mark is not None else None
    if owner is None or not is_gone(owner):
        return found
    return replace(found, mark=None, lapsed=str(owner), managed=frozenset())


@dataclass(frozen=True, slots=True)
class Record:
    """What is read back from status: the only memory that outlives the operator. Losing it loses nothing in the broker."""

    external_name: str = ""
    identity: str = ""
    origin: Origin | None = None
    checkpoint: str = ""  # the position to which a lost reader goes back
    checkpoint_in: str = ""  # the identity of the data in which that position lies


@dataclass(frozen=True, slots=True)
class Claim:
    """One object that a custom resource wants in its broker."""

    owner: Owner
    desired: Resource
    uid: str = ""
    created: datetime | None = None  # of two claimants without a mark the older one wins
    mode: Mode = Mode.ENFORCE
    adoption: AdoptionPolicy = AdoptionPolicy.IF_MATCHES
    may_adopt: bool = True  # the broker's owner lets this namespace take over what exists
    on_vanished: OnVanished = OnVanished.HOLD
    record: Record = field(default_factory=Record)
    acknowledged: str = ""  # the identity whose loss a person has acknowledged
    pledged: bool = False  # it was written down that the object is made, when there was none

    @property
    def pledge(self) -> Resource | None:
        """What was written down to be made."""
        return self.desired if self.pledged else None


@dataclass(frozen=True, slots=True)
class Farewell:
    """A custom resource on its way out, and what becomes of the object it claimed."""

    owner: Owner
    key: Key
    policy: DeletionPolicy
    record: Record = field(default_factory=Record)
    may_delete: bool = True  # the broker's owner lets this namespace delete
    confirmed: str = ""  # the external name that a person confirmed, needed to delete what was adopted
    lets_go: bool = False  # also what is kept has to be told that nobody wants it any more
    pledge: Resource | None = None  # what was written down to be made, when there was none
