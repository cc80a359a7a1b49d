"""A worker of the shop: an ordinary program that knows its mounted binding and the NATS client, nothing of Headgate.

    BINDING=/etc/binding RATE=50 python worker.py

It pulls events, handles them at a known rate, gives back what failed after the wait that the binding asks for, and
keeps what it gives up as a dead letter before it settles the event. It follows the binding when that changes, and
ends in order on SIGTERM. For demonstrations an event can ask for trouble through its headers:

    shop-fail: DatabaseDown          fails every attempt with this class of error
    shop-fail: DatabaseDown 2        fails the first two attempts
    shop-crash: 1                    the process dies on the first attempt
    shop-hang: 1                     the first attempt is never settled

Variables: BINDING (folder), CREDENTIALS (folder, where the broker wants a login), RATE (events a second), LEDGER
(file to which each outcome is appended as a line of JSON).
"""

import asyncio
import json
import os
import random
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

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error, MaxPayloadError
from nats.js.errors import APIError

LOOK = 1.0  # seconds between looks at the binding
PULL = 2.0  # seconds that one pull stands open
GRACE = 8.0  # seconds for events under way when the worker ends
HOLD = 5.0  # seconds until a dead letter that could not be kept is tried again
WRONG_LAST_SEQUENCE = 10071  # a dead letter of this event stands there already
TOO_LARGE = 10054
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
        return int(self["max-deliver"] or 1)

    @property
    def prefetch(self) -> int:
        return int(self["prefetch"] or 10)

    @property
    def deadline(self) -> float:
        return seconds(self["deadline"]) or float("inf")

    def wait(self, attempt: int) -> float:
        """How long to wait after a failed attempt, counted from 1, a little longer at random."""
        waits = [seconds(text) for text in self["nak-delays"].split(",") if text] or [0.0]
        jitter = int(self["nak-jitter-percent"] or 0) / 100
        return waits[min(attempt, len(waits)) - 1] * (1 + jitter * random.random())  # noqa: S311  (spreads load, guards nothing)

    def action(self, error_class: str) -> str:
        """What the first matching rule wants for a class of error; Retry where none matches."""
        rules: list[dict[str, str]] = json.loads(self["rules"] or "[]")
        return next((rule["action"] for rule in rules if rule["errorClass"] == error_class), "Retry")


class HandlingError(Exception):
    """The event could not be handled this time."""

    def __init__(self, error_class: str, message: str) -> None:
        super().__init__(message)
        self.error_class = error_class


async def handle(msg: Msg, attempt: int, work: float) -> None:
    """The business of this worker: it takes its time, and sometimes it fails."""
    asked = msg.headers or {}
    if attempt <= int(asked.get("shop-crash", 0)):
        os._exit(1)
    if attempt <= int(asked.get("shop-hang", 0)):
        await asyncio.Event().wait()
    await asyncio.sleep(work)
    error_class, _, times = asked.get("shop-fail", "").partition(" ")
    if error_class and attempt <= int(times or sys.maxsize):
        raise HandlingError(error_class, f"{error_class} while handling {msg.subject}")


class Ledger:
    """Appends what became of events to a file that many workers share: one short write per line."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644) if path else None

    def note(self, outcome: str, msg: Msg, attempt: int) -> None:
        """One line."""
        if self._file is None:
            return
        name = (msg.headers or {}).get("Nats-Msg-Id", "")
        sequence = msg.metadata.sequence.stream
        line = {"outcome": outcome, "id": name, "sequence": sequence, "attempt": attempt, "pid": os.getpid()}
        line["at"] = round(time.time(), 3)
        line["age"] = round(time.time() - msg.metadata.timestamp.timestamp(), 3)
        os.write(self._file, json.dumps(line).encode() + b"\n")


class Worker:
    """Handles the events of one group, as one binding says."""

    def __init__(self, client: Client, binding: Binding, rate: float, ledger: Ledger) -> None:
        self.client, self.binding, self.ledger = client, binding, ledger
        self.stream = client.jetstream(domain=binding["jetstream-domain"] or None)
        self.work = (
            binding.prefetch / rate
        )  # each of them takes this long, so that all together keep the rate
        self.slots = asyncio.Semaphore(binding.prefetch)
        self.under_way: set[asyncio.Task[None]] = set()

    async def run(self, ended: asyncio.Event) -> None:
        """Pull and handle until `ended`, then finish what is under way."""
        pull = await self.stream.pull_subscribe_bind(self.binding["durable"], stream=self.binding["stream"])
        while not ended.is_set():
            await self.slots.acquire()
            self.slots.release()  # somebody is free; how many is seen below
            free = self.binding.prefetch - len(self.under_way)
            try:
                events = await pull.fetch(max(1, free), timeout=PULL)
            except TimeoutError:
                continue
            except Error as error:
                print(f"no events: {error}", flush=True)
                await asyncio.sleep(HOLD / 10)
                continue
            for msg in events:
                await self.slots.acquire()
                task = asyncio.create_task(self.one(msg))
                self.under_way.add(task)
                task.add_done_callback(self.finished)
        await self.finish()

    def finished(self, task: "asyncio.Task[None]") -> None:
        """A slot is free again."""
        self.under_way.discard(task)
        self.slots.release()

    async def finish(self) -> None:
        """Let events under way end; those that do not come again to another worker."""
        if self.under_way:
            _, late = await asyncio.wait(self.under_way, timeout=GRACE)
            for task in late:
                task.cancel()
        await self.client.flush()

    async def one(self, msg: Msg) -> None:
        """One attempt at one event, and what follows from it."""
        attempt = msg.metadata.num_delivered
        try:
            async with asyncio.timeout(seconds(self.binding["ack-wait"])):
                await handle(msg, attempt, self.work)
        except TimeoutError:
            return  # the server hands it out again by itself: it counts the time too
        except HandlingError as error:
            await self.failed(msg, attempt, error)
        else:
            self.ledger.note("handled", msg, attempt)
            with suppress(Error):
                await msg.ack()

    async def failed(self, msg: Msg, attempt: int, error: HandlingError) -> None:
        """Try again later, or give up for the reason that holds."""
        wait = self.binding.wait(attempt)
        age = (datetime.now(UTC) - msg.metadata.timestamp).total_seconds()  # noqa: TID251  (a program of its own)
        action = self.binding.action(error.error_class)
        if action == "DeadLetter":
            await self.give_up(msg, attempt, "Rejected", error)
        elif action == "Drop":
            await self.drop(msg, attempt)
        elif attempt < self.binding.attempts and age + wait <= self.binding.deadline:
            self.ledger.note("failed", msg, attempt)
            with suppress(Error):
                await msg.nak(delay=wait)
        elif self.binding["on-exhausted"] == "Drop":
            await self.drop(msg, attempt)
        else:
            reason = "MaxAttempts" if attempt >= self.binding.attempts else "Deadline"
            await self.give_up(msg, attempt, reason, error)

    async def drop(self, msg: Msg, attempt: int) -> None:
        """The policy says that this loss is accepted."""
        self.ledger.note("dropped", msg, attempt)
        with suppress(Error):
            await msg.ack()

    async def give_up(self, msg: Msg, attempt: int, reason: str, error: HandlingError) -> None:
        """First keep the dead letter, then settle the event for good: never the other way round."""
        if self.binding["dead-letter-subject"]:
            try:
                await self.keep(msg, attempt, reason, error)
            except (Error, TimeoutError):
                with suppress(Error):
                    await msg.nak(delay=HOLD)  # without attempts left, it is the mover who will keep it
                return
        self.ledger.note("dead", msg, attempt)
        with suppress(Error):
            await self.client.publish(msg.reply, f"+TERM {error.error_class}".encode())

    async def keep(self, msg: Msg, attempt: int, reason: str, error: HandlingError) -> None:
        """Publish under the one subject that this event's dead letter can have, unless it stands there."""
        address = f"{self.binding['dead-letter-subject']}.{msg.metadata.sequence.stream}"
        headers = {"Nats-Expected-Last-Subject-Sequence": "0"} | set_aside(msg.headers or {})
        headers |= {
            "headgate-reason": reason,
            "headgate-group": self.binding["group"],
            "headgate-topic": self.binding["topic"],
            "headgate-position": str(msg.metadata.sequence.stream),
            "headgate-subject": msg.subject,
            "headgate-published": stamp(msg.metadata.timestamp),
            "headgate-last-failed": stamp(datetime.now(UTC)),  # noqa: TID251  (a program of its own)
            "headgate-attempts": str(attempt),
            "headgate-error-class": error.error_class,
            "headgate-error": " ".join(str(error).split())[:1024],
        }
        try:
            await self.stream.publish(address, msg.data, headers=headers, timeout=5)
        except MaxPayloadError:
            return  # the mover leaves an envelope in its place
        except APIError as refusal:
            if refusal.err_code not in {WRONG_LAST_SEQUENCE, TOO_LARGE}:
                raise


def set_aside(headers: Mapping[str, str]) -> dict[str, str]:
    """The event's own headers; those that the server would act on keep their value under another name."""
    return {f"headgate-original-{k}" if k.lower().startswith("nats-") else k: v for k, v in headers.items()}


def stamp(moment: datetime) -> str:
    """A moment as it stands in headers."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def login(folder: Path | None) -> dict[str, Any]:
    """What the mounted credentials let the client log in with."""
    found = (
        {path.name: path.read_text().strip() for path in folder.iterdir() if path.is_file()} if folder else {}
    )
    if "creds" in found:
        return {"user_credentials": str(folder / "creds")} if folder else {}
    if "nkey" in found:
        return {"nkeys_seed_str": found["nkey"]}
    names = {"token": "token", "username": "user", "password": "password"}
    return {option: found[name] for name, option in names.items() if name in found}


async def connect(binding: Binding, credentials: Path | None) -> Client:
    """A connection as the binding says, with the mounted credentials where there are some."""
    options = login(credentials)
    if binding["ca.crt"]:
        options["tls"] = ssl.create_default_context(cadata=binding["ca.crt"])
    servers = binding["servers"].split(",")
    return await nats.connect(
        servers, name="shop-worker", max_reconnect_attempts=-1, reconnect_time_wait=1, **options
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
        client = await connect(binding, credentials)
        print(f"working on {binding['group']}, revision {binding['revision']}", flush=True)
        try:
            await Worker(client, binding, rate, ledger).run(ended)
        finally:
            following.cancel()
            with suppress(Error):
                await client.close()


if __name__ == "__main__":
    asyncio.run(main())
