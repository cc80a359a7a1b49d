"""The namespaces that an operator serves by Roles alone: whether they are there, and when they end. Knows no kopf.

Rights that come from a Role go with its namespace. Kubernetes waits a few seconds between the first word about the
end of a namespace and the deletion of what is in it, so whoever watches the namespace itself can let everything go in time.
At rest that is one open watch for each namespace and nothing else.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from datetime import datetime
from typing import Any, Protocol

from headgate.handlers.inbox import KIND_NAMES, Inbox, Scope
from headgate.kube.errors import Forbidden, KubeError
from headgate.kube.values import Listing

log = logging.getLogger(__name__)

AGAIN = 1.0  # seconds before a watch is opened again that broke
CLOSED = 15.0  # seconds between looks whether a namespace that was closed to us is open again
BLIND = 300.0  # seconds between tries to watch a namespace that may be served and not be watched


class Source(Protocol):
    """Where namespaces are seen."""

    def follow_namespace(self, name: str) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """A namespace as it is, then its changes, until the watch ends."""
        ...

    async def list(self, kind: str, namespace: str | None = None, *, metadata_only: bool = False) -> Listing:
        """All objects of one of our kinds."""
        ...


class Watching(Protocol):
    """What follows the objects in namespaces."""

    async def enter(self, namespace: str) -> None:
        """Begin to watch a namespace; what is there is told."""
        ...

    async def leave(self, namespace: str) -> None:
        """End watching a namespace."""
        ...


class Served:
    """Every namespace of the scope, followed by itself. `closed` were so when everything was listed."""

    def __init__(
        self,
        source: Source,
        scope: Scope,
        inbox: Inbox,
        watching: Watching,
        *,
        closed: Collection[str] = (),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._source = source
        self._scope = scope
        self._inbox = inbox
        self._watching = watching
        self._closed = set(closed)
        self._sleep = sleep
        self._said: set[str] = set()

    async def run(self) -> None:
        """Follow for ever; where everything is served there is nothing to do."""
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.Event().wait())
            for namespace in self._scope.namespaces:
                group.create_task(self._follow(namespace))

    async def _follow(self, namespace: str) -> None:
        while True:
            await self._sleep(await self._watch(namespace))

    async def _watch(self, namespace: str) -> float:
        """One watch from its beginning to its end; the seconds until the next one."""
        try:
            async for event, body in self._source.follow_namespace(namespace):
                await self._heard(namespace, event, body)
                if namespace in self._closed:
                    return CLOSED
        except Forbidden as error:
            return await self._forbidden(namespace, error)
        except KubeError as error:
            log.info("namespace %s is watched again: %s", namespace, error, extra={"reason": error.reason})
        return AGAIN

    async def _heard(self, namespace: str, event: str, body: Mapping[str, Any]) -> None:
        if event == "DELETED":
            await self._gone(namespace)
            return
        since = body["metadata"].get("deletionTimestamp")
        self._inbox.see_ending(namespace, None if since is None else datetime.fromisoformat(since))
        if since is None and namespace in self._closed and await self._is_open(namespace):
            await self._open(namespace)

    async def _gone(self, namespace: str) -> None:
        """The namespace is no more, and nothing that was in it either."""
        log.info("namespace %s is gone", namespace)
        await self._close(namespace)
        for kind in KIND_NAMES:
            for uid, (where, name) in self._inbox.known(kind).items():
                if where == namespace:
                    meta = {"namespace": namespace, "name": name, "uid": uid}
                    self._inbox.see(kind, "DELETED", {"metadata": meta})
        self._inbox.see_ending(namespace, None)

    async def _forbidden(self, namespace: str, error: Forbidden) -> float:
        if not await self._is_open(namespace):
            if namespace not in self._closed:
                log.error("namespace %s is not served until that is permitted again: %s", namespace, error)
            await self._close(namespace)
            return CLOSED
        if namespace in self._closed:
            await self._open(namespace)
        if namespace not in self._said:
            self._said.add(namespace)
            log.warning("the end of namespace %s will not be seen in time: %s", namespace, error)
        return BLIND

    async def _is_open(self, namespace: str) -> bool:
        """Whether what is declared there may be read."""
        try:
            for kind in KIND_NAMES:
                await self._source.list(kind, namespace, metadata_only=True)
        except KubeError as error:
            return not isinstance(error, Forbidden) and namespace not in self._closed
        return True

    async def _open(self, namespace: str) -> None:
        log.info("namespace %s is served again", namespace)
        self._closed.discard(namespace)
        await self._watching.enter(namespace)

    async def _close(self, namespace: str) -> None:
        if namespace not in self._closed:
            self._closed.add(namespace)
            await self._watching.leave(namespace)
