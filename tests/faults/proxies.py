"""Reverse proxies that note every call of an actor and can harm one of them. They know protocols, no kinds and no plans."""

import asyncio
import contextlib
import json
import re
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web
from tests.faults.journal import STATUS, Call, Journal, Kind

from headgate.local.kubeconfig import Access

JournalOf = Callable[[], Journal]
_HOPS = {"host", "connection", "content-length", "transfer-encoding", "content-encoding", "keep-alive"}
_NO_LIMIT = aiohttp.ClientTimeout(total=None)


class KubeProxy:
    """Stands between one actor and the API server: plain HTTP in, HTTPS out, watches streamed."""

    def __init__(self, access: Access, actor: str, journal: JournalOf) -> None:
        self.url = ""
        self._access, self._actor, self._journal = access, actor, journal
        self._session: aiohttp.ClientSession

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["KubeProxy"]:
        """Listen for the length of a block."""
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{path:.*}", self._serve)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        trusted = ssl.create_default_context(cadata=self._access.authority.decode())
        connector = aiohttp.TCPConnector(ssl=trusted, limit=0)
        async with aiohttp.ClientSession(connector=connector, auto_decompress=True) as self._session:
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            try:
                yield self
            finally:
                await runner.cleanup()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if request.method == "GET":
            return await self._passed_on(request)
        journal = self._journal()
        name = f"{request.method} {'/'.join(request.path.split('/')[-3:])}"
        call = journal.note(self._actor, "kube", name, request.path, body, writes=True)
        answer = await self._struck(journal, call, request, body)
        journal.answered(call, answer.status)
        return answer

    async def _struck(self, journal: Journal, call: Call, request: web.Request, body: bytes) -> web.Response:
        kind = journal.strikes(call)
        if kind is Kind.KILL_BEFORE:
            await journal.end(call)
            return _dropped(request)
        if kind in STATUS:
            return _refusal(STATUS[kind])
        answer = await self._forward(request, body)
        if kind is Kind.TWICE:
            await self._forward(request, body)
        if kind is Kind.KILL_AFTER:
            await journal.end(call)
        if kind in {Kind.KILL_AFTER, Kind.CUT_AFTER}:
            return _dropped(request)
        return answer

    async def _forward(self, request: web.Request, body: bytes) -> web.Response:
        async with self._session.request(
            request.method, self._target(request), data=body, headers=_headers(request)
        ) as answer:
            content = await answer.read()
            return web.Response(status=answer.status, body=content, headers=_kept(answer))

    async def _passed_on(self, request: web.Request) -> web.StreamResponse:
        """A read, perhaps one that lasts."""
        async with self._session.get(
            self._target(request), headers=_headers(request), timeout=_NO_LIMIT
        ) as answer:
            response = web.StreamResponse(status=answer.status, headers=_kept(answer))
            with contextlib.suppress(ConnectionError, aiohttp.ClientError):  # either side may be gone
                await response.prepare(request)
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
                await response.write_eof()
            return response

    def _target(self, request: web.Request) -> str:
        return f"{self._access.url}{request.raw_path}"


def _headers(request: web.Request) -> dict[str, str]:
    return {name: value for name, value in request.headers.items() if name.lower() not in _HOPS}


def _kept(answer: aiohttp.ClientResponse) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.lower() not in _HOPS}


def _refusal(status: int) -> web.Response:
    reason = {409: "Conflict", 429: "TooManyRequests", 503: "ServiceUnavailable"}[status]
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": status}
    return web.json_response({**body, "message": "struck by a test"}, status=status)


def _dropped(request: web.Request) -> web.Response:
    """The connection of a request is gone; the answer that nobody gets says nothing."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=0)


@dataclass(slots=True)
class _Line:
    """One client's connection and what is known of it."""

    actor: str = ""
    after: dict[bytes, Call] = field(default_factory=dict)  # by the subject of the answer: who dies of it
    open: dict[bytes, Call] = field(default_factory=dict)  # by the subject of the answer: not answered yet


class NatsProxy:
    """Stands between all actors and a NATS server; who calls is told by the name that a connection gives itself."""

    def __init__(self, port: int, actors: dict[str, str], journal: JournalOf) -> None:
        self.url = ""
        self._port, self._actors, self._journal = port, actors, journal

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["NatsProxy"]:
        """Listen for the length of a block."""
        tasks: set[asyncio.Task[None]] = set()

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
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
        call = journal.note(line.actor, "broker", name, subject, payload, writes=writes)
        kind = journal.strikes(call)
        if kind is Kind.KILL_BEFORE:
            await journal.end(call)
            return
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
