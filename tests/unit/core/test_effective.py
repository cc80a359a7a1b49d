"""What status says of fields that were left out: exactly what holds, and only where they were."""

from datetime import timedelta
from typing import Any

import pytest
from tests.unit.core.status.accounts import NOW

from headgate.api import (
    ConsumerGroupSpec,
    ConsumerGroupStatus,
    DeadLetterQueueSpec,
    EventBrokerSpec,
    EventTopicSpec,
    EventTopicStatus,
)
from headgate.core.compiled import Compiled
from headgate.core.defaults import Pressure
from headgate.core.effective import broker_effective, effective_of
from headgate.core.status.account import TopicAccount
from headgate.core.status.topic import topic_status

TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "w"}
OWNER = {"team": "t", "contact": "#t", "runbook": "https://runbooks.example/t"}
BARE = {"topicRef": {"name": "t"}, "start": {"from": "Earliest"}}
NATS = {"servers": ["nats://n:4222"]}
RETRIES = {
    "retryPolicy.attempts": "5",
    "retryPolicy.handlingTimeout": "30s",
    "retryPolicy.waits": "1s,2s,4s,8s",
}
GONE = {"deletionTimeout": "5m"}


def scaled(**more: Any) -> dict[str, Any]:
    return {"scaling": {"targetRef": TARGET, "maxReplicas": 3, **more}}


GROUPS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "a group that says nothing gets the default retries": ({}, GONE | RETRIES),
    "a group with a policy of its own has no default retries": ({"retryPolicyRef": {"name": "p"}}, GONE),
    "a scaled group without a promise": (
        scaled(),
        GONE | RETRIES | {"scaling.drainWithin": "1m", "scaling.idleAfter": "5m"},
    ),
    "a scaled group drains within its promise": (
        scaled() | {"freshness": {"maxAge": "30s"}},
        GONE | RETRIES | {"scaling.drainWithin": "30s", "scaling.idleAfter": "5m"},
    ),
    "what is declared is not told again": (
        scaled(drainWithin="20s", idleAfter="0s") | {"deletionTimeout": "1m"},
        RETRIES,
    ),
}


@pytest.mark.parametrize(("more", "expected"), GROUPS.values(), ids=GROUPS.keys())
def test_group(more: dict[str, Any], expected: dict[str, str]) -> None:
    found = effective_of(ConsumerGroupSpec.model_validate(BARE | more))
    assert found == expected
    assert ConsumerGroupStatus(effective=found).effective == expected


def test_topics_and_queues_say_how_long_they_wait_for_a_broker_that_is_away() -> None:
    topic = {"brokerRef": {"name": "b"}, "subjects": ["t.>"], "retention": {"maxAge": "1h"}}
    queue = {"brokerRef": {"name": "b"}, "owner": OWNER, "retention": {"maxAge": "1h"}}
    assert effective_of(EventTopicSpec.model_validate(topic)) == GONE
    assert effective_of(DeadLetterQueueSpec.model_validate(queue)) == GONE
    assert effective_of(EventTopicSpec.model_validate(topic | {"deletionTimeout": "1s"})) == {}


LIMITS = {"requestsPerSecond": 1, "progressPerSecond": 2, "maxInFlight": 3, "timeout": "4s"}
OURS = "KV_*,OBJ_*,$*,__*,_schemas,amq.*,headgate_*"
BROKERS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "an EventBroker that says nothing": (
        {},
        {
            "limits.requestsPerSecond": "100",
            "limits.progressPerSecond": "50",
            "limits.maxInFlight": "64",
            "limits.timeout": "10s",
            "resyncInterval": "2m",
            "tenancy.protectedNames": OURS,
        },
    ),
    "an EventBroker that says all of it still protects what is ours": (
        {"limits": LIMITS, "resyncInterval": "5s", "tenancy": {"protectedNames": ["x"]}},
        {"resyncInterval": "5s", "tenancy.protectedNames": "x,headgate_*"},
    ),
}


@pytest.mark.parametrize(("more", "expected"), BROKERS.values(), ids=BROKERS.keys())
def test_broker(more: dict[str, Any], expected: dict[str, str]) -> None:
    assert broker_effective(EventBrokerSpec.model_validate({"nats": NATS} | more), Pressure()) == expected


def test_a_kind_of_broker_may_be_pressed_less() -> None:
    spec = EventBrokerSpec.model_validate({"nats": NATS, "limits": {"maxInFlight": 3}})
    found = broker_effective(spec, Pressure(7, 6, 5, timedelta(seconds=4)))
    limits = {name.partition(".")[2]: value for name, value in found.items() if name.startswith("limits.")}
    assert limits == {"requestsPerSecond": "7", "progressPerSecond": "6", "timeout": "4s"}


def test_status_tells_them_beside_what_the_broker_decides() -> None:
    compiled = Compiled(effective={"replicas": "3"})
    account = TopicAccount(now=NOW, generation=1, compiled=compiled, defaults={"deletionTimeout": "5m"})
    assert topic_status(account).effective == {"replicas": "3", "deletionTimeout": "5m"}


def test_status_keeps_what_it_said_while_nothing_can_be_worked_out() -> None:
    before = EventTopicStatus(effective={"replicas": "3"})
    account = TopicAccount(now=NOW, generation=1, previous=before, defaults={"deletionTimeout": "5m"})
    assert topic_status(account).effective == {"replicas": "3"}
