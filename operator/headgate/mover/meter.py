"""What a mover counts, in words that do not depend on a metrics library. Decides nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from headgate.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Meter:
    """The mover's metrics for one EventBroker."""

    metrics: Metrics
    namespace: str
    name: str

    def moved(self, reason: str, body: str) -> None:
        """A dead letter was written; the body is whole, lost or too-large."""
        self.metrics.mover_captured.labels(reason, body).inc()

    def returned(self, count: int) -> None:
        """So many events came back to their groups for another attempt."""
        self.metrics.mover_returned.inc(count)

    def repeated(self) -> None:
        """It stood there already."""
        self.metrics.mover_repeats.inc()

    def put_off(self, reason: str) -> None:
        """It has to be tried again later."""
        self.metrics.mover_failures.labels(reason).inc()

    def dropped(self, reason: str) -> None:
        """A notice led to no dead letter."""
        self.metrics.mover_dropped.labels(reason).inc()

    def missed(self, count: int) -> None:
        """Notices were lost before anybody read them."""
        self.metrics.mover_missed.inc(count)

    def backlog(self, count: int) -> None:
        """So many notices are not done with."""
        self.metrics.mover_lag.labels(self.namespace, self.name).set(count)

    def called_in(self) -> None:
        """A reader with stranded events was called."""
        self.metrics.mover_called_in.inc()

    @contextmanager
    def in_flight(self, count: int) -> Iterator[None]:
        """So many more notices are worked on inside."""
        gauge = self.metrics.mover_in_flight.labels(self.namespace, self.name)
        gauge.inc(count)
        try:
            yield
        finally:
            gauge.dec(count)

    def connected(self, *, up: bool) -> None:
        """Whether the broker answers."""
        self.metrics.broker_reachable.labels(self.namespace, self.name).set(up)
