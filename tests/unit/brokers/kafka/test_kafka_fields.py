"""Every field that users can write either changes what Kafka is asked for, or is spoken of, or is no broker's business."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, get_args

import pytest
from pydantic import BaseModel
from tests.unit.brokers.kafka.compiling import group, queue, topic

from headgate.api import ConsumerGroupSpec, DeadLetterQueueSpec, EventTopicSpec
from headgate.api.common import Managed
from headgate.brokers.kafka.values import KafkaGroupNative
from headgate.core.compiled import Compiled

KEPT_BY_CORE: Final = frozenset(Managed.model_fields)  # modes and policies: the plan follows them
# Decided before anything is compiled, or told to people and workers: the same on every broker.
EVERYWHERE: Mapping[type[BaseModel], frozenset[str]] = {
    EventTopicSpec: frozenset(
        {
            "broker_ref",
            "owner",
            "tolerated_outage",
            "on_vanished",
            "allowed_namespaces",
            "native",
            "deduplication.producer_retry_for",
        }
    ),
    DeadLetterQueueSpec: frozenset(
        {"broker_ref", "owner", "triage_within", "on_vanished", "allowed_namespaces"}
    ),
    ConsumerGroupSpec: frozenset(
        {
            "topic_ref",
            "owner",
            "freshness",
            "binding",
            "scaling",
            "native",
            "concurrency.per_replica",
            "retry_policy_ref",
        }
    ),
}

Example = tuple[dict[str, Any], dict[str, Any]]  # without the field, and with it
TOPIC: Mapping[str, Example] = {
    "external_name": ({}, {"externalName": "other"}),
    "subjects": ({}, {"subjects": ["orders.>"]}),
    "partitions": ({}, {"partitions": 3}),
    "replicas": ({}, {"replicas": 1}),
    "min_in_sync_replicas": ({}, {"minInSyncReplicas": 1}),
    "retention.max_age": (
        {"partitions": 1, "retention": {"maxBytes": "1Gi"}},
        {"partitions": 1, "retention": {"maxBytes": "1Gi", "maxAge": "1h"}},
    ),
    "retention.max_bytes": (
        {"partitions": 1},
        {"partitions": 1, "retention": {"maxAge": "168h", "maxBytes": "1Gi"}},
    ),
    "retention.max_messages": ({}, {"retention": {"maxAge": "168h", "maxMessages": 9}}),
    "when_full": ({}, {"whenFull": "RejectNew"}),
    "compaction": ({}, {"compaction": "LatestPerKey"}),
    "max_message_size": ({}, {"maxMessageSize": "1Mi"}),
    "message_ttl": ({}, {"messageTTL": "PerMessage"}),
    "deduplication.window": ({}, {"deduplication": {"window": "2m"}}),
    "key.wildcard": ({"subjects": ["a.*"]}, {"subjects": ["a.*"], "key": {"wildcard": 1}}),
    "key_buckets": (
        {"subjects": ["a.*.>"], "key": {"wildcard": 1}},
        {"subjects": ["a.*.>"], "key": {"wildcard": 1}, "keyBuckets": 4},
    ),
    "storage": ({}, {"storage": "Memory"}),
}
QUEUE: Mapping[str, Example] = {
    "external_name": ({}, {"externalName": "other"}),
    "retention.max_age": ({}, {"retention": {"maxAge": "1h"}}),
    "retention.max_bytes": ({}, {"retention": {"maxAge": "336h", "maxBytes": "1Gi"}}),
    "retention.max_messages": ({}, {"retention": {"maxAge": "336h", "maxMessages": 9}}),
    "replicas": ({}, {"replicas": 1}),
    "storage": ({}, {"storage": "Memory"}),
    "max_message_size": ({}, {"maxMessageSize": "1Mi"}),
    "when_full": (
        {"retention": {"maxBytes": "1Gi"}},
        {"retention": {"maxBytes": "1Gi"}, "whenFull": "DropOldest"},
    ),
}
ONE_PARTITION: Final = {"topic": {"partitions": 1}}
GROUP: Mapping[str, Example] = {
    "external_name": ({}, {"externalName": "other"}),
    "filter.subjects": ({}, {"filter": {"subjects": ["orders"]}}),
    "start.from_": ({}, {"start": {"from": "Latest"}}),
    "start.time": (
        {"start": {"from": "Time", "time": "2026-11-01T00:00:00Z"}},
        {"start": {"from": "Time", "time": "2026-11-02T00:00:00Z"}},
    ),
    "ordering": (ONE_PARTITION, {**ONE_PARTITION, "ordering": "Total"}),
    "concurrency.total": ({}, {"concurrency": {"total": 9}}),
    "dead_letter_queue_ref": ({}, {"deadLetterQueueRef": {"name": "dead"}}),
    "backlog.max_bytes": ({}, {"backlog": {"maxBytes": "1Gi"}}),
    "backlog.when_full": ({}, {"backlog": {"whenFull": "RejectNew"}}),
}

KINDS: Mapping[
    str, tuple[type[BaseModel], Mapping[str, Example], Callable[[Mapping[str, Any]], Compiled]]
] = {
    "EventTopic": (EventTopicSpec, TOPIC, lambda fields: topic(**fields)),
    "DeadLetterQueue": (DeadLetterQueueSpec, QUEUE, lambda fields: queue(**fields)),
    "ConsumerGroup": (ConsumerGroupSpec, GROUP, lambda fields: group(**fields)),
}


def _parts(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in get_args(annotation):
        yield from _parts(each)


def fields_of(model: type[BaseModel], skipped: frozenset[str], path: str = "") -> Iterator[str]:
    """Every field that holds a value, as a path; what is skipped is not looked into."""
    for name, info in model.model_fields.items():
        here = f"{path}{name}"
        if here in skipped:
            continue
        inner = list(_parts(info.annotation))
        if inner and not here.endswith("_ref"):
            for part in inner:
                yield from fields_of(part, skipped, f"{here}.")
        else:
            yield here


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_has_an_example_or_is_the_same_on_every_broker(kind: str) -> None:
    """A field that is new in the API has to be thought of here."""
    model, examples, _ = KINDS[kind]
    skipped = KEPT_BY_CORE | EVERYWHERE[model]
    assert set(fields_of(model, skipped)) == set(examples)


ROWS: Final = [(kind, field) for kind, (_, examples, _) in KINDS.items() for field in examples]


@pytest.mark.parametrize(("kind", "field"), ROWS)
def test_a_field_is_never_ignored_in_silence(kind: str, field: str) -> None:
    """With it, another object is asked for, or something is said."""
    _, examples, compile_one = KINDS[kind]
    without, with_it = (compile_one(fields) for fields in examples[field])
    assert _seen(without) != _seen(with_it)


def test_a_filter_left_to_the_worker_is_spoken_of() -> None:
    """Not only a refused one."""
    native = KafkaGroupNative(filter_by_worker=True)
    assert _seen(group(native)) != _seen(group(native, filter={"subjects": ["orders"]}))


def _seen(found: Compiled) -> object:
    needs = tuple(resource.needs for resource in found.resources)
    return found.resources, needs, found.notes, found.findings
