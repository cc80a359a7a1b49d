"""How far groups are, and since when what they have not handled waits. Changes nothing in the broker and reads no event.

Positions are offsets counted from one. What retention has deleted is not waiting, a partition without a position waits
from its first event. What came back for another attempt counts with the partition of the same number, so that figures
speak of as many partitions as workers can have; what still waits for one is in flight.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from confluent_kafka.admin import OffsetSpec

from headgate.brokers.kafka.admin import Admin, TopicView
from headgate.brokers.kafka.ages import Point, Search, begun, narrowed
from headgate.brokers.kafka.faults import Fault, answered, unread
from headgate.brokers.kafka.groupviews import GroupView, Place
from headgate.brokers.kafka.keeper import Keeper
from headgate.brokers.kafka.keeping import Look
from headgate.brokers.kafka.ladders import Family
from headgate.brokers.kafka.names import MOVERS
from headgate.brokers.kafka.reading import Reader, positions_in
from headgate.brokers.kafka.resources import group_key, split, written
from headgate.brokers.kafka.second import Second
from headgate.brokers.kafka.spans import Span
from headgate.brokers.pace import Pace
from headgate.core.progress import PartitionProgress, Progress
from headgate.core.resource import Key, Unread

_ROUNDS: Final = 12  # more narrow nothing down
_FIRST: Final = 0  # a moment before every event


@dataclass(frozen=True, slots=True)
class _Standing:
    """One group in one topic."""

    topic: TopicView
    name: str
    known: Mapping[int, int]  # positions
    offsets: Mapping[int, int]  # next offsets, also of partitions without a position
    spans: Mapping[int, Span]
    members: GroupView

    @property
    def late(self) -> tuple[tuple[Place, int], ...]:
        """Partitions with something left, and the offset of what comes next."""
        return tuple(
            ((self.name, number), offset)
            for number, offset in self.offsets.items()
            if offset < self.spans[number].end
        )

    @property
    def left(self) -> int:
        """How many events are left."""
        return sum(max(0, span.end - self.offsets[number]) for number, span in self.spans.items())

    def look(self, began: float) -> Look:
        """What it says about how long positions last."""
        ends = {number: span.end for number, span in self.spans.items()}
        active = bool(self.members.members)
        return Look(began, self.topic.identity, frozenset(ends), self.known, ends, active)


@dataclass(frozen=True, slots=True)
class _Whole:
    """One group in all its topics."""

    first: _Standing  # in the topic of which it is a group
    back: tuple[_Standing, ...]  # where its events come back
    waiting: tuple[_Standing, ...]  # where they wait; its positions are those of whoever ends the wait

    @property
    def parts(self) -> tuple[_Standing, ...]:
        """All."""
        return (self.first, *self.back, *self.waiting)


class Positions:
    """Progress of groups, read with a budget of its own."""

    def __init__(
        self,
        admin: Admin,
        second: Second,
        reader: Reader,
        keeper: Keeper,
        lane: Pace,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._admin, self._second, self._reader = admin, second, reader
        self._keeper, self._lane, self._clock = keeper, lane, clock
        self._times: dict[tuple[str, int, int], int] = {}  # of events: topic's identity, partition, offset

    async def progress(self, keys: Collection[Key]) -> Mapping[Key, Progress | Unread]:
        """One value for each group that has a position in its topic, or somebody reading it."""
        if not keys:
            return {}
        at = datetime.fromtimestamp(self._clock(), UTC)
        found = await self._standings(keys)
        told = {key: each for key, each in found.items() if isinstance(each, _Whole)}
        times = await self._oldest([part for each in told.values() for part in each.parts])
        return {
            key: each if isinstance(each, Unread) else _progress(each, at, times)
            for key, each in found.items()
        }

    async def _standings(self, keys: Collection[Key]) -> Mapping[Key, "_Whole | Unread"]:
        names = sorted({split(key)[1] for key in keys})
        began = self._keeper.clock()
        owned = await self._reader.families(self._lane, keys)
        own = {name for family in owned.values() for name in family.names}
        views, committed, members = await asyncio.gather(
            self._reader.views(self._lane, {*own, *(split(key)[0] for key in keys)}),
            self._second.committed(self._lane, [*names, *([MOVERS] if own else [])]),
            self._second.members(self._lane, names),
        )
        for answers in (committed, members):
            answered(answers.values(), "groups", "Describe on Group")
        told = _Told(views, committed, members, await self._reader.spans(self._lane, views))
        found: dict[Key, _Whole | Unread] = {}
        for key in keys:
            topic, group = split(key)
            whole = told.whole(key, owned[key]) if topic in views else None
            if isinstance(whole, Fault):
                found[key] = unread(whole, str(key), f"Describe on Group {group} and Topic {topic}")
            elif whole is not None:
                for part in (whole.first, *whole.back):
                    self._keeper.noticed(group_key(part.name, group), part.look(began))
                found[key] = whole
        return found

    async def _oldest(self, standings: Collection[_Standing]) -> Mapping[tuple[str, int, int], int]:
        """When the next event was published in each partition in which one is left, in milliseconds."""
        now = round(self._clock() * 1000)
        wanted = {
            (each.topic.identity, number, offset): (name, number)
            for each in standings
            for (name, number), offset in each.late
        }
        self._times = {place: at for place, at in self._times.items() if place in wanted}
        unknown = {place: where for place, where in wanted.items() if place not in self._times}
        self._times.update(await self._searched(unknown, now))
        return dict(self._times)

    async def _searched(
        self, wanted: Mapping[tuple[str, int, int], Place], now: int
    ) -> Mapping[tuple[str, int, int], int]:
        """Times of events, all at once: a request a round for all partitions, as many as groups read the same one."""
        oldest = await self._asked(dict.fromkeys(wanted.values(), _FIRST))
        searches = {
            key: narrowed(begun(key[2], now, point.at), point.at, point)
            for key, place in wanted.items()
            if isinstance(point := oldest.get(place), Point)
        }
        for _ in range(_ROUNDS):
            open_ones = {key: search for key, search in searches.items() if not search.done}
            if not open_ones:
                break
            for layer in _layers(open_ones, wanted):
                asked = {wanted[key]: open_ones[key].moment for key in layer}
                points = await self._asked(asked)
                for key in layer:
                    point = points[wanted[key]]
                    if not isinstance(point, Fault):
                        searches[key] = narrowed(open_ones[key], asked[wanted[key]], point)
        return {key: search.answer for key, search in searches.items()}

    async def _asked(self, moments: Mapping[Place, int]) -> Mapping[Place, Point | Fault | None]:
        asked = {place: OffsetSpec.for_timestamp(moment) for place, moment in moments.items()}
        return await self._admin.offsets(self._lane, asked)


def _layers(
    searches: Mapping[tuple[str, int, int], Search], places: Mapping[tuple[str, int, int], Place]
) -> list[list[tuple[str, int, int]]]:
    """Searches in groups that name every partition once, because one request asks for one moment of each."""
    layers: list[list[tuple[str, int, int]]] = []
    used: dict[Place, int] = {}
    for key in searches:
        depth = used.get(places[key], 0)
        used[places[key]] = depth + 1
        if depth == len(layers):
            layers.append([])
        layers[depth].append(key)
    return layers


@dataclass(frozen=True, slots=True)
class _Told:
    """All that was answered about some groups."""

    views: Mapping[str, TopicView | Fault]
    committed: Mapping[str, Mapping[Place, int] | Fault]
    members: Mapping[str, GroupView | Fault]
    spans: Mapping[Place, Span | Fault]

    def whole(self, key: Key, family: Family) -> "_Whole | Fault | None":
        """One group; nothing where one of its topics is silent."""
        topic, group = split(key)
        committed, members = self.committed[group], self.members[group]
        if isinstance(committed, Fault):
            return committed
        if isinstance(members, Fault):
            return members
        here = any(place[0] == topic for _, places in members.members for place in places)
        if not here and not positions_in(topic, committed):
            return None
        movers = self.committed.get(MOVERS, {}) if family.names else {}
        if isinstance(movers, Fault):
            return movers
        parts = [self._in(topic, committed, members)]
        for name in (family.due, *family.waits):
            if name in self.views:
                done = committed if name == family.due else {**movers, **_only(name, committed)}
                parts.append(self._in(name, done, members))
        for part in parts:
            if isinstance(part, Fault):
                return part
        stands = [part for part in parts if isinstance(part, _Standing)]
        return _Whole(
            stands[0],
            tuple(part for part in stands[1:] if part.name == family.due),
            tuple(part for part in stands[1:] if part.name != family.due),
        )

    def _in(self, name: str, committed: Mapping[Place, int], members: GroupView) -> _Standing | Fault:
        topic = self.views[name]
        if isinstance(topic, Fault):
            return topic
        known = positions_in(name, committed)
        kept: dict[int, Span] = {}
        for each in topic.partitions:
            span = self.spans[name, each.number]
            if isinstance(span, Fault):
                return span
            kept[each.number] = span
        offsets = {number: max(span.first, known.get(number, span.first)) for number, span in kept.items()}
        return _Standing(topic, name, known, offsets, kept, members)


def _only(name: str, committed: Mapping[Place, int]) -> Mapping[Place, int]:
    return {place: offset for place, offset in committed.items() if place[0] == name}


def _progress(whole: _Whole, at: datetime, times: Mapping[tuple[str, int, int], int]) -> Progress:
    first = whole.first
    owners = {
        place[1]: index
        for index, (_, places) in enumerate(first.members.members)
        for place in places
        if place[0] == first.name
    }
    partitions = tuple(_partition(whole, number, owners.get(number)) for number in sorted(first.spans))
    return Progress(
        at=at,
        partitions=partitions,
        pending=sum(part.left for part in (first, *whole.back)),
        in_flight=sum(
            part.left for part in whole.waiting
        ),  # what members have and not committed is theirs to know
        waiting=len(first.members.members),
        members=len(first.members.members),
        exclusive=True,
        oldest_pending=_since((first, *whole.back), times),
        oldest_unsettled=_since(whole.parts, times),
        checkpoint=written(first.offsets),
    )


def _partition(whole: _Whole, number: int, owner: int | None) -> PartitionProgress:
    parts = [part for part in (whole.first, *whole.back) if number in part.spans]
    settled = sum(part.offsets[number] for part in parts)
    return PartitionProgress(sum(part.spans[number].end for part in parts), settled, settled, owner)


def _since(parts: Iterable[_Standing], times: Mapping[tuple[str, int, int], int]) -> datetime | None:
    """When the oldest event was published that is left in any of them."""
    known = [
        times[part.topic.identity, number, offset]
        for part in parts
        for (_, number), offset in part.late
        if (part.topic.identity, number, offset) in times
    ]
    return datetime.fromtimestamp(min(known) / 1000, UTC) if known else None
