"""Events of a queue that failed and wait for another attempt. Knows no replicas."""

from headgate.sim.setting import Failing


class Retries:
    """They count as in flight until the last attempt, after which nothing is left to do, whatever came of it."""

    __slots__ = ("_at", "_due", "failing", "waiting")

    def __init__(self, failing: Failing) -> None:
        self.failing = failing
        self.waiting = 0.0
        later = max(1, failing.attempts - 1)
        self._due = [0.0] * later  # no longer put off, by how many attempts follow on the next one
        self._at: dict[int, list[float]] = {}  # the same of what can be handed out again from that second on

    def now_or_due(self, second: int, published: int) -> bool:
        """Whether events fail at that time, or failed before and are not done."""
        span = self.failing.span
        fails = span.begin <= second and published < span.end if self.failing.inborn else second in span
        return fails or self.waiting > 0

    def take(self, second: int, most: float) -> float:
        """Hand out again what is due, as far as somebody is there to do it."""
        for follow, events in enumerate(self._at.pop(second, ())):
            self._due[follow] += events
        taken = 0.0
        for follow, events in enumerate(self._due):
            part = min(events, most - taken)
            self._due[follow] -= part
            taken += part
            if follow:
                self._put_off(second, follow - 1, part)
            else:
                self.waiting -= part
        if not self._at and not any(self._due):
            self.waiting = 0.0
        return taken

    def most(self, second: int, published: int, free: float) -> float:
        """First attempts that may begin, so that those which fail find room to wait."""
        bad = (published if self.failing.inborn else second) in self.failing.span
        return (
            free / self.failing.share
            if bad and self.failing.share and self.failing.attempts > 1
            else float("inf")
        )

    def fail(self, second: int, exposed: float) -> None:
        """Note what fails of first attempts in the span."""
        failed = exposed * self.failing.share if self.failing.attempts > 1 else 0.0
        self.waiting += failed
        self._put_off(second, len(self._due) - 1, failed)

    def _put_off(self, second: int, follow: int, events: float) -> None:
        if events > 0:
            later = self._at.setdefault(second + self.failing.delay, [0.0] * len(self._due))
            later[follow] += events
