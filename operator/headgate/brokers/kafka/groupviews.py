"""What Kafka answers about groups, as values. Asks nothing; knows the shape of the library's answers and not the library."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from headgate.brokers.kafka.faults import Fault
from headgate.brokers.kafka.refusals import GROUP_NOT_FOUND

Place = tuple[str, int]  # topic and partition
_CONSUMER: Final = "consumer"
_DEAD: Final = "Dead"  # what older servers say of a group that is not there, or of another protocol


@dataclass(frozen=True, slots=True)
class GroupView:
    """Who is in a group and who reads what."""

    members: tuple[tuple[str, frozenset[Place]], ...]  # sorted by member


NOBODY: Final = GroupView(())


def classic(answer: Any, decoded: Callable[[bytes], Any]) -> Mapping[str, GroupView | Fault]:  # noqa: ANN401  (untyped)
    """Groups whose members divide the partitions among themselves; what they agreed on is theirs to encode."""
    found: dict[str, GroupView | Fault] = {}
    for each in answer.groups:
        if each.group_state == _DEAD and not each.error_code:
            found[each.group_id] = Fault(GROUP_NOT_FOUND, "there is no such group")
        else:
            told = decoded if each.protocol_type == _CONSUMER else None
            found[each.group_id] = _told(each, partial(_agreed, told))
    return found


def modern(answer: Any) -> Mapping[str, GroupView | Fault]:  # noqa: ANN401  (untyped)
    """Groups whose partitions the coordinator divides."""
    return {each.group_id: _told(each, _given) for each in answer.groups}


def positions(answer: Any) -> Mapping[str, Mapping[Place, int] | Fault]:  # noqa: ANN401  (untyped)
    """The next offset of each partition in which a group has one; a group of which one cannot be told is in trouble."""
    found: dict[str, Mapping[Place, int] | Fault] = {}
    for each in answer.groups:
        parts = [(topic.name, part) for topic in each.topics for part in topic.partitions]
        codes = [code for code in (each.error_code, *(part.error_code for _, part in parts)) if code]
        found[each.group_id] = (
            Fault(codes[0], "its positions cannot be told")
            if codes
            else {
                (topic, part.partition_index): part.committed_offset
                for topic, part in parts
                if part.committed_offset >= 0
            }
        )
    return found


def deleted(answer: Any) -> Mapping[str, Fault | None]:  # noqa: ANN401  (untyped)
    """What became of the deletion of each group."""
    return {
        each.group_id: Fault(each.error_code, "it was not deleted") if each.error_code else None
        for each in answer.results
    }


def _told(group: Any, assigned: Callable[[Any], frozenset[Place]]) -> GroupView | Fault:  # noqa: ANN401  (untyped)
    if group.error_code:
        return Fault(group.error_code, group.error_message or "the group cannot be described")
    return GroupView(tuple(sorted((member.member_id, assigned(member)) for member in group.members)))


def _agreed(decoded: Callable[[bytes], Any] | None, member: Any) -> frozenset[Place]:  # noqa: ANN401  (untyped)
    """What others than consumers agree on, connectors for example, is no assignment of partitions."""
    if decoded is None or not member.member_assignment:
        return frozenset()
    assigned = decoded(member.member_assignment).assigned_partitions
    return _places((part.topic, part.partitions) for part in assigned)


def _given(member: Any) -> frozenset[Place]:  # noqa: ANN401  (untyped)
    return _places((part.topic_name, part.partitions) for part in member.assignment.topic_partitions)


def _places(assigned: Iterable[tuple[str, Iterable[int]]]) -> frozenset[Place]:
    return frozenset((topic, number) for topic, numbers in assigned for number in numbers)
