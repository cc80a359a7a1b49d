"""What a queue holds to when its arguments and its policy say different things."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from tests.unit.brokers.rabbitmq.test_rabbitmq_documents import QUEUES

from headgate.brokers.rabbitmq.documents import overruling
from headgate.brokers.rabbitmq.enforcing import enforced
from headgate.brokers.rabbitmq.resources import DeadLetters, Queue, queue_key

Json = Mapping[str, Any]
CASES: Mapping[str, tuple[Json, Json, Json]] = {
    "an argument alone": ({}, {"x-max-length": 5}, {"max-length": 5}),
    "a policy alone": ({"max-length": 5}, {}, {"max-length": 5}),
    "the smaller bound is the policy's": ({"max-length": 5}, {"x-max-length": 9}, {"max-length": 5}),
    "the smaller bound is the argument's": ({"message-ttl": 9}, {"x-message-ttl": 5}, {"message-ttl": 5}),
    "what happens when it is full, the argument says": (
        {"overflow": "reject-publish"},
        {"x-overflow": "drop-head"},
        {"overflow": "drop-head"},
    ),
    "the smaller of two limits": ({"delivery-limit": 4}, {"x-delivery-limit": 2}, {"delivery-limit": 2}),
    "of a limit and none, the limit": (
        {"delivery-limit": -1},
        {"x-delivery-limit": 2},
        {"delivery-limit": 2},
    ),
    "of none and a limit, the limit": (
        {"delivery-limit": 2},
        {"x-delivery-limit": -1},
        {"delivery-limit": 2},
    ),
    "arguments that no policy speaks of": ({}, {"x-headgate-owner": "a"}, {}),
}


@pytest.mark.parametrize(("policy", "arguments", "expected"), CASES.values(), ids=CASES)
def test_in_force_is(policy: Json, arguments: Json, expected: Json) -> None:
    assert enforced(policy, arguments) == expected


@given(QUEUES)
def test_a_queue_without_such_arguments_is_never_overruled(queue: Queue) -> None:
    assert overruling(queue, {"arguments": {"x-queue-type": "quorum", "x-headgate-owner": "a"}}) == ()


def test_dead_letters_at_least_once_are_told_to_be_impossible_on_a_queue_that_drops() -> None:
    wanted = Queue(
        queue_key("billing"), overflow="reject-publish", dead_letters=DeadLetters("dead", at_least_once=True)
    )
    arguments = {"x-overflow": "drop-head", "x-max-length": 5}
    assert overruling(wanted, {"arguments": arguments}) == ("x-overflow=drop-head", "x-max-length=5")
    assert overruling(replace(wanted, overflow="drop-head", max_length=3), {"arguments": arguments}) == ()
