"""The sentences in which decisions about replicas are explained. Decides nothing."""

from datetime import timedelta
from typing import Final

from headgate.core.outlook import Case

_WHOLE: Final = 100
_MINUTE: Final = 60


def traffic(case: Case) -> str:
    """What arrives, what waits, and what the present replicas make of it."""
    arriving = sum([load.lag.arriving or 0.0 for load in case.told])
    rates = [one.rate for one in case.demands]
    current = case.seen.current
    each = f"{current} x {number(min(rates))}/s handled" if rates else plenty(current)
    return f"{number(arriving)}/s arrive, {each}, {counted(pending(case), 'waits', 'wait')}"


def pending(case: Case) -> int:
    """Events that were never handed out."""
    return sum([load.lag.pending for load in case.told])


def counted(count: int, one: str, several: str) -> str:
    """So many of something, and what they do: in the singular for one, in the plural for none and for several."""
    return f"{count} {one if count == 1 else several}"


def plenty(replicas: int) -> str:
    """So many replicas."""
    return counted(replicas, "replica", "replicas")


def waits(events: int) -> str:
    """So many events wait."""
    return counted(events, "event waits", "events wait")


def read_ago(case: Case) -> str:
    """How old that is which is known of loads that cannot be read; empty: all can."""
    ages = [load.lag.unread_for for load in case.stale]
    return f"; read {time(max(ages))} ago and reckoned on since" if ages else ""


def number(value: float) -> str:
    """Three digits are plenty."""
    return f"{value:.0f}" if value >= _WHOLE else f"{value:.3g}"


def time(span: timedelta | float) -> str:
    """A span in minutes where it is whole minutes, else in seconds."""
    seconds = int(span.total_seconds() if isinstance(span, timedelta) else span)
    return f"{seconds // _MINUTE}m" if seconds >= _MINUTE and seconds % _MINUTE == 0 else f"{seconds}s"
