"""JetStream's own API: JSON questions and answers, every error code as a typed refusal. Knows nothing of what is declared."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from headgate.brokers.base import BrokerError, Refused, Unavailable, Unknown, Unreachable, always
from headgate.brokers.nats.link import Link
from headgate.brokers.nats.refusals import BY_CODE, explained, told
from headgate.brokers.pace import Pace
from headgate.core.resource import Unread

Json = Mapping[str, Any]

NO_STREAM: Final = 10059
NO_CONSUMER: Final = 10014
NO_MESSAGE: Final = 10037
STREAM_EXISTS: Final = 10058
CONSUMER_EXISTS: Final = 10148
CONSUMER_GONE: Final = 10149
NAME_USED: Final = 10013
SUBJECTS_OVERLAP: Final = 10065
ABSENT: Final = frozenset({NO_STREAM, NO_CONSUMER, CONSUMER_GONE})

# May pass by itself: elections, moves, restarts.
_PASSING: Final = {
    10004: "IncompleteResults",
    10007: "NoLeader",
    10008: "NoLeader",
    10009: "NoLeader",
    10075: "NoLeader",
    10118: "StreamOffline",
    10119: "ConsumerOffline",
    10124: "MoveInProgress",
    10167: "TooManyRequests",
    10194: "StreamOffline",
    10195: "ConsumerOffline",
    10202: "MoveInProgress",
    10226: "MoveInProgress",
}
_STILL_GOING: Final = "error creating store for stream"  # one of that name has not gone from the disk yet
_SERVER_TROUBLE: Final = 503
# What changes nothing; all else waits for whoever may act.
_LOOKS: Final = (
    "INFO",
    "STREAM.INFO.",
    "STREAM.LIST",
    "STREAM.NAMES",
    "STREAM.MSG.GET.",
    "CONSUMER.INFO.",
    "CONSUMER.LIST.",
    "CONSUMER.NAMES.",
)


class Rejected(Refused):
    """An error code of JetStream."""

    def __init__(self, code: int, text: str, *, reader: bool = False) -> None:
        reason = explained(code, text, reader=reader).reason
        super().__init__(reason, told(code, text, reader=reader))
        self.code = code


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """One message of a stream, without its payload."""

    subject: str
    sequence: int
    time: str


class JetStream:
    """The API of one account's JetStream, in its domain."""

    may_act: Callable[[], bool] = staticmethod(always)  # asked before each request that changes something
    changes: int = 0  # grows before and after each of them: what was read at another number may be outdated

    def __init__(self, link: Link, domain: str | None, timeout: float) -> None:
        self.link = link
        self._prefix = f"$JS.{domain}.API" if domain else "$JS.API"
        self._timeout = timeout

    def subject(self, verb: str) -> str:
        """Where a question is asked."""
        return f"{self._prefix}.{verb}"

    async def call(
        self, lane: Pace, verb: str, body: Json | None = None, *, limit: float | None = None
    ) -> Json:
        """One question; the answer without its error, which is raised."""
        async with lane.slot():
            if verb.startswith(_LOOKS):
                answer = await self._answer(verb, body, limit)
            else:
                answer = await self._changing(verb, body, limit)
        if error := answer.get("error"):
            raise self._error(error, verb)
        return answer

    async def find(
        self, lane: Pace, verb: str, body: Json | None = None, *, limit: float | None = None
    ) -> Json | None:
        """The answer; None where the object of the question does not exist."""
        try:
            return await self.call(lane, verb, body, limit=limit)
        except Rejected as error:
            if error.code in ABSENT:
                return None
            raise

    def unread(self, error: Unreachable, what: str) -> Unread:
        """The error as one about a single object; raised again where it is about all of them.

        In a cluster nobody answers for an object whose servers are down; a server that stands alone answers for all.
        """
        if isinstance(error, Unavailable):
            return Unread(error.reason, str(error))
        if isinstance(error, Unknown) and error.reason == "TimedOut" and self.clustered:
            return Unread("NoAnswer", f"nobody answers for {what}: the servers that keep it may be down")
        raise error

    async def first_at(self, lane: Pace, stream: str, sequence: int, subjects: str) -> StoredMessage | None:
        """The first message from a position on whose subject matches."""
        try:
            body = {"seq": sequence, "next_by_subj": subjects}
            message = (await self.call(lane, f"STREAM.MSG.GET.{stream}", body))["message"]
        except Rejected as error:
            if error.code == NO_MESSAGE:
                return None
            raise
        return StoredMessage(message["subject"], int(message["seq"]), message["time"])

    @property
    def connection(self) -> object:
        """Tells a connection from every other one; None where there is none."""
        return self.link.connection

    @property
    def clustered(self) -> bool:
        """Whether other servers have a say in the answers."""
        return "cluster" in self.link.server

    async def _changing(self, verb: str, body: Json | None, limit: float | None) -> Json:
        if not self.may_act():
            raise Unreachable("LeaseLost", f"another operator may be acting; {verb} was not sent")
        self.changes += 1
        try:
            return await self._answer(verb, body, limit)
        finally:
            self.changes += 1

    async def _answer(self, verb: str, body: Json | None, limit: float | None) -> Json:
        payload = json.dumps(body, separators=(",", ":")).encode() if body is not None else b""
        limit = self._timeout if limit is None else min(limit, self._timeout)
        msg = await self.link.request(self.subject(verb), payload, limit)
        answer: Json = json.loads(msg.data)
        return answer

    def _scrub(self, text: str) -> str:
        return self.link.scrub(text)

    def _error(self, error: Json, verb: str) -> BrokerError:
        code, text = int(error.get("err_code", 0)), self._scrub(str(error.get("description", "")))
        if code in _PASSING:
            reason = _PASSING[code]
        elif text == _STILL_GOING or (code not in BY_CODE and int(error.get("code", 0)) == _SERVER_TROUBLE):
            reason = "TemporarilyUnavailable"
        else:
            return Rejected(code, text, reader=verb.startswith("CONSUMER."))
        about_one = verb.count(".") > 1
        return (Unavailable if about_one else Unreachable)(reason, f"{text} ({code})")
