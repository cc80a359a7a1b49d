"""Whose queues and exchanges are, from what stands beside them. Pure."""

from collections.abc import Iterable, Iterator

from headgate.brokers.rabbitmq.deaths import Owners
from headgate.brokers.rabbitmq.documents import Json, Snapshot, marks_of
from headgate.brokers.rabbitmq.resources import EXCHANGE, QUEUE

_PARTS = 4  # of a mark: installation, kind, namespace, name


def owners_of(snapshot: Snapshot) -> Owners:
    """Groups by their queues, topics by their exchanges."""
    return Owners(
        dict(_owned(snapshot, QUEUE, "ConsumerGroup", snapshot.queues.values())),
        dict(_owned(snapshot, EXCHANGE, "EventTopic", snapshot.exchanges.values())),
    )


def _owned(snapshot: Snapshot, kind: str, declared: str, items: Iterable[Json]) -> Iterator[tuple[str, str]]:
    for item in items:
        parts = (marks_of(snapshot, kind, item)[0] or "").split("/")
        if len(parts) == _PARTS and parts[1] == declared:
            yield str(item["name"]), f"{parts[2]}/{parts[3]}"
