"""From everything known about an object after a pass to its written status. Decides nothing: that is core's."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from headgate.api import (
    ConsumerGroupStatus,
    DeadLetterQueueStatus,
    EventBrokerStatus,
    EventTopicStatus,
    Mode,
    dump_status,
)
from headgate.api.common import ApiModel
from headgate.brokers.base import Refused
from headgate.core.changes import Standing
from headgate.core.compiled import Compiled, Retry
from headgate.core.conditions import Aspect, yes
from headgate.core.effective import broker_effective, effective_of
from headgate.core.estate import Declared, Ref
from headgate.core.index import BROKER, GROUP, POLICY, QUEUE, external_name
from headgate.core.lagview import LagView
from headgate.core.outcomes import Finding, Outcome
from headgate.core.progress import DeadLetters, Position
from headgate.core.resolve import references
from headgate.core.resource import Key, Observed, Unread
from headgate.core.status.account import (
    BindingAccount,
    BrokerAccount,
    Cluster,
    GroupAccount,
    Outage,
    QueueAccount,
    ScalingAccount,
    TopicAccount,
)
from headgate.core.status.broker import broker_status
from headgate.core.status.group import group_status
from headgate.core.status.queue import queue_status
from headgate.core.status.topic import topic_status
from headgate.core.tenancy import template_of
from headgate.core.vanished import Vanished
from headgate.core.workload import ScalingView
from headgate.engine.bindings import Bindings
from headgate.engine.intents import ACKNOWLEDGE
from headgate.engine.link import Link
from headgate.engine.readers import Placed, Readers
from headgate.engine.records import previous
from headgate.engine.shared import Shared
from headgate.engine.sweep import Item
from headgate.engine.world import Entry

BLIP: Final = timedelta(seconds=5)  # elections and restarts pass; nobody need be told of each
FIGURES: Final = frozenset({"messages", "bytes", "depth", "oldestTime", "groups", "objects"})


@dataclass(frozen=True, slots=True)
class Findings:
    """What came out of a pass for one object."""

    item: Item
    standings: tuple[Standing, ...]
    refused: tuple[Finding, ...]
    vanished: Vanished | None
    made: bool = False  # something was made anew in this pass
    seen: Mapping[Key, Observed] = field(default_factory=dict)  # what the broker made of changes of this pass

    def latest(self, key: Key) -> Observed | None:
        """An object as last seen: nothing is left for the next pass to tell that is known in this one."""
        found = self.seen.get(key) or self.item.observed.get(key)
        return found if isinstance(found, Observed) else None


@dataclass(frozen=True, slots=True)
class Sights:
    """What other loops know about groups and dead letters."""

    lag: Callable[[Ref], LagView | None]
    scaling: Callable[[Ref], ScalingView | None]
    letters: Callable[[Ref], tuple[DeadLetters, ...] | None]
    capturing: Callable[[Ref], tuple[Aspect, ...]]
    touched: Callable[[Ref], None]  # the position of a group was made or moved: look at it soon
    position: Callable[[Ref], Position | None]  # the newest one of a group
    used: Callable[[Ref], None]  # a retry policy works out otherwise than before for one of its groups


class Reports:
    """Statuses of everything on one broker."""

    def __init__(
        self, shared: Shared, link: Link, readers: Readers, bindings: Bindings, sights: Sights
    ) -> None:
        self._shared = shared
        self._link = link
        self._readers = readers
        self._bindings = bindings
        self._sights = sights
        self._figures: dict[Ref, datetime] = {}  # when figures in status were last written
        self._silent: dict[Ref, Outage] = {}  # objects about which a broker that answers says nothing

    async def write(self, entry: Entry, found: Findings, *, reread: bool) -> None:
        """Bring the status of an object to what a pass found."""
        self._silent.pop(entry.ref, None)
        if entry.declared is None:
            return
        binding: BindingAccount | None = None
        refused = found.refused
        if entry.ref.kind == GROUP:
            self._take_note(entry, found)
            bound = await self._bind(entry, entry.declared, found.item.intent.compiled, reread=reread)
            if isinstance(bound, Finding):
                refused = (*refused, bound)
            else:
                binding = bound
        status = self._status(entry, entry.declared, found, refused, binding)
        await self._report(entry, dump_status(status))

    async def _report(self, entry: Entry, shown: Mapping[str, Any]) -> None:
        patch = await self._shared.writer.report(entry, shown)
        self._judge(entry.ref, shown)
        if FIGURES & patch.keys():
            self._figures[entry.ref] = self._shared.wall()

    def _judge(self, ref: Ref, shown: Mapping[str, Any]) -> None:
        """Count the verdict, and remember what is not Ready: any change at all may heal it."""
        ready = next((one for one in shown.get("conditions") or () if one["type"] == "Ready"), None)
        troubled = ready is not None and ready["status"] == "False"
        self._shared.trouble(ref, troubled=troubled and ref.kind != BROKER)
        self._shared.metrics.reconciled.labels(ref.kind, "NotReady" if troubled else "Done").inc()
        if ready is not None and troubled:
            self._shared.metrics.failed.labels(ref.kind, ready["reason"]).inc()

    async def write_away(self, entry: Entry, vanished: Vanished | None) -> None:
        """Say that the broker is away; everything else stays as it was last seen."""
        if entry.declared is None:
            return
        declared = entry.declared
        if entry.ref.kind == BROKER:
            status: ApiModel = self._broker(entry, declared, vanished)
        else:
            status = self._managed(entry, declared, None, (), self._kept_binding(entry), vanished)
        await self._report(entry, dump_status(status))

    async def write_counts(self, entry: Entry, counted: Mapping[str, int]) -> None:
        """Bring nothing but the numbers of objects to what they are."""
        if entry.status:
            await self._report(entry, {**entry.status, "objects": dict(counted)})

    async def write_unread(self, entry: Entry, unread: Unread, found: Findings) -> None:
        """Say that the broker is silent about an object, once that lasts; everything else stays as it was last seen."""
        if entry.declared is None:
            return
        about, now = "the broker says nothing about it now", self._shared.wall()
        first = Outage(now, unread.reason, unread.message, self._shared.grace, about)
        since = self._silent.setdefault(entry.ref, first).since
        if entry.ref.kind == GROUP:
            self._take_note(entry, found)  # movers need its route, whether it can be seen or not
        if now - since < BLIP and entry.status.get("observedGeneration") == entry.generation:
            return
        kept = self._kept_binding(entry)
        status = self._managed(entry, entry.declared, None, (), kept, found.vanished)
        await self._report(entry, dump_status(status))

    async def obstacle(self, entry: Entry) -> Finding | None:
        """What stands in the way of a group before anything is made for it."""
        binding = (
            entry.declared.spec.binding if entry.declared is not None and entry.ref.kind == GROUP else None
        )
        return await self._bindings.taken(entry, binding.config_map_name) if binding is not None else None

    def forget(self, ref: Ref) -> None:
        """The object is gone: nobody follows it any more."""
        self._silent.pop(ref, None)
        self._readers.drop(ref)
        self._figures.pop(ref, None)
        self._bindings.forget(ref)

    def _status(
        self,
        entry: Entry,
        declared: Declared[Any],
        found: Findings,
        refused: tuple[Finding, ...],
        binding: BindingAccount | None,
    ) -> ApiModel:
        if entry.ref.kind == BROKER:
            own = found.item.topology.findings.get(entry.ref, ())
            return self._broker(entry, declared, found.vanished, own)
        findings = (*found.item.intent.findings, *refused)
        return self._managed(entry, declared, found, findings, binding, found.vanished)

    def _managed(
        self,
        entry: Entry,
        declared: Declared[Any],
        found: Findings | None,
        findings: tuple[Finding, ...],
        binding: BindingAccount | None,
        vanished: Vanished | None,
    ) -> ApiModel:
        spec = declared.spec
        compiled = found.item.intent.compiled if found is not None else None
        common: dict[str, Any] = {
            "now": self._shared.wall(),
            "generation": entry.generation,
            "findings": findings,
            "outage": self._outage() or self._silent.get(entry.ref) if found is None else None,
            "mode": getattr(spec, "mode", None) or Mode.ENFORCE,
            "suspended": spec.suspend,
            "deleting": entry.deleting_since is not None,
            "acknowledged": declared.annotations.get(ACKNOWLEDGE, ""),
            "external_name": self._external_name(declared),
            "record": declared.record,
            "compiled": compiled,
            "standings": found.standings if found is not None else (),
            "estate": vanished,
            "defaults": effective_of(spec),
        }
        if entry.ref.kind == GROUP:
            return self._group(entry, declared, common, binding)
        if entry.ref.kind == QUEUE:
            return self._queue(entry, declared, common)
        return self._topic(entry, found, common)

    def _topic(self, entry: Entry, found: Findings | None, common: Mapping[str, Any]) -> ApiModel:
        seen = [found.latest(standing.key) for standing in found.standings] if found is not None else []
        stats = next((one.stats for one in seen if one is not None), None)
        return topic_status(
            TopicAccount(
                previous=previous(EventTopicStatus, entry.status),
                stats=stats,
                figures_written=self._figures.get(entry.ref),
                **common,
            )
        )

    def _queue(self, entry: Entry, declared: Declared[Any], common: Mapping[str, Any]) -> ApiModel:
        return queue_status(
            QueueAccount(
                previous=previous(DeadLetterQueueStatus, entry.status),
                letters=self._sights.letters(entry.ref),
                spec=declared.spec,
                aspects=self._sights.capturing(entry.ref),
                **common,
            )
        )

    def _group(
        self, entry: Entry, declared: Declared[Any], common: Mapping[str, Any], binding: BindingAccount | None
    ) -> ApiModel:
        scaling = self._sights.scaling(entry.ref)
        queue = next((ref for ref in references(declared) if ref.kind == QUEUE), None)
        capturing = self._sights.capturing(queue) if queue is not None else ()
        account = GroupAccount(
            spec=declared.spec,
            previous=previous(ConsumerGroupStatus, entry.status),
            lag=self._sights.lag(entry.ref),
            topic_identity=self._topic_identity(entry.ref),
            learned=scaling.learned if scaling is not None else _learned(entry),
            scaling=_scaling(scaling),
            binding=binding,
            aspects=(*_aspects(scaling), *capturing),
            unseen=frozenset() if scaling is not None else frozenset({"ScalingActive", "RetrySaturated"}),
            **common,
        )
        return group_status(account)

    def _broker(
        self,
        entry: Entry,
        declared: Declared[Any],
        vanished: Vanished | None,
        findings: tuple[Finding, ...] = (),
    ) -> ApiModel:
        trouble, facts = self._link.trouble, self._link.facts
        refused = trouble is not None and isinstance(trouble.error, Refused)
        on = self._shared.world.index.on_broker(entry.ref)
        account = BrokerAccount(
            now=self._shared.wall(),
            generation=entry.generation,
            findings=findings,
            effective=broker_effective(declared.spec, self._link.traits.pressure),
            outage=None if refused else self._outage(),
            previous=previous(EventBrokerStatus, entry.status),
            deleting=entry.deleting_since is not None,
            record=declared.record,
            cluster=None
            if facts is None
            else Cluster(facts.type, facts.server_version, facts.identity, facts.capabilities),
            refused=Finding(Outcome.REFUSED, trouble.error.reason, str(trouble.error))
            if trouble and refused
            else None,
            estate=vanished,
            figures_written=self._figures.get(entry.ref),
            topics=sum(ref.kind == "EventTopic" for ref in on),
            groups=sum(ref.kind == GROUP for ref in on),
            queues=sum(ref.kind == QUEUE for ref in on),
        )
        return broker_status(account)

    def _topic_identity(self, ref: Ref) -> str:
        placed = self._readers.placed(ref)
        return placed.group.topic.declared.record.identity if placed is not None else ""

    def _outage(self) -> Outage | None:
        trouble = self._link.trouble
        if trouble is None:
            return None
        return Outage(trouble.since, trouble.error.reason, str(trouble.error), self._shared.grace)

    def _external_name(self, declared: Declared[Any]) -> str:
        broker_ref = self._shared.world.broker_of(declared.ref)
        broker = self._shared.world.estate.brokers.get(broker_ref) if broker_ref is not None else None
        return external_name(declared, template_of(broker.spec)) if broker is not None else ""

    def _take_note(self, entry: Entry, found: Findings) -> None:
        """Have sampling and scaling know of the group as it is now."""
        there = any(standing.exists and standing.owned for standing in found.standings)
        group = found.item.topology.groups.get(entry.ref)
        compiled = found.item.intent.compiled
        incarnation = next((standing.identity for standing in found.standings), "")
        before = self._readers.placed(entry.ref)
        self._readers.put(entry.ref, group, compiled, there=there, incarnation=incarnation)
        after = self._readers.placed(entry.ref)
        if entry.declared is not None and _retry(before) != _retry(after):
            for used in references(entry.declared):
                if used.kind == POLICY:
                    self._sights.used(used)
        if found.made:
            self._sights.touched(entry.ref)

    async def _bind(
        self, entry: Entry, declared: Declared[Any], compiled: Compiled, *, reread: bool
    ) -> BindingAccount | Finding | None:
        wanted = declared.spec.binding
        await self._bindings.withdraw(entry, wanted and wanted.config_map_name)
        if wanted is None or compiled.binding is None or declared.deleting or declared.spec.suspend:
            return self._kept_binding(entry) if wanted is not None else None
        content = {**compiled.binding, "ca.crt": self._link.ca} if self._link.ca else compiled.binding
        return await self._bindings.ensure(entry, wanted.config_map_name, content, reread=reread)

    @staticmethod
    def _kept_binding(entry: Entry) -> BindingAccount | None:
        shown = entry.status.get("binding") or {}
        name, revision = shown.get("configMapName"), shown.get("revision")
        return BindingAccount(str(name), int(revision)) if name and revision is not None else None


def _retry(placed: Placed | None) -> Retry | None:
    return placed.compiled.retry if placed is not None else None


def _learned(entry: Entry) -> Mapping[str, str]:
    return (entry.status.get("record") or {}).get("learned") or {}


def _scaling(view: ScalingView | None) -> ScalingAccount | None:
    if view is None:
        return None
    return ScalingAccount(view.current, view.desired, view.reason, view.message, view.last_change)


def _aspects(view: ScalingView | None) -> tuple[Aspect, ...]:
    if view is None:
        return ()
    saturated = (yes("RetrySaturated", "RetrySaturated", _SATURATED),) if view.retry_saturated else ()
    return (Aspect("ScalingActive", view.active, str(view.active_reason), view.active_message), *saturated)


_SATURATED = (
    "events that wait for a retry take the places of new ones, which more replicas would not change: repair what the "
    "workers fail at"
)
