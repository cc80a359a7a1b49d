"""What the cluster answers, as values. Knows neither HTTP nor any broker."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple


class Named(NamedTuple):
    """A kind somebody else defined, and one object of it."""

    api_version: str
    kind: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Listing:
    """One consistent list of a kind."""

    version: str  # the resourceVersion at which it was true
    items: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Secret:
    """The content of one named Secret; never printed."""

    uid: str
    resource_version: str
    data: Mapping[str, bytes] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Owner:
    """The object with which another one is collected."""

    api_version: str
    kind: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class ConfigMap:
    """A ConfigMap as it was read."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    data: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    owners: tuple[Owner, ...] = ()


@dataclass(frozen=True, slots=True)
class Scale:
    """The scale subresource of a workload."""

    desired: int
    current: int
    resource_version: str
    uid: str
    selector: str = ""


@dataclass(frozen=True, slots=True)
class Rival:
    """Another scaler, and the workload it scales."""

    kind: str
    namespace: str
    name: str
    target: Named


@dataclass(frozen=True, slots=True)
class Lease:
    """A coordination.k8s.io Lease as it was read."""

    holder: str
    duration: float  # seconds
    renewed: datetime | None
    transitions: int
    uid: str
    resource_version: str
