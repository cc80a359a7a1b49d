"""The seam through which the mover and triage touch events in a broker. Knows no vendor library and nothing of Kubernetes.

Errors are those of `headgate.brokers.base`. Methods that take many items answer item by item, so that one event in
trouble never holds up the others.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Protocol

from headgate.api import EventBrokerSpec
from headgate.brokers.base import Credentials
from headgate.core.letters import Entry, Event, Letter, Reason
from headgate.core.moves import Delay, Incarnation, Notice, Route


class Absent(StrEnum):
    """Why an event could not be read."""

    GONE = "Gone"  # it is not there, and never will be again
    UNKNOWN = "Unknown"  # no answer: ask again


class Kept(StrEnum):
    """What became of a dead letter that was to be kept; the words are metric labels."""

    STORED = "Stored"
    PRESENT = "Present"  # the event's dead letter was there already: a worker's, or ours from before
    TOO_LARGE = "TooLarge"
    FULL = "DeadLetterQueueFull"
    MISSING = "DeadLetterQueueMissing"
    UNKNOWN = "Unknown"  # no answer: it may be there
    REFUSED = "Refused"  # the broker said no for another reason

    @property
    def stands(self) -> bool:
        """Whether a dead letter of the event is there for certain."""
        return self in {Kept.STORED, Kept.PRESENT}


@dataclass(frozen=True, slots=True)
class Watch:
    """How things stand with the notices of a cluster."""

    backlog: int  # not done with, those put off among them
    missed: int  # lost unread since the last look, at most


@dataclass(frozen=True, slots=True)
class Redelivered:
    """What became of events whose wait was over."""

    returned: int = 0  # they are with their groups again
    given_up: tuple[Reason, ...] = ()  # they are dead letters now
    dropped: int = 0  # without attempts left, let go of as was declared
    put_off: tuple[str, ...] = ()  # reasons why some are tried again later


class Messages(Protocol):
    """One broker cluster as a mover sees it. Every method is safe to repeat and has a deadline."""

    async def open(self) -> None:
        """Connect, and make the shared position from which movers read notices where it is missing."""
        ...

    async def notices(self, limit: int, wait: timedelta) -> Sequence[Notice]:
        """Up to `limit` notices; waits up to `wait` for the first. Unsettled ones come again, to any mover."""
        ...

    async def listen(self) -> None:
        """Keep notices that the broker cannot keep for itself just now; runs until cancelled, or returns where there is no such time."""
        ...

    async def fetch(self, wanted: Sequence[tuple[str, int]]) -> Sequence[Event | Absent]:
        """The events at the given sources and positions, in that order."""
        ...

    async def incarnations(self, sources: Collection[str]) -> Mapping[str, Incarnation]:
        """What stands behind the names of sources; those that are not there are left out."""
        ...

    async def ours(self, source: str, reader: str) -> bool:
        """Whether the reader exists and carries a mark of Headgate's."""
        ...

    async def keep(self, letters: Sequence[Letter]) -> Sequence[Kept]:
        """Put each dead letter under its address unless one stands there."""
        ...

    async def settle(self, notices: Sequence[Notice]) -> None:
        """The notices are done with. May be lost: then they come again."""
        ...

    async def postpone(self, notices: Sequence[Notice], delay: timedelta) -> None:
        """Have the notices come again later."""
        ...

    async def extend(self, notices: Sequence[Notice]) -> None:
        """Work on the notices goes on: they do not come again meanwhile. Without it they do after a few seconds."""
        ...

    async def redeliver(self, routes: Sequence[Route], limit: int, wait: timedelta) -> Redelivered:
        """Bring up to `limit` events back to their groups whose wait for another attempt is over.

        Waits up to `wait` for the first. What was told is what stands, acknowledged; whoever ends in the midst of it
        leaves up to `limit` events to be brought back once more. Nothing is done where the broker keeps waits itself.
        """
        ...

    async def watch(self, delays: Collection[Delay] = ()) -> Watch:
        """How things stand with the notices; what was lost unread, and why some wait, is written down for the operator."""
        ...

    async def call_in(self, source: str, reader: str, after: timedelta) -> bool:
        """Have notices raised for stranded events of a reader that nobody has asked for events for `after`.

        A live event that the broker hands out on this occasion is given back at once; an attempt of it is spent.
        True when the reader was called.
        """
        ...

    async def aclose(self) -> None:
        """Let go of the connection; never raises."""
        ...


class Carrier(Protocol):
    """A kind of broker: how movers and people reach the events in one."""

    def messages(self, spec: EventBrokerSpec, credentials: Credentials) -> "Messages":
        """A mover's handle that connects on first use. Refused(CredentialsInvalid) when they cannot be used at all."""
        ...

    def letters(self, spec: EventBrokerSpec, credentials: Credentials, queue: str) -> "Letters":
        """A person's handle on one dead-letter queue, by its name in the broker."""
        ...


class Letters(Protocol):
    """One dead-letter queue as a person sees it."""

    def entries(self, after: int = 0) -> AsyncIterator[Entry]:
        """The entries in the order of their arrival, open and closed, from the position after the given one."""
        ...

    async def entry(self, position: int) -> Entry | None:
        """One entry; None when nothing is there (any more)."""
        ...

    async def close_entry(self, entry: Entry, tombstone: Letter) -> bool:
        """Put the tombstone in the entry's place; False when somebody changed the entry meanwhile."""
        ...

    async def aclose(self) -> None:
        """Let go of the connection; never raises."""
        ...
