"""The status of a retry policy: who uses it and what it amounts to."""

from datetime import timedelta
from typing import Any

import pytest
from tests.unit.core.status.accounts import NOW, finding, told

from headgate.api import WorstCase
from headgate.core.compiled import Retry
from headgate.core.outcomes import Outcome
from headgate.core.status.account import PolicyAccount, Use
from headgate.core.status.policy import policy_status

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def policy(**known: Any) -> PolicyAccount:
    return PolicyAccount(**{"now": NOW, "generation": 1, "worst_case": MINUTE, **known})


def use(name: str, worst: timedelta, *notes: str) -> Use:
    return Use(f"shop/{name}", Retry("NakDelay", 5, (), worst, notes))


def test_groups_with_the_longest_worst_case_come_first_and_those_that_do_not_compile_are_counted() -> None:
    status = policy_status(
        policy(uses=(use("b", MINUTE), use("c", HOUR), use("a", MINUTE), Use("shop/d", None)))
    )
    assert status.used_by == 4
    assert status.worst_case == MINUTE
    assert status.worst == (
        WorstCase(group="shop/c", mechanism="NakDelay", worst_case=HOUR),
        WorstCase(group="shop/a", mechanism="NakDelay", worst_case=MINUTE),
        WorstCase(group="shop/b", mechanism="NakDelay", worst_case=MINUTE),
    )


ROWS: dict[str, tuple[PolicyAccount, str, tuple[str, str] | None]] = {
    "it is fine": (policy(), "Ready", ("True", "Valid")),
    "it is refused": (
        policy(findings=(finding(Outcome.REFUSED, "SpecInvalid"),)),
        "Ready",
        ("False", "SpecInvalid"),
    ),
    "it is refused for good": (
        policy(findings=(finding(Outcome.REFUSED, "SpecInvalid"),)),
        "Stalled",
        ("True", "SpecInvalid"),
    ),
    "it cannot be": (
        policy(findings=(finding(Outcome.BLOCKED, "Impossible"),)),
        "Ready",
        ("False", "Impossible"),
    ),
    "it warns": (policy(findings=(finding(Outcome.WARNING, "LongWaits"),)), "Warning", ("True", "LongWaits")),
    "it fits its deadline to the second": (policy(deadline=MINUTE), "FitsDeadline", ("True", "Fits")),
    "it takes longer than its deadline": (
        policy(deadline=MINUTE, worst_case=HOUR),
        "FitsDeadline",
        ("False", "TooLong"),
    ),
    "it has no deadline": (policy(), "FitsDeadline", ("True", "NoDeadline")),
    "its worst case is unknown": (policy(deadline=MINUTE, worst_case=None), "FitsDeadline", None),
    "a broker does it nearly": (
        policy(uses=(use("a", MINUTE, "nearly"),)),
        "Approximated",
        ("True", "Approximated"),
    ),
    "every broker does it exactly": (policy(uses=(use("a", MINUTE),)), "Approximated", None),
}


@pytest.mark.parametrize(("account", "kind", "expected"), ROWS.values(), ids=ROWS.keys())
def test_conditions_when(account: PolicyAccount, kind: str, expected: tuple[str, str] | None) -> None:
    assert told(policy_status(account).conditions).get(kind) == expected
