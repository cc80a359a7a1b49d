"""What would come of every declared object, decided by the engine's own functions. Reads brokers, never writes to them."""

import asyncio
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from headgate.brokers.base import BrokerError, Unreachable
from headgate.core.changes import Action, Change, Plan, Standing
from headgate.core.compiled import Effect, Note
from headgate.core.estate import Ref
from headgate.core.index import TOPIC
from headgate.core.outcomes import Finding, Outcome
from headgate.core.plan import plan
from headgate.core.resolve import unplaced
from headgate.core.resource import Diff, Key, Resource, settings_of
from headgate.engine.intents import Intent
from headgate.engine.link import Link, Secrets
from headgate.engine.sweep import Item, Sweep, claims_of, farewells_of
from headgate.engine.world import World


class Result(StrEnum):
    """What becomes of one object, in one word."""

    REFUSED = "Refused"
    LOST = "DataLost"
    CONFLICT = "Conflict"
    BLOCKED = "Blocked"
    WAITING = "Waiting"
    UNREACHABLE = "Unreachable"
    CHANGES = "Changes"
    PLAN_ONLY = "PlanOnly"  # there are changes, and nobody is going to make them
    DRIFTED = "Drifted"  # the same under mode Observe
    DELETING = "Deleting"
    IN_SYNC = "InSync"


_OBSTACLES: Final = (
    Result.REFUSED,
    Result.LOST,
    Result.CONFLICT,
    Result.BLOCKED,
    Result.UNREACHABLE,
    Result.WAITING,
)
_WORST: Final = (Outcome.REFUSED, Outcome.LOST, Outcome.CONFLICT, Outcome.BLOCKED, Outcome.WAITING)


@dataclass(frozen=True, slots=True)
class Step:
    """One change to one broker object."""

    action: Action
    key: Key
    fields: tuple[Diff, ...] = ()
    order: int | None = None  # when among all changes to its broker; None: nobody is going to do it


@dataclass(frozen=True, slots=True)
class Outlook:
    """What would come of one custom resource."""

    ref: Ref
    result: Result
    broker: Ref | None = None
    steps: tuple[Step, ...] = ()
    findings: tuple[Finding, ...] = ()
    notes: tuple[Note, ...] = ()  # what the broker cannot do as declared
    left: tuple[Key, ...] = ()  # stays in the broker although the object goes
    deleting: bool = False

    @property
    def changes(self) -> bool:
        """Whether the operator would do something."""
        return any(step.order is not None for step in self.steps)

    @property
    def stands_in_the_way(self) -> bool:
        """Whether what is declared does not come about; what goes may well have to wait for others that go."""
        return self.result in _OBSTACLES and not (self.deleting and self.result is Result.WAITING)


async def foresee(secrets: Secrets, world: World, chosen: Collection[Ref]) -> tuple[Outlook, ...]:
    """The outlook of every chosen object; each EventBroker that is concerned is read once."""
    homes = dict.fromkeys(home for ref in chosen if (home := world.broker_of(ref)) is not None)
    per_broker = await asyncio.gather(*(_connected(secrets, world, home, chosen) for home in homes))
    adrift = [ref for ref in chosen if world.broker_of(ref) is None]
    found = [*_adrift(world, adrift), *(outlook for each in per_broker for outlook in each)]
    return tuple(sorted(found, key=lambda outlook: outlook.ref))


async def _connected(secrets: Secrets, world: World, home: Ref, chosen: Collection[Ref]) -> list[Outlook]:
    link = Link(secrets, _now, lambda _: None)
    try:
        await link.refresh(world.estate.brokers[home], reread=True)
        every = await outlooks(world, home, link)
    except BrokerError as error:
        every = _unread(world, home, error)
    finally:
        await link.aclose()
    return [outlook for outlook in every if outlook.ref in chosen]


async def outlooks(world: World, home: Ref, link: Link) -> list[Outlook]:
    """The outlook of everything on a broker that answers."""
    sweep = Sweep(home, world, link)
    items, made = await _planned(world, home, sweep)
    if _note_losses(sweep, items, made):  # what lies in lost data waits: look again, as the operator would
        items, made = await _planned(world, home, sweep)
    ground = await _ground(world, home, link) if not _frozen(sweep) else ()
    found = [_outlook(world, home, item, made, len(ground)) for item in items.values()]
    return [_of_broker(each, sweep, ground) if each.ref == home else each for each in found]


async def _planned(world: World, home: Ref, sweep: Sweep) -> tuple[dict[Ref, Item], Plan]:
    items = await sweep.prepare(world.of_broker(home), full=True)
    observed = {key: found for item in items.values() for key, found in item.observed.items()}
    return items, plan(claims_of(items.values()), observed, farewells_of(items.values()))


def _note_losses(sweep: Sweep, items: Mapping[Ref, Item], made: Plan) -> bool:
    before = set(sweep.lost_topics)
    for ref, item in items.items():
        standings = made.standings.get(item.intent.owner, ())
        if ref.kind == TOPIC:
            sweep.note(ref, lost=any(f.outcome is Outcome.LOST for s in standings for f in s.findings))
    return sweep.lost_topics != before


def _frozen(sweep: Sweep) -> bool:
    return sweep.vanished is not None and not sweep.vanished.acknowledged


async def _ground(world: World, home: Ref, link: Link) -> tuple[Resource, ...]:
    """What Headgate itself still needs in the broker."""
    declared = world.estate.brokers[home]
    if declared.deleting or link.broker is None or link.driver is None or link.facts is None:
        return ()
    wanted = link.driver.infrastructure(link.facts, declared.spec)
    there = await link.broker.observe([resource.key for resource in wanted])
    return tuple(resource for resource in wanted if resource.key not in there)


def _outlook(world: World, home: Ref, item: Item, made: Plan, first: int) -> Outlook:
    intent = item.intent
    standings = made.standings.get(intent.owner, ())
    steps = tuple(_steps(intent, standings, made, first))
    notes = intent.compiled.notes
    findings = tuple(dict.fromkeys(_findings(intent, standings, notes)))
    deleting = world.entries[intent.ref].deleting_since is not None
    going = {step.key for step in steps if step.action is Action.DELETE}
    left = tuple(s.key for s in standings if deleting and s.exists and s.key not in going)
    return Outlook(
        intent.ref,
        _result(findings, steps, standings, deleting=deleting),
        home,
        steps,
        findings,
        tuple(note for note in notes if note.effect is not Effect.REFUSED),
        left,
        deleting,
    )


def _findings(intent: Intent, standings: Iterable[Standing], notes: Iterable[Note]) -> Iterator[Finding]:
    yield from intent.findings
    yield from intent.compiled.findings
    for note in notes:
        if note.effect is Effect.REFUSED:
            yield Finding(Outcome.REFUSED, "Unsupported", f"{note.field}: {note.message}", note.field)
    for standing in standings:
        yield from standing.findings
        if standing.unread is not None:
            yield Finding(Outcome.WAITING, standing.unread.reason, standing.unread.message)


def _steps(intent: Intent, standings: Iterable[Standing], made: Plan, first: int) -> Iterator[Step]:
    orders = {(change.owner, change.key): n for n, change in enumerate(made.changes, first)}
    changes = {(change.owner, change.key): change for change in made.changes}
    for standing in standings:
        at = (intent.owner, standing.key)
        if standing.action is not None:
            after = _after(intent, standing.key, changes.get(at))
            new = standing.action is Action.CREATE and after is not None
            fields = tuple(_settings(after)) if new and after is not None else standing.diffs
            yield Step(standing.action, standing.key, fields, orders.get(at))
        elif standing.diffs:
            yield Step(Action.UPDATE, standing.key, standing.diffs)


def _after(intent: Intent, key: Key, change: Change | None) -> Resource | None:
    if change is not None:
        return change.after
    return next((claim.desired for claim in intent.claims if claim.desired.key == key), None)


def _settings(resource: Resource) -> Iterator[Diff]:
    for name in settings_of(type(resource)):
        if (value := getattr(resource, name)) is not None:
            yield Diff(name, None, value, of=type(resource))


def _result(
    findings: Collection[Finding], steps: Collection[Step], standings: Collection[Standing], *, deleting: bool
) -> Result:
    if any(standing.unread is not None for standing in standings):
        return Result.UNREACHABLE
    for outcome in _WORST:
        if any(finding.outcome is outcome for finding in findings):
            return Result(outcome.value)
    if any(step.order is not None for step in steps):
        return Result.CHANGES
    if deleting:
        return Result.DELETING
    if any(standing.action is not None for standing in standings):
        return Result.PLAN_ONLY
    return Result.DRIFTED if steps or any(not s.exists for s in standings) else Result.IN_SYNC


def _of_broker(outlook: Outlook, sweep: Sweep, ground: Iterable[Resource]) -> Outlook:
    """An EventBroker has no objects of its own but what Headgate needs, and the loss of everything is told there."""
    if sweep.vanished is not None and _frozen(sweep):
        return replace(outlook, result=Result.LOST, findings=(*outlook.findings, sweep.vanished.finding))
    steps = tuple(Step(Action.CREATE, r.key, tuple(_settings(r)), n) for n, r in enumerate(ground))
    return replace(outlook, steps=steps, result=Result.CHANGES) if steps else outlook


def _unread(world: World, home: Ref, error: BrokerError) -> list[Outlook]:
    """Of a broker that did not answer, or let nobody in, only that can be said."""
    reached = isinstance(error, Unreachable)
    outcome, result = (Outcome.WAITING, Result.UNREACHABLE) if reached else (Outcome.REFUSED, Result.REFUSED)
    finding = Finding(outcome, error.reason, f"{home}: {error}")
    return [Outlook(ref, result, home, findings=(finding,)) for ref in world.of_broker(home)]


def _adrift(world: World, refs: Collection[Ref]) -> Iterator[Outlook]:
    """What lives on no broker: retry policies, dangling references, specs that cannot be read."""
    found = unplaced(world.estate, refs)
    for ref in refs:
        entry = world.entries[ref]
        findings = found.get(ref, ())
        if entry.declared is None:
            findings = tuple(
                Finding(Outcome.REFUSED, "SpecInvalid", str(e), e.path, e.rule) for e in entry.errors
            )
        deleting = entry.deleting_since is not None
        result = _result(findings, (), (), deleting=deleting)
        yield Outlook(ref, result, findings=findings, deleting=deleting)


def _now() -> datetime:
    return datetime.fromtimestamp(time.time(), UTC)
