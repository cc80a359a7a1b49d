"""From what was read of a group over time to rates, ages and what is stuck. Knows no broker, no cluster and no clock.

Counters of brokers restart, answers lack partitions, clocks step back: none of that may look like work that
appeared or like work that is done. Whatever cannot be compared with the past starts a new one.
"""

import itertools
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from headgate.core.progress import PartitionProgress, Progress
from headgate.core.spread import Marks, Spread, marked, spread

RECENT: Final = timedelta(seconds=15)  # three looks: what is going on
SLOW: Final = timedelta(seconds=120)  # what is usual
STALE: Final = timedelta(seconds=15)
LOST: Final = timedelta(seconds=60)
_SHORTEST: Final = timedelta(seconds=2)  # a rate over less is noise
_KEEP: Final = 64
_THIRD: Final = timedelta(seconds=40)
_THIRDS: Final = 3
_UNMOVED: Final = timedelta(seconds=20)  # a partition that stands still for a moment is not stuck
_ENOUGH: Final = 30  # finished events that make a rate trustworthy
_SHORT_LOOK: Final = timedelta(seconds=8)  # the least that a rate is learned from, given enough events
_LONG_LOOK: Final = timedelta(seconds=12)  # the least otherwise
_NOTHING: Final = timedelta(0)


class Sight(StrEnum):
    """How far what is known of a group can be trusted."""

    FRESH = "Fresh"
    STALE = "Stale"  # not read for a while
    LOST = "Lost"  # not read for so long that it says nothing any more
    UNSEEN = "Unseen"  # not read yet, and about to be: nothing is decided or said before


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at a group, with what happened since the first one."""

    at: datetime  # by the clock that the broker's answers carry
    arrived: int
    handed: int  # handed out for the first time
    pending: int
    in_flight: int

    @property
    def finished(self) -> int:
        """Handed out and no longer being worked on."""
        return self.handed - self.in_flight

    def is_like(self, other: "Sample") -> bool:
        """Whether nothing happened between the two."""
        return (
            self.arrived == other.arrived
            and self.handed == other.handed
            and self.pending == other.pending
            and self.in_flight == other.in_flight
        )


@dataclass(frozen=True, slots=True)
class History:
    """What is remembered of one group; the times are ours, only those of samples are the broker's."""

    samples: tuple[Sample, ...] = ()
    last: Progress | None = None
    received: datetime | None = None
    empty_since: datetime | None = None  # nothing pending, nothing in flight, nothing that came and went
    stuck_since: datetime | None = None  # in flight, nobody asks for more and nothing moves
    pressed_since: datetime | None = None  # something pending at every look
    working_since: datetime | None = None  # events get finished
    finished_at: datetime | None = None
    track: tuple[Marks, ...] = ()  # where members read partitions of their own

    @property
    def at_rest(self) -> bool:
        """Whether the group had nothing to do when it was last read."""
        return self.last is not None and self.last.pending == 0 and self.last.in_flight == 0


@dataclass(frozen=True, slots=True)
class Lag:
    """How late a group is, and how fast it goes, at one moment."""

    sight: Sight
    pending: int = 0
    in_flight: int = 0
    redelivered: int = 0
    stranded: int = 0  # in flight with nobody who could still settle them
    oldest_pending: datetime | None = None
    oldest_unsettled: datetime | None = None
    age: timedelta | None = None  # of the oldest event that was never handed out
    arriving: float | None = None  # events per second lately; None: not known yet
    usual: float | None = None  # the same over a longer while
    finishing: float | None = None  # events per second that workers got done lately
    level: float | None = None  # events that arrive per second, over forty seconds
    growing: float = 0.0  # events per second more in every second, for two minutes without a break
    idle_for: timedelta | None = None  # nothing pending, in flight, delayed or stranded
    pressed_for: timedelta = _NOTHING  # something has been pending without a break
    working_for: timedelta = _NOTHING  # events have been finished without a long break
    unfinished_for: timedelta | None = None  # since an event was last finished; None: not seen yet
    checkpoint: str = ""
    repeats_at_most: int = 0
    samples: tuple[Sample, ...] = ()
    behind: timedelta = _NOTHING  # what to add to the time of a sample for it to be ours
    unread_for: timedelta = _NOTHING  # since it was last read
    spread: Spread | None = None  # where members read partitions of their own

    @property
    def at_rest(self) -> bool:
        """Whether there is nothing to do at all."""
        return self.pending == 0 and self.in_flight == 0


@dataclass(frozen=True, slots=True)
class Pace:
    """What workers got done while there was always more to do."""

    rate: float  # events per second
    span: timedelta


def seen(history: History, progress: Progress, now: datetime) -> History:
    """The history with one more look at the group."""
    last = history.last
    if last is None or history.received is None:
        return _begin(progress, now)
    if len(progress.partitions) < len(last.partitions):
        return _begin(progress, now) if _sight(history.received, now, STALE) is Sight.LOST else history
    if progress.at < last.at or _restarted(last, progress):
        return _begin(progress, now)
    sample = _next(history.samples[-1], last, progress)
    before = history.samples[:-1] if progress.at == last.at else history.samples
    finished = sample.finished > history.samples[-1].finished
    working = history.finished_at is not None and now - history.finished_at <= LOST
    return History(
        samples=_trimmed((*before, sample)),
        last=progress,
        received=now,
        empty_since=_empty_since(history, sample, now) if _empty(progress) else None,
        stuck_since=(history.stuck_since or now) if _stuck(last, progress) else None,
        pressed_since=(history.pressed_since or now) if progress.pending else None,
        working_since=history.working_since if working else (now if finished else None),
        finished_at=now if finished else history.finished_at,
        track=_track(history, progress),
    )


def unmoved(history: History, now: datetime) -> History:
    """The history of a group at rest whose topic was looked at and has not moved: nothing happened to the group."""
    if history.received is None or history.last is None or not history.at_rest or now <= history.received:
        return history
    passed = now - history.received
    last = history.samples[-1]
    still = replace(last, at=last.at + passed)
    quiet = len(history.samples) > 1 and history.samples[-2].is_like(last)
    before = history.samples[:-1] if quiet else history.samples
    return replace(
        history,
        samples=_trimmed((*before, still)),
        last=(still_last := replace(history.last, at=history.last.at + passed)),
        received=now,
        track=_track(history, still_last),
    )


def figures(history: History, now: datetime, patience: timedelta, stale_after: timedelta = STALE) -> Lag:
    """What the history says at this moment. `patience` is the longest that a healthy event may stay in flight."""
    last, received = history.last, history.received
    if last is None or received is None:
        return Lag(Sight.LOST)
    passed = max(_NOTHING, now - received)
    stranded = history.stuck_since is not None and now - history.stuck_since > patience
    return Lag(
        sight=_sight(received, now, stale_after),
        pending=last.pending,
        in_flight=last.in_flight,
        redelivered=last.redelivered,
        stranded=last.in_flight if stranded else 0,
        oldest_pending=last.oldest_pending,
        oldest_unsettled=last.oldest_unsettled,
        age=_age(last, passed),
        arriving=_arriving(history.samples, RECENT),
        usual=_arriving(history.samples, SLOW),
        finishing=_finishing(history.samples),
        level=_arriving(history.samples, _THIRD),
        growing=_growing(history.samples),
        idle_for=_since(history.empty_since, now),
        pressed_for=_since(history.pressed_since, now) or _NOTHING,
        working_for=_since(history.working_since, now) or _NOTHING,
        unfinished_for=_since(history.finished_at, now),
        checkpoint=last.checkpoint,
        repeats_at_most=last.repeats_at_most,
        samples=history.samples,
        behind=received - last.at,
        unread_for=passed,
        spread=spread(history.track, passed.total_seconds(), max(_UNMOVED, patience / 3)),
    )


def pace(lag: Lag, since: datetime, most: int | None = None) -> Pace | None:
    """How much got done per second while work never ran out, counted after `since`; None: not long enough.

    While more than `most` were in flight nothing more was handed out, however much waited.
    """
    first = None
    newest = lag.samples[-1] if lag.samples else None
    for sample in reversed(lag.samples):
        if sample.pending == 0 or sample.at + lag.behind < since:
            break
        if most is not None and sample.in_flight > most:
            break
        first = sample
        if newest is not None and _is_enough(first, newest):
            break
    if (
        first is None
        or newest is None
        or (not _is_enough(first, newest) and newest.at - first.at < _LONG_LOOK)
    ):
        return None
    span = newest.at - first.at
    return Pace(max(0, newest.finished - first.finished) / span.total_seconds(), span)


def _is_enough(first: Sample, newest: Sample) -> bool:
    return newest.at - first.at >= _SHORT_LOOK and newest.finished - first.finished >= _ENOUGH


def _begin(progress: Progress, now: datetime) -> History:
    return History(
        samples=(Sample(progress.at, 0, 0, progress.pending, progress.in_flight),),
        last=progress,
        received=now,
        empty_since=now if _empty(progress) else None,
        stuck_since=now if _abandoned(progress) else None,
        pressed_since=now if progress.pending else None,
        track=marked((), progress) if progress.exclusive else (),
    )


def _track(history: History, progress: Progress) -> tuple[Marks, ...]:
    if not progress.exclusive:
        return ()
    same = history.last is not None and len(history.last.partitions) == len(progress.partitions)
    return marked(history.track if same else (), progress)


def _restarted(before: Progress, after: Progress) -> bool:
    """Positions that fell belong to something that was made anew or rewound."""
    if (
        before.deliveries is not None
        and after.deliveries is not None
        and after.deliveries < before.deliveries
    ):
        return True
    return any(new.head < old.head or new.delivered < old.delivered for old, new in _pairs(before, after))


def _pairs(before: Progress, after: Progress) -> list[tuple[PartitionProgress, PartitionProgress]]:
    """Partitions that were there before; what a new one already holds did not arrive just now."""
    return list(zip(before.partitions, after.partitions, strict=False))


def _next(sample: Sample, before: Progress, after: Progress) -> Sample:
    """Positions may have gaps (a filter) and deliveries may repeat: the smaller of both is nearest to the truth."""
    moved = sum(new.head - old.head for old, new in _pairs(before, after))
    handed = sum(new.delivered - old.delivered for old, new in _pairs(before, after))
    if before.deliveries is not None and after.deliveries is not None:
        handed = min(handed, after.deliveries - before.deliveries)
    arrived = min(moved, max(0, after.pending - before.pending + handed))
    return Sample(after.at, sample.arrived + arrived, sample.handed + handed, after.pending, after.in_flight)


def _trimmed(samples: tuple[Sample, ...]) -> tuple[Sample, ...]:
    """What is newer than the longest window, and the one before."""
    kept = samples[-_KEEP:]
    begin = next(n for n, sample in enumerate(kept) if kept[-1].at - sample.at <= SLOW)
    return kept[max(0, begin - 1) :]


def _empty(progress: Progress) -> bool:
    return progress.pending == 0 and progress.in_flight == 0


def _empty_since(history: History, sample: Sample, now: datetime) -> datetime:
    """What came and went between two looks was work all the same."""
    quiet = sample.arrived == history.samples[-1].arrived and sample.handed == history.samples[-1].handed
    return history.empty_since if quiet and history.empty_since is not None else now


def _abandoned(progress: Progress) -> bool:
    return progress.in_flight > 0 and progress.waiting == 0


def _stuck(before: Progress, after: Progress) -> bool:
    still = (before.in_flight, before.redelivered, before.deliveries) == (
        after.in_flight,
        after.redelivered,
        after.deliveries,
    )
    moved = any((o.delivered, o.settled) != (n.delivered, n.settled) for o, n in _pairs(before, after))
    return _abandoned(after) and still and not moved


def _sight(received: datetime, now: datetime, stale_after: timedelta) -> Sight:
    passed = now - received
    if passed <= stale_after:
        return Sight.FRESH
    return Sight.LOST if passed > max(LOST, stale_after * 2) else Sight.STALE


def _age(last: Progress, passed: timedelta) -> timedelta | None:
    if last.oldest_pending is None or last.pending == 0:
        return None
    return max(_NOTHING, last.at - last.oldest_pending) + passed


def _since(start: datetime | None, now: datetime) -> timedelta | None:
    return None if start is None else max(_NOTHING, now - start)


def _window(samples: tuple[Sample, ...], window: timedelta) -> tuple[Sample, Sample, float] | None:
    """The longest stretch within the window; where looks are rarer than that, the last two."""
    newest = samples[-1]
    begin = next(n for n, sample in enumerate(samples) if newest.at - sample.at <= window)
    first = samples[begin]
    since = first.at
    if begin > 0 and samples[begin - 1].is_like(first):
        since = newest.at - window  # nothing happened since the look before, so also at that time
    if newest.at - since < _SHORTEST:
        first = next((s for s in reversed(samples) if newest.at - s.at >= _SHORTEST), newest)
        since = first.at
    if since == newest.at:
        return None
    return first, newest, (newest.at - since).total_seconds()


def _arriving(samples: tuple[Sample, ...], window: timedelta) -> float | None:
    found = _window(samples, window)
    return None if found is None else (found[1].arrived - found[0].arrived) / found[2]


def _finishing(samples: tuple[Sample, ...]) -> float | None:
    found = _window(samples, RECENT)
    return None if found is None else max(0, found[1].finished - found[0].finished) / found[2]


def _growing(samples: tuple[Sample, ...]) -> float:
    """The smaller rise from each third of the long window to the next: a jump is no trend."""
    newest = samples[-1]
    marks = [newest]
    for sample in reversed(samples):
        if newest.at - sample.at >= _THIRD * len(marks):
            marks.append(sample)
    if len(marks) <= _THIRDS:
        return 0.0
    rates = [_between(older, newer) for newer, older in itertools.pairwise(marks)]
    return max(0.0, min(a - b for a, b in itertools.pairwise(rates)) / _THIRD.total_seconds())


def _between(first: Sample, last: Sample) -> float:
    return (last.arrived - first.arrived) / (last.at - first.at).total_seconds()
