"""The mover's loop over one broker: read notices, move what they name, settle them. Knows no broker and no cluster.

Beside that it brings events back whose wait for another attempt is over, where the broker keeps no waits.

A turn reads some notices, fetches all their events, learns which incarnations those came from, writes all dead
letters and settles the notices. Several turns run side by side. A notice is settled only after its dead letter
stands, and a dead letter can stand only once: a turn may die anywhere and be repeated by any mover.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from headgate.brokers.base import BrokerError, Refused
from headgate.brokers.messages import Absent, Kept, Messages
from headgate.core.letters import Event, Header, Lack, Letter, envelope, value_of
from headgate.core.moves import (
    HOLD_LONGEST,
    Delay,
    Drop,
    Hold,
    Move,
    Notice,
    Route,
    Why,
    Window,
    decide,
    letter,
    settle_incarnation,
)
from headgate.mover.meter import Meter

TURNS: Final = 4
PER_TURN: Final = 125  # 500 in flight
PER_REDELIVERY: Final = 500  # so many events are brought back twice at most when a mover is killed
BUDGET: Final = 32 * 2**20  # bytes of events in memory, all turns together
BELIEVED: Final = timedelta(seconds=25)  # how long beyond the next try the reason of a delay is shown
EXTEND: Final = 1.5  # seconds after which a turn says that it still works on its notices
BACKOFF: Final = (0.2, 0.5, 1.0, 2.0, 5.0)  # seconds after failures in a row

Table = Mapping[tuple[str, str], Route]
Routed = Callable[[], Table | None]  # None: nobody said yet what is ours
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pauses:
    """How long a mover leaves alone what it cannot do yet."""

    first: timedelta = timedelta(seconds=2)  # at most, until a turn has its first notice
    watch: float = 5.0  # seconds between looks whether notices were lost or events stranded
    again: timedelta = timedelta(seconds=5)  # until a dead letter that could not be written is tried again
    longest: timedelta = HOLD_LONGEST  # until anything at all is


PAUSES: Final = Pauses()


@dataclass(frozen=True, slots=True)
class _Job:
    """One notice on its way to a dead letter."""

    notice: Notice
    move: Move


class Mover:
    """Moves dead letters of one broker until it is told to stop."""

    def __init__(
        self,
        messages: Messages,
        routes: Routed,
        meter: Meter,
        clock: Callable[[], datetime],
        pauses: Pauses = PAUSES,
    ) -> None:
        self._messages, self._routes, self._meter, self._clock = messages, routes, meter, clock
        self._pauses = pauses
        self._stopping = asyncio.Event()
        self._ours: dict[tuple[str, str], bool] = {}
        self._hand: dict[str, tuple[Notice, float]] = {}  # what is worked on, by token, and since when
        self._delays: dict[str, Delay] = {}  # since the last look
        self._logged: dict[str, str] = {}  # address -> reason, of the look before

    def stop(self) -> None:
        """Finish the turns under way and begin no other."""
        self._stopping.set()

    async def run(self) -> None:
        """Work until `stop`. Refused is raised when only an edit can help; all else is tried again."""
        await self._until_done(self._messages.open)
        await self._until_done(
            self._look
        )  # before the first notice is read: what was lost by then shows no more after it
        async with asyncio.TaskGroup() as tasks:
            for _ in range(TURNS):
                tasks.create_task(self._turns())
            tasks.create_task(self._watch())
            tasks.create_task(self._reap())
            tasks.create_task(self._extend())
            tasks.create_task(self._listen())
            tasks.create_task(self._redeliveries())

    async def _turns(self) -> None:
        window = Window(PER_TURN, BUDGET // TURNS)

        async def turn() -> None:
            nonlocal window
            notices = await self._messages.notices(window.now, self._pauses.first)
            with self._meter.in_flight(len(notices)):
                window = window.after(*await self._turn_or_again(notices))

        while not self._stopping.is_set():
            await self._until_done(turn)

    async def _turn_or_again(self, notices: Sequence[Notice]) -> tuple[int, int]:
        now = asyncio.get_running_loop().time()
        self._hand.update((notice.token, (notice, now)) for notice in notices)
        try:
            return await self.turn(notices)
        except BrokerError:
            with contextlib.suppress(BrokerError):  # then they come again by themselves, only later
                await self._postpone(notices, self._pauses.again)
            raise
        finally:
            self._let_go(notices)

    async def turn(self, notices: Sequence[Notice]) -> tuple[int, int]:
        """Deal with these notices; how many events were held for that, and how large they were together."""
        jobs = await self._sort(notices)
        found = await self._messages.fetch([(job.notice.source, job.notice.position) for job in jobs])
        jobs, events = await self._keep_known(jobs, found)
        letters = [letter(job.move, job.notice, event) for job, event in zip(jobs, events, strict=True)]
        await self._write(jobs, letters)
        return len(letters), sum(len(each.body) for each in letters)

    async def _sort(self, notices: Sequence[Notice]) -> list[_Job]:
        """Settle and hold what leads to no dead letter; the rest are jobs."""
        table, now, jobs = self._routes(), self._clock(), list[_Job]()
        drops, holds = list[tuple[Notice, Drop]](), list[tuple[Notice, Hold]]()
        for notice in notices:
            route = (table or {}).get((notice.source, notice.reader))
            ours = route is None and (table is None or await self._is_ours(notice))
            match decide(notice, route, now, ours=ours):
                case Move() as move:
                    jobs.append(_Job(notice, move))
                case Drop() as drop:
                    drops.append((notice, drop))
                case Hold() as hold:
                    holds.append((notice, hold))
                    self._note("", hold.why, hold.delay)
        await self._drop(drops)
        await self._hold(holds)
        return jobs

    async def _is_ours(self, notice: Notice) -> bool:
        key = (notice.source, notice.reader)
        if key not in self._ours:
            self._ours[key] = await self._messages.ours(*key)
        return self._ours[key]

    async def _keep_known(
        self, jobs: Sequence[_Job], found: Sequence[Event | Absent]
    ) -> tuple[list[_Job], list[Event | None]]:
        """The jobs whose event is known to be this one, or known to be gone.

        Asked after the events were read: a source that still is what it was then was the same all along.
        """
        current = await self._messages.incarnations({job.notice.source for job in jobs})
        kept, events = list[_Job](), list[Event | None]()
        holds = list[tuple[Notice, Hold]]()
        for job, event in zip(jobs, found, strict=True):
            verdict = settle_incarnation(job.move, job.notice, current.get(job.notice.source))
            if not isinstance(verdict, Hold) and event is Absent.UNKNOWN and not verdict.gone:
                verdict = Hold(Why.UNREAD)
            if isinstance(verdict, Hold):
                holds.append((job.notice, verdict))
                self._note(job.move.route.address, verdict.why, verdict.delay)
            else:
                kept.append(_Job(job.notice, verdict))
                events.append(event if isinstance(event, Event) and not verdict.gone else None)
        await self._hold(holds)
        return kept, events

    async def _write(self, jobs: Sequence[_Job], letters: Sequence[Letter]) -> None:
        """Write, write envelopes for what is too large, settle what stands, put off the rest."""
        outcome = list(await self._messages.keep(letters))
        written = list(letters)
        large = [index for index, kept in enumerate(outcome) if kept is Kept.TOO_LARGE]
        if large:
            small = [envelope(letters[index], Lack.TOO_LARGE) for index in large]
            for index, each, kept in zip(large, small, await self._messages.keep(small), strict=True):
                outcome[index], written[index] = kept, each
        done, put_off = list[Notice](), list[Notice]()
        for job, each, kept in zip(jobs, written, outcome, strict=True):
            (done if self._count(each, kept) else put_off).append(job.notice)
            if not kept.stands:
                self._note(job.move.route.address, kept, self._pauses.again)
        await self._settle(done)
        await self._postpone(put_off, self._pauses.again)

    def _count(self, written: Letter, kept: Kept) -> bool:
        """Whether the dead letter stands."""
        if kept is Kept.STORED:
            body = value_of(written.headers, Header.BODY) or "whole"
            self._meter.moved(value_of(written.headers, Header.REASON), body)
        elif kept is Kept.PRESENT:
            self._meter.repeated()
        else:
            self._meter.put_off(kept.value)
        return kept.stands

    async def _drop(self, drops: Iterable[tuple[Notice, Drop]]) -> None:
        settled = list[Notice]()
        for notice, drop in drops:
            self._meter.dropped(drop.why.value)
            settled.append(notice)
        await self._settle(settled)

    async def _hold(self, holds: Iterable[tuple[Notice, Hold]]) -> None:
        by_delay: dict[timedelta, list[Notice]] = {}
        for notice, hold in holds:
            self._meter.put_off(hold.why.value)
            by_delay.setdefault(min(hold.delay, self._pauses.longest), []).append(notice)
        for delay, notices in by_delay.items():
            await self._postpone(notices, delay)

    def _note(self, address: str, reason: str, delay: timedelta) -> None:
        """Remember why something waits until it is told; lack of room above all else."""
        known = self._delays.get(address)
        if known is None or known.reason != Kept.FULL:
            self._delays[address] = Delay(address, str(reason), delay + BELIEVED)

    async def _settle(self, notices: Sequence[Notice]) -> None:
        self._let_go(notices)
        await self._messages.settle(notices)

    async def _postpone(self, notices: Sequence[Notice], delay: timedelta) -> None:
        self._let_go(notices)
        await self._messages.postpone(notices, delay)

    def _let_go(self, notices: Iterable[Notice]) -> None:
        for notice in notices:
            self._hand.pop(notice.token, None)

    async def _extend(self) -> None:
        """Have the notices of slow turns not come again while they are worked on. Most turns are over before that."""

        def slow() -> list[Notice]:
            due = asyncio.get_running_loop().time() - EXTEND
            return [notice for notice, since in self._hand.values() if since <= due]

        async def extend() -> None:
            await self._messages.extend(slow())

        while not self._stopping.is_set():
            if slow():
                await self._until_done(extend)
            await self._rest(EXTEND)

    async def _redeliveries(self) -> None:
        """Bring back what is due, one round after the other."""

        async def redeliver() -> None:
            redelivered = await self._messages.redeliver(routes, PER_REDELIVERY, self._pauses.first)
            self._meter.returned(redelivered.returned)
            for reason in redelivered.given_up:
                self._meter.moved(reason.value, "whole")
            for _ in range(redelivered.dropped):
                self._meter.dropped(Why.DECLARED.value)
            for word in redelivered.put_off:
                self._meter.put_off(word)

        while not self._stopping.is_set():
            if routes := [route for route in (self._routes() or {}).values() if route.due]:
                await self._until_done(redeliver)
            else:
                await self._rest(self._pauses.first.total_seconds())

    async def _listen(self) -> None:
        """For as long as the turns go on: who is told to stop has the others hear what comes now."""
        listening = asyncio.create_task(self._messages.listen())
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait((listening, stopping), return_when=asyncio.FIRST_COMPLETED)
            if listening.done():
                listening.result()
            await stopping
        finally:
            listening.cancel()
            stopping.cancel()

    async def _look(self) -> None:
        """Notice that notices were lost, say why some wait, and forget what was learned about readers of others."""
        delays, self._delays = self._delays, {}
        self._log_new(delays)
        seen = await self._messages.watch(delays.values())
        self._meter.backlog(seen.backlog)
        if seen.missed:
            self._meter.missed(seen.missed)
            log.error("notices were lost before a mover read them", extra={"at_most": seen.missed})
        self._ours.clear()

    def _log_new(self, delays: Mapping[str, Delay]) -> None:
        reasons = {address: delay.reason for address, delay in delays.items()}
        for address, reason in reasons.items() - self._logged.items():
            where = address or "no queue yet"
            log.warning("what goes to %s waits: %s", where, reason, extra={"reason": reason})
        self._logged = reasons

    async def _watch(self) -> None:
        while not self._stopping.is_set():
            await self._rest(self._pauses.watch)
            await self._until_done(self._look)

    async def _reap(self) -> None:
        """Call in stranded events where the user opted in."""

        async def look() -> None:
            for route in (self._routes() or {}).values():
                after = route.reap_after
                if after is not None and await self._messages.call_in(
                    route.source, route.reader, timedelta(seconds=after)
                ):
                    self._meter.called_in()

        while not self._stopping.is_set():
            await self._until_done(look)
            await self._rest(self._pauses.watch)

    async def _until_done(self, step: Callable[[], Awaitable[None]]) -> None:
        """Repeat a step that fails for reasons that pass, more and more slowly, until it succeeds or we stop."""
        failures = 0
        while not self._stopping.is_set():
            try:
                await step()
            except Refused:
                raise
            except BrokerError as error:
                self._meter.connected(up=False)
                self._meter.put_off(error.reason)
                log.warning("the broker did not do it: %s", error, extra={"reason": error.reason})
                await self._rest(BACKOFF[min(failures, len(BACKOFF) - 1)])
                failures += 1
            else:
                self._meter.connected(up=True)
                return

    async def _rest(self, seconds: float) -> None:
        """Wait, or less when the mover is to stop."""
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return
