"""Input that cannot be honoured: a stable reason, a message that helps, a broker left as it was, and healing by itself."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
import pytest_asyncio
from tests.kube.conftest import NamespaceOf
from tests.kube.estate import Estate, JetStream, connection, group, jetstream, topic
from tests.kube.operator import Operator, operator
from tests.servers import nats_server

from headgate.local.client import Client
from headgate.local.cluster import Cluster
from headgate.local.nats import LocalNats, nats_binary
from headgate.local.run import Run

OLD: Final = "2.10.25"
HOUR = 3600 * 10**9
HEALS = 8.0  # seconds: the two of the resync interval, and five where credentials were not accepted
MODES = {"in cluster mode": "cluster", "in namespaced mode": "namespaced"}


@dataclass
class Scene:
    """Namespace home has the EventBroker, tenant may use it, stranger may not."""

    mode: str
    home: Estate
    tenant: Estate
    stranger: Estate
    server: LocalNats
    nats: JetStream
    operator: Operator
    run: Run
    names: dict[str, int] = field(default_factory=dict)

    def name(self, stem: str) -> str:
        """A name of its own for every use."""
        self.names[stem] = self.names.get(stem, 0) + 1
        return f"{stem}-{self.names[stem]}"

    def broker(self, *allowed: str, **tenancy: Any) -> dict[str, Any]:
        """The spec of EventBroker main, open to the tenant and others."""
        names = sorted({self.tenant.namespace, *allowed})
        return connection(
            self.server.url,
            resyncInterval="2s",
            allowedNamespaces={"from": "Names", "names": names},
            **({"tenancy": tenancy} if tenancy else {}),
        )

    def of_main(self, name: str, **more: Any) -> dict[str, Any]:
        """A topic on EventBroker main as other namespaces declare it."""
        reference = {"name": "main", "namespace": self.home.namespace}
        return {**topic(name), "brokerRef": reference, **more}


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


Prepare = Callable[[Scene, str], Awaitable[None]]
Spec = Callable[[Scene, str], Mapping[str, Any]]


@dataclass(frozen=True)
class Bad:
    """Somebody in a namespace declares something; what status says of it, and what makes the cause go away."""

    who: str
    kind: str
    spec: Spec
    reason: str
    words: tuple[str, ...]  # of the message: the field, and what to do
    heal: Prepare
    prepare: Prepare | None = None


async def nothing(scene: Scene, name: str) -> None:
    del scene, name


async def allow_stranger(scene: Scene, name: str) -> None:
    del name
    await scene.home.put("EventBroker", "main", scene.broker(scene.stranger.namespace))


async def unprotect(scene: Scene, name: str) -> None:
    del name
    await scene.home.put("EventBroker", "main", scene.broker(protectedNames=["OBJ_*"]))


async def prefixed(scene: Scene, name: str) -> None:
    del name
    await scene.home.put("EventBroker", "main", scene.broker(subjectPrefixes=["{namespace}."]))


async def under_own_prefix(scene: Scene, name: str) -> None:
    await scene.tenant.change("EventTopic", name, {"subjects": [f"{scene.tenant.namespace}.{name}.>"]})


async def a_topic_of_that_name(scene: Scene, name: str) -> None:
    await scene.home.put("EventTopic", f"{name}-missing", topic(f"{name}-missing"))


async def a_queue_of_that_name(scene: Scene, name: str) -> None:
    spec = {
        "brokerRef": {"name": "main"},
        "owner": {"team": "t", "contact": "#t", "runbook": "https://runbooks.example/t"},
        "retention": {"maxAge": "24h"},
    }
    await scene.home.put("DeadLetterQueue", f"{name}-missing", spec)


async def a_policy_of_that_name(scene: Scene, name: str) -> None:
    wait = {"type": "Fixed", "initial": "1s"}
    spec = {"attempts": 3, "handlingTimeout": "10s", "backoff": wait}
    await scene.home.put("RetryPolicy", f"{name}-missing", spec)


async def a_broker_of_that_name(scene: Scene, name: str) -> None:
    await scene.home.put("EventBroker", f"{name}-missing", connection(scene.server.url))


async def a_ready_topic(scene: Scene, name: str) -> None:
    await a_topic_of_that_name(scene, name)
    await scene.home.ready("EventTopic", f"{name}-missing")


async def without_that_topic(scene: Scene, name: str) -> None:
    await scene.home.delete("EventTopic", f"{name}-missing")


async def a_foreign_stream(scene: Scene, name: str) -> None:
    await scene.nats.make(f"{name}-foreign", subjects=[f"{name}.>"])


async def without_the_foreign_stream(scene: Scene, name: str) -> None:
    await scene.nats.drop(f"{name}-foreign")


async def a_stream_that_differs(scene: Scene, name: str) -> None:
    await scene.nats.make(name, subjects=[f"{name}.>", f"hg.{name}.>"], max_age=9 * HOUR)


async def as_declared(scene: Scene, name: str) -> None:
    await scene.nats.edit(name, max_age=HOUR)


async def foreign_config_map(scene: Scene, name: str) -> None:
    await a_ready_topic(scene, name)
    path = f"/api/v1/namespaces/{scene.home.namespace}/configmaps"
    await scene.home.api.post(path, {"metadata": {"name": name}, "data": {"theirs": "yes"}})


async def without_that_config_map(scene: Scene, name: str) -> None:
    path = f"/api/v1/namespaces/{scene.home.namespace}/configmaps/{name}"
    assert (await scene.home.api.get(path))["data"] == {"theirs": "yes"}
    await scene.home.api.delete(path)


async def the_first_one(scene: Scene, name: str) -> None:
    spec = topic(name, externalName=f"{name}-stream", deletionPolicy="Delete")
    await scene.home.put("EventTopic", f"{name}-missing", spec)
    await scene.home.ready("EventTopic", f"{name}-missing")


async def another_with_a_legal_name(scene: Scene, name: str) -> None:
    await scene.home.delete("EventTopic", name)
    await scene.home.gone("EventTopic", name)
    await scene.home.put("EventTopic", name, topic(name))


def reader_of_missing(name: str, **more: Any) -> dict[str, Any]:
    return group(f"{name}-missing", **more)


CASES: Final[Mapping[str, Bad]] = {
    "an EventBroker that does not exist": Bad(
        "home",
        "EventTopic",
        lambda _, n: topic(n, broker=f"{n}-missing"),
        "BrokerNotFound",
        ("spec.brokerRef", "create it"),
        a_broker_of_that_name,
    ),
    "a topic that does not exist": Bad(
        "home",
        "ConsumerGroup",
        lambda _, n: reader_of_missing(n),
        "TopicNotFound",
        ("spec.topicRef", "create it"),
        a_topic_of_that_name,
    ),
    "a dead-letter queue that does not exist": Bad(
        "home",
        "ConsumerGroup",
        lambda _, n: reader_of_missing(n, deadLetterQueueRef={"name": f"{n}-missing"}),
        "DeadLetterQueueNotFound",
        ("spec.deadLetterQueueRef", "create it"),
        a_queue_of_that_name,
        a_ready_topic,
    ),
    "a retry policy that does not exist": Bad(
        "home",
        "ConsumerGroup",
        lambda _, n: reader_of_missing(n, retryPolicyRef={"name": f"{n}-missing"}),
        "RetryPolicyNotFound",
        ("spec.retryPolicyRef", "create it"),
        a_policy_of_that_name,
        a_ready_topic,
    ),
    "an EventBroker that is not open to the namespace": Bad(
        "stranger",
        "EventTopic",
        lambda s, n: s.of_main(n),
        "NotPermitted",
        ("spec.brokerRef", "have its owner allow"),
        allow_stranger,
    ),
    "a topic of another namespace that is not open": Bad(
        "tenant",
        "ConsumerGroup",
        lambda s, n: {
            "topicRef": {"name": f"{n}-missing", "namespace": s.home.namespace},
            "start": {"from": "Earliest"},
        },
        "NotPermitted",
        ("spec.topicRef", "have its owner allow"),
        lambda s, n: s.home.change(
            "EventTopic",
            f"{n}-missing",
            {"allowedNamespaces": {"from": "Names", "names": [s.tenant.namespace]}},
        ),
        a_ready_topic,
    ),
    "a protected name": Bad(
        "tenant",
        "EventTopic",
        lambda s, n: s.of_main(n, externalName=f"KV_{n}"),
        "NotPermitted",
        ("spec.externalName", "choose another externalName"),
        unprotect,
    ),
    "subjects of somebody else's prefix": Bad(
        "tenant",
        "EventTopic",
        lambda s, n: s.of_main(n),
        "NotPermitted",
        ("spec.subjects[0]", "begin subjects with"),
        under_own_prefix,
        prefixed,
    ),
    "a name that is illegal on the broker": Bad(
        "home",
        "EventTopic",
        lambda _, n: topic(n, externalName=f"{n}.dotted"),
        "NameInvalid",
        ("spec.externalName", "choose another"),
        another_with_a_legal_name,
    ),
    "subjects that another topic of ours has": Bad(
        "home",
        "EventTopic",
        lambda _, n: topic(n, subjects=[f"{n}-missing.one.*"]),
        "SubjectOverlap",
        ("spec.subjects", "declare subjects"),
        lambda s, n: s.home.change("EventTopic", f"{n}-missing", {"subjects": [f"{n}-missing.two.*"]}),
        a_ready_topic,
    ),
    "subjects that a stream of somebody else has": Bad(
        "home",
        "EventTopic",
        lambda _, n: topic(n),
        "SubjectsOverlap",
        ("spec.subjects", "declare others"),
        without_the_foreign_stream,
        a_foreign_stream,
    ),
    "a stream that exists and differs": Bad(
        "home",
        "EventTopic",
        lambda _, n: topic(n),
        "Conflict",
        ("max_age is 9h, declared 1h", "adoptionPolicy"),
        as_declared,
        a_stream_that_differs,
    ),
    "a stream that another object has": Bad(
        "home",
        "EventTopic",
        lambda _, n: topic(n, externalName=f"{n}-stream"),
        "Conflict",
        ("externalName", "choose another externalName"),
        without_that_topic,
        the_first_one,
    ),
    "a ConfigMap of somebody else under the binding's name": Bad(
        "home",
        "ConsumerGroup",
        lambda _, n: reader_of_missing(n, binding={"configMapName": n}),
        "BindingTaken",
        ("spec.binding.configMapName", "choose another name"),
        without_that_config_map,
        foreign_config_map,
    ),
}


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
