"""What one custom resource becomes on its broker: objects, notes, and what workers are told. Knows no broker."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from headgate.core.moves import Route
from headgate.core.outcomes import Finding
from headgate.core.resource import Resource


class Effect(StrEnum):
    """How far a declared field is from what the broker can do."""

    APPROXIMATED = "Approximated"
    REFUSED = "Refused"


@dataclass(frozen=True, slots=True)
class Note:
    """A field that the broker cannot express as declared, and what happens instead."""

    field: str
    message: str
    effect: Effect


@dataclass(frozen=True, slots=True)
class Retry:
    """How a retry policy is realised for one group."""

    mechanism: str  # e.g. NakDelay, Backoff
    attempts: int
    waits: tuple[timedelta, ...]  # before the second, third ... attempt
    worst_case: timedelta
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Compiled:
    """One custom resource in the words of its broker."""

    resources: tuple[Resource, ...] = ()
    notes: tuple[Note, ...] = ()
    findings: tuple[Finding, ...] = ()  # e.g. a name that is illegal there, a server too old for a field
    effective: Mapping[str, str] = field(default_factory=dict)  # computed defaults, for status.effective
    binding: Mapping[str, str] | None = None  # file name -> content; consumer groups only
    retry: Retry | None = None  # consumer groups only
    route: Route | None = None  # consumer groups only: what movers are told
