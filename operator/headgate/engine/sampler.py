"""Looks at one broker every few seconds and remembers how far its groups are. Decides nothing about replicas.

Streams are cheap to look at, many in one call; readers are not. So every look covers all topics, and only readers
that may have something to tell are read: their topic moved, or they were not at rest. Where those are more than a
look has time for, half of it goes to what is urgent (see `turns.py`) and half to whoever has waited longest, so that
news is read at once, also while a thousand groups have their first reading, and yet everybody has a turn.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain, count, zip_longest
from typing import Final, Protocol

from headgate.brokers.base import BrokerError
from headgate.core.estate import Ref
from headgate.core.lag import LOST, STALE, History, Lag, Sight, figures, seen, unmoved
from headgate.core.lagview import LagView, publish
from headgate.core.progress import Position, Progress
from headgate.core.resource import Key, Observed, Unread, known
from headgate.engine.turns import Waiting, chosen

log = logging.getLogger(__name__)

PERIOD: Final = timedelta(seconds=4.5)  # a look takes time too, and lag is to be seen within five seconds
REFRESH: Final = timedelta(
    seconds=300
)  # readers at rest are read all the same: somebody may have rewound one
ABSENT: Final = timedelta(seconds=10)  # a reader that is not there yet is looked for again
INSTANT: Final = timedelta(seconds=0.5)  # figures are worked out once for all who ask within it
_NOTHING: Final = timedelta(0)
_MARGIN: Final = timedelta(seconds=0.5)  # of a look, for what comes after its reading
_BATCH: Final = 16  # readers per call; what one call brought is acted on while the next one runs
_FEW: Final = 4  # readers in the first call for urgent ones, which does not wait for the others
_Head = tuple[str, int | None]


class Readable(Protocol):
    """What is needed of a broker."""

    async def observe(self, keys: Collection[Key]) -> Mapping[Key, Observed | Unread]:
        """Many objects at once; absent ones are left out."""
        ...

    async def progress(self, groups: Collection[Key]) -> Mapping[Key, Progress | Unread]:
        """How far readers are; absent ones are left out."""
        ...


@dataclass(frozen=True, slots=True)
class Watched:
    """One group to keep an eye on."""

    group: Ref
    reader: Key
    topic: Key
    promise: timedelta | None  # None: nothing is promised
    patience: timedelta  # the longest that a healthy event stays in flight
    incarnation: str = ""  # of the reader: positions of another one mean nothing
    scaled: bool = False  # whether a workload waits for its figures


@dataclass(slots=True)
class _Memory:
    reader: Key
    since: datetime
    incarnation: str = ""
    history: History = field(default_factory=History)
    head: _Head | None = None  # of the topic, when the reader was last read
    sighted: _Head | None = None  # of the topic, when it was first looked at
    read: datetime | None = None
    tried: datetime | None = None
    turn: int = 0  # grows with every reading, whoever is read; 0: never
    absent: bool = False
    lag: Lag | None = None  # what followed from `figured` as of `at`
    figured: History | None = None
    at: datetime = field(default=datetime.min.replace(tzinfo=UTC))


class Sampler:
    """One broker's groups. `on_sampled` gets every watched group once per look, those with news first.

    It returns at once: whoever acts on figures does so in its own time, and no look waits for a cluster.
    """

    def __init__(
        self,
        broker: Callable[[], Readable | None],
        watched: Callable[[], Collection[Watched]],
        *,
        clock: Callable[[], datetime],
        on_sampled: Callable[[Collection[Ref]], None],
        on_change: Callable[[Ref], None],
        per_second: int = 50,
        period: timedelta = PERIOD,
    ) -> None:
        self.views: dict[Ref, LagView] = {}
        self.per_second = per_second
        self._broker = broker
        self._watched = watched
        self._clock = clock
        self._on_sampled = on_sampled
        self._on_change = on_change
        self._period = period
        self._patience: dict[Ref, timedelta] = {}
        self._memories: dict[Ref, _Memory] = {}
        self._turns = count(1)
        self._since = clock()
        self._away = False
        self._stale_after = STALE
        self._managed: int | None = None  # how many readers the last look had time for; None: for all

    async def run(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Look for ever, at a steady pace."""
        while True:
            started = self._clock()
            try:
                await self.tick()
            except Exception:
                log.exception("a look at the groups failed")
            took = min(max(self._clock() - started, _NOTHING), self._period)
            await sleep((self._period - took).total_seconds())

    async def tick(self) -> None:
        """One look at everything. A broker that does not answer only leaves the figures as old as they are."""
        watched = {one.group: one for one in self._watched()}
        self._keep(watched.values())
        look = _Look(watched, self._clock())
        try:
            await self._look(look)
        except BrokerError:
            self._away = True  # the link to the broker reports it; here it shows as figures that grow old
        finally:
            self._tell(look, watched.keys() - look.told)

    def lag(self, group: Ref) -> Lag:
        """The figures of a group as of now."""
        memory, now = self._memories.get(group), self._clock()
        if memory is None:
            return Lag(Sight.UNSEEN if now - self._since < LOST else Sight.LOST)
        if memory.history.received is None:
            turn = memory.tried is None and not self._away
            return Lag(Sight.UNSEEN if turn or now - memory.since < LOST else Sight.LOST)
        if (
            memory.lag is None
            or memory.figured is not memory.history
            or not _NOTHING <= now - memory.at < INSTANT
        ):
            patience = self._patience.get(group, REFRESH)
            memory.lag = figures(memory.history, now, patience, self._stale_after)
            memory.figured, memory.at = memory.history, now
        return memory.lag

    def lags(self) -> Iterator[tuple[Ref, Lag]]:
        """The figures of all groups as of now, exact, for metrics."""
        return ((group, self.lag(group)) for group in tuple(self._memories))

    def position(self, group: Ref) -> Position | None:
        """The newest position of a group that was seen settled; status has one that may be older."""
        memory = self._memories.get(group)
        if memory is None or memory.head is None or memory.history.last is None:
            return None
        return Position(memory.history.last.checkpoint, memory.head[0])

    def touch(self, group: Ref) -> None:
        """Have a group read at the next look whatever its topic does: its reader was made or moved."""
        memory = self._memories.get(group)
        if memory is not None:
            memory.head = memory.tried = None
            memory.turn = 0

    def _keep(self, watched: Iterable[Watched]) -> None:
        """Memory for the groups there are; a group with another reader starts anew."""
        now = self._clock()
        memories = {}
        for one in watched:
            memory = self._memories.get(one.group)
            same = memory and (memory.reader, memory.incarnation) == (one.reader, one.incarnation)
            memories[one.group] = memory if memory and same else _Memory(one.reader, now, one.incarnation)
            if memory and not same:
                self.views.pop(one.group, None)
            self._patience[one.group] = one.patience
        for group in self._memories.keys() - memories.keys():
            self.views.pop(group, None)
            self._patience.pop(group, None)
        self._memories = memories

    async def _look(self, look: "_Look") -> None:
        broker = self._broker()
        self._away = broker is None
        if broker is None or not look.watched:
            return
        topics = known(await broker.observe({one.topic for one in look.watched.values()}))
        look.heads = {key: (found.identity, found.stats.head) for key, found in topics.items()}
        now = self._clock()
        wanted = self._wanted(look, {key for key, found in topics.items() if found.stats.messages}, now)
        most = max(1, round(self.per_second * self._period.total_seconds()))
        turns = -(-len(wanted) // min(most, self._managed or most))
        self._stale_after = max(STALE, 2 * turns * self._period)
        await self._read_in_time(broker, *chosen(wanted, most), look)
        due = self._due(look, now)[: max(1, most // 10)]
        self._tell(look, look.watched.keys() - look.told - {one.group for one in due})
        await self._read(broker, due, look)

    async def _read_in_time(
        self, broker: Readable, urgent: Sequence[Ref], patient: Sequence[Ref], look: "_Look"
    ) -> None:
        """Read until the next look is due; what is left waits for it, so that news is seen as soon as ever.

        Small batches of urgent ones come first, and at least one of each sort is read however slow the broker is.
        """
        self._managed = None
        sorts = zip_longest(_batches(urgent, _FEW), _batches(patient, _BATCH), fillvalue=())
        for number, batch in enumerate(chain.from_iterable(sorts)):
            if number > 1 and self._clock() - look.began >= self._period - _MARGIN:
                self._managed = len(look.told)
                return
            left = [look.watched[group] for group in batch if group not in look.told]
            await self._read(broker, left, look)

    def _wanted(self, look: "_Look", holding: Collection[Key], now: datetime) -> Sequence[Waiting]:
        """Groups that may have something to tell; the others are known to have not."""
        wanted = []
        for one in look.watched.values():
            memory, head = self._memories[one.group], look.heads.get(one.topic)
            if head is None:
                memory.tried = now  # no topic, no progress: the figures grow old
            elif _is_put_off(memory, now):
                continue
            elif memory.head == head and head[1] is not None and memory.history.at_rest and not memory.absent:
                memory.history = unmoved(memory.history, now)
            else:
                memory.sighted = memory.sighted or head
                moved, holds = (memory.head or memory.sighted) != head, one.topic in holding
                wanted.append(Waiting(one.group, memory.turn, memory.absent, moved, holds, scaled=one.scaled))
        return wanted

    def _order(self, group: Ref) -> tuple[bool, int]:
        memory = self._memories[group]
        return memory.absent, memory.turn

    def _due(self, look: "_Look", now: datetime) -> Sequence[Watched]:
        """Groups at rest that nobody has read for long."""
        due = [
            one
            for one in look.watched.values()
            if one.group not in look.told
            and one.topic in look.heads
            and (read := self._memories[one.group].read) is not None
            and now - read >= REFRESH
        ]
        return sorted(due, key=lambda one: self._order(one.group))

    async def _read(self, broker: Readable, groups: Sequence[Watched], look: "_Look") -> None:
        for begin in range(0, len(groups), _BATCH):
            batch = groups[begin : begin + _BATCH]
            found = await broker.progress([one.reader for one in batch])
            now = self._clock()
            for one in batch:
                self._note(one, found.get(one.reader), look.heads[one.topic], now)
            self._tell(look, [one.group for one in batch])

    def _note(self, one: Watched, progress: Progress | Unread | None, head: _Head, now: datetime) -> None:
        memory = self._memories[one.group]
        memory.tried = now
        memory.turn = next(self._turns)
        memory.absent = not isinstance(progress, Progress)
        if isinstance(progress, Progress):
            memory.history = seen(memory.history, progress, now)
            memory.head = head
            memory.read = now

    def _tell(self, look: "_Look", groups: Collection[Ref]) -> None:
        """Renew what status says, and hand the groups on."""
        look.told.update(groups)
        now = self._clock()
        for group in groups:
            before = self.views.get(group)
            after = publish(before, self.lag(group), look.watched[group].promise, now)
            if after is not None and after is not before:
                self.views[group] = after
                self._on_change(group)
        if groups:
            self._on_sampled(groups)


@dataclass(slots=True)
class _Look:
    """One look at everything, while it goes on."""

    watched: Mapping[Ref, Watched]
    began: datetime
    heads: Mapping[Key, _Head] = field(default_factory=dict)
    told: set[Ref] = field(default_factory=set)  # handed on


def _is_put_off(memory: _Memory, now: datetime) -> bool:
    """Whether the reader was not there a moment ago."""
    return memory.absent and memory.tried is not None and _NOTHING <= now - memory.tried < ABSENT


def _batches(groups: Sequence[Ref], first: int) -> Iterator[Sequence[Ref]]:
    """Groups in calls of the usual size, of which the first is a smaller one."""
    if groups:
        yield groups[:first]
    yield from (groups[begin : begin + _BATCH] for begin in range(first, len(groups), _BATCH))
