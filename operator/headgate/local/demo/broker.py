"""The demo's own look at the broker, and what it does there behind the operator's back. Knows nothing of Headgate's code.

It speaks plain JetStream, so that what it sees is independent of what it checks.
"""

import base64
import json
from dataclasses import dataclass, field
from datetime import datetime
from email import message_from_bytes
from typing import Any, Self

import nats
from nats.aio.client import Client
from nats.errors import Error

from headgate.local.demo.accounts import DeadLetter, letter_of
from headgate.local.demo.promises import Position
from headgate.local.demo.timeline import QueueSight, TopicSight

Json = dict[str, Any]  # Any: answers of the server as they come
NANO = 1_000_000_000
PRIVATE = "hg."
TIMEOUT = 1.0


class Away(Exception):  # noqa: N818  (a state of the broker, no defect)
    """The broker does not answer."""


async def _quiet(_error: Exception) -> None:
    """A broken connection is part of the story."""


@dataclass(slots=True)
class Broker:
    """One connection that outlives the server."""

    client: Client
    _letters: dict[str, dict[int, DeadLetter]] = field(default_factory=dict)
    _seen: dict[str, int] = field(default_factory=dict)

    @classmethod
    async def connect(cls, url: str) -> Self:
        """Connect, and connect again whenever that breaks."""
        return cls(
            await nats.connect(
                url, name="demo", max_reconnect_attempts=-1, reconnect_time_wait=0.1, error_cb=_quiet
            )
        )

    async def aclose(self) -> None:
        """Let go of the connection."""
        await self.client.close()

    async def ask(self, verb: str, body: Json | None = None) -> Json:
        """One request to JetStream; a refusal is an answer, silence is not."""
        data = json.dumps(body).encode() if body else b""
        try:
            answer = await self.client.request(f"$JS.API.{verb}", data, timeout=TIMEOUT)
        except (Error, OSError, TimeoutError) as error:
            raise Away(str(error)) from error
        found: Json = json.loads(answer.data)
        if (found.get("error") or {}).get("code") == 503:  # noqa: PLR2004  (JetStream is not up yet)
            raise Away(str(found["error"]))
        return found

    async def publish(self, subject: str, name: str, headers: dict[str, str]) -> int:
        """One event; its sequence."""
        sent = self.client.jetstream().publish(subject, b"{}", headers={"Nats-Msg-Id": name, **headers})
        return (await sent).seq

    async def streams(self) -> dict[str, Json]:
        """All streams of the account by name."""
        found = await self.ask("STREAM.LIST")
        return {each["config"]["name"]: each for each in found.get("streams") or ()}

    async def durable(self, stream: str, name: str) -> Json | None:
        """A durable, or None where there is no such one."""
        found = await self.ask(f"CONSUMER.INFO.{stream}.{name}")
        return None if "error" in found else found

    async def published(self, stream: str, after: int, durable: Json) -> float | None:
        """When the first event after a sequence was published that the durable wants."""
        wanted = _filters(durable)
        body = {"seq": after + 1, "next_by_subj": wanted[0] if wanted else ">"}
        found = await self.ask(f"STREAM.MSG.GET.{stream}", body)
        return moment(found["message"]["time"]) if "message" in found else None

    async def letters(self, stream: str, state: Json) -> list[DeadLetter]:
        """All dead letters of a queue; each is read once."""
        known = self._letters.setdefault(stream, {})
        for sequence in range(max(self._seen.get(stream, 0) + 1, state["first_seq"]), state["last_seq"] + 1):
            found = await self.ask(f"STREAM.MSG.GET.{stream}", {"seq": sequence})
            if "message" in found:
                known[sequence] = letter_of(_headers(found["message"]))
            self._seen[stream] = sequence
        return list(known.values())

    async def keep_for(self, stream: str, seconds: float) -> None:
        """Change how long a stream keeps events, as somebody at a console would."""
        config = (await self.ask(f"STREAM.INFO.{stream}"))["config"]
        await self.ask(f"STREAM.UPDATE.{stream}", config | {"max_age": int(seconds * NANO)})

    async def drop(self, stream: str, durable: str) -> None:
        """Delete a durable, as somebody at a console would."""
        await self.ask(f"CONSUMER.DELETE.{stream}.{durable}")


def kept_for(stream: Json) -> float:
    """For how many seconds a stream keeps events."""
    return float(stream["config"].get("max_age", 0)) / NANO


def topic_sight(stream: Json) -> TopicSight:
    """A stream as the timeline keeps it."""
    state = stream["state"]
    return TopicSight(stream["config"]["name"], state["messages"], state["last_seq"], kept_for(stream))


def queue_sight(name: str, letters: list[DeadLetter]) -> QueueSight:
    """Dead letters as the timeline keeps them."""
    keys = sorted({(letter.group, letter.reason) for letter in letters})
    counted = [
        (group, reason, sum((one.group, one.reason) == (group, reason) for one in letters))
        for group, reason in keys
    ]
    return QueueSight(name, tuple(counted))


def position(durable: Json) -> Position:
    """How far a durable is, and where it was begun."""
    return Position(durable["ack_floor"]["stream_seq"], int(durable["config"].get("opt_start_seq", 1)))


def moment(text: str) -> float:
    """A time of the server in seconds since 1970."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{whole}+00:00").timestamp() + float(f"0.{fraction or 0}")


def _filters(durable: Json) -> list[str]:
    config = durable["config"]
    subjects = config.get("filter_subjects") or [config.get("filter_subject") or ">"]
    return [subject for subject in subjects if not subject.startswith(PRIVATE)]


def _headers(message: Json) -> dict[str, str]:
    raw = base64.b64decode(message.get("hdrs", "")).partition(b"\r\n")[2]
    return {name.lower(): value for name, value in message_from_bytes(raw).items()}
