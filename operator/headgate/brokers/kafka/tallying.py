"""What one topic of dead letters holds, entry by entry as far as it was read, by group and reason. Pure.

Entries are only ever added at the end and let go of at the beginning, and what closes one comes after it, so a topic is
read once and then on from where one stopped.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from headgate.brokers.kafka.deadrecords import closes, own_headers, position_of
from headgate.brokers.kafka.redelivery import Record
from headgate.core.letters import Header, Reason
from headgate.core.progress import DeadLetters

MOST: Final = 20_000  # entries that are told apart; those behind them are only counted
_MOST_GROUPS: Final = 1_000
_UNNAMED: Final = "unknown"
_OTHER: Final = "Other"  # whoever may publish there may write anything
_REASONS: Final = frozenset(Reason)
_GROUP: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?/[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class _Seen:
    group: str
    reason: str
    at: datetime


@dataclass(slots=True)
class Tally:
    """One incarnation of a topic."""

    identity: str
    read: int = 0  # the next offset to read
    _open: dict[int, _Seen] = field(default_factory=dict)  # by position, in order

    def begins(self, first: int) -> None:
        """What lay before this offset is gone."""
        self.read = max(self.read, first)
        for position in list(self._open):
            if position >= position_of(first):
                break
            del self._open[position]

    @property
    def full(self) -> bool:
        """Whether no more entries are told apart."""
        return len(self._open) >= MOST

    def add(self, records: Sequence[Record], read: int) -> None:
        """Count records, up to an offset."""
        for record in records:
            closed = closes(record)
            if closed is None:
                self._open[position_of(record.offset)] = _seen(record)
            else:
                self._open.pop(closed, None)
        self.read = max(self.read, read)

    def groups(self, end: int) -> tuple[DeadLetters, ...]:
        """By group; what was not read has none."""
        return tuple(sorted(self._groups(end), key=lambda each: each.group))

    def _groups(self, end: int) -> Iterator[DeadLetters]:
        if end > self.read:
            yield DeadLetters("", end - self.read, None, ())
        reasons: dict[str, Counter[str]] = {}
        oldest: dict[str, datetime] = {}
        for each in self._open.values():
            group = each.group if each.group in reasons or len(reasons) < _MOST_GROUPS else _OTHER
            reasons.setdefault(group, Counter())[each.reason] += 1
            oldest[group] = min(each.at, oldest.get(group, each.at))
        for group, counted in reasons.items():
            yield DeadLetters(group, counted.total(), oldest[group], tuple(sorted(counted.items())))


def _seen(record: Record) -> _Seen:
    said = dict(own_headers(record))
    group, reason = said.get(Header.GROUP.value, ""), said.get(Header.REASON.value, "")
    group = group if _GROUP.fullmatch(group) else _OTHER if group else _UNNAMED
    reason = reason if reason in _REASONS else _OTHER if reason else _UNNAMED
    return _Seen(group, reason, record.at)
