"""A broker in memory that keeps every promise of the seam: for tests, and for trying things out without a server. Knows no client library.

It speaks JetStream's words. What only a person or a worker does to a real broker has methods of its own here.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Final

from headgate.api import EventBrokerSpec
from headgate.brokers.base import Broker, BrokerError, BrokerFacts, Credentials, Traits, always
from headgate.brokers.nats import translate
from headgate.brokers.nats.capture import capture
from headgate.brokers.nats.documents import dump, identity_of
from headgate.brokers.nats.facts import capabilities
from headgate.brokers.nats.letterbox import Letterbox
from headgate.brokers.nats.memory import Clock, MemoryJetStream
from headgate.brokers.nats.positions import Positions
from headgate.brokers.nats.reading import Reader, observe
from headgate.brokers.nats.resources import ADVISORIES, STREAM, Consumer, Stream, split
from headgate.brokers.nats.store import Durable, Store
from headgate.brokers.nats.writing import Writer
from headgate.brokers.pace import Pace
from headgate.core.changes import Change
from headgate.core.compiled import Compiled
from headgate.core.estate import Ref
from headgate.core.progress import Capture, Holding, Progress
from headgate.core.resource import Key, Observed, Resource, Unread
from headgate.core.subjects import matches
from headgate.core.topology import Topology

_UNHURRIED: Final = 1_000_000


class FakeBroker:
    """One cluster in memory."""

    def __init__(self, clock: Clock, *, level: int = 5, version: str = "2.15.1", nodes: int = 1) -> None:
        self.server = MemoryJetStream(clock, level=level, nodes=nodes)
        self.version = version
        self._trouble: BrokerError | None = None  # what every call raises
        self._gone = asyncio.Event()
        lane = Pace(_UNHURRIED, asyncio.Semaphore(_UNHURRIED))
        self._lane = lane
        self._reader = Reader(self.server)
        self._writer = Writer(self.server, lane)
        self._positions = Positions(self.server, self._reader, lane)
        self._letterbox = Letterbox(self._reader, lane, self.server.scan)

    async def facts(self) -> BrokerFacts:
        """As a server of that version would say."""
        self._available()
        shared = self.server.stores.get(ADVISORIES.name)
        return BrokerFacts(
            type="NATS",
            server_version=self.version,
            identity=identity_of(shared.config) if shared else "",
            level=self.server.level,
            nodes=self.server.nodes,
            capabilities=capabilities(self.server.level),
        )

    async def observe(self, keys: Collection[Key]) -> Mapping[Key, Observed | Unread]:
        """What is there; absent ones are left out."""
        self._available()
        return await observe(self._reader, self._lane, keys)

    async def apply(self, change: Change) -> Observed | None:
        """One change."""
        self._available()
        return await self._writer.apply(change)

    async def progress(self, groups: Collection[Key]) -> Mapping[Key, Progress | Unread]:
        """How far readers are; absent ones are left out."""
        self._available()
        return await self._positions.progress(groups)

    async def dead_letters(self, queues: Collection[Key]) -> Mapping[Key, Holding | Unread]:
        """What queues hold; absent ones are left out."""
        self._available()
        return await self._letterbox.dead_letters(queues)

    async def capture(self) -> Capture | None:
        """How far movers are."""
        self._available()
        return await capture(self.server, self._lane)

    async def lost(self) -> None:
        """Return when the broker is away."""
        await self._gone.wait()

    async def aclose(self) -> None:
        """Nothing to let go of."""

    def _available(self) -> None:
        if self._trouble is not None:
            raise self._trouble

    # What happens behind the operator's back.

    def go_away(self, error: BrokerError) -> None:
        """From now on every call raises this."""
        self._trouble = error
        self._gone.set()

    def come_back(self) -> None:
        """Every call works again."""
        self._trouble = None
        self._gone.clear()

    def fall_silent(self, key: Key) -> None:
        """From now on nobody answers for one object and what lies in it."""
        self.server.leaderless.add(key)

    def speak_again(self, key: Key) -> None:
        """The object is as it was before."""
        self.server.leaderless.discard(key)

    def put(self, resource: Resource, marks: Mapping[str, str] | None = None) -> None:
        """Somebody makes or changes an object by hand."""
        if isinstance(resource, Stream):
            store = self.server.stores.get(resource.key.name)
            config = dump(resource, store.config if store else None, marks or {})
            if store is not None:
                store.config = config
            else:
                self.server.create_stream(resource.key.name, config)
        elif isinstance(resource, Consumer):
            stream, name = split(resource.key)
            durable = self.server.stores[stream].durables.get(name)
            config = dump(resource, durable.config if durable else None, marks or {})
            if durable is not None:
                durable.config = config
            else:
                self.server.put_consumer(stream, name, {"config": config, "action": "create"})

    def remove(self, key: Key) -> None:
        """Somebody deletes an object by hand."""
        if key.kind == STREAM:
            self.server.stores.pop(key.name, None)
        else:
            stream, name = split(key)
            self.server.stores[stream].durables.pop(name, None)

    def publish(self, subject: str, headers: Mapping[str, str] | None = None) -> int:
        """Somebody publishes; the position under which the event is kept."""
        for store in self.server.stores.values():
            if any(matches(each, subject) for each in store.config.get("subjects") or ()):
                return store.append(subject, headers or {}, self.server.clock())
        raise LookupError(f"no stream takes {subject}")

    def hand_out(self, key: Key, count: int) -> list[int]:
        """A worker pulls; the positions that it gets."""
        store, durable = self._durable(key)
        fresh = [
            n for n, each in store.messages.items() if n > durable.delivered and durable.takes(each.subject)
        ][:count]
        for sequence in fresh:
            durable.in_flight[sequence] = 1
        durable.handed_out += len(fresh)
        durable.delivered = max(fresh, default=durable.delivered)
        return fresh

    def hand_out_again(self, key: Key, position: int) -> None:
        """An attempt failed and the next one begins."""
        _, durable = self._durable(key)
        durable.in_flight[position] += 1
        durable.handed_out += 1

    def settle(self, key: Key, position: int) -> None:
        """A worker acknowledges."""
        _, durable = self._durable(key)
        del durable.in_flight[position]

    def expire(self, key: Key, position: int) -> None:
        """An event goes by retention or by hand."""
        self.server.stores[key.name].messages.pop(position, None)

    def _durable(self, key: Key) -> tuple[Store, Durable]:
        stream, name = split(key)
        store = self.server.stores[stream]
        return store, store.durables[name]


class FakeDriver:
    """Hands out one broker in memory, whatever the declaration says about servers."""

    addresses = "servers"
    traits = Traits()

    def __init__(self, broker: FakeBroker) -> None:
        self.broker = broker

    def connect(
        self, spec: EventBrokerSpec, credentials: Credentials, may_act: Callable[[], bool] = always
    ) -> Broker:
        """The one broker."""
        del spec, credentials
        self.broker.server.may_act = may_act
        return self.broker

    def compile(self, topology: Topology, facts: BrokerFacts, installation: str) -> Mapping[Ref, Compiled]:
        """As for JetStream."""
        del installation
        return translate.compile_all(topology, facts)

    def infrastructure(self, facts: BrokerFacts, spec: EventBrokerSpec) -> tuple[Resource, ...]:
        """As for JetStream."""
        return translate.infrastructure(facts, spec)

    def keys(self, external_name: str, kind: str, topic: str = "") -> tuple[Key, ...]:
        """As for JetStream."""
        return translate.keys(external_name, kind, topic)
