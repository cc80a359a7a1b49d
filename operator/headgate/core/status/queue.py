"""The status of a DeadLetterQueue. Knows no broker."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from headgate.api import DeadLetterGroup, DeadLetterQueueStatus, format_duration
from headgate.core.conditions import Aspect, holds, no, yes
from headgate.core.progress import DeadLetters
from headgate.core.status.account import QueueAccount
from headgate.core.status.coarse import may_refine, may_write, moved
from headgate.core.status.managed import common

_CAPTURING: Final = ("Capturing",)  # comes from elsewhere


def queue_status(account: QueueAccount) -> DeadLetterQueueStatus:
    """What status says after a pass; equal to `previous` where nothing is worth a write."""
    before = account.previous or DeadLetterQueueStatus()
    letters = account.letters
    aspects = () if letters is None else tuple(_untriaged(account, letters))
    base = common(
        account,
        account.previous,
        aspects=aspects,
        unseen=_CAPTURING if letters is not None else (*_CAPTURING, "Untriaged"),
    )
    if letters is None or base.still or not _worth(account, letters, before, aspects):
        depth, oldest, groups = before.depth, before.oldest_time, before.groups
    else:
        depth, oldest, groups = sum(g.depth for g in letters), _oldest(letters), _groups(letters)
    return DeadLetterQueueStatus(
        observed_generation=base.observed_generation,
        conditions=base.conditions,
        record=base.record,
        effective=base.effective,
        plan=base.plan,
        unsupported=base.unsupported,
        lost=base.lost,
        depth=depth,
        oldest_time=oldest,
        groups=groups,
    )


def _untriaged(account: QueueAccount, letters: Iterable[DeadLetters]) -> Iterator[Aspect]:
    """Whether an entry waits for longer than somebody promised to look at it."""
    promise = None if account.spec is None else account.spec.triage_within
    if promise is None:
        return
    oldest, within = _oldest(letters), format_duration(promise)
    if oldest is not None and account.now - oldest > promise:
        message = f"entries wait for longer than the {within} of spec.triageWithin: see headgate dlq list"
        yield yes("Untriaged", "TriageOverdue", message)
    else:
        message = f"no entry waits for longer than the {within} of spec.triageWithin"
        yield no("Untriaged", "Triaged", message)


def _worth(
    account: QueueAccount,
    letters: Iterable[DeadLetters],
    before: DeadLetterQueueStatus,
    aspects: Iterable[Aspect],
) -> bool:
    """Whether the figures are worth a write: at once when the promise is crossed, else once they moved, now and then."""
    written, now = account.figures_written, account.now
    overdue = any(aspect.type == "Untriaged" and aspect.holds is True for aspect in aspects)
    if before.depth is None or overdue != holds(before.conditions, "Untriaged"):
        return True
    if may_refine(written, now):
        return True
    known = {group.group: group.depth for group in before.groups}
    found = {group.group: group.depth for group in letters}
    some = any(moved(known.get(name, 0), found.get(name, 0)) for name in known.keys() | found.keys())
    return some and may_write(written, now)


def _oldest(letters: Iterable[DeadLetters]) -> datetime | None:
    times = [group.oldest for group in letters if group.oldest is not None]
    return min(times).replace(microsecond=0) if times else None


def _groups(letters: Iterable[DeadLetters]) -> tuple[DeadLetterGroup, ...]:
    return tuple(
        DeadLetterGroup(group=group.group, depth=group.depth, reasons=dict(group.reasons) or None)
        for group in sorted(letters, key=lambda group: (-group.depth, group.group))
        if group.depth and group.group  # without a name: so many that nobody told them apart
    )
