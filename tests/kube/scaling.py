"""Groups with workloads, one of each by the same name: a Deployment whose pods are counted and never run."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.kube.estate import Estate, JetStream, group, policy, topic
from tests.kube.operator import Operator
from tests.kube.rivals import target

from headgate.local.audit import AuditLog, Request
from headgate.local.client import Client
from headgate.local.errors import LocalError
from headgate.local.nats import LocalNats
from headgate.local.waiting import until

RULE = {
    "maxReplicas": 6,
    "minReplicas": 0,
    "idleAfter": "4s",
    "drainWithin": "10s",
    "capacity": {"eventsPerSecondPerReplica": "10"},
}
PATIENT = "patient"  # a retry policy with time for one attempt as long as all of this takes
HASTY = "hasty"  # two attempts of a second


@dataclass
class Scene:
    """One operator with two EventBrokers on one server, and one on a server of its own, which may be stopped."""

    api: Client
    estate: Estate
    nats: JetStream
    operator: Operator
    log: AuditLog
    other: LocalNats  # of EventBroker `blind`
    _asked: list[Request] = field(default_factory=list)

    async def deployment(self, name: str, replicas: int) -> None:
        """A workload. Its pods wait at a gate that nobody opens, and count all the same."""
        labels = {"app": name}
        pod = {"schedulingGates": [{"name": "example.com/never"}], "containers": [_CONTAINER]}
        spec = {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        }
        path = f"/apis/apps/v1/namespaces/{self.estate.namespace}/deployments"
        await self.api.post(path, {"metadata": {"name": name}, "spec": spec})

    async def topic(self, name: str, events: int = 0, broker: str = "main") -> None:
        """A topic that is Ready, with events in it."""
        await self.estate.put("EventTopic", name, topic(name, broker=broker))
        await self.estate.ready("EventTopic", name)
        await self.nats.publish(f"{name}.x", events)

    async def group(self, name: str, of: str, workload: str, *, rule: Mapping[str, Any], **more: Any) -> None:
        """A group that is Ready."""
        spec = group(of, scaling={"targetRef": target(workload), **RULE, **rule}, **more)
        spec.setdefault("retryPolicyRef", {"name": PATIENT})
        await self.estate.put("ConsumerGroup", name, spec)
        await self.estate.ready("ConsumerGroup", name)

    async def scaled(
        self,
        name: str,
        *,
        replicas: int = 0,
        events: int = 0,
        broker: str = "main",
        rule: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> None:
        """A topic with events, a workload and the group between them."""
        await self.deployment(name, replicas)
        await self.topic(name, events, broker)
        await self.group(name, name, name, rule=rule or {}, **more)

    async def replicas(self, name: str) -> int:
        """How many replicas a workload is to have."""
        path = f"/apis/apps/v1/namespaces/{self.estate.namespace}/deployments/{name}"
        return int((await self.api.get(path))["spec"]["replicas"])

    async def comes_to(self, name: str, fits: Callable[[int], bool], *, limit: float = 30.0) -> int:
        """Wait until the replicas of a workload fit; how many there are then."""
        seen = [-1]

        async def check() -> bool:
            seen.append(await self.replicas(name))
            return fits(seen[-1])

        try:
            await until(f"{name} has the replicas that it should have", check, limit=limit, every=0.2)
        except LocalError as error:
            raise AssertionError(f"{error}: {seen[-1]}") from error
        return seen[-1]

    async def active(self, name: str, reason: str, *, limit: float = 20.0) -> str:
        """Wait until condition ScalingActive of a group has a reason; its message."""
        return await self.estate.says("ConsumerGroup", name, reason, about="ScalingActive", limit=limit)

    async def lag(self, name: str, fits: Callable[[Mapping[str, Any]], bool], *, limit: float) -> None:
        """Wait until status.lag of a group fits."""

        async def check() -> bool:
            return fits((await self.estate.status("ConsumerGroup", name)).get("lag") or {})

        try:
            await until(f"status.lag of {name} is as it should be", check, limit=limit, every=0.2)
        except LocalError as error:
            raise AssertionError(f"{error}: {await self.estate.status('ConsumerGroup', name)}") from error

    def patches(self, name: str) -> list[Request]:
        """Every write of the operator to the scale of a workload, refused ones included."""
        self._asked += self.log.read()
        wanted = ("patch", "deployments/scale", name, self.operator.user)
        return [r for r in self._asked if (r.verb, r.resource, r.name, r.user) == wanted]

    async def patched(self, name: str, times: int) -> None:
        """Wait until the scale of a workload was written so often, and not more often; a write shows before it is logged."""

        async def is_logged() -> bool:
            return len(self.patches(name)) >= times

        await until(f"{times} writes to {name} are in the log", is_logged)
        assert len(self.patches(name)) == times, name

    async def told(self, name: str) -> tuple[int, str]:
        """What the operator's log says of its first write to a workload: the replicas, and why; a write shows before it."""
        words = re.compile(rf"Deployment {self.estate.namespace}/{name} -> (\d+) replicas: (.*?)\"")
        found: list[tuple[int, str]] = []

        async def is_told() -> bool:
            found.extend((int(number), why) for number, why in words.findall(self.operator.log))
            return bool(found)

        await until(f"the log tells of {name}", is_told)
        return found[0]


_CONTAINER = {"name": "worker", "image": "none", "command": ["true"]}


async def policies(estate: Estate) -> None:
    """The retry policies of all groups here."""
    await estate.put("RetryPolicy", PATIENT, policy(attempts=3, timeout="10m"))
    await estate.put("RetryPolicy", HASTY, policy(attempts=2, timeout="1s"))
