"""What status says about lag, and when it is worth writing again. Knows no broker, no cluster and no clock.

Figures in status are coarse: a write per look and group would never end. Only a promise broken or kept again is told
at once; at rest the last word is the exact one, and then nothing is written any more.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from headgate.api import format_duration
from headgate.core.lag import Lag, Sight

EVERY: Final = timedelta(seconds=30)  # the least between two writes of figures
SETTLED: Final = timedelta(seconds=300)  # after which also small differences are written
_TENTH: Final = 10


class Freshness(StrEnum):
    """Whether events reach their first attempt in time: the reasons of condition Fresh."""

    KEPT = "PromiseKept"
    BROKEN = "PromiseBroken"
    UNKNOWN = "MetricsLost"


@dataclass(frozen=True, slots=True)
class LagStatus:
    """The figures of `status.lag`."""

    pending: int
    in_flight: int
    redelivered: int
    stranded: int
    oldest_time: datetime | None  # whole seconds
    oldest_unsettled_time: datetime | None


@dataclass(frozen=True, slots=True)
class LagView:
    """Everything that status says about the lag of one group, as of one moment."""

    lag: LagStatus
    fresh: Freshness | None  # None: nothing is promised
    message: str  # for condition Fresh; as old as the figures
    checkpoint: str
    repeats_at_most: int
    taken: datetime
    turned: datetime  # when `fresh` last changed


def publish(before: LagView | None, lag: Lag, promise: timedelta | None, now: datetime) -> LagView | None:
    """What status is to say now: `before` itself where nothing is worth a write, None before the first look."""
    if lag.sight is Sight.UNSEEN or (lag.sight is Sight.LOST and before is None):
        return before
    fresh = _freshness(before, lag, promise, now)
    if before is not None and lag.sight is Sight.LOST:
        return (
            before
            if fresh is before.fresh
            else replace(before, fresh=fresh, message=_message(fresh, lag, promise), turned=now)
        )
    figures = _figures(lag)
    if before is not None and fresh is before.fresh and not _worth(before, figures, lag, now):
        return before
    return LagView(
        lag=figures,
        fresh=fresh,
        message=_message(fresh, lag, promise),
        checkpoint=lag.checkpoint,
        repeats_at_most=lag.repeats_at_most,
        taken=now,
        turned=now if before is None or fresh is not before.fresh else before.turned,
    )


def _freshness(
    before: LagView | None, lag: Lag, promise: timedelta | None, now: datetime
) -> Freshness | None:
    """Kept again is said with a pause, so that an age around the promise does not write at every look."""
    if promise is None:
        return None
    if lag.sight is Sight.LOST:
        return Freshness.UNKNOWN
    if lag.age is not None and lag.age > promise:
        return Freshness.BROKEN
    if (
        before is not None
        and before.fresh is Freshness.BROKEN
        and timedelta(0) <= now - before.turned < EVERY
    ):
        return Freshness.BROKEN
    return Freshness.KEPT


def _figures(lag: Lag) -> LagStatus:
    return LagStatus(
        lag.pending,
        lag.in_flight,
        lag.redelivered,
        lag.stranded,
        _whole(lag.oldest_pending if lag.pending else None),
        _whole(lag.oldest_unsettled if lag.pending or lag.in_flight else None),
    )


def _whole(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(microsecond=0)


def _worth(before: LagView, figures: LagStatus, lag: Lag, now: datetime) -> bool:
    if lag.sight is not Sight.FRESH or timedelta(0) <= now - before.taken < EVERY:
        return False
    position = (before.checkpoint, before.repeats_at_most) != (lag.checkpoint, lag.repeats_at_most)
    exact = lag.at_rest or now - before.taken >= SETTLED
    return position or (before.lag != figures if exact else any(_moved(before.lag, figures, now)))


def _moved(before: LagStatus, after: LagStatus, now: datetime) -> Iterator[bool]:
    for old, new in (
        (before.pending, after.pending),
        (before.in_flight, after.in_flight),
        (before.redelivered, after.redelivered),
        (before.stranded, after.stranded),
    ):
        yield abs(new - old) * _TENTH > old
    for then, moment in (
        (before.oldest_time, after.oldest_time),
        (before.oldest_unsettled_time, after.oldest_unsettled_time),
    ):
        if then is None or moment is None:
            yield then is not moment
        else:
            yield abs(moment - then) * _TENTH > now - then


def _message(fresh: Freshness | None, lag: Lag, promise: timedelta | None) -> str:
    if promise is None:
        return ""
    promised = format_duration(promise)
    match fresh:
        case Freshness.KEPT:
            return f"Events reach their first attempt within the promised {promised}"
        case Freshness.UNKNOWN:
            return "How late events are cannot be read from the broker at present"
        case _:
            age = "" if lag.age is None else f"; the oldest has waited {lag.age.total_seconds():.0f}s"
            return f"{lag.pending} events wait for a first attempt that was promised within {promised}{age}"
