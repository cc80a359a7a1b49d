"""The engine of one operator process: one worker per EventBroker, one loop for what lives on none. Knows no broker."""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from headgate.core.defaults import PROGRESS_PER_SECOND
from headgate.core.estate import Ref
from headgate.core.index import BROKER, QUEUE, external_name
from headgate.core.lag import History, Lag, figures
from headgate.core.members import member
from headgate.core.resource import Key
from headgate.core.tenancy import template_of
from headgate.core.workload import Member
from headgate.engine.autoscale import Autoscaler, Scaled
from headgate.engine.gauges import Gauges
from headgate.engine.intents import ACKNOWLEDGE
from headgate.engine.letters import Letters
from headgate.engine.readers import Placed
from headgate.engine.reconcile import Worker
from headgate.engine.reports import Sights
from headgate.engine.sampler import Sampler
from headgate.engine.shared import Shared
from headgate.engine.unplaced import Unplaced
from headgate.engine.world import World
from headgate.engine.writer import Writer
from headgate.kube.client import KubeClient
from headgate.settings import Settings
from headgate.telemetry.logs import Scrubber
from headgate.telemetry.metrics import Metrics

log = logging.getLogger(__name__)

NO_PATIENCE: Final = timedelta(0)
LAST_CALL: Final = 3.0  # seconds for what is in a namespace that ends; then it is let go as it is
JITTER: Final = 0.1  # waits are shortened by up to so much


@dataclass(slots=True)
class Branch:
    """Everything that runs for one EventBroker."""

    worker: Worker
    sampler: Sampler
    letters: Letters
    tasks: tuple[asyncio.Task[None], ...] = ()


class Operator:
    """Is told what exists, and keeps it true."""

    def __init__(
        self,
        kube: KubeClient,
        settings: Settings,
        *,
        installation: str,
        metrics: Metrics,
        scrubber: Scrubber,
        may_act: Callable[[], bool] = lambda: True,
    ) -> None:
        self.world = World(installation, self._news)
        self.shared = Shared(
            kube=kube,
            world=self.world,
            writer=Writer(kube, self.world),
            metrics=metrics,
            wall=_wall,
            monotonic=time.monotonic,
            jitter=_jitter,
            keep_secret=lambda secret: scrubber.learn((secret,)),
            let_go=self._let_go,
            may_act=may_act,
            grace=settings.grace,
        )
        self._settings = settings
        self._branches: dict[Ref, Branch] = {}
        self._gauges = Gauges(metrics)
        self._unplaced = Unplaced(self.shared, self._placed, self._is_known, self._hand_over)
        self._autoscaler = Autoscaler(
            kube, self._members, self._lag, clock=_wall, on_change=self._one_dirty, on_scaled=self._on_scaled
        )
        self._stopping = asyncio.Event()
        self._running = False
        self._failed: asyncio.Future[None] | None = None

    # --- what is told

    def see(self, kind: str, event: str | None, body: Mapping[str, Any]) -> None:
        """An object of ours as it is now; DELETED: as it was."""
        self.world.see(kind, event, body)

    def see_namespace(self, event: str | None, body: Mapping[str, Any]) -> None:
        """A namespace as it is now."""
        self.world.see_namespace(event, body)

    def known(self, kind: str) -> Mapping[str, tuple[str, str]]:
        """The objects of a kind that are believed to exist: uid to (namespace, name)."""
        return {
            entry.uid: (ref.namespace, ref.name)
            for ref, entry in self.world.entries.items()
            if ref.kind == kind
        }

    def see_ending(self, namespace: str, since: datetime | None) -> None:
        """A namespace is being deleted, and our rights in it with it: Kubernetes begins after five seconds."""
        if since is None:
            self.shared.last_calls.pop(namespace, None)
        else:
            self.shared.last_calls.setdefault(namespace, self.shared.monotonic() + LAST_CALL)
        self.world.see_ending(namespace, since)

    def listed(self, parts: Collection[str | None]) -> None:
        """Everything in these namespaces was told once, None for all."""
        self.world.listed(parts)

    def measure(self) -> None:
        """Set the gauges, since somebody asks for metrics."""
        branches = self._branches
        self._gauges.resources(self.world.entries.values())
        self._gauges.brokers({ref: branch.worker.link.up for ref, branch in branches.items()})
        lags = {
            ref: (lag, branch.sampler.views.get(ref))
            for branch in branches.values()
            for ref, lag in branch.sampler.lags()
        }
        self._gauges.groups(lags, self._autoscaler.views, _wall())
        letters = {ref: found for branch in branches.values() for ref, found in branch.letters.found.items()}
        self._gauges.queues(letters, _wall())

    # --- life

    @property
    def ready(self) -> bool:
        """Whether everything was looked at once."""
        return (
            self._running
            and self._unplaced.looked
            and all(branch.worker.looked for branch in self._branches.values())
        )

    async def begun(self) -> None:
        """Return once something was brought to a verdict, or nothing was to be done."""
        if self.world.estate.brokers:
            await self.shared.begun.wait()

    async def run(self) -> None:
        """Act until `stop`; ends with the error of any loop that fails."""
        self._running = True
        self._failed = asyncio.get_running_loop().create_future()
        unplaced = self._start(self._unplaced.run(), "unplaced")
        for ref in tuple(self.world.estate.brokers):
            self._grow(ref)
        self._dirty(self.world.entries)
        stopped: asyncio.Future[Any] = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({stopped, self._failed}, return_when=asyncio.FIRST_COMPLETED)
            if self._failed.done():
                self._failed.result()
        finally:
            stopped.cancel()
            await self._end((unplaced, *(task for b in self._branches.values() for task in b.tasks)))

    async def stop(self) -> None:
        """Begin nothing new and let go of every connection."""
        self._stopping.set()

    async def _end(self, tasks: Collection[asyncio.Task[None]]) -> None:
        self._running = False
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._autoscaler.aclose()

    def _start(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or self._failed is None or self._failed.done():
            return
        error = task.exception() or RuntimeError(f"{task.get_name()} ended by itself")
        log.error("%s failed", task.get_name(), exc_info=error)
        self._failed.set_exception(error)

    # --- who looks at what

    def _news(self, refs: Iterable[Ref]) -> None:
        """Somebody changed something: it concerns these, and whatever is in trouble may be healed by it."""
        self._dirty((*refs, *(self.shared.troubled & self.world.entries.keys())))

    def _dirty(self, refs: Iterable[Ref]) -> None:
        if not self._running:
            return
        for ref in refs:
            if ref not in self.world.entries:
                self._forget(ref)
            if ref.kind == BROKER:
                self._grow(ref)
            self._queue_of(ref).add((ref,))
        self.shared.metrics.queue_depth.set(sum(len(b.worker.queue) for b in self._branches.values()))

    def _forget(self, ref: Ref) -> None:
        self.shared.troubled.discard(ref)
        for branch in self._branches.values():
            branch.worker.forget(ref)

    def _grow(self, ref: Ref) -> None:
        """An EventBroker that is there has its loops; one that is not there has none."""
        declared = self.world.estate.brokers.get(ref)
        if declared is not None:
            limits = declared.spec.limits
            asked = limits and limits.progress_per_second
            self._branch(ref).sampler.per_second = asked or PROGRESS_PER_SECOND
        elif (gone := self._branches.pop(ref, None)) is not None:
            for task in gone.tasks:
                task.cancel()
            self.shared.metrics.forget_broker(ref.namespace, ref.name)

    def _one_dirty(self, ref: Ref) -> None:
        self._dirty((ref,))

    def _hand_over(self, ref: Ref) -> None:
        """What lived on no EventBroker when it was told of has one by now, and that decides."""
        home = self.world.broker_of(ref)
        if home is not None:
            self._grow(home)
        self._one_dirty(ref)

    def _queue_of(self, ref: Ref) -> Any:  # noqa: ANN401  (a DirtyQueue[Ref])
        entry = self.world.entries.get(ref)
        home = self.world.broker_of(ref) if entry is not None and entry.declared is not None else None
        branch = self._branches.get(home) if home is not None else None
        return branch.worker.queue if branch is not None else self._unplaced.queue

    def _branch(self, ref: Ref) -> Branch:
        """The loops of an EventBroker, begun with its first sight and ended when it is gone."""
        known = self._branches.get(ref)
        if known is not None:
            return known
        worker = Worker(ref, self.shared, lambda _: self._sights(ref))
        sampler = Sampler(
            lambda: worker.link.broker if worker.link.up else None,
            worker.readers.watched,
            clock=_wall,
            on_sampled=self._autoscaler.act,
            on_change=self._one_dirty,
        )
        letters = Letters(
            ref,
            lambda: worker.link.broker if worker.link.up else None,
            lambda: self._queues(ref, worker),
            words=lambda queue: self._words(ref, queue),
            no_notices=lambda: worker.link.traits.no_notices,
            clock=_wall,
            on_change=self._one_dirty,
            on_verdict=self._judged,
        )
        branch = self._branches[ref] = Branch(worker, sampler, letters)
        branch.tasks = (
            self._start(worker.run(), f"worker of {ref}"),
            self._start(sampler.run(), f"sampler of {ref}"),
            self._start(letters.run(), f"dead letters of {ref}"),
        )
        return branch

    def _sights(self, broker: Ref) -> Sights:
        """What the other loops know, for statuses."""

        def letters() -> Letters:
            return self._branches[broker].letters

        return Sights(
            lag=lambda ref: self._branches[broker].sampler.views.get(ref),
            scaling=self._autoscaler.views.get,
            letters=lambda ref: letters().found.get(ref),
            capturing=lambda ref: letters().capturing(ref),
            touched=lambda ref: self._branches[broker].sampler.touch(ref),
            position=lambda ref: self._branches[broker].sampler.position(ref),
            used=self._one_dirty,
        )

    def _queues(self, broker: Ref, worker: Worker) -> Mapping[Ref, Key]:
        estate, driver = self.world.estate, worker.link.driver
        if driver is None or broker not in estate.brokers:
            return {}
        template = template_of(estate.brokers[broker].spec)
        found: dict[Ref, Key] = {}
        for ref in self.world.index.on_broker(broker):
            if ref.kind == QUEUE and ref in estate.queues:
                for key in driver.keys(external_name(estate.queues[ref], template), QUEUE):
                    found[ref] = key
        return found

    def _judged(self, queue: Ref, reason: str) -> None:
        """Have the users of a queue say what it says, where they do not yet."""
        entries = ((ref, self.world.entries[ref]) for ref in self.world.users(queue))
        self._dirty([ref for ref, entry in entries if _reason(entry.status, "Capturing") != reason])

    def _words(self, broker: Ref, queue: Ref) -> frozenset[str]:
        """What people acknowledged for a dead-letter queue, there or for everything on its EventBroker."""
        declared = (self.world.estate.brokers.get(broker), self.world.estate.queues.get(queue))
        return frozenset(
            one.annotations[ACKNOWLEDGE]
            for one in declared
            if one is not None and ACKNOWLEDGE in one.annotations
        )

    # --- what scaling asks

    def _placed(self, ref: Ref) -> Placed | None:
        home = self.world.broker_of(ref)
        branch = self._branches.get(home) if home is not None else None
        return branch.worker.readers.placed(ref) if branch is not None else None

    def _is_known(self, ref: Ref) -> bool:
        """Whether it was worked out what becomes of a group; its broker may not have been reached yet."""
        home = self.world.broker_of(ref)
        branch = self._branches.get(home) if home is not None else None
        if branch is None or branch.worker.readers.placed(ref) is not None:
            return True
        return branch.worker.looked and branch.worker.link.facts is not None

    def _members(self) -> list[Member]:
        """What every declared group says, also those that nobody can read now: they hold what they share with others."""
        known = {
            one.group: one for branch in self._branches.values() for one in branch.worker.readers.members()
        }
        groups = self.world.estate.groups
        unread = (member(declared, NO_PATIENCE) for ref, declared in groups.items() if ref not in known)
        return [*known.values(), *(one for one in unread if one is not None)]

    def _lag(self, ref: Ref) -> Lag:
        home = self.world.broker_of(ref)
        branch = self._branches.get(home) if home is not None else None
        return branch.sampler.lag(ref) if branch is not None else figures(History(), _wall(), NO_PATIENCE)

    def _on_scaled(self, scaled: Scaled) -> None:
        self.shared.metrics.scale_patches.labels("up" if scaled.after > scaled.before else "down").inc()
        self.shared.metrics.scale_decisions.labels(str(scaled.reason)).inc()
        log.info("%s -> %d replicas: %s", scaled.target, scaled.after, scaled.message)

    async def _let_go(self, ref: Ref) -> str:
        """Leave the workload of a group that goes; what could not be done is said."""
        declared = self.world.estate.groups.get(ref)
        leaving = member(declared, timedelta(0)) if declared is not None else None
        return await self._autoscaler.release(ref, leaving)


def _reason(status: Mapping[str, Any], kind: str) -> str:
    """The reason that a condition gives; empty where there is no such condition."""
    return next((str(one["reason"]) for one in status.get("conditions") or () if one["type"] == kind), "")


def _wall() -> datetime:
    return datetime.fromtimestamp(time.time(), UTC)


def _jitter() -> float:
    return 1.0 - random.random() * JITTER  # noqa: S311  (spreads load, hides nothing)
