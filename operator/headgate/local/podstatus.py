"""What the API server is told about a pod. Pure; the clock is an argument."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headgate.local.podspec import Container, Pod

Json = dict[str, Any]  # Any: objects of the Kubernetes API as they come


@dataclass(frozen=True, slots=True)
class Waiting:
    """Not running: it may start later."""

    reason: str
    message: str = ""

    def render(self) -> Json:
        return {"waiting": {"reason": self.reason, "message": self.message}}


@dataclass(frozen=True, slots=True)
class Running:
    """Running since."""

    since: str

    def render(self) -> Json:
        return {"running": {"startedAt": self.since}}


@dataclass(frozen=True, slots=True)
class Ended:
    """Ended with a code as a shell would say it: 128 and the signal's number for a killed one."""

    code: int
    since: str
    until: str

    def render(self) -> Json:
        reason = "Completed" if self.code == 0 else "Error"
        times = {"startedAt": self.since, "finishedAt": self.until}
        return {"terminated": {"exitCode": self.code, "reason": reason, **times}}


@dataclass(slots=True)
class Seen:
    """What is known of one container now."""

    state: Waiting | Running | Ended = Waiting("ContainerCreating")
    last: Ended | None = None
    restarts: int = 0
    ready: bool = False


def render_status(
    pod: Pod, seen: Mapping[str, Seen], *, ip: str, started: str, now: str, before: Json
) -> Json:
    """The pod's status; `before` is the one rendered last, whose times of transition are kept where nothing moved."""
    states = [seen[container.name] for container in pod.containers]
    ready = all(each.ready for each in states)
    facts = {
        "Initialized": True,
        "PodReadyToStartContainers": True,
        "ContainersReady": ready,
        "Ready": ready,
        "PodScheduled": True,
    }
    return {
        "phase": phase(states),
        "hostIP": "127.0.0.1",
        "podIP": ip,
        "podIPs": [{"ip": ip}],
        "startTime": started,
        "conditions": [_condition(kind, true, now, before) for kind, true in facts.items()],
        "containerStatuses": [_container(each, seen[each.name]) for each in pod.containers],
    }


def phase(states: Sequence[Seen]) -> str:
    """The one word for all containers together."""
    if all(isinstance(each.state, Ended) for each in states):
        failed = any(isinstance(each.state, Ended) and each.state.code for each in states)
        return "Failed" if failed else "Succeeded"
    if any(each.last or not isinstance(each.state, Waiting) for each in states):
        return "Running"
    return "Pending"


def _condition(kind: str, true: bool, now: str, before: Json) -> Json:  # noqa: FBT001  (the value of the condition)
    status = "True" if true else "False"
    old = next((each for each in before.get("conditions", ()) if each["type"] == kind), None)
    same = old is not None and old["status"] == status
    condition = {
        "type": kind,
        "status": status,
        "lastTransitionTime": old["lastTransitionTime"] if same and old else now,
    }
    if not true:
        condition |= {"reason": "ContainersNotReady"}
    return condition


def _container(container: Container, seen: Seen) -> Json:
    return {
        "name": container.name,
        "image": container.image,
        "imageID": "",
        "ready": seen.ready,
        "started": isinstance(seen.state, Running),
        "restartCount": seen.restarts,
        "state": seen.state.render(),
        "lastState": seen.last.render() if seen.last else {},
    }
