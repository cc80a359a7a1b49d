"""Writes to our own custom resources: the finalizer and the status, each only when it differs. Decides nothing."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from headgate.core.estate import Ref
from headgate.engine.world import FINALIZER, Entry, World
from headgate.kube.client import KubeClient
from headgate.kube.errors import NotFound


class Turns:
    """One write to an object at a time, in the order in which they were decided: the last word is the latest."""

    def __init__(self) -> None:
        self._locks: dict[Ref, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def of(self, ref: Ref) -> AsyncIterator[None]:
        """The turn of whoever comes next."""
        lock, waiting = self._locks.get(ref) or (asyncio.Lock(), 0)
        self._locks[ref] = (lock, waiting + 1)
        try:
            async with lock:
                yield
        finally:
            waiting = self._locks[ref][1] - 1
            if waiting:
                self._locks[ref] = (lock, waiting)
            else:
                del self._locks[ref]


class Writer:
    """Every write to custom resources goes through here, so that the world hears the answer before the watch."""

    def __init__(self, kube: KubeClient, world: World) -> None:
        self._kube = kube
        self._world = world
        self._turns = Turns()

    async def guard(self, entry: Entry, annotations: Mapping[str, str] | None = None) -> None:
        """Put our finalizer on an object, before anything is done for it in the broker, and in the same write annotations."""
        if not entry.guarded:
            await self._finalizers(entry, (*entry.finalizers, FINALIZER), annotations)
        elif annotations:
            await self._finalizers(entry, entry.finalizers, annotations)

    async def release(self, entry: Entry) -> None:
        """Take our finalizer away: the object may go."""
        if entry.guarded:
            rest = tuple(name for name in entry.finalizers if name != FINALIZER)
            await self._finalizers(entry, rest, None)

    async def report(self, entry: Entry, status: Mapping[str, Any]) -> Mapping[str, Any]:
        """Bring the status to the given value in one patch; returns it, empty when nothing had to be written."""
        ref = entry.ref
        async with self._turns.of(ref):
            return await self._report(ref, entry, status)

    async def _report(self, ref: Ref, entry: Entry, status: Mapping[str, Any]) -> Mapping[str, Any]:
        now = self._world.entries.get(ref)  # another loop may have written while this one waited
        before = now.status if now is not None and now.uid == entry.uid else entry.status
        patch = merge_patch(before, status)
        if not patch:
            return patch
        self._world.expect(ref, status)
        try:
            body = await self._kube.replace_status(
                ref.kind, ref.namespace, ref.name, uid=entry.uid, status=status
            )
        except NotFound:
            self._world.gone(ref)
            return {}
        self._world.absorb(ref, body)
        return patch

    async def _finalizers(
        self, entry: Entry, finalizers: tuple[str, ...], annotations: Mapping[str, str] | None
    ) -> None:
        async with self._turns.of(entry.ref):
            await self._write_finalizers(entry, finalizers, annotations)

    async def _write_finalizers(
        self, entry: Entry, finalizers: tuple[str, ...], annotations: Mapping[str, str] | None
    ) -> None:
        ref: Ref = entry.ref
        try:
            body = await self._kube.patch_finalizers(
                ref.kind,
                ref.namespace,
                ref.name,
                uid=entry.uid,
                resource_version=str(entry.version),
                finalizers=finalizers,
                annotations=annotations,
            )
        except NotFound:
            self._world.gone(ref)
            return
        if "deletionTimestamp" in body["metadata"] and not body["metadata"].get("finalizers"):
            self._world.gone(ref)
        else:
            self._world.absorb(ref, body)


def merge_patch(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON merge patch (RFC 7386) from one object to another; empty when they are equal."""
    patch: dict[str, Any] = dict.fromkeys(before.keys() - after.keys())
    for key, wanted in after.items():
        found = before.get(key)
        if isinstance(wanted, Mapping) and isinstance(found, Mapping):
            if inner := merge_patch(found, wanted):
                patch[key] = inner
        elif found != wanted or key not in before:
            patch[key] = wanted
    return patch
