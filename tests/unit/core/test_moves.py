"""What the mover decides, as tables and laws."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.letters import Event, Letter
from headgate.core.moves import (
    HOLD_LONGEST,
    Cause,
    Drop,
    Hold,
    Incarnation,
    Move,
    Notice,
    Route,
    Routes,
    RoutesError,
    Why,
    Window,
    config_map_name,
    decide,
    letter,
    load,
    render,
    routes_of,
    settle_incarnation,
)

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ROUTE = Route("shop/billing", "shop/orders", "orders", "billing", "dead.orders.billing.1", "born-at-eleven")
NOTICE = Notice("token", "orders", "billing", 7, Cause.EXHAUSTED, NOON, 5)
MOVE = Move(ROUTE, "dead.orders.billing.1.7")
EVENT = Event(
    "orders.c1.paid", NOON - HOUR, (("trace", "1"), ("trace", "2"), ("Headgate-Reason", "old")), b"body"
)
WORDS = st.text(max_size=8)
ROUTES = st.builds(
    Route,
    WORDS,
    WORDS,
    WORDS,
    WORDS,
    WORDS,
    WORDS,
    st.booleans(),
    st.none() | st.floats(0, 1e6, allow_nan=False),
)


@pytest.mark.parametrize(
    ("route", "changes", "ours", "expected"),
    [
        pytest.param(ROUTE, {}, False, MOVE, id="an exhausted event has one address"),
        pytest.param(ROUTE, {"cause": Cause.TERMINATED}, False, MOVE, id="a rejected event has the same"),
        pytest.param(None, {}, False, Drop(Why.FOREIGN), id="a reader that is not ours is nobody's business"),
        pytest.param(None, {}, True, Hold(Why.ROUTE_MISSING), id="a reader of ours waits for its route"),
        pytest.param(
            None,
            {"at": NOON - timedelta(minutes=10)},
            True,
            Hold(Why.ROUTE_MISSING, timedelta(minutes=1)),
            id="the longer it waits the later it is looked at again",
        ),
        pytest.param(
            None,
            {"at": NOON - timedelta(days=3)},
            True,
            Hold(Why.ROUTE_MISSING, HOLD_LONGEST),
            id="and it is never given up",
        ),
        pytest.param(replace(ROUTE, address=""), {}, False, Drop(Why.NO_QUEUE), id="no queue is declared"),
        pytest.param(
            replace(ROUTE, drop=True), {}, False, Drop(Why.DECLARED), id="the policy drops exhausted events"
        ),
        pytest.param(
            replace(ROUTE, drop=True),
            {"cause": Cause.TERMINATED},
            False,
            Move(replace(ROUTE, drop=True), MOVE.address),
            id="but what a worker rejects is kept",
        ),
        pytest.param(
            ROUTE, {"cause": Cause.MISSED}, False, Drop(Why.MISSED), id="a lost notice names no event"
        ),
    ],
)
def test_what_a_notice_asks_for(
    route: Route | None, changes: dict[str, Any], expected: object, *, ours: bool
) -> None:
    assert decide(replace(NOTICE, **changes), route, NOON, ours=ours) == expected


BEFORE, AFTER = NOON - HOUR, NOON + HOUR


@pytest.mark.parametrize(
    ("identity", "current", "expected"),
    [
        pytest.param("a", Incarnation("a", BEFORE), MOVE.address, id="the source is what the route says"),
        pytest.param("", Incarnation("a", BEFORE), MOVE.address, id="the route does not say which it is"),
        pytest.param("a", None, "gone", id="the source is not there any more"),
        pytest.param("a", Incarnation("b", AFTER), "gone", id="the source was made anew after the notice"),
        pytest.param(
            "a", Incarnation("b", BEFORE), "hold", id="the source was made anew before it: the route is old"
        ),
        pytest.param(
            "a",
            Incarnation("a", AFTER),
            "earlier",
            id="the route is new and the notice is of an earlier source",
        ),
    ],
)
def test_which_incarnation_of_the_source_an_event_was_in(
    identity: str, current: Incarnation | None, expected: str
) -> None:
    move = Move(replace(ROUTE, identity=identity), MOVE.address)
    outcomes: dict[str, object] = {
        "gone": replace(move, gone=True),
        "hold": Hold(Why.ROUTE_STALE),
        "earlier": Move(move.route, "dead.orders.billing.1.earlier.7", gone=True),
    }
    assert settle_incarnation(move, NOTICE, current) == outcomes.get(expected, move)


def test_a_dead_letter_is_the_event_and_its_story() -> None:
    assert letter(MOVE, NOTICE, EVENT) == Letter(
        MOVE.address,
        (
            ("trace", "1"),
            ("trace", "2"),
            ("headgate-reason", "MaxAttempts"),
            ("headgate-group", "shop/billing"),
            ("headgate-topic", "shop/orders"),
            ("headgate-position", "7"),
            ("headgate-last-failed", "2026-11-21T12:00:00.000Z"),
            ("headgate-attempts", "5"),
            ("headgate-subject", "orders.c1.paid"),
            ("headgate-published", "2026-11-21T11:00:00.000Z"),
        ),
        b"body",
    )


@pytest.mark.parametrize(
    ("cause", "event", "expected"),
    [
        pytest.param(Cause.EXHAUSTED, EVENT, ("MaxAttempts", ""), id="attempts ran out"),
        pytest.param(
            Cause.EXHAUSTED, None, ("MaxAttempts", "lost"), id="attempts ran out, then retention took it"
        ),
        pytest.param(Cause.TERMINATED, EVENT, ("Rejected", ""), id="a worker ended it"),
        pytest.param(Cause.TERMINATED, None, ("Evicted", "lost"), id="it was evicted in flight"),
    ],
)
def test_reason_and_body(cause: Cause, event: Event | None, expected: tuple[str, str]) -> None:
    headers = dict(letter(MOVE, replace(NOTICE, cause=cause), event).headers)
    assert (headers["headgate-reason"], headers.get("headgate-body", "")) == expected


def test_what_the_worker_said_is_kept_and_unknown_attempts_are_left_out() -> None:
    headers = dict(letter(MOVE, replace(NOTICE, attempts=0, text="bad\ndate"), EVENT).headers)
    assert headers["headgate-error"] == "bad date"
    assert "headgate-attempts" not in headers


@given(st.lists(ROUTES), st.randoms(use_true_random=False))
def test_routes_survive_their_text_and_the_order_in_which_they_are_given_does_not_matter(
    routes: list[Route], random: Any
) -> None:
    text = render(routes_of("platform/main", routes))
    assert load(text) == routes_of("platform/main", routes)
    distinct = {(r.group, r.source, r.reader): r for r in routes}
    shuffled = list(distinct.values())
    random.shuffle(shuffled)
    assert render(routes_of("b", shuffled)) == render(routes_of("b", distinct.values()))


def test_routes_that_are_not_known_yet_are_left_out() -> None:
    assert routes_of("b", [None, ROUTE]) == Routes("b", (ROUTE,))


def test_routes_are_found_by_what_a_notice_names() -> None:
    assert Routes("b", (ROUTE,)).by_reader() == {("orders", "billing"): ROUTE}


def test_fields_of_a_newer_headgate_are_passed_over() -> None:
    body = json.loads(render(Routes("b", (ROUTE,))))
    body["routes"][0]["colour"] = "blue"
    assert load(json.dumps(body)) == Routes("b", (ROUTE,))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("[]", id="a list"),
        pytest.param('{"version": 1, "broker": "b", "routes": [{}]}', id="a route without its names"),
        pytest.param('{"version": 1, "broker": "b", "routes": ["x"]}', id="a route that is a word"),
        pytest.param('{"version": 2, "broker": "b", "routes": []}', id="a version to come"),
    ],
)
def test_texts_that_are_no_routes(text: str) -> None:
    with pytest.raises(RoutesError):
        load(text)


def test_the_config_map_is_named_after_the_broker() -> None:
    assert config_map_name("main") == "headgate-routes-main"


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 2**26)), max_size=20))
def test_a_turn_never_holds_more_than_its_budget_for_events_like_the_last(
    turns: list[tuple[int, int]],
) -> None:
    window = Window(100, 2**20)
    for events, size in turns:
        window = window.after(events, size)
        assert 1 <= window.now <= window.most
        assert not events or window.now == 1 or window.now * (size // events) <= window.budget


def test_a_turn_without_events_says_nothing_about_the_next() -> None:
    assert Window(100, 10, 9).after(0, 0) == Window(100, 10, 9)
