"""What coordinators answer, as values: real servers give most of it, but no trouble on demand."""

from collections.abc import Mapping
from types import SimpleNamespace as Made

import pytest

from headgate.brokers.kafka.faults import Fault
from headgate.brokers.kafka.groupviews import NOBODY, GroupView, classic, modern, positions
from headgate.brokers.kafka.refusals import GROUP_NOT_FOUND


def decoded(assignment: bytes) -> Made:
    """An assignment of one partition of the topic that it names."""
    return Made(assigned_partitions=[Made(topic=assignment.decode(), partitions=[3])])


def described(*members: Made, code: int = 0, state: str = "Stable", protocol: str = "consumer") -> Made:
    """One group in an answer."""
    return Made(
        group_id="billing",
        error_code=code,
        error_message="told so" if code else None,
        group_state=state,
        protocol_type=protocol,
        members=list(members),
    )


def member(assignment: bytes) -> Made:
    return Made(member_id="one", member_assignment=assignment)


ONE = GroupView((("one", frozenset({("orders", 3)})),))
IDLE = GroupView((("one", frozenset()),))
CLASSIC: Mapping[str, tuple[Made, GroupView | Fault]] = {
    "a member has its partitions": (described(member(b"orders")), ONE),
    "while partitions are divided anew a member has none": (
        described(member(b""), state="PreparingRebalance"),
        IDLE,
    ),
    "what connectors divide are no partitions": (described(member(b"orders"), protocol="connect"), IDLE),
    "nobody is in an empty group": (described(state="Empty", protocol=""), NOBODY),
    "older servers say dead for absent": (
        described(state="Dead", protocol=""),
        Fault(GROUP_NOT_FOUND, "there is no such group"),
    ),
    "a refusal stays with its group": (described(code=30, state="Dead"), Fault(30, "told so")),
}


@pytest.mark.parametrize("sentence", CLASSIC)
def test_members_of_a_classic_group(sentence: str) -> None:
    group, expected = CLASSIC[sentence]
    assert classic(Made(groups=[group]), decoded) == {"billing": expected}


def test_members_of_a_group_of_the_new_protocol() -> None:
    assigned = Made(topic_partitions=[Made(topic_name="orders", partitions=[3])])
    group = described(Made(member_id="one", assignment=assigned))
    assert modern(Made(groups=[group, described(code=69)])) == {"billing": Fault(69, "told so")}
    assert modern(Made(groups=[group])) == {"billing": ONE}


def fetched(code: int, *parts: tuple[int, int, int]) -> Made:
    """Positions of one group: partition, offset and error of each."""
    told = [
        Made(partition_index=number, committed_offset=at, error_code=fault) for number, at, fault in parts
    ]
    return Made(
        groups=[Made(group_id="billing", error_code=code, topics=[Made(name="orders", partitions=told)])]
    )


POSITIONS: Mapping[str, tuple[Made, Mapping[tuple[str, int], int] | Fault]] = {
    "each partition has its next offset": (
        fetched(0, (0, 7, 0), (1, 0, 0)),
        {("orders", 0): 7, ("orders", 1): 0},
    ),
    "a partition without a position is left out": (fetched(0, (0, 7, 0), (1, -1, 0)), {("orders", 0): 7}),
    "a group that is not served now is in trouble": (fetched(14), Fault(14, "its positions cannot be told")),
    "one partition that is not told makes the group unreadable, or it would look as if it had no position": (
        fetched(0, (0, 7, 0), (1, -1, 88)),
        Fault(88, "its positions cannot be told"),
    ),
}


@pytest.mark.parametrize("sentence", POSITIONS)
def test_positions_of_a_group(sentence: str) -> None:
    answer, expected = POSITIONS[sentence]
    assert positions(answer) == {"billing": expected}
