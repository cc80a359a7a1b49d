"""A TCP proxy in front of a NATS server that breaks the connection around the k-th message a client sends. Knows no meaning."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class CuttingProxy:
    """Forwards until so many messages were sent; from then on nobody gets through in either direction."""

    server: str
    cut_at: int | None = None  # this message is the last that reaches the server; None: never
    answer: bool = True  # whether its answer may still come back
    sent: int = 0
    url: str = ""
    cut: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client."""
        if self.cut.is_set():
            writer.close()
            return
        where = urlsplit(self.server)
        up_reader, up_writer = await asyncio.open_connection(where.hostname, where.port)
        ends = [
            asyncio.create_task(self._up(reader, up_writer)),
            asyncio.create_task(self._down(up_reader, writer)),
            asyncio.create_task(self._cut_off()),
        ]
        with suppress(OSError, asyncio.IncompleteReadError):
            done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                await each
        for each in ends:
            each.cancel()
        writer.close()
        up_writer.close()

    async def _cut_off(self) -> None:
        await self.cut.wait()
        if self.answer:
            await asyncio.sleep(0.05)  # the time in which an answer travels; nothing waits for it

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            words = line.split()
            command = words[0].upper() if words else b""
            body = await reader.readexactly(int(words[-1]) + 2) if command in {b"PUB", b"HPUB"} else b""
            writer.write(line + body)
            await writer.drain()
            self.sent += bool(body)
            if body and self.sent == self.cut_at:
                self.cut.set()
                await asyncio.Event().wait()

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if self.cut.is_set() and not self.answer:
                return
            writer.write(data)
            await writer.drain()


@asynccontextmanager
async def cutting_proxy(
    server: str, cut_at: int | None = None, *, answer: bool = True
) -> AsyncIterator[CuttingProxy]:
    """A proxy on a port of its own."""
    proxy = CuttingProxy(server, cut_at, answer)
    listener = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.url = f"nats://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        listener.close()
