"""Every right that Headgate needs in a cluster, and why: manifests, docs and tests are made from this list. Pure data.

Secrets are read by name and never listed or watched; nothing has a wildcard; of workloads only the scale is written.
"""

from dataclasses import dataclass
from typing import Final, Literal

from headgate.api.kinds import GROUP, KINDS

Component = Literal["operator", "mover"]
Scope = Literal["namespace", "cluster", "own"]
LEASE: Final = "headgate-operator"
UNMARKED: Final = frozenset({"RetryPolicy"})  # nothing lies in a broker for it alone: it may always go


@dataclass(frozen=True, slots=True)
class Rule:
    """One right. Scope: in every served namespace, for the cluster as a whole, or where the component itself lives."""

    component: Component
    api_group: str  # empty: the core group
    resource: str  # plural, a subresource behind a slash
    verbs: tuple[str, ...]
    why: str
    scope: Scope = "namespace"
    optional: bool = False  # without it something named in `why` is left out, nothing fails
    names: tuple[str, ...] = ()  # only objects of these names


def _kinds() -> tuple[Rule, ...]:
    mark = "its own finalizer; spec, labels and the annotations of others stay as they are"
    return tuple(
        rule
        for kind in KINDS
        for rule in (
            Rule("operator", GROUP, kind.plural, ("list", "watch"), "what is declared"),
            *((Rule("operator", GROUP, kind.plural, ("patch",), mark),) if kind.kind not in UNMARKED else ()),
            Rule("operator", GROUP, f"{kind.plural}/status", ("patch",), "what was found and done"),
        )
    )


def _workloads() -> tuple[Rule, ...]:
    rival = "whether somebody else scales a workload; without it contests are unknown"
    return (
        *(
            Rule("operator", "apps", f"{each}/scale", ("get", "patch"), "scaling consumers", optional=True)
            for each in ("deployments", "statefulsets")
        ),
        Rule("operator", "autoscaling", "horizontalpodautoscalers", ("list",), rival, optional=True),
        Rule("operator", "keda.sh", "scaledobjects", ("list",), rival, optional=True),
    )


def _surroundings() -> tuple[Rule, ...]:
    routes = "bindings of groups and the routes of the mover; without it bindings are in status only"
    ending = "whether a served namespace is being deleted: then all is let go before these rights go with it"
    lease, one = "coordination.k8s.io", "one operator acts at a time"
    return (
        Rule("operator", "", "namespaces", ("get", "list", "watch"), "whose labels may use what", "cluster"),
        Rule("operator", "", "namespaces", ("watch",), ending, optional=True),
        Rule(
            "operator", "", "secrets", ("get",), "credentials of a broker, by the name an EventBroker gives"
        ),
        Rule(
            "operator", "", "configmaps", ("get", "list", "create", "patch", "delete"), routes, optional=True
        ),
        Rule("operator", "", "events", ("create",), "transitions, for kubectl describe", optional=True),
        Rule("operator", lease, "leases", ("create",), one, "own"),
        Rule("operator", lease, "leases", ("get", "patch"), one, "own", names=(LEASE,)),
    )


def _mover() -> tuple[Rule, ...]:
    return (
        Rule("mover", GROUP, "eventbrokers", ("get", "list"), "which brokers there are"),
        Rule("mover", "", "configmaps", ("get",), "what feeds what, as the operator wrote it"),
        Rule("mover", "", "secrets", ("get",), "credentials of a broker, by the name an EventBroker gives"),
    )


RULES: Final[tuple[Rule, ...]] = (*_kinds(), *_workloads(), *_surroundings(), *_mover())
