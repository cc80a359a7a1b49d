"""What translating topics, groups and queues has in common: names, copies, retention, notes. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from headgate.api.eventtopic import Retention
from headgate.api.types import format_duration, format_size
from headgate.brokers.base import BrokerFacts
from headgate.brokers.kafka.names import illegal
from headgate.brokers.kafka.resources import INHERITED, NEVER_TOUCHED, normal
from headgate.brokers.remarks import approximated, misnamed, refused
from headgate.core.compiled import Effect, Note
from headgate.core.outcomes import Finding

UNBOUNDED: Final = "-1"
SEGMENT_AGE: Final = timedelta(days=7)  # Kafka's own
SEGMENT_BYTES: Final = 1 << 30  # Kafka's own
_LEAST_SEGMENT_AGE: Final = timedelta(minutes=1)
_LEAST_SEGMENT_BYTES: Final = 1 << 20  # Kafka takes no smaller one
_PARTS: Final = 8  # whole segments go: so fine is retention cut
_MILLISECOND: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Barred:
    """A declared field that Kafka cannot express, and what to do instead."""

    field: str
    message: str

    @property
    def note(self) -> Note:
        """As status.unsupported shows it."""
        return Note(self.field, self.message, Effect.REFUSED)

    @property
    def finding(self) -> Finding:
        """As it stands in the way."""
        return refused("UnsupportedByBroker", self.field, self.message)


def replica_findings(declared: int | None, facts: BrokerFacts) -> Iterator[Finding]:
    """Whether so many copies can be placed at all."""
    if declared is not None and declared > facts.nodes:
        text = f"{declared} copies need as many brokers, this cluster has {facts.nodes}; declare at most {facts.nodes}"
        yield refused("ReplicasNotPossible", "spec.replicas", f"{text}, also in the EventBroker's defaults")


def majority(copies: int) -> int:
    """The least number of copies that two writers cannot both have."""
    return copies // 2 + 1


def milliseconds(value: timedelta) -> str:
    return str(value // _MILLISECOND)


def retention(declared: Retention, partitions: int) -> Mapping[str, str]:
    """Age and size of one partition, and segments so small that retention is kept about as declared."""
    found = {"retention.ms": UNBOUNDED, "retention.bytes": UNBOUNDED}
    if declared.max_age is not None:
        found["retention.ms"] = milliseconds(declared.max_age)
        if (age := segment_age(declared.max_age)) < SEGMENT_AGE:
            found["segment.ms"] = milliseconds(age)
    if declared.max_bytes is not None:
        size = per_partition(declared.max_bytes, partitions)
        found["retention.bytes"] = str(size)
        if (segment := segment_size(size)) < SEGMENT_BYTES:
            found["segment.bytes"] = str(segment)
    return found


def per_partition(total: int, partitions: int) -> int:
    """The share of one partition, rounded down, so that all together never come to more."""
    return max(1, total // partitions)


def segment_age(age: timedelta) -> timedelta:
    """After how long a new segment begins."""
    return min(SEGMENT_AGE, max(_LEAST_SEGMENT_AGE, age / _PARTS))


def segment_size(size: int) -> int:
    """At which size a new segment begins."""
    return min(SEGMENT_BYTES, max(_LEAST_SEGMENT_BYTES, size // _PARTS))


def retention_notes(declared: Retention, partitions: int) -> Iterator[Note]:
    """How far Kafka's retention is from the declared one."""
    if declared.max_age is not None:
        late = format_duration(segment_age(declared.max_age))
        text = f"Kafka lets go of whole segments: an event may be kept for {late} longer"
        yield approximated("spec.retention.maxAge", text)
    if declared.max_bytes is not None:
        share = per_partition(declared.max_bytes, partitions)
        text = (
            f"Kafka bounds each partition: {_size(share)} for each of {partitions}, rounded down, so one that gets more "
            f"than its share loses events first; whole segments go, so a partition may hold {_size(segment_size(share))} more"
        )
        yield approximated("spec.retention.maxBytes", text)


def _size(value: int) -> str:
    return format_size(value)


def no_count(declared: Retention) -> Iterator[Barred]:
    """Kafka bounds age and size only."""
    if declared.max_messages is not None:
        text = "Kafka does not bound the number of events; leave it out, and bound maxAge or maxBytes"
        yield Barred("spec.retention.maxMessages", text)


def settled(
    known: Mapping[str, str],
    computed: Mapping[str, str],
    native: Mapping[str, str | None],
) -> Mapping[str, Any]:  # settings have any type
    """Every config by field: what was computed, what is declared natively, and no override for the rest.

    A key that leaves the declaration so loses its override without anybody having to remember that it was there.
    """
    found: dict[str, str | None] = {}
    for key, name in known.items():
        if key in native:
            value = native[key]
        elif key in computed:
            value = computed[key]
        else:
            value = None if key in NEVER_TOUCHED else INHERITED
        found[name] = None if value is None else normal(key, value)
    return found


def native_findings(
    known: Mapping[str, str], portable: Mapping[str, str], native: Mapping[str, str | None]
) -> Iterator[Finding]:
    """Keys that Kafka does not have, and keys that a portable field speaks of."""
    for key, value in native.items():
        field = f"spec.native.kafka.{key}"
        if key not in known:
            text = "Kafka has no config of that name that Headgate knows of; check how it is written, or leave it out"
            yield refused("InvalidSetting", field, text)
        elif key in portable and value is not None:
            text = f"{portable[key]} speaks of it; declare it there, or Unmanaged here to have it left alone"
            yield refused("InvalidSetting", field, text)


def name_findings(name: str) -> Iterator[Finding]:
    """Whether Kafka takes the name for a topic."""
    return misnamed(name, illegal(name))
