"""Settles a handful of objects of one broker: finalizer, plan, effects, statuses, farewells. Decides nothing itself."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from headgate.core.changes import Action, Plan, Standing
from headgate.core.claims import Owner
from headgate.core.estate import Ref
from headgate.core.index import BROKER, GROUP, TOPIC
from headgate.core.outcomes import Finding, Outcome
from headgate.core.plan import done, plan
from headgate.core.pledges import PLEDGE, pledges
from headgate.core.resource import Key, Observed, Unread
from headgate.engine.departures import Departures
from headgate.engine.effects import Effects, enforce, told
from headgate.engine.intents import Intent
from headgate.engine.link import Link
from headgate.engine.queue import DirtyQueue
from headgate.engine.reports import Findings, Reports
from headgate.engine.shared import Shared
from headgate.engine.sweep import Item, Sweep, claims_of, farewells_of
from headgate.engine.world import Entry
from headgate.kube.errors import Conflict, Fenced, KubeError

log = logging.getLogger(__name__)

STAYING = frozenset({Outcome.REFUSED, Outcome.BLOCKED, Outcome.WAITING, Outcome.CONFLICT, Outcome.LOST})


class Portion:
    """The act-and-report half of a worker's pass."""

    def __init__(
        self, shared: Shared, sweep: Sweep, link: Link, queue: DirtyQueue[Ref], reports: Reports
    ) -> None:
        self._shared = shared
        self._world = shared.world
        self._sweep = sweep
        self._link = link
        self._queue = queue
        self._reports = reports
        self._departures = Departures(shared, queue)
        self._earlier: Plan | None = None

    def begin(self) -> None:
        """A new sweep: what it needs from its own earlier portions is carried on from here, and let go of at its end."""
        self._earlier = None

    def forget(self, ref: Ref) -> None:
        """An object is gone: nothing of it is followed any more."""
        self._reports.forget(ref)
        self._sweep.note(ref, lost=False)
        self._shared.unrecorded.discard(ref)

    async def settle(self, items: Iterable[Item], *, full: bool) -> None:
        """Bring some objects to a verdict and write it down. Raises Unreachable when the broker goes away."""
        due = await self._unobstructed(await self._without_late(items))
        ready = await self._guard(due, self._pledges(due))
        if not ready:
            return
        made = plan(claims_of(ready), _merged(ready), farewells_of(ready), earlier=self._earlier)
        self._earlier = made
        effects = Effects()
        if self._link.broker is not None:
            made_for = {change.owner for change in made.changes if change.action is Action.CREATE}
            self._shared.unrecorded.update(i.intent.ref for i in ready if i.intent.owner in made_for)
            effects = await enforce(
                self._link.broker, made.changes, self._link.traits.at_once, self._shared.may_act
            )
        self._count(effects)
        standings = _standings(made, effects)
        await self._report(ready, standings, effects, reread=full)
        if effects.unreachable is not None:
            raise effects.unreachable

    async def _without_late(self, items: Iterable[Item]) -> list[Item]:
        """What can wait for its broker no longer is let go of as it is: afterwards nobody could."""
        by_ref = {item.intent.ref: item for item in items}
        entries = (self._world.entries.get(ref) for ref in by_ref)
        late = {entry.ref: entry for entry in entries if entry is not None and self._is_late(entry)}
        await asyncio.gather(*(self._late(entry) for entry in late.values()))
        return [item for ref, item in by_ref.items() if ref not in late]

    def _is_late(self, entry: Entry) -> bool:
        goes = entry.leaving and entry.guarded and entry.ref.kind != BROKER
        return goes and self._shared.hurries(entry.ref.namespace) and not self._still_needed(entry)

    async def _late(self, entry: Entry) -> None:
        why = "there was no time for its broker before its namespace ended"
        await self._write(entry.ref, lambda: self._departures.orphan(entry, why))
        self._reports.forget(entry.ref)

    def _still_needed(self, entry: Entry) -> bool:
        """Whether somebody elsewhere, who stays, lives on it."""
        users = (self._world.entries[user] for user in self._world.users(entry.ref))
        return any(not user.leaving for user in users)

    async def _report(
        self,
        items: Collection[Item],
        standings: Mapping[Owner, tuple[Standing, ...]],
        effects: Effects,
        *,
        reread: bool,
    ) -> None:
        """Topics wait for groups that leave; what groups tell workers and movers names what their topics turned out to be."""
        leaving = [item for item in items if _is_group(item) and item.intent.leaving]
        groups = [item for item in items if _is_group(item) and not item.intent.leaving]
        others = [item for item in items if not _is_group(item)]
        before = {item.intent.ref: self._identity(item.intent.ref) for item in others}
        for part in (leaving, others):
            await asyncio.gather(*(self._one(item, standings, effects, reread=reread) for item in part))
        if effects.unreachable is None:
            groups = self._sweep.renewed(groups)
        await asyncio.gather(*(self._one(item, standings, effects, reread=reread) for item in groups))
        done_with = {item.intent.ref for item in items}
        changed = [ref for ref, identity in before.items() if identity != self._identity(ref)]
        self._queue.add(
            user for ref in changed if ref.kind == TOPIC for user in self._world.users(ref) - done_with
        )

    def _identity(self, ref: Ref) -> str:
        entry = self._world.entries.get(ref)
        return entry.declared.record.identity if entry is not None and entry.declared is not None else ""

    async def hold(self, refs: Collection[Ref]) -> None:
        """Say of some objects that the broker is away; let go of those that need not wait for it."""
        await asyncio.gather(*(self._held(ref) for ref in refs))

    async def recount(self, entry: Entry, counted: Mapping[str, int]) -> bool:
        """Have an EventBroker say how many objects it has; whether it does now."""
        return await self._write(entry.ref, lambda: self._reports.write_counts(entry, counted))

    def _pledges(self, items: list[Item]) -> Mapping[Owner, str]:
        """What has to be written down beside the finalizer; a broker with room for marks needs none of it."""
        claims = claims_of(items)
        if all(claim.desired.bears_mark for claim in claims):
            return {}
        return pledges(claims, plan(claims, _merged(items), farewells_of(items), earlier=self._earlier))

    async def _guard(self, items: list[Item], pledged: Mapping[Owner, str]) -> list[Item]:
        """No effect before the finalizer, that of the EventBroker first: what cannot be guarded now is left for later.

        An EventBroker that goes at once would take along the knowledge of where its objects live.
        """
        ready = [item for item in items if item.intent.ref.kind == BROKER and await self._guarded(item, "")]
        home = self._world.entries.get(self._sweep.broker)
        others = [item for item in items if item.intent.ref.kind != BROKER]
        if home is None or not home.guarded:
            for item in others:
                self._queue.retry(item.intent.ref)
            others = [item for item in others if not item.intent.claims]
        guarded = await asyncio.gather(
            *(self._guarded(item, pledged.get(item.intent.owner, "")) for item in others)
        )
        return [*ready, *(item for item, ok in zip(others, guarded, strict=True) if ok)]

    async def _unobstructed(self, items: list[Item]) -> list[Item]:
        """What could not be told to workers anyway is not made in the broker either."""
        return list(await asyncio.gather(*(self._checked(item) for item in items)))

    async def _checked(self, item: Item) -> Item:
        entry = self._world.entries.get(item.intent.ref)
        if entry is None or entry.guarded or not item.intent.claims:
            return item
        try:
            found = await self._reports.obstacle(entry)
        except KubeError as error:
            log.warning("%s: %s", entry.ref, error)
            return item
        if found is None:
            return item
        findings = (*item.intent.findings, found)
        return replace(item, intent=replace(item.intent, claims=(), findings=findings))

    async def _guarded(self, item: Item, pledged: str) -> bool:
        entry = self._world.entries.get(item.intent.ref)
        if entry is None:
            return False
        if entry.deleting_since is not None and not item.intent.leaving:
            self._queue.add((entry.ref,))
            return False
        if entry.leaving or (entry.guarded and pledged in ("", _written(entry))):
            return entry.guarded  # who was let go of is nobody's business any more
        if not item.intent.claims and item.intent.ref.kind != BROKER:
            return True
        said = {PLEDGE: pledged} if pledged else None
        if not await self._write(entry.ref, lambda: self._shared.writer.guard(entry, said)):
            return False
        now = self._world.entries.get(entry.ref)
        return now is not None and now.uid == item.intent.uid and now.guarded and now.deleting_since is None

    async def _one(
        self, item: Item, standings: Mapping[Owner, tuple[Standing, ...]], effects: Effects, *, reread: bool
    ) -> None:
        intent = item.intent
        own = standings.get(intent.owner, ())
        if intent.owner in effects.unknown:
            self._queue.retry(intent.ref)
        entry = self._world.entries.get(intent.ref)
        if entry is None or effects.unreachable is not None:
            return
        if self._is_overtaken(entry, intent):
            self._queue.add((intent.ref,))
            return
        if (unread := next((one.unread for one in own if one.unread is not None), None)) is not None:
            await self._unread(entry, unread, Findings(item, own, (), self._sweep.vanished))
            return
        lost = intent.ref.kind == TOPIC and any(_lost(standing) for standing in own)
        if self._sweep.note(intent.ref, lost=lost):
            self._queue.add(self._world.users(intent.ref))
        refused = told(effects, intent.owner)
        if entry.leaving and not self._stays(item, own, refused):
            undone = intent.owner in effects.unknown
            if not undone or self._departures.may_go_unseen(entry):
                await self._write(entry.ref, lambda: self._gone(entry, own, refused, undone=undone))
                self._reports.forget(entry.ref)
                return
        made = any(change.owner == intent.owner and change.action is Action.CREATE for change in effects.done)
        seen = {key: one for key, one in effects.observed.items() if one is not None}
        found = Findings(item, own, refused, self._sweep.vanished, made, seen)
        written = await self._write(entry.ref, lambda: self._reports.write(entry, found, reread=reread))
        if written and intent.owner not in effects.unknown:
            self._shared.unrecorded.discard(intent.ref)
            self._queue.settled(intent.ref)

    async def _gone(
        self, entry: Entry, own: Iterable[Standing], refused: Iterable[Finding], *, undone: bool
    ) -> None:
        if undone:
            await self._departures.orphan(entry)
        else:
            await self._departures.release(entry, own, refused)

    async def _unread(self, entry: Entry, unread: Unread, found: Findings) -> None:
        """Nobody knows how an object is: it is looked at again, and let go of only where nobody need know."""
        self._queue.retry(entry.ref)
        if entry.leaving and self._departures.may_go_unseen(entry):
            await self._write(entry.ref, lambda: self._departures.orphan(entry))
            self._reports.forget(entry.ref)
            return
        await self._write(entry.ref, lambda: self._reports.write_unread(entry, unread, found))

    @staticmethod
    def _is_overtaken(entry: Entry, intent: Intent) -> bool:
        """Whether the object is another one by now, or was edited or asked to go after all this was decided."""
        leaving = entry.deleting_since is not None
        return (entry.uid, entry.generation, leaving) != (intent.uid, intent.generation, intent.leaving)

    def _stays(self, item: Item, own: tuple[Standing, ...], refused: tuple[Finding, ...]) -> bool:
        """Whether an object on its way out still has to wait for something."""
        if item.intent.ref.kind == BROKER:
            return bool(self._world.needed_by(item.intent.ref))
        if item.intent.findings or (item.intent.farewells and not own):
            return True
        staying = [*refused, *(f for standing in own for f in standing.findings if f.outcome in STAYING)]
        if item.intent.ref.namespace in self._world.ending:
            staying = [finding for finding in staying if finding.outcome is Outcome.WAITING]
        return bool(staying) or self._has_leaving_groups(item.intent.ref)

    def _has_leaving_groups(self, ref: Ref) -> bool:
        """A topic waits for groups that are leaving too: they find their broker through it."""
        users = (self._world.entries[user] for user in self._world.users(ref) if user.kind == GROUP)
        return ref.kind == TOPIC and any(user.deleting_since is not None and user.guarded for user in users)

    async def _held(self, ref: Ref) -> None:
        entry = self._world.entries.get(ref)
        if entry is None:
            return
        if entry.deleting_since is not None and self._departures.may_go_unseen(entry):
            await self._write(ref, lambda: self._departures.orphan(entry))
            return
        await self._write(ref, lambda: self._reports.write_away(entry, self._sweep.vanished))

    async def _write(self, ref: Ref, write: Callable[[], Awaitable[object]]) -> bool:
        """Whether a write to the cluster went through; where not, the object is looked at again."""
        try:
            async with self._shared.gate:
                await write()
        except Fenced:
            raise
        except KubeError as error:
            level = logging.DEBUG if isinstance(error, Conflict) else logging.WARNING
            log.log(level, "%s: %s", ref, error)
            self._shared.metrics.retries.labels(ref.kind, type(error).__name__).inc()
            self._queue.retry(ref)
            return False
        except Exception:
            log.exception("%s: could not be reported on; it is looked at again", ref)
            self._queue.retry(ref)
            return False
        return True

    def _count(self, effects: Effects) -> None:
        for change in effects.done:
            for diff in change.diffs:
                self._shared.metrics.drift_fields.labels(change.key.kind, diff.word).inc()
            log.info("%s %s for %s%s", change.action, change.key, change.owner, _fields(change.diffs))


def _is_group(item: Item) -> bool:
    return item.intent.ref.kind == GROUP


def _written(entry: Entry) -> str:
    """What was written down of something that is made."""
    return entry.declared.annotations.get(PLEDGE, "") if entry.declared is not None else ""


def _merged(items: Iterable[Item]) -> dict[Key, Observed | Unread]:
    """What was read for these items; items of one reading share it."""
    merged: dict[Key, Observed | Unread] = {}
    for item in items:
        merged.update({k: item.observed[k] for k in item.intent.keys if k in item.observed})
    return merged


def _standings(made: Plan, effects: Effects) -> dict[Owner, tuple[Standing, ...]]:
    """Where every claim stands now that some changes were carried out."""
    carried = {(change.owner, change.key): change for change in effects.done}
    return {
        owner: tuple(
            done(standing, carried[owner, standing.key], effects.observed[standing.key])
            if (owner, standing.key) in carried
            else standing
            for standing in standings
        )
        for owner, standings in made.standings.items()
    }


def _lost(standing: Standing) -> bool:
    return any(finding.outcome is Outcome.LOST for finding in standing.findings)


def _fields(diffs: Iterable[Any]) -> str:
    names = ", ".join(diff.field for diff in diffs)
    return f" ({names})" if names else ""
