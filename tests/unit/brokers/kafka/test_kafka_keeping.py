"""What is done about positions, and when: every case in a row, on paper."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.brokers.kafka.keeping import (
    EXPIRING,
    GONE,
    KEPT,
    STALE,
    Duties,
    Look,
    Memory,
    brought_back,
    committed,
    duties,
    hindrance,
    mistrust,
    remembered,
    state,
    too_late,
)

HOUR = 3600.0
WEEK = 7 * 24 * HOUR
TOPIC = "an identity"
LOOK = Look(WEEK, TOPIC, frozenset({0, 1}), {0: 5, 1: 7}, {0: 9, 1: 9}, active=False)


def memory(age: float, positions: Mapping[int, int] = LOOK.positions, topic: str = TOPIC) -> Memory:
    """Positions that were committed so long ago, last seen a moment ago."""
    return Memory(topic, LOOK.at - 1, dict(positions), dict.fromkeys(positions, LOOK.at - age))


DUTIES: Mapping[str, tuple[Memory | None, Look, Duties, str]] = {
    "positions that are young are left alone": (memory(HOUR), LOOK, Duties(), KEPT),
    "positions that are old are committed again": (
        memory(WEEK / 2),
        LOOK,
        Duties(again=frozenset({0, 1})),
        EXPIRING,
    ),
    "nothing is about to expire while somebody is in the group": (
        memory(WEEK / 2),
        replace(LOOK, active=True),
        Duties(again=frozenset({0, 1})),
        KEPT,
    ),
    "each partition has an age of its own": (
        replace(memory(WEEK / 2), since={0: LOOK.at - HOUR, 1: LOOK.at - WEEK / 2}),
        LOOK,
        Duties(again=frozenset({1})),
        EXPIRING,
    ),
    "a position that expired comes back where it was": (
        memory(HOUR),
        replace(LOOK, positions={0: 5}),
        Duties(back={1: 7}),
        GONE,
    ),
    "a partition that was never seen begins with its first event": (
        memory(HOUR, {0: 5}),
        replace(LOOK, positions={0: 5}),
        Duties(first=frozenset({1})),
        KEPT,
    ),
    "where a topic was made anew nothing is known of its partitions": (
        memory(HOUR, topic="another"),
        replace(LOOK, positions={0: 5}),
        Duties(first=frozenset({1})),
        KEPT,
    ),
    "a position beyond the end is nobody's doing": (
        memory(WEEK / 2),
        replace(LOOK, ends={0: 4, 1: 7}),
        Duties(again=frozenset({1}), stale=frozenset({0})),
        STALE,
    ),
    "where the end is not known a position is believed": (
        memory(HOUR),
        replace(LOOK, ends={}),
        Duties(),
        KEPT,
    ),
}


@pytest.mark.parametrize("sentence", DUTIES)
def test_duties(sentence: str) -> None:
    before, look, expected, word = DUTIES[sentence]
    found = duties(before, look, WEEK)
    assert found == expected
    assert state(found, active=look.active) == word


def test_positions_that_somebody_else_remembers_come_back_too() -> None:
    """Ours are newer."""
    look = replace(LOOK, positions={})
    assert duties(None, look, WEEK, ((0, 3), (1, 4))).back == {0: 3, 1: 4}
    assert duties(memory(HOUR, {0: 5}), look, WEEK, ((0, 3), (1, 4))).back == {0: 5, 1: 4}


SEEN: Mapping[str, tuple[Memory | None, Look, Memory]] = {
    "what was never seen is taken for half used up, but for a moment": (
        None,
        LOOK,
        Memory(TOPIC, LOOK.at, LOOK.positions, dict.fromkeys((0, 1), LOOK.at - WEEK / 2 + 600)),
    ),
    "a position that stands keeps its age, one that moved was committed after the last look": (
        memory(HOUR, {0: 5, 1: 6}),
        LOOK,
        Memory(TOPIC, LOOK.at, LOOK.positions, {0: LOOK.at - HOUR, 1: LOOK.at - 1}),
    ),
    "a position that is gone is not forgotten": (
        memory(HOUR),
        replace(LOOK, positions={0: 5}),
        Memory(TOPIC, LOOK.at, LOOK.positions, dict.fromkeys((0, 1), LOOK.at - HOUR)),
    ),
    "a look that was overtaken by another says nothing": (
        memory(HOUR),
        replace(LOOK, at=LOOK.at - 2, positions={0: 1, 1: 1}),
        memory(HOUR),
    ),
}


@pytest.mark.parametrize("sentence", SEEN)
def test_what_is_remembered(sentence: str) -> None:
    before, look, after = SEEN[sentence]
    assert remembered(before, look, WEEK) == after


def test_what_we_committed_ourselves_is_young() -> None:
    """Also where the topic is another one by now: nothing of the former stays."""
    after = committed(memory(WEEK / 2), TOPIC, {1: 8}, LOOK.at)
    assert after == Memory(TOPIC, LOOK.at, {0: 5, 1: 8}, {0: LOOK.at - WEEK / 2, 1: LOOK.at})
    assert committed(after, "another", {0: 0}, LOOK.at) == Memory("another", LOOK.at, {0: 0}, {0: LOOK.at})


@given(
    st.lists(st.tuples(st.floats(1, WEEK / 4), st.booleans(), st.integers(0, 3)), min_size=1, max_size=40),
    st.integers(1, 30),
)
def test_no_position_of_an_idle_group_ever_grows_older_than_its_time(
    steps: list[tuple[float, bool, int]], retention_in_days: int
) -> None:
    """Whoever looks often enough and does what is due never lets one expire, whatever workers commit in between."""
    retention = retention_in_days * 24 * HOUR
    known: Memory | None = None
    now, last, offset = 0.0, 0.0, 0
    for pause, moves, at in steps:
        now += min(pause, retention / 4)
        if moves:
            last, offset = now - min(at, pause), offset + 1
        assert now - last < retention
        look = Look(now, TOPIC, frozenset({0}), {0: offset}, {}, active=False)
        known = remembered(known, look, retention)
        if duties(known, look, retention).again:
            last = now
            known = committed(known, TOPIC, {0: offset}, now)


def test_what_was_brought_back_is_told_of_until_workers_move_on() -> None:
    """Partition by partition."""
    after = committed(memory(WEEK, {0: 5, 1: 7}), TOPIC, {0: 5, 1: 7}, LOOK.at, back={1})
    told = brought_back(after, "group/orders/billing")
    assert told is not None
    assert told.reason == "OffsetsExpired"
    assert "1:7" in told.message
    assert "0:5" not in told.message
    assert brought_back(remembered(after, replace(LOOK, at=LOOK.at + 1), WEEK), "") is not None
    moved = replace(LOOK, at=LOOK.at + 1, positions={0: 5, 1: 8})
    assert brought_back(remembered(after, moved, WEEK), "") is None


AGAINST: Mapping[str, tuple[Duties, str | None]] = {
    "what expired comes before what is new": (
        Duties(back={1: 7}, first=frozenset({2})),
        "OffsetsExpired",
    ),
    "new partitions wait for workers to go": (Duties(first=frozenset({2})), "NewPartitionsUncommitted"),
    "workers commit what is old themselves": (Duties(again=frozenset({0})), None),
}


@pytest.mark.parametrize("sentence", AGAINST)
def test_what_workers_stand_against(sentence: str) -> None:
    todo, reason = AGAINST[sentence]
    found = hindrance(todo, "group/orders/billing")
    assert (found and found.reason) == reason


def test_reasons_say_where_and_what_to_do() -> None:
    """Position by position."""
    look = replace(LOOK, ends={0: 4, 1: 9})
    stale = mistrust(duties(memory(HOUR), look, WEEK), look, "group/orders/billing")
    expired = hindrance(Duties(back={1: 7}), "")
    assert stale is not None
    assert expired is not None
    assert stale.reason == "OffsetsStale"
    assert "group/orders/billing" in stale.message
    assert "0:5 of 4" in stale.message
    assert mistrust(Duties(), look, "") is None
    assert "1:7" in expired.message
    assert too_late("", resumed=False).reason == "StartNotApplied"
    assert too_late("", resumed=True).reason == "OffsetsExpired"
