"""The arithmetic of retries, exact to the millisecond, and how the API server sees the same edge."""

from datetime import timedelta
from decimal import ROUND_CEILING, Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core.declare import spec_of

from headgate.api import RetryPolicySpec
from headgate.core.checks import policy as broken
from headgate.core.retry import DEFAULT_POLICY, fits, jittered, waits, worst_case

SECOND = timedelta(seconds=1)
MILLISECOND = timedelta(milliseconds=1)

BACKOFFS = st.fixed_dictionaries(
    {"initial": st.integers(1, 5000).map("{}ms".format), "jitterPercent": st.integers(0, 100)},
    optional={"max": st.integers(5000, 90_000).map("{}ms".format)},
)
FACTORS = st.decimals("1", "10", places=3).map(str)
policies = st.one_of(
    st.tuples(st.just({"type": "Fixed"}), BACKOFFS),
    st.tuples(st.just({"type": "Linear"}), BACKOFFS),
    st.tuples(
        st.fixed_dictionaries({"type": st.just("Exponential")}, optional={"factor": FACTORS}), BACKOFFS
    ),
).flatmap(
    lambda parts: st.builds(
        lambda attempts, timeout: spec_of(
            "RetryPolicy",
            attempts=attempts,
            handlingTimeout=f"{timeout}ms",
            backoff={**parts[0], **parts[1]},
        ),
        st.integers(1, 20),
        st.integers(100, 60_000),
    )
)


def standard(**fields: Any) -> RetryPolicySpec:
    """The policy of the documentation: 5 attempts of 10s, waits of 2s, 8s, 32s and 2m, a fifth of jitter."""
    backoff = {"type": "Exponential", "initial": "2s", "factor": "4", "max": "2m", "jitterPercent": 20}
    spec = spec_of("RetryPolicy", **{"attempts": 5, "handlingTimeout": "10s", "backoff": backoff, **fields})
    assert isinstance(spec, RetryPolicySpec)
    return spec


def seconds(*values: float) -> tuple[timedelta, ...]:
    return tuple(value * SECOND for value in values)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({}, seconds(2, 8, 32, 120), id="exponential up to the maximum"),
        pytest.param({"attempts": 1}, (), id="none for a single attempt"),
        pytest.param(
            {"backoff": {"initial": "3s"}}, seconds(3, 6, 12, 24), id="doubled when no factor is given"
        ),
        pytest.param(
            {"backoff": {"type": "Fixed", "initial": "3s"}}, seconds(3, 3, 3, 3), id="always the same"
        ),
        pytest.param(
            {"backoff": {"type": "Linear", "initial": "3s", "max": "10s"}}, seconds(3, 6, 9, 10), id="linear"
        ),
        pytest.param(
            {"attempts": 3, "backoff": {"initial": "1ms", "factor": "1.5"}},
            (MILLISECOND, 2 * MILLISECOND),
            id="rounded up to milliseconds",
        ),
    ],
)
def test_the_waits_are(fields: dict[str, Any], expected: tuple[timedelta, ...]) -> None:
    assert waits(standard(**fields)) == expected


def test_a_group_without_a_policy_has_five_attempts_of_thirty_seconds() -> None:
    assert DEFAULT_POLICY.attempts == 5
    assert DEFAULT_POLICY.handling_timeout == 30 * SECOND
    assert waits(DEFAULT_POLICY) == seconds(1, 2, 4, 8)


@pytest.mark.parametrize(
    ("deadline", "kept"),
    [("244s400ms", True), ("244s399ms", False), ("5m", True), ("100ms", False), (None, True)],
    ids=["to the millisecond", "missed by one millisecond", "with room", "by far not", "that nobody set"],
)
def test_the_standard_policy_keeps_a_deadline(deadline: str | None, kept: object) -> None:
    policy = standard(deadline=deadline)
    assert worst_case(policy) == timedelta(seconds=244, milliseconds=400)
    assert fits(policy) == kept
    assert [finding.rule for finding in broken(policy)] == ([] if kept else ["HG001"])


def test_a_missed_deadline_is_told_with_both_times() -> None:
    (finding,) = broken(standard(deadline="244s399ms"))
    assert "4m4s400ms" in finding.message
    assert "4m4s399ms" in finding.message


def test_waits_without_bound_are_cut_where_no_deadline_reaches() -> None:
    endless = standard(attempts=20, backoff={"initial": "24h", "factor": "10"}, deadline="99999h")
    assert not fits(endless)
    assert max(waits(endless)) == timedelta(milliseconds=10**15)
    assert [finding.rule for finding in broken(endless)] == ["HG001"]


@given(policies)
def test_the_worst_case_agrees_with_decimals(policy: RetryPolicySpec) -> None:
    with localcontext() as context:
        context.prec = 60
        factor = policy.backoff.factor if policy.backoff.factor is not None else Decimal(2)
        most = Decimal(10**15) if policy.backoff.max is None else Decimal(policy.backoff.max // MILLISECOND)
        total, initial = Decimal(0), Decimal(policy.backoff.initial // MILLISECOND)
        for n in range(1, policy.attempts):
            grown = {"Fixed": initial, "Linear": initial * n, "Exponential": initial * factor ** (n - 1)}
            total += min(most, grown[policy.backoff.type])
        total *= 1 + Decimal(policy.backoff.jitter_percent) / 100
        total += policy.attempts * (policy.handling_timeout // MILLISECOND)
        assert worst_case(policy) == int(total.to_integral_value(ROUND_CEILING)) * MILLISECOND


@given(policies, st.lists(st.floats(0, 1), min_size=19, max_size=19))
def test_whatever_jitter_draws_the_worst_case_holds(policy: RetryPolicySpec, draws: list[float]) -> None:
    planned = waits(policy)
    drawn = [jittered(wait, policy, draw) for wait, draw in zip(planned, draws, strict=False)]
    assert all(wait <= longer for wait, longer in zip(planned, drawn, strict=True))
    rounding = policy.attempts * 2 * MILLISECOND
    assert (
        policy.attempts * policy.handling_timeout + sum(drawn, timedelta()) <= worst_case(policy) + rounding
    )
