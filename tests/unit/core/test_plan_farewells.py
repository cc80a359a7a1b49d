"""What a plan does about one farewell, case by case."""

import pytest
from tests.unit.core.planning import (
    ORDERS,
    Barrel,
    created,
    farewell,
    owner,
    reasons,
    seen,
)

from headgate.api import DeletionPolicy, Origin
from headgate.core.changes import Action
from headgate.core.claims import Farewell, Record
from headgate.core.outcomes import Outcome
from headgate.core.plan import plan
from headgate.core.resource import Key, Observed, Stats

BLOCKED = Outcome.BLOCKED
REFUSED, WARNING = Outcome.REFUSED, Outcome.WARNING
OTHER = owner("other")

Parting = tuple[Farewell, dict[Key, Observed], list[Action], list[tuple[Outcome, str]]]
ADOPTED = Record(external_name="orders", identity="first", origin=Origin.ADOPTED)

FAREWELLS: dict[str, Parting] = {
    "what is retained stays": (farewell(policy=DeletionPolicy.RETAIN, record=created()), seen(), [], []),
    "what is retained is let go of where that is a change": (
        farewell(policy=DeletionPolicy.RETAIN, record=created(), lets_go=True),
        seen(),
        [Action.RELEASE],
        [],
    ),
    "what is retained and nothing was recorded of is let go of by its mark": (
        farewell(policy=DeletionPolicy.RETAIN, lets_go=True),
        seen(),
        [Action.RELEASE],
        [],
    ),
    "what was adopted is left as it is": (
        farewell(policy=DeletionPolicy.RETAIN, record=ADOPTED, lets_go=True),
        seen(),
        [],
        [],
    ),
    "what somebody else owns is not ours to let go of": (
        farewell(policy=DeletionPolicy.RETAIN, record=created(), lets_go=True),
        seen(mark=OTHER),
        [],
        [],
    ),
    "what took the place of our object is not let go of": (
        farewell(policy=DeletionPolicy.RETAIN, record=created("zeroth"), lets_go=True),
        seen(),
        [],
        [],
    ),
    "what is deleted need not be let go of": (
        farewell(record=created(), lets_go=True),
        seen(),
        [Action.DELETE],
        [],
    ),
    "what stays for what it holds is let go of": (
        farewell(policy=DeletionPolicy.DELETE_IF_EMPTY, record=created(), lets_go=True),
        seen(stats=Stats(messages=3)),
        [Action.RELEASE],
        [(WARNING, "NotEmpty")],
    ),
    "what goes because it holds nothing need not be let go of": (
        farewell(policy=DeletionPolicy.DELETE_IF_EMPTY, record=created(), lets_go=True),
        seen(stats=Stats(messages=0)),
        [Action.DELETE],
        [],
    ),
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
    "what has no room for a mark is deleted when it was written down to be made": (
        farewell(pledge=Barrel(ORDERS)),
        seen(Barrel(ORDERS), mark=None),
        [Action.DELETE],
        [],
    ),
    "what was written down to be made in the place of a lost one is deleted too": (
        farewell(pledge=Barrel(ORDERS), record=created("zeroth")),
        seen(Barrel(ORDERS), mark=None),
        [Action.DELETE],
        [],
    ),
    "what has no room for a mark and is not as it was written down stays": (
        farewell(pledge=Barrel(ORDERS, color="red")),
        seen(Barrel(ORDERS, color="blue"), mark=None),
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
