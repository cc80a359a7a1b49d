"""How far groups are, and since when what they have not handled waits. Changes nothing in the broker and reads no event.

Positions are offsets counted from one. What retention has deleted is not waiting, a partition without a position waits
from its first event.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
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
from headgate.brokers.kafka.reading import Reader, positions_in
from headgate.brokers.kafka.resources import split, written
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

    def look(self, began: float) -> Look:
        """What it says about how long positions last."""
        ends = {number: span.end for number, span in self.spans.items()}
        active = bool(self.members.members)
        return Look(began, self.topic.identity, frozenset(ends), self.known, ends, active)


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
        standings = {key: each for key, each in found.items() if isinstance(each, _Standing)}
        times = await self._oldest(standings)
        told = {key: _progress(each, at, times.get(key)) for key, each in standings.items()}
        return {**told, **{key: each for key, each in found.items() if isinstance(each, Unread)}}

    async def _standings(self, keys: Collection[Key]) -> Mapping[Key, _Standing | Unread]:
        names = sorted({split(key)[1] for key in keys})
        began = self._keeper.clock()
        views, committed, members = await asyncio.gather(
            self._reader.views(self._lane, {split(key)[0] for key in keys}),
            self._second.committed(self._lane, names),
            self._second.members(self._lane, names),
        )
        for answers in (committed, members):
            answered(answers.values(), "groups", "Describe on Group")
        spans = await self._reader.spans(self._lane, views)
        found: dict[Key, _Standing | Unread] = {}
        for key in keys:
            topic, group = split(key)
            if topic in views:
                standing = _standing(key, views[topic], committed[group], members[group], spans)
                if isinstance(standing, Fault):
                    found[key] = unread(standing, str(key), f"Describe on Group {group} and Topic {topic}")
                elif standing is not None:
                    self._keeper.noticed(key, standing.look(began))
                    found[key] = standing
        return found

    async def _oldest(self, standings: Mapping[Key, _Standing]) -> Mapping[Key, int]:
        """When the oldest event was published that each group has left, in milliseconds."""
        now = round(self._clock() * 1000)
        wanted = {
            (each.topic.identity, number, offset): (name, number)
            for each in standings.values()
            for (name, number), offset in each.late
        }
        self._times = {place: at for place, at in self._times.items() if place in wanted}
        unknown = {place: where for place, where in wanted.items() if place not in self._times}
        self._times.update(await self._searched(unknown, now))
        found: dict[Key, int] = {}
        for key, each in standings.items():
            late = [
                self._times[each.topic.identity, number, offset]
                for (_, number), offset in each.late
                if (each.topic.identity, number, offset) in self._times
            ]
            if late:
                found[key] = min(late)
        return found

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


def _standing(
    key: Key,
    topic: TopicView | Fault,
    committed: Mapping[Place, int] | Fault,
    members: GroupView | Fault,
    spans: Mapping[Place, Span | Fault],
) -> _Standing | Fault | None:
    if isinstance(topic, Fault):
        return topic
    if isinstance(committed, Fault):
        return committed
    if isinstance(members, Fault):
        return members
    name = split(key)[0]
    known = positions_in(name, committed)
    if not known and not any(place[0] == name for _, places in members.members for place in places):
        return None
    kept: dict[int, Span] = {}
    for each in topic.partitions:
        span = spans[name, each.number]
        if isinstance(span, Fault):
            return span
        kept[each.number] = span
    offsets = {number: max(span.first, known.get(number, span.first)) for number, span in kept.items()}
    return _Standing(topic, name, known, offsets, kept, members)


def _progress(standing: _Standing, at: datetime, oldest: int | None) -> Progress:
    owners = {
        place[1]: index
        for index, (_, places) in enumerate(standing.members.members)
        for place in places
        if place[0] == standing.name
    }
    partitions = tuple(
        PartitionProgress(span.end, standing.offsets[number], standing.offsets[number], owners.get(number))
        for number, span in sorted(standing.spans.items())
    )
    moment = None if oldest is None else datetime.fromtimestamp(oldest / 1000, UTC)
    return Progress(
        at=at,
        partitions=partitions,
        pending=sum(max(0, each.head - each.settled) for each in partitions),
        in_flight=0,  # what members have fetched and not committed is theirs alone to know
        waiting=len(standing.members.members),
        members=len(standing.members.members),
        exclusive=True,
        oldest_pending=moment,
        oldest_unsettled=moment,
        checkpoint=written(standing.offsets),
    )
