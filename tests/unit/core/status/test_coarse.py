"""When a figure in status is worth writing again."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core.status.accounts import NOW, outage, topic

from headgate.api import EventTopicStatus
from headgate.core.resource import Stats
from headgate.core.status.coarse import coarse, may_refine, may_write
from headgate.core.status.topic import topic_status


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


FIGURES: dict[str, tuple[int | None, int | None, datetime | None, int | None]] = {
    "the first figure is shown": (None, 5, ago(1), 5),
    "a figure that was not read stays": (5, None, None, 5),
    "nothing stays nothing": (None, None, None, None),
    "a tenth more is not worth it": (100, 110, ago(99), 100),
    "more than a tenth more is": (100, 111, ago(99), 111),
    "a tenth less is not worth it": (100, 90, ago(99), 100),
    "more than a tenth less is": (100, 89, ago(99), 89),
    "the first event is": (0, 1, ago(99), 1),
    "the last event is": (1, 0, ago(99), 0),
    "so soon it has to wait": (100, 900, ago(29), 100),
    "after half a minute it may": (100, 900, ago(30), 900),
    "after a restart it may": (100, 900, None, 900),
    "after a clock that stepped back it may": (100, 900, ago(-1), 900),
}


@pytest.mark.parametrize(("before", "after", "written", "shown"), FIGURES.values(), ids=FIGURES.keys())
def test_figure(before: int | None, after: int | None, written: datetime | None, shown: int | None) -> None:
    assert coarse(before, after, written, NOW) == shown


def test_a_small_difference_is_worth_a_write_after_a_long_time_only() -> None:
    assert may_refine(ago(300), NOW)
    assert not may_refine(ago(299), NOW)
    assert not may_refine(None, NOW)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 90))
def test_a_figure_is_never_written_twice_within_half_a_minute(before: int, after: int, seconds: int) -> None:
    shown = coarse(before, after, ago(seconds), NOW)
    assert shown == before or may_write(ago(seconds), NOW)


TEXTS: dict[str, tuple[EventTopicStatus | None, Stats, str | None, str | None]] = {
    "are shown the first time": (None, Stats(1_234_567, 3_300_000_000), "1.2M", "3.1Gi"),
    "stay while they hardly move": (
        EventTopicStatus(messages="1.2M", bytes="3.1Gi"),
        Stats(1_250_000, 3_400_000_000),
        "1.2M",
        "3.1Gi",
    ),
    "move with what they show": (
        EventTopicStatus(messages="1.2M", bytes="3.1Gi"),
        Stats(2_000_000, 0),
        "2M",
        "0",
    ),
    "stay when the broker does not say": (
        EventTopicStatus(messages="1.2M", bytes="3.1Gi"),
        Stats(),
        "1.2M",
        "3.1Gi",
    ),
    "are written over what nobody understands": (EventTopicStatus(messages="many"), Stats(7), "7", None),
}


@pytest.mark.parametrize(("previous", "stats", "messages", "size"), TEXTS.values(), ids=TEXTS.keys())
def test_figures_of_a_topic(
    previous: EventTopicStatus | None, stats: Stats, messages: str | None, size: str | None
) -> None:
    status = topic_status(topic(previous=previous, stats=stats))
    assert (status.messages, status.bytes) == (messages, size)


def test_figures_stay_while_the_broker_is_away() -> None:
    previous = EventTopicStatus(messages="5")
    status = topic_status(topic(previous=previous, stats=Stats(9), outage=outage(minutes=1)))
    assert status.messages == "5"
