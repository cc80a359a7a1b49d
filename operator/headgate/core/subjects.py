"""The grammar of event subjects: which patterns are legal, what they match, how they relate. Knows no broker."""

from collections.abc import Iterable, Iterator
from typing import Final

ONE: Final = "*"  # any single token
REST: Final = ">"  # one or more tokens, only at the end
SEPARATOR: Final = "."


def invalid(pattern: str) -> str | None:
    """Why a pattern is not a legal subject or filter; None when it is one."""
    if not pattern:
        return "is empty"
    if any(c.isspace() or not c.isprintable() for c in pattern):
        return "contains white space or an unprintable character"
    tokens = pattern.split(SEPARATOR)
    if not all(tokens):
        return "has an empty token: a dot at an end, or two in a row"
    if REST in tokens[:-1]:
        return f"has {REST} before its end"
    for token in tokens:
        if len(token) > 1 and (ONE in token or REST in token):
            return f"has a wildcard inside the token {token}: {ONE} and {REST} stand alone between dots"
    return None


def is_literal(pattern: str) -> bool:
    """Whether a legal pattern has no wildcard, and so is the subject of an event."""
    tokens = pattern.split(SEPARATOR)
    return ONE not in tokens and tokens[-1] != REST


def literal_prefix(pattern: str) -> tuple[str, ...]:
    """The tokens before the first wildcard."""
    return tuple(_literals(pattern.split(SEPARATOR)))


def matches(pattern: str, subject: str) -> bool:
    """Whether an event of this literal subject is taken by a filter."""
    return covers(pattern, subject)


def covers(outer: str, inner: str) -> bool:
    """Whether every subject that the inner pattern takes is taken by the outer one too."""
    wide, narrow = outer.split(SEPARATOR), inner.split(SEPARATOR)
    for mine, theirs in zip(wide, narrow, strict=False):
        if mine == REST:
            return True
        if theirs == REST or mine not in (ONE, theirs):
            return False
    return len(wide) == len(narrow)


def overlaps(one: str, other: str) -> bool:
    """Whether some subject is taken by both patterns."""
    left, right = one.split(SEPARATOR), other.split(SEPARATOR)
    for mine, theirs in zip(left, right, strict=False):
        if REST in (mine, theirs):
            return True
        if ONE not in (mine, theirs) and mine != theirs:
            return False
    return len(left) == len(right)


def inside(subjects: Iterable[str], pattern: str) -> bool:
    """Whether one of the subjects covers the pattern; brokers ask for one that does so alone."""
    return any(covers(subject, pattern) for subject in subjects)


def collisions(patterns: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Pairs in one list of patterns that take a subject in common."""
    seen: list[str] = []
    for pattern in patterns:
        yield from ((earlier, pattern) for earlier in seen if overlaps(earlier, pattern))
        seen.append(pattern)


def _literals(tokens: Iterable[str]) -> Iterator[str]:
    for token in tokens:
        if token in (ONE, REST):
            return
        yield token
