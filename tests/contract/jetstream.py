"""The contract in JetStream's words: every setting of streams and consumers with values to try. For the fake and for real servers."""

# ruff: noqa: FBT003  (the values of settings are what the rows are about)

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.contract.suite import BrokerContract
from tests.contract.terms import Row, World, applied, changed, created, read

from headgate.api import EventBrokerSpec
from headgate.brokers.base import Refused
from headgate.brokers.nats.resources import (
    ADVISORIES,
    Consumer,
    ConsumerLimits,
    Placement,
    Republish,
    Source,
    Stream,
    Transform,
    consumer_key,
    stream_key,
)
from headgate.brokers.nats.translate import infrastructure
from headgate.core.buckets import bucket_of

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
INVALID, IMMUTABLE = "InvalidSetting", "ImmutableSetting"
ORIGIN = "contract-origin"  # a stream that is there to be copied

STREAM_ROWS: tuple[Row, ...] = (
    Row("description", "one", "two"),
    Row("subjects", ("set.a", "set.b"), ("set.a", "set.c")),
    Row("retention", "limits", "interest"),
    Row("retention", "workqueue", "limits", refused=IMMUTABLE),
    Row("max_consumers", 5),
    Row("max_msgs", 1000, 2000),
    Row("max_bytes", 1 << 20, 1 << 21),
    Row("max_age", HOUR, 2 * HOUR),
    Row("max_msgs_per_subject", 3, 5),
    Row("max_msg_size", 1024, 2048),
    Row("discard", "new", "old"),
    Row("discard_new_per_subject", True, False, beside={"discard": "new", "max_msgs_per_subject": 2}),
    Row("storage", "memory", "file", refused=IMMUTABLE),
    Row("num_replicas", 1),
    Row("no_ack", True, False),
    Row("duplicate_window", MINUTE, MINUTE / 2),
    Row("placement", Placement()),
    Row("mirror", Source(ORIGIN), beside={"subjects": ()}),
    Row("mirror_direct", True, beside={"subjects": (), "mirror": Source(ORIGIN)}),
    Row(
        "sources", (Source(ORIGIN, filter_subject="origin.a"),), (Source(ORIGIN, filter_subject="origin.b"),)
    ),
    Row("compression", "s2", "none"),
    Row("first_seq", 1000),
    Row(
        "subject_transform",
        Transform("set.a", "put.a"),
        Transform("set.a", "put.b"),
        {"subjects": ("set.a",)},
    ),
    Row("republish", Republish("copy.>", ">"), Republish("copy.more.>", ">", headers_only=True)),
    Row("allow_direct", True, False),
    Row("sealed", False),
    Row("deny_delete", True, False, refused=INVALID),
    Row("deny_purge", True, False, refused=INVALID),
    Row("allow_rollup_hdrs", True, False),
    Row("consumer_limits", ConsumerLimits(HOUR, 10), ConsumerLimits(2 * HOUR, 20)),
    Row("allow_msg_ttl", True, False, level=1, refused=INVALID),
    Row(
        "subject_delete_marker_ttl",
        MINUTE,
        2 * MINUTE,
        {"allow_msg_ttl": True, "allow_rollup_hdrs": True},
        level=1,
    ),
    Row("allow_msg_counter", True, False, level=2, refused=IMMUTABLE),
    Row("allow_atomic", True, False, level=2),
    Row("allow_msg_schedules", True, False, level=2, refused=INVALID),
    Row("persist_mode", "async", "default", level=2, refused=IMMUTABLE),
    Row("allow_batched", True, False, level=4),
    Row("metadata", (("team", "checkout"),), (("team", "cart"),)),
)
CONSUMER_ROWS: tuple[Row, ...] = (
    Row("description", "one", "two"),
    Row("deliver_policy", "new"),
    Row("opt_start_seq", 7, beside={"deliver_policy": "by_start_sequence"}),
    Row("opt_start_time", "2026-11-01T00:00:00Z", beside={"deliver_policy": "by_start_time"}),
    Row("ack_policy", "explicit", "all", refused=IMMUTABLE),
    Row("ack_wait", MINUTE, 2 * MINUTE),
    Row("max_deliver", 5, 7),
    Row("backoff", (MINUTE, 2 * MINUTE), (MINUTE, HOUR), beside={"max_deliver": 3, "ack_wait": MINUTE}),
    Row("filter_subjects", ("one.a", "one.b"), ("one.a", "one.c")),
    Row("replay_policy", "original", "instant", refused=IMMUTABLE),
    Row("rate_limit_bps", 0),
    Row("sample_freq", "25", "50"),
    Row("max_waiting", 10, 20, refused=IMMUTABLE),
    Row("max_ack_pending", 10, 20),
    Row("flow_control", False),
    Row("headers_only", True, False),
    Row("max_batch", 10, 20),
    Row("max_expires", MINUTE, HOUR),
    Row("max_bytes", 1000, 2000),
    Row("deliver_subject", ""),
    Row("deliver_group", ""),
    Row("idle_heartbeat", timedelta(0)),
    Row("inactive_threshold", HOUR, 2 * HOUR),
    Row("num_replicas", 1),
    Row("mem_storage", True, False, refused=IMMUTABLE, refused_from=4),
    Row("pause_until", "2036-01-01T00:00:00Z", "2037-01-01T00:00:00Z", level=1),
    Row("priority_groups", ("a",), ("b",), {"priority_policy": "overflow"}, level=1),
    Row("priority_policy", "overflow", beside={"priority_groups": ("a",)}, level=1),
    Row(
        "priority_policy",
        "pinned_client",
        beside={"priority_groups": ("a",), "priority_timeout": MINUTE},
        level=1,
    ),
    Row(
        "priority_timeout",
        MINUTE,
        2 * MINUTE,
        {"priority_groups": ("a",), "priority_policy": "pinned_client"},
        level=1,
    ),
    Row("metadata", (("team", "checkout"),), (("team", "cart"),)),
)


def dead_subject(queue: str, number: int) -> str:
    """Where a dead letter is published."""
    return f"hg.{queue}.orders.billing.20261120.{number}"


class JetStreamContract(BrokerContract):
    """Streams, durable pull consumers, and what only JetStream has."""

    topic_rows: tuple[Row, ...] = STREAM_ROWS
    reader_rows: tuple[Row, ...] = CONSUMER_ROWS

    def topic(self, name: str) -> Stream:
        subjects = tuple(sorted((f"{name}.>", f"hg.{name}.>")))
        return Stream(stream_key(name), subjects=subjects, retention="limits", storage="file", num_replicas=1)

    def reader(self, topic: str, name: str) -> Consumer:
        filters = tuple(sorted((f"{topic}.>", f"hg.{topic}.{name}.>")))
        return Consumer(
            consumer_key(topic, name),
            deliver_policy="all",
            ack_policy="explicit",
            ack_wait=HOUR,
            filter_subjects=filters,
            deliver_subject="",
        )

    def queue(self, name: str) -> Stream:
        return replace(
            self.topic(name), subjects=(f"hg.{name}.>",), allow_rollup_hdrs=True, allow_direct=True
        )

    async def bury(self, world: World, queue: str, number: int, headers: Mapping[str, str]) -> int:
        return await world.publish(dead_subject(queue, number), headers)

    async def resolve(self, world: World, queue: str, number: int) -> None:
        headers = {"headgate-group": "shop/billing", "headgate-resolution": "Resolved", "Nats-Rollup": "sub"}
        await world.publish(dead_subject(queue, number), headers)

    def subject(self, topic: str) -> str:
        return f"{topic}.cust1.paid"

    async def test_the_shared_stream_gives_the_cluster_an_identity(self, world: World) -> None:
        """Whoever comes second finds it there and keeps it."""
        facts = await world.broker.facts()
        (shared,) = infrastructure(facts, EventBrokerSpec.model_construct(defaults=None))
        assert shared.key == ADVISORIES
        await applied(world, created(shared))
        first = await world.broker.facts()
        again = await applied(world, created(shared))
        await applied(world, changed(again, shared))
        assert first.identity
        assert (await world.broker.facts()).identity == first.identity

    async def test_events_are_stored_in_the_bucket_of_their_key(self, world: World) -> None:
        """The server and our own hash agree."""
        name = world.fresh("bucketed")
        transform = Transform(f"{name}.*.>", f"{name}.b.{{{{partition(100,1)}}}}.{{{{wildcard(1)}}}}.>")
        stream = replace(
            self.topic(name), subjects=(f"hg.{name}.>", f"{name}.*.>"), subject_transform=transform
        )
        stream = replace(stream, subjects=tuple(sorted(stream.subjects or ())))
        made = await applied(world, created(stream))
        position = await world.publish(f"{name}.cust1.paid")
        assert (
            await world.stored_subject(made.resource.key, position)
            == f"{name}.b.{bucket_of('cust1', 100)}.cust1.paid"
        )
        other = replace(
            stream, subject_transform=replace(transform, dest=transform.dest.replace("100", "50"))
        )
        assert not stream.may_change("subject_transform", stream.subject_transform, other.subject_transform)

    async def test_subjects_of_another_stream_are_refused_by_its_name(self, world: World) -> None:
        """People need to know whose they are."""
        name = world.fresh("first")
        await applied(world, created(self.topic(name)))
        second = replace(self.topic(world.fresh("second")), subjects=(f"{name}.*.paid",))
        with pytest.raises(Refused, match=name) as refusal:
            await world.broker.apply(created(second))
        assert refusal.value.reason == "SubjectsOverlap"

    async def test_user_metadata_is_merged_into_what_others_wrote(self, world: World) -> None:
        """Ours comes and goes, theirs stays."""
        name = world.fresh("labelled")
        await world.make(self.topic(name), {"theirs": "stays"})
        found = await read(world, stream_key(name))
        ours = replace(self.topic(name), metadata=(("team", "checkout"),))
        taken = await applied(world, changed(found, ours))
        assert isinstance(taken.resource, Stream)
        assert (taken.resource.metadata, taken.managed) == ((("team", "checkout"),), frozenset({"metadata"}))
        await applied(world, changed(taken, replace(ours, metadata=())))
        await world.remove(stream_key(name))

    async def test_what_nobody_declares_is_kept_by_an_update(self, world: World) -> None:
        """Read, change, write: settings without an opinion stay as somebody else left them."""
        name = world.fresh("shared")
        await world.make(replace(self.topic(name), max_msgs=77, description="theirs"), {})
        found = await read(world, stream_key(name))
        taken = await applied(world, changed(found, replace(self.topic(name), max_age=HOUR)))
        assert isinstance(taken.resource, Stream)
        assert (taken.resource.max_msgs, taken.resource.description, taken.resource.max_age) == (
            77,
            "theirs",
            HOUR,
        )
