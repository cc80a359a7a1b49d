"""A measurement is called far from its prediction when it is so by share and in a unit that matters."""

import pytest
from bench.compared import (
    CHANGES,
    LATE,
    OLDEST,
    REPLICAS,
    Line,
    Seen,
    area,
    circumstances,
    compared,
    late,
    table,
)
from bench.reality import document
from bench.replaying import Sight, pod_start, service_rate
from bench.replays import PROMISE, RATE, REPLAYS, Measured, predicted


@pytest.mark.parametrize(
    ("what", "measured", "expected", "far"),
    [
        pytest.param(LATE, 30, 30, False, id="the same is not far"),
        pytest.param(LATE, 9, 0, False, id="a few seconds are too little to speak of"),
        pytest.param(LATE, 11, 0, True, id="seconds where none were expected are far"),
        pytest.param(LATE, 120, 100, False, id="a fifth is not far"),
        pytest.param(LATE, 130, 100, True, id="three tenths are far"),
        pytest.param(LATE, 70, 100, True, id="so are three tenths less"),
        pytest.param(REPLICAS, 150, 100, False, id="a replica for less than a minute is little"),
        pytest.param(REPLICAS, 1300, 1000, True, id="five replica-minutes are much"),
        pytest.param(OLDEST, 5, 1, False, id="an event of five seconds is little"),
        pytest.param(OLDEST, 20, 12, True, id="eight seconds more are not"),
        pytest.param(CHANGES, 2, 1, False, id="one change is little"),
        pytest.param(CHANGES, 6, 4, True, id="two changes are not"),
        pytest.param(CHANGES, 11, 9, False, id="two of nine are less than a quarter"),
    ],
)
def test_what_is_far(what: str, measured: float, expected: float, *, far: bool) -> None:
    assert Line("spike", what, measured, expected, expected, expected).far is far


@pytest.mark.parametrize(
    ("changes", "end", "found"),
    [
        pytest.param([(0.0, 2)], 10, 20, id="nothing changes"),
        pytest.param([(0.0, 2), (4.5, 6)], 10, 9 + 33, id="replicas count from when they are asked for"),
        pytest.param([(0.0, 2), (12.0, 6)], 10, 20, id="what comes after the end does not count"),
    ],
)
def test_replicas_over_time(changes: list[tuple[float, int]], end: float, found: float) -> None:
    assert area(changes, end) == pytest.approx(found)


def test_late_is_what_is_older_than_promised() -> None:
    assert late([PROMISE - 1, PROMISE, PROMISE + 0.1, PROMISE + 5]) == 2


def seen(name: str, measured: Measured, *, longer: int = 0) -> Seen:
    """What the simulator would have seen itself, or with an oldest event that is late for longer."""
    run = predicted(REPLAYS[name], measured, 42.0)
    ages = [float(age) for age in run.ages]
    ages[-longer or len(ages) :] = [99.0] * longer
    replicas = tuple((float(second), count) for second, count in run.replicas)
    return Seen(tuple(ages), (), (), replicas, measured, 1.0)


def test_what_the_simulator_itself_played_is_as_predicted() -> None:
    lines = compared(REPLAYS["spike"], seen("spike", Measured(RATE, 7.0)))
    assert [line.what for line in lines] == [LATE, OLDEST, REPLICAS, CHANGES]
    assert not any(line.far for line in lines)
    assert all(line.least <= line.measured <= line.most for line in lines)


def test_a_table_says_which_figures_are_far() -> None:
    lines = compared(REPLAYS["spike"], seen("spike", Measured(RATE, 7.0), longer=60))
    rows = table(lines).splitlines()[2:]
    assert ["more than a quarter" in row for row in rows] == [True, True, False, False]


def test_circumstances_tell_of_dead_letters_where_there_had_to_be_some() -> None:
    quiet = seen("spike", Measured(RATE, 7.0))
    assert "dead letters" not in circumstances("spike", quiet)
    assert "5.00/s" in circumstances("spike", quiet)


def test_a_page_keeps_what_stands_around_its_table() -> None:
    page = "before\n<!-- reality: make reality -->\nold\n<!-- end of reality -->\nafter\n"
    renewed = document(page, "new\n")
    assert renewed == "before\n<!-- reality: make reality -->\nnew\n<!-- end of reality -->\nafter\n"
    assert document(renewed, "new\n") == renewed


def test_a_page_without_a_place_is_refused() -> None:
    with pytest.raises(ValueError, match="no place"):
        document("nothing here", "new")


@pytest.mark.parametrize(
    ("replicas", "came", "found"),
    [
        pytest.param([(0.0, 2)], [-3.0], 5.0, id="without a start the one that is built in counts"),
        pytest.param([(0.0, 0), (10.0, 2)], [16.0, 18.0], 7.0, id="each that was asked for counts"),
        pytest.param(
            [(0.0, 1), (10.0, 2), (20.0, 3)], [-5.0, 15.0, 27.0], 6.0, id="who was there before does not"
        ),
        pytest.param([(0.0, 4), (10.0, 2)], [-5.0], 5.0, id="going down starts nothing"),
    ],
)
def test_how_long_workers_take_to_come(
    replicas: list[tuple[float, int]], came: list[float], found: float
) -> None:
    assert pod_start(replicas, came) == pytest.approx(found)


def sights(pending: list[int], in_flight: int) -> dict[int, Sight]:
    """One look a second at two workers."""
    return {second: Sight(0.0, each, in_flight, frozenset({1, 2})) for second, each in enumerate(pending, 1)}


@pytest.mark.parametrize(
    ("pending", "in_flight", "done", "found"),
    [
        pytest.param([0, 0, 0], 2, [1.5, 2.5], RATE, id="nobody was ever busy: the rate that is built in"),
        pytest.param([5, 5, 5], 2, [1.1, 1.2, 2.3, 2.9], 1.0, id="all that busy workers did"),
        pytest.param([5, 5, 0, 0], 2, [1.1, 1.2, 3.5, 3.6], 1.0, id="what idle ones did does not count"),
        pytest.param([5, 5, 5], 9, [1.5], RATE, id="nobody is busy while nothing may be handed out"),
    ],
)
def test_what_one_worker_handles(pending: list[int], in_flight: int, done: list[float], found: float) -> None:
    assert service_rate(sights(pending, in_flight), done, limit=10) == pytest.approx(found)
