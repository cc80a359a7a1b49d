"""Which names Kafka takes, and which of them it takes for the same. Pure."""

import re
from datetime import timedelta
from typing import Final

LONGEST: Final = 249
_ILLEGAL: Final = re.compile(r"[^a-zA-Z0-9._-]")
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,14}")  # as retry_topic writes it
_RESERVED: Final = (".", "..")
MOVERS: Final = "headgate-mover"  # the group with which movers read the topics of waits
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


def retry_prefix(topic: str, group: str) -> str:
    """What the names of all topics begin with in which events of one group wait."""
    return f"{topic}-{group}-retry-"


def retry_topic(topic: str, group: str, wait: timedelta) -> str:
    """Where events of one group wait for so long."""
    return f"{retry_prefix(topic, group)}{wait // _MILLISECOND}"


def wait_of(topic: str, group: str, name: str) -> timedelta | None:
    """For how long events of one group wait in a topic of that name; None where it is none of the group's."""
    digits = name.removeprefix(retry_prefix(topic, group))
    if digits == name or not _NUMBER.fullmatch(digits):
        return None
    return int(digits) * _MILLISECOND


def due_topic(topic: str, group: str) -> str:
    """Where events of one group come back whose wait is over."""
    return f"{topic}-{group}-due"
