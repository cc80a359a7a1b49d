"""How the partitions of one group fare: ages, who reads what, what is stuck. Knows no broker and no clock.

A broker with partitions says how far each was written and committed, and who reads it; it does not say when an event
was written. So positions are remembered: an event is as old as the look that first saw its position written.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from operator import attrgetter
from typing import Final

from headgate.core.progress import Progress

INVISIBLE: Final = 10.0  # seconds of arrivals that only wait for a commit and for the look after it
_USUAL: Final = timedelta(seconds=120)
_PACED: Final = timedelta(seconds=20)  # the least that a pace is measured over
_LONGEST_PACED: Final = timedelta(
    seconds=60
)  # the most; commits come in steps, which a short while exaggerates
_MOVING: Final = timedelta(seconds=10)  # right after a move partitions stand still
_KEEP: Final = 64
_HIGH: Final = 0.7  # of several paces the one that so many do not exceed
_AT = attrgetter("at")
_Owners = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Marks:
    """Where every partition was at one look."""

    at: datetime
    heads: tuple[int, ...]
    done: tuple[int, ...]
    owners: _Owners


@dataclass(frozen=True, slots=True)
class Spread:
    """All partitions of a group at one moment, in the same order."""

    usual: tuple[float, ...]  # events that arrive per second, over two minutes
    pending: tuple[float, ...]  # beyond what only waits for a commit; none where a partition is stuck
    owners: _Owners
    age: float  # seconds, of the oldest event in a partition that is not stuck
    stuck: tuple[int, ...] = ()  # partitions that stand still while others get on
    paced: float | None = None  # events per second of a reader that always had something to do
    members: int = 0  # that read something
    settled: bool = True  # every partition got on since partitions last moved

    @property
    def count(self) -> int:
        return len(self.pending)


def marked(track: tuple[Marks, ...], progress: Progress) -> tuple[Marks, ...]:
    """The marks with one more look; of those long ago only every other one stays, again and again."""
    parts = progress.partitions
    mark = Marks(
        progress.at,
        tuple([part.head for part in parts]),
        tuple([part.delivered for part in parts]),
        tuple([part.owner for part in parts]),
    )
    if track and track[-1].at >= mark.at:
        track = track[:-1]
    if len(track) >= _KEEP:
        track = (*track[: _KEEP // 2 : 2], *track[_KEEP // 2 :])
    return (*track, mark)


def spread(track: Sequence[Marks], passed: float, stuck_after: timedelta) -> Spread | None:
    """What the marks say, so many seconds after the last one; None: there are none."""
    if not track:
        return None
    newest = track[-1]
    if len(track) == 1:
        return _first(newest)
    rates = _rates(_before(track, _USUAL), newest)
    lag = [head - done for head, done in zip(newest.heads, newest.done, strict=True)]
    stuck = _stuck(track, lag, stuck_after)
    pending = [max(0.0, each - INVISIBLE * rate) for each, rate in zip(lag, rates, strict=True)]
    for partition in stuck:
        pending[partition] = 0.0
    return Spread(
        usual=rates,
        pending=tuple(pending),
        owners=newest.owners,
        age=_age(track, lag, stuck) + passed,
        stuck=stuck,
        paced=_paced(track, rates),
        members=len(set(newest.owners) - {None}),
        settled=_settled(track, lag, stuck),
    )


def _first(mark: Marks) -> Spread:
    """One look does not tell what gets done and what is stuck, unless nobody reads at all."""
    members = len(set(mark.owners) - {None})
    nothing = (0.0,) * len(mark.heads)
    lag = tuple([float(max(0, head - done)) for head, done in zip(mark.heads, mark.done, strict=True)])
    return Spread(nothing, nothing if members else lag, mark.owners, age=0.0, members=members)


def _before(track: Sequence[Marks], span: timedelta) -> Marks:
    """The last look that was at least so long ago, or the first one there is."""
    return track[max(0, bisect_right(track, track[-1].at - span, key=_AT) - 1)]


def _rates(first: Marks, last: Marks) -> tuple[float, ...]:
    seconds = (last.at - first.at).total_seconds()
    return tuple([(b - a) / seconds for a, b in zip(first.heads, last.heads, strict=True)])


def _age(track: Sequence[Marks], lag: Sequence[int], stuck: Sequence[int]) -> float:
    """Seconds before the last look at which the oldest event was written that is not done."""
    oldest = 0.0
    for partition, behind in enumerate(lag):
        if behind > 0 and partition not in stuck:
            oldest = max(oldest, _written(track, partition))
    return oldest


def _written(track: Sequence[Marks], partition: int) -> float:
    """How long ago the first event was written that is not done, evenly between the two looks around it."""
    newest = track[-1]
    done = newest.done[partition]
    first = bisect_right(track, done, key=lambda mark: mark.heads[partition])
    high = track[first]
    age = (newest.at - high.at).total_seconds()
    if first == 0:
        return age
    low = track[first - 1]
    part = (high.heads[partition] - done) / (high.heads[partition] - low.heads[partition])
    return age + (high.at - low.at).total_seconds() * part


def _stuck(track: Sequence[Marks], lag: Sequence[int], after: timedelta) -> tuple[int, ...]:
    """Partitions that stand still while others get on; where that is more than half, something else is wrong."""
    newest, then = (
        track[-1],
        _before(track, after),
    )  # right after a start whatever stands still is under suspicion
    still: list[int] = []
    for partition, behind in enumerate(lag):
        done = newest.done[partition]
        if behind > 0 and done == then.done[partition] < then.heads[partition]:
            still.append(partition)
    return tuple(still) if 2 * len(still) <= len(lag) and newest.done != then.done else ()


def _settled(track: Sequence[Marks], lag: Sequence[int], stuck: Sequence[int]) -> bool:
    newest, first = track[-1], track[-1]
    for mark in reversed(track):
        if mark.owners != newest.owners:
            break
        first = mark
    else:
        return True
    return all(
        newest.done[partition] > first.done[partition]
        for partition, behind in enumerate(lag)
        if behind > 0 and partition not in stuck
    )


def _paced(track: Sequence[Marks], rates: Sequence[float]) -> float | None:
    """The pace of readers that had more to do than fits into a commit, at every look for a while."""
    newest = track[-1]
    begun = next((mark.at for mark in _unmoved(track)), newest.at) + _MOVING
    mine: dict[int, list[int]] = {}
    for partition, owner in enumerate(newest.owners):
        if owner is not None:
            mine.setdefault(owner, []).append(partition)
    paces = []
    earliest = max(begun, newest.at - _LONGEST_PACED)
    for partitions in mine.values():
        unseen = INVISIBLE * sum([rates[partition] for partition in partitions])
        first = _behind_since(track, partitions, unseen, earliest)
        if newest.at - first.at >= _PACED:
            done = sum([newest.done[partition] - first.done[partition] for partition in partitions])
            paces.append(done / (newest.at - first.at).total_seconds())
    found = sorted([each for each in paces if each > 0])
    return found[round(_HIGH * (len(found) - 1))] if found else None


def _unmoved(track: Sequence[Marks]) -> Sequence[Marks]:
    """The looks since partitions last moved."""
    for position in range(len(track) - 1, 0, -1):
        if track[position - 1].owners != track[-1].owners:
            return track[position:]
    return track


def _behind_since(
    track: Sequence[Marks], partitions: Sequence[int], unseen: float, earliest: datetime
) -> Marks:
    """The first of the last looks at all of which more than that waited in these partitions."""

    def behind(mark: Marks) -> bool:
        heads, done = mark.heads, mark.done
        return mark.at >= earliest and sum([heads[each] - done[each] for each in partitions]) > unseen

    found = list(takewhile(behind, reversed(track)))
    return found[-1] if found else track[-1]
