"""A worker on Kafka with retries and dead letters: all that the contract asks of it, with confluent-kafka alone.

    BINDING=/etc/binding python worker.py

An event that fails goes to the topic of its next wait, or to the dead letters once it has no attempt left, and only then
is the position committed: whoever dies in between handles an event twice and loses none. The handler stands for yours: an
event with the header `fail: 2` fails its first two attempts.
"""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer

SAID = {
    path.name: path.read_text().strip() for path in Path(os.environ["BINDING"]).iterdir() if path.is_file()
}
SERVERS = {"bootstrap.servers": SAID["bootstrap-servers"]}


def handle(body: bytes, attempt: int, headers: dict[str, Any]) -> None:
    if attempt <= int(headers.get("fail", 0)):
        raise RuntimeError(f"attempt {attempt} was to fail")
    print(f"handled {body.decode()} at attempt {attempt}", flush=True)


def acknowledged(error: KafkaError | None, _: Message) -> None:
    if error is not None:
        raise KafkaException(error)  # the worker ends, nothing is committed, the event comes again


def hand_on(producer: Producer, message: Message, attempt: int, headers: dict[str, Any], why: str) -> None:
    left = attempt < int(SAID["max-attempts"])
    topic = SAID["retry-topics"].split(",")[attempt - 1] if left else SAID["dead-letter-topic"]
    headers.setdefault(
        "headgate-published", datetime.fromtimestamp(message.timestamp()[1] / 1000, UTC).isoformat()
    )
    headers.setdefault("headgate-position", f"{message.partition()}:{message.offset()}")
    headers |= {"headgate-attempts": str(attempt), "headgate-error": why}
    headers |= {"headgate-group": SAID["group"], "headgate-topic": SAID["topic"]}
    headers |= {} if left else {"headgate-reason": "MaxAttempts"}
    producer.produce(topic, message.value(), message.key(), headers=headers, on_delivery=acknowledged)
    if producer.flush(30):
        raise TimeoutError(f"{topic} did not acknowledge the event")


producer = Producer(SERVERS | {"enable.idempotence": True})
reading = {"group.id": SAID["group-id"], "auto.offset.reset": SAID["auto-offset-reset"]}
consumer = Consumer(SERVERS | reading | {"enable.auto.commit": False})
consumer.subscribe(SAID["topics"].split(","))
while True:
    message = consumer.poll(1.0)
    if message is None or message.error():
        continue
    headers: dict[str, Any] = dict(message.headers() or [])
    attempt = int(headers.get("headgate-attempts", 0)) + 1
    try:
        handle(message.value() or b"", attempt, headers)
    except RuntimeError as error:
        hand_on(producer, message, attempt, headers, str(error))
    consumer.commit(message=message, asynchronous=False)
