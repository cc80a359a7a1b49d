"""What is remembered of a workload from one look to the next."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.habits import kept, known
from headgate.core.hindsight import advanced
from headgate.core.lag import Lag, Sight
from headgate.core.scaling import Decision, Habits, Load, Observation, Reason, Shelved, State, Trial
from headgate.core.spread import Spread

START = datetime(2026, 11, 21, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
UP = Decision(8, Reason.WOULD_MISS_FRESHNESS, "more")
DOWN = Decision(2, Reason.LESS_NEEDED, "fewer")
BEHIND = Lag(Sight.FRESH, pending=9000, arriving=400.0, usual=400.0, finishing=200.0)


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


def look(second: float, current: int, lag: Lag = BEHIND) -> Observation:
    return Observation(at(second), current, current, (Load("g", lag, MINUTE, MINUTE, MINUTE),))


def read_by(
    members: int, *, settled: bool = True, pending: float = 100.0, stuck: tuple[int, ...] = ()
) -> Lag:
    found = Spread((50.0,) * 8, (pending,) * 8, (0,) * 8, 20.0, stuck, None, members, settled)
    return replace(BEHIND, spread=found)


def played(state: State, looks: Sequence[Observation]) -> State:
    for one in looks:
        state = advanced(one, state)
    return state


BEFORE = State({"g": 50.0}, 4, at(-600), at(-600), decision=UP)


def test_replicas_that_were_added_are_awaited_and_on_trial() -> None:
    state = played(BEFORE, [look(0, 8)])
    assert (state.raised, state.awaited, state.trial) == (at(0), True, Trial(4, 8, 200.0, 9000.0))


def test_replicas_that_somebody_else_added_are_not_on_trial() -> None:
    for decision in (None, replace(UP, desired=7), replace(UP, reason=Reason.BELOW_MINIMUM)):
        state = played(replace(BEFORE, decision=decision), [look(0, 8)])
        assert (state.raised, state.trial) == (at(0), None)


def test_the_first_look_raises_and_lowers_nothing() -> None:
    state = played(State(), [look(0, 8)])
    assert (state.raised, state.habits.lowered, state.steady_since) == (None, None, at(0))


def test_how_long_replicas_take_is_seen_by_members_that_join_and_partitions_that_get_on() -> None:
    looks = [
        look(0, 8),
        look(20, 8, read_by(4)),
        look(25, 8, read_by(8, settled=False)),
        look(35, 8, read_by(8)),
    ]
    state = played(BEFORE, looks)
    assert (state.habits, state.awaited, state.begun) == (Habits(start=25.0, pause=10.0), False, at(35))


def test_what_is_seen_and_what_was_known_are_mixed() -> None:
    before = replace(BEFORE, habits=Habits(start=45.0, pause=20.0))
    state = played(before, [look(0, 8), look(25, 8, read_by(8, settled=False)), look(35, 8, read_by(8))])
    assert state.habits == Habits(start=35.0, pause=15.0)


def test_without_members_it_is_seen_by_what_gets_done() -> None:
    begun = replace(BEHIND, finishing=390.0)
    state = played(BEFORE, [look(0, 8), look(20, 8), look(30, 8, begun)])
    assert (state.habits.start, state.habits.pause, state.begun) == (30.0, None, at(30))


def test_with_nothing_left_to_do_nobody_can_tell_when_replicas_began() -> None:
    state = played(BEFORE, [look(0, 8), look(20, 8, replace(BEHIND, pending=0))])
    assert (state.habits.start, state.awaited) == (None, False)


def test_replicas_that_never_came_are_awaited_no_more() -> None:
    state = played(BEFORE, [look(0, 8, read_by(4)), look(601, 8, read_by(4))])
    assert (state.habits.start, state.awaited) == (None, False)


def test_more_members_than_partitions_are_not_awaited() -> None:
    state = played(BEFORE, [look(0, 12, read_by(4)), look(30, 12, read_by(8))])
    assert state.habits.start == 30.0


# --- whether it helped


def tried(lag: Lag, second: float, *, begun: bool = True) -> State:
    """Four replicas became eight, began after 30 seconds where that was seen, and this is how it goes since."""
    began = replace(BEHIND, spread=None, finishing=390.0)
    first = [look(0, 8)] + ([look(30, 8, began)] if begun else [])
    return played(BEFORE, [*first, look(second, 8, lag)])


def test_replicas_that_get_no_more_done_have_failed() -> None:
    state = tried(BEHIND, 60)
    assert state.trial is not None
    assert state.trial.failed
    assert state.habits.shelved == Shelved(at(660), 600.0, 200.0)


@pytest.mark.parametrize(
    "lag",
    [
        pytest.param(replace(BEHIND, finishing=300.0), id="they get more done"),
        pytest.param(replace(BEHIND, pending=8000), id="less waits than before"),
        pytest.param(replace(BEHIND, arriving=100.0, finishing=200.0), id="little more was to be expected"),
        pytest.param(replace(BEHIND, finishing=0.0), id="nothing gets done at all, which is another matter"),
    ],
)
def test_replicas_have_helped_where(lag: Lag) -> None:
    state = tried(lag, 60)
    assert (state.trial, state.habits.shelved) == (None, None)


def test_judgement_waits_until_replicas_had_time_to_show_it() -> None:
    assert tried(BEHIND, 55).habits.shelved is None
    assert tried(BEHIND, 175, begun=False).habits.shelved is None
    assert tried(BEHIND, 185, begun=False).habits.shelved is not None


def test_with_a_known_start_judgement_waits_for_three_of_them() -> None:
    before = replace(BEFORE, habits=Habits(start=60.0))
    assert played(before, [look(0, 8), look(265, 8)]).habits.shelved is None
    assert played(before, [look(0, 8), look(275, 8)]).habits.shelved is not None


def test_members_that_do_not_come_are_waited_for() -> None:
    assert played(BEFORE, [look(0, 8, read_by(4)), look(500, 8, read_by(4))]).habits.shelved is None


def test_a_second_failure_holds_for_twice_as_long_up_to_an_hour() -> None:
    for before, after in ((600.0, 1200.0), (3600.0, 3600.0)):
        past = Habits(start=10.0, shelved=Shelved(at(-1), before, 200.0))
        state = played(replace(BEFORE, habits=past), [look(0, 8), look(200, 8)])
        assert state.habits.shelved == Shelved(at(200 + after), after, 200.0)


def test_a_failure_is_noted_once() -> None:
    state = tried(BEHIND, 60)
    assert played(state, [look(65, 8)]).habits == state.habits


def test_more_that_gets_done_ends_the_hold_at_once() -> None:
    held = replace(BEFORE, habits=Habits(shelved=Shelved(at(600), 600.0, 200.0)))
    assert played(held, [look(5, 4)]).habits.shelved is not None
    assert played(held, [look(5, 4, replace(BEHIND, finishing=240.0))]).habits.shelved is None
    past = replace(BEFORE, habits=Habits(shelved=Shelved(at(-5), 600.0, 200.0)))
    assert played(past, [look(5, 4, replace(BEHIND, finishing=240.0))]).habits.shelved is not None


def test_while_on_trial_only_a_higher_rate_is_believed() -> None:
    trial = Trial(2, 4, 100.0, 9000.0)
    for paced, rate in ((40.0, 50.0), (60.0, 53.0)):
        spread = Spread((50.0,), (100.0,), (0,), 20.0, (), paced, 1)
        state = replace(BEFORE, trial=trial, steady_since=at(-90))
        assert played(state, [look(0, 4, replace(BEHIND, spread=spread))]).rates["g"] == pytest.approx(rate)


def test_readers_with_too_little_to_do_show_what_one_can_do_at_least() -> None:
    spread = Spread((10.0,), (0.0,), (0,), 0.0, members=4)
    calm = replace(BEHIND, pending=0, finishing=300.0, usual=240.0, spread=spread)
    assert played(BEFORE, [look(0, 4, calm)]).rates["g"] == pytest.approx(60.0)


# --- fewer that were too few


def test_more_soon_after_fewer_doubles_the_calm_that_fewer_take() -> None:
    for before, after in ((None, 240.0), (240.0, 480.0), (960.0, 960.0)):
        state = replace(BEFORE, habits=Habits(calm=before, lowered=at(-200), restless=at(-900)))
        assert played(state, [look(0, 8)]).habits.calm == after


def test_fewer_that_were_too_few_count_once() -> None:
    state = replace(BEFORE, habits=Habits(calm=240.0, lowered=at(-200), restless=at(-100)))
    assert played(state, [look(0, 8)]).habits.calm == 240.0


def test_a_restart_does_not_forget_that_there_were_more_a_moment_ago() -> None:
    earlier = kept(Habits(lowered=at(-200)), {})
    restarted = State({"g": 50.0}, habits=known(earlier), decision=UP)
    assert played(restarted, [look(-5, 4), look(0, 8)]).habits.calm == 240.0
    assert played(restarted, [look(-900, 4), look(-890, 8)]).habits.calm is None


def test_more_that_an_operator_asked_for_before_it_restarted_count_as_well() -> None:
    earlier = kept(Habits(lowered=at(-200)), {})
    restarted = State({"g": 50.0}, habits=known(earlier), decision=UP)
    after = played(restarted, [look(0, 8)])
    assert after.habits.calm == 240.0
    again = State({"g": 50.0}, habits=known(kept(after.habits, earlier)), decision=UP)
    assert played(again, [look(60, 8)]).habits.calm == 240.0  # once
    assert played(restarted, [look(0, 4)]).habits.calm is None  # another number than was asked for


def test_more_long_after_fewer_changes_nothing() -> None:
    assert played(replace(BEFORE, habits=Habits(lowered=at(-900))), [look(0, 8)]).habits.calm is None


def test_two_hours_without_a_reversal_are_forgiven() -> None:
    state = replace(BEFORE, habits=Habits(calm=480.0, restless=at(-7200)))
    assert played(state, [look(0, 4)]).habits.calm == 480.0
    assert played(state, [look(1, 4)]).habits.calm is None
    unknown = replace(state, habits=Habits(calm=480.0))
    assert played(unknown, [look(0, 4)]).habits.restless == at(0)


def test_fewer_are_noted() -> None:
    assert played(BEFORE, [look(0, 2)]).habits.lowered == at(0)


# --- over a restart

HABITS = Habits(25.0, 10.0, 240.0, Shelved(at(600), 1200.0, 180.5), at(-30), at(-20))


def test_habits_survive_a_restart() -> None:
    assert known(kept(HABITS, {})) == HABITS
    assert known(kept(Habits(), {})) == Habits()


def test_habits_are_written_anew_only_when_they_moved() -> None:
    before = kept(HABITS, {})
    assert kept(replace(HABITS, start=26.9, pause=10.9), before) == before
    assert kept(replace(HABITS, start=28.0), before)["startSeconds"] == "28"


@pytest.mark.parametrize(
    "learned",
    [
        {"startSeconds": "soon"},
        {"startSeconds": "-3"},
        {"pauseSeconds": "nan"},
        {"inVainUntil": "2026-11-21T12:00:00", "inVainSeconds": "600", "inVainEventsPerSecond": "1"},
        {"inVainUntil": "2026-11-21T12:00:00+00:00", "inVainSeconds": "600"},
        {"fewerSince": "yesterday"},
        {"moreSince": "2026-11-21T12:00:00"},
        {"fewerSince": "2026-11-21T12:00:00"},
        {"inVainUntil": "later", "inVainSeconds": "600", "inVainEventsPerSecond": "1"},
    ],
)
def test_what_cannot_be_understood_was_never_seen(learned: dict[str, str]) -> None:
    assert known(learned) == Habits()


@given(st.dictionaries(st.sampled_from([*kept(HABITS, {}), "other"]), st.text(max_size=12)))
def test_whatever_status_says_does_no_harm(learned: dict[str, str]) -> None:
    found = known(learned)
    assert known(kept(found, learned)).shelved == found.shelved
    assert known(kept(found, learned)).lowered == (found.lowered and found.lowered.replace(microsecond=0))
