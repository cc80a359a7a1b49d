"""Bad input as a table: who declares what, what status says of it, and what makes the cause go away. Runs nothing."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.kube.estate import Estate, JetStream, connection, group, policy, queue, topic
from tests.kube.operator import Operator

from headgate.local.nats import LocalNats
from headgate.local.run import Run

HOUR = 3600 * 10**9


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
    await scene.home.put("DeadLetterQueue", f"{name}-missing", queue())


async def a_policy_of_that_name(scene: Scene, name: str) -> None:
    await scene.home.put("RetryPolicy", f"{name}-missing", policy())


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
