"""Puts records into topics, each acknowledged by all copies that count. Decides nothing, blocks."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from headgate.brokers.base import Refused
from headgate.brokers.kafka.faults import Fault
from headgate.brokers.kafka.redelivery import Sent

TOO_LARGE: Final = 10
_TIMED_OUT: Final = -185
_UNBOUNDED: Final = 1_000_000_000  # bytes: what is too large the broker says


class Sender:
    """One producer, made when it is needed and made anew after it failed."""

    def __init__(self, settings: Mapping[str, Any], timeout: float) -> None:
        self._settings = {
            **settings,
            "enable.idempotence": True,
            "acks": "all",
            "linger.ms": 2,
            "message.timeout.ms": max(1000, round(timeout * 1000)),
            "message.max.bytes": _UNBOUNDED,
            "queue.buffering.max.kbytes": 65_536,
            "delivery.report.only.error": True,
        }
        self._timeout = timeout
        self._producer: Producer | None = None

    def send(self, records: Sequence[Sent]) -> Sequence[Fault | None]:
        """What became of each. What comes to too much together goes again, each by itself."""
        found = list(self._sent(records))
        if len(records) > 1:
            for index, failed in enumerate(found):
                if failed is not None and failed.code == TOO_LARGE:
                    found[index] = self._sent(records[index : index + 1])[0]
        return found

    def _sent(self, records: Sequence[Sent]) -> Sequence[Fault | None]:
        found: list[Fault | None] = [None] * len(records)  # whoever is told of hears of failures only
        producer = self._ready()
        for index, record in enumerate(records):
            self._put(producer, record, index, found)
        if producer.flush(self._timeout):
            late = Fault(_TIMED_OUT, "no acknowledgement came in time")
            found = [late if failed is None else failed for failed in found]
        if any(failed is not None and failed.code != TOO_LARGE for failed in found):
            producer.purge()  # what is not acknowledged by now is sent again by somebody who knows that it is
            self._producer = None
        return found

    def _put(self, producer: Producer, record: Sent, index: int, found: list[Fault | None]) -> None:
        def told(error: KafkaError | None, message: Message) -> None:
            del message
            found[index] = None if error is None else Fault(error.code(), error.str())

        more: dict[str, Any] = {} if record.partition is None else {"partition": record.partition}
        try:
            producer.produce(
                record.topic,
                value=record.body,
                key=record.key,
                headers=list(record.headers),
                on_delivery=told,
                **more,
            )
        except KafkaException as failure:
            error = failure.args[0]
            found[index] = Fault(error.code(), error.str())
        except BufferError:
            producer.flush(self._timeout)
            self._put(producer, record, index, found)

    def close(self) -> None:
        """Let go of the connection; nothing is under way."""
        self._producer = None

    def _ready(self) -> Producer:
        if self._producer is None:
            try:
                self._producer = Producer(self._settings)
            except KafkaException as failure:
                text = failure.args[0].str()
                raise Refused(
                    "CredentialsInvalid", f"spec.kafka: the client cannot be set up so: {text}"
                ) from None
        return self._producer
