"""What topics, groups and dead-letter queues become on RabbitMQ."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from tests.unit.brokers.rabbitmq.estates import (
    NEWEST,
    OLDER,
    dead_queue,
    exchange,
    facts_of,
    group,
    queue,
    topic,
)

from headgate.brokers.rabbitmq.names import illegal
from headgate.brokers.rabbitmq.resources import UNROUTED, Binding, DeadLetters, Delay
from headgate.brokers.rabbitmq.translate import infrastructure, keys
from headgate.core.resource import Key

SECOND = timedelta(seconds=1)


def test_a_topic_is_an_exchange_with_a_stream_that_gets_all_of_its_subjects() -> None:
    found = exchange(subjects=["orders.*.>", "refunds.>"], retention={"maxAge": "168h", "maxBytes": "50Gi"})
    assert (found.type, found.replay, found.alternate_exchange) == ("topic", True, UNROUTED.name)
    assert found.replay_keys == ("orders.*.*.#", "refunds.*.#")
    assert (found.replay_max_age, found.replay_max_bytes) == (timedelta(hours=168), 50 * 2**30)
    assert found.needs == (UNROUTED,)


def test_a_topic_without_replay_has_no_stream_and_says_so() -> None:
    native = {"rabbitmq": {"replay": False}}
    found = topic(native=native)
    assert exchange(native=native).replay is None
    assert "without a replay stream" in found.notes[0].message


def test_ages_of_streams_are_rounded_up_to_seconds() -> None:
    assert exchange(retention={"maxAge": "1500ms"}).replay_max_age == 2 * SECOND


def test_the_name_of_a_topic_is_its_subject_where_none_is_declared() -> None:
    assert exchange().replay_keys == ("orders",)


def test_a_group_is_a_queue_that_is_bound_to_what_its_filter_takes() -> None:
    found = queue(filter={"subjects": ["orders.*.paid", "orders.*.lost.>"]})
    assert found.bindings == (Binding("orders", "orders.*.lost.*.#"), Binding("orders", "orders.*.paid"))
    assert found.needs == (Key("exchange", "orders"), Key("queue", "dead"))


def test_a_group_without_a_filter_gets_everything() -> None:
    assert queue().bindings == (Binding("orders", "orders.*.*.#"),)


def test_the_first_attempt_is_no_redelivery() -> None:
    assert queue(policy={"attempts": 5}).delivery_limit == 4


def test_dead_letters_are_moved_at_least_once_which_needs_a_queue_that_rejects() -> None:
    found = queue()
    assert found.dead_letters == DeadLetters("dead", at_least_once=True)
    assert found.overflow == "reject-publish"


def test_a_queue_that_drops_its_oldest_moves_dead_letters_at_most_once_and_says_so() -> None:
    backlog = {"maxBytes": "1Ki", "whenFull": "DropOldest"}
    found = queue(backlog=backlog)
    assert (found.overflow, found.max_bytes) == ("drop-head", 1024)
    assert found.dead_letters == DeadLetters("dead", at_least_once=False)
    assert "spec.backlog.whenFull" in {note.field for note in group(backlog=backlog).notes}


def test_without_a_dead_letter_queue_nothing_is_given_up() -> None:
    found = queue(deadLetterQueueRef=None)
    assert (found.delivery_limit, found.dead_letters) == (-1, DeadLetters())


def test_what_may_be_lost_is_given_up_without_a_target() -> None:
    found = queue(
        policy={"attempts": 2, "onExhausted": "Drop", "acknowledgeDataLoss": True}, deadLetterQueueRef=None
    )
    assert (found.delivery_limit, found.dead_letters) == (1, DeadLetters())


def test_total_order_is_one_consumer_at_a_time() -> None:
    assert queue(ordering="Total").single_active_consumer
    assert not queue().single_active_consumer


LINEAR = {"type": "Linear", "initial": "2s", "max": "5s"}
WAITS: Mapping[str, tuple[dict[str, Any], Delay, list[int]]] = {
    "linear ones exactly": ({"backoff": LINEAR}, Delay("all", 2 * SECOND, 5 * SECOND), [2, 4, 5, 5]),
    "equal ones exactly": (
        {"backoff": {"type": "Fixed", "initial": "3s"}},
        Delay("all", 3 * SECOND, 3 * SECOND),
        [3, 3, 3, 3],
    ),
    "doubled ones more slowly": ({}, Delay("all", SECOND, 8 * SECOND), [1, 2, 3, 4]),
    "none where there is one attempt": ({"attempts": 1}, Delay(), []),
}


@pytest.mark.parametrize(("policy", "delay", "kept"), WAITS.values(), ids=WAITS)
def test_from_4_3_the_broker_keeps_waits(policy: dict[str, Any], delay: Delay, kept: list[int]) -> None:
    found = group(policy=policy)
    assert queue(policy=policy).delay == delay
    assert found.retry is not None
    assert found.retry.mechanism == "DelayedRetry"
    assert found.retry.waits == tuple(n * SECOND for n in kept)


def test_the_error_of_the_brokers_waits_is_said() -> None:
    retry = group(policy={}).retry
    assert retry is not None
    assert any("4s stand for 8s, 50 percent off" in note for note in retry.notes)
    exact = group(policy={"backoff": LINEAR}).retry
    assert exact is not None
    assert not any("percent" in note for note in exact.notes)


@pytest.mark.parametrize(
    ("facts", "retry"),
    [(OLDER, None), (OLDER, "Ladder"), (NEWEST, "Ladder")],
    ids=["before 4.3", "before 4.3 where it is asked for", "where it is asked for"],
)
def test_waits_are_steps_to_wait_in(facts: Any, retry: str | None) -> None:
    policy = {"attempts": 5, "backoff": {"initial": "1s", "max": "4s"}}
    native = {"rabbitmq": {"retry": retry} if retry else {}}
    found, told = queue(facts, policy, native=native), group(facts, policy, native=native).retry
    assert found.steps == (SECOND, 2 * SECOND, 4 * SECOND)
    assert found.delay == Delay()
    assert told is not None
    assert (told.mechanism, told.waits) == ("Ladder", tuple(n * SECOND for n in (1, 2, 4, 4)))


def test_waits_that_the_server_cannot_keep_are_refused_with_the_way_out() -> None:
    native = {"rabbitmq": {"retry": "DelayedRetry"}}
    (finding,) = group(OLDER, native=native).findings
    assert (finding.reason, finding.field) == ("UnsupportedByServer", "spec.native.rabbitmq.retry")
    assert group(native=native).findings == ()


def test_how_much_may_wait_bounds_the_queue_which_rejects() -> None:
    found = queue(backlog={"maxBytes": "10Gi"})
    assert (found.max_bytes, found.overflow) == (10 * 2**30, "reject-publish")
    assert queue().max_bytes == -1


def test_segments_are_as_large_as_declared() -> None:
    assert exchange(native={"rabbitmq": {"segmentBytes": "1Mi"}}).replay_segment_bytes == 2**20


def test_the_handling_timeout_is_the_brokers_from_4_3() -> None:
    assert queue(policy={"handlingTimeout": "10s"}).consumer_timeout == 10 * SECOND
    assert queue(OLDER, policy={"handlingTimeout": "10s"}).consumer_timeout == timedelta()


def test_a_dead_letter_queue_bounds_itself_and_never_gives_up_what_is_looked_at() -> None:
    found = dead_queue(
        retention={"maxAge": "336h", "maxBytes": "5Gi", "maxMessages": 9}, whenFull="DropOldest"
    )
    assert (found.message_ttl, found.max_bytes, found.max_length) == (timedelta(hours=336), 5 * 2**30, 9)
    assert (found.overflow, found.delivery_limit, found.bindings) == ("drop-head", -1, ())


def test_three_copies_where_there_is_room_for_three() -> None:
    assert [dead_queue(facts_of("4.3.6", nodes)).copies for nodes in (1, 2, 3, 5)] == [1, 1, 3, 3]


def test_more_copies_than_nodes_are_refused() -> None:
    (finding,) = topic(facts_of("4.3.6", 1), replicas=3).findings
    assert (finding.reason, finding.field) == ("ReplicasNotPossible", "spec.replicas")


NAMES: Mapping[str, tuple[str, str]] = {
    "the server's own": ("amq.orders", "belongs to the server"),
    "too long for what is put behind them": ("o" * 240, "223 bytes"),
    "longer than they look": ("ö" * 120, "223 bytes"),
}


@pytest.mark.parametrize(("name", "why"), NAMES.values(), ids=NAMES)
def test_names_are_refused_that_are(name: str, why: str) -> None:
    assert why in illegal(name)


def test_a_name_that_is_refused_stops_the_object() -> None:
    (finding,) = topic(externalName="o" * 240).findings
    assert (finding.reason, finding.field) == ("NameInvalid", "spec.externalName")


def test_a_group_is_not_its_own_dead_letter_queue() -> None:
    (finding,) = group(externalName="dead").findings
    assert finding.reason == "NameInvalid"


def test_a_group_that_is_to_begin_at_a_time_is_refused_with_the_way_out() -> None:
    (finding,) = group(start={"from": "Time", "time": "2026-11-01T00:00:00Z"}).findings
    assert finding.field == "spec.start.time"
    assert "declare Latest" in finding.message


def test_what_no_binding_takes_has_a_place_for_all() -> None:
    (found,) = infrastructure(NEWEST, None)
    assert found.key == UNROUTED
    assert infrastructure(facts_of("4.3.6", 1), 3)[0] != found


def test_objects_are_known_by_their_names_alone() -> None:
    assert keys("orders", "EventTopic") == (Key("exchange", "orders"),)
    assert keys("billing", "ConsumerGroup") == (Key("queue", "billing"),)
