"""When a figure in status is worth writing again. Knows no kind of object and no clock."""

from datetime import datetime, timedelta
from typing import Final

EVERY: Final = timedelta(seconds=30)  # the least between two writes of figures
SETTLED: Final = timedelta(seconds=300)  # after which also small differences of exact figures are written
_TENTH: Final = 10


def may_write(written: datetime | None, now: datetime) -> bool:
    """Whether the last write of figures is long enough ago; a clock that stepped back never silences them."""
    return written is None or not timedelta(0) <= now - written < EVERY


def may_refine(written: datetime | None, now: datetime) -> bool:
    """Whether the last write is so long ago that a small difference is worth another one."""
    return written is not None and not timedelta(0) <= now - written < SETTLED


def moved(before: int, after: int) -> bool:
    """Whether a figure moved by more than a tenth."""
    return abs(after - before) * _TENTH > before


def coarse(before: int | None, after: int | None, written: datetime | None, now: datetime) -> int | None:
    """The figure to show: the new one once it moved by more than a tenth, and at most once in a while."""
    if before is None or after is None:
        return before if after is None else after
    return after if moved(before, after) and may_write(written, now) else before
