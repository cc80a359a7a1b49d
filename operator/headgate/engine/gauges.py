"""Sets the gauges of a process from what its loops know, whenever somebody asks for metrics. Decides nothing."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from headgate.core.estate import Ref
from headgate.core.lag import Lag, Sight
from headgate.core.lagview import Freshness, LagView
from headgate.core.progress import DeadLetters
from headgate.core.workload import ScalingView
from headgate.engine.world import Entry
from headgate.telemetry.metrics import Metrics


class Gauges:
    """The gauges about objects; series of objects that are gone are dropped."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._groups: set[Ref] = set()
        self._queues: set[Ref] = set()

    def resources(self, entries: Iterable[Entry]) -> None:
        """How many objects there are of each kind, Ready or not, and why."""
        self._metrics.count_resources(Counter(_standing(entry) for entry in entries))

    def brokers(self, reachable: Mapping[Ref, bool]) -> None:
        """Which brokers answer."""
        for ref, up in reachable.items():
            self._metrics.broker_reachable.labels(ref.namespace, ref.name).set(up)

    def groups(
        self,
        lags: Mapping[Ref, tuple[Lag, LagView | None]],
        scaling: Mapping[Ref, ScalingView],
        now: datetime,
    ) -> None:
        """How late every group is, exactly; what cannot be seen has no series rather than an old one."""
        for ref in self._groups - lags.keys():
            self._metrics.forget_group(ref.namespace, ref.name)
        self._groups = set(lags)
        for ref, (lag, view) in lags.items():
            self._group(ref, lag, view, now)
            if (shown := scaling.get(ref)) is not None:
                replicas = self._metrics.group_replicas
                replicas.labels(ref.namespace, ref.name, "current").set(shown.current)
                replicas.labels(ref.namespace, ref.name, "desired").set(shown.desired)

    def queues(self, letters: Mapping[Ref, Iterable[DeadLetters]], now: datetime) -> None:
        """How many dead letters every queue holds, by reason, and how old the oldest is."""
        for ref in self._queues | set(letters):
            self._metrics.forget_queue(ref.namespace, ref.name)
        self._queues = set(letters)
        for ref, groups in letters.items():
            self._queue(ref, tuple(groups), now)

    def _group(self, ref: Ref, lag: Lag, view: LagView | None, now: datetime) -> None:
        metrics, where = self._metrics, (ref.namespace, ref.name)
        if lag.sight not in {Sight.FRESH, Sight.STALE}:
            metrics.forget_group(*where)
            return
        metrics.group_pending.labels(*where).set(lag.pending)
        metrics.group_in_flight.labels(*where).set(lag.in_flight)
        metrics.group_stranded.labels(*where).set(lag.stranded)
        metrics.group_oldest_seconds.labels(*where).set(lag.age.total_seconds() if lag.age is not None else 0)
        if lag.oldest_unsettled is not None:
            unsettled = (now - lag.oldest_unsettled).total_seconds() if lag.in_flight or lag.pending else 0.0
            metrics.group_unsettled_seconds.labels(*where).set(unsettled)
        if view is not None and view.fresh is not None:
            metrics.group_fresh.labels(*where).set(view.fresh is Freshness.KEPT)

    def _queue(self, ref: Ref, groups: tuple[DeadLetters, ...], now: datetime) -> None:
        where = (ref.namespace, ref.name)
        reasons: Counter[str] = Counter()
        for group in groups:
            reasons.update(dict(group.reasons))
        for reason, count in reasons.items():
            self._metrics.dead_letters.labels(*where, reason).set(count)
        oldest = min((group.oldest for group in groups if group.oldest is not None), default=None)
        age = (now - oldest).total_seconds() if oldest is not None else 0.0
        self._metrics.dead_letter_oldest_seconds.labels(*where).set(age)


def _standing(entry: Entry) -> tuple[str, str, str]:
    conditions = entry.status.get("conditions") or ()
    ready = next((one for one in conditions if one["type"] == "Ready"), None)
    return (entry.ref.kind, ready["status"], ready["reason"]) if ready else (entry.ref.kind, "Unknown", "")
