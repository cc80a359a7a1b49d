"""Marks of owners that are gone and kept what they had: whom they still hold off, and what becomes of them."""

from collections.abc import Collection
from datetime import timedelta

import pytest
from tests.unit.core.planning import ORDERS, actions, claim, created, farewell, owner, reasons, seen, tank

from headgate.api import AdoptionPolicy
from headgate.core.changes import Action
from headgate.core.claims import Owner, released
from headgate.core.outcomes import Outcome
from headgate.core.plan import plan
from headgate.core.resource import Key, Observed

ELDER, YOUNGER = owner("elder"), owner("younger")
HOUR = timedelta(hours=1)


def found(mark: Owner | str | None, gone: Collection[Owner] = (ELDER,)) -> dict[Key, Observed]:
    """What was read, as it counts."""
    held = seen(tank(max_age=HOUR), mark=mark, managed=frozenset({"note"}))
    return {key: released(one, lambda asked: asked in gone) for key, one in held.items()}


COUNTS: dict[str, tuple[Owner | str | None, Collection[Owner], bool]] = {
    "an owner that is there": (ELDER, (), True),
    "an owner that is gone": (ELDER, (ELDER,), False),
    "a mark that names nobody of ours": ("somebody", (ELDER,), True),
}


@pytest.mark.parametrize(("mark", "gone", "counts"), COUNTS.values(), ids=COUNTS.keys())
def test_the_mark_counts_of(mark: Owner | str, gone: Collection[Owner], *, counts: bool) -> None:
    one = found(mark, gone)[ORDERS]
    assert (one.mark, one.lapsed) == ((str(mark), "") if counts else (None, str(mark)))


def test_without_a_mark_nothing_lapses() -> None:
    assert found(None) == seen(tank(max_age=HOUR), mark=None, managed=frozenset({"note"}))


TAKEN: dict[str, tuple[AdoptionPolicy, timedelta, bool, list[Action], list[tuple[Outcome, str]]]] = {
    "what is as declared is taken over": (AdoptionPolicy.IF_MATCHES, HOUR, True, [Action.ADOPT], []),
    "what differs is not": (
        AdoptionPolicy.IF_MATCHES,
        2 * HOUR,
        True,
        [],
        [(Outcome.CONFLICT, "ExistsAndDiffers")],
    ),
    "unless that is asked for": (AdoptionPolicy.ALWAYS, 2 * HOUR, True, [Action.ADOPT], []),
    "nobody takes over what he does not want": (
        AdoptionPolicy.NEVER,
        HOUR,
        True,
        [],
        [(Outcome.CONFLICT, "AlreadyExists")],
    ),
    "nor what he may not": (
        AdoptionPolicy.ALWAYS,
        HOUR,
        False,
        [],
        [(Outcome.REFUSED, "NotPermitted")],
    ),
}


@pytest.mark.parametrize(("policy", "age", "may", "done", "said"), TAKEN.values(), ids=TAKEN.keys())
def test_what_its_owner_left_behind_is_found_like_anything_else(
    policy: AdoptionPolicy,
    age: timedelta,
    done: list[Action],
    said: list[tuple[Outcome, str]],
    *,
    may: bool,
) -> None:
    wanted = claim(tank(max_age=age), owner=YOUNGER, adoption=policy, may_adopt=may)
    made = plan([wanted], found(ELDER))
    assert actions(made) == [(action, ORDERS) for action in done]
    assert reasons(made, YOUNGER) == said
    assert [change.replaces for change in made.changes] == [str(ELDER)] * len(done)


def test_settings_that_the_last_owner_managed_are_nobodys_now() -> None:
    held = {
        ORDERS: released(
            seen(tank(note="mine"), mark=ELDER, managed=frozenset({"note"}))[ORDERS], lambda _: True
        )
    }
    (change,) = plan([claim(owner=YOUNGER)], held).changes
    assert change.diffs == ()


def test_nobody_deletes_what_another_one_left_behind() -> None:
    leaving = farewell(owner=YOUNGER, record=created())
    made = plan([], found(ELDER), [leaving])
    assert (actions(made), reasons(made, YOUNGER)) == ([], [(Outcome.WARNING, "NotOurs")])
