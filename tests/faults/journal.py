"""What went over the wires of one system under test, in order, and the one fault that is to strike. Knows no protocol."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from time import monotonic

OPERATOR, MOVER = "operator", "mover"


class Kind(StrEnum):
    """What befalls one call."""

    KILL_BEFORE = "the caller is killed before it arrives"
    KILL_AFTER = "the caller is killed when it is done"
    CUT_AFTER = "it is done and the answer is lost"
    CONFLICT = "it is answered 409 and not done"
    THROTTLED = "it is answered 429 and not done"
    UNAVAILABLE = "it is answered 503 and not done"
    TWICE = "it arrives twice"

    @property
    def kills(self) -> bool:
        """Whether somebody has to be started again."""
        return self in {Kind.KILL_BEFORE, Kind.KILL_AFTER}


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
    wire: str  # "kube" or "broker"
    subject: str  # path or subject as sent
    body: bytes
    writes: bool
    began: float
    ended: float | None = None  # None: never answered
    status: int = 0  # of an HTTP answer; 0: none


@dataclass(slots=True)
class Journal:
    """The calls of one life."""

    mask: Callable[[str], str]  # takes out of a name what differs from life to life
    kill: Callable[[str], Awaitable[None]]  # ends an actor at once
    fault: Fault | None = None
    step: str = ""
    calls: list[Call] = field(default_factory=list)
    struck: asyncio.Event = field(default_factory=asyncio.Event)
    struck_at: float = 0.0
    heard: asyncio.Event = field(
        default_factory=asyncio.Event
    )  # set by every call and every answer to a write
    _ending: "asyncio.Future[None] | None" = None
    _seen: Counter[tuple[str, str, str]] = field(default_factory=Counter)

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
        self.heard.set()

    def strikes(self, call: Call) -> Kind | None:
        """What happens to this call; a fault strikes once."""
        if self.fault is None or self.struck.is_set() or self.fault.point != call.point:
            return None
        self.struck_at = monotonic()
        self.struck.set()
        return self.fault.kind

    async def end(self, call: Call) -> None:
        """Kill whoever made a call; goes on when the connection of the call, and with it the caller of this, is no more."""
        self._ending = asyncio.ensure_future(self.kill(call.point.actor))
        await asyncio.shield(self._ending)

    async def dead(self) -> None:
        """Wait until a death under way is over."""
        if self._ending is not None:
            await self._ending

    def of(self, wire: str, *, writes: bool | None = None, step: str | None = None) -> list[Call]:
        """The calls of one wire."""
        return [
            call
            for call in self.calls
            if call.wire == wire and writes in {None, call.writes} and step in {None, call.point.step}
        ]
