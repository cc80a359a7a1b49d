"""How far the readers of a topic are, as values. Knows no broker and no clock."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class PartitionProgress:
    """One partition (or the whole topic or queue, where there are none) of one group: positions only ever grow while it lives."""

    head: int  # last position written
    delivered: int  # last position handed out for the first time
    settled: int  # every position up to here is settled for good
    owner: int | None = None  # which member reads it, where the broker says so


@dataclass(frozen=True, slots=True)
class Position:
    """Where a lost reader restarts, in the data of which topic."""

    checkpoint: str
    topic: str  # its identity


@dataclass(frozen=True, slots=True)
class Progress:
    """One group as the broker sees it at one moment."""

    at: datetime  # when it was read
    partitions: tuple[PartitionProgress, ...]
    pending: int  # never delivered
    in_flight: int  # delivered and not settled, delayed ones and stranded ones among them
    redelivered: int = 0
    waiting: int = 0  # requests for events that stand open: somebody is there
    members: int | None = None  # where the broker knows
    exclusive: bool = False  # a partition is read by one member at a time
    oldest_pending: datetime | None = None  # when the oldest never-delivered event was published
    oldest_unsettled: datetime | None = None
    checkpoint: str = ""  # a lost reader restarts here: repeats, never gaps
    repeats_at_most: int = 0  # what restarting there would hand out again
    deliveries: int | None = (
        None  # handed out so far, repeats counted again, only ever grows; None: positions have no gaps
    )


@dataclass(frozen=True, slots=True)
class PutOff:
    """What movers have to try again, and why. An empty queue: of notices that lead to no queue yet."""

    queue: str  # its name in the broker
    reason: str


@dataclass(frozen=True, slots=True)
class Capture:
    """How far movers are with what the broker said about events that it gave up."""

    at: datetime  # when it was read
    backlog: int  # notices not done with, those put off among them
    oldest: datetime | None = None  # when the oldest of them was raised
    unread: datetime | None = None  # when the oldest was raised that no mover was given yet
    missed: int = 0  # lost before any mover read them, at most, ever
    missed_at: datetime | None = None  # when that was last seen
    movers: int = 0  # requests for notices that stand open: somebody is there
    put_off: tuple[PutOff, ...] = ()  # lately; what is done with meanwhile may be among it
    by_broker: bool = False  # the broker itself moves them, and no mover is needed


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """What one dead-letter queue holds of one group."""

    group: str  # "namespace/name" as its dead letters say
    depth: int
    oldest: datetime | None
    reasons: tuple[tuple[str, int], ...]  # sorted by reason


@dataclass(frozen=True, slots=True)
class Room:
    """What a dead-letter queue holds, and at which bound it takes no more; None: it has none, or lets go of old ones."""

    entries: int
    size: int  # bytes
    most_entries: int | None = None
    most_size: int | None = None


@dataclass(frozen=True, slots=True)
class Holding:
    """One dead-letter queue as the broker has it."""

    groups: tuple[DeadLetters, ...]  # sorted by group
    room: Room
