"""Every metric of Headgate, declared once. Knows what is counted, not what it means.

Units are in the names. Labels are bounded: by the kinds, by the stable reasons, by verbs and status codes; those of
`headgate_group_*`, `headgate_dead_letter_*` and `headgate_broker_*` by the number of objects that people declared,
and they vanish with the object. No label ever holds an event's key, a subject, an error text or a user's input.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
REQUEST_SECONDS: Final = (0.005, 0.02, 0.1, 0.5, 2.0, 10.0)
PASS_SECONDS: Final = (0.01, 0.05, 0.2, 1.0, 5.0, 20.0, 60.0)
GROUP: Final = ("namespace", "name")
BROKER: Final = ("namespace", "name")


class Metrics:
    """The metrics of one process, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._resources()
        self._brokers()
        self._groups()
        self._mover()
        self._cluster()

    def render(self) -> bytes:
        """All of them, as Prometheus reads them."""
        return generate_latest(self.registry)

    def _counter(self, name: str, text: str, labels: Iterable[str] = ()) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, labels: Iterable[str] = ()) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry)

    def _histogram(
        self, name: str, text: str, labels: Iterable[str], buckets: tuple[float, ...]
    ) -> Histogram:
        return Histogram(name, text, labels, buckets=buckets, registry=self.registry)

    def _resources(self) -> None:
        """Custom resources: what became of them."""
        self.reconciled = self._counter(
            "headgate_reconciled_total",
            "Objects brought to a verdict, by kind and outcome",
            ("kind", "outcome"),
        )
        self.failed = self._counter(
            "headgate_reconcile_failed_total",
            "Verdicts other than done, by kind and reason",
            ("kind", "reason"),
        )
        self.pass_seconds = self._histogram(
            "headgate_reconcile_pass_seconds",
            "Time from reading a broker to the last status of the pass; scope is dirty or full",
            ("scope",),
            PASS_SECONDS,
        )
        self.resources = self._gauge(
            "headgate_resources",
            "Objects by kind, by whether they are Ready, and why",
            ("kind", "ready", "reason"),
        )
        self.drift_fields = self._counter(
            "headgate_drift_fields_total",
            "Settings found changed behind our back and set right",
            ("kind", "field"),
        )
        self.queue_depth = self._gauge("headgate_queue_depth", "Objects that are due for a look")
        self.retries = self._counter(
            "headgate_retries_total", "Looks repeated after a failure", ("kind", "reason")
        )

    def _brokers(self) -> None:
        """Brokers: whether they answer, and what they are asked."""
        self.broker_reachable = self._gauge("headgate_broker_reachable", "1 while the broker answers", BROKER)
        self.broker_requests = self._counter(
            "headgate_broker_requests_total",
            "Requests to brokers by operation (facts, observe, apply, progress, dead_letters) and outcome",
            (*BROKER, "operation", "outcome"),
        )
        self.broker_request_seconds = self._histogram(
            "headgate_broker_request_seconds",
            "How long brokers took, by operation",
            ("operation",),
            REQUEST_SECONDS,
        )

    def _groups(self) -> None:
        """Consumer groups and dead letters: exact figures, which status only has coarse."""
        self.group_pending = self._gauge("headgate_group_pending_events", "Events never delivered yet", GROUP)
        self.group_in_flight = self._gauge(
            "headgate_group_in_flight_events",
            "Events delivered and not settled, delayed ones included",
            GROUP,
        )
        self.group_oldest_seconds = self._gauge(
            "headgate_group_oldest_pending_seconds", "Age of the oldest event never delivered", GROUP
        )
        self.group_unsettled_seconds = self._gauge(
            "headgate_group_oldest_unsettled_seconds", "Age of the oldest event not settled", GROUP
        )
        self.group_stranded = self._gauge(
            "headgate_group_stranded_events", "Events that will not be delivered again by themselves", GROUP
        )
        self.group_fresh = self._gauge("headgate_group_fresh", "1 while the freshness promise is kept", GROUP)
        self.group_replicas = self._gauge(
            "headgate_group_replicas", "Replicas of the workload", (*GROUP, "state")
        )
        self.scale_decisions = self._counter(
            "headgate_scale_decisions_total", "Decisions to scale", ("reason",)
        )
        self.scale_patches = self._counter("headgate_scale_patches_total", "Workloads scaled", ("direction",))
        self.dead_letters = self._gauge(
            "headgate_dead_letter_events", "Dead letters held", (*GROUP, "reason")
        )
        self.dead_letter_oldest_seconds = self._gauge(
            "headgate_dead_letter_oldest_seconds", "Age of the oldest dead letter", GROUP
        )

    def _mover(self) -> None:
        """The data plane."""
        self.mover_captured = self._counter(
            "headgate_mover_captured_total",
            "Dead letters written, by reason and what became of the body",
            ("reason", "body"),
        )
        self.mover_repeats = self._counter(
            "headgate_mover_repeats_total",
            "Dead letters that were there already when they were to be written",
        )
        self.mover_returned = self._counter(
            "headgate_mover_returned_total",
            "Events brought back to their groups after the wait for another attempt",
        )
        self.mover_failures = self._counter(
            "headgate_mover_failures_total", "Captures put off and tried again, by reason", ("reason",)
        )
        self.mover_dropped = self._counter(
            "headgate_mover_dropped_total", "Advisories that lead to no dead letter, by reason", ("reason",)
        )
        self.mover_missed = self._counter(
            "headgate_mover_missed_total", "Advisories lost before a mover read them, at most"
        )
        self.mover_called_in = self._counter(
            "headgate_mover_called_in_total", "Readers asked to give up stranded events"
        )
        self.mover_in_flight = self._gauge(
            "headgate_mover_in_flight_events", "Advisories being worked on right now", BROKER
        )
        self.mover_lag = self._gauge(
            "headgate_mover_pending_events", "Advisories waiting to be handled", BROKER
        )

    def _cluster(self) -> None:
        """The Kubernetes API and the watch."""
        self.api_requests = self._counter(
            "headgate_api_requests_total", "Requests to the Kubernetes API, watches aside", ("verb", "code")
        )
        self.api_request_seconds = self._histogram(
            "headgate_api_request_seconds", "How long the Kubernetes API took", ("verb",), REQUEST_SECONDS
        )
        self.events_seen = self._counter(
            "headgate_watch_events_total", "Watch events by kind and type", ("kind", "type")
        )
        self.watch_silence_seconds = self._gauge(
            "headgate_watch_silence_seconds",
            "Time since a watch last brought anything, bookmarks included",
            ("resource",),
        )
        self.leader = self._gauge("headgate_leader", "1 while this process holds the Lease")

    def meter(self, verb: str, code: int, seconds: float) -> None:
        """Count one request to the Kubernetes API."""
        self.api_requests.labels(verb, str(code)).inc()
        self.api_request_seconds.labels(verb).observe(seconds)

    def count_resources(self, counts: Mapping[tuple[str, str, str], int]) -> None:
        """Replace the counts of objects by (kind, ready, reason)."""
        self.resources.clear()
        for labels, number in counts.items():
            self.resources.labels(*labels).set(number)

    def forget_group(self, namespace: str, name: str) -> None:
        """Drop the series of a consumer group that is gone."""
        for gauge in (
            self.group_pending,
            self.group_in_flight,
            self.group_oldest_seconds,
            self.group_unsettled_seconds,
            self.group_stranded,
            self.group_fresh,
            self.group_replicas,
        ):
            gauge.remove_by_labels({"namespace": namespace, "name": name})

    def forget_queue(self, namespace: str, name: str) -> None:
        """Drop the series of a dead-letter queue that is gone."""
        for gauge in (self.dead_letters, self.dead_letter_oldest_seconds):
            gauge.remove_by_labels({"namespace": namespace, "name": name})

    def forget_broker(self, namespace: str, name: str) -> None:
        """Drop the series of a broker that is gone."""
        for metric in (self.broker_reachable, self.broker_requests, self.mover_lag):
            metric.remove_by_labels({"namespace": namespace, "name": name})
