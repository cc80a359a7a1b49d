"""Reads topics and groups in as few requests as it takes. Changes nothing in the broker."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from headgate.brokers.kafka.admin import EARLIEST, LATEST, Admin, TopicView
from headgate.brokers.kafka.faults import Fault, answered, error, unread
from headgate.brokers.kafka.groupviews import GroupView, Place
from headgate.brokers.kafka.keeper import Keeper
from headgate.brokers.kafka.keeping import Look, state, worst
from headgate.brokers.kafka.ladders import Family, families, ladder_of
from headgate.brokers.kafka.resources import (
    GROUP,
    GROUP_CONFIGS,
    INHERITED,
    TOPIC,
    TOPIC_CONFIGS,
    KafkaGroup,
    KafkaTopic,
    Step,
    normal,
    split,
    topic_key,
)
from headgate.brokers.kafka.second import Second
from headgate.brokers.kafka.spans import Span, spanned, stats_of
from headgate.brokers.pace import Pace
from headgate.core.resource import Key, Observed, Resource, Stats, Unread

PAGE: Final = 1000  # names in one request
Spans = Mapping[Place, Span | Fault]


@dataclass(frozen=True, slots=True)
class _Told:
    """What was told of one group."""

    topic: TopicView
    committed: Mapping[Place, int]
    members: GroupView
    overrides: Mapping[str, str]


class Reader:
    """Topics and groups as values; the caller chooses whose budget they are read from."""

    def __init__(self, admin: Admin, second: Second, keeper: Keeper) -> None:
        self._admin, self._second, self._keeper = admin, second, keeper

    async def views(self, lane: Pace, names: Iterable[str]) -> Mapping[str, TopicView | Fault]:
        """Topics as the cluster describes them; absent ones are left out. Raises where nothing is answered."""
        ordered = sorted(set(names))
        found: dict[str, TopicView | Fault] = {}
        for page in _pages(ordered):
            found.update(await self._admin.topics(lane, page))
        answered(found.values(), "topics", "Describe on Topic")
        return {name: view for name, view in found.items() if not (isinstance(view, Fault) and view.absent)}

    async def families(self, lane: Pace, keys: Collection[Key]) -> Mapping[Key, Family]:
        """The topics that groups have for their own: one request for the names of all."""
        if not keys:
            return {}
        names = await self._admin.names(lane)
        if isinstance(names, Fault):
            raise error(names, "topics", "Describe on Topic")
        return families(keys, names)

    async def spans(self, lane: Pace, views: Mapping[str, TopicView | Fault]) -> Spans:
        """What every partition keeps: one request for where it begins, one for where it ends."""
        places = [
            (name, each.number)
            for name, view in views.items()
            if isinstance(view, TopicView)
            for each in view.partitions
        ]
        first, end = await asyncio.gather(
            self._admin.offsets(lane, dict.fromkeys(places, EARLIEST)),
            self._admin.offsets(lane, dict.fromkeys(places, LATEST)),
        )
        return {place: spanned(first[place], end[place]) for place in places}

    async def topics(
        self, lane: Pace, names: Collection[str], views: Mapping[str, TopicView | Fault], spans: Spans
    ) -> Mapping[Key, Observed | Unread]:
        """Topics with all their settings: one request for their overrides."""
        there = {name: view for name in names if isinstance(view := views.get(name), TopicView)}
        overrides = await self._overrides(lane, TOPIC, there)
        adding = await self._adding(lane, there)
        found: dict[Key, Observed | Unread] = {}
        for name in names:
            view = views.get(name)
            if isinstance(view, Fault):
                found[topic_key(name)] = unread(view, f"topic/{name}", f"Describe on Topic {name}")
            elif view is not None:
                stats = stats_of([spans.get((name, each.number)) for each in view.partitions])
                found |= _observed_topic(name, view, overrides[name], adding, stats)
        return found

    async def groups(
        self,
        lane: Pace,
        owned: Mapping[Key, Family],
        views: Mapping[str, TopicView | Fault],
        spans: Spans,
        topics: Mapping[Key, Observed | Unread],
    ) -> Mapping[Key, Observed | Unread]:
        """Groups whose topics are there: one request for overrides, and of each coordinator one for members, one for positions."""
        there = [key for key in owned if split(key)[0] in views]
        if not there:
            return {}
        names = sorted({split(key)[1] for key in there})
        began = self._keeper.clock()
        committed, members, overrides, _ = await asyncio.gather(
            self._second.committed(lane, names),
            self._second.members(lane, names),
            self._overrides(lane, GROUP, names),
            self._keeper.refresh(lane),
        )
        for answers in (committed, members):
            answered(answers.values(), "groups", "Describe on Group")
        ends = {place: span.end for place, span in spans.items() if isinstance(span, Span)}
        found: dict[Key, Observed | Unread] = {}
        for key in there:
            topic, group = split(key)
            told = _told(views[topic], committed[group], members[group], overrides[group])
            ladder = ladder_of(owned[key], topics)
            if isinstance(told, Fault):
                found[key] = unread(told, str(key), f"Describe and Read on Group {group}")
            elif isinstance(ladder, Unread):
                found[key] = ladder
            else:
                due = views.get(owned[key].due)
                looks = [(key, look_at(topic, told.topic, told.committed, told.members, ends, began))]
                if isinstance(due, TopicView):
                    back = look_at(owned[key].due, due, told.committed, told.members, ends, began)
                    looks.append((owned[key].due_key(group), back))
                if (seen := self._group(looks, told, ladder)) is not None:
                    found[key] = seen
        return found

    def _group(
        self, looks: Sequence[tuple[Key, Look]], told: "_Told", ladder: tuple[Step, ...]
    ) -> Observed | None:
        """A group is there when it has a position in the topic; positions live and die with the topic."""
        states = [state(self._keeper.noticed(key, look), active=look.active) for key, look in looks]
        (key, first), findings = looks[0], [self._keeper.remarks(key) for key, _ in looks]
        if not first.positions:
            return None
        resource: Resource = KafkaGroup(
            key,
            covered=len(first.positions),
            positions=worst(states),
            ladder=ladder,
            **_values(GROUP_CONFIGS, told.overrides),
        )
        return Observed(resource, told.topic.identity, findings=tuple(chain.from_iterable(findings)))

    async def _overrides(
        self, lane: Pace, kind: str, names: Collection[str]
    ) -> Mapping[str, Mapping[str, str] | Fault]:
        found: dict[str, Mapping[str, str] | Fault] = {}
        for page in _pages(sorted(names)):
            found.update(await self._admin.overrides(lane, kind, page))
        return found

    async def _adding(self, lane: Pace, views: Mapping[str, TopicView]) -> Mapping[Place, int]:
        """Copies that are only being made look like any other; asked about only where some copy lags behind."""
        lagging = any(
            len(each.in_sync) < len(each.replicas) for view in views.values() for each in view.partitions
        )
        return await self._second.moving(lane) if lagging else {}


async def observe(
    reader: Reader, lane: Pace, keys: Collection[Key], *, counted: bool = True
) -> Mapping[Key, Observed | Unread]:
    """Topics, then groups; absent ones are left out. What topics hold is told where it is asked for."""
    topics = [key.name for key in keys if key.kind == TOPIC]
    owned = await reader.families(lane, [key for key in keys if key.kind == GROUP])
    own = {name for family in owned.values() for name in family.names}
    read = {*(split(key)[0] for key in owned), *(family.due for family in owned.values() if family.due)}
    views = await reader.views(lane, {*topics, *read, *own})
    sought = {*topics, *read} if counted else read
    spans = await reader.spans(lane, {name: view for name, view in views.items() if name in sought})
    found = dict(await reader.topics(lane, {*topics, *own}, views, spans))
    groups = await reader.groups(lane, owned, views, spans, found)
    asked = frozenset(keys)
    return {**{key: seen for key, seen in found.items() if key in asked}, **groups}


def _pages(names: list[str]) -> list[list[str]]:
    return [names[start : start + PAGE] for start in range(0, len(names), PAGE)]


def _observed_topic(
    name: str,
    view: TopicView,
    overrides: Mapping[str, str] | Fault,
    adding: Mapping[Place, int],
    stats: Stats,
) -> Mapping[Key, Observed | Unread]:
    key = topic_key(name)
    if isinstance(overrides, Fault):
        # Between two requests a topic may go; it is then as absent as one that the first did not find.
        right = f"DescribeConfigs on Topic {name}"
        return {} if overrides.absent else {key: unread(overrides, str(key), right)}
    copies = {len(each.replicas) - adding.get((name, each.number), 0) for each in view.partitions}
    return {
        key: Observed(
            KafkaTopic(
                key,
                partitions=len(view.partitions),
                replicas=copies.pop() if len(copies) == 1 else f"{min(copies)} to {max(copies)}",
                **_values(TOPIC_CONFIGS, overrides),
            ),
            view.identity,
            stats=stats,
        )
    }


def _told(
    topic: TopicView | Fault,
    committed: Mapping[Place, int] | Fault,
    members: GroupView | Fault,
    overrides: Mapping[str, str] | Fault,
) -> _Told | Fault:
    if isinstance(topic, Fault):
        return topic
    if isinstance(committed, Fault):
        return committed
    if isinstance(members, Fault):
        return members
    if isinstance(overrides, Fault):
        return overrides
    return _Told(topic, committed, members, overrides)


def look_at(
    topic: str,
    view: TopicView,
    committed: Mapping[Place, int],
    members: GroupView,
    ends: Mapping[Place, int],
    began: float,
) -> Look:
    """A group in one topic, as it was read since a moment."""
    numbers = frozenset(each.number for each in view.partitions)
    known = {number: ends[topic, number] for number in numbers if (topic, number) in ends}
    return Look(began, view.identity, numbers, positions_in(topic, committed), known, bool(members.members))


def positions_in(topic: str, committed: Mapping[Place, int]) -> dict[int, int]:
    """The next offset of every partition of one topic."""
    return {number: offset for (name, number), offset in committed.items() if name == topic}


def _values(known: Mapping[str, str], overrides: Mapping[str, str]) -> Mapping[str, Any]:
    """Every config by field; settings have any type."""
    return {
        name: normal(key, overrides[key]) if key in overrides else INHERITED for key, name in known.items()
    }
