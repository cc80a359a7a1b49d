"""What is read off the positions of partitions over time."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.lag import History, figures, seen, unmoved
from headgate.core.progress import PartitionProgress, Progress
from headgate.core.spread import Marks, Spread, marked, spread

START = datetime(2026, 11, 21, 12, tzinfo=UTC)
SLOW = timedelta(seconds=20)
Owners = tuple[int | None, ...]
Row = tuple[int, tuple[int, ...], tuple[int, ...], Owners]  # second, heads, done, owners


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


def track(rows: Iterable[Row]) -> tuple[Marks, ...]:
    return tuple(Marks(at(second), heads, done, owners) for second, heads, done, owners in rows)


def found(rows: Iterable[Row], passed: float = 0.0) -> Spread:
    made = spread(track(rows), passed, SLOW)
    assert made is not None
    return made


def steady(seconds: int, done: tuple[int, int] = (10, 10), owners: Owners = (0, 1)) -> list[Row]:
    """Two partitions with 10 events per second each, of which so many get done, looked at every five seconds."""
    return [(t, (10 * t, 10 * t), (done[0] * t, done[1] * t), owners) for t in range(0, seconds + 1, 5)]


def test_no_look_says_nothing() -> None:
    assert spread((), 0.0, SLOW) is None


def test_one_look_does_not_tell_what_waits_unless_nobody_reads() -> None:
    assert found([(0, (90, 90), (80, 20), (0, None))]) == Spread(
        (0.0, 0.0), (0.0, 0.0), (0, None), 0.0, members=1
    )
    assert found([(0, (90, 90), (80, 20), (None, None))]).pending == (10.0, 70.0)


def test_rates_are_those_of_two_minutes() -> None:
    rows = [*steady(200), (205, (3000, 2050), (2050, 2050), (0, 1))]
    assert found(rows).usual == pytest.approx(((3000 - 850) / 120, 10.0))


def test_what_only_waits_for_a_commit_does_not_count() -> None:
    assert found([(0, (0, 0), (0, 0), (0, 1)), (60, (600, 600), (500, 300), (0, 1))]).pending == (0.0, 200.0)


def test_an_event_is_as_old_as_the_look_that_first_saw_its_position() -> None:
    rows = steady(60, done=(0, 0))
    assert found(rows).age == 60.0
    assert found(rows, passed=3.0).age == 63.0


def test_between_two_looks_events_came_evenly() -> None:
    rows: list[Row] = [
        (0, (0, 0), (0, 0), (0, 1)),
        (10, (100, 0), (0, 0), (0, 1)),
        (20, (100, 0), (75, 0), (0, 1)),
    ]
    assert found(rows).age == 12.5


def test_what_was_there_before_the_first_look_is_at_least_as_old() -> None:
    assert found([(0, (50, 0), (0, 0), (0, 1)), (10, (50, 0), (0, 0), (0, 1))]).age == 10.0


def test_a_partition_that_stands_still_while_others_get_on_is_stuck_and_not_counted() -> None:
    made = found([*steady(60, done=(10, 0)), (65, (650, 650), (650, 0), (0, 1))])
    assert (made.stuck, made.pending, made.age) == ((1,), (0.0, 0.0), 0.0)


def test_a_partition_that_gets_on_again_is_not_stuck() -> None:
    rows = [*steady(60, done=(10, 0)), (65, (650, 650), (650, 1), (0, 1))]
    assert found(rows).stuck == ()


def test_nothing_is_stuck_where_nothing_moves_at_all() -> None:
    assert found(steady(60, done=(0, 0))).stuck == ()


def test_nothing_is_stuck_after_a_moment() -> None:
    rows = [*steady(60), (65, (650, 650), (650, 600), (0, 1)), (70, (700, 700), (700, 600), (0, 1))]
    assert found(rows).stuck == ()


def test_right_after_a_start_whatever_stands_still_is_left_out_until_more_is_known() -> None:
    rows: list[Row] = [(0, (90, 90), (80, 20), (0, 1)), (5, (140, 140), (130, 20), (0, 1))]
    assert found(rows).stuck == (1,)


def test_more_than_half_is_not_stuck_but_something_else() -> None:
    rows: list[Row] = [(t, (10 * t,) * 3, (10 * t, 0, 0), (0, 1, 2)) for t in range(0, 65, 5)]
    assert found(rows).stuck == ()


def test_the_pace_is_that_of_readers_with_enough_to_do() -> None:
    made = found(steady(120, done=(7, 10)))
    assert made.paced == pytest.approx(7.0)


def test_of_several_paces_a_high_one_counts() -> None:
    rows: list[Row] = [
        (t, (10 * t,) * 4, (3 * t, 4 * t, 5 * t, 6 * t), (0, 1, 2, 3)) for t in range(0, 125, 5)
    ]
    assert found(rows).paced == pytest.approx(5.0)


def test_partitions_of_one_reader_add_up() -> None:
    assert found(steady(120, done=(4, 3), owners=(5, 5))).paced == pytest.approx(7.0)


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(steady(120), id="nobody is behind"),
        pytest.param(steady(25, done=(1, 1)), id="not for long enough"),
        pytest.param(steady(120, done=(0, 0)), id="nothing gets done"),
        pytest.param(steady(120, done=(7, 7), owners=(None, None)), id="nobody reads"),
        pytest.param(
            [*steady(100, done=(7, 7), owners=(0, 0)), *steady(120, done=(7, 7))[-4:]], id="partitions moved"
        ),
    ],
)
def test_there_is_no_pace_where(rows: list[Row]) -> None:
    assert found(rows).paced is None


def test_partitions_that_moved_are_settled_when_each_got_on() -> None:
    before = steady(60, owners=(0, 0))
    after: list[Row] = [
        (65, (650, 650), (600, 600), (0, 1)),
        (70, (700, 700), (690, 600), (0, 1)),
        (75, (750, 750), (740, 610), (0, 1)),
    ]
    assert [found([*before, *after[: n + 1]]).settled for n in range(3)] == [False, False, True]
    assert found(before).settled


def test_a_partition_without_work_is_settled_anyway() -> None:
    rows: list[Row] = [(0, (5, 5), (5, 5), (0, 0)), (5, (5, 5), (5, 5), (0, 1)), (10, (6, 5), (6, 5), (0, 1))]
    assert found(rows).settled


def test_members_are_those_who_read_something() -> None:
    assert (found(steady(10)).members, found(steady(10, owners=(None, 1))).members) == (2, 1)
    assert found(steady(10)).count == 2


def progress(second: int, heads: tuple[int, ...], done: tuple[int, ...]) -> Progress:
    parts = tuple(PartitionProgress(h, d, d, n) for n, (h, d) in enumerate(zip(heads, done, strict=True)))
    return Progress(at(second), parts, sum(heads) - sum(done), 0, exclusive=True)


def test_memory_is_bounded_and_reaches_far_back() -> None:
    marks: tuple[Marks, ...] = ()
    for second in range(0, 5 * 720, 5):
        marks = marked(marks, progress(second, (second,), (0,)))
    assert len(marks) <= 64
    assert marks[0].at == START
    assert [b.at - a.at for a, b in zip(marks[-30:], marks[-29:], strict=False)] == [
        timedelta(seconds=5)
    ] * 29


def test_two_looks_at_the_same_moment_are_one() -> None:
    marks = marked(marked((), progress(5, (1,), (0,))), progress(5, (2,), (0,)))
    assert [mark.heads for mark in marks] == [(2,)]


def history(*looks: Progress) -> History:
    made = History()
    for look in looks:
        made = seen(made, look, look.at)
    return made


def test_a_history_keeps_positions_only_where_members_read_partitions_of_their_own() -> None:
    queue = Progress(at(0), (PartitionProgress(5, 0, 0),), 5, 0)
    assert history(queue).track == ()
    made = history(progress(0, (0, 0), (0, 0)), progress(5, (50, 50), (50, 0)))
    lag = figures(made, at(7), timedelta(minutes=1))
    assert lag.spread is not None
    assert lag.spread.age == 7.0


def test_a_partition_that_was_added_begins_the_positions_anew_and_does_no_harm() -> None:
    made = history(progress(0, (0,), (0,)), progress(5, (50,), (0,)), progress(10, (100, 900), (0, 0)))
    assert len(made.track) == 1
    alone = figures(made, at(10), SLOW).spread
    assert alone is not None
    assert alone.pending == (0.0, 0.0)
    assert figures(seen(made, progress(15, (150, 950), (0, 0)), at(15)), at(15), SLOW).arriving is not None


def test_counters_that_were_reset_begin_everything_anew() -> None:
    made = history(
        progress(0, (500, 500), (0, 0)), progress(5, (550, 550), (0, 0)), progress(10, (3, 3), (0, 0))
    )
    assert len(made.track) == 1


def test_a_group_at_rest_keeps_its_positions_fresh() -> None:
    made = history(progress(0, (5, 5), (5, 5)), progress(5, (5, 5), (5, 5)))
    later = unmoved(made, at(30))
    assert [mark.at for mark in later.track] == [at(0), at(5), at(30)]


@given(
    st.lists(
        st.tuples(
            st.integers(-20, 40),
            st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=4),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_whatever_is_answered_ages_and_rates_are_never_negative(
    looks: list[tuple[int, list[tuple[int, int]]]],
) -> None:
    made, now = History(), 0
    for step, parts in looks:
        now += step
        heads = tuple(head for head, _ in parts)
        made = seen(made, progress(now, heads, tuple(min(pair) for pair in parts)), at(now))
        lag = figures(made, at(now), SLOW)
        if lag.spread is not None:
            assert min((*lag.spread.usual, *lag.spread.pending, lag.spread.age)) >= 0
            assert lag.growing >= 0
