"""How JetStream writes durations and moments. Pure."""

from datetime import UTC, datetime, timedelta


def nanoseconds(value: timedelta) -> int:
    """A duration as the server takes it."""
    return value // timedelta(microseconds=1) * 1000


def duration(value: int) -> timedelta:
    """A duration of the server; parts below a microsecond are cut off."""
    return timedelta(microseconds=value // 1000)


def moment(text: str) -> datetime:
    """A moment of the server in UTC; parts below a microsecond are cut off."""
    return datetime.fromisoformat(text).astimezone(UTC)


def written(value: datetime) -> str:
    """A moment as the server takes it: the same text for the same moment."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
