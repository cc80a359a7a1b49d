"""Conditions change their time only with their status, and stand in an order of their own."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.api import Condition, ConditionStatus
from headgate.core.conditions import LONGEST_MESSAGE, Aspect, find, holds, merge, no, unknown, yes

THEN = datetime(2026, 11, 20, 9, tzinfo=UTC)
NOW = THEN + timedelta(minutes=5)

ASPECTS = st.lists(
    st.builds(
        Aspect,
        type=st.sampled_from(["Ready", "Synced", "Stalled", "Fresh", "Blocked"]),
        holds=st.sampled_from([True, False, None]),
        reason=st.sampled_from(["One", "Other"]),
        message=st.text(max_size=5),
    ),
    max_size=6,
)


def merged(
    before: tuple[Condition, ...], *aspects: Aspect, keep: tuple[str, ...] = ()
) -> tuple[Condition, ...]:
    return merge(before, aspects, generation=2, now=NOW, keep=keep)


def past(*aspects: Aspect) -> tuple[Condition, ...]:
    return merge((), aspects, generation=1, now=THEN)


CHANGES = {
    "a status that changes takes a new time": (yes("Ready", "InSync"), no("Ready", "Blocked"), NOW),
    "a status that becomes unknown takes a new time": (yes("Ready", "InSync"), unknown("Ready", "Away"), NOW),
    "another reason keeps the time": (no("Ready", "Conflict"), no("Ready", "Blocked"), THEN),
    "another message keeps the time": (no("Ready", "Blocked", "a"), no("Ready", "Blocked", "b"), THEN),
}


@pytest.mark.parametrize(("before", "after", "time"), CHANGES.values(), ids=CHANGES.keys())
def test_time(before: Aspect, after: Aspect, time: datetime) -> None:
    (found,) = merged(past(before), after)
    assert found.last_transition_time == time
    assert (found.reason, found.message, found.observed_generation) == (after.reason, after.message, 2)


def test_what_is_not_wanted_any_more_is_gone() -> None:
    assert merged(past(yes("Stalled", "Blocked"))) == ()


def test_what_is_kept_stays_to_the_letter() -> None:
    before = past(yes("Ready", "InSync"))
    assert merged(before, no("Ready", "Blocked"), keep=("Ready", "Fresh")) == before


def test_of_two_aspects_of_one_type_the_first_counts() -> None:
    (found,) = merged((), yes("Ready", "First"), no("Ready", "Second"))
    assert found.reason == "First"


def test_ready_stands_first_and_the_rest_by_name() -> None:
    found = merged((), yes("Zebra", "Z"), yes("Blocked", "B"), yes("Synced", "S"), yes("Ready", "R"))
    assert [condition.type for condition in found] == ["Ready", "Synced", "Blocked", "Zebra"]


def test_a_message_too_long_for_the_api_is_cut() -> None:
    (found,) = merged((), yes("Ready", "InSync", "x" * 5000))
    assert len(found.message) == LONGEST_MESSAGE
    assert found.message.endswith("x...")


def test_looking_a_condition_up() -> None:
    conditions = past(yes("Ready", "InSync"), no("Fresh", "PromiseBroken"))
    ready = find(conditions, "Ready")
    assert ready is not None
    assert ready.status is ConditionStatus.TRUE
    assert holds(conditions, "Ready")
    assert not holds(conditions, "Fresh")
    assert not holds(conditions, "Nowhere")


@given(ASPECTS, ASPECTS)
def test_saying_the_same_again_changes_nothing(first: list[Aspect], second: list[Aspect]) -> None:
    before = merge(past(*first), second, generation=2, now=NOW)
    assert merge(before, second, generation=2, now=NOW + timedelta(hours=1)) == before


@given(ASPECTS, ASPECTS)
def test_a_time_moves_exactly_with_the_status(first: list[Aspect], second: list[Aspect]) -> None:
    before = past(*first)
    for condition in merge(before, second, generation=2, now=NOW):
        known = find(before, condition.type)
        same = known is not None and known.status is condition.status
        assert condition.last_transition_time == (THEN if same else NOW)
