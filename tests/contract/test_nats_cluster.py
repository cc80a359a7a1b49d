"""What needs three servers: copies, moves, a leader that dies. On the newest version."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace

import nats as library
import pytest
import pytest_asyncio
from tests.contract.jetstream import CONSUMER_ROWS, ORIGIN, STREAM_ROWS, JetStreamContract
from tests.contract.terms import Row, World, applied, changed, created
from tests.contract.world import NatsWorld, connect, nats_world
from tests.servers import nats_cluster, until

from headgate.api import EventBrokerSpec
from headgate.brokers.base import (
    Broker,
    BrokerError,
    BrokerFacts,
    Credentials,
    Unavailable,
    Unknown,
    Unreachable,
)
from headgate.brokers.nats.resources import Placement, Stream, stream_key
from headgate.brokers.nats.translate import infrastructure
from headgate.brokers.registry import driver_of
from headgate.core.resource import Key, Observed, Unread, known
from headgate.local.nats import LocalNats, LocalNatsCluster
from headgate.local.run import Run

_words = JetStreamContract()
# What three servers can do that one cannot, and what one can do that copies cannot.
_ELSEWHERE = {
    "num_replicas": Row("num_replicas", 1, 3),
    "placement": Row("placement", Placement(cluster="nats-trio"), Placement()),
}


@pytest_asyncio.fixture
async def world(nats_trio: LocalNatsCluster) -> AsyncIterator[NatsWorld]:
    """One account of three servers."""
    async with nats_world(nats_trio.url) as world:
        await world.make(Stream(stream_key(ORIGIN), subjects=("origin.>",), allow_direct=True), {})
        yield world


class TestOneCopy(JetStreamContract):
    """The whole contract, with every object on one of three servers."""

    topic_rows = tuple(_ELSEWHERE.get(row.name, row) for row in STREAM_ROWS)


class TestThreeCopies(JetStreamContract):
    """The contract with every object on all of three servers, and those settings in which copies have a say."""

    whole = False
    topic_rows = (
        Row("num_replicas", 3, 1),
        *(
            row
            for row in STREAM_ROWS
            if row.name in {"storage", "retention", "max_age", "subjects", "metadata"}
        ),
    )
    reader_rows = (
        Row("num_replicas", 3, 1),
        *(
            row
            for row in CONSUMER_ROWS
            if row.name in {"mem_storage", "ack_wait", "pause_until", "filter_subjects"}
        ),
    )

    def topic(self, name: str) -> Stream:
        return replace(super().topic(name), num_replicas=3)


async def test_three_servers_are_counted_and_three_copies_are_the_default(world: World) -> None:
    """Safe without being asked."""
    facts = await world.broker.facts()
    assert facts.nodes == 3
    (shared,) = infrastructure(facts, EventBrokerSpec.model_construct(defaults=None))
    made = await applied(world, created(shared))
    assert isinstance(made.resource, Stream)
    assert made.resource.num_replicas == 3
    assert (await world.broker.facts()).identity


async def test_copies_grow_and_shrink(world: World) -> None:
    """In place, the object stays the same."""
    topic = _words.topic(world.fresh("grown"))
    made = await applied(world, created(topic))
    for copies in (3, 1):
        grown = await applied(world, changed(made, replace(topic, num_replicas=copies)))
        assert isinstance(grown.resource, Stream)
        assert (grown.resource.num_replicas, grown.identity) == (copies, made.identity)


async def test_a_move_together_with_more_copies_is_done_step_by_step(world: World) -> None:
    """The server refuses both in one, and the second while the first goes on: the same change, repeated, gets there."""
    topic = _words.topic(world.fresh("moved"))
    made = await applied(world, created(topic))
    wanted = replace(topic, num_replicas=3, placement=Placement(cluster="nats-trio"))

    async def there() -> bool:
        try:
            moved = await applied(world, changed(made, wanted))
        except Unreachable:
            return False
        assert isinstance(moved.resource, Stream)
        return (moved.resource.num_replicas, moved.resource.placement) == (3, wanted.placement)

    await until("moved and copied", there)


async def test_what_is_created_is_found_at_once_by_any_server(world: World) -> None:
    """Absence is only believed when a second question confirms it."""
    topics = [replace(_words.topic(world.fresh("found")), num_replicas=3) for _ in range(10)]
    for topic in topics:
        await applied(world, created(topic))
    found = await world.broker.observe([topic.key for topic in topics])
    assert found.keys() == {topic.key for topic in topics}


async def test_positions_survive_the_death_of_a_server(servers: Run) -> None:
    """Whichever of three is killed: the same objects and the same figures on the same handle."""
    async with nats_cluster(servers, "mortals") as cluster:
        broker, client = connect(cluster.url), await library.connect(list(cluster.urls))
        world = NatsWorld(broker, client, level=5)
        topic = await applied(world, created(replace(_words.topic("kept"), num_replicas=3)))
        reader = await applied(world, created(_words.reader("kept", "billing")))
        for _ in range(3):
            await world.publish("kept.a.b")
        await world.hand_out(reader.resource.key, 2)
        await cluster.nodes[0].kill()

        async def same() -> bool:
            try:
                progress = (await broker.progress([reader.resource.key]))[reader.resource.key]
                found = (await broker.observe([topic.resource.key]))[topic.resource.key]
            except BrokerError:
                return False
            if isinstance(progress, Unread) or isinstance(found, Unread):
                return False
            assert found.identity == topic.identity
            return (progress.pending, progress.in_flight) == (1, 2)

        await until("two of three answer", same, limit=60)
        await client.close()
        await broker.aclose()


async def test_a_stream_whose_server_is_down_holds_up_no_other(servers: Run) -> None:
    """It is unread, with all that lies in it, until the server is back; the same for those asked one by one and listed."""
    async with nats_cluster(servers, "invalids") as cluster:
        survivors = list(cluster.urls[1:])
        broker, client = _impatient(survivors), await library.connect(survivors)
        world = NatsWorld(broker, client, level=5)
        sick, well = await _kept_by(world, cluster.nodes[0]), await _kept_by(world, cluster.nodes[1])
        await applied(world, created(_shared_by(cluster.nodes[0])))
        facts = await broker.facts()
        await cluster.nodes[0].kill()

        async def told() -> bool:
            try:
                found = await broker.observe([*sick, *well, stream_key("nothing")])
            except BrokerError:
                return False  # the cluster itself elects a leader
            return unread(found) == set(sick) and known(found).keys() == set(well)

        await until("the others are read", told)
        names = [stream_key(f"nothing-{number}") for number in range(10)]
        listed = await broker.observe([*names, *sick, *well])
        assert (unread(listed), set(known(listed))) == (set(sick), set(well))
        progress = await broker.progress([sick[1], well[1]])
        assert [key for key, one in progress.items() if isinstance(one, Unread)] == [sick[1]]
        assert (await broker.facts()).identity == facts.identity
        stranger = _impatient(survivors)
        with pytest.raises(Unavailable):  # whose account this is could be told by nobody
            await stranger.facts()
        with pytest.raises(Unavailable):
            await broker.capture()
        await stranger.aclose()
        for change in (created(_words.reader(sick[0].name, "another")), created(_words.topic(sick[0].name))):
            with pytest.raises((Unavailable, Unknown)):
                await broker.apply(change)
        await cluster.nodes[0].restart()

        async def back() -> bool:
            return not unread(await broker.observe([*sick, *well]))

        await until("all of them are read", back)
        await client.close()
        await broker.aclose()


def _impatient(urls: list[str]) -> Broker:
    """The adapter with little time for each answer."""
    limits = {"timeout": "1s", "requestsPerSecond": 10_000, "progressPerSecond": 10_000}
    spec = EventBrokerSpec.model_validate({"nats": {"servers": urls}, "limits": limits})
    return driver_of(spec).connect(spec, Credentials())


def _shared_by(node: LocalNats) -> Stream:
    """What Headgate itself needs, on one server."""
    facts = BrokerFacts("NATS", "2.15.1", "", nodes=1)
    (shared,) = infrastructure(facts, EventBrokerSpec.model_construct(defaults=None))
    assert isinstance(shared, Stream)
    return replace(shared, placement=Placement(tags=(node.name,)))


async def _kept_by(world: NatsWorld, node: LocalNats) -> tuple[Key, Key]:
    """A stream and its reader on one server."""
    placed = replace(_words.topic(world.fresh("placed")), placement=Placement(tags=(node.name,)))
    topic = await applied(world, created(placed))
    reader = await applied(world, created(_words.reader(topic.resource.key.name, "billing")))
    return topic.resource.key, reader.resource.key


def unread(found: Mapping[Key, Observed | Unread]) -> set[Key]:
    """Of which nothing is known."""
    return {key for key, one in found.items() if isinstance(one, Unread)}
