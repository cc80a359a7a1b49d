"""How settings of a broker object may change, and what differs."""

from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from tests.unit.core.planning import Tank, created, owner, seen, standing, tank, tap
from tests.unit.core.status.accounts import topic

from headgate.api import Mode
from headgate.core.claims import Claim
from headgate.core.plan import plan
from headgate.core.resource import Diff, FieldClass, Key, Resource, differences, reset_value, settings_of
from headgate.core.status.topic import topic_status

MAY: dict[str, tuple[str, object, object, bool]] = {
    "a mutable setting changes": ("note", "a", "b", True),
    "a fixed setting does not": ("material", "oak", "steel", False),
    "a setting that is switched on for good is switched on": ("sealed", False, True, True),
    "a setting that is switched on for good stays on": ("sealed", True, False, False),
    "a growing setting grows": ("lanes", 1, 2, True),
    "a growing setting does not shrink": ("lanes", 2, 1, False),
    "a growing setting without a number cannot be compared": ("lanes", None, 2, False),
    "a setting of creation time is nobody's concern": ("filled_from", "sea", "river", True),
}


@pytest.mark.parametrize(("field", "before", "after", "may"), MAY.values(), ids=MAY.keys())
def test_may_change(field: str, before: object, after: object, may: bool) -> None:  # noqa: FBT001  (a column of the table)
    assert tank().may_change(field, before, after) is may


def test_only_settings_with_an_opinion_differ() -> None:
    wanted = tank(max_age=timedelta(hours=1), filled_from="sea")
    found = tank(max_age=timedelta(hours=2), filled_from="river", color="red")
    assert list(differences(wanted, found)) == [Diff("max_age", timedelta(hours=2), timedelta(hours=1))]


@dataclass(frozen=True)
class Cask(Tank):
    """A tank of a broker whose words are no names of fields, and whose values are plain texts."""

    @classmethod
    def word(cls, name: str) -> str:
        return name.replace("_", ".")

    @classmethod
    def said(cls, name: str, value: object) -> str:
        return f"{value} litres" if name == "note" else super().said(name, value)


CASK = Cask(Key("cask", "orders"), note="7", max_age=timedelta(hours=1))
OTHER = replace(CASK, note="9", max_age=timedelta(hours=2))


def test_a_difference_is_told_in_the_words_of_the_broker() -> None:
    told = {diff.word: (diff.was, diff.will) for diff in differences(CASK, OTHER)}
    assert told == {"note": ("9 litres", "7 litres"), "max.age": ("2h", "1h")}


def test_status_speaks_the_words_of_the_broker() -> None:
    claimed = Claim(owner(), CASK, record=created(), mode=Mode.PLAN)
    account = topic(mode=Mode.PLAN, standings=plan([claimed], seen(OTHER)).standings[owner()])
    told = [(entry.field, entry.from_, entry.to) for entry in topic_status(account).plan]
    assert told == [("max.age", "2h", "1h"), ("note", "9 litres", "7 litres")]


def test_what_keeps_a_foreign_object_from_being_taken_over_is_told_in_the_words_of_the_broker() -> None:
    (found,) = standing(plan([Claim(owner(), CASK)], seen(OTHER, mark=None))).findings
    assert "max.age is 2h, declared 1h; note is 9 litres, declared 7 litres" in found.message


def test_what_is_impossible_is_told_in_the_words_of_the_broker() -> None:
    held = seen(replace(CASK, filled_from="sea", lanes=9))
    (found,) = standing(plan([Claim(owner(), replace(CASK, lanes=2), record=created())], held)).findings
    assert (found.field, "lanes of cask/orders is 9 and 2 is declared" in found.message) == ("lanes", True)


def test_settings_are_listed_in_the_order_of_their_declaration() -> None:
    assert list(settings_of(Tank)) == [
        "max_age",
        "note",
        "color",
        "lanes",
        "sealed",
        "material",
        "filled_from",
    ]
    assert settings_of(Tank)["lanes"] is FieldClass.GROW_ONLY
    assert (reset_value(Tank, "note"), reset_value(Tank, "color")) == ("none", None)


def test_only_readers_resume() -> None:
    wanted: Resource = tank(color="red")
    assert wanted.resumed_at("41", "7") == wanted
    assert tap().resumed_at("41", "7") == tap(start="after 41")


def test_what_an_object_needs_is_no_part_of_what_it_is() -> None:
    assert tap("orders/a") == type(tap())(tap("orders/a").key)
