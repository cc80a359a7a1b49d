"""Who else scales, namespace by namespace, looked up now and then. Decides nothing."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from headgate.core.workload import Competitor, Target
from headgate.kube.errors import Forbidden
from headgate.kube.values import Rival

RENEW: Final = timedelta(seconds=60)


class Rivals(Protocol):
    """What is needed of the cluster."""

    async def list_rivals(self, namespace: str) -> tuple[Rival, ...]:
        """Everything else that scales in a namespace."""
        ...


@dataclass(slots=True)
class _Found:
    competitors: tuple[Competitor, ...] | None = None
    read: datetime | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Competition:
    """Other scalers by namespace, each list at most a minute old and read once for all who ask."""

    def __init__(self, kube: Rivals, clock: Callable[[], datetime]) -> None:
        self._kube = kube
        self._clock = clock
        self._found: dict[str, _Found] = {}

    async def of(self, namespace: str) -> tuple[Competitor, ...] | None:
        """The other scalers of a namespace; None: nobody may look. Raises KubeError."""
        found = self._found.setdefault(namespace, _Found())
        async with found.lock:
            now = self._clock()
            if found.read is None or not timedelta(0) <= now - found.read < RENEW:
                found.competitors = await self._read(namespace)
                found.read = now
            return found.competitors

    async def _read(self, namespace: str) -> tuple[Competitor, ...] | None:
        try:
            rivals = await self._kube.list_rivals(namespace)
        except Forbidden:
            return None
        return tuple(
            Competitor(f"{rival.kind} {rival.namespace}/{rival.name}", Target(*rival.target))
            for rival in rivals
        )
