"""Objects of a broker as values, field by field, and how they may change. Knows no particular broker."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from dataclasses import field as field_
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from headgate.core.outcomes import Finding
from headgate.core.words import shown


class FieldClass(StrEnum):
    """How a setting of a broker object may change once the object exists."""

    MUTABLE = "mutable"
    GROW_ONLY = "grow_only"  # a smaller value is refused by the broker or loses data
    ONE_WAY = "one_way"  # may be switched on, never off
    FIXED = "fixed"  # only a new object can have another value
    AT_CREATION = "at_creation"  # used when the object is made, never compared afterwards


_CLASS = "headgate.class"
_RESET = "headgate.reset"


def setting(field_class: FieldClass = FieldClass.MUTABLE, *, reset: object = None) -> Any:  # noqa: ANN401  (stands for a field of any type, as dataclasses.field does)
    """Declare a setting of a broker object.

    None is "no opinion". `reset` is the broker's own default, to which a setting goes back when it was managed
    before and left the declaration; None there means that the broker keeps what it has.
    """
    return field_(default=None, metadata={_CLASS: field_class, _RESET: reset}, kw_only=True)


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """The name of one object in one broker: the broker's word for its kind, and its path below the cluster.

    An object inside another is "parent/name", e.g. Key("consumer", "orders/billing").
    """

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True)
class Resource:
    """One broker object in the broker's own words; a subclass lists its settings with `setting`."""

    key: Key
    needs: tuple[Key, ...] = field_(
        default=(), compare=False, kw_only=True
    )  # created after these, deleted before them

    holds_data: ClassVar[bool] = True  # a vanished one is a loss that a person has to see
    reads: ClassVar[bool] = False  # it is how a group reads the topic that it needs first
    resumes: ClassVar[str] = (
        ""  # the reason that is told of one that was gone and continues, where there is a better one
    )
    kept_up: ClassVar[frozenset[str]] = frozenset()  # settings that say how it is, not what somebody chose
    bears_mark: ClassVar[bool] = True  # the broker has room for its owner's mark

    @classmethod
    def word(cls, name: str) -> str:
        """What the broker calls a setting; a subclass overrides it where no field can be called like that."""
        return name

    @classmethod
    def said(cls, name: str, value: object) -> str:
        """A value of a setting as a person would write it; a subclass overrides it where the broker's own tells little."""
        return shown(name, value)

    def field_class(self, name: str) -> FieldClass:
        """How the setting may change; a subclass overrides it where that depends on the server's version."""
        return settings_of(type(self))[name]

    def may_change(self, name: str, before: object, after: object) -> bool:
        """Whether the broker can go from one value to the other in place."""
        match self.field_class(name):
            case FieldClass.FIXED:
                return False
            case FieldClass.ONE_WAY:
                return not before
            case FieldClass.GROW_ONLY:
                return isinstance(before, int) and isinstance(after, int) and after >= before
            case _:
                return True

    def meets(self, name: str, found: object) -> bool:
        """Whether what the broker has is what is declared; a subclass overrides it for what may be more than that."""
        return bool(getattr(self, name) == found)

    def reminded(self, position: str) -> "Resource":
        """The same object, told of the last position that was seen; for readers that can lose a part of theirs."""
        del position
        return self

    def resumed_at(self, position: str, identity: str) -> "Resource":
        """The same object, made anew to continue after the given position; only positions of readers do that.

        Without a position it continues from when the lost one, of the given identity, was made.
        """
        del position, identity
        return self


_CLASSES: dict[
    type[Resource], Mapping[str, FieldClass]
] = {}  # functools.cache takes no classes under mypy --strict
_RESETS: dict[type[Resource], Mapping[str, object]] = {}


def settings_of(kind: type[Resource]) -> Mapping[str, FieldClass]:
    """Every setting of a kind of resource with its class, in declaration order."""
    known = _CLASSES.get(kind)
    if known is None:
        known = _CLASSES[kind] = {f.name: f.metadata[_CLASS] for f in fields(kind) if _CLASS in f.metadata}
    return known


def reset_value(kind: type[Resource], name: str) -> object:
    """The broker's default of a setting; None where the broker keeps what it has."""
    known = _RESETS.get(kind)
    if known is None:
        known = _RESETS[kind] = {f.name: f.metadata[_RESET] for f in fields(kind) if _CLASS in f.metadata}
    return known[name]


@dataclass(frozen=True, slots=True)
class Diff:
    """One setting that differs: what the broker has, what is declared."""

    field: str
    before: object
    after: object
    reset: bool = (
        False  # no longer declared: goes back to the broker's default and leaves the managed settings
    )
    of: type[Resource] = field_(default=Resource, compare=False, repr=False)

    @property
    def word(self) -> str:
        """What the broker calls the setting."""
        return self.of.word(self.field)

    @property
    def was(self) -> str:
        """What the broker has, for people."""
        return self.of.said(self.field, self.before)

    @property
    def will(self) -> str:
        """What is declared, for people."""
        return self.of.said(self.field, self.after)


def differences(desired: Resource, observed: Resource) -> Iterator[Diff]:
    """Settings with an opinion that the broker does not meet; creation-time settings are never compared."""
    for name in settings_of(type(desired)):
        wanted = getattr(desired, name)
        if wanted is None or desired.field_class(name) is FieldClass.AT_CREATION:
            continue
        found = getattr(observed, name)
        if not desired.meets(name, found):
            yield Diff(name, found, wanted, of=type(desired))


@dataclass(frozen=True, slots=True)
class Stats:
    """What an object holds right now; None where the broker does not say."""

    messages: int | None = None
    bytes: int | None = None
    head: int | None = None  # the last position written; moves with every message
    oldest: datetime | None = None


@dataclass(frozen=True, slots=True)
class Observed:
    """A broker object as it was read."""

    resource: Resource
    identity: str  # changes when an object of that name is deleted and made again
    mark: str | None = None  # the owner's mark in the broker; None: none there, or one that counts no more
    adopted: bool = False  # the mark says that the object was there before its owner
    managed: frozenset[str] = frozenset()  # optional settings that the mark says were set by its owner
    stats: Stats = Stats()
    findings: tuple[Finding, ...] = ()  # what the broker shows of it beside its settings
    lapsed: str = (
        ""  # the mark of an owner that is gone and kept its object: whoever comes next may replace it
    )


@dataclass(frozen=True, slots=True)
class Unread:
    """An object of which a broker that answers could say nothing: it may be as it was, changed or gone.

    It is never the same as an absent one: nothing is made, changed or deleted on the ground of it.
    """

    reason: str  # stable, CamelCase
    message: str


def known(read: Mapping[Key, Observed | Unread]) -> dict[Key, Observed]:
    """The objects that were read, without those of which nothing is known."""
    return {key: found for key, found in read.items() if isinstance(found, Observed)}
