"""The terms in which the contract is written: settings to try, a broker and its surroundings, changes. Knows no broker."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from headgate.api import Origin
from headgate.brokers.base import Broker
from headgate.core.changes import Action, Change, Plan, Standing
from headgate.core.claims import Claim, Owner, Record
from headgate.core.plan import plan
from headgate.core.resource import Key, Observed, Resource

OWNER_MARK = "headgate.dev/owner"  # under which name brokers keep the mark
OWNER = Owner("installation", "EventTopic", "shop", "orders")
STRANGER = Owner("installation", "EventTopic", "attic", "orders")


@dataclass(frozen=True, slots=True)
class Row:
    """One setting with two values that the broker can hold one after the other."""

    name: str
    first: Any  # a value of the setting's own type
    second: Any = None  # None: the first value is the last
    beside: Mapping[str, Any] = ()  # type: ignore[assignment]  # what has to be declared with it
    level: int = 0  # of the broker's API, from which on it is known
    refused: str = ""  # why the second value is not taken
    refused_from: int = 0  # the level before which it is taken, though readers would suffer
    kept: bool = (
        True  # the broker says later what it was; else it only had its effect when the object was made
    )

    def __str__(self) -> str:
        return self.name

    @property
    def extras(self) -> dict[str, Any]:
        """What has to be declared with it."""
        return dict(self.beside)


class World(Protocol):
    """A broker, and what happens to it behind the operator's back."""

    @property
    def broker(self) -> Broker: ...
    @property
    def level(self) -> int: ...
    def fresh(self, name: str) -> str: ...
    async def make(self, resource: Resource, marks: Mapping[str, str]) -> None: ...
    async def remove(self, key: Key) -> None: ...
    async def publish(self, subject: str, headers: Mapping[str, str] | None = None) -> int: ...
    async def hand_out(self, key: Key, count: int) -> list[int]: ...
    async def fail(self, key: Key, position: int) -> None: ...
    async def settle(self, key: Key, position: int) -> None: ...
    async def take_out(self, key: Key, position: int) -> None: ...
    async def stored_subject(self, key: Key, position: int) -> str: ...


def created(resource: Resource, owner: Owner = OWNER) -> Change:
    """The change that makes an object."""
    return Change(Action.CREATE, resource.key, owner, after=resource)


def changed(found: Observed, after: Resource, action: Action = Action.UPDATE, owner: Owner = OWNER) -> Change:
    """The change from what was read to what is wanted."""
    return Change(action, after.key, owner, after=after, before=found.resource, identity=found.identity)


def deleted(found: Observed, *, only_if_empty: bool = False, owner: Owner = OWNER) -> Change:
    """The change that deletes what was read."""
    key = found.resource.key
    return Change(
        Action.DELETE, key, owner, before=found.resource, identity=found.identity, only_if_empty=only_if_empty
    )


def claimed(desired: Resource, found: Observed, recorded: str = "") -> Standing:
    """Where a claim of ours on the one object stands, with so much recorded of it."""
    record = Record(identity=recorded, origin=Origin.CREATED if recorded else None)
    (standing,) = plan([Claim(OWNER, desired, record=record)], {found.resource.key: found}).standings[OWNER]
    return standing


def planned(desired: Resource, found: Observed, recorded: Observed) -> Plan:
    """What the operator would do about the one object, of which it remembers what was recorded."""
    record = Record(identity=recorded.identity, origin=Origin.CREATED)
    return plan([Claim(OWNER, desired, record=record)], {found.resource.key: found})


async def applied(world: World, change: Change) -> Observed:
    """What the broker made of a change that leaves something behind."""
    result = await world.broker.apply(change)
    assert result is not None
    return result


async def read(world: World, key: Key) -> Observed:
    """The one object."""
    found = (await world.broker.observe([key]))[key]
    assert isinstance(found, Observed), found
    return found
