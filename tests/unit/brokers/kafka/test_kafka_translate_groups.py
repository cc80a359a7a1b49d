"""Queues and groups in Kafka's words, one row each."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.unit.brokers.kafka.compiling import (
    compiled,
    group,
    one_group,
    one_topic,
    queue,
)
from tests.unit.core.declare import BILLING, DEAD, ORDERS, declare

from headgate.brokers.kafka.resources import INHERITED, group_key, topic_key
from headgate.brokers.kafka.translate import keys
from headgate.brokers.kafka.values import KafkaGroupNative
from headgate.core.compiled import Effect
from headgate.core.outcomes import Outcome

QUEUES: Mapping[str, tuple[dict[str, Any], str, object]] = {
    "letters keep their order": ({}, "partitions", 1),
    "letters are copied as declared": ({"replicas": 1}, "replicas", 1),
    "a majority has a letter": ({}, "min_insync_replicas", "2"),
    "age bounds them": ({}, "retention_ms", "1209600000"),
    "size bounds them": (
        {"whenFull": "DropOldest", "retention": {"maxBytes": "1Gi"}},
        "retention_bytes",
        str(1 << 30),
    ),
    "letters may be as large as declared": ({"maxMessageSize": "2Mi"}, "max_message_bytes", str(1 << 21)),
    "letters are never compacted": ({}, "cleanup_policy", "delete"),
}


@pytest.mark.parametrize("sentence", QUEUES)
def test_a_queue_becomes_a_topic(sentence: str) -> None:
    """One field, one setting."""
    fields, name, wanted = QUEUES[sentence]
    assert getattr(one_topic(queue(**fields)), name) == wanted


QUEUES_REFUSED: Mapping[str, tuple[dict[str, Any], str]] = {
    "old letters would go in silence": ({"retention": {"maxBytes": "1Gi"}}, "spec.whenFull"),
    "letters are not kept in memory": ({"storage": "Memory"}, "spec.storage"),
    "letters are not counted": (
        {"retention": {"maxAge": "400h", "maxMessages": 5}},
        "spec.retention.maxMessages",
    ),
    "a name is one that Kafka takes": ({"externalName": "a:b"}, "spec.externalName"),
    "no more copies than brokers": ({"replicas": 9}, "spec.replicas"),
}


@pytest.mark.parametrize("sentence", QUEUES_REFUSED)
def test_a_queue_is_refused(sentence: str) -> None:
    """Nothing is made."""
    fields, field = QUEUES_REFUSED[sentence]
    found = queue(**fields)
    assert found.resources == ()
    assert [each.field for each in found.findings] == [field]


def test_a_queue_takes_the_largest_event_of_its_topics() -> None:
    """And what is written around it."""
    objects = (
        declare(ORDERS, maxMessageSize="1Mi"),
        declare(DEAD),
        declare(BILLING, deadLetterQueueRef={"name": "dead"}),
    )
    found = compiled(*objects)[DEAD]
    assert one_topic(found).max_message_bytes == found.effective["maxMessageSize"] == str((1 << 20) + 16384)


MOMENT = datetime(2026, 11, 1, tzinfo=UTC)
GROUPS: Mapping[str, tuple[dict[str, Any], str, object]] = {
    "a group begins with the oldest": ({}, "start", "earliest"),
    "a group begins with the next": ({"start": {"from": "Latest"}}, "start", "latest"),
    "a group begins at a moment": (
        {"start": {"from": "Time", "time": "2026-11-01T00:00:00Z"}},
        "start_time",
        MOMENT,
    ),
    "a group has a position in every declared partition": ({"topic": {"partitions": 6}}, "covered", 6),
    "nothing is said of partitions that nobody declared": ({}, "covered", None),
    "native configs are Kafka's own words": (
        {"native": KafkaGroupNative({"consumer.session.timeout.ms": "50000"})},
        "consumer_session_timeout_ms",
        "50000",
    ),
    "a config that nobody declares has no override": ({}, "share_delivery_count_limit", INHERITED),
    "null is never to touch a config": (
        {"native": KafkaGroupNative({"share.delivery.count.limit": None})},
        "share_delivery_count_limit",
        None,
    ),
}


@pytest.mark.parametrize("sentence", GROUPS)
def test_a_group_becomes_positions(sentence: str) -> None:
    """One field, one setting."""
    fields, name, wanted = GROUPS[sentence]
    assert getattr(one_group(group(**fields)), name) == wanted


GROUPS_REFUSED: Mapping[str, tuple[dict[str, Any], str]] = {
    "the broker filters nothing": ({"filter": {"subjects": ["orders"]}}, "spec.filter"),
    "total order needs one partition": ({"ordering": "Total"}, "spec.ordering"),
    "retry topics have names that fit": (
        {"externalName": "g" * 245},
        "spec.externalName",
    ),
    "a config is one of Kafka's": (
        {"native": KafkaGroupNative({"share.weeks": "1"})},
        "spec.native.kafka.share.weeks",
    ),
}


@pytest.mark.parametrize("sentence", GROUPS_REFUSED)
def test_a_group_is_refused(sentence: str) -> None:
    """Nothing is made, and the message names the field."""
    fields, field = GROUPS_REFUSED[sentence]
    found = group(**fields)
    assert found.resources == ()
    assert [(each.outcome, each.field) for each in found.findings] == [(Outcome.REFUSED, field)]


GROUPS_APPROXIMATED: Mapping[str, tuple[dict[str, Any], str]] = {
    "the worker filters": (
        {"native": KafkaGroupNative(filter_by_worker=True), "filter": {"subjects": ["orders"]}},
        "spec.filter",
    ),
    "nothing bounds what is in flight": ({"concurrency": {"total": 5}}, "spec.concurrency.total"),
    "a moment is what publishers say": (
        {"start": {"from": "Time", "time": "2026-11-01T00:00:00Z"}},
        "spec.start.time",
    ),
    "what is tried again is overtaken": ({"ordering": "PerKey"}, "spec.ordering"),
    "what is tried again is overtaken in one partition too": (
        {"ordering": "Total", "topic": {"partitions": 1}},
        "spec.ordering",
    ),
}


@pytest.mark.parametrize("sentence", GROUPS_APPROXIMATED)
def test_a_group_says_how_it_differs(sentence: str) -> None:
    """It is made all the same."""
    fields, field = GROUPS_APPROXIMATED[sentence]
    found = group(**fields)
    assert [(note.field, note.effect) for note in found.notes] == [(field, Effect.APPROXIMATED)]
    assert len(found.resources) == 1


def test_a_group_needs_its_topic_and_its_queue() -> None:
    """They are made first and deleted last."""
    found = one_group(group(deadLetterQueueRef={"name": "dead"}))
    assert found.key == group_key("orders", "billing")
    assert found.needs == (topic_key("orders"), topic_key("dead"))


def test_objects_are_known_by_name_alone() -> None:
    """Also when they compile no more."""
    assert keys("orders", "EventTopic", "") == (topic_key("orders"),)
    assert keys("dead", "DeadLetterQueue", "") == (topic_key("dead"),)
    assert keys("billing", "ConsumerGroup", "orders") == (group_key("orders", "billing"),)
