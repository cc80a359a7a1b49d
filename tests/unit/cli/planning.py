"""What tests of `headgate plan` share: an estate, a broker in memory, a cluster that is a dictionary."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

from headgate.brokers.fake import FakeBroker, FakeDriver
from headgate.cli.plan_gather import Gathered, Scope, gather
from headgate.cli.plan_outlook import Outlook, outlooks
from headgate.cli.plan_text import lines
from headgate.core.estate import Ref
from headgate.core.plan import plan
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
