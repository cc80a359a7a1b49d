"""Which of several topics that want the same subjects comes first. Knows no broker."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final

from headgate.api import EventTopicSpec, Mode
from headgate.core.estate import Declared
from headgate.core.outcomes import Finding
from headgate.core.rules_of_reference import OVERLAP

_NEVER: Final = datetime.max.replace(tzinfo=UTC)


def overlaps(
    topic: Declared[EventTopicSpec], others: Iterable[Declared[EventTopicSpec]]
) -> Iterator[Finding]:
    """What is said about subjects that another topic has first.

    Where both exist in the broker already, an edit has made them overlap; which one was edited only the broker can
    tell, by refusing it.
    """
    for other in others:
        both_exist = topic.record.origin is not None and other.record.origin is not None
        if not both_exist and _takes(other) and _rank(other) < _rank(topic):
            yield _overlap(topic, other)
            return


def _takes(topic: Declared[EventTopicSpec]) -> bool:
    """Whether the topic is in the broker or about to be."""
    return topic.record.origin is not None or (topic.spec.mode is Mode.ENFORCE and not topic.spec.suspend)


def _rank(topic: Declared[EventTopicSpec]) -> tuple[bool, datetime, str, str]:
    return topic.record.origin is None, topic.created or _NEVER, topic.uid, str(topic.ref)


def _overlap(topic: Declared[EventTopicSpec], other: Declared[EventTopicSpec]) -> Finding:
    """Names the other topic only to those who can see it."""
    visible = topic.ref.namespace == other.ref.namespace
    who = f"EventTopic {other.ref.namespace}/{other.ref.name}" if visible else "another topic of the broker"
    return OVERLAP.finding(
        "spec.subjects",
        f"{who} has subjects in common with this one and comes first: declare subjects that no event can share",
    )
