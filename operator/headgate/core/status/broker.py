"""The status of an EventBroker. Knows no particular broker."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from headgate.api import Condition, EventBrokerStatus, Lost, Objects, Record
from headgate.core.conditions import Aspect, merge, no, unknown, yes
from headgate.core.outcomes import Outcome
from headgate.core.status.account import BrokerAccount, Cluster
from headgate.core.status.coarse import may_write
from headgate.core.status.verdict import Course, Verdict, away, course_aspects, said

_UNASKED: Final = frozenset(
    {"SecretNotFound", "SecretForbidden", "CredentialsInvalid"}
)  # no question was sent
_COURSE: Final = ("Ready", "Reconciling", "Stalled")


def broker_status(account: BrokerAccount) -> EventBrokerStatus:
    """What status says after a pass; equal to `previous` where nothing is worth a write."""
    before = account.previous or EventBrokerStatus()
    cluster = account.cluster or _remembered(before)
    return EventBrokerStatus(
        observed_generation=account.generation,
        conditions=_conditions(account, before),
        type=cluster.type or None,
        server_version=cluster.server_version or None,
        identity=cluster.identity or None,
        capabilities=tuple(sorted(cluster.capabilities)),
        objects=_objects(account, before.objects),
        effective=account.effective or before.effective,
        record=_record(account),
        lost=_lost(account, before.lost),
    )


def _conditions(account: BrokerAccount, before: EventBrokerStatus) -> tuple[Condition, ...]:
    verdict = _verdict(account, before)
    keep = {*account.unseen, *(_COURSE if verdict.kept else ())}
    if account.outage is not None:
        keep.add("Authorized")  # who cannot be reached cannot say
    wanted = (*course_aspects(verdict), *_own(account), *account.aspects)
    return merge(before.conditions, wanted, generation=account.generation, now=account.now, keep=keep)


def _verdict(account: BrokerAccount, before: EventBrokerStatus) -> Verdict:
    """The first of what stands in the way, else Ready."""
    estate, outage = account.estate, account.outage
    passed = timedelta(0) if outage is None else account.now - outage.since
    refusal = (account.refused.reason, account.refused.message) if account.refused is not None else None
    if (refused := said(account.findings, Outcome.REFUSED) or refusal) is not None:
        return Verdict(*refused, Course.STUCK)
    if estate is not None and not estate.acknowledged:
        return Verdict("EstateVanished", estate.message, Course.STUCK)
    if (verdict := away(outage, before.conditions, account.generation, passed)) is not None:
        return verdict
    if (waiting := said(account.findings, Outcome.WAITING) or _unfinished(account)) is not None:
        return Verdict(*waiting, Course.UNDER_WAY)
    return Verdict("Connected", "the broker answers and lets us in", Course.DONE, holds=True)


def _unfinished(account: BrokerAccount) -> tuple[str, str] | None:
    if account.deleting:
        return "Deleting", "the object is being deleted"
    return None if account.cluster is not None else ("Progressing", "the broker was not asked yet")


def _own(account: BrokerAccount) -> Iterator[Aspect]:
    if account.outage is not None:
        yield no("Reachable", account.outage.reason, account.outage.message)
    elif account.refused is not None and account.refused.reason in _UNASKED:
        yield unknown("Reachable", account.refused.reason, "nobody asks the broker without credentials")
    elif account.cluster is not None or account.refused is not None:
        yield yes("Reachable", "Reachable", "the broker answers")
    if account.refused is not None:
        yield no("Authorized", account.refused.reason, account.refused.message)
    elif account.cluster is not None and account.outage is None:
        yield yes("Authorized", "Authorized", "the broker lets us in")
    if account.estate is not None and not account.estate.acknowledged:
        yield yes("EstateVanished", account.estate.reason, account.estate.message)
    if (warned := said(account.findings, Outcome.WARNING)) is not None:
        yield yes("Warning", *warned)


def _remembered(before: EventBrokerStatus) -> Cluster:
    return Cluster(
        before.type or "", before.server_version or "", before.identity or "", frozenset(before.capabilities)
    )


def _objects(account: BrokerAccount, before: Objects | None) -> Objects:
    found = Objects(topics=account.topics, groups=account.groups, dead_letter_queues=account.queues)
    return found if before is None or may_write(account.figures_written, account.now) else before


def _record(account: BrokerAccount) -> Record | None:
    """The known cluster stays the known one until somebody says that another one is right."""
    doubted = account.estate is not None and not account.estate.acknowledged
    answered = account.cluster.identity if account.cluster is not None and not doubted else ""
    identity = answered or account.record.identity
    return Record(identity=identity) if identity else None


def _lost(account: BrokerAccount, before: Lost | None) -> Lost | None:
    if account.estate is None:
        return before if account.outage is not None else None
    if before is not None and before.external_id == account.estate.token:
        return before
    return Lost(external_id=account.estate.token, since=account.now)
