"""Standard traces cut down to minutes and to what a small machine can carry, as the simulator plays them. Replays nothing.

Only time in which nothing new happens is left out, and rates are lowered; promises, looks and windows are as they are.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from headgate.engine.sampler import PERIOD
from headgate.sim.ours import Ours
from headgate.sim.play import Run, play
from headgate.sim.setting import Failing, Scenario, Span, Terms, Trace, Workers
from headgate.sim.traces import MORE, TRACES

RHYTHM: Final = PERIOD.total_seconds()
RATE: Final = 5.0  # events per second and worker
PER_REPLICA, IN_FLIGHT = 1, 200
MAXIMUM: Final = 12
PROMISE, DRAIN_WITHIN, IDLE_AFTER = 10, 30, 20
ATTEMPTS, WAIT = 3, 5  # of an event that fails for ever, and seconds between two of them


@dataclass(frozen=True, slots=True)
class Replay:
    """What is replayed: arrivals second by second, which of them fail, and where the workload begins."""

    name: str
    about: str
    rates: tuple[float, ...]
    start: int  # replicas at the beginning
    minimum: int = 1
    failing: Failing | None = None

    def cut(self, seconds: int) -> "Replay":
        """The same, over after so many seconds."""
        return Replay(self.name, self.about, self.rates[:seconds], self.start, self.minimum, self.failing)

    @property
    def in_flight(self) -> int:
        """How many events may be in flight."""
        return IN_FLIGHT if self.failing is None else self.failing.limit

    @property
    def attempts(self) -> int:
        """How often an event is tried."""
        return ATTEMPTS if self.failing is None else self.failing.attempts

    @property
    def wait(self) -> int:
        """Seconds between two attempts."""
        return WAIT if self.failing is None else self.failing.delay

    @property
    def events(self) -> int:
        """How many events are published."""
        return due(self.rates)[-1]


@dataclass(frozen=True, slots=True)
class Measured:
    """What real workers turned out to be like."""

    service_rate: float  # events per second of one that always had something to do
    pod_start: float  # seconds from asking for a replica until it asks for its first event


def parts(rates: Sequence[float], spans: Iterable[Span], factor: float) -> tuple[float, ...]:
    """Some spans of a trace, one after the other, at lower rates."""
    return tuple(rate * factor for span in spans for rate in rates[span.begin : span.end])


def due(rates: Iterable[float]) -> list[int]:
    """How many events have to be out at the end of each second; parts of an event wait until it is whole."""
    return [int(total + 1e-6) for total in accumulate(rates)]


def out_by(ends: Sequence[int], moment: float) -> int:
    """How many of them have to be out at a moment, spread evenly over each second."""
    second = int(moment)
    if second >= len(ends):
        return ends[-1]
    before = ends[second - 1] if second else 0
    return before + int((ends[second] - before) * (moment - second))


def fails(failing: Failing | None, number: int, moment: float) -> bool:
    """Whether an event is one of those that fail: evenly spread over all of their time."""
    if failing is None or int(moment) not in failing.span:
        return False
    return int((number + 1) * failing.share) > int(number * failing.share)


def scenario(replay: Replay, measured: Measured) -> Scenario:
    """The same as the simulator sees it."""
    trace = Trace(replay.name, replay.about, replay.rates, noise=0.0, failing=replay.failing)
    workers = Workers(
        partitions=None,
        service_rate=measured.service_rate,
        pod_start=max(1, round(measured.pod_start)),
        concurrency=PER_REPLICA,
        in_flight_limit=replay.in_flight,
        replicas=replay.start,
    )
    terms = Terms(PROMISE, DRAIN_WITHIN, replay.minimum, MAXIMUM, IDLE_AFTER)
    return Scenario(trace, workers, terms)


def predicted(replay: Replay, measured: Measured, looked: float) -> Run:
    """What the simulator expects of an operator that looked at that moment, and in its rhythm before and after it."""
    found = scenario(replay, measured)
    return play(found, Ours(found), looked)


def _standard(name: str, factor: float, *spans: Span) -> tuple[float, ...]:
    return parts(TRACES[name].rates, spans, factor)


_FAILING: Final = Failing(Span(30, 120), 0.2, WAIT, IN_FLIGHT, ATTEMPTS, inborn=True)
_SATURATING: Final = Failing(Span(30, 130), 0.3, 20, 60, 2, inborn=True)
_ALL: Final = (
    Replay(
        "spike",
        "6/s, and 60/s for half a minute",
        _standard("spike", 0.1, Span(2970, 3030), Span(3120, 3300)),
        start=2,
    ),
    Replay("step", "6/s, then 50/s", _standard("step", 0.1, Span(2970, 3180)), start=2),
    Replay(
        "poison",
        f"20/s, and for a minute and a half a fifth of them fails {ATTEMPTS} times, {WAIT} s apart, and is given up",
        _standard("poison", 20 / 300, Span(0, 240)),
        start=5,
        failing=_FAILING,
    ),
    Replay(
        "batch-idle",
        "600 events at once, twice, nothing otherwise; no replicas when idle",
        _standard("batch_idle", 0.03, Span(590, 710), Span(2390, 2510)),
        start=0,
        minimum=0,
    ),
    Replay(
        "retry-storm",
        "15/s, and for 100 s three of ten fail twice, 20 s apart, while 60 may be in flight",
        parts(MORE["retry_storm"].rates, [Span(0, 240)], 0.15),
        start=4,
        failing=_SATURATING,
    ),
)
REPLAYS: Final = {replay.name: replay for replay in _ALL}
