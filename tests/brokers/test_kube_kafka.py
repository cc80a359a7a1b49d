"""The operator on a real control plane with a real Kafka: what users declare is there, stays there, and is never lost."""

from collections.abc import AsyncIterator, Awaitable, Callable
from time import monotonic

import pytest
import pytest_asyncio
from tests.broker_servers import kafka_server
from tests.brokers.kube_kafka import RESYNC, Home, at_home, group, queue, topic
from tests.kube.conftest import NamespaceOf

from headgate.local.audit import AuditLog
from headgate.local.cache import Say
from headgate.local.client import Client
from headgate.local.cluster import Cluster
from headgate.local.kafka import LocalKafka
from headgate.local.run import Run
from headgate.local.waiting import until

pytestmark = pytest.mark.takes(150)

IN_TIME = RESYNC + 1.0
HOUR = "3600000"


@pytest_asyncio.fixture(scope="module")
async def home(
    cluster: Cluster, api: Client, servers: Run, namespace_of: NamespaceOf, aloud: Say
) -> AsyncIterator[Home]:
    """An operator and a server of its own."""
    namespace = await namespace_of("main")
    async with (
        kafka_server(servers, "kube-kafka", say=aloud) as server,
        at_home(
            cluster, api, servers, server, namespace, "kube-kafka", env={"HEADGATE_GRACE": "4s"}
        ) as found,
    ):
        yield found


@pytest.fixture
async def orders(home: Home) -> str:
    """A topic and a group that are Ready."""
    await home.estate.put("EventTopic", "orders", topic())
    await home.estate.put("ConsumerGroup", "billing", group("orders"))
    await home.estate.ready("EventTopic", "orders")
    await home.estate.ready("ConsumerGroup", "billing")
    return "orders"


@pytest.mark.parametrize("version", ["4.2.0", "4.4.0"])
async def test_an_estate_becomes_ready(
    cluster: Cluster, api: Client, servers: Run, namespace_of: NamespaceOf, aloud: Say, version: str
) -> None:
    """Every kind, compiled as documented, on each version."""
    name = f"kube-kafka-{version.replace('.', '-')}"
    namespace = await namespace_of("versions")
    async with (
        kafka_server(servers, name, version=version, say=aloud) as server,
        at_home(cluster, api, servers, server, namespace, name) as home,
    ):
        estate = home.estate
        spec = topic(
            retention={"maxAge": "1h", "maxBytes": "64Mi"}, native={"kafka": {"compression.type": "zstd"}}
        )
        await estate.put("EventTopic", "orders", spec)
        await estate.put("DeadLetterQueue", "dead", queue())
        binding = {"configMapName": "billing-binding"}
        spec = group("orders", binding=binding, retryPolicyRef=None, deadLetterQueueRef={"name": "dead"})
        await estate.put("ConsumerGroup", "billing", spec)
        for kind, each in (
            ("EventTopic", "orders"),
            ("DeadLetterQueue", "dead"),
            ("ConsumerGroup", "billing"),
        ):
            await estate.ready(kind, each, limit=30)
        configs = await home.hand.configs("orders")
        assert await home.hand.partitions("orders") == 2
        assert configs["retention.ms"] == HOUR
        assert configs["retention.bytes"] == str(32 << 20)
        assert configs["compression.type"] == "zstd"
        waits = [f"orders-billing-retry-{wait}000" for wait in (1, 2, 4, 8)]
        assert await home.hand.names() == {"orders", "dead", "orders-billing-due", *waits}
        found = await home.hand.positions("billing")
        assert {place: found[place] for place in found if place[0] == "orders"} == {
            ("orders", 0): 0,
            ("orders", 1): 0,
        }
        main = await estate.status("EventBroker", "main")
        assert (main["type"], main["serverVersion"]) == ("Kafka", version.rpartition(".")[0])
        assert main["identity"]
        files = (await api.get(f"/api/v1/namespaces/{namespace}/configmaps/billing-binding"))["data"]
        assert (files["topics"], files["group-id"]) == ("orders,orders-billing-due", "billing")
        assert files["retry-topics"] == ",".join(waits)
        assert files["dead-letter-topic"] == "dead"
        assert files["bootstrap-servers"] == server.bootstrap
        await estate.says("DeadLetterQueue", "dead", "NoNoticeNeeded", about="Capturing", status="True")
        assert home.operator.complaints == []


async def retention(home: Home) -> Callable[[], Awaitable[bool]]:
    await home.hand.override("orders", "retention.ms", "7200000")

    async def repaired() -> bool:
        return (await home.hand.configs("orders"))["retention.ms"] == HOUR

    return repaired


async def a_config_that_nobody_declared(home: Home) -> Callable[[], Awaitable[bool]]:
    await home.hand.override("orders", "max.message.bytes", "2000000")

    async def repaired() -> bool:
        return "max.message.bytes" not in await home.hand.configs("orders")

    return repaired


async def positions(home: Home) -> Callable[[], Awaitable[bool]]:
    await home.hand.drop_group("billing")

    async def repaired() -> bool:
        return set(await home.hand.positions("billing")) == {("orders", 0), ("orders", 1)}

    return repaired


DRIFT = {
    "a changed retention is put right": retention,
    "a config that nobody declared goes": a_config_that_nobody_declared,
    "positions that somebody deleted come back": positions,
}


@pytest.mark.parametrize("harm", DRIFT.values(), ids=DRIFT.keys())
async def test_drift_is_repaired_within_the_resync_interval_and_a_second(
    home: Home, orders: str, harm: Callable[[Home], Awaitable[Callable[[], Awaitable[bool]]]]
) -> None:
    repaired = await harm(home)
    await until("it is repaired", repaired, limit=IN_TIME)
    await home.estate.ready("EventTopic", orders)
    await home.estate.ready("ConsumerGroup", "billing")


async def test_a_topic_grows_and_its_idle_group_with_it_and_a_shrink_is_blocked(home: Home) -> None:
    estate = home.estate
    await estate.put("EventTopic", "growing", topic())
    await estate.put("ConsumerGroup", "grown", group("growing"))
    await estate.ready("ConsumerGroup", "grown")
    await estate.change("EventTopic", "growing", {"partitions": 4})
    await estate.ready("EventTopic", "growing")

    async def covered() -> bool:
        return len(await home.hand.positions("grown")) == 4

    await until("the group has a position in every partition", covered, limit=IN_TIME + 5)
    assert set((await home.hand.positions("grown")).values()) == {0}
    await estate.delete("EventTopic", "growing")
    await estate.delete("ConsumerGroup", "grown")
    await estate.gone("EventTopic", "growing")
    await estate.put("EventTopic", "growing", topic(adoptionPolicy="Always"))
    message = await estate.says("EventTopic", "growing", "Blocked")
    assert "partitions" in message
    assert "another externalName" in message
    assert await home.hand.partitions("growing") == 4


async def test_a_topic_made_anew_by_somebody_is_noticed(home: Home) -> None:
    estate = home.estate
    await estate.put("EventTopic", "swapped", topic())
    await estate.ready("EventTopic", "swapped")
    await home.hand.drop("swapped")
    await home.hand.make("swapped", 2)
    await estate.says("EventTopic", "swapped", "DataLost", limit=IN_TIME + 5)


async def test_a_crash_between_making_a_topic_and_saying_so_loses_nothing(home: Home, orders: str) -> None:
    """A topic has no room for a mark: what was about to be made stands in an annotation until its id is recorded."""
    estate = home.estate
    await home.hand.publish(orders, 3)
    await home.operator.kill()
    path = estate.path("EventTopic", orders)
    await estate.api.patch(f"{path}/status", {"status": None})
    body = await estate.get("EventTopic", orders)
    assert "headgate.dev/creates" in body["metadata"]["annotations"]
    await home.operator.start()
    status = await estate.ready("EventTopic", orders)
    assert status["record"]["origin"] == "Created"
    assert await home.hand.partitions(orders) == 2


DELETIONS = {
    "what is retained stays": ("Retain", 2, True),
    "what is to be deleted goes": ("Delete", 2, False),
    "what is empty goes": ("DeleteIfEmpty", 0, False),
    "what holds events stays where it has to be empty": ("DeleteIfEmpty", 2, True),
}


@pytest.mark.parametrize("row", DELETIONS.values(), ids=DELETIONS.keys())
async def test_a_deleted_topic(home: Home, row: tuple[str, int, bool]) -> None:
    policy, events, stays = row
    name = f"deleted-{policy.lower()}-{events}"
    await home.estate.put("EventTopic", name, topic(deletionPolicy=policy))
    await home.estate.ready("EventTopic", name)
    await home.hand.publish(name, events)
    await home.estate.delete("EventTopic", name)
    await home.estate.gone("EventTopic", name)

    async def as_declared() -> bool:
        return (name in await home.hand.names()) is stays

    await until("it is as declared", as_declared)


async def test_what_looks_alike_is_taken_over_and_what_differs_only_where_that_is_declared(
    home: Home,
) -> None:
    estate, hand = home.estate, home.hand
    alike = {"retention_ms": HOUR, "retention_bytes": "-1", "cleanup_policy": "delete"}
    await hand.make("alike", 2, segment_ms="450000", min_insync_replicas="1", **alike)
    await hand.make("other", 2, retention_ms="1000000")
    await estate.put("EventTopic", "alike", topic())
    await estate.put("EventTopic", "other", topic())
    status = await estate.ready("EventTopic", "alike")
    assert status["record"]["origin"] == "Adopted"
    message = await estate.says("EventTopic", "other", "Conflict")
    assert "retention.ms" in message
    await estate.change("EventTopic", "other", {"adoptionPolicy": "Always"})
    await estate.ready("EventTopic", "other")
    assert (await hand.configs("other"))["retention.ms"] == HOUR


async def test_an_object_that_is_refused_stops_no_other(home: Home) -> None:
    """The server's own words end in the status of that one object."""
    estate = home.estate
    await estate.put("EventTopic", "bad", topic(native={"kafka": {"compression.type": "brotli"}}))
    await estate.put("EventTopic", "many", topic(replicas=3))
    await estate.put("EventTopic", "subjects", topic(subjects=["a.>"]))
    await estate.put("EventTopic", "good", topic())
    await estate.ready("EventTopic", "good")
    assert "compression.type" in await estate.says("EventTopic", "bad", "InvalidSetting")
    assert "spec.replicas" in await estate.says("EventTopic", "many", "ReplicasNotPossible")
    assert "spec.subjects" in await estate.says("EventTopic", "subjects", "UnsupportedByBroker")
    await estate.change("EventTopic", "bad", {"native": {"kafka": {"compression.type": "lz4"}}})
    await estate.ready("EventTopic", "bad")


async def test_a_topic_takes_two_writes_to_create_one_to_change_and_none_at_rest(
    home: Home, audit: AuditLog
) -> None:
    estate = home.estate
    audit.read()
    await estate.put("EventTopic", "counted", topic())
    await estate.ready("EventTopic", "counted")
    assert await writes(home, audit, 2) == ["patch eventtopics", "patch eventtopics/status"]
    await estate.put("EventTopic", "counted", topic(retention={"maxAge": "2h"}))
    await estate.ready("EventTopic", "counted")
    assert await writes(home, audit, 1) == ["patch eventtopics/status"]
    at = monotonic()

    async def rested() -> bool:
        return monotonic() - at > 2 * RESYNC

    async with estate.changes() as seen:
        await until("two full passes went by", rested)
    assert [each for each in seen if "counted" in each] == []
    assert await writes(home, audit, 0) == []


async def writes(home: Home, log: AuditLog, least: int) -> list[str]:
    """What was written to the topic of the test since the log was last read."""
    found: list[str] = []

    async def enough() -> bool:
        asked = (r for r in home.operator.requests(log) if r.writes and r.name == "counted")
        found.extend(f"{r.verb} {r.resource}" for r in asked)
        return len(found) >= least

    await until(f"{least} writes are in the log", enough)
    return found


async def test_a_broker_that_is_away_is_told_with_its_address_and_drift_is_repaired_when_it_is_back(
    home: Home, orders: str
) -> None:
    """Last of this file: it harms the server."""
    estate, server = home.estate, home.server
    assert isinstance(server, LocalKafka)
    await server.kill()
    message = await estate.says("EventBroker", "main", "Unreachable", status="False", limit=60)
    assert "spec.kafka.bootstrapServers" in message
    await estate.says("EventTopic", orders, "Unreachable", status="False", limit=30)
    await server.restart()
    await estate.ready("EventBroker", "main", limit=30)
    await estate.ready("EventTopic", orders, limit=30)
    assert home.operator.complaints == []
