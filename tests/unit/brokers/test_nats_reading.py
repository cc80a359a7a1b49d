"""How many questions are asked, and when an absent name is believed: on a server in memory that counts."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from headgate.brokers.base import Unknown, Unreachable
from headgate.brokers.fake import FakeBroker
from headgate.brokers.nats.documents import Json
from headgate.brokers.nats.glance import SPAN, Glance
from headgate.brokers.nats.memory import MemoryJetStream, Refusal
from headgate.brokers.nats.reading import SOON, Reader
from headgate.brokers.nats.resources import Consumer, consumer_key, stream_key
from headgate.brokers.nats.store import Durable, Store
from headgate.brokers.pace import Bucket, Pace
from headgate.core.changes import Action, Change
from headgate.core.claims import Owner
from headgate.core.progress import Holding, Progress
from headgate.core.resource import Observed, Unread, known

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def crowded(streams: int) -> FakeBroker:
    """A broker with many streams, each with one consumer."""
    broker = FakeBroker(lambda: NOW)
    for number in range(streams):
        name = f"s{number:04}"
        store = Store({"name": name, "subjects": [f"{name}.>"]}, NOW)
        store.durables["billing"] = Durable({"ack_policy": "explicit"}, NOW)
        broker.server.stores[name] = store
    return broker


COSTS: Mapping[str, tuple[int, int, int]] = {
    "a few names are asked for one by one": (300, 8, 8),
    "many names of one page cost one list": (200, 100, 1),
    "a thousand names cost four lists": (1000, 1000, 4),
    "a thousand names beside a few of others cost four lists": (1020, 1000, 4),
    "a handful among thousands is asked for by name after one page": (3000, 9, 10),
}


@pytest.mark.parametrize("sentence", COSTS)
async def test_reading_costs_as_few_questions_as_it_takes(sentence: str) -> None:
    """Exact counts: this is what restarts cost."""
    there, wanted, questions = COSTS[sentence]
    broker = crowded(there)
    keys = [stream_key(f"s{number:04}") for number in range(there - wanted, there)]
    assert len(await broker.observe(keys)) == wanted
    assert len(broker.server.asked) == questions


STARTS: Mapping[str, tuple[int, str, list[str]]] = {
    "one page tells whose account it is, and is the first of all": (
        1000,
        "s0000",
        ["STREAM.LIST"] * 4,
    ),
    "an account that is not known yet": (100, "none", ["STREAM.LIST"]),
    "what is not on the first page is asked for by name": (
        1000,
        "s0999",
        ["STREAM.LIST", "STREAM.INFO.s0999", *["STREAM.LIST"] * 3],
    ),
}


@pytest.mark.parametrize(("there", "name", "asked"), STARTS.values(), ids=STARTS.keys())
async def test_what_a_start_asks(there: int, name: str, asked: list[str]) -> None:
    """Who it is, whether the ground is laid, and then everything: nothing is read twice."""
    broker = crowded(there)
    found = await broker._reader.stream(broker._lane, name, more=True)
    assert (found is None) == (name == "none")
    ground = await broker.observe([stream_key(name)])
    assert len(ground) == (found is not None)
    assert len(await broker.observe([stream_key(f"s{number:04}") for number in range(there)])) == there
    assert broker.server.asked == asked


async def test_what_was_read_a_moment_ago_does_not_count_after_a_change_of_our_own() -> None:
    broker = crowded(20)
    names = [stream_key(f"s{number:04}") for number in range(20)]
    await broker._reader.stream(broker._lane, "s0000", more=True)
    broker.server.asked.clear()
    found = known(await broker.observe(names[:1]))[names[0]]
    await broker.apply(Change(Action.DELETE, names[0], Owner("i", "k", "ns", "n"), identity=found.identity))
    broker.server.asked.clear()
    assert set(await broker.observe(names)) == set(names[1:])
    assert await broker.observe(names[:1]) == {}
    assert broker.server.asked == ["STREAM.LIST", "STREAM.INFO.s0000"]


async def test_a_change_that_is_under_way_while_something_is_read_outdates_it() -> None:
    broker = crowded(2)
    before: list[Mapping[str, Json] | None] = []

    class Slow(MemoryJetStream):
        async def _answer(self, verb: str, body: Json | None, limit: float | None) -> Json:
            if verb.startswith("STREAM.DELETE"):
                moment = glance.now()
                glance.keep(moment, {"s0000": {}})
                before.append(glance.infos(["s0000"]))
            return await super()._answer(verb, body, limit)

    server = Slow(lambda: NOW, level=5, nodes=1)
    server.stores = broker.server.stores
    glance = Glance(server)
    await server.call(broker._lane, "STREAM.DELETE.s0000")
    assert before == [{"s0000": {}}]
    assert glance.infos(["s0000"]) is None


async def test_what_was_read_is_forgotten_after_a_few_seconds_and_with_its_connection() -> None:
    class Reconnected(MemoryJetStream):
        @property
        def connection(self) -> object:
            return connection

    now, connection = 0.0, "first"
    glance = Glance(Reconnected(lambda: NOW, level=5, nodes=1), lambda: now)
    glance.keep(glance.now(), {"a": {}, "b": None}, {"total": 1})
    assert glance.infos(["a", "b"]) == {"a": {}}
    assert glance.infos(["a", "c"]) is None
    assert glance.page() == {"total": 1}
    connection = "second"
    assert (glance.infos(["a"]), glance.page()) == (None, None)
    connection, now = "first", SPAN - 0.1
    assert glance.page() is not None
    now = SPAN
    assert (glance.infos(["a"]), glance.page()) == (None, None)


async def test_consumers_cost_one_question_per_stream() -> None:
    """One by name where one is asked, one list where several are."""
    broker = crowded(3)
    for name in ("mail", "audit"):
        broker.put(Consumer(consumer_key("s0000", name), ack_policy="explicit"))
    broker.server.asked.clear()
    names = [("s0000", "billing"), ("s0000", "mail"), ("s0000", "audit"), ("s0001", "billing")]
    assert len(await broker.observe([consumer_key(*name) for name in names])) == 4
    assert sorted(broker.server.asked) == ["CONSUMER.INFO.s0001.billing", "CONSUMER.LIST.s0000"]


class Restless(MemoryJetStream):
    """Somebody deletes the first stream after the first page."""

    async def _answer(self, verb: str, body: Json | None, limit: float | None) -> Json:
        answer = await super()._answer(verb, body, limit)
        if verb == "STREAM.LIST" and (body or {}).get("offset") == 0:
            del self.stores[min(self.stores)]
        return answer


async def test_a_stream_that_slips_between_two_pages_is_not_taken_for_gone() -> None:
    """Pages overlap; when they do not fit together, absent names are asked for."""
    broker = crowded(400)
    restless = Restless(lambda: NOW, level=5, nodes=1)
    restless.stores = broker.server.stores
    lane = Pace(1_000_000, asyncio.Semaphore(10))
    wanted = [f"s{number:04}" for number in range(1, 400)]
    assert set(await Reader(restless).streams(lane, wanted)) == set(wanted)


HIDDEN = {
    "asked one by one": (3, ["s0001"]),
    "on the first page of a list": (20, ["s0001"]),
    "at the seam of two pages": (400, ["s0255"]),
    "first on the second page": (400, ["s0256"]),
    "a whole page": (600, [f"s{number:04}" for number in range(200, 500)]),
}


@pytest.mark.parametrize("where", HIDDEN, ids=str)
async def test_a_stream_without_a_leader_is_unread_and_the_others_are_there(where: str) -> None:
    """It is never left out, which would mean that it is gone; what lies in it is no more known than itself."""
    size, silent = HIDDEN[where]
    broker = crowded(size)
    for name in silent:
        broker.fall_silent(stream_key(name))
    names = [f"s{number:04}" for number in range(size)]
    keys = [*map(stream_key, names), *(consumer_key(name, "billing") for name in names[:3] + silent[:1])]
    found = await broker.observe([*keys, stream_key("nothing")])
    assert found.keys() == set(keys)
    unread = {key for key, one in found.items() if isinstance(one, Unread)}
    assert unread == {key for key in keys if key.name.partition("/")[0] in silent}


async def test_a_consumer_without_a_leader_is_unread_and_its_neighbours_are_there() -> None:
    """Whether they are listed or asked for."""
    broker = crowded(2)
    broker.put(Consumer(consumer_key("s0000", "mail"), ack_policy="explicit"))
    silent = consumer_key("s0000", "mail")
    broker.fall_silent(silent)
    keys = [consumer_key("s0000", "billing"), silent, consumer_key("s0001", "billing")]
    for asked in (keys, keys[1:]):
        found = await broker.observe(asked)
        assert [key for key, one in found.items() if isinstance(one, Unread)] == [silent]
        assert found.keys() == set(asked)
        progress = await broker.progress(asked)
        assert [key for key, one in progress.items() if isinstance(one, Unread)] == [silent]
    broker.speak_again(silent)
    assert isinstance((await broker.observe([silent]))[silent], Observed)


async def test_dead_letters_that_cannot_be_read_are_not_none() -> None:
    """A queue that says nothing is not an empty one."""
    broker = crowded(2)
    broker.fall_silent(stream_key("s0000"))
    held = await broker.dead_letters([stream_key("s0000"), stream_key("s0001"), stream_key("nothing")])
    assert isinstance(held[stream_key("s0000")], Unread)
    assert isinstance(held[stream_key("s0001")], Holding)
    assert stream_key("nothing") not in held


class Headless(MemoryJetStream):
    """Nobody leads the whole account."""

    def _reach(self, verb: list[str]) -> None:
        if verb[0] != "CONSUMER":
            raise Refusal(10008, "JetStream system temporarily unavailable", 503)


@pytest.mark.parametrize("names", [["s0000"], [f"s{n:04}" for n in range(20)]], ids=["one by one", "listed"])
async def test_what_is_said_of_streams_is_not_believed_while_the_account_says_nothing(
    names: list[str],
) -> None:
    """Then it is the whole broker that is away."""
    headless = Headless(lambda: NOW, level=5, nodes=3)
    with pytest.raises(Unreachable) as away:
        await Reader(headless).streams(Pace(1_000_000, asyncio.Semaphore(10)), names)
    assert type(away.value) is Unreachable
    assert away.value.reason == "NoLeader"


class Mute(MemoryJetStream):
    """One of three servers, which did not get an answer about some objects, and remembers how long it was asked to wait."""

    clustered = True
    patience: list[float | None]

    async def _answer(self, verb: str, body: Json | None, limit: float | None) -> Json:
        if verb == "STREAM.INFO.mute":
            self.patience.append(limit)
            raise Unknown("TimedOut", "no answer")
        return await super()._answer(verb, body, limit)


async def test_whoever_gave_no_answer_is_given_less_time_the_next_time() -> None:
    """Servers that are down hold up a look once, not every look."""
    mute = Mute(lambda: NOW, level=5, nodes=3)
    mute.patience = []
    reader, lane = Reader(mute), Pace(1_000_000, asyncio.Semaphore(10))
    for _ in range(2):
        assert isinstance((await reader.streams(lane, ["mute"]))["mute"], Unread)
    assert mute.patience == [None, SOON]


async def test_a_server_that_stands_alone_and_does_not_answer_is_away() -> None:
    """Nobody else could have answered for the object."""
    mute = Mute(lambda: NOW, level=5, nodes=1)
    mute.patience, mute.__dict__["clustered"] = [], False
    with pytest.raises(Unknown):
        await Reader(mute).streams(Pace(1_000_000, asyncio.Semaphore(10)), ["mute"])


async def test_an_unmoved_reader_costs_no_reading_of_messages() -> None:
    """The age of the same event is remembered."""
    broker = crowded(1)
    key = consumer_key("s0000", "billing")
    broker.publish("s0000.a")
    first = await broker.progress([key])
    broker.server.asked.clear()
    assert await broker.progress([key]) == first
    assert not [verb for verb in broker.server.asked if "MSG.GET" in verb]


async def test_a_consumer_made_anew_is_not_judged_by_what_was_remembered() -> None:
    """Positions of another one mean nothing."""
    broker = crowded(1)
    key = consumer_key("s0000", "billing")
    broker.publish("s0000.a")
    await broker.progress([key])
    broker.remove(key)
    assert await broker.progress([key]) == {}
    broker.put(replace(Consumer(key), filter_subjects=("s0000.b",)))
    (found,) = (await broker.progress([key])).values()
    assert isinstance(found, Progress)
    assert (found.pending, found.oldest_pending) == (0, None)


async def test_a_bucket_lets_a_second_of_requests_through_and_then_waits() -> None:
    """Two hundredths of a second for two tokens beyond the first hundred."""
    loop, bucket = asyncio.get_running_loop(), Bucket(100)
    start = loop.time()
    for _ in range(102):
        await bucket.take()
    assert loop.time() - start >= 0.009


async def test_no_more_requests_are_open_than_allowed() -> None:
    """Whoever comes later waits for a free place."""
    lane, open_now, most = Pace(1_000_000, asyncio.Semaphore(3)), 0, 0

    async def request() -> None:
        nonlocal open_now, most
        async with lane.slot():
            open_now += 1
            most = max(most, open_now)
            await asyncio.sleep(0)
            open_now -= 1

    await asyncio.gather(*(request() for _ in range(20)))
    assert most == 3
