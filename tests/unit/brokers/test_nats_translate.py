"""Portable fields in JetStream's words, one row each."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from tests.unit.brokers.compiling import CREATED, NEWEST, OLDEST, compiled, consumer, group, stream, topic
from tests.unit.core.declare import BILLING, DEAD, MAIN, ORDERS, STANDARD, declare

from headgate.api import EventBrokerSpec
from headgate.brokers.base import BrokerFacts
from headgate.brokers.nats.binding import BINDING_KEYS
from headgate.brokers.nats.resources import (
    ADVISORIES,
    Placement,
    Source,
    Stream,
    Transform,
    consumer_key,
    stream_key,
)
from headgate.brokers.nats.translate import infrastructure, keys
from headgate.core.buckets import bucket_of
from headgate.core.compiled import Effect
from headgate.core.outcomes import Outcome

HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
BUCKETED: Mapping[str, Any] = {"subjects": ["orders.*.>"], "key": {"wildcard": 1}, "keyBuckets": 100}

STREAMS: Mapping[str, tuple[dict[str, Any], str, object]] = {
    "the name is the subject where none is declared": ({}, "subjects", ("hg.orders.>", "orders")),
    "a stream owns its private subjects too": (
        {"subjects": ["shop.orders.*.>"]},
        "subjects",
        ("hg.orders.>", "shop.orders.*.>"),
    ),
    "limits let go of events unless something else is asked for": ({}, "retention", "limits"),
    "files are the default": ({}, "storage", "file"),
    "memory when asked for": ({"storage": "Memory"}, "storage", "memory"),
    "three copies where there is room for three": ({}, "num_replicas", 3),
    "as many copies as declared": ({"replicas": 5}, "num_replicas", 5),
    "age bounds retention": ({}, "max_age", timedelta(hours=168)),
    "size bounds retention": ({"retention": {"maxBytes": "1Gi"}}, "max_bytes", 1 << 30),
    "no age is no limit": ({"retention": {"maxBytes": "1Gi"}}, "max_age", timedelta(0)),
    "number bounds retention": ({"retention": {"maxAge": "1h", "maxMessages": 10}}, "max_msgs", 10),
    "the oldest goes when full": ({}, "discard", "old"),
    "publishers are refused when full": ({"whenFull": "RejectNew"}, "discard", "new"),
    "compaction keeps one event per subject": ({"compaction": "LatestPerKey"}, "max_msgs_per_subject", 1),
    "without compaction all events of a subject stay": ({}, "max_msgs_per_subject", -1),
    "large events are refused": ({"maxMessageSize": "1Mi"}, "max_msg_size", 1 << 20),
    "events may have a life of their own": ({"messageTTL": "PerMessage"}, "allow_msg_ttl", True),
    "nothing is said of message TTL unless asked": ({}, "allow_msg_ttl", None),
    "ids are remembered for two minutes": ({}, "duplicate_window", timedelta(minutes=2)),
    "ids are remembered no longer than events": (
        {"retention": {"maxAge": "1m"}},
        "duplicate_window",
        60 * SECOND,
    ),
    "ids are remembered as declared": ({"deduplication": {"window": "5m"}}, "duplicate_window", 300 * SECOND),
    "keys are stored in buckets": (
        dict(BUCKETED),
        "subject_transform",
        Transform("orders.*.>", "orders.b.{{partition(100,1)}}.{{wildcard(1)}}.>"),
    ),
    "compression is JetStream's own word": ({"native": {"nats": {"compression": "s2"}}}, "compression", "s2"),
    "placement is JetStream's own word": (
        {"native": {"nats": {"placement": {"tags": ["ssd", "eu"]}}}},
        "placement",
        Placement(tags=("eu", "ssd")),
    ),
    "a mirror takes no events of its own": (
        {"native": {"nats": {"mirror": {"name": "main"}}}},
        "subjects",
        (),
    ),
    "a mirror names its origin": (
        {"native": {"nats": {"mirror": {"name": "main"}}}},
        "mirror",
        Source("main"),
    ),
    "delete markers need message TTL": (
        {"native": {"nats": {"subjectDeleteMarkerTTL": "1m"}}},
        "allow_msg_ttl",
        True,
    ),
}


@pytest.mark.parametrize("sentence", STREAMS)
def test_a_topic_becomes_a_stream(sentence: str) -> None:
    """One field, one setting."""
    fields, name, wanted = STREAMS[sentence]
    assert getattr(stream(**fields), name) == wanted


def test_a_server_that_stands_alone_keeps_one_copy() -> None:
    """There is no room for more."""
    assert stream(OLDEST).num_replicas == 1


def native(**settings: Any) -> dict[str, Any]:
    """A group's settings in JetStream's words."""
    return {"native": {"nats": settings}}


CONSUMERS: Mapping[str, tuple[dict[str, Any], str, object]] = {
    "an event is settled one by one": ({}, "ack_policy", "explicit"),
    "events are pulled": ({}, "deliver_subject", ""),
    "one attempt takes as long as the policy says": ({}, "ack_wait", 30 * SECOND),
    "attempts are counted": ({}, "max_deliver", 5),
    "no backoff, which would cut short running handlers": ({}, "backoff", ()),
    "backoff on timeout comes on top of the handling time": (
        native(backoffOnTimeout=True),
        "backoff",
        (31 * SECOND, 32 * SECOND, 34 * SECOND, 38 * SECOND, 30 * SECOND),
    ),
    "the first backoff is the first deadline": (native(backoffOnTimeout=True), "ack_wait", 31 * SECOND),
    "in flight is bounded by the whole group": ({"concurrency": {"total": 200}}, "max_ack_pending", 200),
    "in flight is bounded by all replicas together": (
        {
            "concurrency": {"perReplica": 20},
            "scaling": {
                "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "w"},
                "maxReplicas": 3,
            },
        },
        "max_ack_pending",
        60,
    ),
    "in flight is bounded by the server's own limit": ({}, "max_ack_pending", 1000),
    "total order is one event at a time": ({"ordering": "Total"}, "max_ack_pending", 1),
    "from the beginning": ({}, "deliver_policy", "all"),
    "from now on": ({"start": {"from": "Latest"}}, "deliver_policy", "new"),
    "from a moment": (
        {"start": {"from": "Time", "time": "2026-11-01T00:00:00Z"}},
        "opt_start_time",
        "2026-11-01T00:00:00Z",
    ),
    "all events of the topic and the private way": (
        {},
        "filter_subjects",
        ("hg.orders.billing.>", "orders.*.>"),
    ),
    "a filter of its own and the private way": (
        {"filter": {"subjects": ["orders.*.paid"]}},
        "filter_subjects",
        ("hg.orders.billing.>", "orders.*.paid"),
    ),
    "what nobody acknowledges has no attempts": (native(ackPolicy="none"), "max_deliver", None),
    "a pinned client loses its place after the server's own time": (
        native(priorityPolicy="pinned_client", priorityGroups=["a"]),
        "priority_timeout",
        120 * SECOND,
    ),
    "the topic and the dead-letter queue come first": (
        {"deadLetterQueueRef": {"name": "dead"}},
        "needs",
        (stream_key("orders"), stream_key("dead")),
    ),
}


@pytest.mark.parametrize("sentence", CONSUMERS)
def test_a_group_becomes_a_durable(sentence: str) -> None:
    """One field, one setting."""
    fields, name, wanted = CONSUMERS[sentence]
    assert getattr(consumer(**fields), name) == wanted


FILTERS: Mapping[str, tuple[list[str] | None, str]] = {
    "everything": (None, "orders.b.*.*.>"),
    "one kind of event of every key": (["orders.*.paid"], "orders.b.*.*.paid"),
    "all events of one key, in its bucket": (
        ["orders.cust1.>"],
        f"orders.b.{bucket_of('cust1', 100)}.cust1.>",
    ),
}


@pytest.mark.parametrize("sentence", FILTERS)
def test_filters_go_through_the_buckets(sentence: str) -> None:
    """Stored subjects differ from published ones."""
    wanted, stored = FILTERS[sentence]
    fields: dict[str, Any] = {"filter": {"subjects": wanted}} if wanted else {}
    assert consumer(topic=BUCKETED, **fields).filter_subjects == ("hg.orders.billing.>", stored)


REFUSED: Mapping[str, tuple[str, dict[str, Any], BrokerFacts, str, str]] = {
    "partitions": ("topic", {"partitions": 12}, NEWEST, "UnsupportedByBroker", "spec.partitions"),
    "a dot in the name": ("topic", {"externalName": "a.b"}, NEWEST, "NameInvalid", "spec.externalName"),
    "message TTL on an old server": (
        "topic",
        {"messageTTL": "PerMessage"},
        OLDEST,
        "UnsupportedByServer",
        "spec.messageTTL",
    ),
    "batches on an old server": (
        "topic",
        {"native": {"nats": {"allowBatched": True}}},
        OLDEST,
        "UnsupportedByServer",
        "spec.native.nats.allowBatched",
    ),
    "copies on a server that stands alone": (
        "topic",
        {"replicas": 3},
        OLDEST,
        "ReplicasNotPossible",
        "spec.replicas",
    ),
    "more copies than JetStream keeps": (
        "topic",
        {"replicas": 9},
        NEWEST,
        "ReplicasNotPossible",
        "spec.replicas",
    ),
    "order per key": ("group", {"ordering": "PerKey"}, NEWEST, "NotYet", "spec.ordering"),
    "priorities on an old server": (
        "group",
        native(priorityPolicy="overflow", priorityGroups=["a"]),
        OLDEST,
        "UnsupportedByServer",
        "spec.native.nats.priorityPolicy",
    ),
    "a wildcard in a durable's name": (
        "group",
        {"externalName": "a*"},
        NEWEST,
        "NameInvalid",
        "spec.externalName",
    ),
}


@pytest.mark.parametrize("sentence", REFUSED)
def test_what_jetstream_cannot_do_is_refused_by_field(sentence: str) -> None:
    """With a stable reason, a sentence that names the field, and no object left to make."""
    kind, fields, facts, reason, field = REFUSED[sentence]
    found = topic(facts, **fields) if kind == "topic" else group(facts, **fields)
    assert reason in [f.reason for f in found.findings if f.field == field and f.outcome is Outcome.REFUSED]
    assert all(finding.message.startswith(finding.field) for finding in found.findings)
    assert found.resources == ()


def test_in_sync_replicas_are_approximated_by_a_majority() -> None:
    """Said, not ignored."""
    (note,) = topic(replicas=3, minInSyncReplicas=2).notes
    assert (note.field, note.effect) == ("spec.minInSyncReplicas", Effect.APPROXIMATED)


def test_compaction_says_when_a_subject_is_not_a_key() -> None:
    """JetStream compacts by subject."""
    notes = topic(subjects=["orders.*.>"], compaction="LatestPerKey").notes
    assert [note.field for note in notes] == ["spec.compaction"]
    assert topic(subjects=["orders.*"], compaction="LatestPerKey").notes == ()


def test_computed_defaults_are_shown() -> None:
    """What nobody declared and everybody may want to know."""
    assert topic(**BUCKETED).effective == {
        "externalName": "orders",
        "replicas": "3",
        "deduplication.window": "2m",
        "storedSubjectPrefix": "orders.b",
    }


def test_a_queue_keeps_one_subject_per_dead_letter() -> None:
    """Which a resolution replaces, and which a full queue never loses."""
    (found,) = compiled(declare(DEAD, maxMessageSize="2Mi"))[DEAD].resources
    assert isinstance(found, Stream)
    assert (found.subjects, found.discard, found.allow_rollup_hdrs) == (("hg.dead.>",), "new", True)
    assert (found.max_msg_size, found.max_age, found.retention) == (2 << 20, 336 * HOUR, "limits")


def test_a_binding_tells_a_worker_everything() -> None:
    """Every documented file, and no other; the certificates come from whoever reads Secrets."""
    broker = declare(
        MAIN,
        nats={"servers": ["nats://a:4222", "nats://b:4222"], "jetStreamDomain": "hub"},
        workerCredentials={"secretName": "events-client"},
        allowedNamespaces={"from": "Names", "names": ["shop"]},
    )
    rules = [{"match": {"errorClass": "SchemaError"}, "action": "DeadLetter"}]
    backoff = {"initial": "2s", "factor": "4", "max": "2m", "jitterPercent": 20}
    policy = declare(STANDARD, handlingTimeout="10s", deadline="5m", backoff=backoff, rules=rules)
    orders = declare(ORDERS, record=CREATED, **BUCKETED)
    billing = declare(
        BILLING,
        retryPolicyRef={"name": "standard"},
        deadLetterQueueRef={"name": "dead"},
        concurrency={"perReplica": 20, "total": 200},
    )
    found = compiled(broker, policy, orders, declare(DEAD, maxMessageSize="1040Ki"), billing)[BILLING].binding
    assert found == {
        "broker-type": "NATS",
        "servers": "nats://a:4222,nats://b:4222",
        "jetstream-domain": "hub",
        "credentials-secret-name": "events-client",
        "group": "shop/billing",
        "topic": "shop/orders",
        "stream": "orders",
        "durable": "billing",
        "filters": "hg.orders.billing.>\norders.b.*.*.>",
        "stored-subject-prefix": "orders.b",
        "subjects-private-prefix": "hg.orders.billing",
        "ack-wait": "10s",
        "nak-delays": "2s,8s,32s,2m",
        "nak-jitter-percent": "20",
        "max-deliver": "5",
        "deadline": "5m",
        "on-exhausted": "DeadLetter",
        "rules": '[{"errorClass":"SchemaError","action":"DeadLetter"}]',
        "dead-letter-stream": "dead",
        "dead-letter-subject": "hg.dead.orders.billing.202611201000005",
        "dead-letter-max-size": "1040Ki",
        "prefetch": "20",
    }
    assert set(BINDING_KEYS) == {*found, "ca.crt"}


def test_there_is_no_binding_before_the_stream_is_known() -> None:
    """The address of dead letters names its incarnation."""
    assert compiled(declare(ORDERS), declare(BILLING))[BILLING].binding is None


def test_a_retry_policy_is_realised_by_delays_that_workers_ask_for() -> None:
    """Unless the server is to wait itself."""
    asked, kept = group().retry, group(**native(backoffOnTimeout=True)).retry
    assert asked is not None
    assert kept is not None
    assert (asked.mechanism, kept.mechanism, asked.attempts) == ("NakDelay", "Backoff", 5)
    assert [wait / SECOND for wait in asked.waits] == [1, 2, 4, 8]


def test_advisories_are_kept_in_one_bounded_stream() -> None:
    """With as many copies as the cluster has room for."""
    spec = EventBrokerSpec.model_validate(
        {"nats": {"servers": ["nats://a:4222"]}, "defaults": {"replicas": 3}}
    )
    for facts, copies in ((NEWEST, 3), (OLDEST, 1)):
        (found,) = infrastructure(facts, spec)
        assert isinstance(found, Stream)
        assert (found.key, found.num_replicas, found.discard) == (ADVISORIES, copies, "old")
        assert found.max_age
        assert (found.max_bytes or 0) > 0


def test_objects_are_known_by_their_names_alone() -> None:
    """Also when nothing compiles any more."""
    assert keys("orders", "EventTopic", "") == (stream_key("orders"),)
    assert keys("dead", "DeadLetterQueue", "") == (stream_key("dead"),)
    assert keys("billing", "ConsumerGroup", "orders") == (consumer_key("orders", "billing"),)
