"""What became of every event, from the ledgers of producers and workers and from the dead letters. Pure; reads no file."""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a worker's ledger."""

    outcome: str
    sequence: int
    attempt: int
    age: float  # seconds between being published and this outcome


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What a dead letter says about the event that it was."""

    group: str
    reason: str
    position: int
    by_worker: bool  # the worker kept it; else the mover did


@dataclass(frozen=True, slots=True)
class Account:
    """One group's events: how many there were and what became of them."""

    group: str
    published: int
    handled: int
    dead: int
    missing: tuple[int, ...]
    repeats: int  # handled once more than necessary
    slowest: float  # seconds until the first attempt had ended, of the event that took longest


def lines(text: str) -> list[Line]:
    """A worker's ledger; a line that was cut off by a crash is no line."""
    return [
        Line(str(each["outcome"]), int(each["sequence"]), int(each["attempt"]), float(each["age"]))
        for each in _documents(text)
    ]


def published(text: str) -> list[int]:
    """The sequences in a producer's ledger."""
    return [int(each["sequence"]) for each in _documents(text)]


def recent(text: str, since: float) -> int:
    """How many outcomes a worker's ledger tells from that moment on."""
    return sum(float(each["at"]) >= since for each in _documents(text))


def account(group: str, sent: Collection[int], ledger: Iterable[Line], dead: Iterable[DeadLetter]) -> Account:
    """What became of the events of one group."""
    sent = set(sent)
    told = list(ledger)
    handled = Counter(line.sequence for line in told if line.outcome == "handled")
    buried = {letter.position for letter in dead if letter.group == group}
    return Account(
        group=group,
        published=len(sent),
        handled=len(handled.keys() & sent),
        dead=len(buried & sent),
        missing=tuple(sorted(sent - handled.keys() - buried)),
        repeats=sum(handled.values()) - len(handled),
        slowest=max(_first_ages(told).values(), default=0.0),
    )


def reasons(dead: Iterable[DeadLetter]) -> Mapping[tuple[str, str], int]:
    """How many dead letters there are by group and reason."""
    return Counter((letter.group, letter.reason) for letter in dead)


def letter_of(headers: Mapping[str, str]) -> DeadLetter:
    """A dead letter by its headers."""
    return DeadLetter(
        group=headers.get("headgate-group", "?").rpartition("/")[2],
        reason=headers.get("headgate-reason", "?"),
        position=int(headers.get("headgate-position", 0)),
        by_worker="headgate-error-class" in headers,
    )


def _first_ages(ledger: Iterable[Line]) -> dict[int, float]:
    """How old each event was when its first attempt had ended; an attempt that nobody could write down is left out."""
    ages: dict[int, float] = {}
    later: set[int] = set()
    for line in ledger:
        if line.attempt > 1:
            later.add(line.sequence)
        elif line.sequence not in later:
            ages.setdefault(line.sequence, line.age)
    return ages


def _documents(text: str) -> Iterable[dict[str, Any]]:  # Any: JSON
    for each in text.splitlines():
        try:
            yield json.loads(each)
        except ValueError:
            continue
