"""Ready tells the truth, for every kind the same."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.unit.core.status.accounts import (
    ESTATE,
    FINE,
    NOW,
    THEN,
    WORD,
    finding,
    outage,
    ready,
    standing,
    told,
    topic,
    was,
)

from headgate.api import ConditionStatus, EventTopicStatus, Mode
from headgate.core.changes import Action
from headgate.core.compiled import Compiled, Effect, Note
from headgate.core.outcomes import Outcome
from headgate.core.resource import Diff
from headgate.core.status.account import TopicAccount
from headgate.core.status.topic import topic_status
from headgate.core.vanished import Vanished

YES, NO, UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN
DIFF = Diff("max_age", timedelta(hours=24), timedelta(hours=168))
READY = was(topic())
SEEN = Vanished("ManyVanished", "a lot is gone", WORD, acknowledged=True)

ROWS: dict[str, tuple[TopicAccount, ConditionStatus, str]] = {
    "all is as declared": (topic(), YES, "InSync"),
    "a field is refused": (topic(findings=(finding(Outcome.REFUSED, "NotPermitted"),)), NO, "NotPermitted"),
    "the broker cannot express a field": (
        topic(compiled=Compiled(notes=(Note("spec.partitions", "no such thing", Effect.REFUSED),))),
        NO,
        "Unsupported",
    ),
    "the broker approximates a field": (
        topic(compiled=Compiled(notes=(Note("spec.partitions", "nearly", Effect.APPROXIMATED),))),
        YES,
        "InSync",
    ),
    "the compiler refuses a name": (
        topic(compiled=Compiled(findings=(finding(Outcome.REFUSED, "NameIllegal"),))),
        NO,
        "NameIllegal",
    ),
    "a reference dangles": (
        topic(findings=(finding(Outcome.WAITING, "BrokerNotFound"),), standings=()),
        NO,
        "BrokerNotFound",
    ),
    "what it needs is not there": (
        topic(standings=(standing(finding(Outcome.WAITING, "NeedsMissing")),)),
        NO,
        "NeedsMissing",
    ),
    "a change is blocked": (
        topic(standings=(standing(finding(Outcome.BLOCKED, "FieldImmutable")),)),
        NO,
        "Blocked",
    ),
    "somebody else owns the object": (
        topic(standings=(standing(finding(Outcome.CONFLICT, "OwnedByAnother")),)),
        NO,
        "Conflict",
    ),
    "topology finds a conflict": (
        topic(findings=(finding(Outcome.CONFLICT, "SubjectsOverlap"),), standings=()),
        NO,
        "Conflict",
    ),
    "adopting is not permitted": (
        topic(standings=(standing(finding(Outcome.REFUSED, "NotPermitted")),)),
        NO,
        "NotPermitted",
    ),
    "data is lost": (
        topic(standings=(standing(finding(Outcome.LOST, "Vanished"), lost="first"),)),
        NO,
        "DataLost",
    ),
    "data is lost and a change is blocked": (
        topic(
            standings=(standing(finding(Outcome.BLOCKED), finding(Outcome.LOST, "Replaced"), lost="first"),)
        ),
        NO,
        "DataLost",
    ),
    "the estate is gone": (topic(estate=ESTATE, standings=()), NO, "EstateVanished"),
    "the estate was gone and somebody knows": (topic(estate=SEEN), YES, "InSync"),
    "the broker is away for a moment": (
        topic(outage=outage(minutes=1), previous=READY, standings=()),
        YES,
        "InSync",
    ),
    "the broker is away for two minutes": (
        topic(outage=outage(minutes=2), previous=READY, standings=()),
        YES,
        "InSync",
    ),
    "the broker is away for longer": (
        topic(outage=outage(minutes=2.1), previous=READY, standings=()),
        NO,
        "Unreachable",
    ),
    "the broker was away from the beginning": (
        topic(outage=outage(minutes=1), standings=()),
        UNKNOWN,
        "Unreachable",
    ),
    "the broker is away and the object has changed": (
        topic(outage=outage(minutes=1), previous=READY, generation=2, standings=()),
        UNKNOWN,
        "Unreachable",
    ),
    "the broker is away and a field is refused": (
        topic(outage=outage(minutes=1), previous=READY, findings=(finding(Outcome.REFUSED, "NotPermitted"),)),
        NO,
        "NotPermitted",
    ),
    "a change is not yet made": (
        topic(standings=(standing(action=Action.UPDATE, diffs=(DIFF,)),)),
        NO,
        "Progressing",
    ),
    "nothing was looked at yet": (topic(standings=()), NO, "Progressing"),
    "it is only planned": (
        topic(mode=Mode.PLAN, standings=(standing(action=Action.CREATE, exists=False),)),
        YES,
        "PlanOnly",
    ),
    "it is only planned and would be blocked": (
        topic(
            mode=Mode.PLAN,
            standings=(
                standing(finding(Outcome.BLOCKED, "FieldImmutable"), action=Action.UPDATE, diffs=(DIFF,)),
            ),
        ),
        YES,
        "PlanOnly",
    ),
    "it is only planned and data is lost": (
        topic(mode=Mode.PLAN, standings=(standing(finding(Outcome.LOST, "Vanished"), lost="first"),)),
        NO,
        "DataLost",
    ),
    "it is only planned and a reference dangles": (
        topic(mode=Mode.PLAN, findings=(finding(Outcome.WAITING, "BrokerNotFound"),), standings=()),
        NO,
        "BrokerNotFound",
    ),
    "it is only observed and differs": (
        topic(mode=Mode.OBSERVE, standings=(standing(diffs=(DIFF,)),)),
        YES,
        "Observed",
    ),
    "it is suspended": (topic(suspended=True, previous=READY, generation=2, standings=()), YES, "InSync"),
    "it was suspended from the beginning": (topic(suspended=True, standings=()), UNKNOWN, "Suspended"),
    "it is being deleted": (topic(deleting=True), NO, "Deleting"),
    "it is suspended and being deleted": (topic(deleting=True, suspended=True), NO, "Deleting"),
    "deleting it needs a confirmation": (
        topic(
            deleting=True, mode=Mode.PLAN, standings=(standing(finding(Outcome.BLOCKED, "ConfirmDelete")),)
        ),
        NO,
        "Blocked",
    ),
    "a warning is given": (topic(findings=(finding(Outcome.WARNING, "DurabilityRisk"),)), YES, "InSync"),
}


@pytest.mark.parametrize(("account", "status", "reason"), ROWS.values(), ids=ROWS.keys())
def test_ready_when(account: TopicAccount, status: ConditionStatus, reason: str) -> None:
    assert ready(topic_status(account)) == (status, reason)


@pytest.mark.parametrize("account", [row[0] for row in ROWS.values()], ids=ROWS.keys())
def test_saying_it_again_changes_nothing_when(account: TopicAccount) -> None:
    once = topic_status(account)
    assert topic_status(_again(account, once)) == once


def _again(account: TopicAccount, previous: EventTopicStatus) -> TopicAccount:
    """The same a little later; an outage is as long as it was."""
    later = timedelta(seconds=5)
    away = account.outage and replace(account.outage, since=account.outage.since + later)
    return replace(account, previous=previous, now=NOW + later, outage=away)


COURSES: dict[str, tuple[TopicAccount, set[str]]] = {
    "nothing is left to do": (topic(), set()),
    "a person has to act": (topic(standings=(standing(finding(Outcome.BLOCKED)),)), {"Stalled"}),
    "something else has to appear": (topic(findings=(finding(Outcome.WAITING),)), {"Reconciling"}),
    "the broker stays away": (topic(outage=outage(minutes=3)), {"Reconciling"}),
    "the broker is away for a moment": (topic(outage=outage(minutes=1), previous=READY), set()),
    "it was stuck and the broker is away": (
        topic(outage=outage(minutes=1), previous=was(topic(standings=(standing(finding(Outcome.BLOCKED)),)))),
        {"Stalled"},
    ),
}


@pytest.mark.parametrize(("account", "types"), COURSES.values(), ids=COURSES.keys())
def test_kstatus_when(account: TopicAccount, types: set[str]) -> None:
    found = told(topic_status(account).conditions)
    assert found.keys() & {"Stalled", "Reconciling"} == types
    assert all(found[name][0] == "True" for name in types)


SYNCED: dict[str, tuple[TopicAccount, tuple[str, str]]] = {
    "all is as declared": (topic(), ("True", "InSync")),
    "the broker is away": (topic(outage=outage(minutes=1), previous=READY), ("Unknown", "Unreachable")),
    "it is suspended": (topic(suspended=True, previous=READY), ("Unknown", "Suspended")),
    "a change is blocked": (topic(standings=(standing(finding(Outcome.BLOCKED)),)), ("False", "Blocked")),
    "a plan has something to do": (
        topic(mode=Mode.PLAN, standings=(standing(action=Action.UPDATE, diffs=(DIFF,)),)),
        ("False", "PlanOnly"),
    ),
    "a plan has nothing to do": (topic(mode=Mode.PLAN), ("True", "InSync")),
    "something observed is not there": (
        topic(mode=Mode.OBSERVE, standings=(standing(exists=False),)),
        ("False", "Observed"),
    ),
}


@pytest.mark.parametrize(("account", "expected"), SYNCED.values(), ids=SYNCED.keys())
def test_synced_when(account: TopicAccount, expected: tuple[str, str]) -> None:
    assert told(topic_status(account).conditions)["Synced"] == expected


def test_times_of_conditions_start_when_status_changes() -> None:
    status = topic_status(topic(previous=READY, standings=(standing(finding(Outcome.BLOCKED)),)))
    times = {condition.type: condition.last_transition_time for condition in status.conditions}
    assert times["Ready"] == NOW
    assert READY.conditions[0].last_transition_time == THEN
    assert topic_status(topic(previous=READY)).conditions == READY.conditions


def test_several_findings_of_one_outcome_are_told_together_and_each_once() -> None:
    said = standing(
        finding(Outcome.BLOCKED, "A", "one"),
        finding(Outcome.BLOCKED, "B", "two"),
        finding(Outcome.BLOCKED, "C", "one"),
    )
    (blocked,) = [c for c in topic_status(topic(standings=(said,))).conditions if c.type == "Blocked"]
    assert (blocked.reason, blocked.message) == ("A", "one; two")


def test_what_is_fine_has_no_other_conditions() -> None:
    assert told(topic_status(topic(standings=(FINE,))).conditions).keys() == {"Ready", "Synced"}
