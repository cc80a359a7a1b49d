"""What `headgate plan` says, on a broker in memory and a cluster that is a dictionary."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from headgate.api import KINDS
from headgate.brokers.fake import FakeBroker, FakeDriver
from headgate.cli import main
from headgate.cli.plan import exit_code
from headgate.cli.plan_gather import CannotPlan, Gathered, Scope, gather
from headgate.cli.plan_outlook import Outlook, Result, foresee, outlooks
from headgate.cli.plan_text import as_json, lines
from headgate.core.estate import Ref
from headgate.core.plan import plan
from headgate.core.resource import Key
from headgate.engine.link import Link
from headgate.engine.sweep import Sweep, claims_of, farewells_of
from headgate.engine.world import World
from headgate.kube.client import KubeClient
from headgate.kube.errors import Forbidden, NotFound
from headgate.kube.values import Listing, Secret

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
HOME = Ref("EventBroker", "shop", "main")
ORDERS = Ref("EventTopic", "shop", "orders")
BILLING = Ref("ConsumerGroup", "shop", "billing")
BROKER_SPEC = {"nats": {"servers": ["nats://nats:4222"]}}
TOPIC_SPEC = {"brokerRef": {"name": "main"}, "subjects": ["orders.>"], "retention": {"maxAge": "24h"}}
GROUP_SPEC = {"topicRef": {"name": "orders"}, "start": {"from": "Earliest"}}


def body(ref: Ref, spec: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """An object as the API server has it."""
    meta = {
        "namespace": ref.namespace,
        "name": ref.name,
        "uid": f"uid-of-{ref}",
        "resourceVersion": "1",
        "generation": 1,
        "creationTimestamp": "2026-11-01T00:00:00Z",
        **more.pop("meta", {}),
    }
    return {"metadata": meta, "spec": dict(spec), **more}


def estate(**specs: Mapping[str, Any]) -> dict[Ref, dict[str, Any]]:
    """An EventBroker, a topic and a group; each spec may be added to."""
    wanted = {
        HOME: {**BROKER_SPEC, **specs.get("broker", {})},
        ORDERS: {**TOPIC_SPEC, **specs.get("topic", {})},
        BILLING: {**GROUP_SPEC, **specs.get("group", {})},
    }
    return {ref: body(ref, spec) for ref, spec in wanted.items()}


def seen(bodies: Mapping[Ref, Mapping[str, Any]]) -> World:
    """A world that saw these objects."""
    world = World("here", lambda _: None)
    for ref, each in bodies.items():
        world.see(ref.kind, None, each)
    return world


async def connected(broker: FakeBroker) -> Link:
    """A link to a broker in memory."""
    link = Link(Cluster(), lambda: NOW, lambda _: None)
    link.driver, link.broker, link.facts = FakeDriver(broker), broker, await broker.facts()
    return link


async def applied(broker: FakeBroker, bodies: Mapping[Ref, dict[str, Any]]) -> None:
    """Have the broker hold what is declared, and the objects remember it, as the operator would."""
    world, link = seen(bodies), await connected(broker)
    assert link.driver is not None
    assert link.facts is not None
    for resource in link.driver.infrastructure(link.facts, world.estate.brokers[HOME].spec):
        broker.put(resource)
    items = (await Sweep(HOME, world, link).prepare(world.of_broker(HOME), full=True)).values()
    for change in plan(claims_of(items), {}, farewells_of(items)).changes:
        made = await broker.apply(change)
        assert made is not None
        ref = Ref(change.owner.kind, change.owner.namespace, change.owner.name)
        name = change.key.name.rpartition("/")[2]
        bodies[ref]["status"] = {
            "record": {"identity": made.identity, "externalName": name, "origin": "Created"}
        }


def foreseen(broker: FakeBroker, bodies: Mapping[Ref, Mapping[str, Any]]) -> dict[Ref, Outlook]:
    """The outlook of everything; the broker is as it was."""

    async def look() -> list[Outlook]:
        return await outlooks(seen(bodies), HOME, await connected(broker))

    before = repr(broker.server.stores)
    found = asyncio.run(look())
    assert repr(broker.server.stores) == before
    return {outlook.ref: outlook for outlook in found}


def fake() -> FakeBroker:
    """An empty broker."""
    return FakeBroker(lambda: NOW)


def told(outlooks: Sequence[Outlook], *, everything: bool = False) -> str:
    """What people read."""
    gathered = Gathered(seen({}), ())
    return "\n".join(line.text for line in lines(gathered, outlooks, everything=everything))


@dataclass
class Cluster:
    """A cluster that is a dictionary, and answers like the client."""

    bodies: Mapping[Ref, Mapping[str, Any]] = field(default_factory=dict)
    mine: str = ""  # the only namespace that may be read
    installed: bool = True

    async def get_secret(self, namespace: str, name: str) -> Secret:
        raise NotFound(f"{namespace}/{name}")

    async def list_namespaces(self) -> Listing:
        if self.mine:
            raise Forbidden("namespaces")
        names = {ref.namespace for ref in self.bodies}
        return Listing("1", tuple({"metadata": {"name": name, "labels": {}}} for name in names))

    async def list(self, kind: str, namespace: str | None = None) -> Listing:
        if not self.installed:
            raise NotFound(kind)
        if self.mine and namespace != self.mine:
            raise Forbidden(kind)
        found = [b for r, b in self.bodies.items() if r.kind == kind and namespace in (None, r.namespace)]
        return Listing("1", tuple(found))

    async def get(self, kind: str, namespace: str, name: str) -> Mapping[str, Any]:
        found = self.bodies.get(Ref(kind, namespace, name))
        if found is None:
            raise NotFound(name)
        return found


def gathered(cluster: Cluster, scope: Scope) -> Gathered:
    """What is declared in a cluster."""
    return asyncio.run(gather(cast("KubeClient", cluster), "here", scope))


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


# --- what is gathered


def manifest(tmp_path: Path, ref: Ref, spec: Mapping[str, Any], **meta: Any) -> str:
    path = tmp_path / f"{ref.kind}-{ref.name}.yaml"
    metadata = {"name": ref.name, "namespace": ref.namespace, **meta}
    document = {"apiVersion": "headgate.dev/v1alpha1", "kind": ref.kind, "metadata": metadata, "spec": spec}
    path.write_text(json.dumps(document))
    return str(path)


def test_a_manifest_is_laid_over_what_is_there(tmp_path: Path) -> None:
    file = manifest(
        tmp_path,
        ORDERS,
        TOPIC_SPEC | {"retention": {"maxAge": "48h"}},
        annotations={"headgate.dev/acknowledge": "x"},
    )
    found = gathered(Cluster(estate()), Scope("shop", files=(file,)))
    topic = found.world.estate.topics[ORDERS]
    assert topic.spec.retention.max_age is not None
    assert topic.spec.retention.max_age.total_seconds() == 48 * 3600
    assert topic.uid == f"uid-of-{ORDERS}"
    assert topic.annotations == {"headgate.dev/acknowledge": "x"}
    assert set(found.chosen) == {ORDERS, BILLING}


def test_a_manifest_of_something_new_is_the_youngest(tmp_path: Path) -> None:
    ref = Ref("EventTopic", "new", "payments")
    spec = TOPIC_SPEC | {"subjects": ["payments.>"], "brokerRef": {"name": "main", "namespace": "shop"}}
    found = gathered(Cluster(estate()), Scope("shop", files=(manifest(tmp_path, ref, spec),)))
    assert found.world.estate.topics[ref].created is None
    assert found.chosen == (ref,)
    assert "new" in found.world.estate.namespaces


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param({"externalName": "other"}, "spec.externalName", id="a field that is fixed"),
        pytest.param({"retenion": {}}, "spec.retenion", id="a field that does not exist"),
    ],
)
def test_a_manifest_that_would_not_be_accepted_changes_nothing(
    change: dict[str, Any], said: str, tmp_path: Path
) -> None:
    file = manifest(tmp_path, ORDERS, TOPIC_SPEC | change)
    found = gathered(Cluster(estate()), Scope("shop", files=(file,)))
    assert [complaint.error.path for complaint in found.complaints] == [said]
    assert found.world.entries[ORDERS].generation == 1
    assert exit_code(found, (), changes=2) == 1
    text = [line.text for line in lines(found, (), everything=False)]
    assert text[0].startswith(f"{file}:1 EventTopic shop/orders: would not be accepted: {said}")
    assert json.loads(as_json(found, ()))["refusedManifests"][0]["field"] == said


def test_a_default_that_a_manifest_leaves_out_is_no_change_of_a_fixed_field(tmp_path: Path) -> None:
    bodies = estate()
    defaults = KINDS[1].spec.model_validate(TOPIC_SPEC).model_dump(mode="json", by_alias=True)
    bodies[ORDERS]["spec"] = {key: value for key, value in defaults.items() if value is not None}
    bodies[ORDERS]["spec"] |= TOPIC_SPEC
    found = gathered(Cluster(bodies), Scope("shop", files=(manifest(tmp_path, ORDERS, TOPIC_SPEC),)))
    assert found.complaints == ()


SCOPES = {
    "a namespace": (Scope("shop"), {HOME, ORDERS, BILLING}),
    "another namespace": (Scope("empty"), set()),
    "everything": (Scope("empty", everywhere=True), {HOME, ORDERS, BILLING}),
    "one object": (Scope("shop", named=(("EventTopic", "orders"),)), {ORDERS}),
    "one object anywhere": (Scope("x", everywhere=True, named=(("EventTopic", "orders"),)), {ORDERS}),
}


@pytest.mark.parametrize(("scope", "chosen"), SCOPES.values(), ids=SCOPES)
def test_what_is_shown(scope: Scope, chosen: set[Ref]) -> None:
    assert set(gathered(Cluster(estate()), scope).chosen) == chosen


def test_an_object_that_is_not_there_is_an_error() -> None:
    with pytest.raises(CannotPlan, match="no EventTopic payments in namespace shop"):
        gathered(Cluster(estate()), Scope("shop", named=(("EventTopic", "payments"),)))


def test_a_cluster_without_the_kinds_is_an_error() -> None:
    with pytest.raises(CannotPlan, match="headgate crds"):
        gathered(Cluster(installed=False), Scope("shop"))


def test_who_may_read_one_namespace_sees_it_and_what_it_refers_to() -> None:
    bodies = estate(topic={"brokerRef": {"name": "main", "namespace": "platform"}})
    far = Ref("EventBroker", "platform", "main")
    stranger = Ref("EventTopic", "platform", "others")
    bodies[far] = body(far, BROKER_SPEC | {"allowedNamespaces": {"from": "All"}})
    bodies[stranger] = body(stranger, TOPIC_SPEC)
    found = gathered(Cluster(bodies, mine="shop"), Scope("shop"))
    assert set(found.world.entries) == {HOME, ORDERS, BILLING, far}
    assert len(found.notes) == 2


@pytest.mark.parametrize("target", ["orders", "shoe/orders", "et/"])
def test_a_target_is_a_kind_and_a_name(
    target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kubeconfig = tmp_path / "config"
    user = {"name": "u", "user": {"token": "t"}}
    context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
    cluster = {"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}
    kubeconfig.write_text(
        json.dumps({"clusters": [cluster], "users": [user], "contexts": [context], "current-context": "c"})
    )
    assert main(["plan", "--kubeconfig", str(kubeconfig), "--installation", "here", target]) == 1
    assert f"{target}: write KIND/NAME" in capsys.readouterr().err


def test_no_cluster_is_an_error_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--kubeconfig", str(tmp_path / "none")]) == 1
    assert capsys.readouterr().err.count("\n") == 1
