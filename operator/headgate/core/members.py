"""From a declared consumer group to its say about the workload that serves it. Knows no broker and no clock."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Final

from headgate.api import ConsumerGroupSpec, Scaling, ScalingMode
from headgate.core.defaults import DRAIN_WITHIN, IDLE_AFTER
from headgate.core.estate import Declared
from headgate.core.scaling import Rule
from headgate.core.schedule import Window
from headgate.core.workload import NOTHING, Member, ScalingView, Stance, Target

HOLD: Final = "headgate.dev/hold-replicas"
_MOST: Final = 10_000
_STANCES: Final = {
    ScalingMode.ENFORCE: Stance.ENFORCE,
    ScalingMode.RECOMMEND: Stance.RECOMMEND,
    ScalingMode.DISABLED: Stance.DISABLED,
}


def patience(handling_timeout: timedelta, waits: Iterable[timedelta]) -> timedelta:
    """The longest that a healthy event stays in flight: one attempt and the longest wait before the next."""
    return handling_timeout + max(waits, default=timedelta(0))


def promise(spec: ConsumerGroupSpec) -> timedelta | None:
    """Within what time events are promised their first attempt; None: nothing is promised."""
    return None if spec.freshness is None else spec.freshness.max_age


def drain_within(spec: ConsumerGroupSpec, scaling: Scaling) -> timedelta:
    """In what time a backlog is to be worked off."""
    return scaling.drain_within or promise(spec) or DRAIN_WITHIN


def idle_after(scaling: Scaling) -> timedelta:
    """How long there must have been nothing to do before a workload goes to zero."""
    return IDLE_AFTER if scaling.idle_after is None else scaling.idle_after


def member(
    declared: Declared[ConsumerGroupSpec],
    longest_flight: timedelta,
    learned: Mapping[str, str] = NOTHING,
    shown: ScalingView | None = None,
) -> Member | None:
    """The group's say about its workload; None: it declares none. `longest_flight` is what `patience` says."""
    spec, scaling = declared.spec, declared.spec.scaling
    if scaling is None:
        return None
    promised = promise(spec)
    per_replica = spec.concurrency.per_replica if spec.concurrency is not None else None
    total = spec.concurrency.total if spec.concurrency is not None else None
    hold, hold_error = _hold(declared.annotations)
    ref = scaling.target_ref
    return Member(
        group=declared.ref,
        target=Target(ref.api_version, ref.kind, declared.ref.namespace, ref.name),
        stance=_stance(declared, scaling),
        rule=_rule(scaling),
        windows=tuple(
            Window(each.cron, each.time_zone, each.duration, each.min_replicas)
            for each in scaling.schedule or ()
        ),
        terms=scaling.model_copy(update={"capacity": None}),
        promise=promised,
        drain_within=drain_within(spec, scaling),
        patience=longest_flight,
        capacity=None if scaling.capacity is None else float(scaling.capacity.events_per_second_per_replica),
        per_replica=per_replica,
        total=total or (per_replica and per_replica * scaling.max_replicas),
        release=None if scaling.on_release is None else scaling.on_release.replicas,
        hold=hold,
        hold_error=hold_error,
        managed=scaling.mode is ScalingMode.ENFORCE and not spec.suspend,
        learned=learned,
        shown=shown,
    )


def _stance(declared: Declared[ConsumerGroupSpec], scaling: Scaling) -> Stance:
    if declared.deleting:
        return Stance.LEAVING
    return Stance.SUSPENDED if declared.spec.suspend else _STANCES[scaling.mode]


def _rule(scaling: Scaling) -> Rule:
    return Rule(
        minimum=scaling.min_replicas,
        maximum=scaling.max_replicas,
        idle_after=idle_after(scaling),
        floor=None if scaling.on_metrics_loss is None else scaling.on_metrics_loss.floor,
    )


def _hold(annotations: Mapping[str, str]) -> tuple[int | None, str]:
    text = annotations.get(HOLD)
    if text is None:
        return None, ""
    if text.isascii() and text.isdecimal() and int(text) <= _MOST:
        return int(text), ""
    return (
        None,
        f"Annotation {HOLD} must be a whole number from 0 to {_MOST}; the replicas are left alone until it is",
    )
