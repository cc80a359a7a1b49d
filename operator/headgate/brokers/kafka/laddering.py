"""Makes, changes and deletes the topics that a group has for its own. Touches no position."""

import asyncio
from dataclasses import replace
from typing import Final

from headgate.brokers.base import Refused
from headgate.brokers.kafka.admin import Admin
from headgate.brokers.kafka.batching import Batch
from headgate.brokers.kafka.faults import Fault, error
from headgate.brokers.kafka.ladders import Family, families, step_of, topic_of
from headgate.brokers.kafka.resources import KafkaGroup, KafkaTopic, Step, topic_key
from headgate.brokers.kafka.settling import there
from headgate.brokers.kafka.topics import Topics
from headgate.brokers.pace import Pace
from headgate.core.changes import Action, Change
from headgate.core.resource import Key, Observed, Unread

_TAKEN: Final = "AlreadyExists"


class Laddering:
    """The only place that changes topics of groups."""

    def __init__(
        self, admin: Admin, lane: Pace, look: Batch[Key, None, Observed | Unread | None], topics: Topics
    ) -> None:
        self._admin, self._lane, self._look, self._topics = admin, lane, look, topics

    async def family(self, key: Key) -> Family:
        """The topics that are there."""
        names = await self._admin.names(self._lane)
        if isinstance(names, Fault):
            raise error(names, "topics", "Describe on Topic")
        return families([key], names)[key]

    async def made(self, change: Change, desired: KafkaGroup, partitions: int, *, ours: bool) -> None:
        """Have all declared topics there, as they should be.

        Where the group is not known for ours, one of such a name that holds events may be somebody else's.
        """
        await asyncio.gather(
            *(self._made(change, step, partitions, ours=ours) for step in desired.ladder or ())
        )

    async def _made(self, change: Change, step: Step, partitions: int, *, ours: bool) -> None:
        wanted = topic_of(step, partitions)
        found = there(await self._look.ask(wanted.key, None), wanted.key)
        if found is None:
            creation = Change(Action.CREATE, wanted.key, change.owner, after=wanted)
            try:
                await self._topics.create(creation, wanted)
            except Refused as refusal:
                if refusal.reason != _TAKEN:
                    raise
                found = there(await self._look.ask(wanted.key, None), wanted.key)
        if found is None or not isinstance(found.resource, KafkaTopic):
            return
        if not ours and (held := await self._topics.holds(step.name)):
            text = (
                f"topic {step.name} would be one of {change.key}, and is there already with {held} events in it; delete it "
                "if they are of no use, or choose another externalName"
            )
            raise Refused(_TAKEN, text)
        if not step.met_by(step_of(found.resource)):
            larger = max(wanted.partitions or 0, found.resource.partitions or 0)  # topics only grow
            update = Change(Action.UPDATE, wanted.key, change.owner, after=wanted, identity=found.identity)
            await self._topics.update(update, replace(wanted, partitions=larger))

    async def gone(self, change: Change, family: Family) -> None:
        """Delete all of them, also those of waits that are not declared any more."""
        await asyncio.gather(
            *(
                self._topics.delete(Change(Action.DELETE, topic_key(name), change.owner))
                for name in family.names
            )
        )
