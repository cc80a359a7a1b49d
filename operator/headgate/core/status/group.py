"""The status of a ConsumerGroup. Knows no broker."""

from collections.abc import Iterator

from headgate.api import (
    BindingStatus,
    Checkpoint,
    ConsumerGroupSpec,
    ConsumerGroupStatus,
    Lag,
    RetryStatus,
    ScalingStatus,
)
from headgate.core.compiled import Retry
from headgate.core.conditions import Aspect, no
from headgate.core.lagview import Freshness, LagStatus, LagView
from headgate.core.status.account import BindingAccount, GroupAccount, ScalingAccount
from headgate.core.status.managed import common

_FRESH = {Freshness.KEPT: True, Freshness.BROKEN: False, Freshness.UNKNOWN: None}


def group_status(account: GroupAccount) -> ConsumerGroupStatus:
    """What status says after a pass; equal to `previous` where nothing is worth a write."""
    spec, before = account.spec, account.previous or ConsumerGroupStatus()
    base = common(
        account,
        account.previous,
        aspects=tuple(_aspects(account)),
        checkpoint=_checkpoint(account.lag, account.topic_identity),
        learned=account.learned or None,
        unseen=_unseen(spec, decided=account.scaling is not None),
    )
    retry = account.compiled.retry if account.compiled is not None else None
    return ConsumerGroupStatus(
        observed_generation=base.observed_generation,
        conditions=base.conditions,
        record=base.record,
        effective=base.effective,
        plan=base.plan,
        unsupported=base.unsupported,
        lost=base.lost,
        lag=before.lag if account.lag is None else _lag(account.lag.lag),
        scaling=_scaling(account.scaling, before.scaling) if spec is None or spec.scaling else None,
        retry=before.retry if retry is None else _retry(retry),
        binding=_binding(account.binding, before.binding) if spec is None or spec.binding else None,
    )


def _unseen(spec: ConsumerGroupSpec | None, *, decided: bool) -> set[str]:
    """What stays as it was until somebody looks again, as long as the declaration speaks of it."""
    return {
        kind
        for kind, declared in (
            ("Fresh", spec is None or spec.freshness),
            ("ScalingActive", not decided and (spec is None or spec.scaling)),
            ("RetrySaturated", not decided and (spec is None or spec.scaling)),
            ("Capturing", spec is None or spec.dead_letter_queue_ref),
        )
        if declared
    }


def _aspects(account: GroupAccount) -> Iterator[Aspect]:
    lag = account.lag
    if lag is not None and lag.fresh is not None:
        yield Aspect("Fresh", _FRESH[lag.fresh], lag.fresh.value, lag.message)
    if account.spec is not None and account.spec.dead_letter_queue_ref is None:
        yield no("Capturing", "NoDeadLetterQueue", _UNCAPTURED)


_UNCAPTURED = (
    "events that fail for good are not kept: name a DeadLetterQueue in spec.deadLetterQueueRef to keep them"
)


def _checkpoint(view: LagView | None, topic_identity: str) -> Checkpoint | None:
    if view is None or not view.checkpoint:
        return None
    return Checkpoint(
        position=view.checkpoint,
        repeats_at_most=view.repeats_at_most,
        topic_identity=topic_identity or None,
    )


def _lag(figures: LagStatus) -> Lag:
    return Lag(
        pending=figures.pending,
        in_flight=figures.in_flight,
        redelivered=figures.redelivered,
        oldest_time=figures.oldest_time,
        oldest_unsettled_time=figures.oldest_unsettled_time,
        stranded=figures.stranded,
    )


def _scaling(now: ScalingAccount | None, before: ScalingStatus | None) -> ScalingStatus | None:
    """The sentence stays until the reason or the number changes, the time until the number does."""
    if now is None:
        return before
    same = before is not None and before.desired == now.desired
    frozen = before is not None and same and before.reason == now.reason
    return ScalingStatus(
        current=now.current,
        desired=now.desired,
        reason=now.reason,
        message=before.message if before is not None and frozen else now.message,
        last_change=before.last_change if before is not None and same else now.last_change,
    )


def _binding(now: BindingAccount | None, before: BindingStatus | None) -> BindingStatus | None:
    if now is None:
        return before
    return BindingStatus(revision=now.revision, config_map_name=now.config_map_name)


def _retry(retry: Retry) -> RetryStatus:
    return RetryStatus(
        mechanism=retry.mechanism, worst_case=retry.worst_case, waits=retry.waits, notes=retry.notes
    )
