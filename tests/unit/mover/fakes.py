"""A cluster and a broker in memory, as a mover sees them. Knows nothing of what is tested."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from headgate.api import EventBrokerSpec
from headgate.brokers.base import BrokerError, Credentials
from headgate.brokers.messages import Absent, Kept, Letters, Messages, Redelivered, Watch
from headgate.core.letters import Entry, Event, Letter
from headgate.core.moves import Cause, Delay, Incarnation, Notice, Route
from headgate.kube.errors import KubeError, NotFound
from headgate.kube.values import ConfigMap, Listing, Secret

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
BORN = Incarnation("a", NOON - timedelta(days=1))
ROUTE = Route("shop/billing", "shop/orders", "orders", "billing", "dead.1", "a")
EVENT = Event("orders.c1.paid", NOON, (), b"body")


def notice(position: int = 1, **changes: Any) -> Notice:
    """One of billing's."""
    values: dict[str, Any] = {
        "cause": Cause.TERMINATED,
        "at": NOON,
        "source": "orders",
        "reader": "billing",
        **changes,
    }
    return Notice(token=f"t{position}", position=position, **values)


@dataclass
class FakeMessages:
    """Says what it was told to say, and remembers what was asked."""

    waiting: list[Notice] = field(default_factory=list)
    events: dict[int, Event | Absent] = field(default_factory=dict)
    sources: dict[str, Incarnation] = field(default_factory=lambda: {"orders": BORN})
    marked: set[tuple[str, str]] = field(default_factory=set)
    kept: dict[str, Letter] = field(default_factory=dict)
    answers: list[Kept] = field(default_factory=list)  # to the next dead letters, instead of the truth
    troubles: list[BrokerError] = field(default_factory=list)  # raised by the next calls of `notices`
    settled: list[int] = field(default_factory=list)
    postponed: list[int] = field(default_factory=list)
    extended: list[int] = field(default_factory=list)
    delays: list[Delay] = field(default_factory=list)
    redeliveries: list[Redelivered] = field(default_factory=list)  # what the next calls of `redeliver` say
    redelivered: list[tuple[str, ...]] = field(default_factory=list)  # whose events they were to bring back
    missed: int = 0
    closed: bool = False

    async def open(self) -> None:
        return

    async def notices(self, limit: int, wait: timedelta) -> Sequence[Notice]:
        del wait
        await asyncio.sleep(0)
        if self.troubles:
            raise self.troubles.pop(0)
        taken, self.waiting = self.waiting[:limit], self.waiting[limit:]
        return taken

    async def listen(self) -> None:
        return

    async def fetch(self, wanted: Sequence[tuple[str, int]]) -> Sequence[Event | Absent]:
        return [self.events.get(position, EVENT) for _, position in wanted]

    async def incarnations(self, sources: Collection[str]) -> Mapping[str, Incarnation]:
        return {name: self.sources[name] for name in sources if name in self.sources}

    async def ours(self, source: str, reader: str) -> bool:
        return (source, reader) in self.marked

    async def keep(self, letters: Sequence[Letter]) -> Sequence[Kept]:
        return [self._keep(letter) for letter in letters]

    def _keep(self, letter: Letter) -> Kept:
        told = self.answers.pop(0) if self.answers else None
        if told not in (None, Kept.STORED):
            return told
        if letter.address in self.kept:
            return Kept.PRESENT
        self.kept[letter.address] = letter
        return Kept.STORED

    async def settle(self, notices: Sequence[Notice]) -> None:
        self.settled += [each.position for each in notices]

    async def postpone(self, notices: Sequence[Notice], delay: timedelta) -> None:
        del delay
        self.postponed += [each.position for each in notices]

    async def extend(self, notices: Sequence[Notice]) -> None:
        self.extended += [each.position for each in notices]

    async def redeliver(self, routes: Sequence[Route], limit: int, wait: timedelta) -> Redelivered:
        del limit
        self.redelivered.append(tuple(route.reader for route in routes))
        await asyncio.sleep(0 if self.redeliveries else wait.total_seconds())
        return self.redeliveries.pop(0) if self.redeliveries else Redelivered()

    async def watch(self, delays: Collection[Delay] = ()) -> Watch:
        self.delays += delays
        missed, self.missed = self.missed, 0
        return Watch(len(self.waiting), missed)

    async def call_in(self, source: str, reader: str, after: timedelta) -> bool:
        del source, reader, after
        return True

    async def aclose(self) -> None:
        self.closed = True


@dataclass
class FakeCarrier:
    """Hands out the same messages again and again, and remembers with what it was asked."""

    messages_of: FakeMessages
    connected: list[tuple[EventBrokerSpec, Credentials]] = field(default_factory=list)

    def messages(self, spec: EventBrokerSpec, credentials: Credentials) -> Messages:
        self.connected.append((spec, credentials))
        return self.messages_of

    def letters(self, spec: EventBrokerSpec, credentials: Credentials, queue: str) -> Letters:
        raise NotImplementedError


@dataclass
class FakeLetters:
    """A dead-letter queue in memory."""

    held: dict[int, Entry] = field(default_factory=dict)
    refuse: bool = False

    async def entries(self, after: int = 0) -> AsyncIterator[Entry]:
        for position in sorted(self.held):
            if position > after:
                yield self.held[position]

    async def entry(self, position: int) -> Entry | None:
        return self.held.get(position)

    async def close_entry(self, entry: Entry, tombstone: Letter) -> bool:
        if self.refuse:
            return False
        del self.held[entry.position]
        self.held[entry.position + 1000] = Entry(entry.position + 1000, entry.stored, tombstone)
        return True

    async def aclose(self) -> None:
        return


@dataclass
class FakeKube:
    """EventBrokers, ConfigMaps and Secrets in memory."""

    brokers: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    config_maps: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    secrets: dict[tuple[str, str], dict[str, bytes]] = field(default_factory=dict)
    trouble: KubeError | None = None

    async def get(self, kind: str, namespace: str, name: str) -> dict[str, Any]:
        return self._body((namespace, name), self._found(self.brokers, (namespace, name), kind))

    async def list(self, kind: str, namespace: str | None = None) -> Listing:
        del kind
        if self.trouble is not None:
            raise self.trouble
        items = [self._body(key, spec) for key, spec in self.brokers.items() if namespace in (None, key[0])]
        return Listing("1", tuple(items))

    async def get_config_map(self, namespace: str, name: str) -> ConfigMap:
        data = self._found(self.config_maps, (namespace, name), "ConfigMap")
        return ConfigMap(namespace, name, "uid", "1", data)

    async def get_secret(self, namespace: str, name: str) -> Secret:
        return Secret("uid", "1", self._found(self.secrets, (namespace, name), "Secret"))

    def _found(self, where: Mapping[tuple[str, str], Any], key: tuple[str, str], kind: str) -> Any:
        if self.trouble is not None:
            raise self.trouble
        if key not in where:
            raise NotFound(f"no {kind} {key}", code=404)
        return where[key]

    @staticmethod
    def _body(key: tuple[str, str], spec: dict[str, Any]) -> dict[str, Any]:
        return {"metadata": {"namespace": key[0], "name": key[1]}, "spec": spec}
