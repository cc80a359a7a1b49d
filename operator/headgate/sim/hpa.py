"""The HorizontalPodAutoscaler on one external metric of type AverageValue. Knows no broker and no KEDA.

After `pkg/controller/podautoscaler` of Kubernetes: `GetExternalPerPodMetricReplicas` for the number,
`stabilizeRecommendation` with `convertDesiredReplicasWithRules` where `spec.behavior` is left out, and
`stabilizeRecommendationWithBehaviors` with `convertDesiredReplicasWithBehaviorRate` where it is given.
"""

import math
from dataclasses import dataclass, field
from typing import Final

SYNC: Final = 15  # seconds between two looks
TOLERANCE: Final = 0.1
STABILISATION: Final = 300  # seconds that a lower number has to wait, unless it says otherwise
_FACTOR: Final = 2
_AT_LEAST: Final = 4
_PERIOD: Final = 15  # seconds of the default policies of a behavior


@dataclass(slots=True)
class Autoscaler:
    """One HPA. `down_window`: seconds of behavior.scaleDown; None: no behavior is given."""

    minimum: int
    maximum: int
    target: float  # AverageValue
    down_window: int | None = None
    _recommended: list[tuple[int, int]] = field(default_factory=list)
    _raised: list[tuple[int, int]] = field(default_factory=list)  # second, and by how many

    def sync(self, second: int, spec: int, status: int, metric: float | None) -> int:
        """The number after one pass of the control loop. None: the metric could not be had."""
        if spec == 0:
            return 0  # scaling is disabled; minReplicas is at least 1 under KEDA
        if spec > self.maximum:
            return self.maximum
        if spec < self.minimum:
            return self.minimum
        if metric is None:
            return spec
        if not self._recommended:
            self._recommended.append((second, spec))
        desired = per_pod(metric, self.target, status)
        found = (
            self._normalised(second, spec, desired)
            if self.down_window is None
            else self._behaved(second, spec, desired)
        )
        if found > spec:
            self._raised.append((second, found - spec))
        return found

    def _normalised(self, second: int, spec: int, desired: int) -> int:
        """Without a behavior: the highest of five minutes, and at most twice as many or four."""
        stable = max(desired, *self._since(second - STABILISATION, desired))
        self._note(second, desired, STABILISATION)
        return max(self.minimum, min(stable, self.maximum, max(_FACTOR * spec, _AT_LEAST)))

    def _behaved(self, second: int, spec: int, desired: int) -> int:
        """With behavior.scaleDown.stabilizationWindowSeconds given and everything else by default.

        Scaling up waits for nothing, so only the recommendation of this moment counts; going down may go all the way.
        """
        window = self.down_window or 0
        stable = desired if desired >= spec else max(desired, *self._since(second - window, desired))
        self._note(second, desired, window)
        if stable > spec:
            began = spec - sum(by for at, by in self._raised if at > second - _PERIOD)
            limit = max(began + _AT_LEAST, _FACTOR * began, spec)
            return min(stable, self.maximum, limit)
        return max(stable, self.minimum)

    def _since(self, cutoff: int, desired: int) -> list[int]:
        return [number for at, number in self._recommended if at > cutoff] or [desired]

    def _note(self, second: int, desired: int, window: int) -> None:
        self._recommended = [(at, n) for at, n in self._recommended if at > second - window]
        self._recommended.append((second, desired))
        self._raised = [(at, by) for at, by in self._raised if at > second - _PERIOD]


def per_pod(metric: float, target: float, status: int) -> int:
    """The number that the metric asks for, before bounds and stabilisation."""
    if status > 0 and 1 - TOLERANCE <= metric / (target * status) <= 1 + TOLERANCE:
        return status
    return math.ceil(metric / target)
