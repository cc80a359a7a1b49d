"""The pods of a simulated workload: they start slowly and go as a ReplicaSet lets them go. Knows no events."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod, ready from a certain second on."""

    number: int
    ready_at: int


class Crew:
    """All pods, oldest first."""

    __slots__ = ("_next", "_start", "pods")

    def __init__(self, replicas: int, start: int) -> None:
        self.pods = [Pod(number, 0) for number in range(replicas)]
        self._next = replicas
        self._start = start

    def ready(self, now: int) -> list[int]:
        """Numbers of the pods that are at work."""
        return [pod.number for pod in self.pods if pod.ready_at <= now]

    def next_ready(self, now: int) -> int | None:
        """When the next pod gets ready."""
        return min((pod.ready_at for pod in self.pods if pod.ready_at > now), default=None)

    def scale(self, replicas: int, now: int) -> None:
        """Ask for so many pods; of too many, those go first that are not ready, and of these the newest."""
        missing = replicas - len(self.pods)
        for _ in range(missing):
            self.pods.append(Pod(self._next, now + self._start))
            self._next += 1
        if missing < 0:
            leaving = sorted(self.pods, key=lambda pod: (pod.ready_at <= now, -pod.number))[:-missing]
            gone = {pod.number for pod in leaving}
            self.pods = [pod for pod in self.pods if pod.number not in gone]
