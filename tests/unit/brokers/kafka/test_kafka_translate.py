"""Portable fields in Kafka's words, one row each."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.brokers.kafka.compiling import (
    ONE,
    THREE,
    compiled,
    one_topic,
    topic,
)
from tests.unit.core.declare import ORDERS, declare

from headgate.brokers.base import BrokerFacts
from headgate.brokers.kafka import translate_common as common
from headgate.brokers.kafka.names import folded, illegal
from headgate.brokers.kafka.resources import INHERITED, topic_key
from headgate.core.compiled import Effect
from headgate.core.estate import Ref
from headgate.core.outcomes import Outcome

TOPICS: Mapping[str, tuple[dict[str, Any], str, object]] = {
    "partitions are as declared": ({"partitions": 12}, "partitions", 12),
    "partitions are the broker's own where none are declared": ({}, "partitions", None),
    "three copies where there is room for three": ({}, "replicas", 3),
    "as many copies as declared": ({"replicas": 2}, "replicas", 2),
    "a majority has an event before it is acknowledged": ({}, "min_insync_replicas", "2"),
    "so many copies have an event as declared": ({"minInSyncReplicas": 1}, "min_insync_replicas", "1"),
    "age bounds retention": ({}, "retention_ms", "604800000"),
    "no age is no limit, not Kafka's own week": (
        {"partitions": 1, "retention": {"maxBytes": "1Gi"}},
        "retention_ms",
        "-1",
    ),
    "no size is no limit, whatever the broker's own is": ({}, "retention_bytes", "-1"),
    "size is divided over partitions, rounded down": (
        {"partitions": 3, "retention": {"maxBytes": "1Gi"}},
        "retention_bytes",
        str((1 << 30) // 3),
    ),
    "segments are an eighth of the age": ({"retention": {"maxAge": "8h"}}, "segment_ms", "3600000"),
    "segments live for a minute at least": ({"retention": {"maxAge": "10s"}}, "segment_ms", "60000"),
    "segments of a long retention are Kafka's own": (
        {"retention": {"maxAge": "2000h"}},
        "segment_ms",
        INHERITED,
    ),
    "segments are an eighth of a partition's share": (
        {"partitions": 2, "retention": {"maxBytes": "1Gi"}},
        "segment_bytes",
        str(1 << 26),
    ),
    "segments have a mebibyte at least": (
        {"partitions": 2, "retention": {"maxBytes": "1Mi"}},
        "segment_bytes",
        str(1 << 20),
    ),
    "segments of a large share are Kafka's own": (
        {"partitions": 1, "retention": {"maxBytes": "8Gi"}},
        "segment_bytes",
        INHERITED,
    ),
    "old events go": ({}, "cleanup_policy", "delete"),
    "compaction keeps the newest of a key, and age still counts": (
        {"compaction": "LatestPerKey"},
        "cleanup_policy",
        "compact,delete",
    ),
    "large events are refused": ({"maxMessageSize": "2Mi"}, "max_message_bytes", str(1 << 21)),
    "the broker's own size where none is declared": ({}, "max_message_bytes", INHERITED),
    "a config that nobody declares has no override": ({}, "compression_type", INHERITED),
    "what tools write while they move partitions is left alone": (
        {},
        "leader_replication_throttled_replicas",
        None,
    ),
    "native configs are Kafka's own words": (
        {"configs": {"compression.type": "zstd"}},
        "compression_type",
        "zstd",
    ),
    "null is never to touch a config": ({"configs": {"compression.type": None}}, "compression_type", None),
    "null is never to touch what a portable field speaks of": (
        {"configs": {"retention.ms": None}},
        "retention_ms",
        None,
    ),
    "native segments come before computed ones": (
        {"retention": {"maxAge": "8h"}, "configs": {"segment.ms": "5000"}},
        "segment_ms",
        "5000",
    ),
}


@pytest.mark.parametrize("sentence", TOPICS)
def test_a_topic_becomes_a_topic(sentence: str) -> None:
    """One field, one setting."""
    fields, name, wanted = TOPICS[sentence]
    assert getattr(one_topic(topic(**fields)), name) == wanted


def test_a_broker_that_stands_alone_keeps_one_copy() -> None:
    """There is no room for more, and its majority is itself."""
    found = one_topic(topic(ONE))
    assert (found.replicas, found.min_insync_replicas) == (1, "1")


REFUSED: Mapping[str, tuple[dict[str, Any], str, str]] = {
    "events have no subjects": ({"subjects": ["orders.*"]}, "UnsupportedByBroker", "spec.subjects"),
    "a key is no part of a subject": (
        {"subjects": ["orders.*"], "key": {"wildcard": 1}},
        "UnsupportedByBroker",
        "spec.key",
    ),
    "partitions are the buckets": (
        {"subjects": ["orders.*.>"], "key": {"wildcard": 1}, "keyBuckets": 8},
        "UnsupportedByBroker",
        "spec.keyBuckets",
    ),
    "publishers are never refused for room": (
        {"whenFull": "RejectNew"},
        "UnsupportedByBroker",
        "spec.whenFull",
    ),
    "events have no life of their own": (
        {"messageTTL": "PerMessage"},
        "UnsupportedByBroker",
        "spec.messageTTL",
    ),
    "events are not kept in memory": ({"storage": "Memory"}, "UnsupportedByBroker", "spec.storage"),
    "events are not counted": (
        {"retention": {"maxAge": "1h", "maxMessages": 5}},
        "UnsupportedByBroker",
        "spec.retention.maxMessages",
    ),
    "a size is divided by a known number only": (
        {"retention": {"maxBytes": "1Gi"}},
        "InvalidSetting",
        "spec.partitions",
    ),
    "no more copies than brokers": ({"replicas": 4}, "ReplicasNotPossible", "spec.replicas"),
    "no more copies in sync than copies": (
        {"minInSyncReplicas": 4},
        "InvalidSetting",
        "spec.minInSyncReplicas",
    ),
    "a name has no characters that Kafka does not take": (
        {"externalName": "orders:new"},
        "NameInvalid",
        "spec.externalName",
    ),
    "a config is one of Kafka's": (
        {"configs": {"retention.weeks": "1"}},
        "InvalidSetting",
        "spec.native.kafka.retention.weeks",
    ),
    "a config is declared in one place": (
        {"configs": {"retention.ms": "1"}},
        "InvalidSetting",
        "spec.native.kafka.retention.ms",
    ),
}


@pytest.mark.parametrize("sentence", REFUSED)
def test_a_topic_is_refused(sentence: str) -> None:
    """Nothing is made, and the message names the field and the way out."""
    fields, reason, field = REFUSED[sentence]
    found = topic(**fields)
    told = [each for each in found.findings if each.field == field]
    assert found.resources == ()
    assert [(each.outcome, each.reason) for each in told] == [(Outcome.REFUSED, reason)]
    assert told[0].message.startswith(f"{field}: ")
    if reason == "UnsupportedByBroker":
        assert [note.effect for note in found.notes if note.field == field] == [Effect.REFUSED]


APPROXIMATED: Mapping[str, tuple[dict[str, Any], str, str]] = {
    "age is cut by segments": ({"retention": {"maxAge": "8h"}}, "spec.retention.maxAge", "1h longer"),
    "size is cut by partitions": (
        {"partitions": 4, "retention": {"maxBytes": "8Gi"}},
        "spec.retention.maxBytes",
        "2Gi for each of 4",
    ),
    "compaction takes its time": ({"compaction": "LatestPerKey"}, "spec.compaction", "until Kafka cleans up"),
    "size is that of a batch": ({"maxMessageSize": "1Mi"}, "spec.maxMessageSize", "a batch"),
    "only what one producer repeats is recognised": (
        {"deduplication": {"window": "2m"}},
        "spec.deduplication",
        "enable.idempotence",
    ),
}


@pytest.mark.parametrize("sentence", APPROXIMATED)
def test_a_topic_says_how_it_differs(sentence: str) -> None:
    """It is made, and the note states the error."""
    fields, field, words = APPROXIMATED[sentence]
    found = topic(**fields)
    (note,) = [each for each in found.notes if each.field == field]
    assert note.effect is Effect.APPROXIMATED
    assert words in note.message
    assert len(found.resources) == 1


WARNED: Mapping[str, tuple[dict[str, Any], str]] = {
    "one broker that is down stops publishers": ({"replicas": 2, "minInSyncReplicas": 2}, "NoCopyToSpare"),
    "an unclean election loses events": (
        {"configs": {"unclean.leader.election.enable": "true"}},
        "UncleanElection",
    ),
}


@pytest.mark.parametrize("sentence", WARNED)
def test_a_topic_is_made_with_a_warning(sentence: str) -> None:
    """What the broker takes without a word is said here."""
    fields, reason = WARNED[sentence]
    found = topic(**fields)
    assert [(each.outcome, each.reason) for each in found.findings] == [(Outcome.WARNING, reason)]
    assert len(found.resources) == 1


def test_computed_values_are_shown() -> None:
    """Whatever was left out."""
    assert topic(retention={"maxAge": "8h"}).effective == {
        "externalName": "orders",
        "replicas": "3",
        "minInSyncReplicas": "2",
        "native.kafka.segment.ms": "3600000",
    }


@given(total=st.integers(1024, 1 << 50), partitions=st.integers(1, 10_000))
def test_all_partitions_together_never_hold_more_than_declared(total: int, partitions: int) -> None:
    """And lose less than a byte each to rounding."""
    share = common.per_partition(total, partitions)
    assert share * partitions <= max(total, partitions)
    assert total - share * partitions < partitions


NAMES: Mapping[str, tuple[str, bool]] = {
    "letters, digits, dots, dashes and underscores": ("a.B-c_9", True),
    "249 characters": ("a" * 249, True),
    "250 characters": ("a" * 250, False),
    "a dot alone": (".", False),
    "two dots alone": ("..", False),
    "a colon": ("a:b", False),
    "a space": ("a b", False),
}


@pytest.mark.parametrize("sentence", NAMES)
def test_kafka_takes_a_name(sentence: str) -> None:
    """Or says why not."""
    name, taken = NAMES[sentence]
    assert (illegal(name) == "") is taken


def test_of_two_names_that_kafka_cannot_tell_apart_the_older_one_stays() -> None:
    """The other one is told, and its own topic is not made."""
    twin = Ref("EventTopic", "shop", "twin")
    found = compiled(declare(ORDERS, age=5, externalName="a.b"), declare(twin, externalName="a_b"))
    assert [each.key for each in found[ORDERS].resources] == [topic_key("a.b")]
    assert found[twin].resources == ()
    assert [(each.outcome, each.reason) for each in found[twin].findings] == [(Outcome.CONFLICT, "NameTaken")]
    assert folded("a.b") == folded("a_b")


def test_equal_names_are_left_to_the_plan() -> None:
    """It knows who owns what."""
    twin = Ref("EventTopic", "shop", "twin")
    found = compiled(declare(ORDERS, externalName="a"), declare(twin, externalName="a"))
    assert [len(found[ref].resources) for ref in (ORDERS, twin)] == [1, 1]


def test_more_brokers_allow_more_copies() -> None:
    """The bound is the number of brokers, not a number of ours."""
    assert one_topic(topic(BrokerFacts("Kafka", "4.4", "id", nodes=9), replicas=9)).replicas == 9
    assert topic(THREE, replicas=9).resources == ()
    assert common.segment_age(timedelta(days=56)) == timedelta(days=7)
