"""Whose turn it is to be read where there is not time for all."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.estate import Ref
from headgate.engine.turns import Waiting, chosen


def waiting(name: str, turn: int = 0, **about: bool) -> Waiting:
    return Waiting(Ref("ConsumerGroup", "shop", name), turn, **about)


IDLE = [waiting(f"idle-{number}") for number in range(100)]
BUSY = [waiting(f"busy-{number}", number + 1, moved=True, holds=True) for number in range(100)]
NEWS = waiting("news", 999, moved=True, holds=True)

FIRST = {
    "news comes before what nobody has read yet": ([*IDLE, NEWS], NEWS),
    "news that nobody has read yet comes before all else": (
        [*IDLE, *BUSY, replace(NEWS, turn=0)],
        replace(NEWS, turn=0),
    ),
    "of what was never read that comes first which holds events": (
        [*IDLE, waiting("late", holds=True)],
        waiting("late", holds=True),
    ),
    "of what was never read and holds nothing that comes first which is scaled": (
        [*IDLE, waiting("scaled", scaled=True)],
        waiting("scaled", scaled=True),
    ),
    "events that nobody has read of come before a workload whose topic is empty": (
        [waiting("scaled", scaled=True), waiting("late", holds=True)],
        waiting("late", holds=True),
    ),
    "of several with news that comes first which is scaled": (
        [*BUSY, waiting("scaled", 500, moved=True, holds=True, scaled=True)],
        waiting("scaled", 500, moved=True, holds=True, scaled=True),
    ),
    "of equals the one that was read longest ago": (BUSY[::-1], BUSY[0]),
    "a reader that was not there comes last, whatever its topic does": (
        [waiting("absent", moved=True, holds=True, scaled=True, absent=True), *IDLE],
        IDLE[0],
    ),
}


@pytest.mark.parametrize(("those", "first"), FIRST.values(), ids=FIRST.keys())
def test_who_comes_first(those: Sequence[Waiting], first: Waiting) -> None:
    urgent, patient = chosen(those, 20)
    assert (*urgent, *patient)[0] == first.group


many = st.lists(
    st.builds(
        waiting,
        st.uuids().map(str),
        st.integers(0, 5),
        absent=st.booleans(),
        moved=st.booleans(),
        holds=st.booleans(),
        scaled=st.booleans(),
    ),
    max_size=40,
    unique_by=lambda one: one.group,
)


@given(many, st.integers(1, 50))
def test_there_is_time_for_so_many_and_nobody_is_read_twice(those: list[Waiting], most: int) -> None:
    urgent, patient = chosen(those, most)
    assert len({*urgent, *patient}) == min(most, len(those))
    assert len(set(urgent)) == len(urgent) <= most / 2
    assert len(set(patient)) == len(patient)


@given(many, st.integers(2, 20), st.data())
def test_whoever_waits_is_read_after_a_bounded_number_of_looks(
    those: list[Waiting], most: int, data: st.DataObject
) -> None:
    """Also while everybody else has news at every look: half of each look is for those who have waited longest."""
    patience = waiting("patience", max((one.turn for one in those), default=0) + 1)
    looks, turn, left = 0, patience.turn, [*those, patience]
    while True:
        urgent, patient = chosen(left, most)
        looks += 1
        read = {*urgent[: most // 2], *patient[: most // 2]}
        if patience.group in read:
            break
        turn += 1
        left = [
            replace(one, turn=turn, moved=data.draw(st.booleans()), holds=True, absent=False)
            if one.group in read
            else one
            for one in left
        ]
    assert looks <= -(-len(left) // (most // 2))
