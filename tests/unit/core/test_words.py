"""How values of settings are put into words."""

from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType

import pytest

from headgate.core.words import shown


@dataclass(frozen=True)
class Thing:
    tag: str

    def __str__(self) -> str:
        return f"<{self.tag}>"


ROWS: dict[str, tuple[str, object, str]] = {
    "nothing": ("max_age", None, "unset"),
    "a switch": ("sealed", True, "true"),
    "a number": ("lanes", 1024, "1024"),
    "a size": ("max_bytes", 50 * 1024**3, "50Gi"),
    "a size of one message": ("max_msg_size", 1024**2, "1Mi"),
    "a size without a limit stays the broker's word": ("max_bytes", -1, "-1"),
    "a duration": ("max_age", timedelta(hours=168), "168h"),
    "a duration that nobody could write": ("max_age", timedelta.max, str(timedelta.max)),
    "a duration below zero": ("max_age", timedelta(seconds=-1), str(timedelta(seconds=-1))),
    "text": ("material", "oak", "oak"),
    "text without a letter": ("material", "", '""'),
    "a list in its order": ("subjects", ("b", "a"), "b, a"),
    "a set by name": ("tags", frozenset({"b", "a"}), "a, b"),
    "an empty list": ("subjects", (), "none"),
    "a mapping by key": ("labels", {"b": 1, "a": True}, "a=true, b=1"),
    "a mapping that cannot change": ("labels", MappingProxyType({"a": "x"}), "a=x"),
    "anything else": ("thing", Thing("x"), "<x>"),
}


@pytest.mark.parametrize(("field", "value", "text"), ROWS.values(), ids=ROWS.keys())
def test_shown_is(field: str, value: object, text: str) -> None:
    assert shown(field, value) == text
