"""What installs Headgate into a cluster: accounts, rights, two Deployments. Computes; applies nothing."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headgate.kube.rbac import RULES, Component, Rule, Scope

Json = dict[str, Any]  # Any: manifests as the API server takes them
AUTH = "rbac.authorization.k8s.io"
COMPONENTS: tuple[tuple[Component, str], ...] = (("operator", "run"), ("mover", "mover"))


@dataclass(frozen=True, slots=True)
class Install:
    """How Headgate is to be installed."""

    namespace: str = "headgate"  # where it lives
    namespaces: tuple[str, ...] = ()  # which it serves, by Roles alone; none: the whole cluster
    installation: str = (
        ""  # name in marks on broker objects; empty: the cluster's uid, which takes cluster mode to read
    )
    env: Mapping[str, str] = field(default_factory=dict)  # more variables for both
    python: Path = Path(sys.executable)


def render(install: Install) -> list[Json]:
    """Every object, in an order in which they can be applied."""
    names = dict.fromkeys((install.namespace, *install.namespaces))
    objects = [_object("v1", "Namespace", name) for name in names]
    for component, command in COMPONENTS:
        objects.append(_object("v1", "ServiceAccount", _name(component), install.namespace))
        objects += _rights(component, install)
        objects.append(_deployment(component, command, install))
    return objects


def roles(rules: Sequence[Rule]) -> list[Json]:
    """Rules as a Role or ClusterRole holds them, verbs for one resource together."""
    together: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for rule in rules:
        verbs = together.setdefault((rule.api_group, rule.resource, rule.names), [])
        verbs += [verb for verb in rule.verbs if verb not in verbs]
    return [
        {"apiGroups": [group], "resources": [resource], "verbs": verbs}
        | ({"resourceNames": list(names)} if names else {})
        for (group, resource, names), verbs in together.items()
    ]


def _rights(component: Component, install: Install) -> list[Json]:
    """Cluster mode: one ClusterRole; namespaced mode: a Role in each served namespace. What is its own: always a Role."""
    objects: list[Json] = []
    served = _of(component, "namespace")
    if install.namespaces:
        for namespace in install.namespaces:
            objects += _granted(component, served, install, namespace)
    else:
        objects += _granted(component, (*served, *_of(component, "cluster")), install, "")
    if own := _of(component, "own"):
        objects += _granted(component, own, install, install.namespace, suffix="-own")
    return objects


def _of(component: Component, scope: Scope) -> tuple[Rule, ...]:
    return tuple(rule for rule in RULES if (rule.component, rule.scope) == (component, scope))


def _granted(
    component: Component, rules: Sequence[Rule], install: Install, namespace: str, *, suffix: str = ""
) -> list[Json]:
    """A role with these rules and its binding to the component's account; without a namespace for the cluster."""
    kind, name = ("Role" if namespace else "ClusterRole"), _name(component) + suffix
    role = _object(f"{AUTH}/v1", kind, name, namespace) | {"rules": roles(rules)}
    binding = _object(f"{AUTH}/v1", f"{kind}Binding", name, namespace) | {
        "roleRef": {"apiGroup": AUTH, "kind": kind, "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": _name(component), "namespace": install.namespace}],
    }
    return [role, binding]


def _deployment(component: Component, command: str, install: Install) -> Json:
    name = _name(component)
    labels = {"app.kubernetes.io/name": "headgate", "app.kubernetes.io/component": component}
    container = {
        "name": component,
        "image": "headgate",
        "command": [str(install.python), "-m", "headgate", command],
        "env": _env(install),
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": "http"}, "periodSeconds": 2},
        "livenessProbe": {"httpGet": {"path": "/livez", "port": "http"}, "initialDelaySeconds": 20},
    }
    pod = {"serviceAccountName": name, "terminationGracePeriodSeconds": 15, "containers": [container]}
    return _object("apps/v1", "Deployment", name, install.namespace) | {
        "spec": {
            "replicas": 1,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        }
    }


def _env(install: Install) -> list[Json]:
    """Where to listen is the pod's own address: on one machine several pods have the same ports."""
    values = {"HEADGATE_OWN_NAMESPACE": install.namespace}
    if install.namespaces:
        values["HEADGATE_NAMESPACES"] = ",".join(install.namespaces)
    if install.installation:
        values["HEADGATE_INSTALLATION"] = install.installation
    own = {"HEADGATE_HOST": "status.podIP", "POD_NAME": "metadata.name", "POD_UID": "metadata.uid"}
    fields = ({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in own.items())
    return [*fields, *({"name": name, "value": value} for name, value in {**values, **install.env}.items())]


def _object(version: str, kind: str, name: str, namespace: str = "") -> Json:
    meta: Json = {"name": name, "labels": {"app.kubernetes.io/part-of": "headgate"}}
    if namespace:
        meta["namespace"] = namespace
    return {"apiVersion": version, "kind": kind, "metadata": meta}


def _name(component: Component) -> str:
    return f"headgate-{component}"
