"""Input that cannot be honoured: a stable reason, a message that helps, a broker left as it was, and healing by itself."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Final

import pytest
import pytest_asyncio
from tests.kube.bad_input import CASES, HOUR, Bad, Scene, nothing
from tests.kube.conftest import NamespaceOf
from tests.kube.estate import Estate, connection, group, jetstream, topic
from tests.kube.operator import operator
from tests.servers import nats_server

from headgate.local.client import Client
from headgate.local.cluster import Cluster
from headgate.local.nats import nats_binary
from headgate.local.run import Run

pytestmark = pytest.mark.takes(60)

OLD: Final = "2.10.25"
HEALS = 8.0  # seconds: the two of the resync interval, and five where credentials were not accepted
MODES = {"in cluster mode": "cluster", "in namespaced mode": "namespaced"}


@pytest_asyncio.fixture(scope="module", params=MODES.values(), ids=MODES.keys())
async def scene(
    request: pytest.FixtureRequest, cluster: Cluster, api: Client, servers: Run, namespace_of: NamespaceOf
) -> AsyncIterator[Scene]:
    mode = str(request.param)
    spaces = {each: Estate(api, await namespace_of(each)) for each in ("home", "tenant", "stranger")}
    served = [space.namespace for space in spaces.values()] if mode == "namespaced" else []
    async with (
        nats_server(servers, f"estate-bad-{mode}") as server,
        operator(
            cluster, api, servers, f"bad-{mode}", namespaces=served, env={"HEADGATE_GRACE": "1s"}
        ) as running,
    ):
        found = Scene(
            mode,
            spaces["home"],
            spaces["tenant"],
            spaces["stranger"],
            server,
            jetstream(server.url),
            running,
            servers,
        )
        await found.home.put("EventBroker", "main", found.broker())
        await found.home.ready("EventBroker", "main")
        yield found
        assert running.complaints == []


@pytest.mark.parametrize("bad", CASES.values(), ids=CASES.keys())
async def test_it_is_refused_with_help_touches_nothing_and_heals(scene: Scene, bad: Bad) -> None:
    name = scene.name(bad.reason.lower())
    estate: Estate = getattr(scene, bad.who)
    await (bad.prepare or nothing)(scene, name)
    before = await scene.nats.image()
    try:
        await estate.put(bad.kind, name, bad.spec(scene, name))
        message = await estate.says(bad.kind, name, bad.reason, status="False")
        missing = [word for word in bad.words if word not in message]
        assert missing == [], message
        if bad.reason != "BindingTaken":  # which is found out when everything else is as declared
            assert await scene.nats.image() == before
        await bad.heal(scene, name)
        await estate.ready(bad.kind, name, limit=HEALS)
    finally:
        await scene.home.put("EventBroker", "main", scene.broker())


async def test_a_permission_that_is_withdrawn_ends_at_once_and_leaves_the_broker(scene: Scene) -> None:
    await scene.home.put("EventBroker", "main", scene.broker(scene.stranger.namespace))
    await scene.stranger.put("EventTopic", "withdrawn", scene.of_main("withdrawn"))
    await scene.stranger.ready("EventTopic", "withdrawn")
    before = await scene.nats.image()
    await scene.home.put("EventBroker", "main", scene.broker())
    await scene.stranger.says("EventTopic", "withdrawn", "NotPermitted", status="False", limit=1)
    assert await scene.nats.image() == before


# --- tenants


async def test_a_name_that_the_broker_does_not_give_is_refused_where_its_naming_is_enforced(
    scene: Scene,
) -> None:
    home, tenant = scene.home, scene.tenant
    naming = {"template": "{namespace}_{name}", "enforce": True}
    spec = {**scene.broker(), "tenancy": {"naming": naming}}
    await home.put("EventBroker", "strict", spec)
    await home.ready("EventBroker", "strict")
    on_strict = {"brokerRef": {"name": "strict", "namespace": home.namespace}}
    before = await scene.nats.image()
    await tenant.put("EventTopic", "free", {**topic("free", externalName="of-my-own"), **on_strict})
    message = await tenant.says("EventTopic", "free", "NotPermitted", status="False")
    assert "spec.externalName" in message
    assert f"gives {tenant.namespace}_free" in message
    assert "leave externalName out" in message
    assert await scene.nats.image() == before
    await tenant.delete("EventTopic", "free")  # a name is set once, so there is no other way
    await tenant.gone("EventTopic", "free")
    await tenant.put("EventTopic", "free", {**topic("free"), **on_strict})
    await tenant.ready("EventTopic", "free")
    assert await scene.nats.stream(f"{tenant.namespace}_free") is not None
    await tenant.put(
        "EventTopic", "said", {**topic("said", externalName=f"{tenant.namespace}_said"), **on_strict}
    )
    await tenant.ready("EventTopic", "said")
    for name in ("free", "said"):
        await tenant.delete("EventTopic", name)
        await tenant.gone("EventTopic", name)
    await home.delete("EventBroker", "strict")
    await home.gone("EventBroker", "strict")


async def test_permission_by_label_takes_an_operator_that_sees_labels(scene: Scene) -> None:
    """With a sight of the cluster it heals with the label; without one it says so, and heals when names are listed."""
    home, stranger, name = scene.home, scene.stranger, scene.name("labelled")
    selector = {"from": "Selector", "selector": {"matchLabels": {"events": "true"}}}
    before = await scene.nats.image()
    await home.put("EventBroker", name, connection(scene.server.url, allowedNamespaces=selector))
    spec = {**topic(name), "brokerRef": {"name": name, "namespace": home.namespace}}
    await stranger.put("EventTopic", name, spec)
    message = await stranger.says("EventTopic", name, "NotPermitted", status="False")
    assert "spec.brokerRef" in message
    assert await scene.nats.image() == before
    if scene.mode == "cluster":
        await home.ready("EventBroker", name)
        await home.api.patch(
            f"/api/v1/namespaces/{stranger.namespace}", {"metadata": {"labels": {"events": "true"}}}
        )
    else:
        message = await home.says("EventBroker", name, "ClusterModeNeeded", status="False")
        assert "spec.allowedNamespaces.from" in message
        assert "from: Names" in message
        names = {"from": "Names", "names": [stranger.namespace]}
        await home.put("EventBroker", name, connection(scene.server.url, allowedNamespaces=names))
        await home.ready("EventBroker", name)
    await stranger.ready("EventTopic", name, limit=2)
    await stranger.delete("EventTopic", name)
    await stranger.gone("EventTopic", name)
    await home.delete("EventBroker", name)
    await home.gone("EventBroker", name)


# --- brokers


async def secret(scene: Scene, name: str, **values: str) -> None:
    """Have a Secret in namespace home hold exactly these values."""
    path = f"/api/v1/namespaces/{scene.home.namespace}/secrets/{name}"
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values}
    await scene.home.api.apply(path, body)


async def test_credentials_are_asked_for_and_taken_as_soon_as_they_are_right(scene: Scene) -> None:
    """Missing, then without a key, then wrong, then right; each said by its own reason."""
    home, name = scene.home, "locked"
    async with nats_server(
        scene.run, f"locked-{scene.mode}", config="authorization { token: right-token }"
    ) as server:
        spec = connection(
            server.url, resyncInterval="1s", nats={"credentialsSecretRef": {"name": "locked-login"}}
        )
        await home.put("EventBroker", name, spec)
        await home.put("EventTopic", name, topic(name, broker=name))
        steps: Mapping[str, Mapping[str, str]] = {
            "SecretNotFound": {},
            "CredentialsInvalid": {"tokn": "right-token"},
            "AuthenticationFailed": {"token": "wrong-token"},
        }
        for reason, values in steps.items():
            if values:
                await secret(scene, "locked-login", **values)
            message = await home.says("EventBroker", name, reason, status="False", limit=HEALS)
            assert "spec.nats.credentialsSecretRef" in message
            assert await jetstream(server.url, token="right-token").names() == set()
        await secret(scene, "locked-login", token="right-token")
        await home.ready("EventBroker", name, limit=HEALS)
        await home.ready("EventTopic", name, limit=HEALS)
        await home.delete("EventTopic", name)
        await home.gone("EventTopic", name)
        await home.delete("EventBroker", name)
        await home.gone("EventBroker", name)


async def test_a_broker_nobody_answers_for_is_waited_for(scene: Scene) -> None:
    home, name = scene.home, "absent"
    async with nats_server(scene.run, f"absent-{scene.mode}") as server:
        await server.kill()
        await home.put("EventBroker", name, connection(server.url))
        await home.put("EventTopic", name, topic(name, broker=name))
        message = await home.says("EventBroker", name, "Unreachable", status="False")
        assert "spec.nats.servers" in message
        await home.says("EventTopic", name, "Unreachable", status="False")
        await server.restart()
        await home.ready("EventTopic", name, limit=2)
        await home.delete("EventTopic", name)
        await home.gone("EventTopic", name)
        await home.delete("EventBroker", name)
        await home.gone("EventBroker", name)


async def test_a_field_the_server_is_too_old_for_is_refused_until_it_is_updated(scene: Scene) -> None:
    home, name = scene.home, "aged"
    async with nats_server(scene.run, f"aged-{scene.mode}", version=OLD) as server:
        await home.put("EventBroker", name, connection(server.url))
        await home.put("EventTopic", name, topic(name, broker=name, messageTTL="PerMessage"))
        message = await home.says("EventTopic", name, "UnsupportedByServer", status="False")
        assert "spec.messageTTL" in message
        assert OLD in message
        assert name not in await jetstream(server.url).names()
        server.binary = nats_binary()
        await server.restart()
        await home.ready("EventTopic", name, limit=3)
        await home.delete("EventTopic", name)
        await home.gone("EventTopic", name)
        await home.delete("EventBroker", name)
        await home.gone("EventBroker", name)


async def test_what_the_broker_cannot_change_back_is_blocked_and_nothing_of_it_is_done(scene: Scene) -> None:
    home, name = scene.home, "oneway"
    await home.put("EventTopic", name, topic(name, messageTTL="PerMessage"))
    await home.ready("EventTopic", name)
    before = await scene.nats.config(name)
    await home.put("EventTopic", name, topic(name, messageTTL="None", retention={"maxAge": "3h"}))
    message = await home.says("EventTopic", name, "Blocked", status="False")
    assert "allow_msg_ttl" in message
    assert "declare" in message
    assert await scene.nats.config(name) == before
    plan = (await home.status("EventTopic", name))["plan"]
    assert {entry["field"]: entry.get("blocked") for entry in plan} == {
        "allow_msg_ttl": "FieldCannotBeSwitchedOff",
        "max_age": None,
    }
    await home.put("EventTopic", name, topic(name, messageTTL="PerMessage", retention={"maxAge": "3h"}))
    await home.ready("EventTopic", name)
    assert (await scene.nats.config(name))["max_age"] == 3 * HOUR


async def test_what_cannot_shrink_is_blocked_with_the_way_out_and_heals_when_it_is_taken_back(
    scene: Scene,
) -> None:
    """How many pulls may wait is settled when a durable is made; nothing else of the edit is done either."""
    home, name = scene.home, "narrowed"
    await home.put("EventTopic", name, topic(name))
    wide = group(name, native={"nats": {"maxWaiting": 512}})
    await home.put("ConsumerGroup", name, wide)
    await home.ready("ConsumerGroup", name)
    before = await scene.nats.image()
    narrow = group(name, native={"nats": {"maxWaiting": 128}}, concurrency={"total": 7})
    await home.put("ConsumerGroup", name, narrow)
    message = await home.says("ConsumerGroup", name, "Blocked", status="False")
    assert "max_waiting" in message
    assert "declare 512 again" in message
    assert "another externalName" in message
    assert await scene.nats.image() == before
    plan = (await home.status("ConsumerGroup", name))["plan"]
    assert {entry["field"]: entry.get("blocked") for entry in plan} == {
        "max_waiting": "FieldImmutable",
        "max_ack_pending": None,
    }
    await home.put("ConsumerGroup", name, {**narrow, "native": wide["native"]})
    await home.ready("ConsumerGroup", name)
    found = await scene.nats.durable(name, name)
    assert found is not None
    assert (found["config"]["max_waiting"], found["config"]["max_ack_pending"]) == (512, 7)


async def test_an_event_broker_deleted_first_waits_for_what_lives_on_it(scene: Scene) -> None:
    home = scene.home
    await home.put("EventBroker", "early", connection(scene.server.url))
    await home.put("EventTopic", "staying", topic("staying", broker="early", deletionPolicy="Delete"))
    await home.put("ConsumerGroup", "staying", group("staying", deletionPolicy="Delete"))
    await home.ready("ConsumerGroup", "staying")
    await home.delete("EventBroker", "early")
    await home.says("EventBroker", "early", "Deleting")
    await home.delete("EventTopic", "staying")
    await home.delete("ConsumerGroup", "staying")
    await asyncio.gather(
        home.gone("ConsumerGroup", "staying"),
        home.gone("EventTopic", "staying"),
        home.gone("EventBroker", "early"),
    )
    assert await scene.nats.stream("staying") is None
