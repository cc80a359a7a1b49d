"""RetryPolicy: attempts, waits, a deadline and what happens after the last attempt. Knows no other kind."""

from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final

from pydantic import Field

from headgate.api.common import ApiModel, Conditions, Line, Owner, Word
from headgate.api.rules import (
    BACKOFF_BOUNDS,
    BACKOFF_FACTOR,
    DROP_ACKNOWLEDGED,
    RETRY_FITS_DEADLINE,
    Reason,
    Rule,
    is_decimal,
    is_duration,
)
from headgate.api.types import Capped, DecimalString, DecimalText, Duration, DurationText, Flag, Int, ListOf

MOST_ATTEMPTS: Final = 20
DEFAULT_FACTOR: Final = Decimal(2)


class BackoffType(StrEnum):
    """How waits grow."""

    FIXED = "Fixed"
    LINEAR = "Linear"
    EXPONENTIAL = "Exponential"


class RetryAction(StrEnum):
    """What a worker does with an event that failed in a certain way."""

    RETRY = "Retry"
    DEAD_LETTER = "DeadLetter"
    DROP = "Drop"


class OnExhausted(StrEnum):
    """What becomes of an event after its last attempt."""

    DEAD_LETTER = "DeadLetter"
    DROP = "Drop"


class Backoff(ApiModel):
    """How long to wait before the next attempt."""

    checks: ClassVar[tuple[Rule, ...]] = (
        Rule(
            BACKOFF_BOUNDS,
            f"!has(self.max) || !{is_duration('self.max')} || !{is_duration('self.initial')}"
            " || duration(self.initial) <= duration(self.max)",
            "max must be at least initial",
            ".max",
            Reason.INVALID,
            lambda self: self.max is None or self.initial <= self.max,
        ),
        Rule(
            BACKOFF_FACTOR,
            "!has(self.factor) || self.type == 'Exponential'",
            "factor belongs to type: Exponential; take it away",
            ".factor",
            Reason.INVALID,
            lambda self: self.factor is None or self.type is BackoffType.EXPONENTIAL,
        ),
    )

    type: BackoffType = Field(
        default=BackoffType.EXPONENTIAL,
        description="Fixed: always initial. Linear: n times initial. Exponential: initial times factor to the power "
        "of n - 1. Left out: Exponential.",
    )
    initial: Annotated[Duration, DurationText("1ms", "24h")] = Field(
        default=timedelta(seconds=1), description="The first wait. From 1ms to 24h. Left out: 1s."
    )
    factor: Annotated[DecimalString, DecimalText("1", "10")] | None = Field(
        default=None,
        description='By how much every wait is longer than the one before, with Exponential. From "1" to "10". '
        'Left out: "2".',
    )
    max: Annotated[Duration, DurationText("1ms", "168h")] | None = Field(
        default=None, description="No wait is longer. From 1ms to 168h. Left out: no limit."
    )
    jitter_percent: Annotated[Int, Field(ge=0, le=100)] = Field(
        default=0, description="By how much of itself a wait may be longer, at random. 0 to 100. Left out: 0."
    )


class RetryMatch(ApiModel):
    """Which failures."""

    error_class: Annotated[str, Field(min_length=1, max_length=128)] = Field(
        description="What the worker calls this sort of failure, e.g. SchemaError. 1 to 128 characters."
    )


class RetryRule(ApiModel):
    """What a worker does with an event that failed in a certain way; told to it by the binding."""

    match: RetryMatch = Field(description="Which failures.")
    action: RetryAction = Field(
        description="Retry: as the policy says. DeadLetter: at once. Drop: forget it; needs acknowledgeDataLoss: true."
    )


def _retry_fits() -> str:
    """The sum of attempts and waits in CEL, which has neither reduce nor powers: squares by the bits of the exponent."""
    squares = [("f", 1), (" * ".join("ff"), 2), (" * ".join("f" * 4), 4), (" * ".join("f" * 8), 8)]
    squares.append((" * ".join("f" * 16), 16))
    power = " * ".join(
        f"(i {f'/ {bit} ' if bit > 1 else ''}% 2 == 1 ? {product} : 1.0)" for product, bit in squares
    )
    first = "double(duration(self.backoff.initial).getMilliseconds())"
    grown = f"{first} * (self.backoff.type == 'Linear' ? double(i + 1) : {power})"
    most = "has(self.backoff.max) ? double(duration(self.backoff.max).getMilliseconds()) : 1e15"
    steps = ", ".join(str(step) for step in range(MOST_ATTEMPTS - 1))
    waits = f"[{steps}].filter(i, i < self.attempts - 1).map(i, [{grown}, {most}].min()).sum()"
    factor = "self.backoff.type == 'Exponential' ? (has(self.backoff.factor) ? double(self.backoff.factor) : 2.0) : 1.0"
    handling = "double(self.attempts * duration(self.handlingTimeout).getMilliseconds())"
    jitter = "double(100 + self.backoff.jitterPercent) / 100.0"
    deadline = "double(duration(self.deadline).getMilliseconds()) + 0.001"
    return f"{handling} + [{factor}].map(f, {waits}).sum() * {jitter} <= {deadline}"


def _readable() -> str:
    durations = ("self.deadline", "self.handlingTimeout", "self.backoff.initial")
    optional = (
        f"(!has(self.backoff.max) || {is_duration('self.backoff.max')})",
        f"(!has(self.backoff.factor) || {is_decimal('self.backoff.factor')})",
    )
    return " && ".join((*map(is_duration, durations), *optional))


def _drop_acknowledged(self: Any) -> bool:  # noqa: ANN401  (the class is defined below)
    drops = any(rule.action is RetryAction.DROP for rule in self.rules)
    return self.acknowledge_data_loss or not (drops or self.on_exhausted is OnExhausted.DROP)


class RetryPolicySpec(ApiModel):
    """How often and how long a failed event is tried again."""

    checks: ClassVar[tuple[Rule, ...]] = (
        Rule(
            RETRY_FITS_DEADLINE,
            f"!has(self.deadline) || !({_readable()}) || {_retry_fits()}",
            "attempts and waits together take longer than deadline; have fewer attempts, shorter waits, a shorter "
            "handlingTimeout, or a longer deadline",
            ".deadline",
        ),
        Rule(
            DROP_ACKNOWLEDGED,
            "(has(self.acknowledgeDataLoss) && self.acknowledgeDataLoss) || (self.onExhausted != 'Drop'"
            " && (!has(self.rules) || self.rules.all(rule, rule.action != 'Drop')))",
            "Drop loses events; say acknowledgeDataLoss: true, or choose DeadLetter",
            ".acknowledgeDataLoss",
            Reason.REQUIRED,
            _drop_acknowledged,
        ),
    )

    owner: Owner | None = Field(
        default=None, description="Who answers for the policy. Left out: nobody is named."
    )
    attempts: Annotated[Int, Field(ge=1, le=MOST_ATTEMPTS)] = Field(
        default=5, description="How often an event is tried, the first time counted. 1 to 20. Left out: 5."
    )
    handling_timeout: Annotated[Duration, DurationText("100ms", "24h")] = Field(
        default=timedelta(seconds=30),
        description="How long one attempt may take before the event counts as failed. From 100ms to 24h. Left out: 30s.",
    )
    deadline: Annotated[Duration, DurationText("100ms")] | None = Field(
        default=None,
        description="How long all attempts and waits may take together; workers are asked to honour it too. At least "
        "100ms. Left out: as long as attempts and waits take.",
    )
    backoff: Backoff = Field(
        default=Backoff(),
        description="How long to wait before the next attempt. Left out: 1s, doubled every time, without jitter.",
    )
    rules: Annotated[tuple[RetryRule, ...], ListOf()] = Field(
        default=(),
        max_length=32,
        description="What a worker does with an event that failed in a certain way; the first match wins. At most 32. "
        "Left out: every failure is tried again.",
    )
    on_exhausted: OnExhausted = Field(
        default=OnExhausted.DEAD_LETTER,
        description="What becomes of an event after its last attempt. DeadLetter: it is kept for people. Drop: it is "
        "lost; needs acknowledgeDataLoss: true. Left out: DeadLetter.",
    )
    acknowledge_data_loss: Flag = Field(
        default=False, description="Say that events may be lost, which Drop needs. Left out: false."
    )


class WorstCase(ApiModel):
    """How the policy works out for one group."""

    group: Line = Field(description="The group, as namespace/name.")
    mechanism: Word = Field(description="How waits are kept, e.g. NakDelay.")
    worst_case: Duration = Field(description="Attempts and waits of one event together, at most.")


class RetryPolicyStatus(ApiModel):
    """Who uses the policy and what it amounts to."""

    observed_generation: Int | None = Field(
        default=None, description="The generation that this status speaks of."
    )
    conditions: Conditions = Field(default=(), description="What is true about the policy. At most 32.")
    used_by: Int | None = Field(default=None, description="How many groups use the policy.")
    worst_case: Duration | None = Field(
        default=None, description="Attempts and waits of one event together, at most."
    )
    worst: Annotated[tuple[WorstCase, ...], ListOf(), Capped(32)] = Field(
        default=(), description="The groups with the longest worst case. The first 32."
    )
