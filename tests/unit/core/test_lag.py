"""What follows from looks at a group over time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.lag import History, Lag, Sight, figures, pace, seen, unmoved
from headgate.core.progress import PartitionProgress, Progress

START = datetime(2026, 11, 21, 12, tzinfo=UTC)
PATIENCE = timedelta(seconds=40)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def look(
    second: float,
    head: int = 0,
    delivered: int = 0,
    *,
    pending: int = 0,
    in_flight: int = 0,
    waiting: int = 1,
    deliveries: int | None = None,
    oldest: float | None = None,
) -> Progress:
    return Progress(
        at=at(second),
        partitions=(PartitionProgress(head, delivered, delivered - in_flight),),
        pending=pending,
        in_flight=in_flight,
        waiting=waiting,
        deliveries=deliveries,
        oldest_pending=None if oldest is None else at(oldest),
    )


def after(*looks: Progress, history: History | None = None) -> History:
    history = history or History()
    for progress in looks:
        history = seen(history, progress, progress.at)
    return history


def lag(*looks: Progress, now: float | None = None) -> Lag:
    history = after(*looks)
    return figures(history, looks[-1].at if now is None else at(now), PATIENCE)


def every_five(count: int, step: Callable[[int], Progress]) -> tuple[Progress, ...]:
    return tuple(step(n) for n in range(count))


@dataclass(frozen=True)
class Rates:
    looks: tuple[Progress, ...]
    arriving: float | None
    usual: float | None
    finishing: float | None


RATES = {
    "one look says nothing about rates": Rates((look(0, 100, 50, pending=50),), None, None, None),
    "two looks at the same moment say nothing about rates": Rates(
        (look(0, 9), look(0, 99)), None, None, None
    ),
    "what is published and handed out at once is what arrives": Rates(
        (look(0, 0, 0), look(5, 100, 100)), 20.0, 20.0, 20.0
    ),
    "a backlog that grows arrives without being finished": Rates(
        (look(0, 0, 0), look(5, 100, 0, pending=100)), 20.0, 20.0, 0.0
    ),
    "what is in flight is not finished": Rates(
        (look(0, 0, 0), look(5, 100, 100, in_flight=50)), 20.0, 20.0, 10.0
    ),
    "a filter lets positions jump, and deliveries tell how many it were": Rates(
        (look(0, 0, 0, deliveries=0), look(5, 1000, 1000, deliveries=100)), 20.0, 20.0, 20.0
    ),
    "repeats are no arrivals": Rates(
        (look(0, 0, 0, deliveries=0), look(5, 100, 100, deliveries=900)), 20.0, 20.0, 20.0
    ),
    "what is purged neither arrives nor is finished": Rates(
        (look(0, 100, 0, pending=100), look(5, 100, 0, pending=0)), 0.0, 0.0, 0.0
    ),
    "only the last fifteen seconds count as lately": Rates(
        every_five(7, lambda n: look(5 * n, 100 * max(0, n - 3), 100 * max(0, n - 3))), 20.0, 10.0, 20.0
    ),
    "rare looks are compared with the one before": Rates(
        (look(0), look(100, 100, 100), look(200, 1100, 1100)), 10.0, 10.0, 10.0
    ),
    "a look right after another one is compared with an earlier one": Rates(
        (look(0), look(100, 100, 100), look(101, 101, 101)), 1.0, 1.0, 1.0
    ),
    "a topic that was made anew starts a new history": Rates(
        (look(0, 1000, 1000), look(5, 10, 10)), None, None, None
    ),
    "a reader that was rewound starts a new history": Rates(
        (look(0, 1000, 1000), look(5, 1000, 10, pending=990)), None, None, None
    ),
    "a reader that was made anew starts a new history": Rates(
        (look(0, 1000, 1000, deliveries=500), look(5, 1000, 1000, deliveries=3)), None, None, None
    ),
    "time that runs backwards starts a new history": Rates(
        (look(50, 1000, 1000), look(5, 1100, 1100)), None, None, None
    ),
}


@pytest.mark.parametrize("case", RATES.values(), ids=RATES.keys())
def test_rates(case: Rates) -> None:
    found = lag(*case.looks)
    assert (found.arriving, found.usual, found.finishing) == (case.arriving, case.usual, case.finishing)


def partitions(second: float, *heads: int) -> Progress:
    return Progress(at(second), tuple(PartitionProgress(head, head, head) for head in heads), 0, 0)


def test_a_partition_that_is_missing_from_an_answer_leaves_everything_as_it_was() -> None:
    history = after(partitions(0, 100, 100), partitions(5, 200, 200))
    assert seen(history, partitions(10, 300), at(10)) is history


def test_partitions_that_stay_away_are_believed_to_be_gone_in_the_end() -> None:
    history = after(partitions(0, 100, 100))
    history = seen(history, partitions(90, 300), at(90))
    assert history.last == partitions(90, 300)
    assert figures(history, at(90), PATIENCE).arriving is None


def test_what_a_new_partition_already_holds_did_not_arrive_just_now() -> None:
    assert lag(partitions(0, 100), partitions(5, 200, 99_999)).arriving == 20.0


SIGHT = {
    "just read": (0, Sight.FRESH),
    "read a look ago": (5, Sight.FRESH),
    "not read for longer than fifteen seconds": (16, Sight.STALE),
    "not read for longer than a minute": (61, Sight.LOST),
    "read in the future, by a clock that stepped back": (-500, Sight.FRESH),
}


@pytest.mark.parametrize(("seconds", "sight"), SIGHT.values(), ids=SIGHT.keys())
def test_sight(seconds: float, sight: Sight) -> None:
    assert lag(look(0), now=seconds).sight is sight


def test_a_group_that_was_never_read_is_lost() -> None:
    assert figures(History(), START, PATIENCE).sight is Sight.LOST


def test_an_estate_that_is_read_in_turns_has_longer_to_grow_stale() -> None:
    assert figures(after(look(0)), at(50), PATIENCE, timedelta(seconds=60)).sight is Sight.FRESH
    assert figures(after(look(0)), at(100), PATIENCE, timedelta(seconds=60)).sight is Sight.STALE


AGES: dict[str, tuple[Progress, float, float | None]] = {
    "the age is that of the oldest event never handed out": (look(100, pending=3, oldest=70), 100, 30),
    "it grows until the next look": (look(100, pending=3, oldest=70), 110, 40),
    "nothing pending has no age": (look(100, pending=0, oldest=70), 100, None),
    "an unknown time has no age": (look(100, pending=3), 100, None),
    "an event from the future is new": (look(100, pending=3, oldest=900), 100, 0),
}


@pytest.mark.parametrize(("progress", "now", "age"), AGES.values(), ids=AGES.keys())
def test_age(progress: Progress, now: float, age: float | None) -> None:
    found = lag(progress, now=now).age
    assert found == (None if age is None else timedelta(seconds=age))


STRANDED: dict[str, tuple[tuple[Progress, ...], float, int]] = {
    "in flight and nobody there for longer than a handler may take": (
        (look(0, 5, 5, in_flight=2, waiting=0), look(41, 5, 5, in_flight=2, waiting=0)),
        41,
        2,
    ),
    "in flight and nobody there, but not for long enough": (
        (look(0, 5, 5, in_flight=2, waiting=0), look(39, 5, 5, in_flight=2, waiting=0)),
        39,
        0,
    ),
    "somebody asks for more": (
        (look(0, 5, 5, in_flight=2, waiting=0), look(41, 5, 5, in_flight=2, waiting=1)),
        41,
        0,
    ),
    "something was handed out meanwhile": (
        (look(0, 5, 5, in_flight=2, waiting=0), look(41, 5, 6, in_flight=2, waiting=0)),
        41,
        0,
    ),
    "something was settled meanwhile": (
        (look(0, 5, 5, in_flight=2, waiting=0), look(41, 5, 5, in_flight=1, waiting=0)),
        41,
        0,
    ),
    "something was repeated meanwhile": (
        (
            look(0, 5, 5, in_flight=2, waiting=0, deliveries=5),
            look(41, 5, 5, in_flight=2, waiting=0, deliveries=6),
        ),
        41,
        0,
    ),
    "nothing in flight": ((look(0, waiting=0), look(41, waiting=0)), 41, 0),
}


@pytest.mark.parametrize(("looks", "now", "stranded"), STRANDED.values(), ids=STRANDED.keys())
def test_stranded(looks: tuple[Progress, ...], now: float, stranded: int) -> None:
    assert lag(*looks, now=now).stranded == stranded


IDLE: dict[str, tuple[tuple[Progress, ...], float | None]] = {
    "idle since the first empty look": ((look(0), look(5), look(10)), 10),
    "not idle with something pending": ((look(0), look(5, 1, 0, pending=1)), None),
    "not idle with something in flight": ((look(0), look(5, 1, 1, in_flight=1)), None),
    "what came and went between two looks was work": ((look(0), look(5), look(10, 7, 7), look(15, 7, 7)), 5),
    "idle again after work": ((look(0), look(5, 1, 0, pending=1), look(10, 1, 1), look(20, 1, 1)), 10),
}


@pytest.mark.parametrize(("looks", "idle"), IDLE.values(), ids=IDLE.keys())
def test_idle(looks: tuple[Progress, ...], idle: float | None) -> None:
    assert lag(*looks).idle_for == (None if idle is None else timedelta(seconds=idle))


def busy(count: int, rate: int = 20, pending: int = 500) -> tuple[Progress, ...]:
    return every_five(count, lambda n: look(5 * n, 5 * n * rate + pending, 5 * n * rate, pending=pending))


def test_how_long_work_waited_and_was_worked_on_is_known() -> None:
    found = lag(*busy(5), now=22)
    assert found.pressed_for == timedelta(seconds=22)
    assert found.working_for == timedelta(seconds=17)
    assert found.unfinished_for == timedelta(seconds=2)
    assert found.unread_for == timedelta(seconds=2)


def test_work_that_stopped_for_a_minute_begins_anew() -> None:
    stop = tuple(look(20 + 5 * n, 9000, 400, pending=500) for n in range(1, 15))
    found = lag(*busy(5), *stop, look(95, 9000, 500, pending=500))
    assert found.working_for == timedelta(0)
    assert found.unfinished_for == timedelta(0)


PACES: dict[str, tuple[Lag, float, float | None]] = {
    "measured while work never ran out": (lag(*busy(5)), 0, 20.0),
    "not measured over less than it takes": (lag(*busy(2)), 0, None),
    "not measured before the given moment": (lag(*busy(5)), 15, None),
    "few events take a longer look": (lag(*busy(3, rate=1)), 0, None),
    "and give a rate in the end": (lag(*busy(5, rate=1)), 0, 1.0),
    "not measured when work ran out meanwhile": (lag(*busy(5), look(25, 900, 900)), 0, None),
    "nothing to measure without looks": (Lag(Sight.LOST), 0, None),
}


@pytest.mark.parametrize(("found", "since", "rate"), PACES.values(), ids=PACES.keys())
def test_pace(found: Lag, since: float, rate: float | None) -> None:
    measured = pace(found, at(since))
    assert (None if measured is None else measured.rate) == rate


def test_a_topic_that_does_not_move_keeps_its_resting_groups_fresh() -> None:
    history = after(look(0, 7, 7), look(5, 7, 7))
    for second in range(10, 500, 5):
        history = unmoved(history, at(second))
    found = figures(history, at(495), PATIENCE)
    assert (found.sight, found.arriving, found.idle_for) == (Sight.FRESH, 0.0, timedelta(seconds=495))
    assert len(history.samples) <= 4


UNMOVED: dict[str, tuple[History, datetime]] = {
    "a group never read": (History(), at(5)),
    "a group with work": (after(look(0, 5, 0, pending=5)), at(5)),
    "a clock that does not advance": (after(look(0)), at(0)),
}


@pytest.mark.parametrize(("history", "now"), UNMOVED.values(), ids=UNMOVED.keys())
def test_nothing_is_made_up_about(history: History, now: datetime) -> None:
    assert unmoved(history, now) is history


def test_lag_that_appears_after_a_rest_counts_over_the_usual_window() -> None:
    history = after(look(0))
    for second in range(5, 300, 5):
        history = unmoved(history, at(second))
    history = after(look(300, 1500, 0, pending=1500), history=history)
    assert figures(history, at(300), PATIENCE).arriving == 100.0


def test_memory_is_bounded() -> None:
    history = after(*(look(n / 10, n, n) for n in range(2000)))
    assert len(history.samples) <= 64


def test_a_group_that_was_never_read_is_not_at_rest() -> None:
    assert not History().at_rest
    assert lag(look(0)).at_rest
    assert not lag(look(0, in_flight=1)).at_rest


looks = st.lists(
    st.builds(
        look,
        st.integers(-50, 200),
        st.integers(0, 1000),
        st.integers(0, 1000),
        pending=st.integers(0, 1000),
        in_flight=st.integers(0, 50),
        waiting=st.integers(0, 2),
        deliveries=st.none() | st.integers(0, 1000),
    ),
    min_size=1,
    max_size=12,
)


@given(looks, st.integers(-100, 300))
def test_whatever_a_broker_answers_rates_and_spans_are_never_negative(
    found: Sequence[Progress], now: int
) -> None:
    history = History()
    for n, progress in enumerate(found):
        one = replace(progress, partitions=progress.partitions * (1 + n % 2))
        history = seen(history, one, at(n * 5))
    result = figures(history, at(now), PATIENCE)
    rates = (result.arriving, result.usual, result.finishing)
    assert all(rate is None or 0 <= rate < float("inf") for rate in rates)
    assert result.age is None or result.age >= timedelta(0)
    assert result.idle_for is None or result.idle_for >= timedelta(0)
    assert result.working_for >= timedelta(0)
