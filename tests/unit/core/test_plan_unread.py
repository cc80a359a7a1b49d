"""What is planned about objects of which the broker can say nothing just now: nothing at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core.planning import (
    BILLING,
    MORNING,
    ORDERS,
    actions,
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

from headgate.api import DeletionPolicy, Mode, OnVanished, Origin
from headgate.core.changes import Action
from headgate.core.claims import Record
from headgate.core.outcomes import Outcome
from headgate.core.plan import plan
from headgate.core.resource import Key, Observed, Unread, known
from headgate.core.vanished import Word, estate_vanished

SILENT = Unread("NoAnswer", "nobody answers for it")
READER = owner("billing")

CLAIMS = {
    "it was never made": claim(),
    "it was made before": claim(record=created()),
    "it would be made anew": claim(record=created(), on_vanished=OnVanished.RECREATE),
    "its loss was acknowledged": claim(record=created(), acknowledged="first"),
    "it is only looked at": claim(mode=Mode.OBSERVE, record=created()),
    "only a plan is asked for": claim(mode=Mode.PLAN, record=created()),
}


@pytest.mark.parametrize("what", CLAIMS, ids=lambda what: f"though {what}")
def test_nothing_is_done_about_what_cannot_be_read(what: str) -> None:
    """Neither made nor adopted nor changed, and nothing is found about it, least of all a loss."""
    one = CLAIMS[what]
    made = plan([one], {ORDERS: SILENT})
    stands = standing(made)
    assert made.changes == ()
    assert (stands.unread, stands.findings, stands.lost) == (SILENT, (), "")
    assert (stands.identity, stands.origin) == (one.record.identity, one.record.origin)
    assert made.unread == {ORDERS}
    assert made.absent == frozenset()


def test_of_two_claimants_neither_wins_by_a_silence() -> None:
    """Whose it is was decided by a mark that nobody can read."""
    older = claim(created=MORNING)
    younger = claim(owner=owner("carts"))
    made = plan([older, younger], {ORDERS: SILENT})
    assert made.changes == ()
    assert standing(made).unread == standing(made, owner("carts")).unread == SILENT


@pytest.mark.parametrize("policy", DeletionPolicy, ids=str)
def test_nothing_is_deleted_that_cannot_be_read(policy: DeletionPolicy) -> None:
    """And it does not count as gone."""
    made = plan([], {ORDERS: SILENT}, [farewell(policy=policy, record=created())])
    assert made.changes == ()
    assert standing(made).unread == SILENT
    assert standing(made).exists


def test_what_lies_in_the_silent_one_waits_when_there_is_something_to_do() -> None:
    """A reader that is missing is not made where nobody knows whether its topic is there."""
    made = plan([claim(record=created()), claim(tap(), owner=READER)], {ORDERS: SILENT})
    assert actions(made) == []
    assert reasons(made, READER) == [(Outcome.WAITING, "NeedsUnread")]


def test_a_reader_that_is_gone_is_not_called_resumed_before_it_is() -> None:
    """What would be said of a reader made anew is not said of one that waits."""
    record = created(checkpoint="7")
    made = plan([claim(), claim(tap(), owner=READER, record=record)], {ORDERS: SILENT})
    assert reasons(made, READER) == [(Outcome.WAITING, "NeedsUnread")]


def test_what_lies_in_the_silent_one_and_is_as_declared_is_fine() -> None:
    """Nothing is to be done, so nothing has to wait."""
    held: dict[Key, Observed | Unread] = {ORDERS: SILENT, **seen(tap(width=2), mark=READER)}
    made = plan([claim(), claim(tap(width=2), owner=READER, record=created())], held)
    assert actions(made) == []
    assert reasons(made, READER) == []


def test_what_cannot_be_read_is_still_unread_in_the_next_portion() -> None:
    """A reader that is planned after its topic knows about it."""
    first = plan([claim()], {ORDERS: SILENT})
    made = plan([claim(tap(), owner=READER)], {}, earlier=first)
    assert reasons(made, READER) == [(Outcome.WAITING, "NeedsUnread")]
    again = plan([claim(), claim(tap(), owner=READER)], {}, earlier=first)
    assert actions(again) == [(Action.CREATE, ORDERS), (Action.CREATE, BILLING)]


def test_the_others_go_on() -> None:
    """One silent object holds up no other."""
    carts = claim(tank("carts", note="new"), owner=owner("carts"))
    made = plan([claim(), carts], {ORDERS: SILENT})
    assert actions(made) == [(Action.CREATE, carts.desired.key)]


@given(st.sets(st.integers(0, 19)), st.sets(st.integers(0, 19)))
def test_silence_never_adds_to_what_vanished(silent: set[int], gone: set[int]) -> None:
    """With any of them unread no more count as gone than without."""
    recorded = {tank(f"t{n}").key: f"id-{n}" for n in range(20)}
    there = {key: Observed(tank(key.name), identity) for key, identity in recorded.items()}
    held = {key: one for key, one in there.items() if int(key.name[1:]) not in gone}
    read: dict[Key, Observed | Unread] = {**held, **{tank(f"t{n}").key: SILENT for n in silent}}
    found = estate_vanished(recorded, read, known_cluster="c", cluster="c", word=Word())
    assert (found is not None) == (len(gone - silent) > 3)
    assert known(read).keys() == held.keys() - {tank(f"t{n}").key for n in silent}


def test_a_record_without_an_identity_claims_nothing() -> None:
    """Of what was never made nobody says that it exists."""
    made = plan([claim(record=Record(origin=Origin.ADOPTED))], {ORDERS: SILENT})
    stands = standing(made)
    assert (stands.exists, stands.owned) == (False, False)
