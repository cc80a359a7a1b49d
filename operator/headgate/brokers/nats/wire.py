"""Events, notices and dead letters in JetStream's own form. Pure: bytes and JSON in, values out."""

import base64
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from headgate.brokers.nats.movers import MOVER
from headgate.brokers.nats.names import ADVISORIES_NAME as CAPTURE
from headgate.brokers.nats.times import moment
from headgate.core.letters import Entry, Event, Headers, Letter
from headgate.core.moves import Cause, Notice

CONTROL: Final = "nats-"  # headers that the server acts on; on a dead letter they would act again
SET_ASIDE: Final = "headgate-original-"  # stands before the name of such a header
EXPECTED: Final = "Nats-Expected-Last-Subject-Sequence"
EXPECT_NOTHING: Final = (EXPECTED, "0")
WRONG_LAST: Final = 10071  # that expectation did not hold
FULL: Final = 10077  # the stream takes nothing more
ROLLUP: Final = ("Nats-Rollup", "sub")
_ILLEGAL: Final = re.compile(r"[^!#$%&'*+\-.^_`|~0-9A-Za-z]")


def headers_of(raw: str) -> Headers:
    """The headers of a stored message, given as the base64 of its header block."""
    if not raw:
        return ()
    lines = base64.b64decode(raw).decode(errors="backslashreplace").split("\r\n")
    pairs = (line.partition(":") for line in lines[1:] if line)
    return tuple((name.strip(), value.strip()) for name, _, value in pairs if name.strip())


def event_of(message: Mapping[str, Any]) -> Event:
    """A message as STREAM.MSG.GET gives it."""
    return Event(
        subject=message["subject"],
        published=moment(message["time"]),
        headers=headers_of(message.get("hdrs", "")),
        body=base64.b64decode(message.get("data") or ""),
    )


def entry_of(message: Mapping[str, Any]) -> Entry:
    """A dead letter as STREAM.MSG.GET gives it, with what was set aside back under its own name."""
    event = event_of(message)
    headers = tuple(
        (name[len(SET_ASIDE) :], value) if name.lower().startswith(SET_ASIDE) else (name, value)
        for name, value in event.headers
        if not name.lower().startswith(CONTROL)
    )
    return Entry(int(message["seq"]), event.published, Letter(event.subject, headers, event.body))


def guarded(headers: Headers) -> list[tuple[str, str]]:
    """Headers as a dead letter carries them: those that the server acts on are set aside."""
    return [(_guarded(name), value) for name, value in headers]


def _guarded(name: str) -> str:
    """The client library refuses names outside the grammar of HTTP; better a name with dashes than no dead letter."""
    return _ILLEGAL.sub("-", SET_ASIDE + name if name.lower().startswith(CONTROL) else name)


def notice_of(data: bytes, reply: str) -> Notice | None:
    """What an advisory says; None where it is none that concerns us."""
    try:
        said = json.loads(data)
        kind = str(said["type"])
        source, reader = str(said["stream"]), str(said["consumer"])
        cause = Cause.EXHAUSTED if kind.endswith(".max_deliver") else Cause.TERMINATED
        if (source, reader) == (CAPTURE, MOVER):
            cause = Cause.MISSED
        return Notice(
            token=reply,
            source=source,
            reader=reader,
            position=int(said["stream_seq"]),
            cause=cause,
            at=moment(said["timestamp"]),
            attempts=int(said.get("deliveries") or 0),
            text=str(said.get("reason") or ""),
        )
    except (ValueError, KeyError, TypeError):
        return None
