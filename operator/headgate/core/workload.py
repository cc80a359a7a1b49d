"""One workload, the groups that it serves, and who else scales it: what may be done to it, and what status says.

Knows no broker and no clock; how many replicas are needed is decided in scale.py.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from headgate.core.estate import Ref
from headgate.core.lag import Lag
from headgate.core.scaling import Decision, Load, Reason, Rule
from headgate.core.schedule import Window, minimum

NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class Stance(StrEnum):
    """How far Headgate goes with a workload."""

    ENFORCE = "Enforce"
    RECOMMEND = "Recommend"  # compute and show
    DISABLED = "Disabled"
    SUSPENDED = "Suspended"
    LEAVING = "Leaving"  # the group is being deleted


class Activity(StrEnum):
    """Whether a workload is being scaled: the reasons of condition ScalingActive."""

    ENFORCED = "Enforced"
    RECOMMENDING = "Recommending"
    DISABLED = "Disabled"
    SUSPENDED = "Suspended"
    HELD_BY_ANNOTATION = "HeldByAnnotation"
    TARGET_NOT_FOUND = "TargetNotFound"
    TARGET_CONTESTED = "TargetContested"
    TARGET_UNREACHABLE = "TargetUnreachable"  # the cluster did not answer
    TARGET_REFUSED = "TargetRefused"  # the cluster understood and said no
    NOT_PERMITTED = "NotPermitted"
    CONTEST_UNKNOWN = "ContestUnknown"  # scaled; nobody may look for other scalers
    METRICS_LOST = "MetricsLost"


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """Anything with a scale subresource."""

    api_version: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """The same object whichever version of its API names it."""
        group, _, _ = self.api_version.rpartition("/")
        return (group, self.kind, self.namespace, self.name)


@dataclass(frozen=True, slots=True)
class Competitor:
    """Something else that scales: its own name, and what it scales."""

    name: str
    target: Target


@dataclass(frozen=True, slots=True)
class ScalingView:
    """Everything that status says about the scaling of one group."""

    current: int
    desired: int
    reason: str
    message: str  # frozen until the reason or the desired number changes
    last_change: datetime | None  # when the desired number last changed
    active: bool
    active_reason: Activity
    active_message: str
    retry_saturated: bool = False
    learned: Mapping[str, str] = field(default_factory=lambda: NOTHING)  # for status.record.learned


@dataclass(frozen=True, slots=True)
class Member:
    """One group's say about the workload that serves it."""

    group: Ref
    target: Target
    stance: Stance
    rule: Rule  # whatever the time is
    terms: object  # everything declared about scaling but the capacity; equal for all groups of a workload
    promise: timedelta | None
    drain_within: timedelta
    patience: timedelta
    windows: tuple[Window, ...] = ()
    capacity: float | None = None
    per_replica: int | None = None
    total: int | None = None
    release: int | None = None  # replicas to leave behind instead of none
    hold: int | None = None  # replicas pinned by hand
    hold_error: str = ""  # the annotation was meant to pin, and does not say how many
    managed: bool = True  # Headgate was the one who scaled, up to its deletion
    learned: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    shown: ScalingView | None = None  # what status says, where it was written by an earlier run

    def load(self, lag: Lag) -> Load:
        """The group as a load of its workload."""
        return Load(
            str(self.group),
            lag,
            self.promise,
            self.drain_within,
            self.patience,
            self.capacity,
            self.per_replica,
            self.total,
        )


@dataclass(frozen=True, slots=True)
class Workload:
    """One target with all groups that it serves, in the order of their names."""

    target: Target
    members: tuple[Member, ...]  # at least one; those on their way out only where nobody else is left

    @property
    def stance(self) -> Stance:
        """Suspending one group leaves the workload alone; in everything else the members agree."""
        stances = {member.stance for member in self.members}
        return Stance.SUSPENDED if Stance.SUSPENDED in stances else self.members[0].stance

    def rule(self, now: datetime) -> Rule:
        """What is declared, as it stands at a moment."""
        declared = self.members[0].rule
        scheduled = min(minimum(self.members[0].windows, now), declared.maximum)
        return replace(declared, minimum=scheduled) if scheduled > declared.minimum else declared

    @property
    def hold(self) -> int | None:
        """The replicas that somebody pinned; of several numbers the largest."""
        return max((member.hold for member in self.members if member.hold is not None), default=None)

    @property
    def release(self) -> int | None:
        """The replicas to leave behind; of several numbers the largest."""
        return max((member.release for member in self.members if member.release is not None), default=None)


@dataclass(frozen=True, slots=True)
class Course:
    """What is done about a workload now, and what is said about it."""

    desired: int
    write: bool
    reason: str
    message: str
    activity: Activity
    note: str

    @property
    def active(self) -> bool:
        """Whether the workload follows its lag."""
        return self.activity in (Activity.ENFORCED, Activity.CONTEST_UNKNOWN)


def workloads(members: Iterable[Member]) -> tuple[Workload, ...]:
    """The workloads that the groups name."""
    found: dict[tuple[str, str, str, str], list[Member]] = {}
    for member in sorted(members, key=lambda m: m.group):
        found.setdefault(member.target.identity, []).append(member)
    return tuple(_workload(tuple(group)) for group in found.values())


def _workload(members: tuple[Member, ...]) -> Workload:
    staying = tuple(member for member in members if member.stance is not Stance.LEAVING)
    return Workload(members[0].target, staying or members)


def contested(workload: Workload, competitors: Collection[Competitor] | None) -> str:
    """Why the workload must be left alone; empty: nothing stands against scaling it, as far as one can see."""
    first = workload.members[0]
    for other in workload.members[1:]:
        if other.terms != first.terms:
            return (
                f"{first.group.name} and {other.group.name} scale {workload.target} by different rules; make "
                "spec.scaling of both agree in everything but capacity"
            )
    for competitor in competitors or ():
        if competitor.target.identity == workload.target.identity:
            return f"{competitor.name} scales {workload.target} too; remove it, or set spec.scaling.mode to Disabled"
    return ""


def course(
    workload: Workload, decision: Decision, current: int, competitors: Collection[Competitor] | None
) -> Course:
    """What follows from a decision, given what people and other scalers want. None: nobody may look for those."""
    against = contested(workload, competitors)
    stance, hold = workload.stance, workload.hold
    if stance in (Stance.DISABLED, Stance.SUSPENDED, Stance.LEAVING):
        return _at_rest(stance, current)
    if against:
        return _left(current, Activity.TARGET_CONTESTED, against)
    if unclear := next((member.hold_error for member in workload.members if member.hold_error), ""):
        return _left(current, Activity.HELD_BY_ANNOTATION, unclear)
    if hold is not None:
        said = f"Pinned at {hold} by annotation headgate.dev/hold-replicas"
        write = stance is Stance.ENFORCE and hold != current
        return Course(hold, write, Activity.HELD_BY_ANNOTATION, said, Activity.HELD_BY_ANNOTATION, said)
    if stance is Stance.RECOMMEND:
        said = "spec.scaling.mode is Recommend: status says what would be done"
        return Course(decision.desired, False, decision.reason, decision.message, Activity.RECOMMENDING, said)  # noqa: FBT003  (a field)
    activity, note = _activity(decision, competitors)
    write = decision.desired != current
    return Course(decision.desired, write, decision.reason, decision.message, activity, note)


def _activity(decision: Decision, competitors: Collection[Competitor] | None) -> tuple[Activity, str]:
    if decision.reason in (Reason.METRICS_LOST, Reason.METRICS_LOST_FLOOR):
        return Activity.METRICS_LOST, "The lag cannot be read, so that replicas are only held"
    if competitors is None:
        said = "Scaled by lag; whether something else scales the target too cannot be seen, for lack of permission"
        return Activity.CONTEST_UNKNOWN, said
    return Activity.ENFORCED, "Scaled by lag"


def _at_rest(stance: Stance, current: int) -> Course:
    if stance is Stance.DISABLED:
        return _left(current, Activity.DISABLED, "spec.scaling.mode is Disabled: the replicas are left alone")
    return _left(current, Activity.SUSPENDED, "Suspended: the replicas are left alone")


def _left(current: int, activity: Activity, said: str) -> Course:
    return Course(current, write=False, reason=activity, message=said, activity=activity, note=said)


def released(workload: Workload, current: int) -> int | None:
    """The replicas with which a workload is left to itself; None: as it stands."""
    if current > 0 or not workload.release or not any(member.managed for member in workload.members):
        return None
    return None if contested(workload, ()) else workload.release


def view(
    before: ScalingView | None,
    found: Course,
    current: int,
    now: datetime,
    *,
    saturated: bool = False,
    learned: Mapping[str, str] = NOTHING,
) -> ScalingView:
    """What status is to say; sentences and times stay while what they speak of stays."""
    same = before is not None and (before.desired, before.reason) == (found.desired, found.reason)
    stays = before is not None and before.desired == found.desired
    return ScalingView(
        current=current,
        desired=found.desired,
        reason=found.reason,
        message=before.message if before is not None and same else found.message,
        last_change=before.last_change if before is not None and stays else now,
        active=found.active,
        active_reason=found.activity,
        active_message=found.note,
        retry_saturated=saturated,
        learned=learned,
    )


def unreached(before: ScalingView | None, activity: Activity, said: str) -> ScalingView:
    """What status is to say when the target could not be read or written: its last figures, and why."""
    if before is None:
        return ScalingView(
            0, 0, activity, said, None, active=False, active_reason=activity, active_message=said
        )
    return replace(
        before, reason=activity, message=said, active=False, active_reason=activity, active_message=said
    )
