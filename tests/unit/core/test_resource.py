"""How settings of a broker object may change, and what differs."""

from datetime import timedelta

import pytest
from tests.unit.core.planning import Tank, tank, tap

from headgate.core.resource import Diff, FieldClass, Resource, differences, reset_value, settings_of

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
