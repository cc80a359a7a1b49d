"""What translating topics, groups and queues has in common: findings, replicas, sizes, versions. Pure."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from headgate.brokers.base import BrokerFacts
from headgate.brokers.nats.names import illegal
from headgate.brokers.nats.resources import Since
from headgate.brokers.nats.times import written
from headgate.brokers.remarks import misnamed, refused
from headgate.core.outcomes import Finding
from headgate.core.resource import Resource, reset_value, settings_of

UNBOUNDED: Final = -1
MOST_REPLICAS: Final = 5


def replica_findings(declared: int | None, facts: BrokerFacts) -> Iterator[Finding]:
    """Whether so many copies can be placed at all."""
    if declared is None or declared == 1:
        return
    if declared > MOST_REPLICAS:
        yield refused(
            "ReplicasNotPossible", "spec.replicas", f"JetStream keeps at most {MOST_REPLICAS} copies"
        )
    elif facts.nodes == 1:
        text = f"{declared} copies need a cluster, this server stands alone; declare 1, also in the EventBroker's defaults"
        yield refused("ReplicasNotPossible", "spec.replicas", text)


def too_new(
    resource: Resource, since: Mapping[str, Since], fields: Mapping[str, str], facts: BrokerFacts
) -> Iterator[Finding]:
    """Settings that this server does not know; asked for at their default they are not needed."""
    for name in settings_of(type(resource)):
        value = getattr(resource, name)
        if name not in since or value is None or value == reset_value(type(resource), name):
            continue
        needed = since[name]
        if facts.level < needed.level:
            field = fields.get(name, f"spec.native.nats.{name}")
            text = f"needs NATS server {needed.version} or newer, this is {facts.server_version}; update it or leave it out"
            yield refused("UnsupportedByServer", field, text)


def or_unbounded(value: int | None) -> int:
    """JetStream's word for "no limit"."""
    return UNBOUNDED if value is None else value


def time_text(value: datetime | None) -> str | None:
    """A moment as the server takes it."""
    return None if value is None else written(value)


def metadata(value: Mapping[str, str] | None) -> tuple[tuple[str, str], ...] | None:
    """User metadata as a value."""
    return None if value is None else tuple(sorted(value.items()))


def name_findings(name: str) -> Iterator[Finding]:
    """Whether JetStream takes the name."""
    return misnamed(name, illegal(name))
