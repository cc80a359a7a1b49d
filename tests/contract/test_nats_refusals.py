"""Refusals provoked on real servers: each names the field of the manifest and what to do about it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from tests.conftest import NatsOf
from tests.contract.jetstream import HOUR, JetStreamContract
from tests.contract.terms import applied, changed, created
from tests.contract.world import NatsWorld, connect, nats_world
from tests.servers import nats_server

from headgate.brokers.base import Credentials, Refused
from headgate.brokers.nats.resources import ConsumerLimits, Placement, Source, Transform
from headgate.local.nats import VERSIONS, LocalNatsCluster
from headgate.local.run import Run

_words = JetStreamContract()
IMMUTABLE, INVALID, OVERLAP = "ImmutableSetting", "InvalidSetting", "FiltersOverlap"


@dataclass(frozen=True, slots=True)
class Wrong:
    """Settings that a server does not take, or does not change to."""

    field: str
    reason: str
    settings: dict[str, Any]
    after: dict[str, Any] | None = None  # taken at first, refused as a change
    topic: dict[str, Any] | None = None  # of the topic of a reader
    beside: dict[str, Any] | None = None  # another reader that is there already


TOPICS = {
    "a window longer than the retention": Wrong(
        "spec.deduplication.window",
        INVALID,
        {"max_age": timedelta(minutes=1), "duplicate_window": timedelta(minutes=2)},
    ),
    "a retention of an instant": Wrong(
        "spec.retention.maxAge", INVALID, {"max_age": timedelta(milliseconds=1)}
    ),
    "one subject inside another": Wrong("spec.subjects", INVALID, {"subjects": ("wrong.>", "wrong.a")}),
    "the same subject twice": Wrong("spec.subjects", INVALID, {"subjects": ("wrong.a", "wrong.a")}),
    "subjects of the server's own": Wrong("spec.subjects", INVALID, {"subjects": ("$JS.API.>",)}),
    "three copies on one server": Wrong("spec.replicas", "ReplicasNotPossible", {"num_replicas": 3}),
    "another storage": Wrong("spec.storage", IMMUTABLE, {"storage": "memory"}, {"storage": "file"}),
    "events kept until read instead of for a time": Wrong(
        "spec.native.nats.retention", IMMUTABLE, {"retention": "limits"}, {"retention": "workqueue"}
    ),
    "deletions permitted again": Wrong(
        "spec.native.nats.denyDelete", INVALID, {"deny_delete": True}, {"deny_delete": False}
    ),
    "sealed from the beginning": Wrong("spec.native.nats.sealed", INVALID, {"sealed": True}),
    "bounds per subject without refusing": Wrong(
        "spec.native.nats.discardNewPerSubject", INVALID, {"discard_new_per_subject": True}
    ),
    "a mirror with subjects of its own": Wrong("spec.subjects", INVALID, {"mirror": Source("origin")}),
    "a transform that loses a wildcard": Wrong(
        "spec.native.nats.subjectTransform",
        INVALID,
        {"subject_transform": Transform("wrong.*", "wrong.b.{{wildcard(2)}}")},
    ),
}
READERS = {
    "filters that overlap": Wrong("spec.filter.subjects", OVERLAP, {"filter_subjects": ("{t}.>", "{t}.a")}),
    "more in flight than the topic allows": Wrong(
        "spec.concurrency.total",
        INVALID,
        {"max_ack_pending": 20},
        topic={"consumer_limits": ConsumerLimits(HOUR, 10)},
    ),
    "idle for longer than the topic allows": Wrong(
        "spec.native.nats.inactiveThreshold",
        INVALID,
        {"inactive_threshold": 2 * HOUR, "max_ack_pending": 5},
        topic={"consumer_limits": ConsumerLimits(HOUR, 10)},
    ),
    "another acknowledgement": Wrong(
        "spec.native.nats.ackPolicy", IMMUTABLE, {"ack_policy": "explicit"}, {"ack_policy": "all"}
    ),
    "another replay": Wrong(
        "spec.native.nats.replayPolicy",
        IMMUTABLE,
        {"replay_policy": "instant"},
        {"replay_policy": "original"},
    ),
    "more waiting pulls": Wrong(
        "spec.native.nats.maxWaiting", IMMUTABLE, {"max_waiting": 5}, {"max_waiting": 6}
    ),
    "more waits than attempts": Wrong(
        "spec.retryPolicyRef", INVALID, {"max_deliver": 1, "backoff": (HOUR, HOUR), "ack_wait": HOUR}
    ),
    "more copies than its topic": Wrong(
        "spec.native.nats.replicas", "ReplicasNotPossible", {"num_replicas": 3}
    ),
    "a share that is none": Wrong("spec.native.nats.sampleFreq", INVALID, {"sample_freq": "many"}),
    "a second group on a work queue": Wrong(
        "spec.filter.subjects",
        OVERLAP,
        {"filter_subjects": ("{t}.a",)},
        topic={"retention": "workqueue"},
        beside={"filter_subjects": ("{t}.a",)},
    ),
    "the latest of a work queue": Wrong(
        "spec.start.from", INVALID, {"deliver_policy": "new"}, topic={"retention": "workqueue"}
    ),
}


@pytest_asyncio.fixture(params=[VERSIONS[0], VERSIONS[-1]])
async def world(request: pytest.FixtureRequest, nats_of: NatsOf) -> AsyncIterator[NatsWorld]:
    """The oldest and the newest server: codes and words are an interface that may drift."""
    async with nats_world((await nats_of(request.param)).url) as world:
        yield world


def assert_told(error: Refused, wrong: Wrong) -> None:
    """The reason, the field in front, a way out, the server's own words."""
    assert error.reason == wrong.reason
    assert str(error).startswith(f"{wrong.field}: "), str(error)
    assert "; the server says: " in str(error)


@pytest.mark.parametrize("what", TOPICS, ids=str)
async def test_a_topic_that_is_refused_is_told_where_and_why(what: str, world: NatsWorld) -> None:
    """And nothing is left of the attempt."""
    wrong = TOPICS[what]
    base = _words.topic(world.fresh("wrong"))
    first = replace(base, **wrong.settings)
    if wrong.after is not None:
        made = await applied(world, created(first))
        with pytest.raises(Refused) as refusal:
            await world.broker.apply(changed(made, replace(base, **wrong.after)))
    else:
        with pytest.raises(Refused) as refusal:
            await world.broker.apply(created(first))
        assert await world.broker.observe([base.key]) == {}
    assert_told(refusal.value, wrong)


@pytest.mark.parametrize("what", READERS, ids=str)
async def test_a_reader_that_is_refused_is_told_where_and_why(what: str, world: NatsWorld) -> None:
    """And nothing is left of the attempt."""
    wrong = READERS[what]
    topic = world.fresh("wrong")
    await applied(world, created(replace(_words.topic(topic), **(wrong.topic or {}))))
    if wrong.beside is not None:
        await applied(world, created(replace(_words.reader(topic, "first"), **_filled(wrong.beside, topic))))
    base = _words.reader(topic, "billing")
    first = replace(base, **_filled(wrong.settings, topic))
    if wrong.after is not None:
        made = await applied(world, created(first))
        with pytest.raises(Refused) as refusal:
            await world.broker.apply(changed(made, replace(base, **wrong.after)))
    else:
        with pytest.raises(Refused) as refusal:
            await world.broker.apply(created(first))
        assert await world.broker.observe([base.key]) == {}
    assert_told(refusal.value, wrong)


def _filled(settings: dict[str, Any], topic: str) -> dict[str, Any]:
    """Filters of that very topic."""
    filters = settings.get("filter_subjects")
    if filters is None:
        return settings
    return {**settings, "filter_subjects": tuple(each.format(t=topic) for each in filters)}


async def test_what_the_account_forbids_is_told_with_the_field_to_lower(servers: Run) -> None:
    """Bounds of the account, one after the other."""
    config = """accounts { A: { jetstream: { max_store: 10MB, max_streams: 1, max_bytes_required: true }
        users: [ { user: a, password: x } ] } }"""
    login = Credentials({"username": b"a", "password": b"x"})
    async with nats_server(servers, "bounded", config=config) as server:
        broker = connect(server.url, login)
        try:
            for bound, reason in ((None, "MaxBytesRequired"), (1 << 30, "InsufficientResources")):
                with pytest.raises(Refused) as refusal:
                    await broker.apply(created(replace(_words.topic("large"), max_bytes=bound)))
                assert_told(refusal.value, Wrong("spec.retention.maxBytes", reason, {}))
            await broker.apply(created(replace(_words.topic("first"), max_bytes=1 << 20)))
            with pytest.raises(Refused, match="takes no more streams") as full:
                await broker.apply(created(replace(_words.topic("second"), max_bytes=1 << 20)))
            assert full.value.reason == "LimitReached"
        finally:
            await broker.aclose()


async def test_copies_that_no_servers_fit_are_told(nats_trio: LocalNatsCluster) -> None:
    """The server's words say which tags were not found."""
    async with nats_world(nats_trio.url) as world:
        topic = replace(_words.topic(world.fresh("nowhere")), placement=Placement(tags=("ssd",)))
        with pytest.raises(Refused, match="ssd") as refusal:
            await world.broker.apply(created(topic))
        assert_told(refusal.value, Wrong("spec.replicas", "NoSuitablePeers", {}))
