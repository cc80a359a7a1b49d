"""What `headgate plan` says, on a broker in memory and a cluster that is a dictionary."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from tests.unit.cli.planning import (
    BILLING,
    HOME,
    ORDERS,
    Cluster,
    applied,
    estate,
    fake,
    foreseen,
    seen,
    told,
)

from headgate.brokers.fake import FakeBroker
from headgate.cli.plan import exit_code
from headgate.cli.plan_gather import Gathered
from headgate.cli.plan_outlook import Outlook, Result, foresee
from headgate.cli.plan_text import as_json
from headgate.core.estate import Ref
from headgate.core.resource import Key


def test_an_empty_broker_gets_everything_in_an_order_that_works() -> None:
    found = foreseen(fake(), estate())
    steps = sorted((step for each in found.values() for step in each.steps), key=lambda s: s.order or 0)
    assert [(step.order, f"{step.action} {step.key}") for step in steps] == [
        (0, "Create stream/headgate_advisories"),
        (1, "Create stream/orders"),
        (2, "Create consumer/orders/billing"),
    ]
    assert {each.result for each in found.values()} == {Result.CHANGES}


def test_what_the_broker_holds_already_is_in_sync() -> None:
    broker, bodies = fake(), estate()
    asyncio.run(applied(broker, bodies))
    found = foreseen(broker, bodies)
    assert {each.result for each in found.values()} == {Result.IN_SYNC}
    assert told(list(found.values())) == "Plan: nothing to change; 3 of 3 as declared."


def test_what_the_broker_says_nothing_about_is_neither_in_sync_nor_gone() -> None:
    """Nor is anything that lies in it; what is planned elsewhere is planned."""
    broker, bodies = fake(), estate()
    asyncio.run(applied(broker, bodies))
    broker.fall_silent(Key("stream", "orders"))
    found = foreseen(broker, bodies)
    assert {ref.name for ref, each in found.items() if each.result is Result.UNREACHABLE} == {
        "orders",
        "billing",
    }
    assert not any(each.steps for each in found.values())
    assert "NoLeader" in told(list(found.values()))


@dataclass(frozen=True)
class Row:
    """One change to a declared estate, and what is said about it."""

    change: Callable[[dict[Ref, dict[str, Any]]], None]
    ref: Ref
    result: Result
    says: tuple[str, ...]
    code: int
    broker: Callable[[FakeBroker], None] = lambda _: None


def edit(ref: Ref, **spec: Any) -> Callable[[dict[Ref, dict[str, Any]]], None]:
    def change(bodies: dict[Ref, dict[str, Any]]) -> None:
        bodies[ref]["spec"] |= spec

    return change


def leave(ref: Ref, **spec: Any) -> Callable[[dict[Ref, dict[str, Any]]], None]:
    def change(bodies: dict[Ref, dict[str, Any]]) -> None:
        bodies[ref]["spec"] |= spec
        bodies[ref]["metadata"]["deletionTimestamp"] = "2026-11-21T11:00:00Z"

    return change


def nothing(bodies: dict[Ref, dict[str, Any]]) -> None:
    del bodies


ROWS = {
    "a longer retention is an update from one value to the other": Row(
        edit(ORDERS, retention={"maxAge": "48h"}),
        ORDERS,
        Result.CHANGES,
        ("  ~ Update stream/orders", "max_age  24h -> 48h"),
        2,
    ),
    "other storage is blocked and says the way out": Row(
        edit(ORDERS, storage="Memory"),
        ORDERS,
        Result.BLOCKED,
        (
            "(not done: Blocked)",
            "storage  file -> memory",
            "! Blocked FieldImmutable",
            "another externalName",
        ),
        1,
    ),
    "mode Plan shows the change that nobody makes": Row(
        edit(ORDERS, retention={"maxAge": "48h"}, mode="Plan"),
        ORDERS,
        Result.PLAN_ONLY,
        ("~ Update stream/orders (not done: PlanOnly)", "24h -> 48h"),
        0,
    ),
    "mode Observe shows what drifted": Row(
        edit(ORDERS, retention={"maxAge": "48h"}, mode="Observe"),
        ORDERS,
        Result.DRIFTED,
        ("(not done: Drifted)", "24h -> 48h"),
        0,
    ),
    "a group of a topic that is not there waits": Row(
        edit(BILLING, topicRef={"name": "payments"}),
        BILLING,
        Result.WAITING,
        ("! Waiting TopicNotFound", "EventTopic shop/payments does not exist", "[HG100]"),
        1,
    ),
    "a spec that cannot be read is refused": Row(
        edit(BILLING, start={"from": "Yesterday"}),
        BILLING,
        Result.REFUSED,
        ("! Refused SpecInvalid", "spec.start.from"),
        1,
    ),
    "a group that goes is deleted from the broker": Row(
        leave(BILLING, deletionPolicy="Delete"),
        BILLING,
        Result.CHANGES,
        ("  - Delete consumer/orders/billing",),
        2,
    ),
    "a topic that goes waits for the groups that still live on it": Row(
        leave(ORDERS, deletionPolicy="Delete"),
        ORDERS,
        Result.WAITING,
        ("! Waiting StillUsed", "shop/billing"),
        0,
    ),
    "a topic that goes and retains stays in the broker": Row(
        leave(ORDERS),
        ORDERS,
        Result.DELETING,
        ("  = stream/orders stays in the broker",),
        0,
    ),
    "a vanished topic is lost and nothing is made in its place": Row(
        nothing,
        ORDERS,
        Result.LOST,
        ("(not done: DataLost)", "! DataLost Vanished", "headgate.dev/acknowledge"),
        1,
        lambda broker: broker.remove(Key("stream", "orders")),
    ),
    "a group of a topic whose data is lost waits for the acknowledgement": Row(
        nothing,
        BILLING,
        Result.WAITING,
        ("! Waiting TopicDataLost",),
        1,
        lambda broker: broker.remove(Key("stream", "orders")),
    ),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_what_is_said(row: Row) -> None:
    broker, bodies = fake(), estate()
    asyncio.run(applied(broker, bodies))
    row.change(bodies)
    row.broker(broker)
    world = seen(bodies)
    found = foreseen(broker, bodies)
    if row.ref not in found:  # it has lost its way to the broker
        found |= {each.ref: each for each in asyncio.run(foresee(Cluster(), world, [row.ref]))}
    outlook = found[row.ref]
    text = told([outlook])
    assert outlook.result is row.result, text
    assert [part for part in row.says if part not in text] == []
    assert exit_code(Gathered(world, ()), (outlook,), changes=2) == row.code


def test_another_cluster_behind_the_address_freezes_everything_and_is_told_at_the_broker() -> None:
    broker, bodies = fake(), estate()
    asyncio.run(applied(broker, bodies))
    bodies[HOME]["status"] = {"record": {"identity": "somebody-else"}}
    bodies[ORDERS]["spec"]["retention"] = {"maxAge": "48h"}
    found = foreseen(broker, bodies)
    assert found[HOME].result is Result.LOST
    assert [finding.reason for finding in found[HOME].findings] == ["AnotherCluster"]
    assert found[ORDERS].result is Result.PLAN_ONLY
    assert not found[ORDERS].changes


def test_an_object_of_somebody_else_is_a_conflict() -> None:
    broker, bodies = fake(), estate()
    asyncio.run(applied(broker, bodies))
    broker.server.stores["orders"].config["metadata"]["headgate.dev/owner"] = "there/EventTopic/a/b"
    found = foreseen(broker, bodies)
    assert found[ORDERS].result is Result.CONFLICT, told([found[ORDERS]])
    assert "EventTopic a/b of installation there" in told([found[ORDERS]])


@pytest.mark.parametrize(
    ("deleting", "code"),
    [
        pytest.param(False, 1, id="what waits does not come about as declared"),
        pytest.param(True, 0, id="what goes may wait for others that go"),
    ],
)
def test_waiting_is_no_failure_of_what_goes(*, deleting: bool, code: int) -> None:
    outlook = Outlook(ORDERS, Result.WAITING, HOME, deleting=deleting)
    assert exit_code(Gathered(seen({}), ()), (outlook,), changes=2) == code


def test_a_broker_that_is_away_is_said_of_everything_on_it() -> None:
    world = seen(estate(broker={"nats": {"servers": ["nats://127.0.0.1:1"]}}))
    found = asyncio.run(foresee(Cluster(), world, [HOME, ORDERS]))
    assert [(outlook.ref, outlook.result) for outlook in found] == [
        (HOME, Result.UNREACHABLE),
        (ORDERS, Result.UNREACHABLE),
    ]
    assert "! Waiting ConnectFailed: EventBroker/shop/main: " in told(found)
    assert exit_code(Gathered(world, ()), found, changes=2) == 1


def test_a_secret_that_is_not_there_is_said_of_everything_on_the_broker() -> None:
    spec = {"nats": {"servers": ["nats://nats:4222"], "credentialsSecretRef": {"name": "login"}}}
    world = seen(estate(broker=spec))
    found = asyncio.run(foresee(Cluster(), world, [ORDERS, BILLING]))
    assert [outlook.ref for outlook in found] == [BILLING, ORDERS]
    assert {finding.reason for outlook in found for finding in outlook.findings} == {"SecretNotFound"}


def test_the_document_for_programs_has_every_key_always() -> None:
    found = foreseen(fake(), estate(topic={"storage": "Memory"}))
    document = json.loads(as_json(Gathered(seen({}), ()), list(found.values())))
    topic = next(each for each in document["objects"] if each["kind"] == "EventTopic")
    change = topic["changes"][0]
    assert list(document) == ["objects", "refusedManifests", "notes", "summary"]
    assert list(topic) == [
        *("kind", "namespace", "name", "broker", "result", "deleting"),
        *("changes", "left", "findings", "unsupported"),
    ]
    assert (change["action"], change["object"], change["order"]) == ("Create", "stream/orders", 1)
    assert {"field": "storage", "from": None, "to": "memory", "reset": False} in change["fields"]
    assert document["summary"]["create"] == 3
