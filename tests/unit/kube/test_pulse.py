"""A watch shows life when somebody takes in what it brings, and not otherwise."""

import json
from asyncio import Event
from dataclasses import dataclass

import pytest
from aiohttp import ClientSession, web

from headgate.kube.config import KubeConfig
from headgate.kube.pulse import Pulse
from headgate.kube.transport import open_session

STREAM = "/apis/headgate.dev/v1alpha1/eventtopics"


@dataclass
class Clock:
    at: float = 0.0

    def __call__(self) -> float:
        return self.at


async def watched(request: web.Request) -> web.StreamResponse:
    if "watch" not in request.query:
        return web.json_response({"items": []})
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(json.dumps({"type": "BOOKMARK"}).encode() + b"\n")
    await request.app[HELD].wait()
    await response.write(json.dumps({"type": "BOOKMARK"}).encode() + b"\n")
    return response


HELD = web.AppKey("held", Event)


def test_silence_counts_from_when_life_is_expected() -> None:
    clock = Clock()
    pulse = Pulse(clock)
    pulse.expect(STREAM)
    clock.at = 151.0
    assert pulse.ages() == {STREAM: 151.0}


def test_a_watch_is_reported_once_after_each_list_and_not_when_it_merely_goes_on() -> None:
    pulse, opened = Pulse(Clock()), list[str]()
    pulse.opened = opened.append
    pulse.answered(STREAM, watch=False)
    pulse.answered(STREAM, watch=True)
    pulse.answered(STREAM, watch=True)
    assert opened == [STREAM]
    pulse.answered(STREAM, watch=False)
    pulse.answered(STREAM, watch=True)
    assert opened == [STREAM, STREAM]


def test_other_collections_are_not_our_business() -> None:
    pulse = Pulse(Clock())
    pulse.beat("/api/v1/namespaces")
    assert pulse.ages() == {}


async def test_every_chunk_that_is_read_is_felt_and_unread_ones_are_not() -> None:
    clock = Clock()
    pulse = Pulse(clock)
    pulse.expect(STREAM)
    app = web.Application()
    app[HELD] = Event()
    app.router.add_get(STREAM, watched)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server = f"http://127.0.0.1:{runner.addresses[0][1]}"
    session: ClientSession = open_session(KubeConfig(server), limit=0, response_class=pulse.response_class())
    async with session, session.get(f"{server}{STREAM}?watch=true") as response:
        chunks = response.content.iter_chunked(1024)
        clock.at = 10.0
        await anext(chunks)
        assert pulse.ages() == {STREAM: 0.0}
        clock.at = 70.0
        app[HELD].set()
        assert pulse.ages() == {STREAM: 60.0}
        await anext(chunks)
        assert pulse.ages() == {STREAM: 0.0}
    await runner.cleanup()


async def test_a_session_without_trouble_reads_lists_as_ever() -> None:
    pulse = Pulse(Clock())
    app = web.Application()
    app[HELD] = Event()
    app.router.add_get(STREAM, watched)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server = f"http://127.0.0.1:{runner.addresses[0][1]}"
    session = open_session(KubeConfig(server), limit=0, response_class=pulse.response_class())
    async with session, session.get(f"{server}{STREAM}") as response:
        assert await response.json() == {"items": []}
    await runner.cleanup()
    with pytest.raises(RuntimeError):
        await session.get(server)
