"""What findings tell the person who has to act."""

from datetime import timedelta

import pytest
from tests.unit.core.planning import (
    claim,
    created,
    farewell,
    owner,
    seen,
    standing,
    tank,
    tap,
)

from headgate.api import AdoptionPolicy, DeletionPolicy, OnVanished, Origin
from headgate.core.claims import Record
from headgate.core.outcomes import Finding
from headgate.core.partings import PARTING_CHECKS
from headgate.core.plan import plan
from headgate.core.resource import Stats
from headgate.core.safety import OWNERSHIP_CHECKS, STATE_CHECKS

WEEK, DAY = timedelta(hours=168), timedelta(hours=24)
ADOPTED = Record(external_name="orders", identity="first", origin=Origin.ADOPTED)


TOLD: dict[str, tuple[tuple[Finding, ...], str, list[str]]] = {
    "a setting that cannot change": (
        standing(
            plan([claim(tank(material="steel"), record=created())], seen(tank(material="oak")))
        ).findings,
        "material",
        ["material of tank/orders is oak", "steel is declared", "declare oak again", "nothing was changed"],
    ),
    "a setting that cannot shrink": (
        standing(plan([claim(tank(lanes=2), record=created())], seen(tank(lanes=3)))).findings,
        "lanes",
        ["lanes of tank/orders is 3", "2 is declared", "only grow"],
    ),
    "a setting that stays on": (
        standing(plan([claim(tank(sealed=False), record=created())], seen(tank(sealed=True)))).findings,
        "sealed",
        ["sealed of tank/orders is true", "false is declared", "stays on"],
    ),
    "an object of somebody else": (
        standing(plan([claim()], seen(mark=owner("carts")))).findings,
        "spec.externalName",
        ["EventTopic shop/carts", "another externalName"],
    ),
    "an object that somebody strange marked": (
        standing(plan([claim()], seen(mark="Bob"))).findings,
        "spec.externalName",
        ["'Bob'"],
    ),
    "an object that exists and differs": (
        standing(plan([claim(tank(max_age=WEEK))], seen(tank(max_age=DAY), mark=None))).findings,
        "spec.adoptionPolicy",
        ["max_age is 24h, declared 168h", "Always"],
    ),
    "an object that exists and is not wanted": (
        standing(plan([claim(adoption=AdoptionPolicy.NEVER)], seen(mark=None))).findings,
        "spec.adoptionPolicy",
        ["exists already", "IfMatches or Always"],
    ),
    "an object that may not be taken over": (
        standing(plan([claim(may_adopt=False)], seen(mark=None))).findings,
        "spec.adoptionPolicy",
        ["namespace shop", "tenancy.adoption"],
    ),
    "an object that is gone": (
        standing(plan([claim(record=created("2026-11-20T10:00:00Z"))], {})).findings,
        "",
        ["tank/orders is gone", 'headgate.dev/acknowledge: "2026-11-20T10:00:00Z"'],
    ),
    "an object that was made anew": (
        standing(plan([claim(record=created(), on_vanished=OnVanished.RECREATE)], {})).findings,
        "",
        ["made anew, empty", 'headgate.dev/acknowledge: "first"'],
    ),
    "a reader that came back": (
        standing(plan([claim(tap(), record=created("old", checkpoint="41"))], {}), owner("billing")).findings,
        "",
        ["position 41", "handled again"],
    ),
    "what to write to have an adopted object deleted": (
        standing(plan([], seen(), [farewell(record=ADOPTED)])).findings,
        "spec.deletionPolicy",
        ["headgate.dev/confirm-delete: orders", "Retain"],
    ),
    "who may not delete": (
        standing(plan([], seen(), [farewell(record=created(), may_delete=False)])).findings,
        "spec.deletionPolicy",
        ["namespace shop", "tenancy.deletion"],
    ),
    "what was left because it is not empty": (
        standing(
            plan(
                [],
                seen(stats=Stats(messages=3)),
                [farewell(policy=DeletionPolicy.DELETE_IF_EMPTY, record=created())],
            )
        ).findings,
        "",
        ["tank/orders", "left in the broker"],
    ),
}


@pytest.mark.parametrize(("findings", "field", "words"), TOLD.values(), ids=TOLD.keys())
def test_a_finding_names(findings: tuple[Finding, ...], field: str, words: list[str]) -> None:
    (finding,) = findings
    assert finding.field == field
    assert [word for word in words if word not in finding.message] == []


def test_every_check_says_in_a_sentence_what_it_finds() -> None:
    assert all(check.__doc__ for check in (*OWNERSHIP_CHECKS, *STATE_CHECKS, *PARTING_CHECKS))
