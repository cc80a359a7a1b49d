"""What a plan does and leaves alone, case by case."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.unit.core.planning import (
    BILLING,
    MORNING,
    ORDERS,
    Barrel,
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

from headgate.api import AdoptionPolicy, DeletionPolicy, Mode, OnVanished, Origin
from headgate.core.changes import Action, Change, Standing
from headgate.core.claims import Claim, Farewell, Owner, Record
from headgate.core.outcomes import Outcome
from headgate.core.plan import done, plan
from headgate.core.resource import Diff, Key, Observed, Stats

WEEK, DAY = timedelta(hours=168), timedelta(hours=24)
BLOCKED, CONFLICT, LOST = Outcome.BLOCKED, Outcome.CONFLICT, Outcome.LOST
REFUSED, WAITING, WARNING = Outcome.REFUSED, Outcome.WAITING, Outcome.WARNING
BILLER = owner("billing")
OTHER = owner("other")
LOST_READER = created("old", checkpoint="41")

Row = tuple[Claim, dict[Key, Observed], list[Action], list[tuple[Outcome, str]]]

CLAIMS: dict[str, Row] = {
    "what is not there is created": (claim(), {}, [Action.CREATE], []),
    "what is as declared is left alone": (claim(record=created()), seen(), [], []),
    "what differs is updated": (
        claim(tank(max_age=WEEK), record=created()),
        seen(tank(max_age=DAY)),
        [Action.UPDATE],
        [],
    ),
    "no opinion is no difference": (claim(record=created()), seen(tank(max_age=DAY, color="red")), [], []),
    "a setting of creation time is not compared": (
        claim(tank(filled_from="sea"), record=created()),
        seen(tank(filled_from="river")),
        [],
        [],
    ),
    "what nothing was recorded of is ours by its mark": (claim(), seen(), [], [(WARNING, "IdentityUnknown")]),
    "a mark of somebody else is a conflict": (claim(), seen(mark=OTHER), [], [(CONFLICT, "OwnedByAnother")]),
    "a mark of another installation is a conflict": (
        claim(adoption=AdoptionPolicy.ALWAYS),
        seen(mark=owner(installation="there")),
        [],
        [(CONFLICT, "OwnedByAnother")],
    ),
    "a mark that is not one of ours is a conflict": (
        claim(adoption=AdoptionPolicy.ALWAYS),
        seen(mark="Bob"),
        [],
        [(CONFLICT, "OwnedByAnother")],
    ),
    "what exists unmarked and matches is adopted": (
        claim(tank(max_age=DAY)),
        seen(tank(max_age=DAY, color="red"), mark=None),
        [Action.ADOPT],
        [],
    ),
    "what exists unmarked and differs is a conflict": (
        claim(tank(max_age=DAY)),
        seen(tank(max_age=WEEK), mark=None),
        [],
        [(CONFLICT, "ExistsAndDiffers")],
    ),
    "what exists unmarked and differs is adopted when that is always wanted": (
        claim(tank(max_age=DAY), adoption=AdoptionPolicy.ALWAYS),
        seen(tank(max_age=WEEK), mark=None),
        [Action.ADOPT],
        [],
    ),
    "what cannot become as declared is not adopted": (
        claim(tank(material="steel"), adoption=AdoptionPolicy.ALWAYS),
        seen(tank(material="oak"), mark=None),
        [],
        [(BLOCKED, "FieldImmutable")],
    ),
    "what exists unmarked is a conflict when adoption is not wanted": (
        claim(adoption=AdoptionPolicy.NEVER),
        seen(mark=None),
        [],
        [(CONFLICT, "AlreadyExists")],
    ),
    "what exists unmarked is refused where adopting is not permitted": (
        claim(adoption=AdoptionPolicy.ALWAYS, may_adopt=False),
        seen(mark=None),
        [],
        [(REFUSED, "NotPermitted")],
    ),
    "a mark that was taken away is put back on the very object that was recorded": (
        claim(tank(max_age=WEEK), record=created(), may_adopt=False),
        seen(tank(max_age=DAY), mark=None),
        [Action.ADOPT],
        [],
    ),
    "an object without room for a mark is ours by what was recorded": (
        claim(Barrel(ORDERS, max_age=WEEK), record=created()),
        seen(Barrel(ORDERS, max_age=DAY), mark=None),
        [Action.UPDATE],
        [],
    ),
    "an object without room for a mark is left alone when it is as declared": (
        claim(Barrel(ORDERS), record=created()),
        seen(Barrel(ORDERS), mark=None),
        [],
        [],
    ),
    "what held data and is gone is not made anew": (claim(record=created()), {}, [], [(LOST, "Vanished")]),
    "what held data and is gone is made anew once its loss is acknowledged": (
        claim(record=created(), acknowledged="first"),
        {},
        [Action.CREATE],
        [],
    ),
    "the acknowledgement of an older loss says nothing about this one": (
        claim(record=created(), acknowledged="zeroth"),
        {},
        [],
        [(LOST, "Vanished")],
    ),
    "what held data and is gone is made anew at once where that is wanted": (
        claim(record=created(), on_vanished=OnVanished.RECREATE),
        {},
        [Action.CREATE],
        [(LOST, "Recreated")],
    ),
    "a replaced object is not touched": (
        claim(tank(max_age=WEEK), record=created()),
        seen(tank(max_age=DAY), identity="second"),
        [],
        [(LOST, "Replaced")],
    ),
    "a replaced object is kept as declared once the loss is acknowledged": (
        claim(tank(max_age=WEEK), record=created(), acknowledged="first"),
        seen(tank(max_age=DAY), identity="second"),
        [Action.UPDATE],
        [],
    ),
    "a replaced object is kept as declared where recreation is wanted": (
        claim(tank(max_age=WEEK), record=created(), on_vanished=OnVanished.RECREATE),
        seen(tank(max_age=DAY), identity="second"),
        [Action.UPDATE],
        [(LOST, "Replaced")],
    ),
    "what took the place of a lost object unmarked is adopted by the usual rules": (
        claim(tank(max_age=WEEK), record=created(), acknowledged="first"),
        seen(tank(max_age=DAY), identity="second", mark=None),
        [],
        [(CONFLICT, "ExistsAndDiffers")],
    ),
    "a lost reader continues where it was": (
        claim(tap(), record=LOST_READER),
        {},
        [Action.CREATE],
        [(WARNING, "PositionResumed")],
    ),
    "a lost reader of unknown position starts as declared": (
        claim(tap(), record=created()),
        {},
        [Action.CREATE],
        [(WARNING, "PositionUnknown")],
    ),
    "a reader made anew by somebody else is ours by its mark": (
        claim(tap(), record=created("old")),
        seen(tap()),
        [],
        [(WARNING, "ReaderReplaced")],
    ),
    "a fixed setting is not changed": (
        claim(tank(material="steel"), record=created()),
        seen(tank(material="oak")),
        [],
        [(BLOCKED, "FieldImmutable")],
    ),
    "a setting that only grows does not shrink": (
        claim(tank(lanes=3), record=created()),
        seen(tank(lanes=4)),
        [],
        [(BLOCKED, "FieldCannotShrink")],
    ),
    "a setting that only grows does grow": (
        claim(tank(lanes=4), record=created()),
        seen(tank(lanes=3)),
        [Action.UPDATE],
        [],
    ),
    "what is switched on for good is not switched off": (
        claim(tank(sealed=False), record=created()),
        seen(tank(sealed=True)),
        [],
        [(BLOCKED, "FieldCannotBeSwitchedOff")],
    ),
    "nothing is changed while anything is blocked": (
        claim(tank(material="steel", max_age=WEEK, lanes=1), record=created()),
        seen(tank(material="oak", max_age=DAY, lanes=2)),
        [],
        [(BLOCKED, "FieldCannotShrink"), (BLOCKED, "FieldImmutable")],
    ),
    "a planned change is not made": (claim(tank(max_age=WEEK), mode=Mode.PLAN), {}, [], []),
    "a planned loss is told": (
        claim(record=created(), mode=Mode.PLAN, on_vanished=OnVanished.RECREATE),
        {},
        [],
        [(LOST, "Vanished")],
    ),
    "a planned return of a reader is not told as done": (
        claim(tap(), record=LOST_READER, mode=Mode.PLAN),
        {},
        [],
        [],
    ),
    "observing claims nothing": (
        claim(tank(material="steel"), mode=Mode.OBSERVE),
        seen(tank(material="oak"), mark=OTHER),
        [],
        [],
    ),
    "observing creates nothing": (claim(mode=Mode.OBSERVE), {}, [], []),
}


@pytest.mark.parametrize(("wanted", "held", "actions_", "found"), CLAIMS.values(), ids=CLAIMS.keys())
def test_claim(
    wanted: Claim, held: dict[Key, Observed], actions_: list[Action], found: list[tuple[Outcome, str]]
) -> None:
    made = plan([wanted], held)
    assert [change.action for change in made.changes] == actions_
    assert sorted(reasons(made, wanted.owner)) == sorted(found)


Parting = tuple[Farewell, dict[Key, Observed], list[Action], list[tuple[Outcome, str]]]
ADOPTED = Record(external_name="orders", identity="first", origin=Origin.ADOPTED)

FAREWELLS: dict[str, Parting] = {
    "what is retained stays": (farewell(policy=DeletionPolicy.RETAIN, record=created()), seen(), [], []),
    "what is ours is deleted": (farewell(record=created()), seen(), [Action.DELETE], []),
    "what is gone already needs no deleting": (farewell(record=created()), {}, [], []),
    "what carries no mark stays": (
        farewell(record=created()),
        seen(mark=None),
        [],
        [(WARNING, "NotOurs")],
    ),
    "what carries the mark of somebody else stays": (
        farewell(record=created()),
        seen(mark=OTHER),
        [],
        [(WARNING, "NotOurs")],
    ),
    "what has no room for a mark is deleted when it was recorded": (
        farewell(record=created()),
        seen(Barrel(ORDERS), mark=None),
        [Action.DELETE],
        [],
    ),
    "what has no room for a mark and was not recorded stays": (
        farewell(),
        seen(Barrel(ORDERS), mark=None),
        [],
        [(WARNING, "NotOurs")],
    ),
    "what took the place of our object stays": (
        farewell(record=created("zeroth")),
        seen(),
        [],
        [(WARNING, "IdentityChanged")],
    ),
    "what nothing was recorded of is deleted by its mark": (farewell(), seen(), [Action.DELETE], []),
    "nothing is deleted for those who may not delete": (
        farewell(record=created(), may_delete=False),
        seen(),
        [],
        [(REFUSED, "NotPermitted")],
    ),
    "what was adopted needs a confirmation": (
        farewell(record=ADOPTED),
        seen(),
        [],
        [(BLOCKED, "ConfirmDelete")],
    ),
    "what was adopted needs a confirmation also when only the mark says so": (
        farewell(),
        seen(adopted=True),
        [],
        [(BLOCKED, "ConfirmDelete")],
    ),
    "what was adopted is not deleted by the confirmation of another name": (
        farewell(record=ADOPTED, confirmed="order"),
        seen(),
        [],
        [(BLOCKED, "ConfirmDelete")],
    ),
    "what was adopted is deleted once confirmed": (
        farewell(record=ADOPTED, confirmed="orders"),
        seen(),
        [Action.DELETE],
        [],
    ),
    "what was adopted stays when it is to go only if empty": (
        farewell(policy=DeletionPolicy.DELETE_IF_EMPTY, record=ADOPTED),
        seen(),
        [],
        [],
    ),
    "what is to go only if empty stays when it is not": (
        farewell(policy=DeletionPolicy.DELETE_IF_EMPTY, record=created()),
        seen(stats=Stats(messages=1)),
        [],
        [(WARNING, "NotEmpty")],
    ),
}


@pytest.mark.parametrize(("leaving", "held", "actions_", "found"), FAREWELLS.values(), ids=FAREWELLS.keys())
def test_farewell(
    leaving: Farewell, held: dict[Key, Observed], actions_: list[Action], found: list[tuple[Outcome, str]]
) -> None:
    made = plan([], held, [leaving])
    assert [change.action for change in made.changes] == actions_
    assert reasons(made, leaving.owner) == found


def test_deletion_if_empty_leaves_the_last_look_to_the_broker() -> None:
    leaving = farewell(policy=DeletionPolicy.DELETE_IF_EMPTY, record=created())
    (change,) = plan([], seen(stats=Stats(messages=0)), [leaving]).changes
    assert change.only_if_empty
    assert change.identity == "first"


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
