"""What becomes of an event whose wait is over: back to its group, or given up. Pure: no clock, no client library.

Workers count attempts in a header. One that does not is found out by how often a mover brought the event back.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from headgate.core.letters import OWN, Header, Lack, Reason, stamp
from headgate.core.moves import Route

REDELIVERIES: Final = "headgate-redeliveries"  # how often a mover brought the event back
_ATTEMPTS: Final = Header.ATTEMPTS.value
_PUBLISHED: Final = Header.PUBLISHED.value
Pairs = tuple[tuple[str, bytes], ...]
_LONGEST: Final = 4  # digits of a count that is believed


@dataclass(frozen=True, slots=True)
class Record:
    """An event as it lies in a topic."""

    topic: str
    partition: int
    offset: int
    at: datetime  # when the broker got it, or what its publisher said
    key: bytes | None
    headers: Pairs
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Sent:
    """A record on its way to a topic; without a partition its key decides."""

    topic: str
    partition: int | None
    key: bytes | None
    headers: Pairs
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of one event."""

    sent: Sent | None  # None: it is let go of, as was declared
    reason: Reason | None = None  # why it is given up; None: it goes back to its group


def fate(record: Record, route: Route, now: datetime, partitions: int) -> Fate:
    """Back to the group as long as it has attempts and time left, or nobody takes what is given up."""
    counted = redeliveries = 0
    published, kept = b"", list[tuple[str, bytes]]()
    for pair in record.headers:
        name = pair[0].lower()
        if name == REDELIVERIES:
            redeliveries = _count(pair[1])
        elif name == _ATTEMPTS:
            counted = _count(pair[1])
        else:
            kept.append(pair)
            if name == _PUBLISHED:
                published = pair[1]
    redeliveries += 1
    attempts = max(counted, redeliveries)
    reason = _given_up(published, route, attempts, now)
    if reason is not None and route.drop:
        return Fate(None, reason)
    if reason is not None and route.address:
        return Fate(_letter(record, route, reason, attempts), reason)
    kept += ((_ATTEMPTS, b"%d" % attempts), (REDELIVERIES, b"%d" % redeliveries))
    partition = record.partition if record.partition < partitions else None
    return Fate(Sent(route.due, partition, record.key, tuple(kept), record.body))


def _given_up(published: bytes, route: Route, attempts: int, now: datetime) -> Reason | None:
    if 0 < route.attempts <= attempts:
        return Reason.MAX_ATTEMPTS
    if route.deadline is None or not published:
        return None
    since = moment(published.decode(errors="replace"))
    late = since is not None and now - since >= timedelta(seconds=route.deadline)
    return Reason.DEADLINE if late else None


def _letter(record: Record, route: Route, reason: Reason, attempts: int) -> Sent:
    """The dead letter: what a worker said of the event holds, but for what a mover knows better."""
    written = {name.lower(): value for name, value in record.headers if name.lower() in OWN}
    known = {
        Header.LAST_FAILED.value: stamp(record.at).encode(),
        **written,
        Header.REASON.value: reason.value.encode(),
        Header.GROUP.value: route.group.encode(),
        Header.TOPIC.value: route.topic.encode(),
        Header.ATTEMPTS.value: b"%d" % attempts,
    }
    own = tuple((name.value, known[name.value]) for name in Header if name.value in known)
    others = tuple(pair for pair in record.headers if pair[0].lower() not in {*OWN, REDELIVERIES})
    return Sent(route.address, None, record.key, (*others, *own), record.body)


def enveloped(sent: Sent) -> Sent:
    """The same dead letter without the body that is too large to be kept."""
    own = tuple(pair for pair in sent.headers if pair[0] in OWN and pair[0] != Header.BODY)
    return Sent(sent.topic, None, None, (*own, (Header.BODY.value, Lack.TOO_LARGE.value.encode())), b"")


def moment(text: str) -> datetime | None:
    """A moment as headers have it; None where it is none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _count(value: bytes) -> int:
    return int(value) if value.isdigit() and len(value) <= _LONGEST else 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How far one partition may be committed, and from where it has to be read again."""

    done: int | None  # the next offset; None: nothing was done
    again: int | None  # the first that was not; None: all were


def outcomes(records: Sequence[Record], failed: Iterable[int]) -> Mapping[tuple[str, int], Outcome]:
    """By partition, where the records with these indexes could not be moved. Those after one are moved again."""
    missing = frozenset(failed)
    done: dict[tuple[str, int], int] = {}
    again: dict[tuple[str, int], int] = {}
    for index, record in enumerate(records):
        place = (record.topic, record.partition)
        if index in missing:
            again.setdefault(place, record.offset)
        elif place not in again:
            done[place] = record.offset + 1
    return {place: Outcome(done.get(place), again.get(place)) for place in {**done, **again}}
