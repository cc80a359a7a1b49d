"""The status of a group: lag, promise, scaling, retries, binding."""

from datetime import timedelta
from typing import Any

import pytest
from tests.unit.core.status.accounts import FINE, NOW, THEN, standing, told

from headgate.api import (
    BindingStatus,
    Checkpoint,
    ConsumerGroupSpec,
    ConsumerGroupStatus,
    ScalingStatus,
)
from headgate.core.claims import Record
from headgate.core.compiled import Compiled, Retry
from headgate.core.conditions import no, yes
from headgate.core.lagview import Freshness, LagStatus, LagView
from headgate.core.status.account import BindingAccount, GroupAccount, ScalingAccount
from headgate.core.status.group import group_status

FIGURES = LagStatus(5, 2, 1, 0, THEN, THEN)


def view(fresh: Freshness | None = Freshness.KEPT, **more: Any) -> LagView:
    known = {
        "lag": FIGURES,
        "message": "in time",
        "checkpoint": "41",
        "repeats_at_most": 2,
        "taken": NOW,
        "turned": NOW,
    }
    return LagView(fresh=fresh, **{**known, **more})


def spec(**more: Any) -> ConsumerGroupSpec:
    raw = {"topicRef": {"name": "orders"}, "start": {"from": "Earliest"}, **more}
    return ConsumerGroupSpec.model_validate(raw)


SCALED = {"targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "w"}, "maxReplicas": 3}
WHOLE = spec(
    scaling=SCALED,
    freshness={"maxAge": "30s"},
    deadLetterQueueRef={"name": "dead"},
    binding={"configMapName": "b"},
)


def group(**known: Any) -> GroupAccount:
    return GroupAccount(**{"now": NOW, "generation": 1, "standings": (FINE,), "spec": WHOLE, **known})


FRESH = {
    "kept": (Freshness.KEPT, ("True", "PromiseKept")),
    "broken": (Freshness.BROKEN, ("False", "PromiseBroken")),
    "unknown": (Freshness.UNKNOWN, ("Unknown", "MetricsLost")),
    "not made": (None, None),
}


@pytest.mark.parametrize(("fresh", "expected"), FRESH.values(), ids=FRESH.keys())
def test_a_promise_is(fresh: Freshness | None, expected: tuple[str, str] | None) -> None:
    assert told(group_status(group(lag=view(fresh))).conditions).get("Fresh") == expected


def test_a_broken_promise_leaves_the_group_ready() -> None:
    assert told(group_status(group(lag=view(Freshness.BROKEN))).conditions)["Ready"] == ("True", "InSync")


def test_lag_is_shown_as_it_was_published() -> None:
    lag = group_status(group(lag=view())).lag
    assert lag is not None
    assert (lag.pending, lag.in_flight, lag.redelivered, lag.stranded) == (5, 2, 1, 0)
    assert (lag.oldest_time, lag.oldest_unsettled_time) == (THEN, THEN)


def test_what_was_seen_of_a_group_stays_until_somebody_looks_again() -> None:
    before = group_status(
        group(
            lag=view(),
            scaling=ScalingAccount(1, 2, "Steady", "enough", THEN),
            binding=BindingAccount("b", 4),
            aspects=(
                yes("ScalingActive", "Scaling"),
                no("RetrySaturated", "Fits"),
                yes("Capturing", "Captured"),
            ),
            learned={"rate": "50"},
        )
    )
    assert group_status(group(previous=before, record=Record(identity="first"))) == before


def test_retries_that_fill_the_places_no_more_are_not_said_to_do_so() -> None:
    active, steady = yes("ScalingActive", "Enforced"), ScalingAccount(1, 1, "Steady", "enough")
    before = group_status(group(scaling=steady, aspects=(active, yes("RetrySaturated", "RetrySaturated"))))
    assert told(before.conditions)["RetrySaturated"] == ("True", "RetrySaturated")
    undecided = group_status(group(previous=before))
    assert told(undecided.conditions)["RetrySaturated"] == ("True", "RetrySaturated")
    after = group_status(group(previous=before, scaling=steady, aspects=(active,)))
    assert told(after.conditions).keys() == {"Ready", "Synced", "ScalingActive"}


def test_what_left_the_declaration_leaves_status() -> None:
    before = group_status(
        group(
            lag=view(),
            scaling=ScalingAccount(1, 2, "Steady", "enough"),
            binding=BindingAccount("b", 4),
            aspects=(yes("ScalingActive", "Scaling"), yes("Capturing", "Captured")),
        )
    )
    after = group_status(group(previous=before, spec=spec(), lag=view(None)))
    assert (after.scaling, after.binding) == (None, None)
    assert told(after.conditions).keys() == {"Ready", "Synced", "Capturing"}
    assert told(after.conditions)["Capturing"] == ("False", "NoDeadLetterQueue")


def test_nothing_is_said_of_dead_letters_while_the_declaration_cannot_be_read() -> None:
    assert "Capturing" not in told(group_status(group(spec=None)).conditions)


BEFORE = ScalingStatus(current=1, desired=2, reason="Steady", message="old", last_change=THEN)
SCALING: dict[str, tuple[ScalingAccount, str, Any]] = {
    "stays while nothing changes": (ScalingAccount(2, 2, "Steady", "new", NOW), "old", THEN),
    "is new with another reason": (ScalingAccount(2, 2, "LessNeeded", "new", NOW), "new", THEN),
    "is new with another number": (ScalingAccount(2, 3, "Steady", "new", NOW), "new", NOW),
}


@pytest.mark.parametrize(("now", "message", "change"), SCALING.values(), ids=SCALING.keys())
def test_the_sentence_about_scaling(now: ScalingAccount, message: str, change: Any) -> None:
    shown = group_status(group(previous=ConsumerGroupStatus(scaling=BEFORE), scaling=now)).scaling
    assert shown is not None
    assert (shown.current, shown.message, shown.last_change) == (2, message, change)


def test_the_first_sentence_about_scaling_is_shown() -> None:
    shown = group_status(group(scaling=ScalingAccount(0, 1, "WorkWaiting", "go", NOW))).scaling
    assert shown == ScalingStatus(current=0, desired=1, reason="WorkWaiting", message="go", last_change=NOW)


def test_retries_and_binding_are_shown() -> None:
    retry = Retry(
        "NakDelay", 3, (timedelta(seconds=1), timedelta(seconds=2)), timedelta(seconds=33), ("nearly",)
    )
    status = group_status(group(compiled=Compiled(retry=retry), binding=BindingAccount("b", 4)))
    assert status.retry is not None
    assert (status.retry.mechanism, status.retry.worst_case) == ("NakDelay", timedelta(seconds=33))
    assert (status.retry.waits, status.retry.notes) == (retry.waits, ("nearly",))
    assert status.binding == BindingStatus(revision=4, config_map_name="b")


POSITIONS: dict[str, tuple[GroupAccount, Checkpoint | None]] = {
    "is that of the last look": (group(lag=view()), Checkpoint(position="41", repeats_at_most=2)),
    "is none before one is known": (group(lag=view(checkpoint="")), None),
    "is dropped when what it lies in was made anew": (
        group(
            lag=view(), standings=(standing(checkpoint=""),), record=Record(identity="first", checkpoint="7")
        ),
        None,
    ),
}


@pytest.mark.parametrize(("account", "expected"), POSITIONS.values(), ids=POSITIONS.keys())
def test_the_position_to_come_back_to(account: GroupAccount, expected: Checkpoint | None) -> None:
    record = group_status(account).record
    assert record is not None
    assert record.checkpoint == expected


def test_learned_rates_are_remembered() -> None:
    record = group_status(group(learned={"rate": "50"})).record
    assert record is not None
    assert record.learned == {"rate": "50"}
