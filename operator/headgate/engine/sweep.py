"""Gathers for one broker: what due objects want, and what is in the broker, in one reading. Writes nothing."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from headgate.api import Mode
from headgate.brokers.base import Broker, BrokerFacts, Driver, Unreachable
from headgate.core.claims import Claim, Farewell, released
from headgate.core.estate import Ref
from headgate.core.index import BROKER, GROUP, QUEUE, TOPIC
from headgate.core.progress import Position
from headgate.core.resolve import resolve
from headgate.core.resource import Key, Observed, Unread
from headgate.core.topology import Topology
from headgate.core.vanished import Vanished, Word, estate_vanished
from headgate.engine.intents import ACKNOWLEDGE, Intent, Situation, intent_of
from headgate.engine.link import Link
from headgate.engine.world import World

ORDER: Final = {kind: n for n, kind in enumerate((BROKER, QUEUE, TOPIC, GROUP))}


@dataclass(frozen=True, slots=True)
class Item:
    """One object with all that its pass needs."""

    intent: Intent
    observed: Mapping[Key, Observed | Unread]  # shared by all that were read together
    topology: Topology


class Sweep:
    """What one worker knows between its passes beyond the world: which data is lost, whether all of it is."""

    def __init__(
        self,
        broker: Ref,
        world: World,
        link: Link,
        position: Callable[[Ref], Position | None] = lambda _: None,
    ) -> None:
        self.vanished: Vanished | None = None
        self.again = (
            False  # something was made good: look again soon, so that its word is not asked for any more
        )
        self.lost_topics: set[Ref] = set()
        self._ref = broker
        self._world = world
        self._link = link
        self._position = position

    @property
    def broker(self) -> Ref:
        """The EventBroker for whose objects this is."""
        return self._ref

    async def prepare(self, refs: Collection[Ref], *, full: bool) -> dict[Ref, Item]:
        """Read the broker once for everything that is due, those first that have most to gain."""
        broker, driver, facts = self._connected()
        due = self._with_readers(ref for ref in refs if ref in self._world.entries)
        topology = resolve(self._world.estate, self._ref, due, self._world.index)
        compiled = driver.compile(topology, facts, self._world.estate.installation)
        situation = Situation(
            self._world.estate,
            self._world.index,
            topology,
            driver,
            compiled,
            frozenset(self.lost_topics),
            position=self._position,
        )
        intents = self._intents(due, situation)
        observed = self._counting(await broker.observe({key for each in intents for key in each.keys}))
        if self._ref not in self._world.estate.brokers:
            return {}  # the EventBroker itself went in the meantime: nothing is looked at on its behalf any more
        due = [ref for ref in due if ref in self._world.entries]
        intents = [intent for intent in intents if intent.ref in self._world.entries]
        if full:
            self._judge(intents, observed, facts)
        if self.vanished is not None:
            mourned = self.vanished.gone if self.vanished.acknowledged else frozenset()
            frozen = not self.vanished.acknowledged
            situation = replace(situation, frozen=frozen, acknowledged=mourned)
            intents = self._intents(due, situation)
        intents.sort(key=lambda intent: self._rank(intent.ref))
        return {intent.ref: Item(intent, observed, topology) for intent in intents}

    def _counting(self, read: Mapping[Key, Observed | Unread]) -> Mapping[Key, Observed | Unread]:
        """What was read, without the marks of those who are gone and kept what they had."""
        gone = self._world.is_gone
        return {key: one if isinstance(one, Unread) else released(one, gone) for key, one in read.items()}

    def renewed(self, items: Sequence[Item]) -> list[Item]:
        """The same items, with groups as they compile now that their topics turned out to be what they are."""
        stale = [item.intent.ref for item in items if self._is_stale(item)]
        if not stale:
            return list(items)
        _, driver, facts = self._connected()
        topology = resolve(self._world.estate, self._ref, stale, self._world.index)
        compiled = driver.compile(topology, facts, self._world.estate.installation)
        return [
            replace(item, intent=replace(item.intent, compiled=compiled[item.intent.ref]), topology=topology)
            if item.intent.ref in stale and item.intent.ref in compiled
            else item
            for item in items
        ]

    def _is_stale(self, item: Item) -> bool:
        """Whether a group was compiled for another incarnation of its topic than the one that is known by now."""
        group = item.topology.groups.get(item.intent.ref)
        if group is None:
            return False
        topic = self._world.estate.topics.get(group.topic.declared.ref)
        return topic is not None and topic.record.identity != group.topic.declared.record.identity

    def note(self, topic: Ref, *, lost: bool) -> bool:
        """Remember whether the data of a topic is lost; its groups wait for that to be acknowledged.

        Says whether that is news to them.
        """
        news = lost != (topic in self.lost_topics)
        if lost:
            self.lost_topics.add(topic)
        else:
            self.lost_topics.discard(topic)
        return news

    def _connected(self) -> tuple[Broker, Driver, BrokerFacts]:
        link = self._link
        if link.broker is None or link.driver is None or link.facts is None:
            raise Unreachable("Unreachable", "there is no connection to the broker")
        return link.broker, link.driver, link.facts

    def _with_readers(self, refs: Iterable[Ref]) -> list[Ref]:
        """A topic on its way out is looked at together with the groups that still live on it."""
        due = dict.fromkeys(refs)
        for ref in tuple(due):
            due.update(dict.fromkeys(r for r in self._world.index.rivals(ref) if r in self._world.entries))
            entry = self._world.entries[ref]
            if entry.leaving and ref.kind != BROKER:
                due.update(dict.fromkeys(self._world.users(ref)))
        return list(due)

    def _intents(self, refs: Iterable[Ref], situation: Situation) -> list[Intent]:
        entries = (self._world.entries[ref] for ref in refs)
        return [intent_of(entry.declared, situation) for entry in entries if entry.declared is not None]

    def _judge(
        self, intents: Iterable[Intent], observed: Mapping[Key, Observed | Unread], facts: BrokerFacts
    ) -> None:
        """Whether so much is gone at once that somebody has to look before anything is made again."""
        broker = self._world.estate.brokers[self._ref]
        recorded = {i.claims[0].desired.key: i.claims[0].record.identity for i in intents if i.claims}
        mourned = {i.claims[0].desired.key for i in intents if i.claims and self._mourns(i.ref)}
        waiting = {i.claims[0].desired.key for i in intents if i.claims and self._waits(i)}
        asked = self._world.entries[self._ref].status.get("lost") or {}
        before = self.vanished
        self.vanished = estate_vanished(
            {key: identity for key, identity in recorded.items() if identity},
            observed,
            known_cluster=broker.record.identity,
            cluster=facts.identity,
            word=Word(str(asked.get("externalId") or ""), broker.annotations.get(ACKNOWLEDGE, ""), waiting),
            mourned=mourned,
        )
        answered = self.vanished is not None and self.vanished.acknowledged
        self.again = answered and self.vanished != before

    def _waits(self, intent: Intent) -> bool:
        """Whether something is still to be made good: what nobody acts on, or what was not well when last looked at."""
        conditions = self._world.entries[intent.ref].status.get("conditions") or ()
        ready = next((one for one in conditions if one["type"] == "Ready"), None)
        well = ready is not None and (ready["status"] != "False" or ready["reason"] == "Unreachable")
        return intent.claims[0].mode is not Mode.ENFORCE or not well

    def _mourns(self, ref: Ref) -> bool:
        return "lost" in self._world.entries[ref].status

    def _rank(self, ref: Ref) -> tuple[bool, int]:
        """What is new or changed comes before what was fine; dependencies before dependents."""
        entry = self._world.entries[ref]
        settled = entry.status.get("observedGeneration") == entry.generation and entry.deleting_since is None
        return (settled, ORDER[ref.kind])


def claims_of(items: Iterable[Item]) -> list[Claim]:
    """All claims of some items."""
    return [claim for item in items for claim in item.intent.claims]


def farewells_of(items: Iterable[Item]) -> list[Farewell]:
    """All farewells of some items."""
    return [farewell for item in items for farewell in item.intent.farewells]
