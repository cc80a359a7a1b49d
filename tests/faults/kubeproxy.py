"""Stands between one actor and the API server, notes every call and event and can harm one. Knows no kinds and no plans."""

import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus

import aiohttp
from aiohttp import web
from tests.faults.journal import KUBE, LEASE, STATUS, WATCH, Call, Journal, Kind

from headgate.local.kubeconfig import Access

JournalOf = Callable[[], Journal]
_HOPS = {"host", "connection", "content-length", "transfer-encoding", "content-encoding", "keep-alive"}
_NO_LIMIT = aiohttp.ClientTimeout(total=None)


class KubeProxy:
    """Stands between one actor and the API server: plain HTTP in, HTTPS out, watches streamed."""

    def __init__(self, access: Access, actor: str, journal: JournalOf) -> None:
        self.url = ""
        self.actor = actor
        self._access, self._journal = access, journal
        self._watches: dict[int, web.Request] = {}  # by what tells one request from another
        self._silent: dict[int, web.Request] = {}
        self._session: aiohttp.ClientSession

    def fall_silent(self) -> None:
        """Every watch that is open stays open and tells nothing any more, not even that it lives."""
        self._silent |= self._watches

    @property
    def tells_all(self) -> bool:
        """Whether every watch that fell silent was given up by whoever listened."""
        return all(each.transport is None or each.transport.is_closing() for each in self._silent.values())

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
        wire = LEASE if "/leases" in request.path else KUBE
        call = journal.note(self.actor, wire, name, request.path, body, writes=True)
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
        await journal.before(kind, call)
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
            if answer.status == HTTPStatus.FORBIDDEN:
                self._journal().forbidden.append(f"GET {request.path}")
            response = web.StreamResponse(status=answer.status, headers=_kept(answer))
            with contextlib.suppress(ConnectionError, aiohttp.ClientError):  # either side may be gone
                await response.prepare(request)
                if request.query.get("watch") == "true":
                    await self._watched(request, answer, response)
                else:
                    async for chunk in answer.content.iter_any():
                        await response.write(chunk)
                await response.write_eof()
            return response

    async def _watched(
        self, request: web.Request, answer: aiohttp.ClientResponse, response: web.StreamResponse
    ) -> None:
        """Event by event, until one that ends the stream."""
        self._watches[id(request)] = request
        try:
            async for line in _lines(answer):
                if id(request) in self._silent:
                    continue
                kind = self._told(request.path.rpartition("/")[2], line)
                if kind in {Kind.CUT_WITHIN, Kind.ENDED_WITHIN}:
                    await response.write(line[: len(line) // 2])
                    if kind is Kind.CUT_WITHIN and request.transport is not None:
                        request.transport.abort()
                    return
                await response.write(line * (2 if kind is Kind.TWICE else 1))
        finally:
            self._watches.pop(id(request))
            self._silent.pop(id(request), None)

    def _told(self, plural: str, line: bytes) -> Kind | None:
        """Note an event, and say what happens to it; that nothing happened is no event."""
        what = json.loads(line)["type"]
        if what == "BOOKMARK":
            return None
        journal = self._journal()
        call = journal.note(self.actor, WATCH, f"{plural} {what}", "", b"", writes=False)
        journal.answered(call)
        return journal.strikes(call)

    def _target(self, request: web.Request) -> str:
        return f"{self._access.url}{request.raw_path}"


async def _lines(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Whole lines, however long."""
    rest = b""
    async for chunk in answer.content.iter_any():
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line + b"\n"


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
