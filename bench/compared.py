"""What was measured beside what was predicted, and where the two are too far apart. Measures and predicts nothing."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from bench.replays import PROMISE, RHYTHM, Measured, Replay, predicted

from headgate.sim.play import Figures

PHASES: Final = 9  # half a second apart
FAR: Final = 0.25  # of the prediction
LATE, OLDEST, REPLICAS, CHANGES = "late s", "oldest s", "replica-seconds", "changes"
SLACK: Final = {LATE: 10.0, OLDEST: 5.0, REPLICAS: 60.0, CHANGES: 1.0}  # what is too little to speak of


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of one replay, second by second."""

    ages: tuple[float, ...]  # of the oldest event that no worker had got, once a second
    pending: tuple[int, ...]  # events that no worker had got, once a second
    workers: tuple[int, ...]  # that were connected, once a second
    replicas: tuple[tuple[float, int], ...]  # second and number, at the beginning and at every change
    measured: Measured
    load: float  # of the machine, on average
    dead: int = 0  # dead letters at the end
    doomed: int = 0  # events that had to become one
    policy: str = ""  # which code decided
    said: tuple[str, ...] = ()  # by the operator, at every change


@dataclass(frozen=True, slots=True)
class Line:
    """One figure of one replay."""

    replay: str
    what: str
    measured: float
    expected: float
    least: float  # of the predictions, over the seconds in which the operator may look first
    most: float

    @property
    def far(self) -> bool:
        """Whether the two differ by more than a quarter and by more than it takes to matter."""
        apart = abs(self.measured - self.expected)
        return apart > SLACK[self.what] and apart > FAR * self.expected


def late(ages: Iterable[float]) -> int:
    """Seconds in which the oldest event was older than promised."""
    return sum(age > PROMISE for age in ages)


def area(changes: Sequence[tuple[float, int]], end: float) -> float:
    """Replicas over time until the end."""
    ends = [second for second, _ in changes[1:]] + [end]
    return sum(
        count * (min(until, end) - min(begin, end))
        for (begin, count), until in zip(changes, ends, strict=True)
    )


def compared(replay: Replay, seen: Seen) -> list[Line]:
    """Each figure of a replay."""
    looked = seen.replicas[1][0] if len(seen.replicas) > 1 else 0.0  # changes are made when one looked
    expected, *others = (
        predicted(replay, seen.measured, looked + RHYTHM * part / PHASES).figures for part in range(PHASES)
    )
    rows: tuple[tuple[str, float, Callable[[Figures], float]], ...] = (
        (LATE, late(seen.ages), lambda each: each.violation),
        (OLDEST, max(seen.ages, default=0.0), lambda each: each.peak_age),
        (REPLICAS, area(seen.replicas, len(replay.rates)), lambda each: each.replica_seconds),
        (CHANGES, len(seen.replicas) - 1, lambda each: each.events),
    )
    return [
        Line(replay.name, what, got, of(expected), *_span(map(of, (expected, *others))))
        for what, got, of in rows
    ]


def _span(values: Iterable[float]) -> tuple[float, float]:
    found = sorted(values)
    return found[0], found[-1]


def table(lines: Iterable[Line]) -> str:
    """As a table that people and pages can show."""
    rows = [
        "| replay | figure | measured | predicted | over all phases | apart |",
        "| --- | --- | ---: | ---: | ---: | --- |",
    ]
    for each in lines:
        verdict = "**more than a quarter**" if each.far else ""
        span = f"{each.least:.0f} to {each.most:.0f}"
        rows.append(
            f"| {each.replay} | {each.what} | {each.measured:.0f} | {each.expected:.0f} | {span} | {verdict} |"
        )
    return "\n".join(rows) + "\n"


def circumstances(name: str, seen: Seen) -> str:
    """What held while a replay was measured."""
    found = f"{name}: workers handled {seen.measured.service_rate:.2f}/s and were there after {seen.measured.pod_start:.1f} s, load average {seen.load:.1f}"
    return f"{found}, {seen.dead} dead letters of {seen.doomed}" if seen.doomed else found
