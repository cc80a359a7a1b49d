"""What a retry policy amounts to: its waits, its worst case, whether it fits. Exact, in milliseconds. Knows no broker."""

from datetime import timedelta
from fractions import Fraction
from functools import lru_cache
from typing import Final

from headgate.api import BackoffType, RetryPolicySpec

DEFAULT_POLICY: Final = RetryPolicySpec()  # for groups that name none

MILLISECOND: Final = timedelta(milliseconds=1)
UNBOUNDED: Final = 10**15  # milliseconds; what the API server takes for "no limit", far beyond any deadline
TOLERANCE: Final = Fraction(1, 1000)  # of a millisecond, which the API server grants its own doubles


def waits(policy: RetryPolicySpec) -> tuple[timedelta, ...]:
    """The wait before the second, third ... attempt, without jitter, rounded up to milliseconds."""
    return tuple(_rounded_up(wait) for wait in _waits(policy))


def worst_case(policy: RetryPolicySpec) -> timedelta:
    """All attempts and waits of one event together, at most; rounded up to milliseconds."""
    return _rounded_up(_worst(policy))


def fits(policy: RetryPolicySpec) -> bool:
    """Whether attempts and waits together keep the policy's own deadline."""
    return policy.deadline is None or _worst(policy) <= _milliseconds(policy.deadline) + TOLERANCE


def jittered(wait: timedelta, policy: RetryPolicySpec, draw: float) -> timedelta:
    """A wait made longer by its share of jitter; `draw` is a random number from 0 to 1."""
    return wait + wait * (policy.backoff.jitter_percent * draw / 100)


@lru_cache(maxsize=1024)
def _worst(policy: RetryPolicySpec) -> Fraction:
    jitter = Fraction(100 + policy.backoff.jitter_percent, 100)
    return policy.attempts * _milliseconds(policy.handling_timeout) + sum(_waits(policy)) * jitter


def _waits(policy: RetryPolicySpec) -> tuple[Fraction, ...]:
    most = UNBOUNDED if policy.backoff.max is None else _milliseconds(policy.backoff.max)
    initial = _milliseconds(policy.backoff.initial)
    return tuple(min(initial * _growth(policy, n), Fraction(most)) for n in range(policy.attempts - 1))


def _growth(policy: RetryPolicySpec, step: int) -> Fraction:
    match policy.backoff.type:
        case BackoffType.FIXED:
            return Fraction(1)
        case BackoffType.LINEAR:
            return Fraction(step + 1)
        case _:
            factor = policy.backoff.factor
            return Fraction(2 if factor is None else factor) ** step


def _milliseconds(value: timedelta) -> int:
    return value // MILLISECOND


def _rounded_up(milliseconds: Fraction) -> timedelta:
    return -(-milliseconds // 1) * MILLISECOND
