"""Many requests at once over one connection, answered one by one under one deadline. Knows no JetStream."""

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from nats import errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from headgate.brokers.base import BrokerError, Refused, Unknown, Unreachable
from headgate.brokers.nats.link import Link

GLANCE: Final = 0.5  # seconds between looks whether the connection still stands
NO_RESPONDERS: Final = "503"
MOST_HEADERS: Final = (
    2**18
)  # bytes that no headers ever take: what is farther from the limit need not be counted
_FRAME: Final = "NATS/1.0\r\n\r\n"


class Pairs(dict[str, str]):
    """Headers that keep their order and their repetitions, which the client library's mapping would merge."""

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        super().__init__(pairs)
        self._pairs = tuple(pairs)

    def items(self) -> Sequence[tuple[str, str]]:  # type: ignore[override]  # all that the library does is loop over it
        return self._pairs


@dataclass(frozen=True, slots=True)
class Ask:
    """One request."""

    subject: str
    payload: bytes = b""
    headers: Mapping[str, str] | None = None


Answer = Msg | BrokerError


class _Batch:
    """The answers to one lot of requests, in their order."""

    def __init__(self, size: int) -> None:
        self.answers: list[Answer | None] = [None] * size
        self.open = size
        self.done = asyncio.Event()

    def put(self, index: int, answer: Answer) -> None:
        if self.answers[index] is None:
            self.answers[index] = answer
            self.open -= 1
            if not self.open:
                self.done.set()


class Bulk:
    """Requests in lots. Never raises for a single one of them: its answer is the error."""

    def __init__(self, link: Link, timeout: float) -> None:
        self._link, self._timeout = link, timeout
        self._numbers = itertools.count()
        self._batches: dict[str, _Batch] = {}
        self._client: Client | None = None
        self._inbox = ""
        self._lock = asyncio.Lock()

    async def ask(self, asks: Sequence[Ask]) -> Sequence[Answer]:
        """Send all, then wait for all. Unreachable is raised when there is no connection to send on."""
        if not asks:
            return ()
        client = await self._listening()
        name, batch = str(next(self._numbers)), _Batch(len(asks))
        self._batches[name] = batch
        try:
            for index, ask in enumerate(asks):
                await self._send(client, ask, f"{self._inbox}.{name}.{index}", batch, index)
            await self._wait(client, batch)
        finally:
            del self._batches[name]
        lost = Unknown("TimedOut", "no answer in time; it may have been done")
        return [lost if answer is None else answer for answer in batch.answers]

    async def one(self, ask: Ask) -> Msg:
        """Send one request; its error is raised."""
        (answer,) = await self.ask([ask])
        if isinstance(answer, BrokerError):
            raise answer
        return answer

    async def _send(self, client: Client, ask: Ask, reply: str, batch: _Batch, index: int) -> None:
        headers = dict_or_none(ask.headers)
        try:
            _fit(client, ask)
            await client.publish(ask.subject, ask.payload, reply=reply, headers=headers)
        except (errors.MaxPayloadError, errors.BadHeaderError) as error:
            batch.put(
                index,
                Refused(type(error).__name__.removesuffix("Error"), "the client library refuses to send it"),
            )
        except (errors.Error, OSError) as error:
            batch.put(index, Unreachable("Disconnected", self._link.scrub(f"not sent: {error}")))

    async def _wait(self, client: Client, batch: _Batch) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + self._timeout
        while not batch.done.is_set() and client.is_connected and loop.time() < end:
            try:
                async with asyncio.timeout(min(GLANCE, max(0.0, end - loop.time()))):
                    await batch.done.wait()
            except TimeoutError:
                continue

    async def _listening(self) -> Client:
        client = await self._link.client()
        async with self._lock:
            if client is not self._client:
                self._inbox = client.new_inbox()
                await client.subscribe(
                    f"{self._inbox}.*.*", cb=self._on_answer, pending_msgs_limit=0, pending_bytes_limit=0
                )
                self._client = client
        return client

    async def _on_answer(self, msg: Msg) -> None:
        _, name, index = msg.subject.rsplit(".", 2)
        batch = self._batches.get(name)
        if batch is None:
            return
        silent = msg.headers and not msg.data and msg.headers.get("Status") == NO_RESPONDERS
        batch.put(
            int(index), Unreachable("NoResponders", f"nobody answers on {msg.subject}") if silent else msg
        )


def _fit(client: Client, ask: Ask) -> None:
    """Headers count towards the server's limit, which ends the connection of whoever goes beyond it."""
    if len(ask.payload) + MOST_HEADERS <= client.max_payload or not ask.headers:
        return
    headers = sum(len(name) + len(value.encode()) + 4 for name, value in ask.headers.items())
    if len(ask.payload) + headers + len(_FRAME) > client.max_payload:
        raise errors.MaxPayloadError


def dict_or_none(headers: Mapping[str, str] | None) -> dict[str, str] | None:
    """Headers as the client library takes them."""
    return headers if headers is None or isinstance(headers, dict) else dict(headers)
