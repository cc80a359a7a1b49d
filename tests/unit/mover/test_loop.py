"""A mover's turns against a broker in memory; real servers are in tests/contract."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.unit.mover.fakes import BORN, NOON, ROUTE, FakeMessages, notice

from headgate.brokers.base import Refused, Unreachable
from headgate.brokers.messages import Absent, Kept, Redelivered, Watch
from headgate.core.letters import Letter, Reason
from headgate.core.moves import Cause, Delay, Incarnation, Notice
from headgate.local.waiting import until
from headgate.mover.loop import Mover, Table
from headgate.mover.meter import Meter
from headgate.telemetry.metrics import Metrics

TABLE: Table = {("orders", "billing"): ROUTE}


class Bench:
    """A mover and what it has to do with."""

    def __init__(self, messages: FakeMessages, table: Table | None = TABLE) -> None:
        self.messages, self.metrics = messages, Metrics()
        self.mover = Mover(messages, lambda: table, Meter(self.metrics, "platform", "main"), lambda: NOON)

    def counted(self, metric: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(metric, labels) or 0.0


async def test_a_turn_settles_what_stands_and_says_how_large_it_was() -> None:
    bench = Bench(FakeMessages())
    assert await bench.mover.turn([notice(1), notice(2)]) == (2, 8)
    assert (sorted(bench.messages.kept), bench.messages.settled) == (["dead.1.1", "dead.1.2"], [1, 2])


@pytest.mark.parametrize(
    "answer",
    [Kept.FULL, Kept.MISSING, Kept.UNKNOWN, Kept.REFUSED],
    ids=lambda answer: f"a write that ends {answer}",
)
async def test_what_does_not_stand_is_put_off_and_the_rest_is_settled(answer: Kept) -> None:
    bench = Bench(FakeMessages(answers=[answer, Kept.STORED]))
    await bench.mover.turn([notice(1), notice(2)])
    assert (bench.messages.postponed, bench.messages.settled) == ([1], [2])
    assert bench.counted("headgate_mover_failures_total", reason=answer.value) == 1


def told(bench: Bench) -> list[tuple[str, str]]:
    """Why things wait, by address, as the broker is told."""
    return [(delay.address, delay.reason) for delay in bench.messages.delays]


async def test_why_something_waits_is_told_at_the_next_look_and_once() -> None:
    bench = Bench(FakeMessages(answers=[Kept.FULL, Kept.UNKNOWN], events={3: Absent.UNKNOWN}))
    await bench.mover.turn([notice(1), notice(2)])
    await bench.mover.turn([notice(3)])
    await bench.mover._look()
    assert told(bench) == [("dead.1", "DeadLetterQueueFull")]
    await bench.mover._look()
    assert len(bench.messages.delays) == 1


async def test_why_something_waits_is_logged_when_it_is_new(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(FakeMessages(answers=[Kept.FULL, Kept.FULL, Kept.MISSING]))
    for _ in range(3):
        await bench.mover.turn([notice(1)])
        await bench.mover._look()
    waits = "what goes to dead.1 waits: DeadLetterQueue"
    assert [record.message for record in caplog.records] == [f"{waits}Full", f"{waits}Missing"]


async def test_what_leads_nowhere_yet_is_told_of_no_address() -> None:
    bench = Bench(FakeMessages(marked={("orders", "mail")}))
    await bench.mover.turn([notice(1, reader="mail")])
    await bench.mover._look()
    assert told(bench) == [("", "RouteMissing")]


async def test_an_event_that_could_not_be_read_is_told_of_its_address() -> None:
    bench = Bench(FakeMessages(events={1: Absent.UNKNOWN}))
    await bench.mover.turn([notice(1)])
    await bench.mover._look()
    assert told(bench) == [("dead.1", "EventUnread")]


async def test_nothing_is_dropped_before_anybody_said_what_is_ours() -> None:
    bench = Bench(FakeMessages(), table=None)
    await bench.mover.turn([notice(1)])
    assert (bench.messages.postponed, bench.messages.settled) == ([1], [])


async def test_notices_of_a_slow_turn_are_extended_until_they_are_done_with() -> None:
    class Slow(FakeMessages):
        done = asyncio.Event()

        async def keep(self, letters: Sequence[Letter]) -> Sequence[Kept]:
            await self.done.wait()
            return await super().keep(letters)

    messages = Slow(waiting=[notice(1), notice(2, reader="theirs")])
    bench = Bench(messages)
    running = asyncio.create_task(bench.mover.run())

    async def extended() -> bool:
        return messages.extended != []

    await until("the slow turn is extended", extended)
    messages.done.set()

    async def moved() -> bool:
        return 1 in messages.settled

    await until("the event is moved", moved)
    bench.mover.stop()
    await running
    assert set(messages.extended) == {1}
    assert bench.mover._hand == {}


async def test_a_mover_looks_for_losses_before_it_reads_anything() -> None:
    class Ordered(FakeMessages):
        asked: list[str] = []  # noqa: RUF012  (one instance)

        async def notices(self, limit: int, wait: timedelta) -> Sequence[Notice]:
            self.asked.append("notices")
            return await super().notices(limit, wait)

        async def watch(self, delays: Collection[Delay] = ()) -> Watch:
            self.asked.append("watch")
            return await super().watch(delays)

    messages = Ordered(waiting=[notice(1)])
    bench = Bench(messages)
    running = asyncio.create_task(bench.mover.run())

    async def moved() -> bool:
        return messages.settled == [1]

    await until("the event is moved", moved)
    bench.mover.stop()
    await running
    assert messages.asked[:2] == ["watch", "notices"]


async def test_a_body_that_is_too_large_is_replaced_by_an_envelope() -> None:
    bench = Bench(FakeMessages(answers=[Kept.TOO_LARGE]))
    await bench.mover.turn([notice(1)])
    assert bench.messages.kept["dead.1.1"].body == b""
    assert bench.counted("headgate_mover_captured_total", reason="Rejected", body="too-large") == 1


async def test_an_event_of_which_nothing_is_known_is_asked_for_again() -> None:
    bench = Bench(FakeMessages(events={1: Absent.UNKNOWN, 2: Absent.GONE}))
    await bench.mover.turn([notice(1), notice(2)])
    assert (bench.messages.postponed, bench.messages.settled) == ([1], [2])
    assert bench.messages.kept["dead.1.2"].body == b""


async def test_an_event_of_an_earlier_source_is_never_read_from_its_successor() -> None:
    bench = Bench(FakeMessages(sources={"orders": Incarnation("b", NOON + timedelta(hours=1))}))
    await bench.mover.turn([notice(1)])
    assert bench.messages.kept["dead.1.1"].body == b""


async def test_a_reader_is_asked_for_its_mark_once() -> None:
    bench = Bench(FakeMessages(marked={("orders", "mail")}))
    await bench.mover.turn([notice(1, reader="mail"), notice(2, reader="mail"), notice(3, reader="theirs")])
    assert (bench.messages.postponed, bench.messages.settled) == ([1, 2], [3])


async def test_a_mover_goes_on_after_a_broker_that_was_away() -> None:
    away = Unreachable("ConnectFailed", "no connection")
    bench = Bench(FakeMessages(waiting=[notice(1)], troubles=[away], missed=3))
    running = asyncio.create_task(bench.mover.run())

    async def moved() -> bool:
        return bench.messages.settled == [1]

    await until("the event is moved", moved)
    bench.mover.stop()
    await running
    assert bench.counted("headgate_mover_failures_total", reason="ConnectFailed") == 1
    assert bench.counted("headgate_mover_missed_total") == 3


async def test_a_turn_that_fails_in_the_middle_has_its_notices_come_again() -> None:
    class Broken(FakeMessages):
        async def keep(self, letters: object) -> list[Kept]:
            raise Unreachable("Disconnected", f"lost {letters}")

    bench = Bench(Broken(waiting=[notice(1)]))
    running = asyncio.create_task(bench.mover.run())

    async def put_off() -> bool:
        return bench.messages.postponed == [1]

    await until("the notice is put off", put_off)
    bench.mover.stop()
    await running
    assert bench.messages.settled == []


async def test_a_refusal_ends_the_mover() -> None:
    bench = Bench(FakeMessages(troubles=[Refused("AuthenticationFailed", "no")]))
    with pytest.raises(ExceptionGroup) as caught:
        await bench.mover.run()
    assert caught.group_contains(Refused)


async def test_missed_notices_are_counted_and_settled() -> None:
    bench = Bench(FakeMessages(sources={"orders": BORN}))
    await bench.mover.turn([notice(1, cause=Cause.MISSED)])
    assert bench.counted("headgate_mover_dropped_total", reason="AdvisoriesLost") == 1


async def test_events_whose_wait_is_over_are_brought_back_to_their_groups() -> None:
    """Of groups that have somewhere for them; each outcome is counted under its own name."""
    ladder = replace(ROUTE, reader="search", due="orders-search-due")
    told = Redelivered(3, (Reason.MAX_ATTEMPTS, Reason.DEADLINE), 1, ("NoLeader",))
    table = {(route.source, route.reader): route for route in (ROUTE, ladder)}
    bench = Bench(FakeMessages(redeliveries=[told, Redelivered(2)]), table)
    task = asyncio.create_task(bench.mover.run())

    async def back() -> bool:
        return bench.counted("headgate_mover_returned_total") == 5

    await until("all are back", back, limit=5)
    bench.mover.stop()
    await task
    assert set(bench.messages.redelivered) == {("search",)}
    for reason in ("MaxAttempts", "Deadline"):
        assert bench.counted("headgate_mover_captured_total", reason=reason, body="whole") == 1
    assert bench.counted("headgate_mover_dropped_total", reason="Dropped") == 1
    assert bench.counted("headgate_mover_failures_total", reason="NoLeader") == 1
