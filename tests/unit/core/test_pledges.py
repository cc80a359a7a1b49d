"""What is written down before something is made without a mark."""

from tests.unit.core.planning import ORDERS, Barrel, claim, created, owner, seen, tank

from headgate.api import Mode, OnVanished
from headgate.core.claims import Claim
from headgate.core.plan import plan
from headgate.core.pledges import is_pledged, pledges
from headgate.core.resource import Key, Observed


def written(wanted: Claim, observed: dict[Key, Observed] | None = None) -> str:
    """What a plan for one claim has written down of it."""
    return pledges([wanted], plan([wanted], observed or {})).get(wanted.owner, "")


BARE = Barrel(ORDERS)


def test_what_is_made_without_a_mark_is_written_down_with_who_makes_it() -> None:
    wanted = claim(BARE, uid="u1")
    said = written(wanted)
    assert said == "tank/orders for u1"
    assert is_pledged(BARE, "u1", wanted.record, said)


def test_it_counts_for_no_other_object_no_other_name_and_no_other_making() -> None:
    said = written(claim(BARE, uid="u1"))
    assert not is_pledged(BARE, "u2", created(""), said)
    assert not is_pledged(Barrel(Key("tank", "carts")), "u1", created(""), said)
    assert not is_pledged(BARE, "u1", created("first"), said)
    assert not is_pledged(tank(), "u1", created(""), said)


def test_what_is_made_anew_is_written_down_with_what_it_replaces() -> None:
    wanted = claim(BARE, uid="u1", record=created(), on_vanished=OnVanished.RECREATE)
    said = written(wanted)
    assert said == "tank/orders for u1 in place of first"
    assert is_pledged(BARE, "u1", wanted.record, said)


def test_nothing_is_written_down_that_is_not_made() -> None:
    assert written(claim(tank())) == ""
    assert written(claim(BARE), seen(BARE, mark=None)) == ""
    assert written(claim(BARE, mode=Mode.PLAN)) == ""
    assert written(claim(BARE, record=created())) == ""  # lost, and nobody has acknowledged that


def test_of_two_who_want_the_same_only_the_first_writes_it_down() -> None:
    first, second = claim(BARE, uid="1"), claim(BARE, uid="2", owner=owner("other"))
    assert set(pledges([first, second], plan([first, second], {}))) == {first.owner}
