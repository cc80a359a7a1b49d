"""What lies in topics, read and written with a plain client. For tests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition

WAIT = 15.0


@dataclass(frozen=True, slots=True)
class Found:
    """One record."""

    partition: int
    offset: int
    headers: tuple[tuple[str, bytes], ...]
    body: bytes | None


def published(
    bootstrap: str, topic: str, bodies: Sequence[bytes], headers: Mapping[str, str | bytes]
) -> None:
    """So many events, acknowledged; their bodies are their keys."""
    producer = Producer({"bootstrap.servers": bootstrap, "log_level": 0, "enable.idempotence": True})
    values: Any = [(name, value) for name, value in headers.items()]
    for body in bodies:
        producer.produce(topic, body, body[:8], headers=values)
        producer.poll(0)
    assert producer.flush(WAIT) == 0


def everything(bootstrap: str, topic: str) -> list[Found]:
    """All that a topic keeps, partition by partition."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "looking", "enable.auto.commit": False, "log_level": 0}
    )
    found: list[Found] = []
    try:
        partitions = consumer.list_topics(topic, timeout=WAIT).topics[topic].partitions
        for number in sorted(partitions):
            first, end = consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=WAIT)
            consumer.assign([TopicPartition(topic, number, first)])
            at = first
            while at < end:
                message = consumer.poll(WAIT)
                assert message is not None, "nothing came in time"
                assert message.error() is None, message.error()
                at = (message.offset() or 0) + 1
                headers: Any = message.headers() or []
                value: Any = message.value()
                found.append(Found(number, at - 1, tuple(headers), value))
    finally:
        consumer.close()
    return found
