"""The small parts of the engine: the queue of what is due, waves of changes, the difference between two statuses."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core.planning import tank

from headgate.brokers.base import Blocked, BrokerError, Ongoing, Refused, Unknown, Unreachable
from headgate.core.changes import Action, Change
from headgate.core.claims import Owner
from headgate.core.outcomes import Finding, Outcome
from headgate.core.resource import Key, Observed
from headgate.engine.effects import Effects, enforce, told, waves
from headgate.engine.queue import FIRST_WAIT, LONGEST_WAIT, DirtyQueue
from headgate.engine.writer import merge_patch

# --- the queue


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def queue() -> tuple[DirtyQueue[str], Clock]:
    clock = Clock()
    return DirtyQueue(clock, lambda: 1.0), clock


def test_a_key_is_due_once_however_often_it_was_added() -> None:
    due, _ = queue()
    due.add(("a", "b"))
    due.add(("a",))
    assert (due.take(), due.take()) == (("a", "b"), ())


def test_a_failed_key_comes_back_after_a_wait_that_doubles_up_to_a_bound() -> None:
    due, clock = queue()
    waits = []
    for _ in range(10):
        waits.append(due.retry("a"))
        clock.now += waits[-1]
        assert due.take() == ("a",)
    assert waits[:3] == [FIRST_WAIT, 2 * FIRST_WAIT, 4 * FIRST_WAIT]
    assert max(waits) == LONGEST_WAIT


def test_a_settled_key_begins_again_with_the_shortest_wait() -> None:
    due, _ = queue()
    due.retry("a")
    due.settled("a")
    assert due.retry("a") == FIRST_WAIT


def test_a_key_that_waits_is_due_at_once_when_something_happens_to_it() -> None:
    due, clock = queue()
    due.retry("a")
    due.add(("a",))
    assert due.take() == ("a",)
    clock.now = LONGEST_WAIT
    assert due.take() == ()


def test_of_two_times_the_earlier_one_counts() -> None:
    due, clock = queue()
    due.at("a", 5.0)
    due.at("a", 50.0)
    clock.now = 5.0
    assert due.take() == ("a",)


async def test_who_waits_is_woken_by_a_key_that_is_added() -> None:
    due, _ = queue()
    waiting = asyncio.ensure_future(due.wait(60.0))
    await asyncio.sleep(0)
    due.add(("a",))
    async with asyncio.timeout(1):
        await waiting
    assert due.take() == ("a",)


# --- waves and effects

OWNER = Owner("cluster", "EventTopic", "shop", "orders")
OTHER = Owner("cluster", "EventTopic", "shop", "payments")


def change(name: str, action: Action = Action.CREATE, owner: Owner = OWNER) -> Change:
    after = None if action in (Action.DELETE, Action.RELEASE) else tank(name)
    return Change(action, Key("tank", name), owner, after=after)


@dataclass
class Answering:
    """Answers as it was told to for a key."""

    answers: Mapping[str, BrokerError] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def apply(self, change: Change) -> Observed | None:
        self.asked.append(change.key.name)
        if (error := self.answers.get(change.key.name)) is not None:
            raise error
        return None if change.after is None else Observed(change.after, "id")


async def effects_of(answering: Answering, *changes: Change) -> Effects:
    return await enforce(answering, changes, 1)  # type: ignore[arg-type]  # only `apply` is asked


async def test_what_is_refused_to_one_owner_stops_nobody_else() -> None:
    answering = Answering({"a": Refused("Full", "no room")})
    effects = await effects_of(answering, change("a"), change("b", owner=OTHER))
    assert [one.key.name for one in effects.done] == ["b"]
    assert {owner: finding.reason for owner, finding in effects.refused.items()} == {OWNER: "Full"}


async def test_a_broker_that_is_away_is_asked_no_further() -> None:
    answering = Answering({"a": Unreachable("Gone", "nobody answers")})
    effects = await effects_of(answering, change("a"), change("b", owner=OTHER))
    assert (answering.asked, effects.done, effects.unreachable is not None) == (["a"], [], True)


async def test_a_lost_answer_is_neither_done_nor_refused() -> None:
    effects = await effects_of(Answering({"a": Unknown("TimedOut", "no answer")}), change("a"))
    assert (effects.unknown, effects.done, effects.refused, effects.unreachable) == ({OWNER}, [], {}, None)


async def test_what_others_stand_in_the_way_of_is_blocked_and_not_refused() -> None:
    effects = await effects_of(Answering({"a": Blocked("PolicyShadowed", "theirs wins")}), change("a"))
    assert told(effects, OWNER) == (Finding(Outcome.BLOCKED, "PolicyShadowed", "theirs wins"),)


async def test_what_was_begun_is_told_and_looked_at_again() -> None:
    effects = await effects_of(Answering({"a": Ongoing("MoveInProgress", "half is left")}), change("a"))
    assert told(effects, OWNER) == (Finding(Outcome.WAITING, "MoveInProgress", "half is left"),)
    assert (effects.unknown, effects.done, effects.refused) == ({OWNER}, [], {})


async def test_of_what_is_done_nothing_is_told() -> None:
    assert told(await effects_of(Answering(), change("a")), OWNER) == ()


async def test_a_deleted_object_is_seen_to_be_gone() -> None:
    effects = await effects_of(Answering(), change("a", Action.DELETE))
    assert effects.observed == {Key("tank", "a"): None}


def test_changes_that_need_nothing_run_side_by_side_and_deletes_after_them() -> None:
    found = waves([change("a"), change("b"), change("c", Action.DELETE)])
    assert [[one.key.name for one in wave] for wave in found] == [["a", "b"], ["c"]]


def test_what_is_let_go_of_comes_when_what_is_made_is_there() -> None:
    found = waves([change("a"), change("b", Action.RELEASE)])
    assert [[one.key.name for one in wave] for wave in found] == [["a"], ["b"]]


# --- patches

JSON = st.recursive(
    st.booleans() | st.integers(0, 3) | st.text("ab", max_size=2) | st.lists(st.integers(0, 2), max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.sampled_from("abcd"), JSON, max_size=4)


def patched(target: object, patch: object) -> object:
    """What RFC 7386 says a server makes of a merge patch."""
    if not isinstance(patch, dict):
        return patch
    result: dict[str, Any] = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = patched(result.get(key), value)
    return result


@given(OBJECTS, OBJECTS)
def test_a_patch_leads_from_one_object_to_the_other(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert patched(before, merge_patch(before, after)) == after


@given(OBJECTS)
def test_between_equal_objects_there_is_nothing_to_patch(value: dict[str, Any]) -> None:
    assert merge_patch(value, dict(value)) == {}


PATCHES = {
    "an emptied list is a difference": ({"a": [1]}, {"a": []}, {"a": []}),
    "a field that is gone is taken away": ({"a": 1, "b": 2}, {"b": 2}, {"a": None}),
    "only what differs inside an object is sent": (
        {"a": {"b": 1, "c": 2}},
        {"a": {"b": 1, "c": 3}},
        {"a": {"c": 3}},
    ),
}


@pytest.mark.parametrize(("before", "after", "patch"), PATCHES.values(), ids=PATCHES.keys())
def test_a_patch_holds_differences_only(
    before: dict[str, Any], after: dict[str, Any], patch: dict[str, Any]
) -> None:
    assert merge_patch(before, after) == patch
