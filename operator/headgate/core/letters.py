"""Dead letters as values: their headers, envelopes for bodies that are gone, and what closes them. Knows no broker and no clock."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

Headers = tuple[tuple[str, str], ...]
"""In the order in which they stand on the wire; a name may come more than once."""

LONGEST_ERROR: Final = 1024  # characters of an error text that are kept


class Reason(StrEnum):
    """Why an event was given up."""

    MAX_ATTEMPTS = "MaxAttempts"  # every attempt failed or ran out of time
    REJECTED = "Rejected"  # the worker said that no attempt will ever succeed
    EXPIRED = "Expired"  # it grew too old in its queue
    EVICTED = "Evicted"  # its topic ran full while it was being handled
    DEADLINE = "Deadline"  # attempts were left, time was not
    MANUAL = "Manual"  # a person put it there


class Lack(StrEnum):
    """Why an envelope stands where a body should be."""

    LOST = "lost"
    TOO_LARGE = "too-large"


class Resolution(StrEnum):
    """How a person closed a dead letter."""

    RESOLVED = "Resolved"  # its effect was brought about, by hand or by sending it again
    DISCARDED = "Discarded"  # it is not needed


class Header(StrEnum):
    """The headers that are ours on a dead letter; an original header of such a name gives way."""

    REASON = "headgate-reason"
    GROUP = "headgate-group"
    TOPIC = "headgate-topic"
    POSITION = "headgate-position"
    SUBJECT = "headgate-subject"  # under which the event was published
    PUBLISHED = "headgate-published"
    LAST_FAILED = "headgate-last-failed"
    FIRST_FAILED = "headgate-first-failed"
    ATTEMPTS = "headgate-attempts"
    ERROR_CLASS = "headgate-error-class"
    ERROR = "headgate-error"
    BODY = "headgate-body"
    RESOLUTION = "headgate-resolution"
    RESOLVED_BY = "headgate-resolved-by"
    RESOLUTION_REASON = "headgate-resolution-reason"
    RESOLVED_AT = "headgate-resolved-at"


OWN: Final = frozenset(Header)


@dataclass(frozen=True, slots=True)
class Event:
    """An event as its topic holds it."""

    subject: str
    published: datetime
    headers: Headers
    body: bytes


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter on its way to an address of its own, where at most one ever stands."""

    address: str
    headers: Headers
    body: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """A dead letter as its queue holds it."""

    position: int  # in the queue
    stored: datetime
    letter: Letter

    def header(self, name: str) -> str:
        """The first value under that name; empty when there is none."""
        return value_of(self.letter.headers, name)

    @property
    def open(self) -> bool:
        """Whether nobody has resolved or discarded it."""
        return not self.header(Header.RESOLUTION)


def value_of(headers: Headers, name: str) -> str:
    """The first value under a name, whatever its case; empty when there is none."""
    return next((value for key, value in headers if key.lower() == name), "")


def stamp(moment: datetime) -> str:
    """A moment as it stands in headers: UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def foreign(headers: Headers) -> Headers:
    """The headers whose names are not ours."""
    return tuple(pair for pair in headers if pair[0].lower() not in OWN)


def one_line(text: str) -> str:
    """A text of any origin as a header may carry it."""
    return " ".join(text.split())[:LONGEST_ERROR]


def envelope(letter: Letter, lack: Lack) -> Letter:
    """The same dead letter without what could not be kept: only our own headers say which event it was."""
    kept = tuple((name, value) for name, value in letter.headers if name in OWN and name != Header.BODY)
    return Letter(letter.address, (*kept, (Header.BODY.value, lack.value)), b"")


def tombstone(entry: Entry, resolution: Resolution, *, by: str, reason: str, at: datetime) -> Letter:
    """What takes a dead letter's place when it is closed: its own story goes on, its payload goes."""
    kept = tuple(
        (name, value)
        for name, value in entry.letter.headers
        if name in OWN
        and name not in {Header.RESOLUTION, Header.RESOLVED_BY, Header.RESOLUTION_REASON, Header.RESOLVED_AT}
    )
    said = (
        (Header.RESOLUTION.value, resolution.value),
        (Header.RESOLVED_BY.value, one_line(by)),
        (Header.RESOLUTION_REASON.value, one_line(reason)),
        (Header.RESOLVED_AT.value, stamp(at)),
    )
    return Letter(entry.letter.address, (*kept, *said), b"")


@dataclass(frozen=True, slots=True)
class Selection:
    """Which dead letters a person means; empty fields do not restrict."""

    group: str = ""
    reason: str = ""
    error_class: str = ""
    closed: bool = False  # also those that were resolved or discarded

    def __call__(self, entry: Entry) -> bool:
        """Whether the entry is meant."""
        wanted = (
            (Header.GROUP, self.group),
            (Header.REASON, self.reason),
            (Header.ERROR_CLASS, self.error_class),
        )
        return (self.closed or entry.open) and all(
            not value or entry.header(name) == value for name, value in wanted
        )
