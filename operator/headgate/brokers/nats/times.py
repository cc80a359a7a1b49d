"""How JetStream writes durations and moments. Pure."""

import re
from datetime import UTC, datetime, timedelta

_MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)")


def nanoseconds(value: timedelta) -> int:
    return value // timedelta(microseconds=1) * 1000


def duration(value: int) -> timedelta:
    """Parts below a microsecond are cut off."""
    return timedelta(microseconds=value // 1000)


def moment(text: str) -> datetime:
    """The moment in UTC; ValueError where the text is none. Parts below a microsecond are cut off."""
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise ValueError(f"not a moment: {text!r}")
    seconds, fraction, zone = found.groups()
    micro = int((fraction or "0")[:6].ljust(6, "0"))
    whole = datetime.fromisoformat(seconds + ("+00:00" if zone == "Z" else zone))
    return whole.replace(microsecond=micro).astimezone(UTC)


def written(value: datetime) -> str:
    """The moment as the server takes it, and the same text for the same moment."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
