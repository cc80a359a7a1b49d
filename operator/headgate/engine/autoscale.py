"""Gathers what is known of a workload, has the replicas decided and sets them. Decides nothing itself.

One autoscaler serves all brokers: a workload may read from several, and its needs add up. Workloads at rest cost
nothing but a rare look at their scale; everything else is looked at whenever its figures are new. Nobody who brings
figures waits for the cluster: every workload has an errand of its own.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final, Protocol

from headgate.core import habits
from headgate.core.estate import Ref
from headgate.core.lag import Lag, Sight
from headgate.core.rates import remembered
from headgate.core.scale import decide
from headgate.core.scaling import Observation, Reason
from headgate.core.workload import (
    NOTHING,
    Activity,
    Competitor,
    Member,
    ScalingView,
    Stance,
    Target,
    Workload,
    course,
    released,
    unreached,
    view,
    workloads,
)
from headgate.engine.competition import Competition
from headgate.engine.errands import Errands
from headgate.engine.workmemory import LEFT_AT_ZERO, Memory, restored, says_the_same
from headgate.kube.errors import Conflict, Fenced, Forbidden, KubeError, NotFound, Unavailable
from headgate.kube.values import Named, Rival, Scale

log = logging.getLogger(__name__)

RESTING: Final = timedelta(seconds=30)  # between two looks at the scale of a workload at rest
RESTING_LONGEST: Final = timedelta(seconds=120)  # the same where it was found unchanged again and again
FIGURES: Final = timedelta(seconds=30)  # between two writes of a status in which nothing was decided
INDEXED: Final = timedelta(seconds=1)  # what is declared is looked through once for all who ask meanwhile
PATIENCE: Final = timedelta(seconds=60)  # the cluster may be away for so long before status says so
_RESTING_READS: Final = 50  # under way, so that a thousand workloads at rest are read in turns
_AT_ONCE: Final = 16
_TRIES: Final = 3
_RELEASED: Final = ("Released", "left to itself with what spec.scaling.onRelease says")

_Name = tuple[str, str, str, str]  # of a workload


class Scales(Protocol):
    """What is needed of the cluster."""

    async def get_scale(self, target: Named) -> Scale:
        """How many replicas a workload is to have and has."""
        ...

    async def patch_scale(self, target: Named, replicas: int, *, resource_version: str) -> Scale:
        """Set the replicas of a workload as it was read."""
        ...

    async def list_rivals(self, namespace: str) -> tuple[Rival, ...]:
        """Everything else that scales in a namespace."""
        ...


@dataclass(frozen=True, slots=True)
class Scaled:
    """A change of replicas that the cluster took."""

    target: Target
    before: int
    after: int
    reason: str
    message: str


class Autoscaler:
    """All workloads. `act` is called with the groups whose figures are new, `views` says what status is to say."""

    def __init__(
        self,
        kube: Scales,
        members: Callable[[], Collection[Member]],
        lag: Callable[[Ref], Lag],
        *,
        clock: Callable[[], datetime],
        on_change: Callable[[Ref], None],
        on_scaled: Callable[[Scaled], None] = lambda _: None,
    ) -> None:
        self.views: dict[Ref, ScalingView] = {}
        self._kube = kube
        self._members = members
        self._lag = lag
        self._clock = clock
        self._on_change = on_change
        self._on_scaled = on_scaled
        self._competition = Competition(kube, clock)
        self._indexed: datetime | None = None
        self._workloads: dict[Ref, Workload] = {}
        self._memories: dict[_Name, Memory] = {}
        self._undeclared: dict[_Name, Workload] = {}  # left at zero by us, and no group names them any more
        self._published: dict[Ref, datetime] = {}
        self._errands: Errands[_Name] = Errands()
        self._gate = asyncio.Semaphore(_AT_ONCE)

    def act(self, groups: Collection[Ref]) -> None:
        """Have the workloads of these groups looked at and their replicas set where that is due; returns at once."""
        if self._indexed is None or not timedelta(0) <= self._clock() - self._indexed < INDEXED:
            self._index()
        for name, workload in self._undeclared.items():
            self._errands.ask(name, partial(self._abandon, workload))
        named = (self._workloads.get(group) for group in groups)
        found = {w.target.identity: w for w in named if w is not None and self._is_seen(w)}
        now = self._clock()
        resting: list[Workload] = []
        for name, workload in found.items():
            if not self._at_rest(workload):
                self._memory(workload).unchanged = 0
                self._errands.ask(name, partial(self._step, workload))
            elif self._is_due(workload, now):
                resting.append(workload)
        resting.sort(key=self._read_at)
        for workload in resting[: max(0, _RESTING_READS - len(self._errands))]:
            self._errands.ask(workload.target.identity, partial(self._step, workload))

    async def done(self) -> None:
        """Wait until everything that was asked for is done."""
        await self._errands.done()

    async def aclose(self) -> None:
        """Break off what is under way and begin nothing any more."""
        await self._errands.aclose()

    async def release(self, group: Ref, leaving: Member | None = None) -> str:
        """Leave the workload of a group that is being deleted; what could not be done is said, or nothing.

        `leaving` is its last say, where `members` has none any more: its broker or its topic went first.
        Raises Unavailable when the cluster has to be asked again.
        """
        self._index()
        workload = self._workloads.get(group) or self._last_of(leaving)
        if workload is None or workload.stance is not Stance.LEAVING:
            return ""
        memory = self._memory(workload)
        async with memory.lock:
            said = await self._leave(workload)
            memory.left_at_zero = False
            return said

    def _last_of(self, leaving: Member | None) -> Workload | None:
        """The workload of a group that is no longer listed, where no listed group has the same one."""
        if leaving is None or any(
            w.target.identity == leaving.target.identity for w in self._workloads.values()
        ):
            return None
        return Workload(leaving.target, (leaving,))

    async def _leave(self, workload: Workload) -> str:
        named = _named(workload.target)
        for _ in range(_TRIES):
            try:
                scale = await self._kube.get_scale(named)
                replicas = released(workload, scale.desired)
                if replicas is not None:
                    await self._patch(workload, scale, replicas, *_RELEASED)
            except Conflict:
                continue
            except Unavailable:
                raise
            except NotFound:
                return ""
            except KubeError as error:
                return f"{workload.target} could not be given its replicas back: {error.reason}"
            return ""
        raise Unavailable(f"{workload.target} changes faster than it can be scaled")

    async def _abandon(self, workload: Workload) -> None:
        """Leave a workload that no group names any more, as the last one that did wanted it left."""
        name = workload.target.identity
        if name not in self._undeclared:
            return
        try:
            if said := await self._leave(workload):
                log.warning("%s", said)
        except Unavailable as error:
            log.warning("%s is left to itself later: %s", workload.target, error)
            return
        self._undeclared.pop(name, None)

    def _index(self) -> None:
        """Workloads by their groups, as declared now; what is gone is forgotten."""
        self._indexed = self._clock()
        found = workloads(self._members())
        self._workloads = {member.group: workload for workload in found for member in workload.members}
        names = {workload.target.identity for workload in found}
        for gone in self._memories.keys() - names:
            memory = self._memories.pop(gone)
            if memory.left_at_zero and memory.workload.release:
                self._undeclared[gone] = memory.workload
        for back in self._undeclared.keys() & names:
            del self._undeclared[back]
        for group in self.views.keys() - self._workloads.keys():
            del self.views[group]
            self._published.pop(group, None)

    def _memory(self, workload: Workload) -> Memory:
        memory = self._memories.get(workload.target.identity)
        if memory is None:
            memory = self._memories[workload.target.identity] = restored(workload)
        return memory

    def _read_at(self, workload: Workload) -> float:
        read = self._memory(workload).read
        return 0.0 if read is None else read.timestamp()

    def _is_due(self, workload: Workload, now: datetime) -> bool:
        memory = self._memory(workload)
        if memory.read is None or not says_the_same(memory.workload, workload):
            return True
        wait = min(RESTING * 2 ** min(memory.unchanged, 8), RESTING_LONGEST)
        return not timedelta(0) <= now - memory.read < wait

    def _is_seen(self, workload: Workload) -> bool:
        """Whether every group was looked at, or should have been: a start is not a loss of metrics."""
        return all(self._lag(member.group).sight is not Sight.UNSEEN for member in workload.members)

    def _at_rest(self, workload: Workload) -> bool:
        """Whether nothing can be decided about the workload but what was decided before."""
        memory = self._memory(workload)
        if memory.scale is None:
            return memory.read is not None or all(
                self._lag(member.group).at_rest for member in workload.members
            )
        if workload.stance in (Stance.DISABLED, Stance.SUSPENDED, Stance.LEAVING):
            return not memory.left_at_zero
        lags = tuple(self._lag(member.group) for member in workload.members)
        if _sights(lags) != memory.sights:
            return False
        if all(lag.sight is not Sight.FRESH for lag in lags):
            # still as blind as before: what is held stays held, once nobody can reckon on from what was known
            return all(lag.sight is Sight.LOST or lag.at_rest for lag in lags)
        decision = memory.state.decision
        settled = decision is not None and decision.desired == workload.rule(self._clock()).minimum
        return settled and all(lag.at_rest and lag.sight is Sight.FRESH for lag in lags)

    async def _step(self, workload: Workload) -> None:
        memory = self._memory(workload)
        async with self._gate, memory.lock:
            before, memory.workload = memory.scale, workload
            try:
                competitors = await self._competition.of(workload.target.namespace)
                memory.scale = await self._kube.get_scale(_named(workload.target))
                memory.read = self._clock()
                memory.unchanged = memory.unchanged + 1 if memory.scale == before else 0
                await self._decided(workload, memory, memory.scale, competitors)
                memory.failing_since = None
            except Conflict:
                memory.read = None  # somebody else wrote: look again at the next occasion
            except KubeError as error:
                self._failed(workload, memory, error)

    async def _decided(
        self, workload: Workload, memory: Memory, scale: Scale, competitors: tuple[Competitor, ...] | None
    ) -> None:
        now = self._clock()
        loads = tuple(member.load(self._lag(member.group)) for member in workload.members)
        memory.sights = _sights(load.lag for load in loads)
        if not any(load.lag.sight is Sight.FRESH for load in loads):
            memory.unchanged = 0  # a floor may fall due
        seen = Observation(now, scale.desired, scale.current, loads)
        decision, memory.state = decide(seen, memory.state, workload.rule(now))
        if workload.stance in (Stance.DISABLED, Stance.SUSPENDED):
            scale = await self._let_go(workload, memory, scale)
        found = course(workload, decision, scale.desired, competitors)
        if found.write:
            scale = memory.scale = await self._patch(
                workload, scale, found.desired, found.reason, found.message
            )
        if found.active or scale.desired > 0:
            memory.left_at_zero = found.active and scale.desired == 0
        for member in workload.members:
            before = self.views.get(member.group, member.shown)
            saturated = decision.reason is Reason.RETRY_SATURATED
            learned = self._learned(member, memory, before)
            after = view(before, found, scale.desired, now, saturated=saturated, learned=learned)
            self._publish(member, after, now)

    async def _let_go(self, workload: Workload, memory: Memory, scale: Scale) -> Scale:
        """No longer in charge: a workload that we left at zero gets back what it was promised for that."""
        if not memory.left_at_zero:
            return scale
        replicas = workload.release if scale.desired == 0 else None
        if replicas:
            scale = memory.scale = await self._patch(workload, scale, replicas, *_RELEASED)
        memory.left_at_zero = False
        return scale

    async def _patch(
        self, workload: Workload, scale: Scale, replicas: int, reason: str, message: str
    ) -> Scale:
        written = await self._kube.patch_scale(
            _named(workload.target), replicas, resource_version=scale.resource_version
        )
        self._on_scaled(Scaled(workload.target, scale.desired, replicas, reason, message))
        return written

    def _learned(self, member: Member, memory: Memory, before: ScalingView | None) -> Mapping[str, str]:
        kept = before.learned if before is not None else member.learned
        rate = memory.state.rates.get(str(member.group)) if member.capacity is None else None
        found = {
            **remembered(rate, kept),
            **habits.kept(memory.state.habits, kept),
            **({LEFT_AT_ZERO: str(member.target)} if memory.left_at_zero else {}),
        }
        return found or NOTHING

    def _failed(self, workload: Workload, memory: Memory, error: KubeError) -> None:
        """Status says at once what waiting does not heal, and what may heal only after a while."""
        now = self._clock()
        memory.failing_since = memory.failing_since or now
        if isinstance(error, Fenced):
            return
        if isinstance(error, Unavailable) and now - memory.failing_since < PATIENCE:
            return
        memory.read, memory.scale, memory.unchanged = now, None, 0
        activity, said = _trouble(workload.target, error)
        for member in workload.members:
            self._publish(member, unreached(self.views.get(member.group, member.shown), activity, said), now)

    def _publish(self, member: Member, after: ScalingView, now: datetime) -> None:
        """Have status say it: decisions at once, figures now and then, and never what it says already."""
        before = self.views.get(member.group)
        if before is None and after == member.shown:
            self.views[member.group] = after
            return
        last = self._published.get(member.group)
        if after == before or (
            before is not None
            and last is not None
            and _decision(before) == _decision(after)
            and timedelta(0) <= now - last < FIGURES
        ):
            return
        self.views[member.group] = after
        self._published[member.group] = now
        self._on_change(member.group)


def _decision(shown: ScalingView) -> tuple[int, bool, str, str, bool]:
    return shown.desired, shown.active, shown.active_reason, shown.active_message, shown.retry_saturated


def _sights(lags: Iterable[Lag]) -> tuple[tuple[Sight, bool], ...]:
    """What a workload at rest, or a blind one, is known again by."""
    return tuple((lag.sight, lag.at_rest) for lag in lags)


def _named(target: Target) -> Named:
    return Named(target.api_version, target.kind, target.namespace, target.name)


def _trouble(target: Target, error: KubeError) -> tuple[Activity, str]:
    match error:
        case NotFound():
            return (
                Activity.TARGET_NOT_FOUND,
                f"spec.scaling.targetRef: there is no {target} with a scale; create it or correct the reference",
            )
        case Forbidden():
            return (
                Activity.NOT_PERMITTED,
                f"The operator may not read or set the scale of {target}; grant it get and patch on its scale subresource",
            )
        case Unavailable():
            return Activity.TARGET_UNREACHABLE, f"The scale of {target} cannot be read or set at present"
        case _:
            return Activity.TARGET_REFUSED, f"The cluster refuses to scale {target}: {error.reason}"
