"""A plan as a value: ordered changes to broker objects, and what stands in their way. Knows no broker."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from headgate.api import Origin
from headgate.core.claims import Owner
from headgate.core.outcomes import Finding
from headgate.core.resource import Diff, Key, Resource, Unread


class Action(StrEnum):
    """What is done to one broker object."""

    CREATE = "Create"
    ADOPT = "Adopt"  # put our mark on what exists, changing settings where they differ
    UPDATE = "Update"
    DELETE = "Delete"
    RELEASE = "Release"  # it stays with all it holds, and nothing more comes to it


@dataclass(frozen=True, slots=True)
class Change:
    """One idempotent effect on one broker object."""

    action: Action
    key: Key
    owner: Owner
    after: Resource | None = None  # what it is to be; None for Delete and Release
    before: Resource | None = None  # what was read; None for Create
    diffs: tuple[Diff, ...] = ()
    identity: str = ""  # of the object that was read; an adapter refuses to delete another one
    only_if_empty: bool = False  # Delete only
    replaces: str = ""  # Adopt only: the mark that was read and has lapsed; any other one is respected


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one claim stands after planning."""

    key: Key
    origin: Origin | None = None  # how we came by the object, once we have it
    identity: str = ""
    owned: bool = False
    exists: bool = False
    action: Action | None = None  # what is done, or would be if nothing stood in its way
    diffs: tuple[Diff, ...] = ()  # all that differs, also what is blocked
    lost: str = ""  # the recorded identity of what is gone or replaced, until somebody acknowledges it
    checkpoint: str = ""  # the recorded position, as long as it means something
    findings: tuple[Finding, ...] = ()
    remarks: tuple[Finding, ...] = ()  # of the broker about the object, which stand in the way of nothing
    unread: Unread | None = None  # nothing is known of the object now; all else here is as it was remembered


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do, in this order, and what was found about every owner."""

    changes: tuple[Change, ...] = ()
    standings: Mapping[Owner, tuple[Standing, ...]] = field(default_factory=dict)
    absent: frozenset[Key] = frozenset()  # claimed, and not there for others to build on
    renewed: frozenset[Key] = (
        frozenset()
    )  # made anew or replaced: positions that were recorded in them mean nothing
    unread: frozenset[Key] = frozenset()  # claimed, and nobody knows whether they are there
