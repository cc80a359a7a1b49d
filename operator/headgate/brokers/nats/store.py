"""What the server in memory keeps: streams, what they hold, and how far their consumers are. Answers no questions."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from headgate.brokers.nats.documents import Json
from headgate.brokers.nats.times import written
from headgate.core.buckets import Layout
from headgate.core.subjects import matches

_PARTITION: Final = re.compile(r"^(?P<prefix>.+)\.b\.\{\{partition\((?P<buckets>\d+),1\)\}\}")


@dataclass(frozen=True, slots=True)
class Message:
    """A stored message without its body."""

    sequence: int
    subject: str
    headers: Mapping[str, str]
    at: datetime


@dataclass(slots=True)
class Durable:
    """A consumer and how far it is."""

    config: dict[str, Any]
    created: datetime
    delivered: int = 0  # stream sequence
    handed_out: int = 0  # repeats counted again
    in_flight: dict[int, int] = field(default_factory=dict)  # stream sequence -> deliveries
    waiting: int = 0

    def takes(self, subject: str) -> bool:
        """Whether a message passes the filter."""
        single = self.config.get("filter_subject")
        filters = self.config.get("filter_subjects") or ((single,) if single else ())
        return not filters or any(matches(each, subject) for each in filters)


@dataclass(slots=True)
class Store:
    """A stream and what it holds."""

    config: dict[str, Any]
    created: datetime
    messages: dict[int, Message] = field(default_factory=dict)
    durables: dict[str, Durable] = field(default_factory=dict)
    last: int = 0

    def append(self, subject: str, headers: Mapping[str, str], at: datetime) -> int:
        """Store a message under its stored subject; a roll-up replaces what is there."""
        stored = self._stored(subject)
        if headers.get("Nats-Rollup") == "sub":
            self.messages = {seq: each for seq, each in self.messages.items() if each.subject != stored}
        self.last += 1
        self.messages[self.last] = Message(self.last, stored, dict(headers), at)
        return self.last

    def _stored(self, subject: str) -> str:
        transform = self.config.get("subject_transform") or {}
        shape = _PARTITION.match(transform.get("dest", ""))
        if shape is None or not matches(transform["src"], subject):
            return subject
        return Layout(shape["prefix"], int(shape["buckets"])).stored(subject)

    def info(self, now: datetime) -> Json:
        """As STREAM.INFO has it."""
        first = min(self.messages, default=self.last + 1)
        first_at = self.messages[first].at if self.messages else now
        return {
            "config": self.config,
            "created": written(self.created),
            "ts": written(now),
            "state": {
                "messages": len(self.messages),
                "bytes": 100 * len(self.messages),
                "first_seq": first,
                "first_ts": written(first_at),
                "last_seq": self.last,
                "num_deleted": max(0, self.last - first + 1 - len(self.messages)),
                "consumer_count": len(self.durables),
            },
        }

    def progress(self, name: str, stream: str, now: datetime) -> Json:
        """As CONSUMER.INFO has it."""
        durable = self.durables[name]
        pending = [
            seq
            for seq, each in self.messages.items()
            if seq > durable.delivered and durable.takes(each.subject)
        ]
        floor = min(durable.in_flight, default=durable.delivered + 1) - 1
        return {
            "stream_name": stream,
            "name": name,
            "config": durable.config,
            "created": written(durable.created),
            "ts": written(now),
            "delivered": {"stream_seq": durable.delivered, "consumer_seq": durable.handed_out},
            "ack_floor": {"stream_seq": floor, "consumer_seq": floor},
            "num_ack_pending": len(durable.in_flight),
            "num_redelivered": sum(1 for count in durable.in_flight.values() if count > 1),
            "num_waiting": durable.waiting,
            "num_pending": len(pending),
        }
