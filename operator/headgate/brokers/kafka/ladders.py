"""Which topics are a group's own, told by their names, and what they look like. Asks nothing."""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from headgate.brokers.kafka.names import due_topic, retry_prefix, wait_of
from headgate.brokers.kafka.resources import (
    INHERITED,
    KafkaTopic,
    Step,
    configs_of,
    group_key,
    split,
    topic_key,
)
from headgate.core.resource import Key, Observed, Unread


@dataclass(frozen=True, slots=True)
class Family:
    """The topics that one group has for its own."""

    waits: tuple[str, ...] = ()  # in which its events wait
    due: str = ""  # in which they come back; empty: there is none

    @property
    def names(self) -> tuple[str, ...]:
        """All of them, sorted."""
        return tuple(sorted((*self.waits, self.due) if self.due else self.waits))

    def due_key(self, group: str) -> Key:
        """The positions of the group in the topic in which its events come back."""
        return group_key(self.due, group)


def families(keys: Collection[Key], names: Iterable[str]) -> Mapping[Key, Family]:
    """The topics of each group, whoever made them and whichever waits are declared."""
    there = sorted(names)
    known = frozenset(there)
    return {key: _family(*split(key), there, known) for key in keys}


def _family(topic: str, group: str, ordered: list[str], known: frozenset[str]) -> Family:
    due, prefix = due_topic(topic, group), retry_prefix(topic, group)
    waits = [name for name in _beginning(ordered, prefix) if wait_of(topic, group, name) is not None]
    return Family(tuple(waits), due if due in known else "")


def _beginning(ordered: list[str], prefix: str) -> Iterable[str]:
    """Names with a prefix, out of thousands for each of hundreds of groups."""
    for index in range(bisect_left(ordered, prefix), len(ordered)):
        if not ordered[index].startswith(prefix):
            return
        yield ordered[index]


def ladder_of(family: Family, topics: Mapping[Key, Observed | Unread]) -> tuple[Step, ...] | Unread:
    """The topics of a group as they are; one that went meanwhile is left out."""
    found: list[Step] = []
    for name in family.names:
        seen = topics.get(topic_key(name))
        if isinstance(seen, Unread):
            return seen
        if seen is not None and isinstance(seen.resource, KafkaTopic):
            found.append(step_of(seen.resource))
    return tuple(found)


def step_of(topic: KafkaTopic) -> Step:
    """A topic as a part of a group."""
    configs = sorted((key, value) for key, value in configs_of(topic) if value != INHERITED)
    return Step(topic.key.name, topic.partitions, topic.replicas, tuple(configs))


def topic_of(step: Step, partitions: int) -> KafkaTopic:
    """What is to be made of a part of a group; nothing is said of what it does not speak of."""
    values: dict[str, Any] = {key.replace(".", "_"): value for key, value in step.configs}  # as settings have
    split_into = partitions if step.partitions is None else step.partitions
    return KafkaTopic(topic_key(step.name), partitions=split_into, replicas=step.copies, **values)
