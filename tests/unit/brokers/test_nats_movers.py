"""What movers write down for the operator: read back the same, bounded, and not written twice."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.brokers.messages import Kept
from headgate.brokers.nats.movers import LASTING, MOST, PUT_OFF, missed, put_off, told
from headgate.core.moves import Delay
from headgate.core.progress import PutOff

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
LONG = 30 * SECOND


def delay(
    queue: str = "dead", reason: str = "Unknown", left: timedelta = LONG, group: str = "billing"
) -> Delay:
    return Delay(f"hg.{queue}.orders.{group}.1" if queue else "", reason, left)


def after(*delays: Delay, metadata: dict[str, str] | None = None, now: datetime = NOON) -> dict[str, str]:
    found = told(metadata or {}, delays, now)
    assert found is not None
    return found


def test_what_is_told_is_read_for_as_long_as_it_holds() -> None:
    metadata = after(delay(), delay("", "RouteMissing"), metadata={"other": "stays"})
    assert set(put_off(metadata, NOON)) == {PutOff("dead", "Unknown"), PutOff("", "RouteMissing")}
    assert put_off(metadata, NOON + LONG) == ()
    assert metadata["other"] == "stays"


def test_nothing_to_say_is_not_written() -> None:
    assert told({}, [], NOON) is None


def test_what_stands_there_and_lasts_is_not_written_again() -> None:
    metadata = after(delay())
    assert told(metadata, [delay()], NOON + LONG - LASTING - SECOND) is None
    assert told(metadata, [delay()], NOON + LONG - LASTING) is not None


def test_a_short_word_is_written_once() -> None:
    assert told(after(delay(left=5 * SECOND)), [delay(left=5 * SECOND)], NOON) is not None
    assert told(after(delay()), [delay(left=5 * SECOND)], NOON) is None


def test_another_reason_is_written_at_once() -> None:
    assert put_off(after(delay(reason="Refused"), metadata=after(delay())), NOON) == (
        PutOff("dead", "Refused"),
    )


def test_what_another_mover_said_stays_while_it_holds() -> None:
    earlier = after(delay("a"), delay("b", left=SECOND))
    found = put_off(after(delay("c"), metadata=earlier, now=NOON + 2 * SECOND), NOON + 2 * SECOND)
    assert {each.queue for each in found} == {"a", "c"}


@pytest.mark.parametrize("first", ["a", "z"], ids=["named first", "named last"])
def test_of_several_groups_of_a_queue_lack_of_room_is_told(first: str) -> None:
    metadata = after(delay(reason=Kept.FULL, group=first), delay(reason=Kept.UNKNOWN, group="m"))
    assert put_off(metadata, NOON) == (PutOff("dead", "DeadLetterQueueFull"),)


def test_however_many_queues_are_held_up_the_text_is_bounded_and_nothing_is_hidden() -> None:
    metadata = after(*(delay(f"{number:04}" * 60) for number in range(3 * MOST)))
    assert len(json.dumps(metadata)) < 2**17
    assert len(put_off(metadata, NOON)) == MOST + 1
    assert "" in {each.queue for each in put_off(metadata, NOON)}


@given(
    st.text()
    | st.sampled_from(["[]", "{}", '{"dead": 1}', '{"dead": ["x", "y"]}', '{"dead": ["x"]}', "null"])
)
def test_a_text_out_of_shape_says_nothing_and_is_replaced(text: str) -> None:
    assert put_off({PUT_OFF: text}, NOON) == ()
    assert put_off(after(delay(), metadata={PUT_OFF: text}), NOON) == (PutOff("dead", "Unknown"),)


def test_losses_add_up_and_the_last_one_is_dated() -> None:
    found = missed(missed({"other": "stays"}, 3, "t1"), 4, "t2")
    assert found == {"other": "stays", "headgate.dev/missed": "7", "headgate.dev/missed-at": "t2"}
