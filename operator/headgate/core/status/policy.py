"""The status of a RetryPolicy. Knows no broker."""

from collections.abc import Iterator
from itertools import chain

from headgate.api import RetryPolicyStatus, WorstCase, format_duration
from headgate.core.conditions import Aspect, merge, yes
from headgate.core.outcomes import Outcome
from headgate.core.status.account import PolicyAccount
from headgate.core.status.verdict import Course, Verdict, course_aspects, said


def policy_status(account: PolicyAccount) -> RetryPolicyStatus:
    """What status says after a pass; equal to `previous` where nothing is worth a write."""
    before = account.previous or RetryPolicyStatus()
    wanted = chain(course_aspects(_verdict(account)), _own(account), account.aspects)
    return RetryPolicyStatus(
        observed_generation=account.generation,
        conditions=merge(
            before.conditions, wanted, generation=account.generation, now=account.now, keep=account.unseen
        ),
        used_by=len(account.uses),
        worst_case=account.worst_case,
        worst=tuple(_worst(account)),
    )


def _verdict(account: PolicyAccount) -> Verdict:
    for outcome in (Outcome.REFUSED, Outcome.BLOCKED):
        if (found := said(account.findings, outcome)) is not None:
            return Verdict(*found, Course.STUCK)
    return Verdict("Valid", "the policy can be used", Course.DONE, holds=True)


def _own(account: PolicyAccount) -> Iterator[Aspect]:
    if account.deadline is None:
        yield yes("FitsDeadline", "NoDeadline", "the policy has no deadline")
    elif account.worst_case is not None:
        fits = account.worst_case <= account.deadline
        relation = "fit into" if fits else "take longer than"
        message = (
            f"attempts and waits of at most {format_duration(account.worst_case)} {relation} the deadline of "
            f"{format_duration(account.deadline)}"
        )
        yield Aspect("FitsDeadline", fits, "Fits" if fits else "TooLong", message)
    notes = sorted({note for use in account.uses if use.retry is not None for note in use.retry.notes})
    if notes:
        yield yes("Approximated", "Approximated", "; ".join(notes))
    if (warned := said(account.findings, Outcome.WARNING)) is not None:
        yield yes("Warning", *warned)


def _worst(account: PolicyAccount) -> Iterator[WorstCase]:
    """Groups with the longest worst case first."""
    known = [(use.group, use.retry) for use in account.uses if use.retry is not None]
    for group, retry in sorted(known, key=lambda pair: (-pair[1].worst_case, pair[0])):
        yield WorstCase(group=group, mechanism=retry.mechanism, worst_case=retry.worst_case)
