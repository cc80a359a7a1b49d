"""A made-up broker with every class of setting, and short ways to claim its objects. Knows no real broker."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from headgate.api import DeletionPolicy, Origin
from headgate.core.changes import Action, Change, Plan, Standing
from headgate.core.claims import Claim, Farewell, Owner, Record
from headgate.core.outcomes import Outcome
from headgate.core.resource import FieldClass, Key, Observed, Resource, setting, settings_of

MORNING = datetime(2026, 11, 20, 9, tzinfo=UTC)
ORDERS = Key("tank", "orders")
BILLING = Key("tap", "orders/billing")


@dataclass(frozen=True)
class Tank(Resource):
    """Holds data; has a setting of every class."""

    max_age: timedelta | None = setting()
    note: str | None = setting(reset="none")
    color: str | None = setting()
    lanes: int | None = setting(FieldClass.GROW_ONLY, reset=1)
    sealed: bool | None = setting(FieldClass.ONE_WAY, reset=False)
    material: str | None = setting(FieldClass.FIXED)
    filled_from: str | None = setting(FieldClass.AT_CREATION, reset="river")


@dataclass(frozen=True)
class Tap(Resource):
    """Reads a tank."""

    holds_data: ClassVar[bool] = False

    width: int | None = setting(reset=1)
    start: str | None = setting(FieldClass.AT_CREATION)

    def resumed_at(self, position: str, identity: str) -> "Tap":
        return replace(self, start=f"after {position or identity}")


@dataclass(frozen=True)
class Barrel(Tank):
    """Holds data in a place without room for marks."""

    bears_mark: ClassVar[bool] = False


@dataclass(frozen=True)
class Hose(Tap):
    """Reads a tank in a place without room for marks."""

    bears_mark: ClassVar[bool] = False


def owner(name: str = "orders", *, kind: str = "EventTopic", installation: str = "here") -> Owner:
    return Owner(installation, kind, "shop", name)


def tank(name: str = "orders", **settings: Any) -> Tank:
    return Tank(Key("tank", name), **settings)


def tap(name: str = "orders/billing", **settings: Any) -> Tap:
    parent = Key("tank", name.partition("/")[0])
    return Tap(Key("tap", name), needs=(parent,), **settings)


def claim(desired: Resource | None = None, **more: Any) -> Claim:
    desired = tank() if desired is None else desired
    return Claim(more.pop("owner", owner(desired.key.name.rpartition("/")[2])), desired, **more)


def created(identity: str = "first", **more: Any) -> Record:
    return Record(identity=identity, origin=Origin.CREATED, **more)


def seen(resource: Resource | None = None, **more: Any) -> dict[Key, Observed]:
    """One object as read; `mark` is the owner it names."""
    resource = tank() if resource is None else resource
    mark = more.pop("mark", owner(resource.key.name.rpartition("/")[2]))
    held = Observed(resource, more.pop("identity", "first"), mark if mark is None else str(mark), **more)
    return {resource.key: held}


def farewell(key: Key = ORDERS, policy: DeletionPolicy = DeletionPolicy.DELETE, **more: Any) -> Farewell:
    return Farewell(more.pop("owner", owner(key.name.rpartition("/")[2])), key, policy, **more)


def standing(made: Plan, of: Owner | None = None) -> Standing:
    (only,) = made.standings[of or owner()]
    return only


def reasons(made: Plan, of: Owner | None = None) -> list[tuple[Outcome, str]]:
    return [(found.outcome, found.reason) for found in standing(made, of).findings]


def actions(made: Plan) -> list[tuple[Action, Key]]:
    return [(change.action, change.key) for change in made.changes]


def carried_out(made: Plan, observed: Mapping[Key, Observed]) -> dict[Key, Observed]:
    """What the made-up broker holds once every change of a plan was carried out, in order."""
    after = dict(observed)
    pending = {change.key for change in made.changes if change.action is Action.CREATE}
    for number, change in enumerate(made.changes):
        pending.discard(change.key)
        assert change.after is None or not pending.intersection(change.after.needs), (
            "made before what it needs"
        )
        _carry_out(change, after, f"made-{number}")
    return after


def _carry_out(change: Change, held: dict[Key, Observed], identity: str) -> None:
    before = held.get(change.key)
    if change.after is None:
        del held[change.key]
        return
    mark = str(change.owner) if change.after.bears_mark else None
    managed = _opinions(change.after) - {diff.field for diff in change.diffs if diff.reset}
    if before is None:
        held[change.key] = Observed(change.after, identity, mark, managed=managed)
        return
    adopted = before.adopted or change.action is Action.ADOPT
    merged = _merged(change.after, before.resource)
    held[change.key] = Observed(merged, before.identity, mark, adopted, managed, before.stats)


def _opinions(resource: Resource) -> frozenset[str]:
    return frozenset(name for name in settings_of(type(resource)) if getattr(resource, name) is not None)


def _merged(wanted: Resource, found: Resource) -> Resource:
    changed = {
        name: getattr(wanted, name)
        for name in _opinions(wanted)
        if wanted.field_class(name) is not FieldClass.AT_CREATION
    }
    return replace(found, **changed)
