"""What the mover does with an event that no worker will settle any more: routes in, decisions out. Knows no broker and no clock."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from headgate.core.letters import Event, Header, Headers, Lack, Letter, Reason, foreign, one_line, stamp

VERSION: Final = 1
DATA_KEY: Final = "routes.json"  # of the ConfigMap
LABEL: Final = "headgate.dev/routes"  # on the ConfigMap: the EventBroker's name
HOLD_STEP: Final = timedelta(seconds=5)  # how soon a held one is looked at again
HOLD_LONGEST: Final = timedelta(
    minutes=5
)  # the older it is the later, so that old ones leave room for new ones


def config_map_name(broker: str) -> str:
    """The ConfigMap, in the EventBroker's namespace, that tells movers what to do."""
    return f"headgate-routes-{broker}"


@dataclass(frozen=True, slots=True)
class Route:
    """Where the dead letters of one group go. An empty address means that the group declares no queue."""

    group: str  # "namespace/name"
    topic: str  # "namespace/name"
    source: str  # the broker object that holds the topic's events
    reader: str  # the broker object that remembers what the group has handled
    address: str = ""  # as in the group's binding: valid for one incarnation of the source
    identity: str = ""  # of that incarnation; empty: not known, and not checked
    drop: bool = False  # exhausted events are not kept; the loss was acknowledged in the policy
    reap_after: float | None = None  # seconds: stranded events are called in though no worker is there
    due: str = (
        ""  # the broker object in which events come back whose wait is over; empty: no mover brings them
    )
    attempts: int = 0  # after so many failed ones what waits is given up instead; 0: never
    deadline: float | None = None  # seconds after its publication; likewise


@dataclass(frozen=True, slots=True)
class Routes:
    """All routes of one EventBroker."""

    broker: str  # "namespace/name"
    routes: tuple[Route, ...] = ()

    def by_reader(self) -> Mapping[tuple[str, str], Route]:
        """Routes by what a notice names: source and reader."""
        return {(route.source, route.reader): route for route in self.routes}


def routes_of(broker: str, routes: Iterable[Route | None]) -> Routes:
    """The routing value of one EventBroker ("namespace/name"), in an order that depends on nothing but the routes."""
    known = (route for route in routes if route is not None)
    return Routes(broker, tuple(sorted(known, key=lambda route: (route.group, route.source, route.reader))))


class RoutesError(ValueError):
    """A text that is no routing value, or one of a newer Headgate."""

    reason = "RoutesUnreadable"


def render(routes: Routes) -> str:
    """The routing value as text: equal values give equal texts."""
    body = {
        "version": VERSION,
        "broker": routes.broker,
        "routes": [_sparse(route) for route in routes.routes],
    }
    return json.dumps(body, indent=1, sort_keys=True)


def _sparse(route: Route) -> dict[str, object]:
    defaults = {each.name: each.default for each in fields(route)}
    return {name: value for name, value in asdict(route).items() if value != defaults[name]}


def load(text: str) -> Routes:
    """The routing value that a text holds; fields that this version does not know are passed over."""
    try:
        body: Mapping[str, Any] = json.loads(text)
        version, broker = int(body["version"]), str(body["broker"])
        known = Route.__dataclass_fields__
        routes = tuple(Route(**{k: v for k, v in item.items() if k in known}) for item in body["routes"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RoutesError(f"the routes cannot be read: {type(error).__name__}: {error}") from error
    if version > VERSION:
        raise RoutesError(f"the routes have version {version}, this mover reads up to {VERSION}: update it")
    return Routes(broker, routes)


class Cause(StrEnum):
    """What a broker says about an event that it will not deliver again."""

    EXHAUSTED = "Exhausted"  # its attempts are used up
    TERMINATED = "Terminated"  # the worker ended it, or it was evicted while a worker had it
    MISSED = "Missed"  # not about an event: another notice was lost before anybody read it


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that a broker said about one event of one group."""

    token: str  # how to settle the notice itself
    source: str
    reader: str
    position: int  # of the event
    cause: Cause
    at: datetime  # when the broker said so
    attempts: int = 0
    text: str = ""  # what the worker gave as its reason


@dataclass(frozen=True, slots=True)
class Incarnation:
    """Which object stands behind a source's name right now."""

    identity: str
    since: datetime


class Why(StrEnum):
    """Why a notice leads to no dead letter, for now or for ever."""

    FOREIGN = "Foreign"  # the group is not one of ours
    NO_QUEUE = "NoDeadLetterQueue"
    DECLARED = "Dropped"  # onExhausted: Drop
    ROUTE_MISSING = "RouteMissing"
    ROUTE_STALE = "RouteStale"
    UNREAD = "EventUnread"  # the broker did not say whether the event is there
    MISSED = "AdvisoriesLost"


@dataclass(frozen=True, slots=True)
class Drop:
    """Settle the notice and count it."""

    why: Why


@dataclass(frozen=True, slots=True)
class Hold:
    """Look at the notice again later."""

    why: Why
    delay: timedelta = HOLD_STEP


@dataclass(frozen=True, slots=True)
class Delay:
    """Why notices wait, for those who look from outside."""

    address: str  # of the route that they would take; empty: there is none
    reason: str
    left: timedelta  # for how long to believe it without hearing it again


@dataclass(frozen=True, slots=True)
class Move:
    """Make a dead letter."""

    route: Route
    address: str  # the one place where this event's dead letter can stand
    gone: bool = False  # the source that held the event is not there any more


def decide(notice: Notice, route: Route | None, now: datetime, *, ours: bool = False) -> Drop | Hold | Move:
    """What a notice asks for, before anything is read. `ours` says that the reader carries our mark."""
    if notice.cause is Cause.MISSED:
        return Drop(Why.MISSED)
    if route is None:
        if not ours:
            return Drop(Why.FOREIGN)
        return Hold(Why.ROUTE_MISSING, min(HOLD_LONGEST, max(HOLD_STEP, (now - notice.at) / 10)))
    if not route.address:
        return Drop(Why.NO_QUEUE)
    if route.drop and notice.cause is Cause.EXHAUSTED:
        return Drop(Why.DECLARED)
    return Move(route, f"{route.address}.{notice.position}")


def settle_incarnation(move: Move, notice: Notice, current: Incarnation | None) -> Hold | Move:
    """The same move once it is known which incarnation of the source was read.

    A position means something in one incarnation only. An event of an earlier one is gone: whatever stands at its
    position now is another event. A route that speaks of an earlier one than the notice has to be written anew first.
    """
    route = move.route
    if current is None:
        return Move(route, move.address, gone=True)
    earlier = notice.at < current.since
    if route.identity in ("", current.identity):
        address = f"{route.address}.earlier.{notice.position}" if earlier else move.address
        return Move(route, address, gone=earlier)
    return Move(route, move.address, gone=True) if earlier else Hold(Why.ROUTE_STALE)


def reason_of(notice: Notice, *, gone: bool) -> Reason:
    """Why the event is given up."""
    if notice.cause is Cause.EXHAUSTED:
        return Reason.MAX_ATTEMPTS
    return Reason.EVICTED if gone else Reason.REJECTED


def letter(move: Move, notice: Notice, event: Event | None) -> Letter:
    """The dead letter of an event as it was found, or of one that is gone."""
    own = _own(move.route, notice, reason_of(notice, gone=event is None))
    if event is None:
        return Letter(move.address, (*own, (Header.BODY.value, Lack.LOST.value)), b"")
    origin = ((Header.SUBJECT.value, event.subject), (Header.PUBLISHED.value, stamp(event.published)))
    return Letter(move.address, (*foreign(event.headers), *own, *origin), event.body)


def _own(route: Route, notice: Notice, reason: Reason) -> Headers:
    known = (
        (Header.REASON.value, reason.value),
        (Header.GROUP.value, route.group),
        (Header.TOPIC.value, route.topic),
        (Header.POSITION.value, str(notice.position)),
        (Header.LAST_FAILED.value, stamp(notice.at)),
    )
    attempts = ((Header.ATTEMPTS.value, str(notice.attempts)),) if notice.attempts else ()
    error = ((Header.ERROR.value, one_line(notice.text)),) if notice.text else ()
    return (*known, *attempts, *error)


@dataclass(frozen=True, slots=True)
class Window:
    """How many events one turn may hold, so that large ones never fill the memory."""

    most: int
    budget: int  # bytes of one turn
    now: int = field(default=4)

    def after(self, events: int, size: int) -> "Window":
        """The next turn's window, given how many events the last one held and how large they were together."""
        if not events:
            return self
        fitting = self.budget // max(1, size // events)
        return Window(self.most, self.budget, max(1, min(self.most, fitting, self.now * 4)))
