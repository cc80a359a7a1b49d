"""Who reads what: partitions and their pods, pauses while they move, blocks. Knows no events."""

from typing import Final

from headgate.sim.assignment import assign
from headgate.sim.setting import Scenario, Span

_OUTSIDE: Final = Span(0, 0)


class Readers:
    """The pods that are at work, and what each may work on. A queue is one partition that all of them read."""

    def __init__(self, scenario: Scenario, shift: int) -> None:
        trace, workers = scenario.trace, scenario.workers
        count = workers.partitions or 1
        self.is_queue = workers.partitions is None
        self.shares = _shares(count, trace.hot)
        self.turns = [(shift + partition) % workers.commit_interval for partition in range(count)]
        self.owned: dict[int, tuple[int, ...]] = {}  # by number of the pod
        self.owners: list[int | None] = [None] * count
        self.groups: list[list[int]] = []  # partitions that can be worked on, by replica
        self.power: float = 1  # replicas that work on one such group
        self.peak = 0.0  # largest share of the arrivals that one group has
        self.complete = True  # whether every partition can be worked on
        self.commits: list[list[int]] = []  # partitions by the second of the interval in which they commit
        self.rebalances = 0
        self._every = workers.commit_interval
        self._pause = workers.pause if trace.pause is None else trace.pause
        self._eager = workers.eager or trace.pause is not None
        self._blocked = trace.blocked or _OUTSIDE
        self._most = scenario.in_flight_limit and scenario.in_flight_limit / workers.concurrency
        self._resume = [0] * count

    @property
    def bad(self) -> int:
        """The partition that gets blocked where one does."""
        return len(self.owners) // 2

    def is_blocked(self, partition: int, now: int) -> bool:
        """Whether nothing can be done there, whoever tries."""
        return partition == self.bad and now in self._blocked

    def join(self, ready: list[int], now: int) -> list[int]:
        """Share the partitions out among the pods that are there now; returns those with another owner."""
        if self.is_queue:
            self.owned = dict.fromkeys(ready, ())
            return []
        self.owned = assign(self.owned, ready, len(self.owners))
        before, self.owners = self.owners, [None] * len(self.owners)
        for number, some in self.owned.items():
            for partition in some:
                self.owners[partition] = number
        moved = [p for p, (old, new) in enumerate(zip(before, self.owners, strict=True)) if old != new]
        for partition in range(len(before)) if self._eager else moved:
            self._resume[partition] = now + self._pause
        self.rebalances += 1
        return moved

    def settle(self) -> None:
        """Forget that anything moved: it was long ago."""
        self._resume = [0] * len(self._resume)
        self.rebalances = 0

    def regroup(self, now: int) -> None:
        """Who works on what from now on."""
        if self.is_queue:
            self.power = self.fed(len(self.owned)) - int(self.is_blocked(0, now))
            self.groups = [[0]] if self.power > 0 else []
            self.peak, self.complete, self.commits = 1.0, bool(self.groups), [[0]]
            return
        self.groups = [
            [p for p in some if self._resume[p] <= now and not self.is_blocked(p, now)]
            for some in self.owned.values()
        ]
        self.complete = sum(map(len, self.groups)) == len(self.owners)
        self.peak = max((sum(self.shares[p] for p in group) for group in self.groups), default=0.0)
        owned = [p for p, owner in enumerate(self.owners) if owner is not None]
        self.commits = [[p for p in owned if self.turns[p] == turn] for turn in range(self._every)]

    def edges(self) -> list[int]:
        """When pauses and blocks begin and end."""
        return [*self._resume, self._blocked.begin, self._blocked.end]

    def fed(self, replicas: int) -> float:
        """The replicas of a queue that get anything to do, given how much may be in flight."""
        return replicas if self._most is None else min(replicas, self._most)


def _shares(count: int, hot: float) -> list[float]:
    """What part of the arrivals each partition gets."""
    if count == 1 or not hot:
        return [1 / count] * count
    return [hot, *[(1 - hot) / (count - 1)] * (count - 1)]
