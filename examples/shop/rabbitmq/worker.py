"""A worker of the shop on RabbitMQ: an ordinary program that knows its mounted binding and aio-pika, nothing of Headgate.

    BINDING=/etc/binding CREDENTIALS=/etc/credentials RATE=50 python worker.py

It handles events at a known rate, gives back what failed so that it waits as the binding says, and writes the dead
letter of what it gives up before it acknowledges the event. It follows the binding when that changes, and ends in order
on SIGTERM. For demonstrations an event can ask for trouble through its headers:

    shop-fail: DatabaseDown          fails every attempt with this class of error
    shop-fail: DatabaseDown 2        fails the first two attempts
    shop-crash: 1                    the process dies on the first attempt
    shop-hang: 1                     the first attempt takes longer than it may
    shop-return: 1                   the first attempt gives the event back without a word

Variables: BINDING and CREDENTIALS (folders), RATE (events a second), LEDGER (file to which each outcome is appended as a
line of JSON).
"""

import asyncio
import json
import os
import re
import signal
import ssl
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aio_pika
from aio_pika.abc import AbstractConnection, AbstractIncomingMessage
from aio_pika.exceptions import AMQPError, ChannelInvalidStateError

LOOK = 1.0  # seconds between looks at the binding
GRACE = 8.0  # seconds for events under way when the worker ends
AGAIN = 1.0  # seconds until another try to connect
PATIENCE = 5.0  # seconds for a confirmation
TROUBLE = (
    AMQPError,
    ChannelInvalidStateError,
    OSError,
    TimeoutError,
    RuntimeError,
)  # the last one: it broke just now
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(text: str) -> float:
    """The duration that a text like 1m30s or 250ms writes."""
    return sum(float(number) * UNITS[unit] for number, unit in re.findall(r"([0-9.]+)(ms|h|m|s)", text))


@dataclass(frozen=True)
class Binding:
    """What the files of the binding say."""

    files: Mapping[str, str]

    @classmethod
    def read(cls, folder: Path) -> "Binding":
        """All files; the mount swaps them all at once, and hides its machinery behind a dot."""
        return cls(
            {path.name: path.read_text() for path in folder.iterdir() if not path.name.startswith(".")}
        )

    def __getitem__(self, key: str) -> str:
        return self.files.get(key, "").strip()

    @property
    def attempts(self) -> int:
        return int(self["max-attempts"] or 1)

    @property
    def prefetch(self) -> int:
        return int(self["prefetch"] or 10)

    def wait(self, attempt: int) -> float:
        """How long the event will wait after a failed attempt, counted from 1."""
        waits = [seconds(text) for text in self["retry-waits"].split(",") if text] or [0.0]
        return waits[min(attempt, len(waits)) - 1]

    def ladder(self, attempt: int) -> str:
        """The queue to wait in after a failed attempt; empty where the event's own queue holds it back."""
        queues = [name for name in self["retry-queues"].split(",") if name]
        return queues[min(attempt, len(queues)) - 1] if queues else ""

    def action(self, error_class: str) -> str:
        """What the first matching rule wants for a class of error; Retry where none matches."""
        rules: list[dict[str, str]] = json.loads(self["rules"] or "[]")
        return next((rule["action"] for rule in rules if rule["errorClass"] == error_class), "Retry")


class HandlingError(Exception):
    """The event could not be handled this time."""

    def __init__(self, error_class: str, message: str) -> None:
        super().__init__(message)
        self.error_class = error_class


def attempt_of(message: AbstractIncomingMessage) -> int:
    """The queue counts what came back to it, the ladder what went through it."""
    counted = (message.headers.get("x-delivery-count"), message.headers.get("headgate-attempts"))
    return 1 + sum(int(str(count)) for count in counted if count is not None)


async def handle(message: AbstractIncomingMessage, attempt: int, work: float) -> None:
    """The business of this worker: it takes its time, and sometimes it fails."""
    if attempt <= int(str(message.headers.get("shop-crash", 0))):
        os._exit(1)
    if attempt <= int(str(message.headers.get("shop-hang", 0))):
        await asyncio.Event().wait()
    await asyncio.sleep(work)
    error_class, _, times = str(message.headers.get("shop-fail", "")).partition(" ")
    if error_class and attempt <= int(times or sys.maxsize):
        raise HandlingError(error_class, f"{error_class} while handling {message.routing_key}")


class Ledger:
    """Appends what became of events to a file that many workers share: one short write per line."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644) if path else None

    def note(self, outcome: str, message: AbstractIncomingMessage, attempt: int) -> None:
        """One line."""
        if self._file is not None:
            line = {"outcome": outcome, "id": message.message_id, "attempt": attempt, "pid": os.getpid()}
            when = {"at": round(time.time(), 3), "age": round(_age(message), 3)}
            os.write(self._file, json.dumps(line | when).encode() + b"\n")


class Worker:
    """Handles the events of one group, as one binding says."""

    def __init__(self, connection: AbstractConnection, binding: Binding, rate: float, ledger: Ledger) -> None:
        self.connection, self.binding, self.ledger = connection, binding, ledger
        self.work = binding.prefetch / rate  # each takes this long, so that all together keep the rate
        self.under_way: set[asyncio.Task[None]] = set()

    async def run(self, ended: asyncio.Event) -> None:
        """Handle what comes until `ended`, or until the connection breaks; then finish what is under way."""
        channel = await self.connection.channel(on_return_raises=True)
        await channel.set_qos(self.binding.prefetch)
        self.exchange = channel.default_exchange
        queue = await channel.get_queue(self.binding["queue"])
        tag = await queue.consume(self.begin)
        broken = asyncio.create_task(broke(self.connection))
        stopping = asyncio.create_task(ended.wait())
        await asyncio.wait((broken, stopping), return_when=asyncio.FIRST_COMPLETED)
        broken.cancel()
        stopping.cancel()
        if not self.connection.connected.is_set():
            for task in self.under_way:
                task.cancel()  # the broker has their events back already
            return
        with suppress(*TROUBLE):
            await asyncio.wait_for(queue.cancel(tag), PATIENCE)
        if self.under_way:
            await asyncio.wait(self.under_way, timeout=GRACE)

    async def begin(self, message: AbstractIncomingMessage) -> None:
        """Start with one event; the prefetch bounds how many are under way."""
        task = asyncio.create_task(self.one(message))
        self.under_way.add(task)
        task.add_done_callback(self.under_way.discard)

    async def one(self, message: AbstractIncomingMessage) -> None:
        """One attempt at one event, and what follows from it. A connection that breaks gives the event back."""
        attempt = attempt_of(message)
        with suppress(*TROUBLE):
            if attempt <= int(str(message.headers.get("shop-return", 0))):
                await message.reject(requeue=True)
                return
            try:
                async with asyncio.timeout(seconds(self.binding["handling-timeout"]) or None):
                    await handle(message, attempt, self.work)
            except TimeoutError:
                await self.failed(message, attempt, HandlingError("Timeout", "it took too long"))
            except HandlingError as error:
                await self.failed(message, attempt, error)
            else:
                self.ledger.note("handled", message, attempt)
                await message.ack()

    async def failed(self, message: AbstractIncomingMessage, attempt: int, error: HandlingError) -> None:
        """Try again later, or give up for the reason that holds."""
        action, deadline = self.binding.action(error.error_class), seconds(self.binding["deadline"])
        in_time = not deadline or _age(message) + self.binding.wait(attempt) <= deadline
        if action == "DeadLetter":
            await self.give_up(message, attempt, "Rejected", error)
        elif action == "Drop":
            await self.drop(message, attempt)
        elif attempt < self.binding.attempts and in_time:
            self.ledger.note("failed", message, attempt)
            await self.again(message, attempt)
        elif self.binding["on-exhausted"] == "Drop":
            await self.drop(message, attempt)
        else:
            reason = "MaxAttempts" if attempt >= self.binding.attempts else "Deadline"
            await self.give_up(message, attempt, reason, error)

    async def again(self, message: AbstractIncomingMessage, attempt: int) -> None:
        """Reject it, never nack it: a nack is no attempt. On the ladder, publish first and acknowledge second."""
        if step := self.binding.ladder(attempt):
            await self.publish(message, step, {"headgate-attempts": attempt})
            await message.ack()
        else:
            await message.reject(requeue=True)

    async def drop(self, message: AbstractIncomingMessage, attempt: int) -> None:
        """The policy says that this loss is accepted."""
        self.ledger.note("dropped", message, attempt)
        await message.ack()

    async def give_up(
        self, message: AbstractIncomingMessage, attempt: int, reason: str, error: HandlingError
    ) -> None:
        """First keep the dead letter, then acknowledge the event: never the other way round."""
        if not self.binding["dead-letter-queue"]:
            await message.reject(requeue=True)  # nobody takes it: it comes again until somebody does
            return
        told = {
            "headgate-reason": reason,
            "headgate-group": self.binding["group"],
            "headgate-topic": self.binding["topic"],
            "headgate-subject": message.routing_key or "",
            "headgate-last-failed": stamp(datetime.now(UTC)),  # noqa: TID251  (a program of its own)
            "headgate-attempts": str(attempt),
            "headgate-error-class": error.error_class,
            "headgate-error": " ".join(str(error).split())[:1024],
        }
        try:
            await self.publish(message, self.binding["dead-letter-queue"], told)
        except TROUBLE:
            await message.reject(requeue=True)  # its last attempt, or one less: the broker keeps it then
            return
        self.ledger.note("dead", message, attempt)
        await message.ack()

    async def publish(self, message: AbstractIncomingMessage, queue: str, headers: Mapping[str, Any]) -> None:
        """Hand the event to a queue, confirmed, with headers beside its own; the server's own are not ours to repeat."""
        kept = {name: value for name, value in message.headers.items() if not name.startswith("x-")}
        copy = aio_pika.Message(
            message.body,
            headers={**kept, **headers},
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            content_type=message.content_type,
            message_id=message.message_id,
            timestamp=message.timestamp,
        )
        async with asyncio.timeout(PATIENCE):
            await self.exchange.publish(copy, queue)


async def broke(connection: AbstractConnection) -> None:
    """Until the connection is gone; its own word for that, `closed`, is about being closed by us."""
    gone = asyncio.Event()

    def note(*_: object) -> None:
        gone.set()

    connection.close_callbacks.add(note)
    if connection.connected.is_set():
        await gone.wait()


def _age(message: AbstractIncomingMessage) -> float:
    """Seconds since its publication, where the publisher said when that was: AMQP has whole seconds, our header more."""
    if exactly := message.headers.get("shop-published"):
        return time.time() - float(str(exactly))
    return time.time() - message.timestamp.timestamp() if message.timestamp else 0.0


def stamp(moment: datetime) -> str:
    """A moment as it stands in headers."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def connect(binding: Binding, credentials: Path | None) -> AbstractConnection:
    """A connection as the binding says, with the mounted credentials where there are some."""
    server = urlsplit(binding["servers"])
    login = (
        {name: (credentials / name).read_text().strip() for name in ("username", "password")}
        if credentials
        else {}
    )
    tls = ssl.create_default_context(cadata=binding["ca.crt"]) if binding["ca.crt"] else None
    return await aio_pika.connect(
        host=server.hostname or "localhost",
        port=server.port or (5671 if server.scheme == "amqps" else 5672),
        login=login.get("username", "guest"),
        password=login.get("password", "guest"),
        virtualhost=binding["virtual-host"],
        ssl=server.scheme == "amqps",
        ssl_context=tls,
        client_properties={"connection_name": "shop-worker"},
        timeout=PATIENCE,
    )


async def follow(folder: Path, current: Binding, ended: asyncio.Event, stop: asyncio.Event) -> None:
    """Set `ended` when the binding is another one, or when the worker is to stop."""
    while not stop.is_set():
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK):
                await stop.wait()
        with suppress(OSError):
            if Binding.read(folder) != current:
                break
    ended.set()


async def main() -> None:
    """Work, each time as the binding says, until SIGTERM."""
    folder, rate = Path(os.environ["BINDING"]), float(os.environ.get("RATE", "50"))
    credentials = Path(os.environ["CREDENTIALS"]) if os.environ.get("CREDENTIALS") else None
    ledger, stop = Ledger(os.environ.get("LEDGER", "")), asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, stop.set)
    while not stop.is_set():
        binding, ended = Binding.read(folder), asyncio.Event()
        following = asyncio.create_task(follow(folder, binding, ended, stop))
        try:
            async with await connect(binding, credentials) as connection:
                print(f"working on {binding['group']}", flush=True)
                await Worker(connection, binding, rate, ledger).run(ended)
        except TROUBLE as error:
            print(f"no events: {type(error).__name__} {error}", flush=True)
            await asyncio.sleep(AGAIN)
        finally:
            following.cancel()


if __name__ == "__main__":
    asyncio.run(main())
