"""Topics on a real server: made, changed, told apart, deleted."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import pytest
from confluent_kafka.admin import NewTopic
from tests.brokers.kafka.worlds import Counting, KafkaWorld, changed, created, deleted

from headgate.brokers.base import Credentials, Refused
from headgate.brokers.kafka.admin import Admin
from headgate.brokers.kafka.keeper import Keeper
from headgate.brokers.kafka.login import second_settings, settings
from headgate.brokers.kafka.reading import Reader, observe
from headgate.brokers.kafka.resources import INHERITED, KafkaTopic, configs_of, topic_key
from headgate.brokers.kafka.second import Second
from headgate.brokers.kafka.values import KafkaConnection
from headgate.core.resource import Observed, differences
from headgate.local.waiting import until


async def test_facts_say_who_the_cluster_is(world: KafkaWorld) -> None:
    """And they stay the same."""
    facts = await world.broker.facts()
    assert (facts.type, facts.server_version, facts.nodes) == ("Kafka", "4.4", 1)
    assert {"ConsumerProtocol", "ShareGroups", "ShareDeadLetters"} <= facts.capabilities
    assert facts.identity
    assert await world.broker.facts() == facts


async def test_a_topic_is_made_as_declared(world: KafkaWorld) -> None:
    """What is declared is an override, all else is the broker's own."""
    wanted = world.topic(partitions=3, retention_ms="60000", cleanup_policy="compact,delete")
    made = await world.made(wanted)
    assert list(differences(wanted, made.resource)) == []
    assert isinstance(made.resource, KafkaTopic)
    overrides = {key for key, value in configs_of(made.resource) if value != INHERITED}
    assert overrides == {"retention.ms", "cleanup.policy"}
    assert await world.read(wanted.key) == made


async def test_absent_topics_are_left_out(world: KafkaWorld) -> None:
    """Nothing is invented."""
    assert await world.broker.observe([topic_key(world.fresh("nothing"))]) == {}


async def test_configs_change_one_by_one(world: KafkaWorld) -> None:
    """One that left the declaration has no override any more, one that is never touched keeps what somebody gave it."""
    wanted = world.topic(retention_ms="60000", segment_ms="30000")
    made = await world.made(wanted)
    world.override(wanted.key.name, "compression.type", "zstd")
    after = replace(wanted, retention_ms="70000", segment_ms=INHERITED)
    await world.broker.apply(changed(made, after))
    found = await world.read(wanted.key)
    assert found is not None
    assert isinstance(found.resource, KafkaTopic)
    assert (found.resource.retention_ms, found.resource.segment_ms) == ("70000", INHERITED)
    assert found.resource.compression_type == "zstd"


async def test_an_override_that_nobody_declared_is_drift(world: KafkaWorld) -> None:
    """And is taken away."""
    wanted = world.topic(compression_type=INHERITED)
    made = await world.made(wanted)
    world.override(wanted.key.name, "compression.type", "zstd")

    async def drifted() -> bool:
        found = await world.read(wanted.key)
        assert found is not None
        return [diff.field for diff in differences(wanted, found.resource)] == ["compression_type"]

    await until("the override is in sight", drifted, limit=20)
    await world.broker.apply(changed(made, wanted))
    assert await world.read(wanted.key) == made


async def test_partitions_grow(world: KafkaWorld) -> None:
    """And nothing else changes."""
    wanted = world.topic(partitions=2)
    made = await world.made(wanted)
    grown = await world.broker.apply(changed(made, replace(wanted, partitions=5)))
    assert grown is not None
    assert isinstance(grown.resource, KafkaTopic)
    assert (grown.resource.partitions, grown.identity) == (5, made.identity)


async def test_a_topic_that_was_made_again_is_another_one(world: KafkaWorld) -> None:
    """Its id tells; what was meant for the earlier one is refused."""
    wanted = world.topic()
    made = await world.made(wanted)
    world.remove(wanted.key.name)
    world.raw.create_topics([NewTopic(wanted.key.name, 1, 1)])[wanted.key.name].result(10)

    async def renewed() -> bool:
        found = await world.read(wanted.key)
        return found is not None and found.identity != made.identity

    await until("the new topic is in sight", renewed, limit=20)
    for change in (changed(made, replace(wanted, retention_ms="5000")), deleted(made)):
        with pytest.raises(Refused) as refusal:
            await world.broker.apply(change)
        assert refusal.value.reason == "IdentityChanged"


async def test_a_topic_of_somebody_else_is_not_taken_by_creating_it(world: KafkaWorld) -> None:
    """Even where it looks just like ours."""
    wanted = world.topic()
    world.raw.create_topics([NewTopic(wanted.key.name, 1, 1)])[wanted.key.name].result(10)
    with pytest.raises(Refused) as refusal:
        await world.made(wanted)
    assert refusal.value.reason == "AlreadyExists"


async def test_creating_and_deleting_twice_are_successes(world: KafkaWorld) -> None:
    """A lost answer is asked for again without harm."""
    wanted = world.topic()
    made = await world.made(wanted)
    assert await world.made(wanted) == made
    for _ in range(2):
        assert await world.broker.apply(deleted(made)) is None
    assert await world.read(wanted.key) is None


async def test_a_topic_with_events_is_not_empty(world: KafkaWorld) -> None:
    """It stays where only an empty one was to go."""
    made = await world.made(world.topic())
    world.publish(made.resource.key.name, 3)
    with pytest.raises(Refused) as refusal:
        await world.broker.apply(deleted(made, only_if_empty=True))
    assert refusal.value.reason == "NotEmpty"
    assert await world.read(made.resource.key) == made


BAD: Mapping[str, tuple[dict[str, object], str, str]] = {
    "a value that is none": ({"retention_ms": "soon"}, "InvalidSetting", "retention.ms"),
    "a value out of bounds": ({"min_insync_replicas": "0"}, "InvalidSetting", "min.insync.replicas"),
    "more copies than brokers": ({"replicas": 3}, "ReplicasNotPossible", "spec.replicas"),
    "an illegal name": ({"key": topic_key("a b")}, "NameInvalid", "spec.externalName"),
    "a name of 250 characters": ({"key": topic_key("a" * 250)}, "NameInvalid", "spec.externalName"),
}


@pytest.mark.parametrize("sentence", BAD)
async def test_bad_input_is_refused_and_touches_nothing_else(world: KafkaWorld, sentence: str) -> None:
    """One request carries good ones beside it."""
    fields, reason, words = BAD[sentence]
    bad = replace(world.topic(), **fields)  # type: ignore[arg-type]  # rows of a table
    good = [world.topic() for _ in range(3)]
    results = await asyncio.gather(
        *(world.broker.apply(created(each)) for each in (bad, *good)), return_exceptions=True
    )
    assert isinstance(results[0], Refused)
    assert results[0].reason == reason
    assert words in str(results[0])
    assert all(isinstance(each, Observed) for each in results[1:])


async def test_a_name_that_differs_in_a_dot_is_taken(world: KafkaWorld) -> None:
    """Kafka says so, and so do we."""
    name = world.fresh("taken").replace("-", ".")
    await world.made(KafkaTopic(topic_key(name), partitions=1))
    with pytest.raises(Refused) as refusal:
        await world.made(KafkaTopic(topic_key(name.replace(".", "_")), partitions=1))
    assert refusal.value.reason == "NameTaken"


async def test_kafka_takes_a_name_of_249_characters(world: KafkaWorld) -> None:
    """Not one more, see above."""
    name = (world.fresh("long") + "a" * 249)[:249]
    assert (await world.made(KafkaTopic(topic_key(name), partitions=1))).identity


async def test_kafka_takes_more_copies_in_sync_than_copies(world: KafkaWorld) -> None:
    """Which is why we check it."""
    assert (await world.made(world.topic(min_insync_replicas="5"))).identity


async def test_a_deadline_of_zero_is_a_success_that_did_nothing(world: KafkaWorld) -> None:
    """Which is why none is ever given to the library."""
    zero = topic_key(world.fresh("zero"))
    world.raw.create_topics([NewTopic(zero.name, 1, 1)], operation_timeout=0)[zero.name].result(10)
    later = await world.made(world.topic())
    found = await world.broker.observe([zero, later.resource.key])
    assert found.keys() == {later.resource.key}


async def test_a_thousand_topics_are_read_in_four_requests(world: KafkaWorld) -> None:
    """What they are, their settings, where they begin and where they end. And made in a few."""
    names = [world.fresh("many") for _ in range(200)]
    wanted = [KafkaTopic(topic_key(name), partitions=1) for name in names]
    made = await asyncio.gather(*(world.broker.apply(created(each)) for each in wanted))
    assert len({each.identity for each in made if each is not None}) == len(names)
    lane, connection = Counting(), KafkaConnection((world.bootstrap,))
    admin = Admin(settings(connection, Credentials(), 10), 10)
    second = Second(lambda: second_settings(connection, Credentials(), 10), 10)
    keys = [each.key for each in wanted] + [topic_key(world.fresh("none")) for _ in range(800)]
    found = await observe(Reader(admin, second, Keeper(admin)), lane, keys)
    assert found.keys() == {each.key for each in wanted}
    assert lane.requests == 4
    await asyncio.gather(*(world.broker.apply(deleted(each)) for each in made if each is not None))
    assert await world.broker.observe(keys) == {}
