"""Whether the positions of a group last, and what is to be done about those that do not. Pure: no clock, no I/O.

Kafka forgets positions of a group that nobody is in, some time after they were last committed, and tells nobody when
that was. So what was seen is remembered: a position that changed was committed after the look before.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

KEPT: Final = "kept"
EXPIRING: Final = "about to expire"
GONE: Final = "expired in part"
STALE: Final = "beyond the end of the topic"
_BY_WEIGHT: Final = (KEPT, EXPIRING, GONE, STALE)
_SHARE: Final = 2  # of the time that is left to a position is let pass
_GRACE: Final = 600.0  # seconds in which nothing is done about one that was never seen before
_GRACE_SHARE: Final = 20


@dataclass(frozen=True, slots=True)
class Look:
    """One group in one topic at one moment."""

    at: float  # seconds, of a clock that never goes back
    topic: str  # the identity: positions in another topic of the name mean nothing
    partitions: frozenset[int]
    positions: Mapping[int, int]
    ends: Mapping[int, int]  # the next offset of each partition, as far as it is known
    active: bool  # somebody is in the group


@dataclass(frozen=True, slots=True)
class Memory:
    """What was last seen of a group, and since when each of its positions may not have been committed."""

    topic: str
    at: float
    positions: Mapping[int, int]  # also of partitions in which there is none any more
    since: Mapping[int, float]
    back: Mapping[int, int] = field(default_factory=dict)  # brought back, and not moved since


@dataclass(frozen=True, slots=True)
class Duties:
    """What is to be done about positions; nothing of it while somebody is in the group."""

    again: frozenset[int] = frozenset()  # commit as they are, before they expire
    back: Mapping[int, int] = field(default_factory=dict)  # expired: where they were
    first: frozenset[int] = frozenset()  # never had one: from the first event
    stale: frozenset[int] = frozenset()  # nobody knows what was meant


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why positions are not as declared, and what somebody has to do."""

    reason: str
    message: str


def remembered(before: Memory | None, look: Look, retention: float) -> Memory:
    """The memory with one more look."""
    if before is None or before.topic != look.topic:
        grace = min(_GRACE, retention / _GRACE_SHARE)
        begun = look.at - retention / _SHARE + grace
        return Memory(look.topic, look.at, dict(look.positions), dict.fromkeys(look.positions, begun))
    if look.at < before.at:
        return before  # it was overtaken
    since = {
        number: before.since[number] if before.positions.get(number) == offset else before.at
        for number, offset in look.positions.items()
    }
    kept = {
        number: offset
        for number, offset in before.positions.items()
        if number in look.partitions and number not in look.positions
    }
    back = {number: offset for number, offset in before.back.items() if look.positions.get(number) == offset}
    return Memory(look.topic, look.at, {**kept, **look.positions}, {**before.since, **since}, back)


def committed(
    before: Memory | None, topic: str, offsets: Mapping[int, int], at: float, back: Collection[int] = ()
) -> Memory:
    """The memory after positions were committed by ourselves, no earlier than at this moment; some had expired."""
    same = before if before is not None and before.topic == topic else Memory(topic, at, {}, {})
    return Memory(
        topic,
        max(same.at, at),
        {**same.positions, **offsets},
        {**same.since, **dict.fromkeys(offsets, at)},
        {**same.back, **{number: offsets[number] for number in back}},
    )


def duties(
    memory: Memory | None, look: Look, retention: float, handed: Collection[tuple[int, int]] = ()
) -> Duties:
    """What is to be done. `handed` are positions that somebody else remembers, for where we remember none."""
    stale = frozenset(
        number for number, offset in look.positions.items() if offset > look.ends.get(number, offset)
    )
    missing = look.partitions - look.positions.keys()
    same = memory if memory is not None and memory.topic == look.topic else None
    known = {**dict(handed), **(same.positions if same else {})}
    return Duties(
        again=frozenset(
            number
            for number in look.positions
            if number not in stale and same is not None and _old(same, number, look.at, retention)
        ),
        back={number: known[number] for number in sorted(missing) if number in known},
        first=missing - known.keys(),
        stale=stale,
    )


def state(todo: Duties, *, active: bool) -> str:
    """How positions are, in the words of a plan; those of partitions that are new to the group are counted elsewhere."""
    if todo.stale:
        return STALE
    if todo.back:
        return GONE
    return EXPIRING if todo.again and not active else KEPT


def worst(states: Collection[str]) -> str:
    """How positions in several topics are, in one word."""
    return max(states, key=_BY_WEIGHT.index)


def hindrance(todo: Duties, subject: str) -> Verdict | None:
    """Why positions are missing that nobody can set: somebody is in the group."""
    if todo.back:
        text = (
            f"{subject}: its positions expired while nobody was in it, and workers are running again: they begin where "
            f"their auto.offset.reset says; scale them to zero for a moment to have them go on at {_listed(todo.back)}"
        )
        return Verdict("OffsetsExpired", text)
    if todo.first:
        text = (
            f"{subject}: the topic has partitions in which the group has no position yet, and workers are running; have "
            "them begin with the earliest event there, or scale them to zero for a moment"
        )
        return Verdict("NewPartitionsUncommitted", text)
    return None


def mistrust(todo: Duties, look: Look, subject: str) -> Verdict | None:
    """Positions that cannot be right."""
    if not todo.stale:
        return None
    where = ", ".join(
        f"{number}:{look.positions[number]} of {look.ends[number]}" for number in sorted(todo.stale)
    )
    text = (
        f"{subject}: it stands behind the last event ({where}): the topic was made anew or lost events, and workers there "
        "begin where their auto.offset.reset says; scale them to zero and set the positions by hand, or delete them there "
        "to have the group begin as declared"
    )
    return Verdict("OffsetsStale", text)


def brought_back(memory: Memory, subject: str) -> Verdict | None:
    """What is worth knowing of positions that were brought back, until workers move on from there."""
    if not memory.back:
        return None
    text = (
        f"{subject}: its positions expired while nobody was in it and were brought back where they were last seen "
        f"({_listed(memory.back)}): events after them may be handled again, none is left out"
    )
    return Verdict("OffsetsExpired", text)


def too_late(subject: str, *, resumed: bool) -> Verdict:
    """Why a group cannot be given its first positions: somebody is in it already."""
    if resumed:
        text = (
            f"{subject}: its positions were gone and workers are running again: they begin where their auto.offset.reset "
            "says; scale them to zero for a moment to have them go on where they were"
        )
        return Verdict("OffsetsExpired", text)
    text = (
        f"{subject}: workers came before the group was given its start and begin where their auto.offset.reset says; "
        "scale them to zero for a moment to have them begin as spec.start declares"
    )
    return Verdict("StartNotApplied", text)


def _listed(offsets: Mapping[int, int]) -> str:
    return ", ".join(f"{number}:{offset}" for number, offset in sorted(offsets.items()))


def _old(memory: Memory, number: int, now: float, retention: float) -> bool:
    return now - memory.since[number] >= retention / _SHARE
