"""Values of broker settings in words for people: conditions, plans, the command line. Knows no broker and no condition."""

from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from datetime import timedelta
from typing import Final

from headgate.api.types import format_duration, format_size

UNSET: Final = "unset"
_LONGEST: Final = timedelta(hours=99_999)


def shown(field: str, value: object) -> str:
    """One value of a setting as a person would write it: 168h, 50Gi, true, "a, b", unset."""
    match value:
        case None:
            return UNSET
        case bool():
            return str(value).lower()
        case int() if ("bytes" in field or "size" in field) and value >= 0:
            return format_size(value)
        case timedelta() if timedelta() <= value <= _LONGEST:
            return format_duration(value)
        case Collection() if not isinstance(value, str):
            return ", ".join(_items(value)) or "none"
        case _:
            return str(value) or '""'


def _items(values: Collection[object]) -> list[str]:
    if isinstance(values, Mapping):
        return sorted(f"{key}={shown('', value)}" for key, value in values.items())
    items = [shown("", value) for value in values]
    return sorted(items) if isinstance(values, AbstractSet) else items
