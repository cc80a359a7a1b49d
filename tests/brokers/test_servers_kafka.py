"""Kafka servers start, keep what they stored over a kill, demand what they are told to, and leave nothing behind."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)
from kafka import KafkaAdminClient
from tests.broker_servers import kafka_server

from headgate.local.cache import Say
from headgate.local.errors import LocalError
from headgate.local.jars import VERSIONS, kafka_classpath
from headgate.local.kafka import LocalKafka, LocalKafkaCluster
from headgate.local.kafka_config import Guard
from headgate.local.pki import Authority
from headgate.local.processes import marked
from headgate.local.run import Run
from headgate.local.waiting import until

QUIET = logging.getLogger("tests.kafka")
QUIET.propagate = False
QUIET.addHandler(logging.NullHandler())


def admin(settings: Mapping[str, str]) -> AdminClient:
    return AdminClient({**settings, "log_level": 0}, logger=QUIET)


async def make(client: AdminClient, topic: str, copies: int = 1) -> None:
    """Make a topic and wait until it is seen."""
    made = client.create_topics([NewTopic(topic, 1, copies)], request_timeout=10)
    await asyncio.wrap_future(made[topic])
    await until(f"topic {topic} is seen", lambda: sees(client, topic))


async def sees(client: AdminClient, topic: str) -> bool:
    try:
        return topic in (await asyncio.to_thread(client.list_topics, timeout=5)).topics
    except KafkaException:
        return False


async def answers(client: AdminClient, within: float) -> bool:
    try:
        await asyncio.to_thread(client.list_topics, timeout=within)
    except KafkaException:
        return False
    return True


def cluster_id(server: LocalKafka) -> str:
    return str(admin(server.client()).list_topics(timeout=10).cluster_id)


def processes(server: LocalKafka) -> list[int]:
    """Whatever runs with this server's configuration."""
    return [pid for pid in marked(server.run.mark) if server.command[-1] in _words(pid)]


def _words(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


async def test_a_server_has_topics_made_by_a_plain_client(kafka: LocalKafka) -> None:
    await make(admin(kafka.client()), "plain")


@pytest.mark.parametrize("version", VERSIONS)
async def test_every_pinned_version_keeps_topics_over_a_kill_and_leaves_nothing(
    version: str, servers: Run, aloud: Say
) -> None:
    async with kafka_server(servers, f"kafka-{version}", version=version, say=aloud) as server:
        before = server.bootstrap
        await make(admin(server.client()), "kept")
        assert len(processes(server)) == 1
        await server.kill()
        assert not await answers(admin(server.client()), 1)
        await server.restart()
        assert server.bootstrap == before
        assert await sees(admin(server.client()), "kept")
        await server.stop()
        assert processes(server) == []


async def test_two_servers_side_by_side_are_two_clusters(servers: Run, kafka: LocalKafka) -> None:
    async with kafka_server(servers, "kafka-beside") as beside:
        await make(admin(beside.client()), "theirs")
        assert not await sees(admin(kafka.client()), "theirs")
        one, two = await asyncio.gather(
            asyncio.to_thread(cluster_id, kafka), asyncio.to_thread(cluster_id, beside)
        )
        assert one != two


async def test_three_servers_replicate_and_take_one_back_that_was_killed(
    kafka_trio: LocalKafkaCluster,
) -> None:
    client = admin(kafka_trio.client())
    await make(client, "copied", copies=3)
    victim = kafka_trio.nodes[0]
    await victim.kill()

    async def in_sync(count: int) -> bool:
        try:
            topics = (await asyncio.to_thread(client.list_topics, "copied", timeout=5)).topics
        except KafkaException:
            return False
        partition = topics["copied"].partitions.get(0)
        return partition is not None and len(partition.isrs) == count

    await until("the dead one is out", lambda: in_sync(2), limit=60)
    await victim.restart()
    await until("it is back in", lambda: in_sync(3), limit=60)


async def test_a_frozen_server_answers_nothing_until_it_is_thawed(servers: Run) -> None:
    async with kafka_server(servers, "kafka-frozen") as server:
        server.freeze()
        assert not await answers(admin(server.client()), 1)
        server.thaw()
        assert await answers(admin(server.client()), 30)


async def test_a_setting_that_the_server_refuses_is_said_in_its_words(servers: Run) -> None:
    with pytest.raises(LocalError, match=r"num\.io\.threads") as refused:
        async with kafka_server(servers, "kafka-broken", settings={"num.io.threads": "many"}):
            pass
    assert refused.value.reason == "KafkaFailed"


def test_a_version_that_is_not_pinned_is_refused_by_name() -> None:
    with pytest.raises(LocalError, match=r"Kafka 1\.0\.0 is not pinned"):
        kafka_classpath("1.0.0")


@dataclass(frozen=True, slots=True)
class Door:
    """A way to be let in."""

    guard: Guard
    user: str
    mechanism: str = ""


PASSWORDS = {"ada": "Enchantress"}
DOORS = {
    "by name and password over TLS": Door(Guard(PASSWORDS, ("PLAIN",), Authority()), "ada"),
    "by SCRAM-SHA-256": Door(Guard(PASSWORDS), "ada", "SCRAM-SHA-256"),
    "by SCRAM-SHA-512": Door(Guard(PASSWORDS), "ada", "SCRAM-SHA-512"),
    "by a token": Door(Guard(mechanisms=("OAUTHBEARER",)), "ada"),
    "by a certificate": Door(Guard(tls=Authority(), client_certificates=True), "ada"),
}


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS.keys())
async def test_rights_are_given_to_whoever_was_let_in(servers: Run, door: Door) -> None:
    guard = Guard(
        door.guard.users,
        door.guard.mechanisms,
        door.guard.tls,
        door.guard.client_certificates,
        authorize=True,
    )
    async with kafka_server(
        servers, f"kafka-guarded-{door.mechanism}-{guard.protocol}", guard=guard
    ) as server:
        assert not await answers(admin({"bootstrap.servers": server.bootstrap}), 2), "somebody unknown got in"
        client = admin(server.client(door.user, door.mechanism))
        with pytest.raises(KafkaException) as denied:
            await make(client, "guarded")
        assert denied.value.args[0].name() == "TOPIC_AUTHORIZATION_FAILED"
        await allow(server, f"CN={door.user}" if guard.client_certificates else door.user)
        await until("the right is known", lambda: may_make(client, "guarded"))


async def may_make(client: AdminClient, topic: str) -> bool:
    try:
        await make(client, topic)
    except KafkaException:
        return False
    return True


async def allow(server: LocalKafka, principal: str) -> None:
    """Give somebody all rights on all topics, by the listener that demands nothing."""
    binding = AclBinding(
        ResourceType.TOPIC,
        "*",
        ResourcePatternType.LITERAL,
        f"User:{principal}",
        "*",
        AclOperation.ALL,
        AclPermissionType.ALLOW,
    )
    keeper = admin(
        {"bootstrap.servers": server.internal}
    )  # held: without its client a future never comes true
    await asyncio.wrap_future(keeper.create_acls([binding], request_timeout=10)[binding])


async def test_a_wrong_password_does_not_open(servers: Run) -> None:
    async with kafka_server(servers, "kafka-password", guard=Guard(PASSWORDS)) as server:
        for mechanism in server.guard.mechanisms:
            wrong = server.client("ada", mechanism) | {"sasl.password": "guessed"}
            assert not await answers(admin(wrong), 2)


def share_level(server: LocalKafka) -> int:
    """The level of share groups that the server ended up with; 0 where there are none."""
    client = KafkaAdminClient(bootstrap_servers=server.bootstrap)
    try:
        found = client.describe_features().get("share.version", {})
        return int(found.get("finalized", (0, 0))[1])
    finally:
        client.close()


async def test_features_have_the_levels_that_were_asked_for(servers: Run, kafka: LocalKafka) -> None:
    assert await asyncio.to_thread(share_level, kafka) == 2
    async with kafka_server(servers, "kafka-features", features={"share.version": 0}) as server:
        assert await asyncio.to_thread(share_level, server) == 0
