"""What status says about lag, and how often."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from headgate.core.lag import Lag, Sight
from headgate.core.lagview import Freshness, LagView, publish

NOW = datetime(2026, 11, 21, 12, 0, 0, 999, tzinfo=UTC)
PROMISE = timedelta(seconds=30)


def lag(pending: int = 0, **more: Any) -> Lag:
    return replace(Lag(Sight.FRESH, pending=pending, checkpoint="7"), **more)


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def first(found: Lag, promise: timedelta | None = PROMISE) -> LagView:
    view = publish(None, found, promise, NOW)
    assert view is not None
    return view


BUSY = lag(
    1000,
    in_flight=20,
    redelivered=5,
    oldest_pending=NOW - seconds(20),
    oldest_unsettled=NOW - seconds(100),
    age=seconds(20),
)


def test_before_the_first_look_nothing_is_said() -> None:
    assert publish(None, Lag(Sight.LOST), PROMISE, NOW) is None
    assert publish(None, Lag(Sight.UNSEEN), PROMISE, NOW) is None
    assert publish(first(BUSY), Lag(Sight.UNSEEN), PROMISE, NOW) == first(BUSY)


def test_the_figures_are_those_of_the_look() -> None:
    view = first(BUSY)
    assert (view.lag.pending, view.lag.in_flight, view.lag.redelivered, view.lag.stranded) == (1000, 20, 5, 0)
    assert view.lag.oldest_time == (NOW - seconds(20)).replace(microsecond=0)
    assert (view.checkpoint, view.fresh, view.taken, view.turned) == ("7", Freshness.KEPT, NOW, NOW)
    assert "30s" in view.message


def test_without_a_promise_there_is_nothing_to_keep() -> None:
    view = first(replace(BUSY, age=seconds(9999)), None)
    assert (view.fresh, view.message) == (None, "")


@dataclass(frozen=True)
class Step:
    before: Lag
    after: Lag
    wait: float
    written: bool


STEPS = {
    "at rest nothing is ever written": Step(lag(), lag(), 99_999, written=False),
    "figures that moved wait for thirty seconds": Step(BUSY, replace(BUSY, pending=9000), 29, written=False),
    "figures that moved are written after thirty seconds": Step(
        BUSY, replace(BUSY, pending=9000), 30, written=True
    ),
    "less than a tenth is not worth a write": Step(BUSY, replace(BUSY, pending=1100), 60, written=False),
    "less than a tenth is written in the end": Step(BUSY, replace(BUSY, pending=1100), 300, written=True),
    "more than a tenth is worth a write": Step(BUSY, replace(BUSY, pending=1101), 60, written=True),
    "the first one in flight is worth a write": Step(lag(), lag(in_flight=1), 30, written=True),
    "the last word at rest is exact": Step(lag(redelivered=100), lag(redelivered=99), 30, written=True),
    "a stranded event is worth a write": Step(BUSY, replace(BUSY, stranded=1), 30, written=True),
    "an oldest event that appears is worth a write": Step(
        replace(BUSY, oldest_pending=None), BUSY, 30, written=True
    ),
    "an oldest event that is another one is worth a write": Step(
        BUSY, replace(BUSY, oldest_pending=NOW), 30, written=True
    ),
    "an oldest event that is nearly the same is not": Step(
        BUSY, replace(BUSY, oldest_unsettled=NOW - seconds(99)), 30, written=False
    ),
    "a position that moved is worth a write": Step(BUSY, replace(BUSY, checkpoint="8"), 30, written=True),
    "a position that moved waits for thirty seconds": Step(
        BUSY, replace(BUSY, checkpoint="8"), 29, written=False
    ),
    "what repeats belongs to the position": Step(BUSY, replace(BUSY, repeats_at_most=9), 30, written=True),
    "a promise broken is told at once": Step(BUSY, replace(BUSY, age=seconds(31)), 1, written=True),
    "stale figures are not worth a write": Step(
        BUSY, replace(BUSY, sight=Sight.STALE, pending=0, age=None), 60, written=False
    ),
    "lost figures are told at once": Step(BUSY, Lag(Sight.LOST), 1, written=True),
    "a clock that stepped back delays nothing": Step(BUSY, replace(BUSY, pending=9000), -500, written=True),
}


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS.keys())
def test_worth_a_write(step: Step) -> None:
    before = first(step.before)
    after = publish(before, step.after, PROMISE, NOW + seconds(step.wait))
    assert (after is not before) is step.written


def test_lost_figures_stay_as_they_were() -> None:
    view = publish(first(BUSY), Lag(Sight.LOST), PROMISE, NOW + seconds(90))
    assert view is not None
    assert (view.lag, view.fresh) == (first(BUSY).lag, Freshness.UNKNOWN)
    assert "cannot be read" in view.message


def test_lost_figures_keep_the_position() -> None:
    view = publish(first(BUSY), Lag(Sight.LOST), PROMISE, NOW + seconds(90))
    assert view is not None
    assert view.checkpoint == "7"


LATE = replace(BUSY, age=seconds(41))


def test_a_broken_promise_says_by_how_much() -> None:
    view = first(LATE)
    assert view.fresh is Freshness.BROKEN
    assert all(words in view.message for words in ("1000 events", "30s", "41s"))


def test_a_promise_is_kept_again_after_a_pause() -> None:
    broken = first(LATE)
    assert publish(broken, BUSY, PROMISE, NOW + seconds(29)) is broken
    kept = publish(broken, BUSY, PROMISE, NOW + seconds(30))
    assert kept is not None
    assert (kept.fresh, kept.turned) == (Freshness.KEPT, NOW + seconds(30))


def test_a_promise_that_stays_broken_turned_when_it_broke() -> None:
    later = publish(first(LATE), replace(LATE, pending=5000), PROMISE, NOW + seconds(60))
    assert later is not None
    assert (later.fresh, later.turned, later.taken) == (Freshness.BROKEN, NOW, NOW + seconds(60))


def test_a_promise_just_kept_again_may_have_no_age_left() -> None:
    broken = first(LATE)
    drained = publish(broken, lag(), PROMISE, NOW + seconds(10))
    assert drained is broken
    rest = publish(broken, lag(), PROMISE, NOW + seconds(30))
    assert rest is not None
    assert (rest.fresh, rest.lag.pending, rest.lag.oldest_time) == (Freshness.KEPT, 0, None)
