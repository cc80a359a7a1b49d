"""What the watches cannot say: that a list is complete, and that something went unseen. Knows no kopf and no broker.

A first list of everything comes before the watches open, so that the engine's first pass sees the whole estate.
Whenever a watch had to start over from a fresh list, what was deleted in between is not in it and never told; then
names are compared once. At rest neither happens.
"""

import asyncio
import logging
from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from headgate.handlers.inbox import KIND_NAMES, Inbox, Scope
from headgate.kube import paths
from headgate.kube.errors import Forbidden, KubeError, NotFound, Unavailable
from headgate.kube.values import Listing

log = logging.getLogger(__name__)

RETRY = 1.0  # seconds between attempts to get the first list
SETTLE = 10.0  # seconds between the opening of a watch and the comparison


class Lists(Protocol):
    """Where lists come from."""

    async def list(self, kind: str, namespace: str | None = None, *, metadata_only: bool = False) -> Listing:
        """All objects of one of our kinds."""
        ...

    async def list_namespaces(self) -> Listing:
        """All namespaces."""
        ...


class SetupError(Exception):
    """Nothing can work until somebody installs or permits something; the text says what."""


@dataclass(frozen=True, slots=True)
class Everything:
    """What came of telling everything."""

    objects: int
    closed: tuple[str, ...] = ()  # served namespaces in which nothing may be listed: gone, or not granted yet


async def tell_everything(kube: Lists, scope: Scope, inbox: Inbox) -> Everything:
    """Tell the engine of all that exists."""
    lists, namespaces, closed = await _patiently(kube, scope)
    for body in namespaces.items if namespaces else ():
        inbox.see_namespace(None, body)
    for kind, listing in lists:
        for body in listing.items:
            inbox.see(kind, None, body)
    inbox.listed([part for part in scope.parts if part not in closed])
    return Everything(sum(len(listing.items) for _, listing in lists), tuple(sorted(closed)))


async def _patiently(
    kube: Lists, scope: Scope
) -> tuple[list[tuple[str, Listing]], Listing | None, Collection[str]]:
    while True:
        try:
            lists, closed = await _list_all(kube, scope)
            return lists, await kube.list_namespaces() if scope.everywhere else None, closed
        except Unavailable as error:
            log.warning("the first list failed and is repeated: %s", error, extra={"reason": error.reason})
            await asyncio.sleep(error.retry_after or RETRY)
        except Forbidden as error:
            raise SetupError(f"the operator lacks a permission: {error}") from error


async def _list_all(kube: Lists, scope: Scope) -> tuple[list[tuple[str, Listing]], Collection[str]]:
    """Every list, and the namespaces that are closed; one of them takes the others down with it only if all are."""
    parts = await asyncio.gather(*(_list_part(kube, part) for part in scope.parts))
    closed = {
        str(part): lists
        for part, lists in zip(scope.parts, parts, strict=True)
        if isinstance(lists, Forbidden)
    }
    if len(closed) == len(scope.parts):
        raise next(iter(closed.values()))
    for namespace, error in closed.items():
        log.error("namespace %s is not served until that is permitted: %s", namespace, error)
    return [pair for lists in parts if not isinstance(lists, Forbidden) for pair in lists], closed


async def _list_part(kube: Lists, part: str | None) -> list[tuple[str, Listing]] | Forbidden:
    try:
        lists = await asyncio.gather(*(kube.list(kind, part) for kind in KIND_NAMES))
    except NotFound as error:
        raise SetupError(
            "the custom resource definitions are not installed: headgate crds | kubectl apply --server-side -f -"
        ) from error
    except Forbidden as error:
        return error
    return list(zip(KIND_NAMES, lists, strict=True))


def streams(scope: Scope) -> dict[str, tuple[str, str | None]]:
    """Every watched collection of ours: its path, to its kind and namespace."""
    return {paths.of_kind(kind, part): (kind, part) for kind in KIND_NAMES for part in scope.parts}


class Comparison:
    """Finds what vanished unseen, once after each time that a watch started over."""

    def __init__(self, kube: Lists, scope: Scope, inbox: Inbox, *, settle: float = SETTLE) -> None:
        self._kube = kube
        self._inbox = inbox
        self._streams = streams(scope)
        self._settle = settle
        self._left: set[str | None] = set()
        self._due: asyncio.Queue[str] = asyncio.Queue()

    def leave(self, namespace: str) -> None:
        """Nothing of this namespace is compared any more, until its watches are opened again."""
        self._left.add(namespace)

    def opened(self, stream: str) -> None:
        """A watch has been opened after a list."""
        if stream in self._streams:
            self._left.discard(self._streams[stream][1])
            self._due.put_nowait(stream)

    async def run(self) -> None:
        """Compare whatever is due, for ever."""
        while True:
            due = {await self._due.get()}
            await asyncio.sleep(self._settle)
            while not self._due.empty():
                due.add(self._due.get_nowait())
            for stream in sorted(due):
                if self._streams[stream][1] not in self._left:
                    await self._compare(stream)

    async def _compare(self, stream: str) -> None:
        kind, part = self._streams[stream]
        known = dict(self._inbox.known(kind))  # before the list: what is new since then is not missing
        try:
            listing = await self._kube.list(kind, part, metadata_only=True)
        except KubeError as error:
            log.warning("%s could not be compared: %s", kind, error, extra={"reason": error.reason})
            asyncio.get_running_loop().call_later(self._settle, self._due.put_nowait, stream)
            return
        present = {item["metadata"]["uid"] for item in listing.items}
        for uid, (namespace, name) in known.items():
            if uid not in present and part in {None, namespace}:
                log.info("%s %s/%s went away unseen", kind, namespace, name)
                self._inbox.see(
                    kind, "DELETED", {"metadata": {"namespace": namespace, "name": name, "uid": uid}}
                )
