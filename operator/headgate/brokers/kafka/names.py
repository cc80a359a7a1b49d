"""Which names Kafka takes, and which of them it takes for the same. Pure."""

import re
from datetime import timedelta
from typing import Final

LONGEST: Final = 249
_ILLEGAL: Final = re.compile(r"[^a-zA-Z0-9._-]")
_RESERVED: Final = (".", "..")
_MILLISECOND: Final = timedelta(milliseconds=1)


def illegal(name: str) -> str:
    """Why Kafka does not take a name for a topic; empty when it does."""
    if found := _ILLEGAL.search(name):
        return f"contains {found.group()!r}; Kafka takes letters, digits, dots, dashes and underscores"
    if name in _RESERVED:
        return "is one of the two that Kafka keeps for itself"
    if len(name) > LONGEST:
        return f"has {len(name)} characters, Kafka takes at most {LONGEST}"
    return ""


def folded(name: str) -> str:
    """Equal for names of which only one can exist: metrics of Kafka cannot tell a dot from an underscore."""
    return name.replace(".", "_")


def retry_topic(topic: str, group: str, wait: timedelta) -> str:
    """Where events of one group wait for so long."""
    return f"{topic}-{group}-retry-{wait // _MILLISECOND}"


def due_topic(topic: str, group: str) -> str:
    """Where events of one group come back whose wait is over."""
    return f"{topic}-{group}-due"
