"""What holds for every decision, whatever was seen."""

import math
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.lag import Lag, Sight
from headgate.core.outlook import ROOM
from headgate.core.scale import decide
from headgate.core.scaling import Habits, Load, Observation, Rule, Shelved, State, Trial
from headgate.core.spread import Spread

pytestmark = pytest.mark.unwatched  # tables reach every branch; watched, laws take twice as long
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
LOOK = timedelta(seconds=5)

spans = st.integers(-600, 3600).map(lambda seconds: timedelta(seconds=seconds))
positive = st.integers(0, 3600).map(lambda seconds: timedelta(seconds=seconds))
moments = spans.map(lambda span: NOW - span)
rates = st.floats(0, 5000, allow_nan=False)

COUNT = 6
figures = st.lists(st.floats(0, 900), min_size=COUNT, max_size=COUNT).map(tuple)
spreads = st.builds(
    Spread,
    usual=figures,
    pending=figures,
    owners=st.lists(st.none() | st.integers(0, 4), min_size=COUNT, max_size=COUNT).map(tuple),
    age=st.floats(0, 900),
    stuck=st.sampled_from([(), (2,)]),
    paced=st.none() | st.floats(0.01, 500),
    members=st.integers(0, COUNT),
    settled=st.booleans(),
)
lags = st.builds(
    Lag,
    sight=st.sampled_from(Sight),
    pending=st.integers(0, 100_000),
    in_flight=st.integers(0, 500),
    age=st.none() | positive,
    arriving=st.none() | rates,
    usual=st.none() | rates,
    finishing=st.none() | rates,
    idle_for=st.none() | positive,
    pressed_for=positive,
    working_for=positive,
    unfinished_for=st.none() | positive,
    level=st.none() | rates,
    growing=st.floats(0, 5),
    spread=st.none() | spreads,
    unread_for=positive,
)


def loads(name: str) -> st.SearchStrategy[Load]:
    return st.builds(
        Load,
        name=st.just(name),
        lag=lags,
        promise=st.none() | st.just(timedelta(seconds=60)),
        drain_within=st.integers(1, 600).map(lambda seconds: timedelta(seconds=seconds)),
        patience=st.just(timedelta(seconds=60)),
        capacity=st.none() | st.floats(0.01, 500),
        per_replica=st.none() | st.integers(1, 50),
        total=st.none() | st.integers(1, 500),
    )


observations = st.builds(
    lambda current, running, *found: Observation(NOW, current, running, found),
    st.integers(0, 40),
    st.integers(0, 40),
    loads("g"),
) | st.builds(
    lambda current, running, *found: Observation(NOW, current, running, found),
    st.integers(0, 40),
    st.integers(0, 40),
    loads("g"),
    loads("h"),
)
states = st.builds(
    State,
    rates=st.dictionaries(st.sampled_from(["g", "h"]), st.floats(0.01, 500)),
    current=st.none() | st.integers(0, 40),
    steady_since=st.none() | moments,
    watched_since=st.none() | moments,
    blind_since=st.none() | moments,
    calm_since=st.none() | moments,
    needs=st.lists(st.tuples(moments, st.integers(0, 40)), max_size=4).map(tuple),
    habits=st.builds(
        Habits,
        start=st.none() | st.floats(0, 300),
        pause=st.none() | st.floats(0, 60),
        calm=st.none() | st.floats(1, 960),
        shelved=st.none() | st.builds(Shelved, moments, st.floats(0, 3600), rates),
        lowered=st.none() | moments,
        restless=st.none() | moments,
    ),
    raised=st.none() | moments,
    awaited=st.booleans(),
    joined=st.none() | moments,
    begun=st.none() | moments,
    trial=st.none()
    | st.builds(Trial, st.integers(1, 40), st.integers(1, 40), rates, st.floats(0, 9000), st.booleans()),
)
rules = st.builds(
    lambda low, more, floor: Rule(low, max(1, low + more), timedelta(minutes=5), floor),
    st.integers(0, 5),
    st.integers(0, 30),
    st.none() | st.integers(0, 8),
)


@given(observations, states, rules)
def test_the_number_stays_within_its_bounds(seen: Observation, state: State, rule: Rule) -> None:
    decision, _ = decide(seen, state, rule)
    assert rule.minimum <= decision.desired <= rule.maximum


@given(observations, states, rules)
def test_nothing_is_taken_away_while_anything_cannot_be_seen(
    seen: Observation, state: State, rule: Rule
) -> None:
    decision, _ = decide(seen, state, rule)
    if any(load.lag.sight is not Sight.FRESH for load in seen.loads):
        assert decision.desired >= min(seen.current, rule.maximum)


@given(observations, states, rules)
def test_nothing_is_added_without_work_that_waits(seen: Observation, state: State, rule: Rule) -> None:
    decision, _ = decide(seen, state, rule)
    if not any(may_wait(load.lag, seen.current) for load in seen.loads):
        assert decision.desired <= max(seen.current, rule.minimum, rule.floor or 0)


def may_wait(lag: Lag, replicas: int) -> bool:
    """Whether something waits, or would if all went on as it did when it was last read."""
    waits = lag.pending > 0 or (lag.spread is not None and any(lag.spread.pending))
    if lag.sight is Sight.FRESH:
        return waits or (lag.in_flight > 0 and replicas == 0)
    return lag.sight is Sight.STALE and (waits or bool(lag.arriving or lag.level or lag.growing))


@given(observations, states, rules, st.floats(0, 50_000))
def test_a_fullest_partition_that_gets_fuller_never_gets_fewer(
    seen: Observation, state: State, rule: Rule, more: float
) -> None:
    """Of another one it is not exact.

    What comes to a late group is thought to fall to partitions as what waits does, so that the busiest one looks a
    little less busy beside it, which may make a step to the next number of replicas.
    """
    first = seen.loads[0]
    if first.lag.spread is None:
        return
    pending = list(first.lag.spread.pending)
    pending[pending.index(max(pending))] += more
    fuller = replace(first, lag=replace(first.lag, spread=replace(first.lag.spread, pending=tuple(pending))))
    grown = replace(seen, loads=(fuller, *seen.loads[1:]))
    assert decide(grown, state, rule)[0].desired >= decide(seen, state, rule)[0].desired


WRONG = re.compile(
    r"\b1 (replicas|events)\b|\b1 replica (are|have|keep|stay|finish)\b|\b1 event wait\b|\b1 wait;"
)
ALSO_WRONG = re.compile(
    r"\b(?!1 )\d+ (replica|event)\b|\b(?!1 )\d+ \w+ (is|has|keeps|stays|finishes|waits)\b"
)


@given(observations, states, rules)
def test_sentences_keep_singular_and_plural_apart(seen: Observation, state: State, rule: Rule) -> None:
    decision, _ = decide(seen, state, rule)
    assert not WRONG.search(decision.message), decision
    assert not ALSO_WRONG.search(decision.message), decision
    assert decision.message


@given(observations, states, rules)
def test_zero_needs_rest_in_plain_sight(seen: Observation, state: State, rule: Rule) -> None:
    decision, _ = decide(seen, state, rule)
    if decision.desired == 0 and seen.current > 0:
        for load in seen.loads:
            assert load.lag.sight is Sight.FRESH
            assert load.lag.at_rest
            assert load.lag.idle_for is not None
            assert load.lag.idle_for >= rule.idle_after


@given(observations, states, rules, st.integers(0, 50_000))
def test_a_larger_backlog_never_gets_fewer(seen: Observation, state: State, rule: Rule, more: int) -> None:
    first = seen.loads[0]
    fuller = replace(first, lag=replace(first.lag, pending=first.lag.pending + more))
    grown = replace(seen, loads=(fuller, *seen.loads[1:]))
    assert decide(grown, state, rule)[0].desired >= decide(seen, state, rule)[0].desired


@given(observations, states, rules, st.floats(0, 1000))
def test_more_arrivals_never_get_fewer(seen: Observation, state: State, rule: Rule, more: float) -> None:
    first = seen.loads[0]
    if first.lag.arriving is None:
        return
    faster = replace(first, lag=replace(first.lag, arriving=first.lag.arriving + more))
    grown = replace(seen, loads=(faster, *seen.loads[1:]))
    assert decide(grown, state, rule)[0].desired >= decide(seen, state, rule)[0].desired


@given(observations, states, rules)
def test_the_same_input_gives_the_same_output(seen: Observation, state: State, rule: Rule) -> None:
    assert decide(seen, state, rule) == decide(seen, state, rule)


@given(observations, states, rules)
def test_the_order_of_groups_does_not_matter(seen: Observation, state: State, rule: Rule) -> None:
    turned = replace(seen, loads=seen.loads[::-1])
    assert decide(turned, state, rule)[0].desired == decide(seen, state, rule)[0].desired


@given(st.integers(1, 6), st.integers(1, 50), st.integers(1, 400))
def test_several_groups_need_the_sum_of_what_each_needs(groups: int, rate: int, arriving: int) -> None:
    lag = Lag(Sight.FRESH, pending=5 * arriving, arriving=float(arriving), usual=float(arriving), age=LOOK)
    minute = timedelta(minutes=1)
    found = tuple(Load(f"g{n}", lag, minute, minute, minute, capacity=float(rate)) for n in range(groups))
    decision, _ = decide(Observation(NOW, 0, 0, found), State(), Rule(0, 10_000, minute))
    assert decision.desired == max(1, math.ceil(groups * arriving / rate / ROOM - 1e-9))


@given(st.lists(observations, min_size=2, max_size=6), rules, st.lists(spans, min_size=6, max_size=6))
def test_memory_stays_small_and_sound_by_any_clock(
    seen: list[Observation], rule: Rule, clocks: list[timedelta]
) -> None:
    state = State()
    for one, span in zip(seen, clocks, strict=False):
        decision, state = decide(replace(one, now=NOW + span), state, rule)
        assert rule.minimum <= decision.desired <= rule.maximum
        assert all(rate > 0 for rate in state.rates.values())
        needs = [need for _, need in state.needs]
        assert needs == sorted(set(needs), reverse=True)
