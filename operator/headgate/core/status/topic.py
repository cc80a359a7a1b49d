"""The status of an EventTopic. Knows no broker."""

from collections.abc import Callable

from headgate.api import EventTopicStatus, coarse_size, format_count, parse_size
from headgate.core.resource import Stats
from headgate.core.status.account import TopicAccount
from headgate.core.status.coarse import coarse
from headgate.core.status.managed import common


def topic_status(account: TopicAccount) -> EventTopicStatus:
    """What status says after a pass; equal to `previous` where nothing is worth a write."""
    base = common(account, account.previous)
    before = account.previous or EventTopicStatus()
    stats = Stats() if account.stats is None or base.still else account.stats
    return EventTopicStatus(
        observed_generation=base.observed_generation,
        conditions=base.conditions,
        record=base.record,
        effective=base.effective,
        plan=base.plan,
        unsupported=base.unsupported,
        lost=base.lost,
        messages=_figure(before.messages, stats.messages, format_count, account),
        bytes=_figure(before.bytes, stats.bytes, coarse_size, account),
    )


def _figure(
    before: str | None, after: int | None, render: Callable[[int], str], account: TopicAccount
) -> str | None:
    """The text of a figure, the very same text while it has not moved enough."""
    known = None if before is None else _number(before)
    shown = coarse(known, after, account.figures_written, account.now)
    return before if shown is None or shown == known else render(shown)


def _number(text: str) -> int | None:
    """The figure that a text of ours shows; None where somebody else wrote it."""
    try:
        return parse_size(text)
    except ValueError:
        return None
