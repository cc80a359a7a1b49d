"""KEDA with its default settings in front of an HPA, as a rival. Knows nothing of ages and promises.

After `pkg/scalers/kafka_scaler.go` (events that are not committed, at most one threshold per partition) and
`nats_jetstream_scaler.go` (pending and unacknowledged ones, no such limit); `pkg/scaling/executor` decides between no
replica and one every 30 s, everything else is the HPA's, which asks every 15 s.
"""

from typing import Final

from headgate.sim.hpa import SYNC, Autoscaler
from headgate.sim.policy import Look, Reading
from headgate.sim.setting import Scenario

POLLING: Final = 30
COOLDOWN: Final = 300
DEFAULT_THRESHOLD: Final = 10.0


class Keda:
    """A ScaledObject with one trigger on the lag."""

    def __init__(
        self,
        scenario: Scenario,
        threshold: float = DEFAULT_THRESHOLD,
        down_window: int | None = None,
        name: str = "keda",
    ) -> None:
        self.name = name
        self.period = SYNC
        self._threshold = threshold
        self._minimum = scenario.minimum
        self._limited = scenario.workers.partitions is not None
        self._hpa = Autoscaler(max(1, scenario.minimum), scenario.terms.maximum, threshold, down_window)
        self._polled: int | None = None
        self._active_at: int | None = None

    def replicas(self, look: Look) -> int:
        """What the two control loops make of it."""
        spec = look.spec
        if self._polled is None or look.second - self._polled >= POLLING:
            self._polled = look.second
            spec = self._poll(look)
        if spec == 0 or look.spec == 0:
            return spec
        metric = None if look.reading is None else self.metric(look.reading)
        return self._hpa.sync(look.second, spec, look.pods, metric)

    def metric(self, reading: Reading) -> float:
        """What the HPA is told."""
        lag = reading.lag
        partitions = len(reading.heads)
        if self._limited and lag // self._threshold > partitions:
            return partitions * self._threshold
        return float(lag)

    def _poll(self, look: Look) -> int:
        """Between no replica and one."""
        if look.reading is None:
            return look.spec
        if look.reading.lag > 0:
            self._active_at = look.second
            return look.spec or max(1, self._minimum)
        rested = self._active_at is None or look.second - self._active_at > COOLDOWN
        return 0 if self._minimum == 0 and rested else look.spec
