"""What a dead letter says about itself in RabbitMQ's words, in ours. Pure: knows no client and no queue but those named in it.

The server writes down each death of an event, the last one first. A wait in a step of the ladder ends in one too, which
is none for us. What a worker wrote in our own headers holds before anything that the server says.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, Final

from headgate.brokers.rabbitmq.names import step_of
from headgate.core.letters import OWN, Entry, Header, Headers, Letter, Reason, foreign, stamp, value_of

Values = Mapping[str, Any]  # headers of AMQP are typed, and may be tables

CLOSES: Final = "x-headgate-closes"  # on what says that an entry was closed: the entry's position
SECOND: Final = 1 << 30  # positions within one second of death
UNKNOWN_TIME: Final = datetime.fromtimestamp(0, UTC)
_REASONS: Final[Mapping[str, Reason]] = {
    "delivery_limit": Reason.MAX_ATTEMPTS,
    "rejected": Reason.REJECTED,
    "expired": Reason.EXPIRED,
    "maxlen": Reason.EVICTED,
}
_DEATHS: Final = "x-death"
_CHANGING: Final = frozenset({"x-delivery-count", "x-acquired-count"})  # whoever looks at it counts on
_TOLD: Final = ("x-first-death-", "x-last-death-", _DEATHS, *_CHANGING)  # retold in our own headers
_CLOSING: Final = frozenset(
    {Header.RESOLUTION, Header.RESOLVED_BY, Header.RESOLUTION_REASON, Header.RESOLVED_AT}
)


@dataclass(frozen=True, slots=True)
class Mail:
    """A message as it lies in a dead-letter queue, or in the stream of those that were closed."""

    headers: Values
    body: bytes = b""
    properties: Mapping[str, str] = field(default_factory=dict)  # content-type, message-id ...
    published: datetime | None = None


@dataclass(frozen=True, slots=True)
class Owners:
    """Whose queues and exchanges are, by their names in the broker, as namespace/name."""

    groups: Mapping[str, str] = field(default_factory=dict)
    topics: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Death:
    """One time that a queue gave an event up."""

    queue: str
    reason: str
    exchange: str
    routing_key: str
    at: datetime | None


def deaths_of(headers: Values) -> tuple[Death, ...]:
    """All that the server remembers, the last one first."""
    told = headers.get(_DEATHS)
    return tuple(_death(each) for each in told if isinstance(each, Mapping)) if isinstance(told, list) else ()


def _death(told: Values) -> Death:
    keys = told.get("routing-keys")
    at = told.get("time")
    return Death(
        queue=text_of(told.get("queue", "")),
        reason=text_of(told.get("reason", "")),
        exchange=text_of(told.get("exchange", "")),
        routing_key=text_of(keys[0]) if isinstance(keys, list) and keys else "",
        at=at if isinstance(at, datetime) else None,
    )


def own_headers(mail: Mail, owners: Owners) -> Headers:
    """Our headers as far as they are known: the worker's own, else what the server's say."""
    written = {name.lower(): text_of(value) for name, value in mail.headers.items() if name.lower() in OWN}
    if _rejected(mail) and written.get(Header.ATTEMPTS, "").isdecimal():  # the ladder counts those before
        written[Header.ATTEMPTS] = str(int(written[Header.ATTEMPTS]) + 1)
    said = {name: value for name, value in {**dict(_derived(mail, owners)), **written}.items() if value}
    return tuple((name.value, said[name]) for name in Header if name in said)


def _final(deaths: tuple[Death, ...]) -> Death | None:
    return next((each for each in deaths if step_of(each.queue) is None), None)


def _rejected(mail: Mail) -> bool:
    """Whether the server made a dead letter of it because its worker would not have it again."""
    final = _final(deaths_of(mail.headers))
    return final is not None and final.reason == "rejected" and Header.REASON not in mail.headers


def _derived(mail: Mail, owners: Owners) -> Iterator[tuple[str, str]]:
    if mail.published is not None:
        yield Header.PUBLISHED, stamp(mail.published)
    deaths = deaths_of(mail.headers)
    final = _final(deaths)
    if final is None:
        return
    yield Header.REASON, _REASONS.get(final.reason, "")
    yield Header.GROUP, owners.groups.get(final.queue, "")
    times = [each.at for each in deaths if each.at is not None]
    if final.at is not None:
        yield Header.LAST_FAILED, stamp(final.at)
        if min(times) < final.at:
            yield Header.FIRST_FAILED, stamp(min(times))
    origin = next((each for each in reversed(deaths) if each.exchange), None)
    if origin is not None:
        yield Header.SUBJECT, origin.routing_key
        yield Header.TOPIC, owners.topics.get(origin.exchange, "")


def text_of(value: object) -> str:
    """A header's value as one line of text, whatever its publisher put into it."""
    if isinstance(value, bytes):
        value = value.decode(errors="backslashreplace")
    if isinstance(value, str):
        return value if value.isprintable() else json.dumps(value)
    if isinstance(value, datetime):
        return stamp(value)
    return json.dumps(value, default=text_of, sort_keys=True)


def entry_of(mail: Mail, queue: str, owners: Owners) -> Entry:
    """What lies in the queue. Whatever anybody wrote on it, it is open."""
    own = tuple(pair for pair in own_headers(mail, owners) if pair[0] not in _CLOSING)
    stored = _stored(mail, own)
    position = int(stored.timestamp()) * SECOND + _digest(mail)
    return Entry(position, stored, Letter(f"{queue}/{position}", (*_others(mail), *own), mail.body))


def closed_entry_of(mail: Mail, queue: str) -> Entry | None:
    """What the stream of closed entries remembers; None where it is none of ours."""
    position = mail.headers.get(CLOSES)
    own = own_headers(mail, Owners())
    if not isinstance(position, int) or not value_of(own, Header.RESOLUTION):
        return None
    stored = datetime.fromtimestamp(position // SECOND, UTC)
    return Entry(position, stored, Letter(f"{queue}/{position}", own, b""))


def _others(mail: Mail) -> Headers:
    """What the publisher said, with the properties that AMQP keeps beside the headers."""
    headers = tuple(
        (name, text_of(value)) for name, value in sorted(mail.headers.items()) if not name.startswith(_TOLD)
    )
    return (*sorted(mail.properties.items()), *foreign(headers))


def _stored(mail: Mail, own: Headers) -> datetime:
    """When it came here, to the second: at its last death, else when its worker gave it up."""
    times = [each.at for each in deaths_of(mail.headers)[:1] if each.at is not None]
    if times:
        return times[0].replace(microsecond=0)
    for told in (value_of(own, Header.LAST_FAILED), value_of(own, Header.PUBLISHED)):
        try:
            at = datetime.fromisoformat(told)
        except ValueError:
            continue
        if at.tzinfo is not None and at > UNKNOWN_TIME:
            return at.replace(microsecond=0)
    return UNKNOWN_TIME


def _digest(mail: Mail) -> int:
    """Tells events of one second apart: a queue numbers nothing."""
    kept = {name: value for name, value in mail.headers.items() if name not in _CHANGING}
    text = f"{text_of(kept)}\n{text_of(dict(mail.properties))}\n".encode() + mail.body
    return int.from_bytes(blake2b(text, digest_size=4).digest()) % SECOND
