"""Rules about one retry policy that its model leaves to arithmetic. Knows no broker."""

from collections.abc import Iterator
from typing import Final

from headgate.api import RetryPolicySpec
from headgate.api.rules import RETRY_FITS_DEADLINE
from headgate.core.outcomes import Outcome
from headgate.core.retry import fits, worst_case
from headgate.core.rule import Broken, Rule
from headgate.core.words import shown


def _too_long(policy: RetryPolicySpec) -> Iterator[Broken]:
    if not fits(policy):
        yield Broken(
            "spec.deadline",
            f"attempts and waits together take up to {shown('', worst_case(policy))}, longer than the deadline of "
            f"{shown('', policy.deadline)}: have fewer attempts, shorter waits or a later deadline",
        )


RULES: Final[tuple[Rule[RetryPolicySpec], ...]] = (
    Rule(
        RETRY_FITS_DEADLINE,
        Outcome.REFUSED,
        "DeadlineTooShort",
        "Attempts and waits fit into the deadline",
        "The worst case is attempts * handlingTimeout + the sum of all waits * (1 + jitterPercent / 100), where the i-th "
        "wait is min(max, initial * factor^(i - 1)) with Exponential, min(max, initial * i) with Linear and min(max, "
        "initial) with Fixed. It must be at most spec.deadline, where there is one.",
        _too_long,
    ),
)
