"""What went over the wires of one system under test, in order, and the one fault that is to strike. Knows no protocol."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from time import monotonic

OPERATOR, MOVER = "operator", "mover"
FORMER = "the operator that was paused"
KUBE, BROKER, WATCH, LEASE = "kube", "broker", "watch", "lease"  # the wires


class Kind(StrEnum):
    """What happens at one call, or at one event of a watch."""

    KILL_BEFORE = "the caller is killed before it arrives"
    KILL_AFTER = "the caller is killed when it is done"
    CUT_AFTER = "it is done and the answer is lost"
    CONFLICT = "it is answered 409 and not done"
    THROTTLED = "it is answered 429 and not done"
    UNAVAILABLE = "it is answered 503 and not done"
    TWICE = "it arrives twice"
    PAUSED = "the caller stands still until another one has taken over"
    EDITED = "somebody edits the objects before it arrives"
    WITHDRAWN = "somebody deletes the objects before it arrives"
    CUT_WITHIN = "the connection breaks within the event"
    ENDED_WITHIN = "the stream ends in order within the event"
    SILENT = "the watches stay open and tell nothing any more"

    @property
    def kills(self) -> bool:
        """Whether somebody has to be started again."""
        return self in {Kind.KILL_BEFORE, Kind.KILL_AFTER}

    @property
    def meddles(self) -> bool:
        """Whether something else is declared from then on."""
        return self in {Kind.EDITED, Kind.WITHDRAWN}


STATUS = {Kind.CONFLICT: 409, Kind.THROTTLED: 429, Kind.UNAVAILABLE: 503}


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """One call of a life, by what it is: the n-th of its name that an actor makes in a step."""

    step: str
    actor: str
    name: str
    nth: int

    def __str__(self) -> str:
        return f"{self.step}: {self.actor} {self.name} ({self.nth})"


@dataclass(frozen=True, slots=True)
class Fault:
    """What is to happen, and to which call."""

    kind: Kind
    point: Point

    def __str__(self) -> str:
        return f"{self.point}: {self.kind}"


@dataclass(slots=True)
class Call:
    """One request or publication that was seen."""

    number: int  # 1.. in the order of arrival
    point: Point
    wire: str
    subject: str  # path or subject as sent
    body: bytes
    writes: bool
    began: float
    ended: float | None = None  # None: never answered
    status: int = 0  # of an HTTP answer; 0: none


Act = Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Hands:
    """What can be done to a system under test from outside."""

    kill: Act  # end an actor at once
    pause: Act  # stop an actor's clock
    meddle: Callable[[Kind], Awaitable[None]]  # declare something else, as the kind of fault says


@dataclass(slots=True)
class Journal:
    """The calls of one life."""

    mask: Callable[[str], str]  # takes out of a name what differs from life to life
    hands: Hands
    fault: Fault | None = None
    step: str = ""
    calls: list[Call] = field(default_factory=list)
    forbidden: list[str] = field(default_factory=list)  # what an actor had no right to
    struck: bool = False
    struck_at: float = 0.0
    heard: asyncio.Event = field(
        default_factory=asyncio.Event
    )  # set by every call and every answer to a write
    _under_way: "asyncio.Future[None] | None" = None
    _seen: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def expect(self, fault: Fault | None) -> None:
        """What is to strike next."""
        self.fault, self.struck, self._under_way = fault, False, None

    def note(self, actor: str, wire: str, name: str, subject: str, body: bytes, *, writes: bool) -> Call:
        """Number one more call."""
        masked = self.mask(name)
        self._seen[self.step, actor, masked] += 1
        point = Point(self.step, actor, masked, self._seen[self.step, actor, masked])
        call = Call(len(self.calls) + 1, point, wire, subject, body, writes, monotonic())
        self.calls.append(call)
        self.heard.set()
        return call

    def answered(self, call: Call, status: int = 0) -> None:
        """A call is over, for whoever made it or for the wire."""
        call.ended, call.status = monotonic(), status
        if status == HTTPStatus.FORBIDDEN:
            self.forbidden.append(str(call.point))
        self.heard.set()

    def strikes(self, call: Call) -> Kind | None:
        """What happens to this call; a fault strikes once."""
        if self.fault is None or self.struck or self.fault.point != call.point:
            return None
        self.strike()
        self.heard.set()
        return self.fault.kind

    def strike(self) -> None:
        """A fault that waits for no call."""
        self.struck, self.struck_at = True, monotonic()

    async def end(self, call: Call) -> None:
        """Kill whoever made a call; goes on when the connection of the call, and with it the caller of this, is no more."""
        await self._do(self.hands.kill(call.point.actor))

    async def before(self, kind: Kind | None, call: Call) -> None:
        """What happens around a call that goes its way all the same."""
        if kind is Kind.PAUSED:
            await self._do(self.hands.pause(call.point.actor))
        elif kind is not None and kind.meddles:
            await self._do(self.hands.meddle(kind))

    async def _do(self, act: Awaitable[None]) -> None:
        self._under_way = asyncio.ensure_future(act)
        await asyncio.shield(self._under_way)

    async def over(self) -> None:
        """Wait until what happens at the fault has happened."""
        if self._under_way is not None:
            await self._under_way

    def of(self, *wires: str, writes: bool | None = None, step: str | None = None) -> list[Call]:
        """The calls of some wires."""
        return [
            call
            for call in self.calls
            if call.wire in wires and writes in {None, call.writes} and step in {None, call.point.step}
        ]
