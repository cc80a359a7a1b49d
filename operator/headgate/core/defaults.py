"""What holds where nobody declares anything and may be another value one day: one place, shown in status. Pure data."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

RESYNC: Final = timedelta(seconds=120)  # between two full passes over an EventBroker
REQUESTS_PER_SECOND: Final = 100
PROGRESS_PER_SECOND: Final = 50
MAX_IN_FLIGHT: Final = 64
TIMEOUT: Final = timedelta(seconds=10)  # of one request to a broker
DELETION_TIMEOUT: Final = timedelta(minutes=5)  # for which an object waits for its broker before it goes
IDLE_AFTER: Final = timedelta(minutes=5)
DRAIN_WITHIN: Final = timedelta(seconds=60)  # where neither that nor a promise is declared


@dataclass(frozen=True, slots=True)
class Pressure:
    """How hard a broker is pressed where its EventBroker does not say."""

    requests_per_second: int = REQUESTS_PER_SECOND
    progress_per_second: int = PROGRESS_PER_SECOND
    max_in_flight: int = MAX_IN_FLIGHT
    timeout: timedelta = TIMEOUT


STANDARD: Final = Pressure()
