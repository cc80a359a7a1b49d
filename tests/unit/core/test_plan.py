"""What a plan makes of several claims, resets, origins and carried-out changes."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.unit.core.planning import (
    BILLING,
    MORNING,
    ORDERS,
    Tank,
    actions,
    carried_out,
    claim,
    created,
    farewell,
    owner,
    reasons,
    seen,
    standing,
    tank,
    tap,
)

from headgate.api import Mode, Origin
from headgate.core.changes import Action, Change, Standing
from headgate.core.claims import Claim, Owner, Record
from headgate.core.outcomes import Outcome
from headgate.core.plan import done, plan
from headgate.core.resource import Diff, Key, Observed

WEEK, DAY = timedelta(hours=168), timedelta(hours=24)
BLOCKED, CONFLICT = Outcome.BLOCKED, Outcome.CONFLICT
WAITING, WARNING = Outcome.WAITING, Outcome.WARNING
BILLER = owner("billing")
OTHER = owner("other")
LOST_READER = created("old", checkpoint="41")


def test_what_others_live_on_is_deleted_after_them() -> None:
    leaving = farewell(record=created())
    made = plan([claim(tap(), record=created())], seen() | seen(tap()), [leaving])
    assert actions(made) == []
    assert reasons(made) == [(WAITING, "StillUsed")]
    assert "ConsumerGroup" not in standing(made).findings[0].message
    assert str(BILLER.name) in standing(made).findings[0].message


def test_what_needs_an_object_by_another_name_keeps_it_too() -> None:
    dead = farewell(Key("tank", "dead"), record=created())
    user = replace(tap(), needs=(ORDERS, dead.key))
    made = plan([claim(user)], seen(tank("dead")) | seen(), [dead])
    assert reasons(made, owner("dead")) == [(WAITING, "StillUsed")]


def test_an_owner_that_still_claims_an_object_does_not_lose_it() -> None:
    made = plan([claim(record=created())], seen(), [farewell(record=created())])
    assert actions(made) == []


def test_deletes_come_last_and_from_the_inside_out() -> None:
    held = seen() | seen(tap())
    leaving = [farewell(record=created()), farewell(BILLING, record=created())]
    made = plan([claim(tank("new"))], held, leaving)
    assert actions(made) == [
        (Action.CREATE, Key("tank", "new")),
        (Action.DELETE, BILLING),
        (Action.DELETE, ORDERS),
    ]


def test_what_is_needed_is_made_first() -> None:
    dead = tank("zz-dead")
    reader = replace(tap(), needs=(ORDERS, dead.key))
    made = plan([claim(reader), claim(dead), claim()], {})
    assert [key for _, key in actions(made)] == [ORDERS, dead.key, BILLING]


def test_objects_that_need_each_other_are_cut_somewhere_and_always_there() -> None:
    one = replace(tank("one"), needs=(Key("tank", "two"),))
    two = replace(tank("two"), needs=(one.key,))
    forth, back = plan([claim(one), claim(two)], {}), plan([claim(two), claim(one)], {})
    assert forth == back
    assert {key for _, key in actions(forth)} == {one.key, two.key}


BUILT_ON: dict[str, tuple[Claim, dict[Key, Observed], list[Key]]] = {
    "nothing is made in an object that is lost": (claim(record=created()), {}, []),
    "nothing is made in an object of somebody else": (claim(), seen(mark=OTHER), []),
    "nothing is made in an object that is only planned": (claim(mode=Mode.PLAN), {}, []),
    "nothing is made in an object that was not there to observe": (claim(mode=Mode.OBSERVE), {}, []),
    "a reader is made in an object that is observed": (claim(mode=Mode.OBSERVE), seen(mark=OTHER), [BILLING]),
    "a reader is made in an object that is planned and there": (claim(mode=Mode.PLAN), seen(), [BILLING]),
    "a reader is made in an object whose change is blocked": (
        claim(tank(lanes=1), record=created()),
        seen(tank(lanes=2)),
        [BILLING],
    ),
    "a reader is made in an object that is made anew": (
        claim(record=created(), acknowledged="first"),
        {},
        [ORDERS, BILLING],
    ),
}


@pytest.mark.parametrize(("base", "held", "changed"), BUILT_ON.values(), ids=BUILT_ON.keys())
def test_reader_of(base: Claim, held: dict[Key, Observed], changed: list[Key]) -> None:
    made = plan([claim(tap(), record=Record()), base], held)
    assert [key for _, key in actions(made)] == changed
    waits = reasons(made, BILLER) == [(WAITING, "NeedsMissing")]
    assert waits is (BILLING not in changed)


def test_a_reader_needs_nothing_that_nobody_declares() -> None:
    assert actions(plan([claim(tap())], {})) == [(Action.CREATE, BILLING)]


def test_a_lost_reader_is_made_with_its_position() -> None:
    (change,) = plan([claim(tap(start="all"), record=LOST_READER)], {}).changes
    assert change.after == tap(start="after 41")


def test_a_reader_that_was_never_there_starts_as_declared_whatever_is_remembered_of_its_position() -> None:
    (change,) = plan([claim(tap(start="all"), record=Record(checkpoint="41"))], {}).changes
    assert change.after == tap(start="all")


REMADE = {
    "because the data was made anew": (claim(record=created(), acknowledged="first"), dict[Key, Observed]()),
    "because the data was replaced": (claim(record=created(), acknowledged="first"), seen(identity="second")),
}


@pytest.mark.parametrize(("base", "held"), REMADE.values(), ids=REMADE.keys())
def test_positions_in_lost_data_mean_nothing(base: Claim, held: dict[Key, Observed]) -> None:
    made = plan([base, claim(tap(start="all"), record=LOST_READER)], held)
    assert made.changes[-1].after == tap(start="all")
    assert reasons(made, BILLER) == [(WARNING, "PositionUnknown")]
    assert standing(made, BILLER).checkpoint == ""


def test_a_plan_in_portions_is_the_plan_of_the_whole() -> None:
    base = claim(record=created(), acknowledged="first")
    reader = claim(tap(start="all"), record=LOST_READER)
    first = plan([base], {})
    second = plan([reader], {}, earlier=first)
    whole = plan([base, reader], {})
    assert (*first.changes, *second.changes) == whole.changes
    assert second.standings[BILLER] == whole.standings[BILLER]


def test_what_an_earlier_portion_did_not_make_is_waited_for_until_it_is_planned_again() -> None:
    lost = plan([claim(record=created())], {})
    assert reasons(plan([claim(tap())], {}, earlier=lost), BILLER) == [(WAITING, "NeedsMissing")]
    again = plan([claim(record=created(), acknowledged="first"), claim(tap())], {}, earlier=lost)
    assert [key for _, key in actions(again)] == [ORDERS, BILLING]


def test_positions_are_kept_while_a_person_may_still_bring_the_data_back() -> None:
    made = plan([claim(record=created()), claim(tap(), record=LOST_READER)], {})
    assert standing(made, BILLER).checkpoint == "41"


def rival(**more: Any) -> Claim:
    return claim(owner=OTHER, **more)


YOUNGER = MORNING + timedelta(hours=1)
RIVALS: dict[str, tuple[Claim, Claim, dict[Key, Observed], Owner]] = {
    "the mark wins over age": (claim(created=MORNING), rival(created=YOUNGER), seen(mark=OTHER), OTHER),
    "without a mark the older wins": (claim(created=YOUNGER), rival(created=MORNING), {}, OTHER),
    "of two that are as old the smaller uid wins": (
        claim(created=MORNING, uid="b"),
        rival(created=MORNING, uid="a"),
        {},
        OTHER,
    ),
    "what only plans does not stand in the way": (
        claim(created=MORNING, mode=Mode.PLAN),
        rival(created=YOUNGER),
        {},
        OTHER,
    ),
    "of unknown age is the youngest": (claim(), rival(created=MORNING), {}, OTHER),
}


@pytest.mark.parametrize(("one", "two", "held", "winner"), RIVALS.values(), ids=RIVALS.keys())
def test_of_two_claims(one: Claim, two: Claim, held: dict[Key, Observed], winner: Owner) -> None:
    made = plan([one, two], held)
    assert {change.owner for change in made.changes} <= {winner}
    assert not any(outcome is CONFLICT for outcome, _ in reasons(made, winner))
    ((outcome, reason),) = reasons(made, one.owner if winner == two.owner else two.owner)
    assert (outcome, reason) in {(CONFLICT, "ClaimedByAnother"), (CONFLICT, "OwnedByAnother")}


def test_one_who_observes_is_no_rival() -> None:
    made = plan([claim(mode=Mode.OBSERVE, created=MORNING), rival(created=YOUNGER)], {})
    assert actions(made) == [(Action.CREATE, ORDERS)]
    assert reasons(made) == []


def test_a_conflict_names_the_owner() -> None:
    made = plan([claim()], seen(mark=owner("carts", installation="there")))
    assert "EventTopic shop/carts of installation there" in standing(made).findings[0].message


def test_a_setting_that_left_the_declaration_goes_back_to_the_default() -> None:
    held = seen(tank(note="mine", color="red"), managed=frozenset({"note", "color"}))
    (change,) = plan([claim(record=created())], held).changes
    assert change.diffs == (Diff("note", "mine", "none", reset=True),)
    assert change.after == tank(note="none")


UNMANAGED = {
    "that somebody else set": (tank(note="theirs"), frozenset[str]()),
    "that is at the default": (tank(note="none"), frozenset({"note"})),
    "without a default": (tank(color="red"), frozenset({"color"})),
    "of creation time": (tank(filled_from="sea"), frozenset({"filled_from"})),
}


@pytest.mark.parametrize(("held", "managed"), UNMANAGED.values(), ids=UNMANAGED.keys())
def test_nothing_is_reset_of_a_setting(held: Tank, managed: frozenset[str]) -> None:
    assert plan([claim(record=created())], seen(held, managed=managed)).changes == ()


def test_a_reset_that_cannot_be_done_is_blocked() -> None:
    held = seen(tank(lanes=4), managed=frozenset({"lanes"}))
    assert reasons(plan([claim(record=created())], held)) == [(BLOCKED, "FieldCannotShrink")]


def test_a_standing_keeps_all_that_differs_and_what_would_be_done() -> None:
    held = seen(tank(material="oak", max_age=DAY))
    stands = standing(plan([claim(tank(material="steel", max_age=WEEK), record=created())], held))
    assert stands.diffs == (Diff("max_age", DAY, WEEK), Diff("material", "oak", "steel"))
    assert stands.action is Action.UPDATE
    assert (stands.owned, stands.exists, stands.identity) == (True, True, "first")


def test_a_lost_identity_is_kept_until_the_loss_is_acknowledged() -> None:
    held = seen(identity="second")
    before = standing(plan([claim(record=created())], held))
    after = standing(plan([claim(record=created(), acknowledged="first")], held))
    assert (before.identity, before.lost) == ("first", "first")
    assert (after.identity, after.lost) == ("second", "")


ORIGINS = {
    "as recorded": (Record(identity="first", origin=Origin.ADOPTED), seen(), Origin.ADOPTED),
    "made, by the mark": (Record(), seen(), Origin.CREATED),
    "adopted, by the mark": (Record(), seen(adopted=True), Origin.ADOPTED),
    "unknown of what is not ours": (Record(), seen(mark=OTHER), None),
    "unknown of what is not there": (Record(), dict[Key, Observed](), None),
}


@pytest.mark.parametrize(("record", "held", "origin"), ORIGINS.values(), ids=ORIGINS.keys())
def test_origin_is(record: Record, held: dict[Key, Observed], origin: Origin | None) -> None:
    assert standing(plan([claim(record=record)], held)).origin is origin


DONE = {
    "created": (claim(record=created(), acknowledged="first"), dict[Key, Observed](), Origin.CREATED),
    "adopted": (claim(), seen(mark=None), Origin.ADOPTED),
    "marked again": (claim(record=created()), seen(mark=None), Origin.CREATED),
    "updated": (claim(tank(max_age=DAY)), seen(), Origin.CREATED),
    "updated after its adoption": (
        claim(tank(max_age=DAY), record=Record(identity="first", origin=Origin.ADOPTED)),
        seen(),
        Origin.ADOPTED,
    ),
}


@pytest.mark.parametrize(("wanted", "held", "origin"), DONE.values(), ids=DONE.keys())
def test_a_carried_out_change_stands_as(wanted: Claim, held: dict[Key, Observed], origin: Origin) -> None:
    made = plan([wanted], held)
    (change,) = made.changes
    result = carried_out(made, held)[ORDERS]
    after = done(standing(made), change, result)
    assert (after.origin, after.identity, after.owned, after.exists) == (origin, result.identity, True, True)
    assert (after.diffs, after.action) == ((), None)


def test_a_deleted_object_stands_nowhere() -> None:
    change = Change(Action.DELETE, ORDERS, owner())
    after = done(Standing(ORDERS, Origin.CREATED, "first", owned=True, exists=True), change, None)
    assert (after.exists, after.owned, after.identity) == (False, False, "")
