"""Events, partitions and the pods that handle them, second by second. Knows no policy and judges nothing.

All partitions get a constant share of the arrivals. So a position is kept as the level of all arrivals that it
belongs to: a partition that is up to date stands at the present level whatever its share, the oldest event of the
group is at the lowest position, and as long as nobody is behind nothing has to be worked out per partition.
"""

from bisect import bisect_right
from itertools import repeat
from typing import Final

from headgate.sim.noise import Noise
from headgate.sim.pods import Crew
from headgate.sim.policy import Look, Reading
from headgate.sim.readers import Readers
from headgate.sim.retries import Retries
from headgate.sim.setting import Failing, Scenario

NEVER: Final = 10**9
_ENDLESS: Final = float("inf")
_NEARLY: Final = 1e-6  # an event that is handled but for a rounding error is handled


class World:
    """One run. `advance` lets time pass, `look` shows what a policy may see, `scale` does what it says."""

    def __init__(self, scenario: Scenario) -> None:
        trace, noise = scenario.trace, Noise(scenario.seed)
        self.now = 0
        self.ages: list[int] = []  # of the oldest event that was never handed out, second by second
        self.worked = 0.0  # events handled, repeats counted again
        self.repeated = 0.0
        self.crew = Crew(scenario.start, scenario.workers.pod_start)
        self._scenario = scenario
        self._arrivals = [max(0.0, rate * (1 + trace.noise * (2 * noise.unit() - 1))) for rate in trace.rates]
        self._rates = [scenario.service_rate(second) for second in range(scenario.seconds)]
        self._totals = [0.0]  # all arrivals up to the end of each second
        self._level = 0.0
        self._readers = Readers(scenario, noise.below(scenario.workers.commit_interval))
        self._shares = self._readers.shares
        self._at = [0.0] * len(self._shares)
        self._committed = [0.0] * len(self._shares)
        self._reached: dict[int, float] = {}  # of partitions that go through events again: how far they were
        self._excused: set[int] = set()  # what waits there waits for something that no replica can mend
        self._ceiling = _ENDLESS  # what one group gets done at most, of what is behind all of them
        self._retries = Retries(trace.failing) if trace.failing and self._readers.is_queue else None
        self._calm_since: int | None = None  # everything was handled; positions are not kept up meanwhile
        self._turn = 0  # when something changes next
        self._readers.join(self.crew.ready(0), 0)
        self._readers.settle()
        self._change()

    @property
    def arrived(self) -> float:
        return self._level

    @property
    def rebalances(self) -> int:
        return self._readers.rebalances

    @property
    def waiting(self) -> float:
        """Events that are not handled, or have to be handled again."""
        if self._calm_since is not None:
            return 0.0
        return sum(share * (self._level - at) for share, at in zip(self._shares, self._at, strict=True))

    def advance(self, until: int) -> None:
        """Let time pass."""
        until = min(until, len(self._arrivals))
        while self.now < until:
            if self.now >= self._turn:
                self._change()
            if self._retries is not None and self._retries.now_or_due(self.now, self._next_published()):
                self._storm(min(until, self._turn), self._retries)
            elif self._calm_since is None:
                self._work(min(until, self._turn))
            else:
                self._glide(min(until, self._turn))

    def scale(self, replicas: int) -> None:
        """Ask for so many pods."""
        self.crew.scale(replicas, self.now)
        self._turn = self.now

    def look(self) -> Look:
        """What can be seen from outside now."""
        blind = any(self.now in span for span in self._scenario.trace.blind)
        pods = len(self.crew.pods)
        ready = len(self.crew.ready(self.now))
        return Look(self.now, pods, pods, ready, None if blind else self._reading())

    def _glide(self, end: int) -> None:
        """Seconds in which everything that arrives is handled at once."""
        begin, now, level = self.now, self.now, self._level
        arrivals, rates, totals = self._arrivals, self._rates, self._totals
        peak, ceiling, power = self._readers.peak, self._ceiling, self._readers.power
        while now < end:
            share = arrivals[now] * peak
            if share > rates[now] * power or share > ceiling:
                break
            level += arrivals[now]
            totals.append(level)
            now += 1
        self.worked += level - self._level
        self.ages.extend(repeat(0, now - begin))
        self.now, self._level = now, level
        if now < end:
            self._catch_up()

    def _work(self, end: int) -> None:
        """Seconds in which somebody is behind, up to the first in which nobody is."""
        arrivals, rates, totals, at = self._arrivals, self._rates, self._totals, self._at
        committed, commits, shares = self._committed, self._readers.commits, self._shares
        groups, power, complete = self._readers.groups, self._readers.power, self._readers.complete
        now, level, worked = self.now, self._level, self.worked
        behind = True
        while now < end and behind:
            most = min(rates[now] * power, self._ceiling)
            level += arrivals[now]
            totals.append(level)
            now += 1
            behind = not complete
            for group in groups:
                needed = 0.0
                for partition in group:
                    needed += shares[partition] * (level - at[partition])
                if needed <= most:
                    worked += needed
                    for partition in group:
                        at[partition] = level
                else:
                    behind = True
                    worked += most
                    self._divide(group, most, level)
            for partition in commits[now % len(commits)]:
                committed[partition] = at[partition]
            lowest = self._lowest(now) if self._reached or self._excused else min(at)
            self.ages.append(max(0, now - bisect_right(totals, lowest + _NEARLY)))
        self.now, self._level, self.worked = now, level, worked
        if not behind:
            self._calm_since = now
            self._reached.clear()

    def _storm(self, end: int, retries: Retries) -> None:
        """Seconds in which some events of a queue fail, or come again."""
        self._catch_up()
        hold, power = self._scenario.workers.concurrency, self._readers.power
        while self.now < end:
            rate = self._rates[self.now]
            free = self._free(retries.waiting)
            most = min(rate * power, self._ceiling) if power > 0 else 0.0
            self._level += self._arrivals[self.now]
            self._totals.append(self._level)
            again = retries.take(self.now, most)
            room = min(rate * free / hold, retries.most(self.now, self._next_published(), free))
            first = min(self._level - self._at[0], most - again, room)
            retries.fail(self.now, self._exposed(first, retries.failing))
            self._at[0] += first
            self.now += 1
            self.worked += first + again
            self.repeated += again
            self.ages.append(max(0, self.now - bisect_right(self._totals, self._lowest(self.now) + _NEARLY)))

    def _next_published(self) -> int:
        """In which second the next event was published that a queue hands out."""
        if self._calm_since is not None:
            return self.now
        return min(self.now, bisect_right(self._totals, self._at[0] + _NEARLY) - 1)

    def _exposed(self, first: float, failing: Failing) -> float:
        """How many of the next first attempts are among those of which a share fails."""
        if not failing.inborn:
            return first if self.now in failing.span else 0.0
        begin, end = (
            self._totals[min(edge, self.now + 1)] for edge in (failing.span.begin, failing.span.end)
        )
        return max(0.0, min(self._at[0] + first, end) - max(self._at[0], begin))

    def _free(self, waiting: float) -> float:
        """Events that may be handed out beside those that wait for a retry."""
        limit = self._scenario.in_flight_limit
        return float("inf") if limit is None else max(0.0, limit - waiting)

    def _divide(self, group: list[int], most: float, level: float) -> None:
        """One replica's second among its partitions: equal parts, of which some need less."""
        at, shares = self._at, self._shares
        left, among = most, len(group)
        for needed, partition in sorted((shares[p] * (level - at[p]), p) for p in group):
            part = left / among
            if needed <= part:
                at[partition] = level
                left -= needed
            else:
                at[partition] += part / shares[partition]
                left -= part
            among -= 1

    def _lowest(self, now: int) -> float:
        """Where the oldest event stands that was never handed out, the excused ones aside."""
        at, reached = self._at, self._reached
        for partition in [p for p, far in reached.items() if at[p] >= far]:
            del reached[partition]
        for partition in [p for p in self._excused if not self._readers.is_blocked(p, now)]:
            if now - bisect_right(self._totals, at[partition] + _NEARLY) <= self._scenario.terms.promise:
                self._excused.discard(partition)
        far = (
            max(position, reached.get(partition, 0.0))
            for partition, position in enumerate(at)
            if partition not in self._excused
        )
        return min(far, default=float("inf"))

    def _catch_up(self) -> None:
        """Positions as they are, for what follows is no longer calm."""
        if self._calm_since is None:
            return
        self._note_commits()
        self._at[:] = repeat(self._level, len(self._at))
        self._calm_since = None

    def _note_commits(self) -> None:
        """What was committed while nobody looked."""
        since, now, every = self._calm_since, self.now, len(self._readers.commits)
        if since is not None:
            for partition, turn in enumerate(self._readers.turns):
                last = now - (now - turn) % every
                if last > since:
                    self._committed[partition] = self._totals[last]

    def _change(self) -> None:
        """Pods that came or went, limits, blocks and pauses that begin or end."""
        self._catch_up()
        readers, trace = self._readers, self._scenario.trace
        ready = self.crew.ready(self.now)
        if set(ready) != readers.owned.keys():
            self._join(ready)
        readers.regroup(self.now)
        if readers.is_blocked(readers.bad, self.now) and not readers.is_queue:
            self._excused.add(readers.bad)
        limit = trace.limit if trace.limit is not None and self.now in trace.limit.span else None
        self._ceiling = _ENDLESS if limit is None else limit.per_second / max(1, len(readers.groups))
        spans = [each.span for each in (trace.limit, trace.failing) if each is not None]
        edges = [self.crew.next_ready(self.now), *readers.edges()]
        edges += [edge for span in spans for edge in (span.begin, span.end)]
        self._turn = min((edge for edge in edges if edge is not None and edge > self.now), default=NEVER)

    def _join(self, ready: list[int]) -> None:
        """Pods came or went: what they had in hand and did not settle comes again."""
        before = len(self._readers.owned)
        gone = len(self._readers.owned.keys() - set(ready))
        if gone and self._readers.is_queue:
            self._rewind(0, max(0.0, self._at[0] - self._in_flight(before) * gone / before))
        for partition in self._readers.join(ready, self.now):
            self._rewind(partition, self._committed[partition])

    def _rewind(self, partition: int, to: float) -> None:
        lost = self._at[partition] - to
        if lost > 0:
            self.repeated += lost * self._shares[partition]
            self._reached[partition] = max(self._reached.get(partition, 0.0), self._at[partition])
            self._at[partition] = to

    def _in_flight(self, replicas: int) -> float:
        """What the replicas of a queue have in hand: as much as they hold, or as came within one handling time."""
        hold, at = self._scenario.workers.concurrency, self._at_now(0)
        if at < self._level:
            return min(self._readers.fed(replicas) * hold, at)
        rate = self._rates[min(self.now, len(self._rates) - 1)]
        return min(self._readers.fed(replicas) * hold, at - self._level_at(self.now - hold / rate))

    def _level_at(self, moment: float) -> float:
        """All arrivals up to a moment that need not be a whole second."""
        second, part = divmod(max(0.0, moment), 1)
        begin = self._totals[int(second)]
        return begin + part * (self._totals[min(int(second) + 1, self.now)] - begin)

    def _at_now(self, partition: int) -> float:
        return self._level if self._calm_since is not None else self._at[partition]

    def _reading(self) -> Reading:
        delayed = int(self._retries.waiting) if self._retries is not None else 0
        if self._readers.is_queue:
            flying = int(self._in_flight(len(self._readers.owned)) + _NEARLY)
            positions, kept = [self._at_now(0)], int(min(flying, self._free(delayed))) + delayed
        else:
            self._note_commits()
            positions, kept = self._committed, 0
        level, totals = self._level, self._totals
        heads = tuple([int(share * level + _NEARLY) for share in self._shares])
        done = tuple([int(s * at + _NEARLY) for s, at in zip(self._shares, positions, strict=True)])
        oldest = [
            bisect_right(totals, at + _NEARLY) if head > there else None
            for at, head, there in zip(positions, heads, done, strict=True)
        ]
        kept = min(kept, done[0])
        settled = (done[0] - kept,) if kept else done
        return Reading(heads, done, settled, tuple(self._readers.owners), kept, delayed, tuple(oldest))
