"""How the events of a topic with key buckets are stored, and what that does to filters. Knows no broker."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from headgate.core.subjects import ONE, REST, SEPARATOR, literal_prefix

BUCKETS: Final = "b"  # the token that tells stored subjects from published ones
_OFFSET: Final = 0x811C9DC5
_PRIME: Final = 0x01000193
_MASK: Final = 0xFFFFFFFF


def fnv1a(data: bytes) -> int:
    """The 32-bit FNV-1a hash, by which the broker chooses the bucket of a key."""
    value = _OFFSET
    for byte in data:
        value = ((value ^ byte) * _PRIME) & _MASK
    return value


def bucket_of(key: str, buckets: int) -> int:
    """The bucket in which the events of one key are stored; the same for ever."""
    return fnv1a(key.encode()) % buckets


@dataclass(frozen=True, slots=True)
class Layout:
    """The stored form of subjects shaped `<prefix>.<key>.<rest>`: `<prefix>.b.<bucket>.<key>.<rest>`."""

    prefix: str
    buckets: int

    @classmethod
    def of(cls, subjects: Sequence[str], buckets: int) -> Self | None:
        """The layout of a topic; None unless its only subject has the shape `<literal>.*.>`."""
        if len(subjects) != 1:
            return None
        prefix = literal_prefix(subjects[0])
        shaped = prefix and subjects[0] == SEPARATOR.join((*prefix, ONE, REST))
        return cls(SEPARATOR.join(prefix), buckets) if shaped else None

    @property
    def published(self) -> str:
        """The pattern under which events arrive: nothing else is accepted."""
        return f"{self.prefix}.{ONE}.{REST}"

    @property
    def stored_prefix(self) -> str:
        """What every stored subject begins with."""
        return f"{self.prefix}.{BUCKETS}"

    def stored(self, pattern: str) -> str:
        """A published subject, or a filter over published subjects, in its stored form.

        The pattern has to lie inside `published`. One that pins the key is pinned to the bucket of that key too.
        """
        key, rest = pattern.removeprefix(f"{self.prefix}.").split(SEPARATOR, 1)
        bucket = ONE if key == ONE else str(bucket_of(key, self.buckets))
        return f"{self.stored_prefix}.{bucket}.{key}.{rest}"
