"""What a policy sees of a simulated group and what it answers. Knows no policy and nothing that stays hidden."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Reading:
    """What the broker says of the group; one entry per partition, a queue has one."""

    heads: tuple[int, ...]  # last position written
    delivered: tuple[int, ...]  # last position handed out; with partitions the broker knows only commits
    settled: tuple[int, ...]  # committed, or acknowledged
    owners: tuple[int | None, ...]  # number of the pod that reads the partition; a queue has none
    in_flight: int = 0  # handed out and not settled
    delayed: int = 0  # of these, put off for a retry
    oldest: tuple[int | None, ...] = ()  # second in which the first event not handed out was published

    @property
    def lag(self) -> int:
        """Events that are not settled."""
        return sum(self.heads) - sum(self.settled)

    @property
    def pending(self) -> int:
        """Events never handed out."""
        return sum(self.heads) - sum(self.delivered)


@dataclass(frozen=True, slots=True)
class Look:
    """Everything that can be seen from outside at one second."""

    second: int
    spec: int  # replicas asked for
    pods: int  # that exist, starting ones among them
    ready: int
    reading: Reading | None  # None: the broker cannot be asked


class Policy(Protocol):
    """Decides about replicas; it is asked every `period` seconds and keeps its own memory."""

    @property
    def name(self) -> str:
        """What tables call it."""
        ...

    @property
    def period(self) -> float:
        """Seconds between two looks."""
        ...

    def replicas(self, look: Look) -> int:
        """How many replicas there should be from now on."""
        ...
