"""Carries out one change of one topic; changes that come together go out together. Decides nothing."""

from dataclasses import replace
from typing import Final

from headgate.brokers.base import Ongoing, Refused, Unreachable
from headgate.brokers.kafka.admin import EARLIEST, LATEST, Admin, NewTopicView, TopicView
from headgate.brokers.kafka.ages import Point
from headgate.brokers.kafka.batching import Batch
from headgate.brokers.kafka.faults import Fault, error
from headgate.brokers.kafka.placement import placed
from headgate.brokers.kafka.refusals import ALREADY_EXISTS
from headgate.brokers.kafka.resources import INHERITED, TOPIC, KafkaTopic, configs_of
from headgate.brokers.kafka.second import Second
from headgate.brokers.kafka.settling import Settling, there
from headgate.brokers.pace import Pace
from headgate.core.changes import Change
from headgate.core.resource import Diff, Key, Observed, Stats, Unread, differences

_NOTHING: Final = Stats(messages=0, head=0)  # what a topic holds that was just made


class Topics:
    """The only place that changes topics."""

    def __init__(
        self,
        admin: Admin,
        second: Second,
        lane: Pace,
        look: Batch[Key, None, Observed | Unread | None],
        settling: Settling,
    ) -> None:
        self._admin, self._second, self._lane = admin, second, lane
        self._look, self._settling = look, settling
        self._made: dict[str, str] = {}  # identities of topics that this process made; empty: perhaps
        self._create: Batch[str, NewTopicView, Fault | None] = Batch(lambda items: admin.create(lane, items))
        self._grow: Batch[str, int, Fault | None] = Batch(lambda items: admin.grow(lane, items))
        self._delete: Batch[str, None, Fault | None] = Batch(lambda items: admin.delete(lane, items))
        self._alter: Batch[tuple[str, str], tuple[tuple[str, str], ...], Fault | None] = Batch(
            lambda items: admin.alter(lane, items)
        )

    async def create(self, change: Change, desired: KafkaTopic) -> Observed:
        """Make a topic. One that is there is ours where this process made it: a topic has no room for a mark."""
        name = desired.key.name
        failed = await self._create.ask(name, _new(desired))
        if failed is not None:
            if failed.code != ALREADY_EXISTS or "collides" in failed.text:
                failure = error(failed, str(desired.key), f"Create on Topic {name}", wrote=True)
                if not isinstance(failure, Refused):
                    self._made.setdefault(name, "")  # it may be there all the same
                raise failure
            return await self._found_instead(change, desired)
        made = await self._settled(desired, "its creation")
        self._made[name] = made.identity
        return replace(made, stats=_NOTHING)

    async def update(self, change: Change, desired: KafkaTopic) -> Observed:
        """Make a topic what it should be, one request for each sort of difference."""
        found = await self._same(change)
        if found is None:
            raise Unreachable("Changed", f"{change.key} vanished while it was updated")
        diffs = {diff.field: diff for diff in differences(desired, found.resource)}
        await self._grown(desired, diffs.pop("partitions", None))
        moved = diffs.pop("replicas", None)
        if diffs:
            pairs = tuple(
                (key, value) for key, value in configs_of(desired) if key.replace(".", "_") in diffs
            )
            failed = await self._alter.ask((TOPIC, desired.key.name), pairs)
            _raised(failed, desired.key, f"AlterConfigs on Topic {desired.key.name}")
        if moved is not None:
            await self._moved(desired)
        return await self._settled(desired, "the change", found.identity)

    async def delete(self, change: Change) -> None:
        """Delete a topic, as long as it is the one that was meant."""
        found = await self._same(change)
        if found is None:
            return
        name = change.key.name
        if change.only_if_empty and (held := await self.holds(name)):
            raise Refused("NotEmpty", f"{change.key} holds {held} events; it was not deleted")
        failed = await self._delete.ask(name, None)
        if failed is not None and not failed.absent:
            raise error(failed, str(change.key), f"Delete on Topic {name}", wrote=True)
        self._made.pop(name, None)
        await self._settling.shown(
            change.key, lambda seen: seen is None or seen.identity != found.identity, "the deletion"
        )

    async def _same(self, change: Change) -> Observed | None:
        found = there(await self._look.ask(change.key, None), change.key)
        if found is not None and change.identity and found.identity != change.identity:
            text = f"{change.key} was deleted and made again since it was read"
            raise Refused("IdentityChanged", text)
        return found

    async def _found_instead(self, change: Change, desired: KafkaTopic) -> Observed:
        """Somebody was first: fine where that was us."""
        found = there(await self._look.ask(change.key, None), change.key)
        if found is None:
            raise Unreachable("Changed", f"{change.key} came and went while it was created")
        made = self._made.get(change.key.name)
        perhaps = made == "" and not list(differences(desired, found.resource))
        if made != found.identity and not perhaps:
            raise Refused("AlreadyExists", f"{change.key} exists and is not ours")
        return found

    async def _grown(self, desired: KafkaTopic, diff: Diff | None) -> None:
        if diff is None or desired.partitions is None:
            return
        failed = await self._grow.ask(desired.key.name, desired.partitions)
        _raised(failed, desired.key, f"Alter on Topic {desired.key.name}")

    async def _moved(self, desired: KafkaTopic) -> None:
        """Begin to move copies, unless they are on the move already."""
        name, copies = desired.key.name, desired.replicas
        if not isinstance(copies, int):
            return
        view = (await self._admin.topics(self._lane, [name]))[name]
        cluster = await self._admin.cluster(self._lane)
        for part in (view, cluster):
            if isinstance(part, Fault):
                raise error(part, str(desired.key), "Describe on Cluster")
        if isinstance(view, TopicView) and not isinstance(cluster, Fault):
            busy = await self._second.moving(self._lane)
            if not any(topic == name for topic, _ in busy):
                held = {each.number: each.replicas for each in view.partitions}
                if targets := placed(held, cluster.brokers, copies):
                    await self._second.move(self._lane, name, targets)

    async def _settled(self, desired: KafkaTopic, what: str, identity: str = "") -> Observed:
        """The topic as declared. One whose copies are still being made is not done, and others need not wait for it."""

        def enough(seen: Observed | None) -> bool:
            if seen is None or (identity and seen.identity != identity):
                return False
            left = {diff.field for diff in differences(desired, seen.resource)}
            return not left or left == {"replicas"}

        found = await self._settling.shown(desired.key, enough, what)
        if found is None or list(differences(desired, found.resource)):
            raise Ongoing("MoveInProgress", _moving(desired, found))
        return found

    async def holds(self, name: str) -> int:
        """Offsets between the first and the next: what compaction or transactions left out is counted too."""
        view = (await self._admin.topics(self._lane, [name]))[name]
        if isinstance(view, Fault):
            raise error(view, f"topic/{name}", f"Describe on Topic {name}")
        places = [(name, each.number) for each in view.partitions]
        first = await self._admin.offsets(self._lane, dict.fromkeys(places, EARLIEST))
        last = await self._admin.offsets(self._lane, dict.fromkeys(places, LATEST))
        return sum(_offset(last[place], name) - _offset(first[place], name) for place in places)


def _moving(desired: KafkaTopic, found: Observed | None) -> str:
    """How far copies are, in steps."""
    there_now = (
        found.resource.replicas if found is not None and isinstance(found.resource, KafkaTopic) else "?"
    )
    return (
        f"{desired.key}: copies are being moved between brokers: partitions have {there_now} of {desired.replicas}; the rest "
        "is as declared"
    )


def _new(desired: KafkaTopic) -> NewTopicView:
    configs = tuple((key, value) for key, value in configs_of(desired) if value != INHERITED)
    copies = desired.replicas if isinstance(desired.replicas, int) else None
    return NewTopicView(desired.partitions, copies, configs)


def _raised(failed: Fault | None, key: Key, right: str) -> None:
    if failed is not None:
        raise error(failed, str(key), right, wrote=True)


def _offset(found: Point | Fault | None, name: str) -> int:
    if isinstance(found, Fault):
        raise error(found, f"topic/{name}", f"Describe on Topic {name}")
    return 0 if found is None else found.offset
