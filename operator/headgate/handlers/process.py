"""The life of an operator process: hold the Lease, list, act and watch, stop in order. Knows no kind and no broker."""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from headgate.handlers.inbox import Inbox, Scope
from headgate.handlers.listing import Comparison, tell_everything
from headgate.handlers.probes import Probes
from headgate.handlers.served import Served
from headgate.kube.client import KubeClient
from headgate.kube.lease import Leadership
from headgate.kube.pulse import Pulse
from headgate.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from headgate.handlers.wiring import Watches

log = logging.getLogger(__name__)

SILENCE = 150.0  # seconds without a bookmark after which a watch counts as dead: two of them missed, and a reconnect
ENGINE_STOP = 5.0  # seconds for what is under way
LEASE_STOP = 2.0
HEAD_START = 2.0  # seconds at most in which the engine acts on what was listed before anything is watched


class Engine(Inbox, Protocol):
    """What acts. It is told of everything first, then run."""

    @property
    def ready(self) -> bool:
        """Whether everything was looked at once."""
        ...

    def measure(self) -> None:
        """Set the gauges of what it knows."""
        ...

    async def begun(self) -> None:
        """Return once something was done, or nothing was to be done."""
        ...

    async def run(self) -> None:
        """Act until `stop`."""
        ...

    async def stop(self) -> None:
        """Finish what is under way and return; nothing new is begun."""
        ...


@dataclass(slots=True)
class Process:
    """Everything that an operator process consists of."""

    kube: KubeClient
    engine: Engine
    scope: Scope
    metrics: Metrics
    now: Callable[[], float]
    leadership: Leadership | None = None  # None: nobody else may be running
    host: str = "0.0.0.0"  # noqa: S104  (a pod's probes come from outside of it)
    port: int | None = 8080  # None: no probes
    silence: float = SILENCE
    on_listening: Callable[[int], None] = lambda port: log.info("probes on port %d", port)
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _pulse: Pulse = field(init=False)
    _closed: tuple[str, ...] = ()  # served namespaces that could not be listed

    def __post_init__(self) -> None:
        self._pulse = Pulse(self.now)

    def request_stop(self) -> None:
        """Begin to end; safe to repeat."""
        self._stop.set()

    async def run(self) -> None:
        """Run until a signal, or until something that should never end does; then that is raised."""
        self._take_signals()
        async with self._probes():
            if self.leadership is not None:
                self.kube.fence(lambda: self.leadership is None or self.leadership.held)
                if not await self._unless_stopped(self.leadership.acquire()):
                    return
            self.metrics.leader.set(1)
            if await self._unless_stopped(self._tell_everything()):
                await self._act()
            elif self.leadership is not None:
                await _within(LEASE_STOP, self.leadership.release(), "the Lease")

    async def _tell_everything(self) -> None:
        told = await tell_everything(self.kube, self.scope, self.engine)
        self._closed = told.closed
        where = "all namespaces" if self.scope.everywhere else ", ".join(self.scope.namespaces)
        log.info("acting on %d objects in %s", told.objects, where)

    async def _act(self) -> None:
        watching_stop = asyncio.Event()
        tasks = {_task("engine", self.engine.run()), _task("stop", self._stop.wait())}
        if self.leadership is not None:
            tasks.add(_task("lease", self.leadership.keep()))
        try:
            tasks |= await self._watching(watching_stop)
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await self._end(tasks, watching_stop)
        for task in done:
            if (error := task.exception()) is not None:
                raise error
            if task.get_name() != "stop" and not self._stop.is_set():
                raise RuntimeError(f"{task.get_name()} ended by itself")

    async def _watching(self, watching_stop: asyncio.Event) -> set[asyncio.Task[Any]]:
        """Begin to watch. Importing kopf and listing again takes a core for a while, which is the engine's first."""
        with suppress(TimeoutError):
            async with asyncio.timeout(HEAD_START):
                await self.engine.begun()
        make_watches = await asyncio.to_thread(_shell)
        comparison = Comparison(self.kube, self.scope, self.engine)
        self._pulse.opened = comparison.opened
        watches = make_watches(
            self.kube.config,
            self.scope,
            self.engine,
            self._pulse,
            self.metrics,
            self.kube.known,
            self._closed,
            comparison.leave,
        )
        served = Served(self.kube, self.scope, self.engine, watches, closed=self._closed)
        return {
            _task("watches", watches.run(watching_stop, self._take_signals)),
            _task("comparison", comparison.run()),
            _task("served", served.run()),
        }

    async def _end(self, tasks: set[asyncio.Task[Any]], watching_stop: asyncio.Event) -> None:
        """Watching and acting end together, and only then the hold on the Lease."""
        log.info("stopping")
        self._stop.set()
        watching_stop.set()
        await _within(ENGINE_STOP, self._stop_engine(tasks), "the engine")
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=ENGINE_STOP)
        if self.leadership is not None:
            await _within(LEASE_STOP, self.leadership.release(), "the Lease")
        self.metrics.leader.set(0)

    async def _stop_engine(self, tasks: set[asyncio.Task[Any]]) -> None:
        await self.engine.stop()
        await asyncio.wait([task for task in tasks if task.get_name() == "engine"])

    async def _unless_stopped(self, work: Coroutine[Any, Any, None]) -> bool:
        """Whether the work was done before somebody asked to stop."""
        doing, stopping = _task("work", work), _task("stop", self._stop.wait())
        await asyncio.wait({doing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if doing.done():
            doing.result()
            return True
        doing.cancel()
        with suppress(asyncio.CancelledError):
            await doing
        return False

    def _take_signals(self) -> None:
        """SIGTERM and SIGINT ask to stop. Called again after kopf, which takes them for itself."""
        loop = asyncio.get_running_loop()
        with suppress(ValueError, RuntimeError):  # not in the main thread: then whoever owns it stops us
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self.request_stop)

    def _probes(self) -> "_Optional":
        if self.port is None:
            return _Optional(None, self.on_listening)
        probes = Probes(
            self.host,
            self.port,
            live={"watches": self._silent},
            ready={"first pass": self._not_ready, "stopping": self._stopping},
            metrics=self.metrics,
            before_metrics=self._measure,
        )
        return _Optional(probes, self.on_listening)

    def _silent(self) -> str:
        silent = {stream: age for stream, age in self._pulse.ages().items() if age > self.silence}
        return ", ".join(f"{stream}: nothing for {age:.0f}s" for stream, age in sorted(silent.items()))

    def _not_ready(self) -> str:
        return "" if self.engine.ready else "not everything was looked at yet"

    def _stopping(self) -> str:
        return "the process is stopping" if self._stop.is_set() else ""

    def _measure(self) -> None:
        self.engine.measure()
        for stream, age in self._pulse.ages().items():
            self.metrics.watch_silence_seconds.labels(stream.rpartition("/")[2]).set(age)


class _Optional:
    """Probes, or none, as one context."""

    def __init__(self, probes: Probes | None, on_listening: Callable[[int], None]) -> None:
        self._probes = probes
        self._on_listening = on_listening

    async def __aenter__(self) -> None:
        if self._probes is not None:
            await self._probes.__aenter__()
            self._on_listening(self._probes.port)

    async def __aexit__(self, *details: object) -> None:
        if self._probes is not None:
            await self._probes.__aexit__(*details)


def _shell() -> "type[Watches]":
    from headgate.handlers.wiring import Watches  # noqa: PLC0415  (see _watching)

    return Watches


def _task(name: str, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    return asyncio.create_task(work, name=name)


async def _within(seconds: float, work: Awaitable[None], what: str) -> None:
    try:
        async with asyncio.timeout(seconds):
            await work
    except TimeoutError:
        log.warning("%s did not stop within %gs", what, seconds)
