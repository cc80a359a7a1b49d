"""How RabbitMQ keeps the waits of a retry policy: by itself, a little differently, or in queues that events pass through. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from headgate.api import BackoffType, OnExhausted, RetryPolicySpec
from headgate.api.rabbitmq import RabbitRetry
from headgate.api.types import format_duration
from headgate.brokers.base import BrokerFacts
from headgate.brokers.rabbitmq.facts import CONSUMER_TIMEOUT, DELAYED_RETRY
from headgate.brokers.rabbitmq.options import GroupOptions
from headgate.brokers.rabbitmq.resources import Delay
from headgate.brokers.remarks import approximated
from headgate.core.compiled import Note, Retry
from headgate.core.retry import waits

DELAYED: Final = "DelayedRetry"
LADDER: Final = "Ladder"
_COUNTED: Final = (
    "a worker that rejects an event or dies with it uses up an attempt; from 4.3 on one that gives it back with "
    "basic.nack does not, and may do so without end"
)


@dataclass(frozen=True, slots=True)
class Waits:
    """What the broker does between two attempts."""

    delay: Delay
    steps: tuple[timedelta, ...]
    kept: tuple[timedelta, ...]  # how long every wait really is
    mechanism: str


def waits_of(policy: RetryPolicySpec, facts: BrokerFacts, options: GroupOptions) -> Waits:
    """By the broker itself where it can."""
    declared = waits(policy)
    if DELAYED_RETRY not in facts.capabilities or options.retry is RabbitRetry.LADDER:
        return Waits(Delay(), tuple(sorted(set(declared))), declared, LADDER)
    if not declared:
        return Waits(Delay(), (), (), DELAYED)
    least, most = declared[0], max(declared)
    kept = tuple(min(least * count, most) for count in range(1, len(declared) + 1))
    return Waits(Delay("all", least, most), (), kept, DELAYED)


def retry_of(policy: RetryPolicySpec, kept: Waits, facts: BrokerFacts) -> Retry:
    """For the group's status."""
    longest = policy.attempts * policy.handling_timeout + sum(kept.kept, timedelta())
    return Retry(kept.mechanism, policy.attempts, kept.kept, longest, tuple(_sentences(policy, kept, facts)))


def _sentences(policy: RetryPolicySpec, kept: Waits, facts: BrokerFacts) -> Iterator[str]:
    yield _COUNTED
    if kept.mechanism == LADDER and kept.steps:
        yield (
            "a worker that fails publishes the event, with one attempt more in its header, to the queue of the wait and "
            "then acknowledges it; one that dies in between leaves two"
        )
    if deviation := _deviation(policy, kept):
        yield deviation
    if CONSUMER_TIMEOUT not in facts.capabilities:
        yield "a worker has to keep the handling timeout by itself: before 4.3 a quorum queue has none of its own"
    if policy.on_exhausted is OnExhausted.DROP:
        yield "an event without attempts left is gone"


def _deviation(policy: RetryPolicySpec, kept: Waits) -> str:
    """The wait that is farthest from what was declared."""
    declared = waits(policy)
    pairs = [
        (abs(real - asked) / asked, asked, real) for asked, real in zip(declared, kept.kept, strict=True)
    ]
    worst = max(pairs, default=(0.0, timedelta(), timedelta()))
    if not worst[0]:
        return ""
    return (
        f"the broker's waits grow by the same step every time: at most {format_duration(worst[2])} stand for "
        f"{format_duration(worst[1])}, {round(worst[0] * 100)} percent off"
    )


def retry_notes(policy: RetryPolicySpec, kept: Waits, facts: BrokerFacts) -> Iterator[Note]:
    """What of the policy is met only nearly."""
    if deviation := _deviation(policy, kept):
        field = "backoff.factor" if policy.backoff.type is BackoffType.EXPONENTIAL else "backoff"
        yield approximated(f"retryPolicy.{field}", deviation)
    if policy.backoff.jitter_percent:
        yield approximated("retryPolicy.backoff.jitterPercent", "the broker waits without jitter")
    if CONSUMER_TIMEOUT not in facts.capabilities:
        text = "before RabbitMQ 4.3 a queue has no handling timeout of its own; the worker has to keep it"
        yield approximated("retryPolicy.handlingTimeout", text)
