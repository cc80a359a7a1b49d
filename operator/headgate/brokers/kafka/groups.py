"""Carries out one change of one group: where it begins, its configs, its end. Touches no group with members."""

import asyncio
from collections.abc import Collection, Mapping
from typing import Final

from confluent_kafka.admin import OffsetSpec

from headgate.brokers.base import Blocked, Ongoing, Refused, Unavailable, Unreachable
from headgate.brokers.kafka.admin import EARLIEST, LATEST, Admin, TopicView
from headgate.brokers.kafka.ages import Point
from headgate.brokers.kafka.batching import Batch
from headgate.brokers.kafka.faults import Fault, error
from headgate.brokers.kafka.groupviews import GroupView, Place
from headgate.brokers.kafka.keeper import Keeper
from headgate.brokers.kafka.keeping import Duties, hindrance, mistrust, too_late
from headgate.brokers.kafka.laddering import Laddering
from headgate.brokers.kafka.ladders import Family
from headgate.brokers.kafka.names import MOVERS, due_topic
from headgate.brokers.kafka.reading import look_at, positions_in
from headgate.brokers.kafka.refusals import ACTIVE, Sort
from headgate.brokers.kafka.resources import GROUP, INHERITED, KafkaGroup, configs_of, group_key, split
from headgate.brokers.kafka.second import Second
from headgate.brokers.kafka.settling import Settling, there
from headgate.brokers.pace import Pace
from headgate.core.changes import Action, Change
from headgate.core.resource import Key, Observed, Unread, differences

_FIRST: Final = "earliest"
_RESUMED: Final = "resumed"
_TRIES: Final = 8
_PAUSE: Final = 0.25  # seconds


class Groups:
    """The only place that changes groups."""

    def __init__(
        self,
        admin: Admin,
        second: Second,
        lane: Pace,
        look: Batch[Key, None, Observed | Unread | None],
        settling: Settling,
        keeper: Keeper,
        laddering: Laddering,
    ) -> None:
        self._admin, self._second, self._lane = admin, second, lane
        self._look, self._settling, self._keeper = look, settling, keeper
        self._laddering = laddering
        self._views: Batch[str, None, TopicView | Fault] = Batch(lambda items: admin.topics(lane, items))
        self._overrides: Batch[str, None, Mapping[str, str] | Fault] = Batch(
            lambda items: admin.overrides(lane, GROUP, items)
        )
        self._points: Batch[Place, OffsetSpec, Point | Fault | None] = Batch(
            lambda items: admin.offsets(lane, items)
        )
        self._made: set[tuple[Key, str]] = set()  # with the identity of the topic

    async def create(self, change: Change, desired: KafkaGroup) -> Observed:
        """Give the group its positions before anybody joins it; the broker keeps them for whoever does."""
        found = there(await self._look.ask(change.key, None), change.key)
        if found is not None:
            if (change.key, found.identity) not in self._made:
                raise Refused("AlreadyExists", f"{change.key} exists and is not ours")
            return found
        view = await self._view(split(change.key)[0])
        await self._configure(desired, dict(configs_of(desired)), made=True)
        await self._climbing(change, desired, view)
        await self._begin(desired, view)
        made = await self._settled(desired, len(view.partitions))
        self._made.add((change.key, made.identity))
        return made

    async def update(self, change: Change, desired: KafkaGroup) -> Observed:
        """Configs, and positions in partitions that came later: from their first event, so that none is left out."""
        found = await self._same(change)
        if found is None:
            raise Unreachable("Changed", f"{change.key} vanished while it was updated")
        diffs = {diff.field for diff in differences(desired, found.resource)}
        wanted = {key: value for key, value in configs_of(desired) if key.replace(".", "_") in diffs}
        await self._configure(desired, wanted, made=False)
        if "ladder" in diffs:
            await self._climbing(change, desired, await self._view(split(change.key)[0]))
        if diffs & {"covered", "positions"}:
            await self._upheld(desired)
        return await self._settled(desired, 0)

    async def delete(self, change: Change) -> None:
        """Delete the positions of the group in this topic, and the group with them where it has no others."""
        found = await self._same(change)
        if found is None:
            return
        topic, group = split(change.key)
        family = await self._laddering.family(change.key)
        committed = await self._committed(group)
        if (await self._members(group)).members:
            raise Ongoing(
                "GroupActive", f"{change.key} has running workers: scale them to zero; it was not deleted"
            )
        if change.only_if_empty and (left := await self._left(topic, family, committed)):
            raise Refused("NotEmpty", f"{change.key} has {left} events before it; it was not deleted")
        await self._laddering.gone(
            change, family
        )  # first: whoever ends here finds the group, and does it again
        others = {place: at for place, at in committed.items() if place[0] not in family.names}
        await self._forget(group, topic, others)
        for key in (change.key, family.due_key(group)):
            self._keeper.forgotten(key)
        await self._settling.shown(change.key, lambda seen: seen is None, "the deletion")

    async def _climbing(self, change: Change, desired: KafkaGroup, view: TopicView) -> None:
        """The topics of its own, and a position in the one in which events come back, so that it can be kept."""
        topic, group = split(change.key)
        due = due_topic(topic, group)
        committed = await self._committed(group) if desired.ladder else {}
        known = any(name == due for name, _ in committed)
        ours = known or change.action is not Action.CREATE or desired.start == _RESUMED
        await self._laddering.made(change, desired, len(view.partitions), ours=ours)
        if known or not any(step.name == due for step in desired.ladder or ()):
            return
        back = await self._view(due)
        first = await self._asked({(due, each.number): EARLIEST for each in back.partitions})
        failed = await self._commit(group_key(due, group), back, first)
        if (
            failed is not None and failed.code not in ACTIVE
        ):  # whoever is in it begins with the first event there
            _raised(failed, group)

    async def _forget(self, group: str, topic: str, committed: Mapping[Place, int]) -> None:
        if any(name != topic for name, _ in committed):
            places = [place for place in committed if place[0] == topic]
            failed = await self._second.forget(self._lane, group, places)
            if failed is not None and not failed.absent:
                raise error(failed, f"group {group}", f"Delete on Group {group}", wrote=True)
            return
        overrides = await self._overrides.ask(group, None)
        if not isinstance(overrides, Fault) and overrides:
            pairs = tuple((key, INHERITED) for key in overrides)
            await self._altered(group, pairs)
        failed = await self._second.remove(self._lane, group)
        if failed is not None and not failed.absent:
            raise error(failed, f"group {group}", f"Delete on Group {group}", wrote=True)

    async def _same(self, change: Change) -> Observed | None:
        found = there(await self._look.ask(change.key, None), change.key)
        if found is not None and change.identity and found.identity != change.identity:
            text = f"the topic of {change.key} was deleted and made again since it was read"
            raise Refused("IdentityChanged", text)
        return found

    async def _configure(self, desired: KafkaGroup, wanted: Mapping[str, str], *, made: bool) -> None:
        """Overrides of a group are there before it and stay behind it, so one that is made has to lose old ones too."""
        group = split(desired.key)[1]
        if made:
            found = await self._overrides.ask(group, None)
            there_now: Mapping[str, str] = {} if isinstance(found, Fault) else found
            wanted = {key: value for key, value in wanted.items() if there_now.get(key, INHERITED) != value}
        if wanted:
            await self._altered(group, tuple(wanted.items()))

    async def _altered(self, group: str, pairs: tuple[tuple[str, str], ...]) -> None:
        failed = (await self._admin.alter(self._lane, {(GROUP, group): pairs}))[GROUP, group]
        if failed is not None:
            raise error(failed, f"group {group}", f"AlterConfigs on Group {group}", wrote=True)

    async def _begin(self, desired: KafkaGroup, view: TopicView) -> None:
        """Give the group its first positions, or those that it had; the broker takes none where somebody is in it."""
        starts = await self._starts(desired, view)
        back = [number for _, number in starts] if desired.start == _RESUMED else []
        failed = await self._commit(desired.key, view, starts, back)
        if failed is not None and failed.code in ACTIVE:
            verdict = too_late(str(desired.key), resumed=desired.start == _RESUMED)
            raise Unavailable(verdict.reason, verdict.message)
        _raised(failed, split(desired.key)[1])

    async def _upheld(self, desired: KafkaGroup) -> None:
        """In its topic, and where its events come back."""
        family = await self._laddering.family(desired.key)
        if family.due:
            await self._uphold(family.due_key(split(desired.key)[1]))
        await self._uphold(desired.key, desired.start_offsets or ())

    async def _uphold(self, key: Key, handed: Collection[tuple[int, int]] = ()) -> None:
        """Have positions last, bring back those that expired, and give the group one in partitions that came later."""
        topic, group = split(key)
        began = self._keeper.clock()
        view, committed, members = await asyncio.gather(
            self._view(topic), self._committed(group), self._members(group)
        )
        ends = await self._asked(dict.fromkeys(((topic, each.number) for each in view.partitions), LATEST))
        look = look_at(topic, view, committed, members, ends, began)
        todo = self._keeper.noticed(key, look, handed)
        verdict = hindrance(todo, str(key)) if look.active else None
        if not look.active:
            await self._renew(key, view, {number: look.positions[number] for number in todo.again})
            await self._supply(key, view, todo, ends)
        if verdict is not None:
            raise Unavailable(verdict.reason, verdict.message)
        if (doubt := mistrust(todo, look, str(key))) is not None:
            raise Blocked(doubt.reason, doubt.message)

    async def _renew(self, key: Key, view: TopicView, held: Mapping[int, int]) -> None:
        if not held:
            return
        topic, group = split(key)
        began = self._keeper.clock()
        _raised(await self._second.renew(self._lane, group, [(topic, number) for number in held]), group)
        self._keeper.committed(key, view.identity, held, began)

    async def _supply(self, key: Key, view: TopicView, todo: Duties, ends: Mapping[Place, int]) -> None:
        known = {**dict.fromkeys(todo.first, -1), **todo.back}
        if not known:
            return
        topic, group = split(key)
        first = await self._asked({(topic, number): EARLIEST for number in known})
        offsets = {place: _within(known[place[1]], at, ends[place]) for place, at in first.items()}
        _raised(await self._commit(key, view, offsets, todo.back), group)

    async def _starts(self, desired: KafkaGroup, view: TopicView) -> Mapping[Place, int]:
        topic = split(desired.key)[0]
        places = [(topic, each.number) for each in view.partitions]
        first = await self._asked(dict.fromkeys(places, EARLIEST))
        if desired.start == _FIRST:
            return first
        last = await self._asked(dict.fromkeys(places, LATEST))
        if desired.start == _RESUMED:
            known = {**dict(desired.start_offsets or ()), **self._keeper.known(desired.key, view.identity)}
            return {place: _within(known.get(place[1], -1), first[place], last[place]) for place in places}
        if desired.start_time is None:
            return last
        moment = OffsetSpec.for_timestamp(round(desired.start_time.timestamp() * 1000))
        found = await self._offsets(dict.fromkeys(places, moment))
        return {place: _offset(found[place], place, last[place]) for place in places}

    async def _asked(self, asked: Mapping[Place, OffsetSpec]) -> dict[Place, int]:
        """Offsets, asked for again where a topic was made a moment ago and brokers do not know yet who leads it."""
        found = await self._offsets(asked)
        for _ in range(_TRIES):
            faults = [point for point in found.values() if isinstance(point, Fault)]
            if not any(fault.sort is Sort.OBJECT for fault in faults):
                break
            await asyncio.sleep(_PAUSE)
            found = await self._offsets(asked)
        return {place: _offset(point, place, 0) for place, point in found.items()}

    async def _offsets(self, asked: Mapping[Place, OffsetSpec]) -> dict[Place, Point | Fault | None]:
        found = await asyncio.gather(*(self._points.ask(place, spec) for place, spec in asked.items()))
        return dict(zip(asked, found, strict=True))

    async def _commit(
        self, key: Key, topic: TopicView, offsets: Mapping[Place, int], back: Collection[int] = ()
    ) -> Fault | None:
        began = self._keeper.clock()
        failed = await self._second.commit(self._lane, split(key)[1], offsets)
        if failed is None:
            settled = {number: offset for (_, number), offset in offsets.items()}
            self._keeper.committed(key, topic.identity, settled, began, back)
        return failed

    async def _settled(self, desired: KafkaGroup, covered: int) -> Observed:
        def enough(seen: Observed | None) -> bool:
            if seen is None or list(differences(desired, seen.resource)):
                return False
            resource = seen.resource
            return isinstance(resource, KafkaGroup) and (resource.covered or 0) >= covered

        found = await self._settling.shown(desired.key, enough, "the change")
        if found is None:
            raise Unreachable("Changed", f"{desired.key} vanished while it was changed")
        return found

    async def _view(self, topic: str) -> TopicView:
        view = await self._views.ask(topic, None)
        if isinstance(view, Fault):
            raise error(view, f"topic/{topic}", f"Describe on Topic {topic}")
        return view

    async def _members(self, group: str) -> GroupView:
        found = (await self._second.members(self._lane, [group]))[group]
        if isinstance(found, Fault):
            raise error(found, f"group {group}", f"Describe on Group {group}")
        return found

    async def _committed(self, group: str) -> Mapping[Place, int]:
        found = (await self._second.committed(self._lane, [group]))[group]
        if isinstance(found, Fault):
            raise error(found, f"group {group}", f"Describe on Group {group}")
        return found

    async def _left(self, topic: str, family: Family, committed: Mapping[Place, int]) -> int:
        """What the group has before it, what came back and what waits among it."""
        left = await self._pending(topic, committed)
        if not family.names:
            return left
        movers = await self._committed(MOVERS)
        for name in family.names:
            view = await self._view(name)
            spans = await self._spans(name, view)
            done = {**positions_in(name, movers), **positions_in(name, committed)}
            left += sum(
                max(0, end - max(first, done.get(number, 0))) for number, (first, end) in spans.items()
            )
        return left

    async def _spans(self, name: str, view: TopicView) -> Mapping[int, tuple[int, int]]:
        places = [(name, each.number) for each in view.partitions]
        first = await self._asked(dict.fromkeys(places, EARLIEST))
        last = await self._asked(dict.fromkeys(places, LATEST))
        return {place[1]: (first[place], last[place]) for place in places}

    async def _pending(self, topic: str, committed: Mapping[Place, int]) -> int:
        held = {(topic, number): offset for number, offset in positions_in(topic, committed).items()}
        last = await self._asked(dict.fromkeys(held, LATEST))
        return sum(max(0, last[place] - offset) for place, offset in held.items())


def _within(offset: int, first: int, last: int) -> int:
    """A position in what is kept; one that lies elsewhere means the first event: repeats, never gaps."""
    return offset if first <= offset <= last else first


def _offset(found: Point | Fault | None, place: Place, otherwise: int) -> int:
    if isinstance(found, Fault):
        raise error(found, f"topic/{place[0]}", f"Describe on Topic {place[0]}")
    return otherwise if found is None else found.offset


def _raised(failed: Fault | None, group: str) -> None:
    if failed is not None:
        raise error(failed, f"group {group}", f"Read on Group {group} and its Topic", wrote=True)
