"""One EventBroker's loop: gather what is declared and observed, decide, act, report. Start reading here.

A worker owns everything that lives on its EventBroker, so a slow or dead broker delays nobody else. Whatever is marked
dirty is looked at as a whole, never as an edge: a sweep reads the broker once for all of it, then goes through it in
small portions, each of which ends with its statuses written. What arrives meanwhile comes first. Knows no broker.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Collection
from typing import Final

from headgate.brokers.base import Broker, BrokerError, BrokerFacts, Refused, Unavailable, Unreachable
from headgate.core.changes import Action, Change
from headgate.core.estate import Ref
from headgate.core.index import BROKER, GROUP, QUEUE, TOPIC
from headgate.core.resource import Unread, differences
from headgate.core.vanished import is_strange
from headgate.engine.bindings import Bindings
from headgate.engine.intents import ACKNOWLEDGE, owner_of
from headgate.engine.link import DISCONNECTED, Link
from headgate.engine.metered import Metered
from headgate.engine.portion import Portion
from headgate.engine.queue import DirtyQueue
from headgate.engine.readers import Readers
from headgate.engine.reports import Reports, Sights
from headgate.engine.routes import RoutesWriter
from headgate.engine.shared import RESYNC, Shared
from headgate.engine.sweep import Item, Sweep
from headgate.kube.errors import Fenced, KubeError

log = logging.getLogger(__name__)

PORTION: Final = 64  # objects between two looks at what has arrived meanwhile
HASTY: Final = 16
PROBE_FIRST: Final = 0.2  # seconds between two tries to reach a broker that is away
PROBE_LONGEST: Final = 0.8
REFUSED_AGAIN: Final = 5.0  # seconds until credentials are read again that the broker did not accept
FENCED_AGAIN: Final = 0.5  # seconds until it shows whether the Lease came back or this process ends
OUTDATED: Final = "AuthenticationFailed"  # where they were good a moment ago: read again at once
ROUTES: Final = Ref("Routes", "", "")  # stands for the ConfigMap of movers in the queue
COUNTS: Final = Ref("Counts", "", "")  # stands for what an EventBroker says about how many objects it has
COUNTED_AGAIN: Final = 30.0  # seconds between two writes of that, however many objects come and go
COUNTED_AFTER: Final = (
    1.0  # seconds until it is first written: whoever declares one object mostly declares more
)


class Worker:
    """Keeps one EventBroker and everything on it true."""

    def __init__(self, broker: Ref, shared: Shared, watch: Callable[["Worker"], Sights]) -> None:
        self.ref = broker
        self.queue: DirtyQueue[Ref] = DirtyQueue(shared.monotonic, shared.jitter)
        self.link = Link(
            shared.kube,
            shared.wall,
            shared.keep_secret,
            lambda real: Metered(real, broker, shared.metrics, shared.monotonic),
            shared.drivers,
            shared.may_act,
        )
        self.readers = Readers(shared.world)
        self.looked = False  # whether everything was looked at once
        self._shared = shared
        self._world = shared.world
        sights = watch(self)
        self._sweep = Sweep(broker, shared.world, self.link, sights.position)
        self._bindings = Bindings(shared)
        reports = Reports(shared, self.link, self.readers, self._bindings, sights)
        self._portion = Portion(shared, self._sweep, self.link, self.queue, reports)
        self._routes = RoutesWriter(broker, shared)
        self._next_full = 0.0
        self._tries = 0
        self._again = False  # the EventBroker itself changed in the middle of a pass
        self._counted_at = float("-inf")  # when it was last written how many objects there are
        self._count_at = 0.0  # when it is to be written again; 0: it is true
        self._judged_at = 0.0  # when everything learns that the broker stays away; 0: it does not

    def forget(self, ref: Ref) -> None:
        """An object is gone: nothing of it is followed any more."""
        self._portion.forget(ref)

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            while True:
                await self._turn()
        finally:
            await self.link.aclose()

    async def _turn(self) -> None:
        """Wait until something is due, then look at all of it."""
        await self._until_due()
        if self.ref not in self._world.estate.brokers:
            self.queue.take()
            return
        refs = self._due()
        try:
            await self._look_or_wait(refs)
        except Fenced as error:
            log.info("%s: %s", self.ref, error)
            for ref in refs:
                self.queue.at(ref, FENCED_AGAIN)
        except Exception:
            if self.ref in self._world.estate.brokers:  # else it went in the middle of its own pass
                log.exception("%s: a pass failed; its objects are looked at again", self.ref)
            for ref in refs:
                self.queue.retry(ref)
        self.looked = True
        self._shared.begun.set()

    def _due(self) -> tuple[Ref, ...]:
        now = self._shared.monotonic()
        judged = bool(self._judged_at) and now >= self._judged_at
        if judged:
            self._judged_at = 0.0
        if judged or (self.link.up and now >= self._next_full):
            self.queue.add(self._world.of_broker(self.ref))
        return self.queue.take()

    async def _look_or_wait(self, refs: Collection[Ref]) -> None:
        try:
            await self._look(refs)
        except BrokerError as error:
            await self._away(refs, error)

    async def _look(self, refs: Collection[Ref]) -> None:
        """Connect where needed, then read once and go through everything that is due."""
        was_up = self.link.up
        full = self._shared.monotonic() >= self._next_full or self.ref in refs
        full = full or not was_up
        if full:
            await self.link.refresh(self._world.estate.brokers[self.ref], reread=full)
            await self._lay_ground()
        if full:
            refs = self._world.of_broker(self.ref)
        if not was_up:
            log.info("%s: connected", self.ref)
            self._tries, self._judged_at = 0, 0.0
        if not self.looked:
            await self._newcomers_first()
        began = self._shared.monotonic()
        await self._go_through(await self._sweep.prepare(refs, full=full), full=full)
        scope = "full" if full else "dirty"
        self._shared.metrics.pass_seconds.labels(scope).observe(self._shared.monotonic() - began)
        await self._write_routes(full=full)
        await self._recount()
        if full and self.ref in self._world.estate.brokers:
            again = self._again or self._sweep.again
            self._next_full = 0.0 if again else self._shared.monotonic() + self._interval()
            self._again = False

    async def _newcomers_first(self) -> None:
        """At a start, what was declared meanwhile does not wait until all of a large estate was read.

        Only where the cluster is the known one, and only what has never been made: nothing can be missed by it.
        """
        facts, known = self.link.facts, self._world.estate.brokers[self.ref].record.identity
        if facts is None or not known or self._is_doubtful(facts):
            return
        entries = (self._world.entries[ref] for ref in self._world.of_broker(self.ref))
        newcomers = [entry.ref for entry in entries if not entry.leaving and not entry.status]
        if newcomers := newcomers[:HASTY]:
            await self._go_through(await self._sweep.prepare(newcomers, full=False), full=False)

    async def _recount(self) -> None:
        """Have the EventBroker say how many objects there are by now: in one write for many of them, and in no full pass."""
        entry = self._world.entries.get(self.ref)
        shown = (entry.status.get("objects") or {}) if entry is not None and not entry.leaving else {}
        on = Counter(ref.kind for ref in self._world.index.on_broker(self.ref))
        counted = {"topics": on[TOPIC], "groups": on[GROUP], "deadLetterQueues": on[QUEUE]}
        if entry is None or not shown or all(shown.get(name, 0) == n for name, n in counted.items()):
            self._count_at = 0.0
            return
        now = self._shared.monotonic()
        self._count_at = self._count_at or max(now + COUNTED_AFTER, self._counted_at + COUNTED_AGAIN)
        if now < self._count_at:
            self.queue.at(COUNTS, self._count_at - now)
        elif await self._portion.recount(entry, counted):
            self._count_at, self._counted_at = 0.0, self._shared.monotonic()

    async def _write_routes(self, *, full: bool) -> None:
        try:
            await self._routes.write(self.readers.routes(), reread=full)
            self.queue.settled(ROUTES)
        except KubeError as error:
            log.warning("%s: the routes of movers cannot be written: %s", self.ref, error)
            self.queue.retry(ROUTES)

    async def _lay_ground(self) -> None:
        """Make what Headgate itself needs in the broker, before any object can need it."""
        broker, driver, facts = self.link.broker, self.link.driver, self.link.facts
        if broker is None or driver is None or facts is None or self._is_doubtful(facts):
            return
        owner = owner_of(self.ref, self._world.estate.installation)
        wanted = driver.infrastructure(facts, self._world.estate.brokers[self.ref].spec)
        observed = await broker.observe([resource.key for resource in wanted])
        for resource in wanted:
            found = observed.get(resource.key)
            if isinstance(found, Unread):
                log.warning("%s: %s: %s: %s", self.ref, resource.key, found.reason, found.message)
            elif found is None or list(differences(resource, found.resource)):
                await self._lay(broker, Change(Action.CREATE, resource.key, owner, after=resource))

    async def _lay(self, broker: Broker, change: Change) -> None:
        """What is refused here holds up dead letters alone, and Capturing says so; everything else goes on."""
        try:
            await broker.apply(change)
        except (Refused, Unavailable) as error:
            log.warning("%s: %s: %s: %s", self.ref, change.key, error.reason, error)
            return
        await self.link.refresh(self._world.estate.brokers[self.ref], reread=False)

    def _together(self, refs: Collection[Ref]) -> dict[Ref, None]:
        """Some objects, and with them those that have to be decided in one plan: rivals, and users of what goes."""
        found = dict.fromkeys(refs)
        for ref in refs:
            found.update(dict.fromkeys(self._world.index.rivals(ref)))
            entry = self._world.entries.get(ref)
            if entry is not None and entry.leaving and ref.kind != BROKER:
                found.update(dict.fromkeys(sorted(self._world.users(ref))))
        return found

    def _is_doubtful(self, facts: BrokerFacts) -> bool:
        """Whether another cluster answers than the one that is known, and nobody said yet that this is right."""
        declared = self._world.estate.brokers[self.ref]
        return is_strange(declared.record.identity, facts.identity, declared.annotations.get(ACKNOWLEDGE, ""))

    async def _go_through(self, pending: dict[Ref, Item], *, full: bool) -> None:
        self._portion.begin()
        if full:
            self._bindings.begin()
        while pending:
            arrived = self.queue.take()
            if self.ref in arrived:
                self._again = True
            if arrived:
                fresh = await self._sweep.prepare(arrived, full=False)
                pending = {**fresh, **{ref: item for ref, item in pending.items() if ref not in fresh}}
            items = [
                pending.pop(ref) for ref in self._together(tuple(pending)[: self._size()]) if ref in pending
            ]
            try:
                await self._portion.settle(items, full=full)
            except BrokerError:
                self.queue.add((*(item.intent.ref for item in items), *pending))
                raise
            self._shared.begun.set()

    def _size(self) -> int:
        """Small portions while a namespace is about to end, so that its last call is heard in time; a small first one."""
        ends = self._shared.last_calls
        hasty = any(not self._shared.hurries(namespace) for namespace in ends)
        return HASTY if hasty or not self._shared.begun.is_set() else PORTION

    async def _away(self, refs: Collection[Ref], error: BrokerError) -> None:
        """Report what waits for the broker, and say when to try again."""
        if (was_up := self.link.up) or self._tries == 0:
            log.warning("%s: %s: %s", self.ref, error.reason, error)
            self._judged_at = self._shared.monotonic() + self._shared.grace.total_seconds()
        self.link.down(error)
        wait = min(PROBE_LONGEST, PROBE_FIRST * float(2 ** min(self._tries, 8))) * self._shared.jitter()
        if isinstance(error, Refused) and not (was_up and error.reason == OUTDATED):
            wait = REFUSED_AGAIN
        self._tries += 1
        self._next_full = self._shared.monotonic() + wait
        # The EventBroker tells at once, and whenever the cause is another one; what lives on it, if it stays so.
        await self._portion.hold({self.ref, *refs})

    async def _until_due(self) -> None:
        """Return when an object, the next full pass or try to connect is due, or when the connection is lost."""
        at_most = max(0.0, self._next_full - self._shared.monotonic())
        broker = self.link.broker
        if not self.link.up or broker is None:
            await self.queue.wait(at_most)
            return
        due = asyncio.ensure_future(self.queue.wait(at_most))
        lost = asyncio.ensure_future(broker.lost())
        try:
            await asyncio.wait({due, lost}, return_when=asyncio.FIRST_COMPLETED)
            if lost.done():
                self.link.down(Unreachable(DISCONNECTED, "the connection to the broker broke"))
                self._next_full = self._shared.monotonic()
        finally:
            due.cancel()
            lost.cancel()

    def _interval(self) -> float:
        declared = self._world.estate.brokers[self.ref].spec.resync_interval
        return ((declared or RESYNC).total_seconds()) * self._shared.jitter()
