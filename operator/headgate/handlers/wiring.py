"""kopf as a thin shell: it lists and watches, and hands every event on. Its other powers stay off; here is how.

No finalizers, no state, no posting, no scanning and no peering of kopf's: what those cost and how they stall is why
the engine does them itself. The session is ours, so that the watches are signed in, felt and pooled in one way.
"""

import asyncio
import logging
from collections.abc import Callable, Collection
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Self

import kopf
from kopf._cogs.structs.references import Insights, NamespaceName  # the one way to say later what is watched

from headgate.handlers.events import watch
from headgate.handlers.inbox import Inbox, Scope
from headgate.handlers.listing import streams
from headgate.kube.config import KubeConfig
from headgate.kube.known import Known
from headgate.kube.pulse import Pulse
from headgate.kube.transport import open_session
from headgate.telemetry.metrics import Metrics

log = logging.getLogger(__name__)

INACTIVITY = 70.0  # seconds; bookmarks come every 60
SERVER_SIDE = 300  # after which the server ends a watch, to be opened anew; it reads whole seconds only
CLIENT_SIDE = 330
CLOSING = 3.0  # seconds


class Nothing:
    """The memo of every object: kopf copies one per object, and there is nothing to remember."""

    __slots__ = ()

    def __copy__(self) -> Self:
        return self


class NoMemory(kopf.DiffBaseStorage):
    """What kopf would compare an object with: nothing, since nothing asks. Copying every object costs a tenth of a core."""

    def build(self, **_: object) -> kopf.BodyEssence:
        """No essence."""
        return kopf.BodyEssence()

    def fetch(self, **_: object) -> None:
        """No earlier one."""

    def store(self, **_: object) -> None:
        """Not kept."""


@dataclass(slots=True)
class Watches:
    """kopf, watching for one inbox. It is over as soon as one of its tasks is."""

    config: KubeConfig
    scope: Scope
    inbox: Inbox
    pulse: Pulse
    metrics: Metrics
    known: Known = field(default_factory=Known)  # what the inbox was told by other ways
    closed: Collection[str] = ()  # namespaces of the scope that are not watched for now
    on_left: Callable[[str], None] = lambda _: None  # told of every namespace that is not watched any more
    _insights: Insights = field(default_factory=Insights)

    async def run(self, stop: asyncio.Event, on_started: Callable[[], None]) -> None:
        """Watch until told to stop. `on_started` is called once kopf has taken its places, the signals' too."""
        for stream, (_, namespace) in streams(self.scope).items():
            if namespace not in self.closed:
                self.pulse.expect(stream)
        async with (
            AsyncExitStack() as sessions
        ):  # which kopf leaves open when it is ended in the middle of something
            await self._watch(stop, on_started, sessions)

    async def enter(self, namespace: str) -> None:
        """Begin to watch a namespace; kopf lists it first and so tells what is there."""
        for stream in streams(Scope((namespace,))):
            self.pulse.expect(stream)
        async with self._insights.revised:
            self._insights.namespaces.add(NamespaceName(namespace))
            self._insights.revised.notify_all()

    async def leave(self, namespace: str) -> None:
        """End watching a namespace: kopf, left to itself, ends the process when it may not watch any more."""
        async with self._insights.revised:
            self._insights.namespaces.discard(NamespaceName(namespace))
            self._insights.revised.notify_all()
        for stream in streams(Scope((namespace,))):
            self.pulse.forget(stream)
        self.on_left(namespace)

    async def _watch(
        self, stop: asyncio.Event, on_started: Callable[[], None], sessions: AsyncExitStack
    ) -> None:
        # Not kopf.operator(): when that ends it ends every task of the loop that is younger than itself.
        tasks = await kopf.spawn_tasks(
            registry=self._registry(sessions),
            settings=tame(kopf.OperatorSettings()),
            memo=Nothing(),
            standalone=True,
            clusterwide=self.scope.everywhere,
            namespaces=[name for name in self.scope.namespaces if name not in self.closed],
            insights=self._insights,
            stop_flag=stop,
        )
        on_started()
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if not task.cancelled() and (error := task.exception()) is not None:
                    raise error
        finally:
            await _end(tasks)

    def _registry(self, sessions: AsyncExitStack) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()
        watch(registry, self.scope, self.inbox, self.metrics)

        @kopf.on.login(registry=registry)
        async def _(**_: object) -> kopf.AiohttpSession:
            opened = open_session(self.config, limit=0, response_class=self.pulse.response_class(self.known))
            session = await sessions.enter_async_context(opened)
            return kopf.AiohttpSession(
                server=self.config.server,
                default_namespace=self.config.namespace,
                aiohttp_session=session,
            )

        return registry


def tame(settings: kopf.OperatorSettings) -> kopf.OperatorSettings:
    """Everything off that writes, scans or posts; watches that cannot fall silent unnoticed."""
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.persistence.finalizer = "headgate.dev/unused"
    settings.persistence.consistency_timeout = 0
    settings.persistence.diffbase_storage = NoMemory()
    settings.process.ultimate_exiting_timeout = None  # it would kill the thread that this process runs in
    settings.queueing.idle_timeout = 0.2  # a worker per object is kept for so long after its last event
    settings.queueing.exit_timeout = 1.0
    settings.watching.inactivity_timeout = INACTIVITY
    settings.watching.server_timeout = SERVER_SIDE
    settings.watching.client_timeout = CLIENT_SIDE
    settings.watching.chunk_size = 500
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 5
    return settings


async def _end(tasks: Collection[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    _, hung = await asyncio.wait(tasks, timeout=CLOSING)
    for task in hung:
        log.warning("kopf's task %r does not end", task.get_name())
