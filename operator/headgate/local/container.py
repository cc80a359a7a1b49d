"""One container's life as a process: started, watched, asked, started again. Knows nothing of the API server.

A program that ended is started again after 0.2 s, then twice as long each time up to 10 s; one that ran for 30 s begins
anew. (A real node takes 10 s to 5 min: the shape is the same, a demo is shorter.)
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from headgate.local import probes
from headgate.local.errors import LocalError
from headgate.local.podenv import MissingError, Start
from headgate.local.podspec import Container, UnsupportedError
from headgate.local.podstatus import Ended, Running, Seen, Waiting
from headgate.local.processes import Process, start

FIRST_WAIT, LONGEST_WAIT, STEADY = 0.2, 10.0, 30.0
LOOK_AGAIN = 1.0  # seconds until something that is missing is looked for again


def timestamp() -> str:
    """The time as the API server writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


@dataclass(slots=True)
class ContainerRun:
    """One container; `seen` is what to say about it, `changed` is called when that changed."""

    container: Container
    restart: str
    grace: float
    ip: str
    log: Path
    cwd: Path
    mark: str
    http: aiohttp.ClientSession
    prepare: Callable[[Container], Awaitable[Start]]
    changed: Callable[[], None]
    seen: Seen = field(default_factory=Seen)
    process: Process | None = None

    async def run(self) -> None:
        """Until the restart policy says that this was all."""
        wait = FIRST_WAIT
        while True:
            self.process = await self._start()
            began, since = time.monotonic(), timestamp()
            code = await self._watch(self.process, since)
            self.seen.last = Ended(code if code >= 0 else 128 - code, since, timestamp())
            if self.restart == "Never" or (self.restart == "OnFailure" and code == 0):
                self._say(self.seen.last)
                return
            wait = FIRST_WAIT if time.monotonic() - began > STEADY else wait
            self._say(Waiting("CrashLoopBackOff", f"started again in {wait:g} s"))
            await asyncio.sleep(wait)
            wait = min(LONGEST_WAIT, wait * 2)
            self.seen.restarts += 1

    async def stop(self, grace: float) -> None:
        """End the process that runs now; `run` must have been cancelled before."""
        if self.process:
            await self.process.stop(grace)

    async def _start(self) -> Process:
        while True:
            try:
                begin = await self.prepare(self.container)
                cwd = Path(begin.working_dir) if begin.working_dir else self.cwd
                return start(
                    self.container.name, begin.words, log=self.log, mark=self.mark, env=begin.env, cwd=cwd
                )
            except MissingError as error:
                self._say(Waiting("CreateContainerConfigError", str(error)))
            except (LocalError, UnsupportedError) as error:
                self._say(Waiting("CreateContainerError", str(error)))
            await asyncio.sleep(LOOK_AGAIN)

    async def _watch(self, process: Process, since: str) -> int:
        """The exit code, after telling of readiness and ending what fails its liveness probe meanwhile."""
        self._say(Running(since), ready=self.container.readiness is None)
        async with contextlib.AsyncExitStack() as stack:
            if self.container.readiness:
                self._ask(
                    stack, probes.follow(self.container.readiness, self.ip, self.http, self._tell_ready)
                )
            if self.container.liveness:
                dead = asyncio.Event()

                def tell_alive(good: bool) -> None:  # noqa: FBT001  (the one answer of a probe)
                    if not good:
                        dead.set()

                self._ask(stack, probes.follow(self.container.liveness, self.ip, self.http, tell_alive))
                self._ask(stack, self._end_when(dead, process))
            return await process.wait()

    @staticmethod
    def _ask(stack: contextlib.AsyncExitStack, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        stack.callback(task.cancel)

    async def _end_when(self, dead: asyncio.Event, process: Process) -> None:
        await dead.wait()
        await process.stop(self.grace)

    def _tell_ready(self, good: bool) -> None:  # noqa: FBT001  (the one answer of a probe)
        self.seen.ready = good
        self.changed()

    def _say(self, state: Waiting | Running | Ended, *, ready: bool = False) -> None:
        if (self.seen.state, self.seen.ready) != (state, ready):
            self.seen.state, self.seen.ready = state, ready
            self.changed()
