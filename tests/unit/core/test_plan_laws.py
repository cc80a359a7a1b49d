"""Laws that every plan obeys, over made-up brokers and claims."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core.planning import MORNING, Barrel, Tank, Tap, carried_out, owner, tap

from headgate.api import AdoptionPolicy, DeletionPolicy, Mode, OnVanished, Origin
from headgate.core.changes import Action, Plan
from headgate.core.claims import Claim, Farewell, Owner, Record
from headgate.core.outcomes import Outcome
from headgate.core.plan import plan
from headgate.core.resource import FieldClass, Key, Observed, Resource, Stats, differences, settings_of

pytestmark = pytest.mark.unwatched  # tables reach every branch; watched, laws take twice as long
NAMES = ("orders", "carts", "dead")
OWNERS = st.sampled_from([owner(name) for name in ("a", "b", "c")])
IDENTITIES = st.sampled_from(["first", "second"])


def maybe(values: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.none() | values


TANK_SETTINGS = st.fixed_dictionaries(
    {
        "max_age": maybe(st.integers(0, 3).map(lambda hours: timedelta(hours=hours))),
        "note": maybe(st.sampled_from(["none", "mine"])),
        "color": maybe(st.sampled_from(["red", "blue"])),
        "lanes": maybe(st.integers(1, 3)),
        "sealed": maybe(st.booleans()),
        "material": maybe(st.sampled_from(["oak", "steel"])),
        "filled_from": maybe(st.sampled_from(["river", "sea"])),
    }
)
TAP_SETTINGS = st.fixed_dictionaries(
    {"width": maybe(st.integers(1, 3)), "start": maybe(st.sampled_from(["all", "new"]))}
)


def _with(resource: Resource, settings: Mapping[str, Any]) -> Resource:
    return replace(resource, **settings)


@st.composite
def resources(draw: st.DrawFn) -> Resource:
    name = draw(st.sampled_from(NAMES))
    if draw(st.booleans()):
        return tap(f"{name}/reader", **draw(TAP_SETTINGS))
    kind = Barrel if name == "carts" else Tank
    return _with(kind(Key("tank", name)), draw(TANK_SETTINGS))


@st.composite
def full_resources(draw: st.DrawFn) -> Resource:
    """As a broker holds them: no setting without a value."""
    resource = draw(resources())
    values: dict[str, Any] = {
        "max_age": timedelta(hours=1),
        "note": "none",
        "color": "red",
        "lanes": 2,
        "sealed": False,
    }
    values |= {"material": "oak", "filled_from": "river", "width": 1, "start": "all"}
    absent = {name for name in settings_of(type(resource)) if getattr(resource, name) is None}
    return _with(resource, {name: values[name] for name in absent})


RECORDS = st.builds(
    Record,
    external_name=st.sampled_from(["", "orders"]),
    identity=st.just("") | IDENTITIES,
    origin=st.none() | st.sampled_from(Origin),
    checkpoint=st.sampled_from(["", "41"]),
)
CLAIMS = st.builds(
    Claim,
    owner=OWNERS,
    desired=resources(),
    uid=st.sampled_from(["u1", "u2"]),
    created=st.none() | st.integers(0, 2).map(lambda hours: MORNING + timedelta(hours=hours)),
    mode=st.sampled_from(Mode),
    adoption=st.sampled_from(AdoptionPolicy),
    may_adopt=st.booleans(),
    on_vanished=st.sampled_from(OnVanished),
    record=RECORDS,
    acknowledged=st.just("") | IDENTITIES,
)
ESTATES = st.lists(CLAIMS, max_size=8, unique_by=lambda c: (c.owner, c.desired.key))


@st.composite
def helds(draw: st.DrawFn) -> dict[Key, Observed]:
    found = draw(st.lists(full_resources(), max_size=6, unique_by=lambda r: r.key))
    return {resource.key: draw(_observed(resource)) for resource in found}


def _observed(resource: Resource) -> st.SearchStrategy[Observed]:
    marks = st.none() | OWNERS.map(str) | st.just("Bob")
    return st.builds(
        Observed,
        st.just(resource),
        identity=IDENTITIES,
        mark=marks if resource.bears_mark else st.none(),
        adopted=st.booleans(),
        managed=st.frozensets(st.sampled_from(sorted(settings_of(type(resource))))),
        stats=st.builds(Stats, messages=st.none() | st.integers(0, 2)),
    )


FAREWELLS = st.lists(
    st.builds(
        Farewell,
        owner=OWNERS,
        key=st.sampled_from(
            [Key("tank", name) for name in NAMES] + [Key("tap", f"{n}/reader") for n in NAMES]
        ),
        policy=st.sampled_from(DeletionPolicy),
        record=RECORDS,
        may_delete=st.booleans(),
        confirmed=st.sampled_from(["", "orders", "reader"]),
    ),
    max_size=4,
    unique_by=lambda f: (f.owner, f.key),
)


@given(full_resources(), TANK_SETTINGS, TAP_SETTINGS)
def test_nothing_is_planned_where_all_is_as_declared_but_what_counts_at_creation_only(
    wanted: Resource, tank_settings: Mapping[str, object], tap_settings: Mapping[str, object]
) -> None:
    other = tap_settings if isinstance(wanted, Tap) else tank_settings
    only_then = {n: other[n] for n, c in settings_of(type(wanted)).items() if c is FieldClass.AT_CREATION}
    mark = str(owner()) if wanted.bears_mark else None
    held = {wanted.key: Observed(_with(wanted, only_then), "first", mark)}
    claim = Claim(owner(), wanted, record=Record(identity="first", origin=Origin.CREATED))
    made = plan([claim], held)
    assert made.changes == ()
    assert made.standings[owner()][0].diffs == ()


@given(ESTATES, helds())
def test_a_plan_carried_out_gives_what_is_declared_or_says_why_not(
    claims: list[Claim], held: dict[Key, Observed]
) -> None:
    made = plan(claims, held)
    after = carried_out(made, held)
    for claim in claims:
        if claim.mode is not Mode.ENFORCE:
            continue
        found = after.get(claim.desired.key)
        if found is None or list(differences(claim.desired, found.resource)):
            assert obstacles(made, claim), "differs, and nobody is told"


def obstacles(made: Plan, claim: Claim) -> list[Outcome]:
    stands = [standing for standing in made.standings[claim.owner] if standing.key == claim.desired.key]
    return [f.outcome for standing in stands for f in standing.findings if f.outcome is not Outcome.WARNING]


@given(ESTATES, helds())
def test_what_stands_in_the_way_leaves_an_object_untouched(
    claims: list[Claim], held: dict[Key, Observed]
) -> None:
    made = plan(claims, held)
    hard = {Outcome.BLOCKED, Outcome.CONFLICT, Outcome.REFUSED, Outcome.WAITING}
    for change in made.changes:
        stands = [s for s in made.standings[change.owner] if s.key == change.key]
        assert not [f for s in stands for f in s.findings if f.outcome in hard]


def settled(claims: list[Claim], made: Plan, after: Mapping[Key, Observed]) -> list[Claim]:
    """The claims as they come back once status was written."""
    changed = {(change.owner, change.key): change for change in made.changes}
    return [
        replace(claim, record=_record(claim, after)) if (claim.owner, claim.desired.key) in changed else claim
        for claim in claims
    ]


def _record(claim: Claim, after: Mapping[Key, Observed]) -> Record:
    return replace(claim.record, identity=after[claim.desired.key].identity, origin=Origin.CREATED)


@given(ESTATES, helds())
def test_what_was_carried_out_is_not_planned_again(claims: list[Claim], held: dict[Key, Observed]) -> None:
    made = plan(claims, held)
    after = carried_out(made, held)
    again = plan(settled(claims, made, after), after)
    repeated = {change.key for change in made.changes} & {change.key for change in again.changes}
    assert repeated == set()


@given(ESTATES, helds(), FAREWELLS)
def test_planning_twice_is_the_same(
    claims: list[Claim], held: dict[Key, Observed], farewells: list[Farewell]
) -> None:
    assert plan(claims, held, farewells) == plan(claims, held, farewells)


@given(ESTATES, helds(), FAREWELLS, st.randoms(use_true_random=False))
def test_the_order_of_what_comes_in_does_not_matter(
    claims: list[Claim], held: dict[Key, Observed], farewells: list[Farewell], dice: Random
) -> None:
    claims_, held_, farewells_ = list(claims), list(held.items()), list(farewells)
    dice.shuffle(claims_)
    dice.shuffle(held_)
    dice.shuffle(farewells_)
    assert plan(claims, held, farewells) == plan(claims_, dict(held_), farewells_)


@given(ESTATES, helds(), FAREWELLS)
def test_nothing_is_deleted_that_is_not_owned_or_is_to_stay(
    claims: list[Claim], held: dict[Key, Observed], farewells: list[Farewell]
) -> None:
    for change in plan(claims, held, farewells).changes:
        if change.action is not Action.DELETE:
            continue
        found = held[change.key]
        (leaving,) = [f for f in farewells if (f.owner, f.key) == (change.owner, change.key)]
        assert leaving.policy is not DeletionPolicy.RETAIN
        assert leaving.may_delete
        assert leaving.record.identity in ("", found.identity)
        assert change.identity == found.identity
        assert found.mark == str(change.owner) or (not found.resource.bears_mark and found.mark is None)
        assert change.only_if_empty is (leaving.policy is DeletionPolicy.DELETE_IF_EMPTY)


@given(ESTATES, helds(), FAREWELLS)
def test_no_two_changes_touch_one_object_and_none_belongs_to_somebody_else(
    claims: list[Claim], held: dict[Key, Observed], farewells: list[Farewell]
) -> None:
    changes = plan(claims, held, farewells).changes
    assert len({change.key for change in changes}) == len(changes)
    for change in changes:
        mark = held[change.key].mark if change.key in held else None
        assert mark in (None, str(change.owner))


@given(ESTATES, helds(), FAREWELLS)
def test_no_lost_data_is_made_anew_unless_somebody_wants_it(
    claims: list[Claim], held: dict[Key, Observed], farewells: list[Farewell]
) -> None:
    by_claim = {(claim.owner, claim.desired.key): claim for claim in claims}
    for change in plan(claims, held, farewells).changes:
        claim = by_claim.get((change.owner, change.key))
        if change.action is Action.CREATE and claim is not None and claim.desired.holds_data:
            wanted = claim.on_vanished is OnVanished.RECREATE or claim.acknowledged == claim.record.identity
            assert wanted or not claim.record.identity


@given(ESTATES, helds(), FAREWELLS)
def test_an_installation_touches_nothing_that_carries_the_mark_of_another(
    claims: list[Claim], held: dict[Key, Observed], farewells: list[Farewell]
) -> None:
    theirs = {
        key: replace(found, mark=str(Owner("there", "EventTopic", "shop", "a")))
        for key, found in held.items()
    }
    changed = {change.key for change in plan(claims, theirs, farewells).changes}
    assert changed & theirs.keys() == set()
