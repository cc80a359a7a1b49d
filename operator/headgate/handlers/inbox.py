"""What the engine is told, and where the operator looks. Knows neither who tells it nor what is made of it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from headgate.api.kinds import KINDS

KIND_NAMES = tuple(kind.kind for kind in KINDS)


@dataclass(frozen=True, slots=True)
class Scope:
    """Where the operator looks: everywhere, or in some namespaces."""

    namespaces: tuple[str, ...] = ()  # empty: everywhere

    @property
    def everywhere(self) -> bool:
        """Whether namespaces themselves may be watched, and with them their labels."""
        return not self.namespaces

    @property
    def parts(self) -> tuple[str | None, ...]:
        """One entry per list and watch of a kind; None stands for all namespaces at once."""
        return self.namespaces or (None,)


class Inbox(Protocol):
    """What the engine is told. Every method is quick and may be told the same thing twice."""

    def see(self, kind: str, event: str | None, body: Mapping[str, Any]) -> None:
        """An object of ours as it is now; DELETED: as it was. None is how a list reports."""
        ...

    def see_namespace(self, event: str | None, body: Mapping[str, Any]) -> None:
        """A namespace as it is now."""
        ...

    def known(self, kind: str) -> Mapping[str, tuple[str, str]]:
        """The objects of a kind that the engine believes to exist: uid to (namespace, name)."""
        ...

    def see_ending(self, namespace: str, since: datetime | None) -> None:
        """A namespace of whose labels nothing is told is being deleted since then; None: it is not, or not any more."""
        ...

    def listed(self, parts: Collection[str | None]) -> None:
        """Everything in these namespaces was told once, None for all: what is not known from there is not there."""
        ...
