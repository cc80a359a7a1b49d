"""Counts what a dead-letter stream holds, by group and reason, from headers alone and only what is new. Decides nothing.

Every dead letter has a subject of its own; one that a person resolved is replaced on it by a message that says so
and is not counted. Whenever the stream holds another number of messages than is known, it is read from the start.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import Final

from headgate.core.letters import Header, Reason
from headgate.core.progress import DeadLetters

MOST: Final = 100_000  # entries known one by one, over all queues of a broker
UNNAMED: Final = "unknown"
OTHER: Final = (
    "Other"  # whoever may publish there may write anything; status and metrics have room for a few words
)
MOST_KINDS: Final = 1_000  # groups and reasons told apart in one queue
_REASONS: Final = frozenset(reason.value for reason in Reason)
_GROUP: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?/[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Head:
    """What a dead letter's headers and position say."""

    sequence: int
    subject: str
    group: str
    reason: str
    resolved: bool
    at: datetime

    @classmethod
    def of(cls, sequence: int, subject: str, headers: dict[str, str], at: datetime) -> "Head":
        """A message of a dead-letter stream; missing headers are named so, and so is what cannot be one of ours."""
        name, word = headers.get(Header.GROUP), headers.get(Header.REASON)
        group = name if name and _GROUP.fullmatch(name) else OTHER if name else UNNAMED
        reason = word if word in _REASONS else OTHER if word else UNNAMED
        return cls(sequence, subject, group, reason, bool(headers.get(Header.RESOLUTION)), at)


@dataclass(slots=True)
class Tally:
    """One stream's entries, each in a few bytes."""

    identity: str
    last: int = 0  # the last sequence that was read
    _entries: dict[int, tuple[int, int, float]] = field(
        default_factory=dict
    )  # sequence -> kind, subject, time
    _by_subject: dict[int, int] = field(default_factory=dict)  # hashed subject -> sequence
    _kinds: dict[tuple[str, str] | None, int] = field(default_factory=dict)  # None: resolved

    @property
    def size(self) -> int:
        """How many messages are known, resolved ones among them."""
        return len(self._entries)

    def add(self, head: Head) -> None:
        """A message that was read; it takes the place of an earlier one with the same subject."""
        subject = int.from_bytes(blake2b(head.subject.encode(), digest_size=8).digest())
        earlier = self._by_subject.get(subject)
        if earlier is not None:
            self._entries.pop(earlier, None)
        kind = None if head.resolved else (head.group, head.reason)
        if kind not in self._kinds and len(self._kinds) >= MOST_KINDS:
            kind = kind and (OTHER, OTHER)
        number = self._kinds.setdefault(kind, len(self._kinds))
        self._entries[head.sequence] = (number, subject, head.at.timestamp())
        self._by_subject[subject] = head.sequence
        self.last = max(self.last, head.sequence)

    def forget_before(self, first: int) -> None:
        """Messages below the stream's first sequence are gone. Entries stand in the order of their sequences."""
        while self._entries:
            sequence = next(iter(self._entries))
            if sequence >= first:
                return
            _, subject, _ = self._entries.pop(sequence)
            if self._by_subject.get(subject) == sequence:
                del self._by_subject[subject]

    def groups(self, utc: "datetime") -> tuple[DeadLetters, ...]:
        """Depth, age and reasons by group; `utc` lends its time zone."""
        return tuple(sorted(self._groups(utc), key=lambda letters: letters.group))

    def _groups(self, utc: datetime) -> Iterator[DeadLetters]:
        kinds = {number: kind for kind, number in self._kinds.items()}
        counts: dict[str, Counter[str]] = {}
        oldest: dict[str, float] = {}
        for number, _, at in self._entries.values():
            kind = kinds[number]
            if kind is None:
                continue
            group, reason = kind
            counts.setdefault(group, Counter())[reason] += 1
            oldest[group] = min(at, oldest.get(group, at))
        for group, reasons in counts.items():
            when = datetime.fromtimestamp(oldest[group], utc.tzinfo)
            yield DeadLetters(group, reasons.total(), when, tuple(sorted(reasons.items())))
