"""Short ways to say what is known about an object. Knows no test."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.unit.core.planning import ORDERS

from headgate.api import Condition, ConditionStatus, EventTopicStatus, Origin
from headgate.core.changes import Standing
from headgate.core.claims import Record
from headgate.core.outcomes import Finding, Outcome
from headgate.core.status.account import Outage, TopicAccount
from headgate.core.status.topic import topic_status
from headgate.core.vanished import Vanished

THEN = datetime(2026, 11, 20, 9, tzinfo=UTC)
NOW = THEN + timedelta(hours=5)
WORD = "cafe"
ESTATE = Vanished("ManyVanished", "a lot is gone", WORD)
FINE = Standing(ORDERS, Origin.CREATED, "first", owned=True, exists=True)


def topic(**known: Any) -> TopicAccount:
    """A topic of which all is well."""
    known.setdefault("standings", (FINE,))
    return TopicAccount(**{"now": NOW, "generation": 1, "external_name": "orders", **known})


def was(account: TopicAccount, **more: Any) -> EventTopicStatus:
    """The status that such an account left, hours ago."""
    return topic_status(replace(account, now=THEN, **more))


def outage(*, minutes: float) -> Outage:
    return Outage(NOW - timedelta(minutes=minutes), "ConnectionRefused", "nobody listens at nats:4222")


def finding(outcome: Outcome, reason: str = "Because", message: str = "do this") -> Finding:
    return Finding(outcome, reason, message)


def standing(*findings: Finding, **more: Any) -> Standing:
    return replace(FINE, findings=findings, **more)


def remembered(**more: Any) -> Record:
    return Record(**{"external_name": "orders", "identity": "first", "origin": Origin.CREATED, **more})


def told(conditions: tuple[Condition, ...]) -> dict[str, tuple[str, str]]:
    """Status and reason by type."""
    return {c.type: (c.status.value, c.reason) for c in conditions}


def ready(status: EventTopicStatus) -> tuple[ConditionStatus, str]:
    (found,) = [condition for condition in status.conditions if condition.type == "Ready"]
    return found.status, found.reason
