"""Dead letters by group, read again only when a queue changed. Leaves every queue as it was.

A queue cannot be read from where one stopped the last time: to know whose its entries are, all of them are taken and
given back. So that is done for queues of some thousands, and not more often than it takes to be told in time.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from headgate.brokers.base import BrokerError
from headgate.brokers.pace import Pace
from headgate.brokers.rabbitmq.amqp import Amqp
from headgate.brokers.rabbitmq.deaths import UNKNOWN_TIME, Owners, entry_of
from headgate.brokers.rabbitmq.owners import owners_of
from headgate.brokers.rabbitmq.reading import Reader
from headgate.brokers.rabbitmq.resources import REJECT_PUBLISH
from headgate.brokers.rabbitmq.walk import mail_of, walk
from headgate.core.letters import Entry, Header, Reason
from headgate.core.progress import DeadLetters, Holding, Room
from headgate.core.resource import Key, Unread

Json = Mapping[str, Any]

MOST: Final = 10_000  # entries of one queue that are looked at one by one
_REST: Final = 15.0  # seconds between two looks into a queue in which more and more comes
_UNNAMED: Final = "unknown"
_OTHER: Final = "Other"  # whoever may publish there may write anything; status has room for a few words
_MOST_KINDS: Final = 1_000
_REASONS: Final = frozenset(reason.value for reason in Reason)
_GROUP: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?/[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


@dataclass(slots=True)
class Tally:
    """What was found in one queue."""

    found: int = 0
    _counts: dict[str, Counter[str]] = field(default_factory=dict)
    _oldest: dict[str, datetime] = field(default_factory=dict)

    def add(self, entry: Entry) -> None:
        """Count an entry under its group and reason; words that are none of ours under one name."""
        group, reason = entry.header(Header.GROUP), entry.header(Header.REASON)
        group = group if _GROUP.fullmatch(group) else _OTHER if group else _UNNAMED
        reason = reason if reason in _REASONS else _OTHER if reason else _UNNAMED
        if group not in self._counts and len(self._counts) >= _MOST_KINDS:
            group = _OTHER
        self.found += 1
        self._counts.setdefault(group, Counter())[reason] += 1
        if entry.stored > UNKNOWN_TIME:
            self._oldest[group] = min(entry.stored, self._oldest.get(group, entry.stored))

    def groups(self, depth: int) -> tuple[DeadLetters, ...]:
        """By group; what is there beyond what was seen has none."""
        return tuple(sorted(self._groups(depth), key=lambda letters: letters.group))

    def _groups(self, depth: int) -> Iterator[DeadLetters]:
        if depth > self.found:
            yield DeadLetters("", depth - self.found, None, ())
        for group, reasons in self._counts.items():
            kinds = tuple(sorted(reasons.items()))
            yield DeadLetters(group, reasons.total(), self._oldest.get(group), kinds)


@dataclass(frozen=True, slots=True)
class _Seen:
    tally: Tally
    sign: tuple[object, ...]  # of the queue as it was then
    at: float


class Letterbox:
    """What the dead-letter queues of one virtual host hold."""

    def __init__(self, reader: Reader, lane: Pace, amqp: Amqp | None) -> None:
        self._reader, self._lane, self._amqp = reader, lane, amqp
        self._seen: dict[str, _Seen] = {}
        self._one_at_a_time = asyncio.Lock()

    async def dead_letters(self, queues: Collection[Key]) -> Mapping[Key, Holding | Unread]:
        """One value per queue that exists; without AMQP only how many there are."""
        async with self._one_at_a_time:
            live, collected = await asyncio.gather(
                self._reader.queues(self._lane), self._reader.collected(self._lane)
            )
            for gone in self._seen.keys() - {key.name for key in queues if key.name in live}:
                del self._seen[gone]
            return {
                key: await self._held(key, live[key.name], collected.get(key.name, {}))
                for key in queues
                if key.name in live
            }

    async def _held(self, key: Key, queue: Json, collected: Json) -> Holding | Unread:
        if queue.get("messages") is None:
            return Unread("NoAnswer", f"nobody answers for {key}: the nodes that keep it may be down")
        depth = int(queue["messages"])
        return Holding(await self._groups(key.name, depth, queue, collected), _room(depth, collected))

    async def _groups(self, name: str, depth: int, queue: Json, collected: Json) -> tuple[DeadLetters, ...]:
        if depth == 0:
            self._seen.pop(name, None)
            return ()
        if depth <= MOST and self._amqp is not None:
            await self._look(name, depth, _sign(queue, collected))
        known = self._seen.get(name) if depth <= MOST else None
        return (known.tally if known is not None else Tally()).groups(depth)

    async def _look(self, name: str, depth: int, sign: tuple[object, ...]) -> None:
        """Go through a queue that is not what it was; what does not work now is tried at the next look.

        So is what was not all there: figures of a queue may run ahead of what it hands out.
        """
        now, known = asyncio.get_running_loop().time(), self._seen.get(name)
        if self._amqp is None or (known is not None and (known.sign == sign or now - known.at < _REST)):
            return
        try:
            owners = owners_of(await self._reader.snapshot(self._lane))
            tally = await _counted(self._amqp, name, owners)
            self._seen[name] = _Seen(tally, sign if tally.found == depth else (), now)
        except BrokerError:
            if known is not None:  # what was seen before is nearer to the truth than nothing
                self._seen[name] = _Seen(known.tally, (), now)


async def _counted(amqp: Amqp, queue: str, owners: Owners) -> Tally:
    tally = Tally()
    async with walk(amqp, queue) as way:
        async for message in way.messages():
            tally.add(entry_of(mail_of(message), queue, owners))
    return tally


def _sign(queue: Json, collected: Json) -> tuple[object, ...]:
    """What differs as soon as anything came or went; looking at it changes none of it."""
    stats = collected.get("message_stats") or {}
    return (queue.get("messages"), stats.get("publish"), stats.get("ack"), collected.get("message_bytes"))


def _room(depth: int, collected: Json) -> Room:
    """Bounds count only where the queue refuses what is beyond them."""
    definition = collected.get("effective_policy_definition") or {}
    refuses = definition.get("overflow") == REJECT_PUBLISH
    most, most_size = (
        definition.get(name) if refuses else None for name in ("max-length", "max-length-bytes")
    )
    return Room(depth, int(collected.get("message_bytes") or 0), most, most_size)
