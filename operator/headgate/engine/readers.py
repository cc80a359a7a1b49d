"""The consumer groups of one broker as sampling and scaling look at them. Decides nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from headgate.core.compiled import Compiled
from headgate.core.estate import Declared, Ref
from headgate.core.members import member, patience, promise
from headgate.core.moves import Route
from headgate.core.resource import Key
from headgate.core.topology import Group
from headgate.core.workload import Member
from headgate.engine.sampler import Watched
from headgate.engine.scalingviews import shown_in
from headgate.engine.world import World


@dataclass(frozen=True, slots=True)
class Placed:
    """A group that compiles, and where it lives in the broker."""

    group: Group
    compiled: Compiled
    reader: Key
    topic: Key
    there: bool  # the reader exists and is ours
    incarnation: str = ""  # of the reader


class Readers:
    """Every group of one broker that can be read."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._placed: dict[Ref, Placed] = {}
        self._members: dict[Ref, tuple[int, Placed, Member | None]] = {}  # as of a version of the group

    def put(
        self, ref: Ref, group: Group | None, compiled: Compiled, *, there: bool, incarnation: str
    ) -> None:
        """Take note of how a group compiled; one that does not is no longer read."""
        readers = [resource for resource in compiled.resources if resource.reads and resource.needs]
        if group is None or not readers:
            self._placed.pop(ref, None)
            return
        self._placed[ref] = Placed(group, compiled, readers[0].key, readers[0].needs[0], there, incarnation)

    def drop(self, ref: Ref) -> None:
        """Forget a group that is gone."""
        self._placed.pop(ref, None)
        self._members.pop(ref, None)

    def watched(self) -> list[Watched]:
        """The groups whose progress is followed."""
        return [
            Watched(
                ref,
                placed.reader,
                placed.topic,
                promise(placed.group.declared.spec),
                _patience(placed),
                placed.incarnation,
                scaled=placed.group.declared.spec.scaling is not None,
            )
            for ref, placed in self._placed.items()
            if placed.there
        ]

    def members(self) -> list[Member]:
        """What the groups say about their workloads."""
        found = (self._member(ref, placed) for ref, placed in self._placed.items())
        return [one for one in found if one is not None]

    def routes(self) -> tuple[Route, ...]:
        """What movers have to know of the groups."""
        return tuple(p.compiled.route for p in self._placed.values() if p.compiled.route is not None)

    def placed(self, ref: Ref) -> Placed | None:
        """How a group compiled last."""
        return self._placed.get(ref)

    def _member(self, ref: Ref, placed: Placed) -> Member | None:
        entry = self._world.entries.get(ref)
        if entry is None or entry.declared is None:
            return None
        known = self._members.get(ref)
        if known is not None and known[0] == entry.version and known[1] is placed:
            return known[2]
        declared: Declared[Any] = entry.declared
        learned: Mapping[str, str] = (entry.status.get("record") or {}).get("learned") or {}
        found = member(declared, _patience(placed), learned, shown_in(entry.status))
        self._members[ref] = (entry.version, placed, found)
        return found


def _patience(placed: Placed) -> timedelta:
    waits = placed.compiled.retry.waits if placed.compiled.retry is not None else ()
    return patience(placed.group.policy.handling_timeout, waits)
