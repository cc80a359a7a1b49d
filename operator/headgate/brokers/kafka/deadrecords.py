"""What a record in a dead-letter topic says about itself, in our words. Pure: knows no client.

A worker writes our own headers. A framework that keeps dead letters itself writes others, which are retold where none of
ours says otherwise; its numbers are bytes, the highest first. What closes an entry is a record behind it that names it.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from headgate.brokers.kafka.redelivery import REDELIVERIES, Record
from headgate.core.letters import OWN, Entry, Header, Headers, Letter, Reason, foreign, one_line, stamp

CLOSES: Final = "headgate-closes"  # the position of the entry
_SPRING: Final = "kafka_dlt-"
_ATTEMPTS: Final = "retry_topic-attempts"
_CLOSING: Final = frozenset(
    {Header.RESOLUTION, Header.RESOLVED_BY, Header.RESOLUTION_REASON, Header.RESOLVED_AT}
)
_LARGEST: Final = 8  # bytes of a number
Values = Mapping[str, bytes]


def position_of(offset: int) -> int:
    """Positions count from one."""
    return offset + 1


def text_of(value: bytes) -> str:
    """A header's value as one line, whatever its publisher put into it."""
    text = value.decode(errors="backslashreplace")
    return text if text.isprintable() else json.dumps(text)


def closes(record: Record) -> int | None:
    """The position of the entry that the record closes; None where it is an entry."""
    values = _values(record)
    told = values.get(CLOSES, b"")
    return int(told) if told.isdigit() and values.get(Header.RESOLUTION) else None


def entry_of(record: Record, closed: Headers | None = None) -> Entry:
    """An entry, open unless it is told how it was closed; the body of one that is closed is of no use any more."""
    position = position_of(record.offset)
    address = f"{record.topic}/{position}"
    if closed is not None:
        return Entry(position, record.at, Letter(address, closed, b""))
    told = tuple((name, text_of(value)) for name, value in record.headers if name.lower() != REDELIVERIES)
    others = tuple(pair for pair in foreign(told) if not _retold(pair[0]))
    return Entry(position, record.at, Letter(address, (*others, *own_headers(record)), record.body or b""))


def own_headers(record: Record) -> Headers:
    """Our headers as far as they are known; nothing that a publisher wrote closes an entry."""
    values = _values(record)
    written = {name: text_of(value) for name, value in values.items() if name in OWN and name not in _CLOSING}
    said = {name: value for name, value in {**dict(_derived(record, values)), **written}.items() if value}
    return tuple((name.value, said[name]) for name in Header if name in said)


def stone_of(record: Record) -> Headers:
    """How an entry was closed, by the record that closes it."""
    return tuple((name, text_of(value)) for name, value in record.headers if name.lower() in OWN)


def _retold(name: str) -> bool:
    lower = name.lower()
    return lower.startswith(_SPRING) or lower == _ATTEMPTS


def _values(record: Record) -> Values:
    """The first value under each name."""
    return {name.lower(): value for name, value in reversed(record.headers)}


def _derived(record: Record, values: Values) -> Iterator[tuple[str, str]]:
    spring = {name.removeprefix(_SPRING): value for name, value in values.items() if name.startswith(_SPRING)}
    yield Header.LAST_FAILED, stamp(record.at)
    if not spring:
        return
    attempts = _number(values.get(_ATTEMPTS))
    yield Header.REASON, (Reason.MAX_ATTEMPTS if (attempts or 0) > 1 else Reason.REJECTED).value
    yield Header.ATTEMPTS, "" if attempts is None else str(attempts)
    yield Header.GROUP, text_of(spring.get("original-consumer-group", b""))
    yield Header.SUBJECT, text_of(spring.get("original-topic", b""))
    partition, offset = _number(spring.get("original-partition")), _number(spring.get("original-offset"))
    yield Header.POSITION, "" if None in (partition, offset) else f"{partition}:{offset}"
    published = _number(spring.get("original-timestamp"))
    yield Header.PUBLISHED, "" if published is None else _stamped(published)
    yield Header.ERROR_CLASS, text_of(spring.get("exception-cause-fqcn") or spring.get("exception-fqcn", b""))
    yield Header.ERROR, one_line(spring.get("exception-message", b"").decode(errors="replace"))


def _stamped(milliseconds: int) -> str:
    try:
        return stamp(datetime.fromtimestamp(milliseconds / 1000, UTC))
    except (OverflowError, ValueError, OSError):
        return ""


def _number(value: bytes | None) -> int | None:
    """As the framework writes it, or as digits."""
    if not value:
        return None
    if value.isdigit():
        return int(value)
    return int.from_bytes(value) if len(value) <= _LARGEST else None
