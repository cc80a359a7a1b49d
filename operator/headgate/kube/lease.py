"""One operator acts at a time: holding, renewing and giving back a Lease. Does not know what is done meanwhile.

The holder counts its time from before each renewal was sent, a rival from after it saw one; so the holder
always stops first, whatever their clocks say.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from headgate.kube.errors import Conflict, KubeError, NotFound
from headgate.kube.identity import Holder
from headgate.kube.values import Lease

log = logging.getLogger(__name__)


class Leases(Protocol):
    """Where Leases are kept."""

    async def get_lease(self, namespace: str, name: str) -> Lease:
        """A Lease; NotFound."""
        ...

    async def create_lease(self, namespace: str, name: str, spec: Mapping[str, Any]) -> Lease:
        """A new one; Conflict when somebody was faster."""
        ...

    async def patch_lease(self, namespace: str, name: str, known: Lease, spec: Mapping[str, Any]) -> Lease:
        """Change it as it was read; Conflict when it moved on."""
        ...


class LeaseLost(Exception):  # noqa: N818  (an outcome, not a mistake)
    """Another process may act now, so this one must not."""


@dataclass(frozen=True, slots=True)
class Pace:
    """The times of a Lease, in seconds."""

    duration: int = 15  # how long others wait for a holder that went silent
    renew: float = 5.0  # between renewals
    retry: float = 1.0  # between attempts
    margin: float = 3.0  # acting ends this long before others may begin


class Leadership:
    """The hold of this process on one Lease. `now` never runs backwards, `wall` is written for people to read."""

    def __init__(
        self,
        kube: Leases,
        namespace: str,
        name: str,
        holder: Holder,
        *,
        now: Callable[[], float],
        wall: Callable[[], datetime],
        pace: Pace | None = None,
    ) -> None:
        self._kube = kube
        self._where = (namespace, name)
        self._holder = holder
        self._now = now
        self._wall = wall
        self._pace = pace or Pace()
        self._lease: Lease | None = None
        self._until = float("-inf")
        self._seen: tuple[str, float] = ("", 0.0)  # version of another's Lease, and since when it stands

    @property
    def held(self) -> bool:
        """Whether this process may write right now."""
        return self._now() < self._until

    async def acquire(self) -> None:
        """Return as soon as the Lease is ours; try for as long as it is not."""
        waited = False
        while True:
            try:
                if await self._try():
                    return
            except KubeError as error:
                log.warning("cannot get the Lease yet: %s", error, extra={"reason": error.reason})
            if not waited:
                log.info("waiting for the Lease %s/%s", *self._where)
                waited = True
            await asyncio.sleep(self._pace.retry)

    async def keep(self) -> None:
        """Renew for ever; raises LeaseLost when that fails for too long or somebody took it."""
        pause = self._pace.renew
        while True:
            await asyncio.sleep(min(pause, max(self._until - self._now(), 0.0)))
            if not self.held:
                raise LeaseLost("the Lease could not be renewed in time")
            try:
                await self._renew()
                pause = self._pace.renew
            except (Conflict, NotFound) as error:
                await self._regain(error)
                pause = self._pace.retry
            except KubeError as error:
                log.warning("the Lease was not renewed: %s", error, extra={"reason": error.reason})
                pause = self._pace.retry

    async def release(self) -> None:
        """Give the Lease back, so that a successor need not wait."""
        if self._lease is None or not self.held:
            return
        self._until = float("-inf")
        try:
            await self._kube.patch_lease(
                *self._where, self._lease, {"holderIdentity": "", "leaseDurationSeconds": 1}
            )
        except KubeError as error:
            log.info("the Lease was not given back and will run out: %s", error)

    async def _try(self) -> bool:
        start = self._now()
        try:
            found = await self._kube.get_lease(*self._where)
            if not self._free(found):
                return False
            spec = self._spec(found.transitions + (found.holder != str(self._holder)))
            lease = await self._kube.patch_lease(*self._where, found, spec)
        except NotFound:
            lease = await self._kube.create_lease(*self._where, self._spec(0))
        self._hold(lease, start)
        return True

    def _free(self, found: Lease) -> bool:
        if not found.holder or self._holder.outlived(Holder.parse(found.holder)):
            return True
        if found.resource_version != self._seen[0]:
            self._seen = (found.resource_version, self._now())
        return self._now() - self._seen[1] >= max(found.duration, 1.0)

    async def _renew(self) -> None:
        if self._lease is None:
            raise LeaseLost("the Lease was never acquired")
        start = self._now()
        spec = {"renewTime": _stamp(self._wall())}
        self._hold(await self._kube.patch_lease(*self._where, self._lease, spec), start)

    async def _regain(self, why: KubeError) -> None:
        """After a lost answer the newer version is our own; only another holder takes the Lease away."""
        log.info("looking at the Lease again: %s", why, extra={"reason": why.reason})
        try:
            ours = await self._try()
        except KubeError as error:
            log.warning("the Lease was not renewed: %s", error, extra={"reason": error.reason})
            return
        if not ours:
            self._until = float("-inf")
            raise LeaseLost("the Lease is held by another process")

    def _hold(self, lease: Lease, since: float) -> None:
        self._lease = lease
        self._until = since + self._pace.duration - self._pace.margin

    def _spec(self, transitions: int) -> dict[str, Any]:
        stamp = _stamp(self._wall())
        return {
            "holderIdentity": str(self._holder),
            "leaseDurationSeconds": self._pace.duration,
            "acquireTime": stamp,
            "renewTime": stamp,
            "leaseTransitions": transitions,
        }


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
