"""The mover's side of JetStream: advisories in, original messages read, dead letters written once. Decides nothing."""

import asyncio
import contextlib
import json
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NoReturn

from nats import errors
from nats.aio.msg import Msg

from headgate.brokers.base import BrokerError, Refused, Unreachable
from headgate.brokers.messages import Absent, Kept, Redelivered, Watch
from headgate.brokers.nats.bulk import Answer, Ask, Bulk, Pairs
from headgate.brokers.nats.documents import OWNER
from headgate.brokers.nats.ears import Ears
from headgate.brokers.nats.link import Link
from headgate.brokers.nats.movers import MISSED, MOVER, missed, told
from headgate.brokers.nats.names import ADVISORIES_NAME as CAPTURE
from headgate.brokers.nats.times import moment, nanoseconds
from headgate.brokers.nats.wire import (
    EXPECT_NOTHING,
    FULL,
    WRONG_LAST,
    event_of,
    guarded,
    notice_of,
)
from headgate.core.letters import Event, Letter
from headgate.core.moves import Cause, Delay, Incarnation, Notice, Route

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.subscription import Subscription

IN_FLIGHT: Final = 10_000  # unsettled advisories of all movers together, held ones among them
ACK_WAIT: Final = timedelta(seconds=5)  # what a killed mover had in hand comes again so soon
GRACE: Final = 1.0  # seconds for the end of a pull to travel
SECOND: Final = 1_000_000_000

_NO_MESSAGE, _NO_STREAM, _NO_CONSUMER = 10037, 10059, 10014
_EXISTS = frozenset({10013, 10148})
_KEPT: Final = {
    WRONG_LAST: Kept.PRESENT,
    10054: Kept.TOO_LARGE,
    10097: Kept.TOO_LARGE,  # the header block alone
    FULL: Kept.FULL,
    10002: Kept.FULL,  # the account's storage
    10028: Kept.FULL,  # the server's memory
    10047: Kept.FULL,  # the server's storage
    10023: Kept.FULL,  # the cluster's
}


class NatsMessages:
    """One JetStream account as a mover sees it."""

    def __init__(
        self,
        link: Link,
        second: Link | None = None,
        *,
        api: str = "$JS.API.",
        timeout: float = 10.0,
        ack_wait: timedelta = ACK_WAIT,
    ) -> None:
        self._link, self._second, self._api = link, second, api
        # An older Headgate may have made the durable with others.
        self._settings = {"ack_wait": nanoseconds(ack_wait), "max_ack_pending": IN_FLIGHT}
        self._bulk = Bulk(link, timeout)
        self._pulls: list[_Pull] = []
        self._delivered: int | None = None  # how far advisories had been read when last looked
        self._missed = 0  # evicted while a mover had them, as the server itself says, since then

    async def open(self) -> None:
        """Connect, make the movers' durable where it is missing, and bring it up to date where it is not."""
        config = {
            "durable_name": MOVER,
            "description": "Headgate movers read advisories here",
            "ack_policy": "explicit",
            "deliver_policy": "all",
            **self._settings,
        }
        body = {"stream_name": CAPTURE, "action": "create", "config": config}
        found = await self._call(f"CONSUMER.DURABLE.CREATE.{CAPTURE}.{MOVER}", body)
        if (code := _code(found)) == _NO_STREAM:
            raise Unreachable("CaptureMissing", f"stream {CAPTURE} is not there yet; the operator makes it")
        if code and code not in _EXISTS:
            raise Refused("CaptureRefused", f"durable {MOVER} on {CAPTURE}: {_said(found)}")
        if code:
            there = (await self._position())["config"]
            if any(there.get(name) != value for name, value in self._settings.items()):
                await self._configure({**there, **self._settings})

    async def notices(self, limit: int, wait: timedelta) -> Sequence[Notice]:
        """Pull advisories. What is none of ours to understand is settled at once."""
        pull = self._pulls.pop() if self._pulls else _Pull(self._link, self._api, CAPTURE, MOVER)
        try:
            got = await pull.take(limit, wait.total_seconds())
        finally:
            self._pulls.append(pull)
        notices: list[Notice] = []
        for msg in got:
            notice = notice_of(msg.data, msg.reply)
            if notice is None:
                await self._tell(msg.reply, b"+ACK")
                continue
            self._missed += notice.cause is Cause.MISSED
            notices.append(notice)
        return notices

    async def listen(self) -> NoReturn:
        """Hear advisories on two servers of a cluster, and put in again what their stream may have missed."""
        await Ears(self._link, self._second, self._bulk, self._api).run()

    async def fetch(self, wanted: Sequence[tuple[str, int]]) -> Sequence[Event | Absent]:
        """STREAM.MSG.GET, which the stream's leader answers: what it does not have is gone."""
        asks = [
            Ask(f"{self._api}STREAM.MSG.GET.{source}", b'{"seq":%d}' % position)
            for source, position in wanted
        ]
        return [_event(answer) for answer in await self._bulk.ask(asks)]

    async def incarnations(self, sources: Collection[str]) -> Mapping[str, Incarnation]:
        """The streams' times of creation, which are their identities."""
        asked = sorted(sources)
        answers = await self._bulk.ask([Ask(f"{self._api}STREAM.INFO.{source}") for source in asked])
        found: dict[str, Incarnation] = {}
        for source, answer in zip(asked, answers, strict=True):
            body = _body(answer)
            if _code(body) == _NO_STREAM:
                continue
            _demand(body, f"stream {source}")
            found[source] = Incarnation(body["created"], moment(body["created"]))
        return found

    async def ours(self, source: str, reader: str) -> bool:
        """Whether the consumer's metadata carries our mark."""
        body = await self._call(f"CONSUMER.INFO.{source}.{reader}")
        if _code(body) in {_NO_STREAM, _NO_CONSUMER}:
            return False
        _demand(body, f"consumer {source}/{reader}")
        return OWNER in (body["config"].get("metadata") or {})

    async def keep(self, letters: Sequence[Letter]) -> Sequence[Kept]:
        """Publish each under its own subject on the condition that nothing stands there."""
        asks = [
            Ask(letter.address, letter.body, Pairs([EXPECT_NOTHING, *guarded(letter.headers)]))
            for letter in letters
        ]
        return [_kept(answer) for answer in await self._bulk.ask(asks)]

    async def settle(self, notices: Sequence[Notice]) -> None:
        """Acknowledge."""
        for notice in notices:
            await self._tell(notice.token, b"+ACK")

    async def postpone(self, notices: Sequence[Notice], delay: timedelta) -> None:
        """Have the server deliver them again after the delay."""
        nak = b'-NAK {"delay":%d}' % int(delay.total_seconds() * SECOND)
        for notice in notices:
            await self._tell(notice.token, nak)

    async def extend(self, notices: Sequence[Notice]) -> None:
        """Say that they are being worked on."""
        for notice in notices:
            await self._tell(notice.token, b"+WPI")

    async def call_in(self, source: str, reader: str, after: timedelta) -> bool:
        """One pull that does not wait: the server notices then that attempts are used up."""
        body = await self._call(f"CONSUMER.INFO.{source}.{reader}")
        if _code(body) in {_NO_STREAM, _NO_CONSUMER}:
            return False
        _demand(body, f"consumer {source}/{reader}")
        if not _stranded(body, after):
            return False
        pull = _Pull(self._link, self._api, source, reader)
        for msg in await pull.take(1, 0):
            await self._tell(msg.reply, b"-NAK")
        await pull.aclose()
        return True

    async def redeliver(self, routes: Sequence[Route], limit: int, wait: timedelta) -> Redelivered:
        """None: the broker keeps waits itself."""
        del routes, limit
        await asyncio.sleep(wait.total_seconds())
        return Redelivered()

    async def watch(self, delays: Collection[Delay] = ()) -> Watch:
        """How many advisories wait, and how many may have been lost unread since the last call.

        The stream's first message lies behind what had been read at the last look: what lies between is gone, and
        nobody knows any more whether another mover read it in the meantime, so it counts as missed.
        """
        position = await self._position()
        stream = await self._call(f"STREAM.INFO.{CAPTURE}")
        _demand(stream, f"stream {CAPTURE}")
        metadata = position["config"].get("metadata") or {}
        delivered, first = position["delivered"], int(stream["state"]["first_seq"])
        now = int(delivered["stream_seq"])
        before = self._delivered
        if before is None:  # where no mover was ever given one, all that is gone is missed
            before = now if int(delivered["consumer_seq"]) or MISSED in metadata else 0
        lost = max(0, first - 1 - before) + self._missed
        after = missed(metadata, lost, stream["ts"]) if lost else metadata
        after = told(after, delays, moment(stream["ts"])) or after
        if after != metadata:
            await self._configure({**position["config"], "metadata": after})
        self._delivered, self._missed = max(now, first - 1), 0
        return Watch(int(position["num_pending"]) + int(position["num_ack_pending"]), lost)

    async def aclose(self) -> None:
        """Close the connections; advisories under way come again to another mover."""
        for link in filter(None, (self._link, self._second)):
            await link.aclose()

    async def _position(self) -> dict[str, Any]:
        """The movers' durable as it is."""
        found = await self._call(f"CONSUMER.INFO.{CAPTURE}.{MOVER}")
        _demand(found, f"durable {MOVER}")
        return found

    async def _configure(self, config: Mapping[str, Any]) -> None:
        """Change the movers' durable, which keeps its position."""
        body = {"stream_name": CAPTURE, "action": "update", "config": config}
        _demand(await self._call(f"CONSUMER.DURABLE.CREATE.{CAPTURE}.{MOVER}", body), f"durable {MOVER}")

    async def _call(self, subject: str, body: object = None) -> dict[str, Any]:
        payload = b"" if body is None else json.dumps(body).encode()
        found: dict[str, Any] = json.loads((await self._bulk.one(Ask(self._api + subject, payload))).data)
        return found

    async def _tell(self, subject: str, payload: bytes) -> None:
        client = await self._link.client()
        try:
            await client.publish(subject, payload)
        except (errors.Error, OSError) as error:
            raise Unreachable("Disconnected", self._link.scrub(f"not settled: {error}")) from None


class _Pull:
    """One inbox for messages pulled from one durable, and at most one pull under way."""

    def __init__(self, link: Link, api: str, stream: str, durable: str) -> None:
        self._link = link
        self._subject = f"{api}CONSUMER.MSG.NEXT.{stream}.{durable}"
        self._client: Client | None = None
        self._subscription: Subscription | None = None
        self._inbox = ""
        self._got: list[Msg] = []
        self._ended = False
        self._change = asyncio.Event()

    async def take(self, limit: int, wait: float) -> list[Msg]:
        """What one pull brings: all that is there up to the limit, else the first that comes within the wait."""
        client = await self._link.client()
        if client is not self._client:
            self._inbox = client.new_inbox()
            self._subscription = await client.subscribe(self._inbox, cb=self._on_message)
            self._client = client
        if self._got:  # they came after the last call had given up
            taken, self._got = self._got, []
            return taken
        self._ended = False
        pull = {"batch": limit, "no_wait": True, **({"expires": int(wait * SECOND)} if wait else {})}
        try:
            await client.publish(self._subject, json.dumps(pull).encode(), reply=self._inbox)
        except (errors.Error, OSError) as error:
            raise Unreachable("Disconnected", self._link.scrub(f"no pull: {error}")) from None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait + GRACE):
                while not self._ended and len(self._got) < limit:
                    self._change.clear()
                    await self._change.wait()
        taken, self._got = self._got, []
        return taken

    async def aclose(self) -> None:
        """Let go of the inbox."""
        with contextlib.suppress(errors.Error, OSError):
            if self._subscription is not None:
                await self._subscription.unsubscribe()

    async def _on_message(self, msg: Msg) -> None:
        if msg.reply:
            self._got.append(msg)
        else:
            self._ended = True
        self._change.set()


def _body(answer: Answer) -> dict[str, Any]:
    if isinstance(answer, BrokerError):
        raise answer
    body: dict[str, Any] = json.loads(answer.data)
    return body


def _code(body: Mapping[str, Any]) -> int:
    return int((body.get("error") or {}).get("err_code", 0))


def _said(body: Mapping[str, Any]) -> str:
    return str((body.get("error") or {}).get("description", ""))


def _demand(body: Mapping[str, Any], what: str) -> None:
    if not (error := body.get("error")):
        return
    if error.get("code", 0) >= 500:  # noqa: PLR2004  (the server's own trouble, as in HTTP)
        raise Unreachable("ServerTrouble", f"{what}: {_said(body)}")
    raise Refused("RequestRefused", f"{what}: {_said(body)}")


def _event(answer: Answer) -> Event | Absent:
    if isinstance(answer, BrokerError):
        return Absent.UNKNOWN
    body = json.loads(answer.data)
    if "message" in body:
        return event_of(body["message"])
    return Absent.GONE if _code(body) in {_NO_MESSAGE, _NO_STREAM} else Absent.UNKNOWN


def _kept(answer: Answer) -> Kept:
    if isinstance(answer, BrokerError):
        by_reason = {"MaxPayload": Kept.TOO_LARGE, "NoResponders": Kept.MISSING}
        return by_reason.get(answer.reason, Kept.REFUSED if isinstance(answer, Refused) else Kept.UNKNOWN)
    body = json.loads(answer.data)
    if not (error := body.get("error")):
        return Kept.STORED
    passing = error.get("code", 0) >= 500  # noqa: PLR2004  (the server's own trouble, as in HTTP)
    return _KEPT.get(_code(body), Kept.UNKNOWN if passing else Kept.REFUSED)


def _stranded(body: Mapping[str, Any], after: timedelta) -> bool:
    """In flight without anybody asking for events, and nothing was delivered for so long."""
    active = body["delivered"].get("last_active")
    idle = active is None or moment(body["ts"]) - moment(active) > after
    return bool(body["num_ack_pending"]) and not body["num_waiting"] and not body.get("paused") and idle
