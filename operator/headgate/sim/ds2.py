"""The formula of the DS2 paper as Flink's autoscaler uses it, given the true service rate. Knows no promise.

After `JobVertexScaler` and `ScalingMetricEvaluator` of the Flink Kubernetes operator, at its defaults but for two
things that suit it better here: rates over one minute instead of fifteen, and a quarter of an hour instead of a whole
one before going down. The pods are those of a Deployment: changing their number restarts nothing. A replica that waits
for what is behind it is busy, so that a limit there counts as replicas that have become slow.
"""

import math
from typing import Final

from headgate.sim.policy import Look, Reading
from headgate.sim.setting import Scenario

CLOCK: Final = 60
UTILISATION: Final = 0.7
BOUNDARY: Final = 0.3
CATCH_UP: Final = 1800
RESTART: Final = 300
STABILISATION: Final = 300
WINDOW: Final = 900  # a lower number must have been enough for so long
IDLE: Final = 300  # the same where nothing at all is left to do
LAG_THRESHOLD: Final = 300  # seconds of arrivals; while more waits nothing is taken away
MAX_DOWN: Final = 0.6
_WHOLE: Final = 1e-9


class Ds2:
    """One vertex, whose parallelism is the number of replicas."""

    def __init__(self, scenario: Scenario) -> None:
        self.name = "ds2"
        self.period = CLOCK
        self._scenario = scenario
        self._before: tuple[int, int] | None = None  # second, last positions written
        self._changed = -STABILISATION
        self._wanted: list[tuple[int, int]] = []

    def replicas(self, look: Look) -> int:
        """The parallelism for what arrived since the last look."""
        if look.reading is None:
            return look.spec
        head = sum(look.reading.heads)
        before, self._before = self._before, (look.second, head)
        if before is None:
            return look.spec
        arriving = (head - before[1]) / (look.second - before[0])
        rate = self._rate(look)
        wanted = self._bounded(needed(arriving, look.reading, rate))
        self._wanted = [(at, n) for at, n in self._wanted if at > look.second - WINDOW]
        self._wanted.append((look.second, wanted))
        found = self._found(look, arriving, wanted, look.spec * rate)
        if found != look.spec:
            self._changed = look.second
        return found

    def _rate(self, look: Look) -> float:
        """What one replica gets done per second of being busy, which nobody else is told."""
        limit = self._scenario.trace.limit
        rate = self._scenario.service_rate(look.second)
        if limit is None or look.second not in limit.span:
            return rate
        return min(rate, limit.per_second / max(1, look.ready))

    def _found(self, look: Look, arriving: float, wanted: int, capacity: float) -> int:
        lag = look.reading.lag if look.reading is not None else 0
        if look.spec == 0:
            return wanted if lag else 0
        if look.second - self._changed < STABILISATION:
            return look.spec
        behind = arriving > 0 and lag / arriving > LAG_THRESHOLD
        catching = lag / CATCH_UP
        upper = 1.0 if behind else UTILISATION + BOUNDARY
        if capacity < arriving / upper + catching:
            return max(wanted, look.spec)
        idle = arriving == 0 and lag == 0
        if not idle and (behind or capacity <= arriving / (UTILISATION - BOUNDARY) + catching):
            return look.spec
        if idle:
            return max(self._scenario.minimum, *(n for at, n in self._wanted if at > look.second - IDLE))
        least = math.ceil(look.spec * (1 - MAX_DOWN) - _WHOLE)
        return min(look.spec, max(least, self._scenario.minimum, *(n for _, n in self._wanted)))

    def _bounded(self, wanted: int) -> int:
        terms, partitions = self._scenario.terms, self._scenario.workers.partitions
        most = min(terms.maximum, partitions or terms.maximum)
        return max(self._scenario.minimum, min(wanted, most))


def needed(arriving: float, reading: Reading, rate: float) -> int:
    """Replicas for what arrives, for what waits, and for what comes while a change is under way."""
    target = arriving / UTILISATION + reading.lag / CATCH_UP + arriving * RESTART / CATCH_UP
    return math.ceil(target / rate - _WHOLE)
