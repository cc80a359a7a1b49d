"""What was seen of the shop while the story went on: samples, marks and the series made of them. Pure; reads nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class Who(StrEnum):
    """Whose doing a mark is."""

    STORY = "story"  # a chapter begins
    US = "us"  # what the demo does to the shop
    OPERATOR = "operator"  # what Headgate did
    SEEN = "seen"  # what was measured


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened, in seconds since the beginning."""

    at: float
    who: Who
    text: str


@dataclass(frozen=True, slots=True)
class TopicSight:
    """One topic at one moment."""

    name: str
    messages: int
    last: int  # sequence of the newest event
    kept: float  # seconds for which events are kept


@dataclass(frozen=True, slots=True)
class GroupSight:
    """One group and its workload at one moment."""

    name: str
    pending: int
    in_flight: int
    age: float  # seconds, of the oldest event that was never handed out; 0: there is none
    replicas: int
    ready: int


@dataclass(frozen=True, slots=True)
class QueueSight:
    """One dead-letter queue at one moment: how many for which group and reason."""

    name: str
    letters: tuple[tuple[str, str, int], ...] = ()

    @property
    def depth(self) -> int:
        """All of them."""
        return sum(count for _, _, count in self.letters)


@dataclass(frozen=True, slots=True)
class Sample:
    """Everything at one moment, in seconds since the beginning; `away` while the broker does not answer."""

    at: float
    topics: tuple[TopicSight, ...] = ()
    groups: tuple[GroupSight, ...] = ()
    queues: tuple[QueueSight, ...] = ()
    away: bool = False

    def group(self, name: str) -> GroupSight | None:
        """One of the groups."""
        return next((one for one in self.groups if one.name == name), None)

    def topic(self, name: str) -> TopicSight | None:
        """One of the topics."""
        return next((one for one in self.topics if one.name == name), None)


@dataclass(slots=True)
class Timeline:
    """All samples and marks of one demo, in their order."""

    samples: list[Sample] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)

    @property
    def last(self) -> Sample:
        """The newest sample."""
        return self.samples[-1] if self.samples else Sample(0.0)

    def headline(self) -> str:
        """The chapter that is played."""
        return next((mark.text for mark in reversed(self.marks) if mark.who is Who.STORY), "")


Series = tuple[list[float], list[float]]
GAP = float("nan")


def of_group(samples: Iterable[Sample], name: str, figure: str) -> Series:
    """One figure of a group over time; a gap where the group was away, so that no line is drawn over it."""
    times, values = list[float](), list[float]()
    for sample in samples:
        sight = sample.group(name)
        times.append(sample.at)
        values.append(GAP if sight is None else float(getattr(sight, figure)))
    return times, values


def arrivals(samples: Sequence[Sample], topic: str, over: float = 3.0) -> Series:
    """Events per second that arrived on a topic, each as the mean over the seconds before; over a gap, over all of it."""
    seen = [(sample.at, sight.last) for sample in samples if (sight := sample.topic(topic)) is not None]
    times, values = list[float](), list[float]()
    begin = 0
    for now, (at, last) in enumerate(seen):
        while begin + 1 < now and at - seen[begin][0] > over:
            begin += 1
        since, first = seen[begin]
        if at > since:
            times.append(at)
            values.append((last - first) / (at - since))
    return times, values


def peak(samples: Iterable[Sample], name: str, figure: str) -> float:
    """The largest value that a figure of a group had; 0 where the group was never seen."""
    _, values = of_group(samples, name, figure)
    return max((value for value in values if value == value), default=0.0)  # noqa: PLR0124  (a gap is no number)


def away(samples: Iterable[Sample]) -> list[tuple[float, float]]:
    """The stretches in which the broker did not answer."""
    found = list[tuple[float, float]]()
    since: float | None = None
    for sample in samples:
        if sample.away and since is None:
            since = sample.at
        if not sample.away and since is not None:
            found.append((since, sample.at))
            since = None
    return found
