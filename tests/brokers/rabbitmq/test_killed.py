"""Servers and people that end in the midst of it: no dead letter is lost, whichever moment it was."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import pytest
from aio_pika.abc import AbstractIncomingMessage
from tests.brokers.rabbitmq.conftest import Place
from tests.brokers.rabbitmq.declared import dead, queue
from tests.brokers.rabbitmq.mail import GONE, REMEMBERED, Post, dial, listed, post
from tests.servers import until

from headgate.brokers.base import BrokerError, Credentials
from headgate.brokers.rabbitmq.carrier import letters
from headgate.brokers.rabbitmq.letters import RabbitLetters
from headgate.brokers.rabbitmq.options import Connection
from headgate.core.letters import Entry, Resolution, tombstone

pytestmark = pytest.mark.takes(180)
EVENTS = 300
STEPS = 8  # moments at which somebody ends who closes an entry
Enough = Callable[[Sequence[Entry]], bool]
PATIENCE = 90  # seconds until a server that was killed has moved everything


@asynccontextmanager
async def rejecting(place: Place) -> AsyncIterator[None]:
    """A worker that will have none of it."""

    async def take(message: AbstractIncomingMessage) -> None:
        with suppress(*GONE):
            await message.reject(requeue=False)

    async def work() -> None:
        """A server that comes up is away for a while."""
        while True:
            with suppress(*GONE):
                connection = await dial(place)
                channel = await connection.channel()
                await channel.set_qos(prefetch_count=20)
                await (await channel.get_queue("billing", ensure=False)).consume(take)
                await asyncio.Event().wait()
            await asyncio.sleep(0.2)

    working = asyncio.ensure_future(work())
    try:
        yield
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


@asynccontextmanager
async def settled(place: Place) -> AsyncIterator[Post]:
    """On queues that went through an orderly end: new ones may lose confirmed events to a kill, whoever made them."""
    async with post(place, queue(delivery_limit=1), dead(closed_max_age=REMEMBERED)):
        pass
    await place.server.stop()
    await place.server.restart()
    connection = await dial(place)
    try:
        yield Post(place, connection, await connection.channel())
    finally:
        with suppress(*GONE):
            await connection.close()


def kinds(entries: Sequence[Entry]) -> Counter[bytes]:
    return Counter(entry.letter.body for entry in entries)


async def test_a_server_killed_while_it_hands_over_dead_letters_loses_none(place: Place) -> None:
    bodies = [b"%d" % number for number in range(EVENTS)]
    async with settled(place) as at:
        await asyncio.gather(*(at.publish("billing", body, exchange="") for body in bodies))
        async with rejecting(place):

            async def begun() -> bool:
                found = await at.channel.declare_queue("dead", passive=True)
                return bool(found.declaration_result.message_count)

            await until("the first ones are handed over", begun, limit=30, every=0.01)
            await place.server.kill()
        await place.server.restart()
        async with rejecting(place):
            entries = await eventually(at, lambda found: kinds(found).keys() == set(bodies))
    assert kinds(entries).keys() == set(bodies)
    assert max(kinds(entries).values()) <= 2  # handed over before, and told so too late


async def eventually(at: Post, enough: Enough) -> Sequence[Entry]:
    """What is listed at last; a server that comes up is away, or has nothing, for a while."""
    found: list[Entry] = []

    async def so_far() -> bool:
        desk = at.letters()
        try:
            found[:] = [entry async for entry in desk.entries()]
        except BrokerError:
            return False
        finally:
            await desk.aclose()
        return enough(found)

    await until("all are listed", so_far, limit=PATIENCE, every=0.5)
    return found


@asynccontextmanager
async def cut_after(port: int, size: int) -> AsyncIterator[tuple[str, list[int]]]:
    """A way to the server that ends once so many bytes went there: its address, and how many did."""
    sent = [0]
    tasks = set[asyncio.Task[None]]()

    async def pipe(source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, counted: bool) -> None:
        with suppress(OSError):
            while data := await source.read(65536):
                room = size - sent[0] if counted else len(data)
                sink.write(data[: max(room, 0)])
                await sink.drain()
                sent[0] += len(data) if counted else 0
                if len(data) > room:
                    break
        sink.transport.abort()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, onward = await asyncio.open_connection("127.0.0.1", port)
        ways = (pipe(reader, onward, counted=True), pipe(there, writer, counted=False))
        tasks.update(asyncio.ensure_future(way) for way in ways)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"amqp://127.0.0.1:{server.sockets[0].getsockname()[1]}", sent
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def through(place: Place, url: str) -> RabbitLetters:
    server = place.server
    login = {"username": server.username.encode(), "password": server.password.encode()}
    return letters(
        Connection(server.management_url, place.vhost, amqp_url=url), Credentials(login), "dead", timeout=5
    )


async def closing(place: Place, entry: Entry, size: int) -> tuple[bool, int]:
    """Close it on a way that ends; whether that was told to be done, and how much was sent for it."""
    stone = tombstone(entry, Resolution.RESOLVED, by="ann", reason="done", at=entry.stored)
    async with cut_after(place.server.ports.amqp, size) as (url, sent):
        desk = through(place, url)
        done = False
        with suppress(BrokerError):
            done = await desk.close_entry(entry, stone)
        await desk.aclose()
        return done, sent[0]


async def test_whoever_ends_in_the_midst_of_closing_an_entry_leaves_it_open_or_its_closing_remembered(
    place: Place,
) -> None:
    async with post(place) as at:
        await at.publish("orders.0.paid", b"first")
        await at.rejected()
        (entry,) = await at.entries(1)
        done, whole = await closing(place, entry, 1_000_000)
        assert done
        outcomes = set[tuple[bool, bool]]()
        for step in range(1, STEPS + 1):
            await at.publish("orders.1.paid", b"%d" % step)
            await at.rejected()
            body = b"%d" % step
            (entry,) = [e for e in await listed(at.letters, holds(body)) if e.letter.body == body]
            done, _ = await closing(place, entry, whole * step // STEPS - 8)
            found = await eventually(at, stands(entry.position))
            same = [each for each in found if each.position == entry.position]
            outcomes.add((any(each.open for each in same), any(not each.open for each in same)))
            assert not (done and any(each.open for each in same))
        assert outcomes >= {(True, False), (False, True)}


def holds(body: bytes) -> Enough:
    return lambda found: any(entry.letter.body == body for entry in found)


def stands(position: int) -> Enough:
    return lambda found: any(entry.position == position for entry in found)


async def test_the_same_handle_lists_again_on_a_server_that_was_killed_and_came_back(place: Place) -> None:
    """Its connection broke without anybody closing it."""
    async with settled(place) as at:
        await at.publish("dead", b"kept", exchange="")
        desk = at.letters()
        try:
            before = [entry async for entry in desk.entries()]
            await place.server.kill()
            await place.server.restart()

            async def again() -> bool:
                with suppress(BrokerError):
                    return [entry async for entry in desk.entries()] == before
                return False

            await until("the entry is listed again", again, limit=PATIENCE, every=0.5)
        finally:
            await desk.aclose()
    assert [entry.letter.body for entry in before] == [b"kept"]
