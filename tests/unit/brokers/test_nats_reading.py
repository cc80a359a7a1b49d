"""How many questions are asked, and when an absent name is believed: on a server in memory that counts."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from headgate.brokers.fake import FakeBroker
from headgate.brokers.nats.documents import Json
from headgate.brokers.nats.memory import Durable, MemoryJetStream, Store
from headgate.brokers.nats.reading import Reader
from headgate.brokers.nats.resources import Consumer, consumer_key, stream_key
from headgate.brokers.pace import Bucket, Pace

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
