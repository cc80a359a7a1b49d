"""What Headgate has to be allowed: exactly the rights that docs/kafka.md lists, and what is said where one is missing."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)
from tests.broker_servers import kafka_server
from tests.brokers.kafka.test_kafka_login import LIMITS, works
from tests.brokers.kafka.worlds import KafkaWorld, changed, created, deleted, world_at

from headgate.brokers.base import BrokerError, Credentials, Refused, Unavailable
from headgate.brokers.kafka.resources import KafkaGroup, KafkaTopic, group_key, topic_key
from headgate.brokers.kafka.values import KafkaConnection
from headgate.core.resource import Key, Observed, Unread
from headgate.local.errors import LocalError
from headgate.local.kafka import LocalKafka
from headgate.local.kafka_config import Guard
from headgate.local.run import Run
from headgate.local.waiting import until

# What Headgate has to be allowed, and nothing beyond: kind of resource, name or * for all, operation.
RIGHTS: tuple[tuple[ResourceType, str, AclOperation], ...] = (
    (ResourceType.TOPIC, "*", AclOperation.CREATE),
    (ResourceType.TOPIC, "*", AclOperation.ALTER),
    (ResourceType.TOPIC, "*", AclOperation.DELETE),
    (ResourceType.TOPIC, "*", AclOperation.DESCRIBE),
    (ResourceType.TOPIC, "*", AclOperation.READ),
    (ResourceType.TOPIC, "*", AclOperation.DESCRIBE_CONFIGS),
    (ResourceType.TOPIC, "*", AclOperation.ALTER_CONFIGS),
    (ResourceType.GROUP, "*", AclOperation.DESCRIBE),
    (ResourceType.GROUP, "*", AclOperation.READ),
    (ResourceType.GROUP, "*", AclOperation.DELETE),
    (ResourceType.GROUP, "*", AclOperation.DESCRIBE_CONFIGS),
    (ResourceType.GROUP, "*", AclOperation.ALTER_CONFIGS),
    (ResourceType.BROKER, "kafka-cluster", AclOperation.DESCRIBE),
)


def allowed(
    server: LocalKafka, user: str, rights: tuple[tuple[ResourceType, str, AclOperation], ...]
) -> None:
    """Give a user exactly these rights."""
    client = AdminClient({"bootstrap.servers": server.internal, "log_level": 0})
    bindings = [
        AclBinding(
            kind,
            name,
            ResourcePatternType.LITERAL,
            f"User:{user}",
            "*",
            operation,
            AclPermissionType.ALLOW,
        )
        for kind, name, operation in rights
    ]
    for future in client.create_acls(bindings, request_timeout=10).values():
        future.result(10)


MISSING: dict[str, tuple[ResourceType, AclOperation, str]] = {
    "topics cannot be made": (ResourceType.TOPIC, AclOperation.CREATE, "Create on Topic"),
    "topics cannot grow": (ResourceType.TOPIC, AclOperation.ALTER, "Alter on Topic"),
    "topics cannot be deleted": (ResourceType.TOPIC, AclOperation.DELETE, "Delete on Topic"),
    "settings of topics cannot be changed": (
        ResourceType.TOPIC,
        AclOperation.ALTER_CONFIGS,
        "AlterConfigs on Topic",
    ),
    "positions in topics cannot be set": (ResourceType.TOPIC, AclOperation.READ, "Read on Group"),
    "positions of groups cannot be set": (ResourceType.GROUP, AclOperation.READ, "Read on Group"),
    "groups cannot be deleted": (ResourceType.GROUP, AclOperation.DELETE, "Delete on Group"),
    "settings of groups cannot be changed": (
        ResourceType.GROUP,
        AclOperation.ALTER_CONFIGS,
        "AlterConfigs on Group",
    ),
}
USERS = {f"without{number}": "hush" for number in range(len(MISSING))}
PASSWORDS = {"ann": "hush", "bob": "psst", **USERS}


@pytest_asyncio.fixture(scope="module")
async def server(servers: Run) -> AsyncIterator[LocalKafka]:
    """A server that asks who may do what."""
    guard = Guard(PASSWORDS, ("PLAIN",), authorize=True)
    async with kafka_server(servers, "kafka-rights", guard=guard) as found:
        yield found


def where(server: LocalKafka) -> KafkaConnection:
    return KafkaConnection((server.bootstrap,), sasl="PLAIN")


def login(user: str) -> Credentials:
    """What the Secret of a user holds."""
    return Credentials({"username": user.encode(), "password": PASSWORDS[user].encode()})


async def life(world: KafkaWorld, name: str) -> set[str]:
    """Everything that is ever done, as far as it goes; what was said to be missing."""
    topic = KafkaTopic(topic_key(name), partitions=1, replicas=1)
    group = KafkaGroup(group_key(name, name), start="earliest", consumer_session_timeout_ms="50000")
    said: list[str] = []
    steps: tuple[Callable[[], Awaitable[None]], ...] = (
        lambda: change(world, topic),
        lambda: change(world, replace(topic, retention_ms="600000")),
        lambda: change(world, replace(topic, partitions=2)),
        lambda: change(world, group),
        lambda: end(world, group.key),
        lambda: end(world, topic.key),
    )
    for step in steps:
        try:
            await step()
        except BrokerError as error:
            said.append(str(error))
    return {found[1] for text in said if (found := re.search(r"allow the credentials (\w+ on \w+)", text))}


async def change(world: KafkaWorld, wanted: KafkaTopic | KafkaGroup) -> None:
    """Have it be so."""
    found = (await world.broker.observe([wanted.key])).get(wanted.key)
    if isinstance(found, Unread):
        raise Unavailable(found.reason, found.message)
    await world.broker.apply(created(wanted) if found is None else changed(found, wanted))


async def end(world: KafkaWorld, key: Key) -> None:
    """Delete it, where it is there."""
    if isinstance(found := (await world.broker.observe([key])).get(key), Observed):
        await world.broker.apply(deleted(found))


@pytest.mark.parametrize("sentence", MISSING)
async def test_a_right_that_is_missing_is_named(server: LocalKafka, sentence: str) -> None:
    """And it alone: all others are there."""
    kind, operation, named = MISSING[sentence]
    user = f"without{list(MISSING).index(sentence)}"
    prepared = topic_key(user)
    async with world_at(server.internal) as other:
        if operation is AclOperation.CREATE:
            await other.made(KafkaTopic(topic_key("somebodys"), partitions=1, replicas=1))
        else:
            await other.made(KafkaTopic(prepared, partitions=1, replicas=1))
    allowed(server, user, tuple(each for each in RIGHTS if (each[0], each[2]) != (kind, operation)))
    async with world_at(server.bootstrap, LIMITS, where(server), login(user)) as world:
        seen: list[set[str]] = []

        async def named_alone() -> bool:
            seen.append(await life(world, user))
            return seen[-1] == {named}

        try:
            await until(f"{named} is what is missing", named_alone, limit=30)
        except LocalError as error:
            raise AssertionError(f"{error}: {seen}") from error


async def test_exactly_these_rights_are_enough(server: LocalKafka) -> None:
    """With none it says which one is missing, with those above everything works."""
    async with world_at(server.bootstrap, LIMITS, where(server), login("bob")) as world:
        wanted = KafkaTopic(topic_key("orders"), partitions=1)
        with pytest.raises(Refused) as refusal:
            await world.broker.apply(created(wanted))
        assert refusal.value.reason == "PermissionDenied"
        assert "Create on Topic orders" in str(refusal.value)
    allowed(server, "ann", RIGHTS)
    async with world_at(server.bootstrap, LIMITS, where(server), login("ann")) as world:

        async def known() -> bool:
            return await life(world, "everything") == set()

        await until("the rights are in force", known, limit=20)
        await works(world)
        topic = await world.made(world.topic())
        group = await world.made(KafkaGroup(group_key(topic.resource.key.name, "mail"), start="latest"))
        assert (await world.progress(group.resource.key)).pending == 0
        assert await world.broker.dead_letters([topic.resource.key])
        assert await world.broker.apply(deleted(group)) is None
        assert await world.broker.apply(deleted(topic)) is None


def test_the_rights_are_those_of_the_documentation() -> None:
    """The page says what is tried here."""
    page = (Path(__file__).parents[3] / "docs" / "kafka.md").read_text()
    words = {operation: operation.name.title().replace("_", "") for _, _, operation in RIGHTS}
    for kind, _, operation in RIGHTS:
        resource = "Cluster" if kind is ResourceType.BROKER else f"{kind.name.title()} `\\*`"
        assert re.search(rf"\| {resource} \| [^|]*\b{words[operation]}\b", page), (kind, operation)
