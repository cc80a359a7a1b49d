"""Stands before a NATS server, notes every call and can harm one of them. Knows the protocol, no kinds and no plans."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.faults.journal import BROKER, Call, Journal, Kind

JournalOf = Callable[[], Journal]


@dataclass(slots=True, eq=False)
class _Line:
    """One client's connection and what is known of it."""

    actor: str = ""
    after: dict[bytes, Call] = field(default_factory=dict)  # by the subject of the answer: who dies of it
    open: dict[bytes, Call] = field(default_factory=dict)  # by the subject of the answer: not answered yet


class NatsProxy:
    """Stands between all actors and a NATS server; who calls is told by the name that a connection gives itself."""

    def __init__(self, port: int, actors: dict[str, str], journal: JournalOf) -> None:
        self.url = ""
        self.accepted = 0  # connections, so far
        self._port, self._actors, self._journal = port, actors, journal
        self._open: set[_Line] = set()

    def rename(self, actor: str, to: str) -> None:
        """Whoever is connected under one name goes by another one from now on; who comes later does not."""
        for line in self._open:
            if line.actor == actor:
                line.actor = to

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["NatsProxy"]:
        """Listen for the length of a block."""
        tasks: set[asyncio.Task[None]] = set()

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.accepted += 1
            task = asyncio.ensure_future(self._serve(reader, writer))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        server = await asyncio.start_server(accept, "127.0.0.1", 0, limit=2**24)
        self.url = f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            for task in list(tasks):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = _Line()
        try:
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._port, limit=2**24)
        except OSError:
            writer.close()
            return
        self._open.add(line)
        ways = [
            asyncio.ensure_future(self._up(reader, server_writer, line)),
            asyncio.ensure_future(self._down(server_reader, writer, line)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            self._open.discard(line)
            writer.close()
            server_writer.close()

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: _Line) -> None:
        """From the client: what is published is noted before it is passed on."""
        while head := await reader.readline():
            words = head.split()
            verb = words[0].upper() if words else b""
            if verb == b"CONNECT":
                name = str(json.loads(head.partition(b" ")[2]).get("name"))
                line.actor = self._actors.get(name, name)
            if verb not in {b"PUB", b"HPUB"}:
                writer.write(head)
                await writer.drain()
                continue
            payload = await reader.readexactly(int(words[-1]) + 2)
            await self._published(words, head + payload, payload[:-2], writer, line)

    async def _published(
        self, words: list[bytes], frame: bytes, payload: bytes, writer: asyncio.StreamWriter, line: _Line
    ) -> None:
        subject = words[1].decode()
        reply = words[2] if len(words) == (4 if words[0].upper() == b"PUB" else 5) else b""
        journal = self._journal()
        name, writes = spoken(subject, payload)
        call = journal.note(line.actor, BROKER, name, subject, payload, writes=writes)
        kind = journal.strikes(call)
        if kind is Kind.KILL_BEFORE:
            await journal.end(call)
            return
        await journal.before(kind, call)
        writer.write(frame)
        await writer.drain()
        if reply:
            line.open[reply] = call
        if kind is Kind.KILL_AFTER and reply:
            line.after[reply] = call
        elif kind is Kind.KILL_AFTER:
            await journal.end(call)

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: _Line) -> None:
        """From the server: an answer that somebody dies of never arrives."""
        while head := await reader.readline():
            words = head.split()
            verb = words[0].upper() if words else b""
            frame = head
            if verb in {b"MSG", b"HMSG"}:
                frame += await reader.readexactly(int(words[-1]) + 2)
                if words[1] in line.after:
                    await self._journal().end(line.after.pop(words[1]))
                    return
                if (call := line.open.pop(words[1], None)) is not None:
                    self._journal().answered(call)
            writer.write(frame)
            await writer.drain()


_DRAWN = re.compile(r"(?<=-dead)\.[A-Za-z0-9]{8}$")  # readers that last as long as one look
_CHANGING = ("CREATE", "UPDATE", "DELETE", "PAUSE", "PURGE")


def spoken(subject: str, payload: bytes) -> tuple[str, bool]:
    """What a publication is called, and whether it changes something in the broker."""
    if subject.startswith("$JS.API."):
        name = _DRAWN.sub(".(drawn)", subject.removeprefix("$JS.API."))
        return name, any(f".{verb}." in name for verb in _CHANGING)
    if subject.startswith("$JS.ACK."):
        words = subject.split(".")
        return f"{payload.split(b' ')[0].decode()} of {words[2]}.{words[3]}", True
    return f"publish to {'.'.join(subject.split('.')[:3])}", True
