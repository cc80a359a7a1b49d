"""What is told beside Ready: loss, drift, plan, what cannot be done, and what is remembered."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.unit.core.status.accounts import (
    ESTATE,
    NOW,
    THEN,
    finding,
    outage,
    remembered,
    standing,
    told,
    topic,
    was,
)

from headgate.api import Checkpoint, EventTopicStatus, Lost, Mode, Origin, PlanEntry
from headgate.api import Record as Remembered
from headgate.core.changes import Action
from headgate.core.compiled import Compiled, Effect, Note
from headgate.core.conditions import find, no, yes
from headgate.core.outcomes import Outcome
from headgate.core.resource import Diff
from headgate.core.status.account import TopicAccount
from headgate.core.status.topic import topic_status

AGE = Diff("max_age", timedelta(hours=24), timedelta(hours=168))
SIZE = Diff("max_bytes", 1024, 2048)
GONE = standing(finding(Outcome.LOST, "Vanished"), lost="first", exists=False, owned=False)
REMADE = standing(finding(Outcome.LOST, "Recreated"), lost="first", identity="second")
NEW = standing(identity="second")
MOURNING = was(topic(standings=(REMADE,)))
HELD = was(topic(standings=(GONE,)))


def lost(account: TopicAccount) -> tuple[Lost | None, tuple[str, str] | None]:
    status = topic_status(account)
    return status.lost, told(status.conditions).get("DataLost")


FIRST_LOST = Lost(external_id="first", since=THEN)
LOSSES: dict[str, tuple[TopicAccount, Lost | None, str | None]] = {
    "is told from when it was found": (
        topic(standings=(GONE,)),
        Lost(external_id="first", since=NOW),
        "Vanished",
    ),
    "keeps its time": (topic(standings=(GONE,), previous=HELD), FIRST_LOST, "Vanished"),
    "is told anew when something else is lost": (
        topic(standings=(replace(GONE, lost="second"),), previous=HELD),
        Lost(external_id="second", since=NOW),
        "Vanished",
    ),
    "is told after a recreation": (topic(standings=(NEW,), previous=MOURNING), FIRST_LOST, "Recreated"),
    "ends with its acknowledgement": (
        topic(standings=(NEW,), previous=MOURNING, acknowledged="first"),
        None,
        None,
    ),
    "does not end with that of another loss": (
        topic(standings=(NEW,), previous=MOURNING, acknowledged="zeroth"),
        FIRST_LOST,
        "Recreated",
    ),
    "ends when the very object is back": (topic(standings=(standing(),), previous=HELD), None, None),
    "is told while the broker is away": (
        topic(outage=outage(minutes=1), standings=(), previous=HELD),
        FIRST_LOST,
        "Vanished",
    ),
}


@pytest.mark.parametrize(("account", "expected", "reason"), LOSSES.values(), ids=LOSSES.keys())
def test_a_loss(account: TopicAccount, expected: Lost | None, reason: str | None) -> None:
    assert lost(account) == (expected, reason and ("True", reason))


def test_a_recreated_object_is_not_ready_before_its_loss_is_acknowledged() -> None:
    status = topic_status(topic(standings=(NEW,), previous=MOURNING))
    condition = find(status.conditions, "Ready")
    assert condition is not None
    assert condition.reason == "DataLost"
    assert 'headgate.dev/acknowledge: "first"' in condition.message


CONDITIONS: dict[str, tuple[TopicAccount, str, tuple[str, str] | None]] = {
    "a conflict": (
        topic(standings=(standing(finding(Outcome.CONFLICT, "OwnedByAnother")),)),
        "Conflict",
        ("True", "OwnedByAnother"),
    ),
    "a block": (
        topic(standings=(standing(finding(Outcome.BLOCKED, "FieldImmutable")),)),
        "Blocked",
        ("True", "FieldImmutable"),
    ),
    "a warning": (
        topic(findings=(finding(Outcome.WARNING, "DurabilityRisk"),)),
        "Warning",
        ("True", "DurabilityRisk"),
    ),
    "a remark of the broker": (
        topic(standings=(standing(remarks=(finding(Outcome.WARNING, "OffsetsStale"),)),)),
        "Warning",
        ("True", "OffsetsStale"),
    ),
    "no warning of a single pass": (
        topic(standings=(standing(finding(Outcome.WARNING, "IdentityUnknown")),)),
        "Warning",
        None,
    ),
    "drift of what is observed": (
        topic(mode=Mode.OBSERVE, standings=(standing(diffs=(AGE,)),)),
        "Drifted",
        ("True", "Differs"),
    ),
    "absence of what is observed": (
        topic(mode=Mode.OBSERVE, standings=(standing(exists=False),)),
        "Drifted",
        ("True", "NotFound"),
    ),
    "no drift of what is as declared": (topic(mode=Mode.OBSERVE), "Drifted", None),
    "no drift of what is enforced": (
        topic(standings=(standing(diffs=(AGE,), action=Action.UPDATE),)),
        "Drifted",
        None,
    ),
    "a vanished estate": (topic(estate=ESTATE, standings=()), "EstateVanished", ("True", "ManyVanished")),
    "a suspension": (topic(suspended=True), "Suspended", ("True", "Suspended")),
    "an aspect from elsewhere": (topic(aspects=(no("Capturing", "Full"),)), "Capturing", ("False", "Full")),
}


@pytest.mark.parametrize(("account", "kind", "expected"), CONDITIONS.values(), ids=CONDITIONS.keys())
def test_conditions_tell(account: TopicAccount, kind: str, expected: tuple[str, str] | None) -> None:
    assert told(topic_status(account).conditions).get(kind) == expected


def test_drift_is_told_in_values_that_people_can_read() -> None:
    account = topic(mode=Mode.OBSERVE, standings=(standing(diffs=(AGE,)),))
    condition = find(topic_status(account).conditions, "Drifted")
    assert condition is not None
    assert condition.message == "max_age of tank/orders is 24h, declared 168h"


def test_a_condition_that_nobody_looked_at_stays() -> None:
    before = was(topic(aspects=(yes("Capturing", "Capturing"),)))
    assert "Capturing" in told(
        topic_status(topic(previous=before, unseen=frozenset({"Capturing"}))).conditions
    )
    assert "Capturing" not in told(topic_status(topic(previous=before)).conditions)


RESUMED = was(topic(standings=(standing(finding(Outcome.WARNING, "PositionResumed", "at 41")),)))


def test_a_reader_that_came_back_is_told_for_an_hour() -> None:
    soon = replace(topic(previous=RESUMED), now=THEN + timedelta(minutes=59))
    later = replace(topic(previous=RESUMED), now=THEN + timedelta(minutes=60))
    assert told(topic_status(soon).conditions)["Resumed"] == ("True", "PositionResumed")
    assert "Resumed" not in told(topic_status(later).conditions)


PLANS: dict[str, tuple[TopicAccount, list[PlanEntry]]] = {
    "of what is enforced and done is empty": (
        topic(standings=(standing(action=Action.UPDATE, diffs=(AGE,)),)),
        [],
    ),
    "of what is planned names every field": (
        topic(mode=Mode.PLAN, standings=(standing(action=Action.UPDATE, diffs=(AGE, SIZE)),)),
        [
            PlanEntry(action="Update", target="tank/orders", field="max_age", from_="24h", to="168h"),
            PlanEntry(action="Update", target="tank/orders", field="max_bytes", from_="1Ki", to="2Ki"),
        ],
    ),
    "of what is planned and new names the object": (
        topic(mode=Mode.PLAN, standings=(standing(action=Action.CREATE, exists=False),)),
        [PlanEntry(action="Create", target="tank/orders")],
    ),
    "of what is planned and done already is empty": (topic(mode=Mode.PLAN), []),
    "of what is blocked says by what": (
        topic(
            standings=(
                standing(
                    replace(finding(Outcome.BLOCKED, "FieldCannotShrink"), field="max_bytes"),
                    action=Action.UPDATE,
                    diffs=(AGE, SIZE),
                ),
            )
        ),
        [
            PlanEntry(action="Update", target="tank/orders", field="max_age", from_="24h", to="168h"),
            PlanEntry(
                action="Update",
                target="tank/orders",
                field="max_bytes",
                from_="1Ki",
                to="2Ki",
                blocked="FieldCannotShrink",
            ),
        ],
    ),
}


@pytest.mark.parametrize(("account", "entries"), PLANS.values(), ids=PLANS.keys())
def test_the_plan(account: TopicAccount, entries: list[PlanEntry]) -> None:
    assert list(topic_status(account).plan) == entries


def test_what_cannot_be_done_is_named() -> None:
    notes = (
        Note("spec.partitions", "there are none", Effect.REFUSED),
        Note("spec.x", "nearly", Effect.APPROXIMATED),
    )
    status = topic_status(topic(compiled=Compiled(notes=notes, effective={"replicas": "3"})))
    assert [(u.field, u.effect.value) for u in status.unsupported] == [
        ("spec.partitions", "Refused"),
        ("spec.x", "Approximated"),
    ]
    assert status.effective == {"replicas": "3"}


FULL = was(
    topic(
        mode=Mode.PLAN,
        standings=(standing(action=Action.UPDATE, diffs=(AGE,)),),
        compiled=Compiled(notes=(Note("spec.x", "nearly", Effect.APPROXIMATED),), effective={"a": "b"}),
    )
)
STILL = {
    "the broker is away": {"outage": outage(minutes=1)},
    "the broker stays away": {"outage": outage(minutes=9)},
    "it is suspended": {"suspended": True},
    "the estate is gone": {"estate": ESTATE},
}


@pytest.mark.parametrize("known", STILL.values(), ids=STILL.keys())
def test_nothing_is_forgotten_while(known: dict[str, Any]) -> None:
    status = topic_status(topic(standings=(), previous=FULL, record=remembered(), **known))
    assert (status.plan, status.unsupported, status.effective) == (
        FULL.plan,
        FULL.unsupported,
        FULL.effective,
    )
    assert status.record == FULL.record


RECORDS: dict[str, tuple[TopicAccount, Remembered | None]] = {
    "holds what was made": (
        topic(),
        Remembered(external_name="orders", identity="first", origin=Origin.CREATED),
    ),
    "is empty before anything is ours": (
        topic(standings=(standing(owned=False, exists=False, identity="", origin=None),)),
        None,
    ),
    "does not pin the name of what is not ours": (
        topic(standings=(standing(owned=False, identity="seen", origin=None),)),
        Remembered(identity="seen"),
    ),
    "keeps the pinned name": (
        topic(record=remembered(external_name="old")),
        Remembered(external_name="old", identity="first", origin=Origin.CREATED),
    ),
    "is kept while nothing is looked at": (
        topic(standings=(), record=remembered()),
        Remembered(external_name="orders", identity="first", origin=Origin.CREATED),
    ),
    "keeps a position that still means something": (
        topic(
            standings=(standing(checkpoint="41"),),
            record=remembered(checkpoint="41"),
            previous=EventTopicStatus(record=Remembered(checkpoint=Checkpoint(position="41"))),
        ),
        Remembered(
            external_name="orders",
            identity="first",
            origin=Origin.CREATED,
            checkpoint=Checkpoint(position="41"),
        ),
    ),
    "drops a position that means nothing any more": (
        topic(
            standings=(standing(checkpoint=""),),
            record=remembered(checkpoint="41"),
            previous=EventTopicStatus(record=Remembered(checkpoint=Checkpoint(position="41"))),
        ),
        Remembered(external_name="orders", identity="first", origin=Origin.CREATED),
    ),
}


@pytest.mark.parametrize(("account", "expected"), RECORDS.values(), ids=RECORDS.keys())
def test_the_record(account: TopicAccount, expected: Remembered | None) -> None:
    assert topic_status(account).record == expected
