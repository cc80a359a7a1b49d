"""A broker in memory whose objects have no room for marks. For tests."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields, replace
from typing import ClassVar

from headgate.api import EventBrokerSpec
from headgate.brokers.base import Broker, BrokerFacts, Credentials, Driver, always
from headgate.brokers.fake import FakeDriver
from headgate.brokers.nats.resources import Stream
from headgate.core.changes import Change
from headgate.core.compiled import Compiled
from headgate.core.estate import Ref
from headgate.core.resource import Key, Observed, Resource, Unread
from headgate.core.topology import Topology


@dataclass(frozen=True)
class BareStream(Stream):
    """A stream beside which nothing can be written."""

    bears_mark: ClassVar[bool] = False


class BareDriver:
    """The driver of the broker in memory, without its marks."""

    def __init__(self, driver: FakeDriver) -> None:
        self._driver = driver
        self.addresses, self.traits = driver.addresses, driver.traits

    def connect(
        self, spec: EventBrokerSpec, credentials: Credentials, may_act: Callable[[], bool] = always
    ) -> Broker:
        """See Driver."""
        broker = self._driver.connect(spec, credentials, may_act)
        return _Unmarked(broker)  # type: ignore[return-value]  # everything else is handed on by __getattr__

    def compile(self, topology: Topology, facts: BrokerFacts, installation: str) -> Mapping[Ref, Compiled]:
        """See Driver."""
        compiled = self._driver.compile(topology, facts, installation)
        return {
            ref: replace(one, resources=tuple(map(_bare, one.resources))) for ref, one in compiled.items()
        }

    def infrastructure(self, facts: BrokerFacts, spec: EventBrokerSpec) -> tuple[Resource, ...]:
        """See Driver."""
        return self._driver.infrastructure(facts, spec)

    def keys(self, external_name: str, kind: str, topic: str = "") -> tuple[Key, ...]:
        """See Driver."""
        return self._driver.keys(external_name, kind, topic)


class _Unmarked:
    """What is read has no mark, whatever was written."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def __getattr__(self, name: str) -> object:
        return getattr(self._broker, name)

    async def observe(self, keys: Collection[Key]) -> Mapping[Key, Observed | Unread]:
        """See Broker."""
        return {key: _seen(found) for key, found in (await self._broker.observe(keys)).items()}

    async def apply(self, change: Change) -> Observed | None:
        """See Broker."""
        found = await self._broker.apply(change)
        return None if found is None else _unmarked(found)


def _seen(found: Observed | Unread) -> Observed | Unread:
    return found if isinstance(found, Unread) else _unmarked(found)


def _unmarked(found: Observed) -> Observed:
    return replace(found, resource=_bare(found.resource), mark=None, adopted=False, managed=frozenset())


def _bare(resource: Resource) -> Resource:
    if not isinstance(resource, Stream):
        return resource
    return BareStream(**{each.name: getattr(resource, each.name) for each in fields(resource)})


def bare(driver: FakeDriver) -> Driver:
    """As a scene takes it."""
    return BareDriver(driver)
