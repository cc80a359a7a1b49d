"""Remembers what was seen of groups' positions, and how long the cluster keeps them. Decides nothing about them."""

import time
from collections.abc import Callable, Collection, Mapping
from typing import Final

from headgate.brokers.kafka import keeping
from headgate.brokers.kafka.admin import Admin
from headgate.brokers.kafka.faults import Fault
from headgate.brokers.kafka.keeping import Duties, Look, Memory
from headgate.brokers.pace import Pace
from headgate.core.outcomes import Finding, Outcome
from headgate.core.resource import Key

SETTING: Final = "offsets.retention.minutes"
UNTOLD: Final = 86_400.0  # seconds: what was usual when it was least; for credentials that may not read it
_AGAIN: Final = 600.0  # seconds: it changes with a restart of brokers only


class Keeper:
    """The memory of one process; what it does not remember is taken for old."""

    def __init__(self, admin: Admin, clock: Callable[[], float] = time.monotonic) -> None:
        self._admin, self.clock = admin, clock
        self._memories: dict[Key, Memory] = {}
        self._retention = UNTOLD
        self._read_at: float | None = None

    async def refresh(self, lane: Pace) -> None:
        """Read now and then how long positions last in groups that nobody is in."""
        now = self.clock()
        if self._read_at is not None and now - self._read_at < _AGAIN:
            return
        self._read_at = now
        cluster = await self._admin.cluster(lane)
        if isinstance(cluster, Fault) or not cluster.brokers:
            self._read_at = None
            return
        found = await self._admin.broker_setting(lane, cluster.brokers[0], SETTING)
        if not isinstance(found, Fault):
            self._retention = float(found) * 60

    def noticed(self, key: Key, look: Look, handed: Collection[tuple[int, int]] = ()) -> Duties:
        """What is to be done about a group's positions, after one more look at it."""
        memory = keeping.remembered(self._memories.get(key), look, self._retention)
        self._memories[key] = memory
        return keeping.duties(memory, look, self._retention, handed)

    def committed(
        self, key: Key, topic: str, offsets: Mapping[int, int], since: float, back: Collection[int] = ()
    ) -> None:
        """Positions were committed, no earlier than at that moment; some of them had expired."""
        self._memories[key] = keeping.committed(self._memories.get(key), topic, offsets, since, back)

    def remarks(self, key: Key) -> tuple[Finding, ...]:
        """What people should know of a group's positions."""
        memory = self._memories.get(key)
        verdict = keeping.brought_back(memory, str(key)) if memory is not None else None
        return (Finding(Outcome.WARNING, verdict.reason, verdict.message),) if verdict is not None else ()

    def known(self, key: Key, topic: str) -> Mapping[int, int]:
        """The positions that a group had when it last had any."""
        memory = self._memories.get(key)
        return memory.positions if memory is not None and memory.topic == topic else {}

    def forgotten(self, key: Key) -> None:
        """The group was deleted: nothing of it comes back."""
        self._memories.pop(key, None)
