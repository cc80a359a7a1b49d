"""Lets custom resources go: takes the finalizer away, and says what was left behind. Decides when, not whether."""

import logging
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from headgate.api import DeletionPolicy, Origin, UnreachablePolicy
from headgate.core.changes import Standing
from headgate.core.defaults import DELETION_TIMEOUT
from headgate.core.estate import Declared, Ref
from headgate.core.index import BROKER, GROUP, POLICY
from headgate.core.outcomes import Finding, Outcome
from headgate.core.pledges import PLEDGE
from headgate.engine.intents import CONFIRM_DELETE, deletion_policy, lets_go
from headgate.engine.notices import Notices
from headgate.engine.queue import DirtyQueue
from headgate.engine.shared import Shared
from headgate.engine.world import Entry

log = logging.getLogger(__name__)


class Departures:
    """Objects on their way out."""

    def __init__(self, shared: Shared, queue: DirtyQueue[Ref]) -> None:
        self._shared = shared
        self._queue = queue
        self._notices = Notices(shared)

    async def release(
        self, entry: Entry, standings: Iterable[Standing], refused: Iterable[Finding] = ()
    ) -> None:
        """Let an object go whose broker object was dealt with; what stayed there is said."""
        if not entry.guarded:  # let go of before, or never made: whatever it waits for is not ours
            return
        found = (*refused, *(finding for standing in standings for finding in standing.findings))
        left = [finding.message for finding in found if finding.outcome is not Outcome.WAITING]
        if left:
            await self._notices.warn(entry, "Orphaned", "; ".join(left))
        await self._workload(entry)
        await self._shared.writer.release(entry)

    async def orphan(self, entry: Entry, why: str = "its broker could not be asked") -> None:
        """Let an object go without asking its broker."""
        if not entry.guarded:
            return
        if self._needs_broker(entry):
            name = entry.declared.record.external_name if entry.declared is not None else ""
            message = f"{why}: {name or entry.ref.name} was left there as it is; delete it by hand if it is not wanted"
            await self._notices.warn(entry, "Orphaned", message)
        await self._workload(entry)
        await self._shared.writer.release(entry)

    def may_go_unseen(self, entry: Entry) -> bool:
        """Whether an object need not wait for a broker that is away; if not now, it is looked at again when it may."""
        if entry.ref.kind == BROKER:
            return not self._shared.world.needed_by(entry.ref)
        if not self._needs_broker(entry) or entry.declared is None or entry.deleting_since is None:
            return True
        spec = entry.declared.spec
        if spec.unreachable_policy is UnreachablePolicy.ORPHAN:
            return True
        if entry.ref.namespace in self._shared.world.ending:
            return True
        waited = self._shared.wall() - entry.deleting_since
        rest = (spec.deletion_timeout or DELETION_TIMEOUT) - waited
        if rest <= timedelta(0):
            return True
        self._queue.at(entry.ref, rest.total_seconds())
        return False

    def _needs_broker(self, entry: Entry) -> bool:
        """Whether something in the broker may have to be done: for most of what is kept or was never made nobody is needed."""
        declared = entry.declared
        if declared is None or entry.ref.kind in {BROKER, POLICY}:
            return False
        record, policy = declared.record, deletion_policy(declared.spec)
        made = bool(record.identity) or entry.ref in self._shared.unrecorded or PLEDGE in declared.annotations
        if not (made or _is_undecided(entry)):
            return False
        if policy is DeletionPolicy.RETAIN:
            return record.origin is not Origin.ADOPTED and self._lets_go(declared)
        if record.origin is not Origin.ADOPTED:
            return True
        confirmed = declared.annotations.get(CONFIRM_DELETE)
        return policy is DeletionPolicy.DELETE and confirmed == record.external_name

    def _lets_go(self, declared: Declared[Any]) -> bool:
        """Whether also what is kept has to be told that nobody wants it any more."""
        home = self._shared.world.broker_of(declared.ref)
        broker = self._shared.world.estate.brokers.get(home) if home is not None else None
        return broker is not None and lets_go(declared, self._shared.drivers(broker.spec).traits)

    async def _workload(self, entry: Entry) -> None:
        if entry.ref.kind == GROUP and self._shared.let_go is not None:
            left = await self._shared.let_go(entry.ref)
            if left:
                await self._notices.warn(entry, "LeftAtZero", left)


def _is_undecided(entry: Entry) -> bool:
    """Whether it may have been made without a word of it: the finalizer comes first, the status last."""
    return entry.guarded and not entry.status.get("conditions")
