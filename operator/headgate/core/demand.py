"""What loads ask of replicas, counted in replicas. Knows no bounds of a workload, no clock and no decision.

Work of several loads adds up. Where partitions belong to one replica each, the busiest replica decides: between 12 and
23 replicas it has two of 24 partitions, so that 13 handle no more than 12.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from headgate.core.lag import Lag
from headgate.core.scaling import Load
from headgate.core.spread import INVISIBLE, Spread

HOT: Final = 0.85  # of a replica: the most that one partition counts for, since nobody can help it further
_CHANGED: Final = 0.15  # what arrives lately tells another rate, not chance
_SUDDEN: Final = 10.0  # seconds: what came at once is not taken for a stream of such events
_ROUNDING: Final = 1e-9
_MOST: Final = 1e6


@dataclass(frozen=True, slots=True)
class Share:
    """Work of one load in replicas: all of it, and what belongs to its busiest partition."""

    total: float
    top: float = 0.0
    count: int | None = None  # partitions; None: any replica takes any event

    def peak(self, replicas: int) -> float:
        """What falls to the busiest of so many replicas."""
        even = self.total / replicas
        if self.count is None:
            return even
        others = -(-self.count // replicas) - 1
        rest = (self.total - self.top) / max(1, self.count - 1)
        return max(even, min(self.top, HOT) + others * rest)


@dataclass(frozen=True, slots=True)
class Demand:
    """One load that can be seen and whose rate is known; times in seconds."""

    load: Load
    rate: float  # events per second and replica
    arriving: float  # events per second now
    usual: float
    backlog: float  # events that more replicas would get done sooner
    age: float  # of the oldest of these
    deadline: float  # what it may be

    def flow(self, per_second: float) -> Share:
        """So many arrivals per second, spread over the partitions as they usually are."""
        spread, total = self.load.lag.spread, per_second / self.rate
        if spread is None:
            return Share(total)
        known = sum(spread.usual)
        part = max(spread.usual) / known if known > 0 else 1 / spread.count
        return Share(total, total * part, spread.count)

    def drain(self, part: float, seconds: float, per_second: float) -> Share:
        """That part of the backlog within so many seconds, and so many arrivals beside it."""
        spread, flow = self.load.lag.spread, self.flow(per_second)
        if self.backlog <= 0:
            return flow
        each = part / (seconds * self.rate)
        top = each * max(spread.pending) if spread is not None else 0.0
        return Share(flow.total + each * self.backlog, flow.top + top, flow.count)

    def busiest(self, replicas: int) -> float:
        """Arrivals at the busiest of the present replicas; at equal parts where it is not known who reads what."""
        spread = self.load.lag.spread
        if spread is None or spread.members != replicas or not any(spread.usual):
            return self.flow(self.arriving).peak(replicas)
        part = _largest(spread.owners, spread.usual) / sum(spread.usual)
        return part * self.arriving / self.rate

    def longest(self, replicas: int) -> float:
        """Seconds until the last event that waits now would be taken."""
        if self.backlog <= 0:
            return 0.0
        spread, even = self.load.lag.spread, self.backlog / (replicas * self.rate)
        if spread is None or spread.members != replicas:
            return even
        return max(even, _largest(spread.owners, spread.pending) / self.rate)


def demand(load: Load, rate: float, *, helpful: bool = True, served: bool = True) -> Demand:
    """The load as a demand; its backlog counts only where more replicas would be helpful.

    Where nobody serves it, all that waits came since the oldest of it did, and goes on coming.
    """
    lag, spread = load.lag, load.lag.spread
    drain = load.drain_within.total_seconds()
    deadline = drain if load.promise is None else min(drain, load.promise.total_seconds())
    age = lag.age.total_seconds() if lag.age is not None else 0.0
    backlog = float(lag.pending)
    if spread is not None:
        backlog, age = sum(spread.pending), max(0.0, spread.age - min(INVISIBLE, deadline / 3))
    if not helpful:
        backlog = 0.0
    arriving = level(lag)
    if not served and (age > 0 or lag.age is not None):
        arriving = max(arriving, backlog / max(age, _SUDDEN))
    return Demand(load, rate, arriving, lag.usual or 0.0, backlog, age if backlog > 0 else 0.0, deadline)


def gone_on(load: Load, capacity: float, seconds: float) -> Load:
    """The load as it has become since it was read, if as many arrive as did then and so many per second get done."""
    lag = load.lag
    grown = lag.growing * seconds
    arriving = level(lag) + grown / 2
    more = (arriving - capacity) * seconds
    age = seconds if lag.age is None else lag.age.total_seconds()
    left = max(0.0, lag.pending + more)
    dense = max(
        arriving, lag.pending / max(1.0, age - seconds)
    )  # events per second of age, among those that wait
    passed_by = capacity * seconds / dense if dense > 0 else 0.0
    return replace(
        load,
        lag=replace(
            lag,
            arriving=None if lag.arriving is None else lag.arriving + grown,
            level=None if lag.level is None else lag.level + grown,
            pending=math.ceil(left - _ROUNDING),
            age=timedelta(seconds=max(0.0, age - passed_by)) if left > 0 else None,
            spread=None if lag.spread is None else _spread_on(lag.spread, more, passed_by),
        ),
    )


def _spread_on(spread: Spread, more: float, passed_by: float) -> Spread:
    """Partitions with so many events more or fewer, by what each of them usually gets."""
    known = sum(spread.usual)
    parts = [usual / known if known > 0 else 1 / spread.count for usual in spread.usual]
    pending = [
        0.0 if number in spread.stuck else max(0.0, waits + more * part)
        for number, (waits, part) in enumerate(zip(spread.pending, parts, strict=True))
    ]
    return replace(spread, pending=tuple(pending), age=max(0.0, spread.age - passed_by))


def level(lag: Lag) -> float:
    """Arrivals per second: over a longer while, unless they have clearly changed."""
    lately = lag.arriving or 0.0
    if lag.level is not None and abs(lately - lag.level) <= _CHANGED * lag.level:
        return lag.level
    return lately


def waiting(load: Load) -> float:
    """Events that wait and are not just on their way."""
    spread = load.lag.spread
    return float(load.lag.pending) if spread is None else sum(spread.pending)


def fit(shares: Sequence[Share], limit: float, most: int) -> int:
    """The fewest replicas of which none has more to do than the limit, no more than could do anything."""
    total = sum([share.total for share in shares])
    if total <= 0:
        return 0
    number = min(max(1, whole(total / limit)), most)
    while number < most and sum([share.peak(number) for share in shares]) > limit + _ROUNDING:
        following = _next(shares, number)
        if following is None:
            break
        number = min(following, most)
    return packed([share.count for share in shares], number)


def packed(counts: Iterable[int | None], replicas: int) -> int:
    """The fewest replicas of which the busiest has no more partitions than with these."""
    return max(
        [replicas if count is None else -(-count // -(-count // replicas)) for count in counts],
        default=replicas,
    )


def _next(shares: Sequence[Share], number: int) -> int | None:
    """The next number that takes something from the busiest replica; None: there is none."""
    found = []
    for share in shares:
        if share.count is None:
            return number + 1
        each = -(-share.count // number)
        if each > 1:
            found.append(-(-share.count // (each - 1)))
    return min(found, default=None)


def _largest(owners: Sequence[int | None], values: Sequence[float]) -> float:
    """The largest sum of one owner."""
    sums: dict[int | None, float] = {}
    for owner, value in zip(owners, values, strict=True):
        sums[owner] = sums.get(owner, 0.0) + value
    return max(sums.values())


def whole(need: float) -> int:
    """Replicas come whole; what is above a whole number by less than a rounding error is not a need."""
    return math.ceil(min(need, _MOST) - _ROUNDING)
