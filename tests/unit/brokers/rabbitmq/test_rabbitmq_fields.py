"""Every field that users can write is mapped, said to differ, or nobody's business in a broker: none is passed over."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest
from pydantic import BaseModel
from tests.unit.brokers.rabbitmq.estates import OLDER, dead, group, topic

from headgate.api import ConsumerGroupSpec, DeadLetterQueueSpec, EventTopicSpec, RetryPolicySpec
from headgate.api.common import Managed
from headgate.core.compiled import Compiled, Effect

A, R = Effect.APPROXIMATED, Effect.REFUSED
BACKOFF: Final = {"type": "Fixed", "initial": "1s"}
# Kept by planning, scaling, status or the binding alike for all brokers.
PORTABLE: Final = {
    "EventTopicSpec": {"broker_ref", "owner", "tolerated_outage", "key", "on_vanished", "allowed_namespaces"},
    "ConsumerGroupSpec": {"topic_ref", "owner", "freshness", "retry_policy_ref", "binding", "scaling"},
    "DeadLetterQueueSpec": {"broker_ref", "owner", "allowed_namespaces", "triage_within", "on_vanished"},
    "RetryPolicySpec": {"owner", "deadline", "rules", "acknowledge_data_loss"},
}
Row = tuple[dict[str, Any], dict[str, Any]]
# A field, and two ways to declare it that become something else.
MAPPED: Final[Mapping[str, Mapping[str, Row]]] = {
    "EventTopicSpec": {
        "external_name": ({"externalName": "a"}, {"externalName": "b"}),
        "subjects": ({"subjects": ["a"]}, {"subjects": ["b.>"]}),
        "replicas": ({"replicas": 1}, {"replicas": 3}),
        "retention": ({"retention": {"maxAge": "1h"}}, {"retention": {"maxBytes": "1Gi"}}),
        "native": ({}, {"native": {"rabbitmq": {"replay": False}}}),
    },
    "ConsumerGroupSpec": {
        "external_name": ({"externalName": "a"}, {"externalName": "b"}),
        "filter": ({"filter": {"subjects": ["orders.*.paid"]}}, {"filter": {"subjects": ["orders.*.lost"]}}),
        "ordering": ({"ordering": "None"}, {"ordering": "Total"}),
        "backlog": ({}, {"backlog": {"maxBytes": "1Gi"}}),
        "native": ({}, {"native": {"rabbitmq": {"retry": "Ladder"}}}),
        "dead_letter_queue_ref": ({"deadLetterQueueRef": {"name": "dead"}}, {"deadLetterQueueRef": None}),
    },
    "DeadLetterQueueSpec": {
        "external_name": ({"externalName": "a"}, {"externalName": "b"}),
        "replicas": ({"replicas": 1}, {"replicas": 3}),
        "retention": ({"retention": {"maxAge": "1h"}}, {"retention": {"maxBytes": "1Gi"}}),
        "when_full": ({"whenFull": "RejectNew"}, {"whenFull": "DropOldest"}),
    },
    "RetryPolicySpec": {
        "attempts": ({"attempts": 2}, {"attempts": 3}),
        "handling_timeout": ({"handlingTimeout": "10s"}, {"handlingTimeout": "20s"}),
        "backoff": ({"backoff": BACKOFF}, {"backoff": {**BACKOFF, "initial": "2s"}}),
        "on_exhausted": (
            {"onExhausted": "DeadLetter"},
            {"onExhausted": "Drop", "acknowledgeDataLoss": True},
        ),
    },
}
Said = tuple[dict[str, Any], str, Effect]
# A field, a declaration that the broker cannot keep, and what is said about it.
SAID: Final[Mapping[str, Mapping[str, Said]]] = {
    "EventTopicSpec": {
        "partitions": ({"partitions": 3}, "spec.partitions", R),
        "min_in_sync_replicas": ({"minInSyncReplicas": 2}, "spec.minInSyncReplicas", A),
        "retention": ({"retention": {"maxAge": "1h", "maxMessages": 5}}, "spec.retention.maxMessages", R),
        "when_full": ({"whenFull": "RejectNew"}, "spec.whenFull", R),
        "compaction": ({"compaction": "LatestPerKey"}, "spec.compaction", R),
        "max_message_size": ({"maxMessageSize": "1Mi"}, "spec.maxMessageSize", A),
        "message_ttl": ({"messageTTL": "PerMessage"}, "spec.messageTTL", A),
        "deduplication": ({"deduplication": {"window": "2m"}}, "spec.deduplication", A),
        "storage": ({"storage": "Memory"}, "spec.storage", A),
        "native": ({"native": {"nats": {"description": "x"}}}, "spec.native.nats", R),
    },
    "ConsumerGroupSpec": {
        "start": ({"start": {"from": "Earliest"}}, "spec.start.from", A),
        "ordering": ({"ordering": "PerKey"}, "spec.ordering", R),
        "backlog": (
            {"backlog": {"maxBytes": "1Gi", "whenFull": "DropOldest"}},
            "spec.backlog.whenFull",
            A,
        ),
        "concurrency": ({"concurrency": {"total": 5}}, "spec.concurrency.total", A),
        "dead_letter_queue_ref": ({"deadLetterQueueRef": None}, "spec.deadLetterQueueRef", A),
        "native": ({"native": {"nats": {"description": "x"}}}, "spec.native.nats", R),
    },
    "DeadLetterQueueSpec": {
        "retention": ({"retention": {"maxAge": "1h"}}, "spec.retention.maxAge", A),
        "max_message_size": ({"maxMessageSize": "1Mi"}, "spec.maxMessageSize", A),
        "storage": ({"storage": "Memory"}, "spec.storage", A),
    },
    "RetryPolicySpec": {
        "backoff": ({"backoff": {"initial": "1s"}}, "retryPolicy.backoff.factor", A),
        "jitter": ({"backoff": {"jitterPercent": 20}}, "retryPolicy.backoff.jitterPercent", A),
    },
}
# Refused with a finding alone, until it can be kept.
FOUND: Final[Mapping[str, set[str]]] = {"EventTopicSpec": {"key_buckets"}}


def under_policy(**fields: Any) -> Compiled:
    """What a group becomes under a policy."""
    return group(policy=fields)


COMPILERS: Final[Mapping[type[BaseModel], Callable[..., Compiled]]] = {
    EventTopicSpec: topic,
    ConsumerGroupSpec: group,
    DeadLetterQueueSpec: dead,
    RetryPolicySpec: under_policy,
}
MAPPED_ROWS = [(kind, name) for kind in COMPILERS for name in MAPPED[kind.__name__]]
SAID_ROWS = [(kind, name) for kind in COMPILERS for name in SAID[kind.__name__]]


def row_id(value: Any) -> str:
    """A row as a test id."""
    return value.__name__ if isinstance(value, type) else str(value)


@pytest.mark.parametrize("kind", COMPILERS, ids=row_id)
def test_no_field_is_passed_over(kind: type[BaseModel]) -> None:
    name = kind.__name__
    told = MAPPED[name].keys() | SAID[name].keys() | PORTABLE[name] | FOUND.get(name, set())
    assert kind.model_fields.keys() - Managed.model_fields.keys() - told == set()


@pytest.mark.parametrize(("kind", "name"), MAPPED_ROWS, ids=row_id)
def test_a_mapped_field_makes_a_difference(kind: type[BaseModel], name: str) -> None:
    first, second = (COMPILERS[kind](**fields).resources for fields in MAPPED[kind.__name__][name])
    assert first
    assert second
    assert first != second


@pytest.mark.parametrize(("kind", "name"), SAID_ROWS, ids=row_id)
def test_what_cannot_be_kept_is_said(kind: type[BaseModel], name: str) -> None:
    fields, where, effect = SAID[kind.__name__][name]
    found = COMPILERS[kind](**fields)
    (note,) = (note for note in found.notes if note.field == where)
    assert note.effect is effect
    assert (found.resources == ()) is (effect is R)
    assert [finding.field for finding in found.findings] == ([where] if effect is R else [])


def test_buckets_of_keys_are_refused_until_they_are_kept() -> None:
    found = topic(subjects=["orders.*.>"], key={"wildcard": 1}, keyBuckets=8)
    assert [(finding.reason, finding.field) for finding in found.findings] == [("NotYet", "spec.keyBuckets")]


def test_before_4_3_the_handling_timeout_is_up_to_the_worker() -> None:
    found = group(OLDER)
    assert "retryPolicy.handlingTimeout" in {note.field for note in found.notes}
