"""Events of a queue that failed and wait for another attempt. Knows no replicas."""

from headgate.sim.setting import Failing


class Retries:
    """They count as in flight until they are handed out again; the second attempt succeeds."""

    __slots__ = ("_at", "_due", "failing", "waiting")

    def __init__(self, failing: Failing) -> None:
        self.failing = failing
        self.waiting = 0.0
        self._due = 0.0  # of these, no longer put off
        self._at: dict[int, float] = {}  # what can be handed out again from that second on

    def now_or_due(self, second: int) -> bool:
        """Whether events fail at that time, or failed before and are not done."""
        return second in self.failing.span or self.waiting > 0

    def take(self, second: int, most: float) -> float:
        """Hand out again what is due, as far as somebody is there to do it."""
        self._due += self._at.pop(second, 0.0)
        taken = min(self._due, most)
        self._due -= taken
        self.waiting = self.waiting - taken if self._at or self._due else 0.0
        return taken

    def most(self, second: int, free: float) -> float:
        """First attempts that may begin, so that those which fail find room to wait."""
        return (
            free / self.failing.share if second in self.failing.span and self.failing.share else float("inf")
        )

    def fail(self, second: int, first: float) -> None:
        """Note what fails of these first attempts."""
        failed = first * self.failing.share if second in self.failing.span else 0.0
        if failed > 0:
            self.waiting += failed
            later = second + self.failing.delay
            self._at[later] = self._at.get(later, 0.0) + failed
