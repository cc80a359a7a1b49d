"""The thirteen standard traces of two hours, and traces that users describe. Knows no policy."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from headgate.sim.setting import STANDARD_RATE, Failing, Limit, Span, Trace

HOURS: Final = 7200
_MOST_SECONDS: Final = 7 * 86400
_FIRST: Final = 60  # seconds for which replicas are there at the beginning


class BadTraceError(ValueError):
    """Arrivals that cannot be understood; says in which line and what was expected."""

    reason: Final = "BadTrace"


def _every(rate: Callable[[int], float]) -> tuple[float, ...]:
    return tuple(float(rate(second)) for second in range(HOURS))


def _steady(rate: float) -> tuple[float, ...]:
    return _every(lambda _: rate)


def _bursts(low: float, high: float, begin: int, seconds: int, every: int = HOURS) -> tuple[float, ...]:
    return _every(lambda t: high if begin <= t % every < begin + seconds else low)


def _step(before: float, after: float, at: int) -> tuple[float, ...]:
    return _every(lambda t: before if t < at else after)


_STANDARD: Final = (
    Trace("steady", "180/s throughout", _steady(180)),
    Trace("spike", "60/s, and 600/s for two minutes", _bursts(60, 600, 3000, 120)),
    Trace("micro_spikes", "80/s, and 400/s for 20 s every ten minutes", _bursts(80, 400, 580, 20, 600)),
    Trace("step", "60/s, then 500/s", _step(60, 500, 3000)),
    Trace(
        "diurnal",
        "from 20/s to 480/s and back, as a day goes",
        _every(lambda t: 250 - 230 * math.cos(2 * math.pi * t / HOURS)),
    ),
    Trace(
        "sawtooth",
        "from 40/s to 600/s every quarter of an hour",
        _every(lambda t: 40 + 560 * (t % 900) / 900),
    ),
    Trace(
        "slow_leak",
        "180/s, and replicas that get slower, down to 30 % at the end",
        _steady(180),
        slowing=0.3,
    ),
    Trace(
        "poison",
        "300/s, and one partition that makes no progress in the second hour",
        _steady(300),
        blocked=Span(3600, 7200),
    ),
    Trace(
        "noise_rebalance",
        "220/s give or take 40 %, and rebalances that stop everything for 15 s",
        _steady(220),
        noise=0.4,
        pause=15,
    ),
    Trace(
        "downstream_cap",
        "260/s, and half an hour in which everything together gets 180/s done",
        _steady(260),
        limit=Limit(Span(1800, 3600), 180),
    ),
    Trace(
        "metrics_outage",
        "100/s, then 400/s, and a broker that cannot be read twice for ten minutes, once during the step",
        _step(100, 400, 1230),
        blind=(Span(1200, 1800), Span(4800, 5400)),
    ),
    Trace("hot_partition", "100/s, 40 % of them on one partition", _steady(100), hot=0.4),
    Trace(
        "batch_idle",
        "20,000 events at once every half hour, nothing otherwise",
        _bursts(0, 20_000, 600, 1, 1800),
        noise=0.0,
        to_zero=True,
        start=0,
    ),
)
_MORE: Final = (
    Trace(
        "retry_storm",
        "a queue with 100/s, and an hour in which a tenth fails and waits two minutes; 1,000 may be in flight",
        _steady(100),
        failing=Failing(Span(1800, 5400), 0.1, 120, 1000),
    ),
)
MORE: Final[Mapping[str, Trace]] = {trace.name: trace for trace in _MORE}  # not among the thirteen
TRACES: Final[Mapping[str, Trace]] = {trace.name: trace for trace in _STANDARD}


def from_csv(name: str, lines: Iterable[str]) -> Trace:
    """A trace as users write it: `second,rate`, in the order of seconds; a rate holds until the next line."""
    points = list(_points(lines))
    if not points:
        raise BadTraceError(f"{name}: has no line after the first; expected lines such as 0,180")
    if points[0][0] != 0:
        raise BadTraceError(f"{name}, line 2: begins with second {points[0][0]}; expected second 0")
    rates: list[float] = []
    for (begin, rate), (end, _) in zip(points, [*points[1:], (points[-1][0] + 1, 0.0)], strict=True):
        rates.extend([rate] * (end - begin))
    first = rates[:_FIRST]
    start = math.ceil(sum(first) / len(first) / STANDARD_RATE)
    return Trace(name, "as the file says", tuple(rates), noise=0.0, start=start)


def _points(lines: Iterable[str]) -> Iterable[tuple[int, float]]:
    last = -1
    for number, line in enumerate(lines, 1):
        words = [word.strip() for word in line.strip().lstrip("\ufeff").split(",")]
        if number == 1:
            if words != ["second", "rate"]:
                raise BadTraceError(
                    f"line 1: is {line.strip()!r}; expected the names of the columns, second,rate"
                )
            continue
        if words == [""]:
            continue
        second, rate = _point(number, words)
        if second <= last:
            raise BadTraceError(f"line {number}: second {second} comes after {last}; expected a later one")
        last = second
        yield second, rate


def _point(number: int, words: list[str]) -> tuple[int, float]:
    if len(words) != len(("second", "rate")):
        raise BadTraceError(f"line {number}: has {len(words)} columns; expected two, second and rate")
    try:
        second = int(words[0])
    except ValueError:
        second = -1
    if not 0 <= second < _MOST_SECONDS:
        raise BadTraceError(
            f"line {number}: second is {words[0]!r}; expected a whole number from 0 to {_MOST_SECONDS - 1}"
        )
    try:
        rate = float(words[1])
    except ValueError:
        rate = -1.0
    if not 0 <= rate < math.inf:
        raise BadTraceError(
            f"line {number}: rate is {words[1]!r}; expected events per second, a number from 0 on"
        )
    return second, rate
