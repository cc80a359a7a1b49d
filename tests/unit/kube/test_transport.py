"""Requests to something that answers like an API server, and what comes back when it does not."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from headgate.kube.config import KubeConfig
from headgate.kube.errors import Fenced, KubeError, NotFound, Unavailable, Unknown
from headgate.kube.transport import Identity, Transport
from headgate.local.ports import free_port

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def served(answer: Answer, **config: object) -> AsyncIterator[tuple[Transport, list[tuple[str, int]]]]:
    """A transport to a server that answers in one way, and what the meter was told."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    counted: list[tuple[str, int]] = []
    transport = Transport(
        KubeConfig(f"http://127.0.0.1:{port}", **config),  # type: ignore[arg-type]  # whatever the test says
        meter=lambda verb, code, _: counted.append((verb, code)),
        deadline=0.3,
    )
    try:
        yield transport, counted
    finally:
        await transport.aclose()
        await runner.cleanup()


async def never(_: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError("nobody waits that long")


async def cut(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


async def busy(_: web.Request) -> web.StreamResponse:
    return web.json_response({"message": "too many requests"}, status=429, headers={"Retry-After": "3"})


async def missing(_: web.Request) -> web.StreamResponse:
    return web.json_response({"kind": "Status", "message": 'eventtopics "x" not found'}, status=404)


async def page(_: web.Request) -> web.StreamResponse:
    return web.Response(text="<html>proxy</html>")


async def echo(request: web.Request) -> web.StreamResponse:
    return web.json_response({"authorization": request.headers.get("Authorization", ""), **request.query})


TROUBLE: dict[str, tuple[Answer, type[KubeError], int]] = {
    "an answer that never comes leaves it unknown what happened": (never, Unknown, 0),
    "a connection cut before the answer leaves it unknown what happened": (cut, Unknown, 0),
    "a busy server is asked again later": (busy, Unavailable, 429),
    "what is not there is not there": (missing, NotFound, 404),
    "a page of something in between is no answer": (page, Unavailable, 200),
}


@pytest.mark.parametrize(("answer", "error", "code"), TROUBLE.values(), ids=TROUBLE.keys())
async def test_every_trouble_has_its_type_and_is_counted(
    answer: Answer, error: type[KubeError], code: int
) -> None:
    async with served(answer) as (transport, counted):
        with pytest.raises(error) as caught:
            await transport.write("PATCH", "/apis/x", {})
    assert (type(caught.value), counted) == (error, [("PATCH", code)])


async def test_the_servers_own_words_are_in_the_error() -> None:
    async with served(missing) as (transport, _):
        with pytest.raises(NotFound, match='eventtopics "x" not found'):
            await transport.get("/apis/x")


async def test_nobody_listening_is_known_to_have_done_nothing() -> None:
    transport = Transport(KubeConfig(f"http://127.0.0.1:{free_port()}"), deadline=1)
    with pytest.raises(Unavailable) as caught:
        await transport.get("/x")
    await transport.aclose()
    assert type(caught.value) is Unavailable


async def test_without_the_lease_nothing_is_sent_but_reads_and_the_lease_itself() -> None:
    async with served(echo) as (transport, counted):
        transport.may_write = lambda: False
        with pytest.raises(Fenced):
            await transport.write("PATCH", "/status", {})
        await transport.get("/status")
        await transport.write("PATCH", "/lease", {}, fenced=False)
    assert counted == [("GET", 200), ("PATCH", 200)]


async def test_a_lease_lost_on_the_way_to_the_socket_still_holds_the_write_back() -> None:
    heard = list[str]()

    async def listen(request: web.Request) -> web.StreamResponse:
        heard.append(request.path)
        return await echo(request)

    async with served(listen) as (transport, counted):
        await transport.get("/before")
        answers = iter([True, False])
        transport.may_write = lambda: next(answers)
        with pytest.raises(Fenced):
            await transport.write("PATCH", "/status", {"status": "old"})
        await transport.get("/after")
    assert (heard, counted) == (["/before", "/after"], [("GET", 200), ("PATCH", 0), ("GET", 200)])


async def test_queries_arrive_as_they_were_meant() -> None:
    async with served(echo) as (transport, _):
        answer = await transport.get("/x", labelSelector="app in (a,b),c=d&e")
    assert answer["labelSelector"] == "app in (a,b),c=d&e"


async def test_a_mounted_token_is_on_every_request(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("mounted\n")
    async with served(echo, token_file=token) as (transport, _):
        answer = await transport.get("/x")
    assert answer["authorization"] == "Bearer mounted"


def test_a_mounted_token_is_read_again_as_it_ages(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first")
    identity = Identity(KubeConfig("http://x", token_file=token))
    assert identity.token(now=0.0) == "first"
    token.write_text("second")
    assert (identity.token(now=10.0), identity.token(now=31.0)) == ("first", "second")
