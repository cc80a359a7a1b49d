"""When a key comes back, when it does not, and how long whoever waits for one waits."""

import asyncio
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.engine.queue import FIRST_WAIT, DirtyQueue


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def queue() -> tuple[DirtyQueue[str], Clock]:
    clock = Clock()
    return DirtyQueue(clock, lambda: 1.0), clock


def test_its_length_is_what_is_due_now() -> None:
    due, _ = queue()
    due.add(("a", "b"))
    due.at("c", 5.0)
    assert len(due) == 2


def test_a_key_that_is_due_is_not_put_off() -> None:
    due, clock = queue()
    due.add(("a",))
    due.at("a", 5.0)
    assert due.take() == ("a",)
    clock.now = 10.0
    assert due.take() == ()


def test_a_forgotten_key_does_not_come_back_and_its_failures_are_forgotten_too() -> None:
    due, clock = queue()
    due.retry("a")
    due.retry("a")
    due.add(("a", "b"))
    due.forget("a")
    assert due.take() == ("b",)
    clock.now = 1000.0
    assert due.take() == ()
    assert due.retry("a") == FIRST_WAIT


def test_adding_nothing_wakes_nobody() -> None:
    due, _ = queue()
    due.add(())
    assert not due._woken.is_set()


async def test_who_waits_in_vain_goes_on_after_the_time_that_was_given() -> None:
    loop = asyncio.get_running_loop()
    due: DirtyQueue[str] = DirtyQueue(loop.time, lambda: 1.0)
    async with asyncio.timeout(5):
        await due.wait(0.01)
    assert due.take() == ()


async def test_who_waits_is_woken_when_a_later_key_becomes_due() -> None:
    loop = asyncio.get_running_loop()
    due: DirtyQueue[str] = DirtyQueue(loop.time, lambda: 1.0)
    due.at("a", 0.01)
    async with asyncio.timeout(5):
        await due.wait(60.0)
    assert due.take() == ("a",)


async def test_who_waits_hears_of_a_key_that_comes_earlier_than_all_others() -> None:
    loop = asyncio.get_running_loop()
    due: DirtyQueue[str] = DirtyQueue(loop.time, lambda: 1.0)
    due.at("late", 60.0)
    waiting = asyncio.create_task(due.wait(60.0))
    await asyncio.sleep(0)
    due.at("early", 0.01)
    async with asyncio.timeout(5):
        await waiting
    assert due.take() == ("early",)


async def test_what_is_due_already_is_not_waited_for() -> None:
    due, _ = queue()
    due.add(("a",))
    async with asyncio.timeout(1):
        await due.wait(60.0)
    assert due.take() == ("a",)


ACTS = st.lists(
    st.tuples(
        st.sampled_from(("add", "at", "retry", "settled", "forget")), st.sampled_from("abc"), st.floats(0, 5)
    ),
    max_size=20,
)


@given(ACTS)
def test_whatever_was_asked_for_last_and_not_forgotten_comes_back_exactly_once(
    acts: list[tuple[str, str, float]],
) -> None:
    due, clock = queue()
    wanted: set[str] = set()
    for act, key, wait in acts:
        match act:
            case "add":
                due.add((key,))
            case "at":
                due.at(key, wait)
            case "retry":
                due.retry(key)
            case "settled":
                due.settled(key)
            case _:
                due.forget(key)
        wanted = wanted - {key} if act == "forget" else wanted | ({key} if act != "settled" else set())
    clock.now = 1e6
    taken = due.take()
    assert (set(taken), len(taken), due.take()) == (wanted, len(wanted), ())


@pytest.mark.parametrize("failures", [0, 1, 40], ids=["the first", "the second", "a late one"])
def test_jitter_shortens_every_wait(failures: int) -> None:
    plain: DirtyQueue[str] = DirtyQueue(lambda: 0.0, lambda: 1.0)
    hasty: DirtyQueue[str] = DirtyQueue(lambda: 0.0, lambda: 0.9)
    for _ in range(failures):
        plain.retry("a")
        hasty.retry("a")
    assert hasty.retry("a") == pytest.approx(0.9 * plain.retry("a"))
