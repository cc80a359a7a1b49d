"""Readers in a place that forgets parts of positions: what they are told, what is said of them, how they are taken over."""

from dataclasses import dataclass, replace
from typing import ClassVar

from tests.unit.core.planning import BILLING, Tap, claim, created, owner, reasons, seen

from headgate.core.changes import Action
from headgate.core.outcomes import Outcome
from headgate.core.plan import plan


@dataclass(frozen=True)
class Leaky(Tap):
    """A reader whose width is a matter of how it is, and which can lose a part of its position."""

    resumes: ClassVar[str] = "OffsetsExpired"
    kept_up: ClassVar[frozenset[str]] = frozenset({"width"})

    def reminded(self, position: str) -> "Leaky":
        return replace(self, start=f"where it was: {position}")


HELD = created(checkpoint="41")


def test_a_reader_that_is_put_right_is_told_where_it_was() -> None:
    made = plan([claim(Leaky(BILLING, width=2), record=HELD)], seen(Leaky(BILLING, width=1)))
    (change,) = made.changes
    assert change.action is Action.UPDATE
    assert change.after == Leaky(BILLING, width=2, start="where it was: 41")


def test_a_reader_that_has_nothing_to_be_told_is_put_right_as_declared() -> None:
    made = plan([claim(Tap(BILLING, width=2), record=HELD)], seen(Tap(BILLING, width=1)))
    assert [change.after for change in made.changes] == [Tap(BILLING, width=2)]


def test_a_reader_of_somebody_is_not_told_where_another_one_was() -> None:
    wanted = claim(Leaky(BILLING, width=2), record=HELD)
    made = plan([wanted], seen(Leaky(BILLING, width=1), mark=None, identity="second"))
    assert [(change.action, change.after) for change in made.changes] == [
        (Action.ADOPT, Leaky(BILLING, width=2, start="where it was: "))
    ]
    assert "ExistsAndDiffers" not in [reason for _, reason in reasons(made, wanted.owner)]


def test_a_reader_that_is_gone_comes_back_for_the_reason_of_its_kind() -> None:
    made = plan([claim(Leaky(BILLING), record=HELD)], {})
    assert reasons(made, owner("billing")) == [(Outcome.WARNING, "OffsetsExpired")]
