"""What a plan does about one claim, case by case."""

from datetime import timedelta

import pytest
from tests.unit.core.planning import (
    BILLING,
    ORDERS,
    Barrel,
    Hose,
    claim,
    created,
    owner,
    reasons,
    seen,
    standing,
    tank,
    tap,
)

from headgate.api import AdoptionPolicy, Mode, OnVanished
from headgate.core.changes import Action
from headgate.core.claims import Claim
from headgate.core.outcomes import Finding, Outcome
from headgate.core.plan import done, plan
from headgate.core.resource import Key, Observed

WEEK, DAY = timedelta(hours=168), timedelta(hours=24)
BLOCKED, CONFLICT, LOST = Outcome.BLOCKED, Outcome.CONFLICT, Outcome.LOST
REFUSED, WARNING = Outcome.REFUSED, Outcome.WARNING
OTHER = owner("other")
SHADOWED = Finding(BLOCKED, "PolicyShadowed", "theirs is in effect")
STALE = Finding(WARNING, "OffsetsStale", "they are of another topic")
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
    "what was written down to be made, and has no room for a mark, is ours when it looks like that": (
        claim(Barrel(ORDERS, max_age=DAY), pledged=True, adoption=AdoptionPolicy.NEVER),
        seen(Barrel(ORDERS, max_age=DAY, note="theirs"), mark=None),
        [],
        [],
    ),
    "what was written down to be made and looks otherwise is as anybody's": (
        claim(Barrel(ORDERS, max_age=DAY), pledged=True),
        seen(Barrel(ORDERS, max_age=WEEK), mark=None),
        [],
        [(CONFLICT, "ExistsAndDiffers")],
    ),
    "what was written down to be made in the place of a reader is not of somebody else": (
        claim(Hose(BILLING), pledged=True, record=LOST_READER),
        seen(Hose(BILLING), mark=None, identity="new"),
        [],
        [],
    ),
    "what took the place of a reader and looks otherwise than what was written down is of somebody else": (
        claim(Hose(BILLING, width=2), pledged=True, record=LOST_READER),
        seen(Hose(BILLING, width=1), mark=None, identity="new"),
        [],
        [(WARNING, "ReaderReplaced"), (CONFLICT, "ExistsAndDiffers")],
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
    "what the broker shows to stand in the way blocks whatever differs": (
        claim(tank(max_age=WEEK), record=created()),
        seen(tank(max_age=DAY), findings=(SHADOWED, STALE)),
        [],
        [(BLOCKED, "PolicyShadowed")],
    ),
    "what the broker remarks keeps nothing from being done": (
        claim(tank(max_age=WEEK), record=created()),
        seen(tank(max_age=DAY), findings=(STALE,)),
        [Action.UPDATE],
        [],
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


@pytest.mark.parametrize("mode", Mode, ids=str)
def test_what_the_broker_remarks_is_told_in_every_mode(mode: Mode) -> None:
    made = plan([claim(record=created(), mode=mode)], seen(findings=(STALE, SHADOWED)))
    assert standing(made).remarks == (STALE,)


def test_what_the_broker_remarks_after_a_change_takes_the_place_of_what_it_remarked_before() -> None:
    made = plan([claim(tank(max_age=WEEK), record=created())], seen(tank(max_age=DAY), findings=(STALE,)))
    (change,), before = made.changes, standing(made)
    assert done(before, change, Observed(tank(max_age=WEEK), "first")).remarks == ()
    assert done(before, change, Observed(tank(max_age=WEEK), "first", findings=(STALE,))).remarks == (STALE,)
    assert done(before, change, None).remarks == ()
