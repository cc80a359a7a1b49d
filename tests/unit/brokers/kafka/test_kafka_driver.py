"""Kafka as a kind of broker: what manifests say in its words, and what is held off until somebody sees to it."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from tests.unit.core.declare import BILLING, DEAD, MAIN, ORDERS, STANDARD, declare, estate

from headgate.api import EventBrokerSpec, KafkaCluster, NativeKafkaGroup, NativeKafkaTopic
from headgate.brokers.base import BrokerFacts, Credentials, Refused
from headgate.brokers.kafka.binding import BINDING_KEYS
from headgate.brokers.kafka.driver import KafkaDriver
from headgate.brokers.kafka.natives import connection_of
from headgate.brokers.kafka.resources import (
    GROUP_CONFIGS,
    TOPIC_CONFIGS,
    KafkaGroup,
    KafkaTopic,
    group_key,
    topic_key,
)
from headgate.brokers.kafka.values import KafkaConnection
from headgate.core.compiled import Compiled, Effect
from headgate.core.estate import Declared, Ref
from headgate.core.index import GROUP, TOPIC
from headgate.core.resolve import resolve

FACTS = BrokerFacts("Kafka", "4.4", "id", nodes=3)
OPENED = {
    "kafka": ["segment.bytes", "retention.ms", "filterBy", "consumer.session.timeout.ms", "retry"],
    "nats": ["compression", "maxWaiting"],
}
OPEN: dict[str, Any] = {
    "allowedNamespaces": {"from": "Names", "names": ["shop"]},
    "tenancy": {"nativeAllowed": OPENED},
}
ONCE: dict[str, Any] = {"retryPolicyRef": {"name": "standard"}}
SERVERS = {"bootstrapServers": ["a:9092", "b:9092"]}


def compiled(
    *objects: Declared[Any], kafka: Mapping[str, Any] = SERVERS, **broker: Any
) -> dict[Ref, Compiled]:
    """What an estate becomes on a cluster."""
    main = declare(MAIN, nats=None, kafka=kafka, **{**OPEN, **broker})
    policy = declare(STANDARD, attempts=1)
    return dict(KafkaDriver().compile(resolve(estate(main, policy, *objects), MAIN), FACTS, "here"))


def native(**kafka: str) -> dict[str, Any]:
    """Settings in Kafka's words; `_` stands for a dot."""
    return {"kafka": {key.replace("_", "."): value for key, value in kafka.items()}}


CONNECTIONS: Mapping[str, tuple[dict[str, Any], KafkaConnection]] = {
    "servers alone": (SERVERS, KafkaConnection(("a:9092", "b:9092"))),
    "encrypted with authorities that everybody trusts": (
        {**SERVERS, "tls": {}},
        KafkaConnection(("a:9092", "b:9092"), tls=True),
    ),
    "a password": (
        {**SERVERS, "sasl": {"mechanism": "SCRAM-SHA-512", "credentialsSecretRef": {"name": "s"}}},
        KafkaConnection(("a:9092", "b:9092"), sasl="SCRAM-SHA-512"),
    ),
    "tokens": (
        {
            **SERVERS,
            "tls": {"caSecretRef": {"name": "ca"}},
            "sasl": {
                "mechanism": "OAUTHBEARER",
                "credentialsSecretRef": {"name": "s"},
                "tokenURL": "https://login.example/token",
            },
        },
        KafkaConnection(
            ("a:9092", "b:9092"), sasl="OAUTHBEARER", tls=True, token_url="https://login.example/token"
        ),
    ),
}


@pytest.mark.parametrize("sentence", CONNECTIONS)
def test_a_connection_is_read(sentence: str) -> None:
    """As written in the EventBroker, as the adapter takes it."""
    written, wanted = CONNECTIONS[sentence]
    assert connection_of(KafkaCluster.model_validate(written)) == wanted


def test_every_config_of_a_topic_can_be_declared() -> None:
    assert {info.alias for info in NativeKafkaTopic.model_fields.values()} == set(TOPIC_CONFIGS)


def test_configs_of_classic_groups_can_be_declared() -> None:
    """Those of share groups are not: such groups are not made."""
    declared = {
        info.alias
        for name, info in NativeKafkaGroup.model_fields.items()
        if name not in {"filter_by", "retry"}
    }
    wanted = {key for key in GROUP_CONFIGS if key.partition(".")[0] in {"consumer", "streams"}}
    assert declared == wanted


def test_a_config_reaches_the_topic() -> None:
    orders = declare(ORDERS, native=native(segment_bytes="1048576", retention_ms="Unmanaged"))
    (topic,) = compiled(orders)[ORDERS].resources
    assert isinstance(topic, KafkaTopic)
    assert (topic.segment_bytes, topic.retention_ms) == ("1048576", None)


def test_a_config_that_is_not_opened_to_a_namespace_is_refused() -> None:
    main = declare(MAIN, nats=None, kafka=SERVERS, **OPEN)
    orders = declare(ORDERS, native=native(compression_type="zstd"))
    (finding,) = resolve(estate(main, orders), MAIN).findings[ORDERS]
    assert finding.field == "spec.native.kafka.compression.type"


def test_a_config_reaches_the_group_and_a_filter_is_left_to_the_worker() -> None:
    settings = {"kafka": {"filterBy": "Worker", "consumer.session.timeout.ms": "50000"}}
    billing = declare(BILLING, filter={"subjects": ["orders"]}, native=settings, **ONCE)
    found = compiled(declare(ORDERS), billing)[BILLING]
    (group,) = found.resources
    assert isinstance(group, KafkaGroup)
    assert group.consumer_session_timeout_ms == "50000"
    assert found.binding is not None
    assert found.binding["filters"] == "orders"


FOREIGN: Mapping[str, tuple[Declared[Any], Ref]] = {
    "a topic": (declare(ORDERS, native={"nats": {"compression": "s2"}}), ORDERS),
    "a group": (declare(BILLING, native={"nats": {"maxWaiting": 5}}, **ONCE), BILLING),
}


@pytest.mark.parametrize("sentence", FOREIGN)
def test_settings_of_another_kind_of_broker_are_refused(sentence: str) -> None:
    """They would be passed over in silence."""
    declared, ref = FOREIGN[sentence]
    found = compiled(*{ORDERS: declare(ORDERS), ref: declared}.values())[ref]
    assert [finding.field for finding in found.findings] == ["spec.native.nats"]
    assert [note.field for note in found.notes if note.effect is Effect.REFUSED] == ["spec.native.nats"]
    assert found.resources == ()


def test_workers_that_see_to_retries_themselves_are_told_of_no_topic_to_come_back_in() -> None:
    billing = declare(BILLING, native={"kafka": {"retry": {"driver": "Client"}}})
    found = compiled(declare(ORDERS), billing)[BILLING].binding
    assert found is not None
    assert (found["retry-driver"], found["topics"]) == ("Client", "orders")
    assert found["retry-topics"].split(",")[0] == "orders-billing-retry-1000"


def test_a_worker_is_told_everything_in_the_list() -> None:
    billing = declare(BILLING, concurrency={"perReplica": 20}, deadLetterQueueRef={"name": "dead"})
    sasl = {"mechanism": "SCRAM-SHA-512", "credentialsSecretRef": {"name": "s"}}
    found = compiled(
        declare(ORDERS, maxMessageSize="1Mi"),
        declare(DEAD),
        billing,
        kafka={**SERVERS, "sasl": sasl, "tls": {}},
        workerCredentials={"secretName": "events-client"},
    )[BILLING].binding
    assert found is not None
    assert set(BINDING_KEYS) == {*found, "ca.crt"}
    assert json.loads(found["rules"]) == []
    assert {key: found[key] for key in found.keys() - {"rules"}} == {
        "broker-type": "Kafka",
        "bootstrap-servers": "a:9092,b:9092",
        "security-protocol": "SASL_SSL",
        "sasl-mechanism": "SCRAM-SHA-512",
        "credentials-secret-name": "events-client",
        "group": "shop/billing",
        "topic": "shop/orders",
        "topics": "orders,orders-billing-due",
        "group-id": "billing",
        "auto-offset-reset": "earliest",
        "filters": "",
        "handling-timeout": "30s",
        "max-attempts": "5",
        "retry-driver": "Mover",
        "retry-waits": "1s,2s,4s,8s",
        "retry-topics": ",".join(f"orders-billing-retry-{wait}000" for wait in (1, 2, 4, 8)),
        "dead-letter-topic": "dead",
        "dead-letter-max-size": "1040Ki",
        "deadline": "",
        "on-exhausted": "DeadLetter",
        "prefetch": "20",
    }


def test_a_driver_says_what_the_engine_has_to_know() -> None:
    driver, spec = KafkaDriver(), EventBrokerSpec(kafka=KafkaCluster(bootstrap_servers=("a:9092",)))
    assert driver.infrastructure(FACTS, spec) == ()
    assert driver.traits.at_once >= 64
    assert "Kafka" in driver.traits.no_notices
    assert driver.keys("orders", TOPIC) == (topic_key("orders"),)
    assert driver.keys("billing", GROUP, "orders") == (group_key("orders", "billing"),)


def test_a_declaration_of_another_broker_is_refused() -> None:
    with pytest.raises(Refused, match=r"spec\.kafka: say how to reach the servers"):
        KafkaDriver().connect(EventBrokerSpec(), Credentials())
