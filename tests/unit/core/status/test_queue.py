"""The status of a dead-letter queue: what it holds, and whether somebody looks at it in time."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.unit.core.status.accounts import FINE, NOW, outage, told

from headgate.api import DeadLetterGroup, DeadLetterQueueSpec, DeadLetterQueueStatus
from headgate.core.conditions import no
from headgate.core.progress import DeadLetters
from headgate.core.status.account import QueueAccount
from headgate.core.status.queue import queue_status


def spec(triage: str | None = "4h") -> DeadLetterQueueSpec:
    raw: dict[str, Any] = {
        "brokerRef": {"name": "main"},
        "owner": {"team": "t"},
        "retention": {"maxAge": "336h"},
    }
    return DeadLetterQueueSpec.model_validate(raw | ({"triageWithin": triage} if triage else {}))


def letters(
    depth: int, *, hours: float = 1, group: str = "shop/billing", reason: str = "MaxAttempts"
) -> DeadLetters:
    return DeadLetters(group, depth, NOW - timedelta(hours=hours, microseconds=5), ((reason, depth),))


def queue(*held: DeadLetters, **known: Any) -> QueueAccount:
    return QueueAccount(
        **{"now": NOW, "generation": 1, "standings": (FINE,), "spec": spec(), "letters": held, **known}
    )


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def test_what_it_holds_is_shown_by_group_the_most_first() -> None:
    status = queue_status(
        queue(letters(2, group="shop/audit", hours=3), letters(5), letters(0, group="shop/none"))
    )
    assert status.depth == 7
    assert status.oldest_time == NOW - timedelta(hours=3, seconds=1)
    assert status.groups == (
        DeadLetterGroup(group="shop/billing", depth=5, reasons={"MaxAttempts": 5}),
        DeadLetterGroup(group="shop/audit", depth=2, reasons={"MaxAttempts": 2}),
    )


def test_an_empty_queue_says_so() -> None:
    status = queue_status(queue())
    assert (status.depth, status.oldest_time, status.groups) == (0, None, ())
    assert told(status.conditions)["Untriaged"] == ("False", "Triaged")


TRIAGE = {
    "is fine while the oldest is young": (queue(letters(1, hours=3.9)), ("False", "Triaged")),
    "is overdue once the oldest is older": (queue(letters(1, hours=4.1)), ("True", "TriageOverdue")),
    "is not spoken of where nobody promised": (queue(letters(1, hours=99), spec=spec(None)), None),
    "is not spoken of while the declaration cannot be read": (queue(letters(1, hours=99), spec=None), None),
}


@pytest.mark.parametrize(("account", "expected"), TRIAGE.values(), ids=TRIAGE.keys())
def test_triage(account: QueueAccount, expected: tuple[str, str] | None) -> None:
    status = queue_status(account)
    assert told(status.conditions).get("Untriaged") == expected
    assert told(status.conditions)["Ready"] == ("True", "InSync")


BEFORE = queue_status(queue(letters(100)))
FIGURES: dict[str, tuple[QueueAccount, int]] = {
    "stays while it hardly moves": (queue(letters(110), figures_written=ago(60)), 100),
    "moves with more than a tenth": (queue(letters(111), figures_written=ago(60)), 111),
    "waits when it was written just now": (queue(letters(200), figures_written=ago(29)), 100),
    "is exact after a while": (queue(letters(101), figures_written=ago(300)), 101),
    "moves at once when triage becomes overdue": (queue(letters(101, hours=5), figures_written=ago(1)), 101),
    "moves when groups trade places": (
        queue(letters(50), letters(50, group="shop/audit"), figures_written=ago(60)),
        100,
    ),
    "stays while nobody looks": (queue(letters=None), 100),
    "stays while the broker is away": (queue(letters(500), outage=outage(minutes=1)), 100),
}


@pytest.mark.parametrize(("account", "depth"), FIGURES.values(), ids=FIGURES.keys())
def test_the_depth(account: QueueAccount, depth: int) -> None:
    status = queue_status(_after(account))
    assert status.depth == depth


def _after(account: QueueAccount) -> QueueAccount:
    known = {name: getattr(account, name) for name in QueueAccount.__dataclass_fields__}
    return QueueAccount(**{**known, "previous": BEFORE})


def test_groups_that_trade_places_are_shown() -> None:
    account = queue(letters(50), letters(50, group="shop/audit"), figures_written=ago(60), previous=BEFORE)
    assert [group.group for group in queue_status(account).groups] == ["shop/audit", "shop/billing"]


def test_what_others_said_stays_while_nobody_looks() -> None:
    before = queue_status(queue(letters(1, hours=9), aspects=(no("Capturing", "Full"),)))
    after = queue_status(queue(letters=None, previous=before))
    assert told(after.conditions)["Untriaged"] == ("True", "TriageOverdue")
    assert told(after.conditions)["Capturing"] == ("False", "Full")
    assert isinstance(after, DeadLetterQueueStatus)
