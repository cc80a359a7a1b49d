"""Every right that Headgate needs in a cluster, and why: manifests, docs and tests are made from this list. Pure data.

Secrets are read by name and never listed or watched; nothing has a wildcard; of workloads only the scale is written.
"""

from dataclasses import dataclass
from typing import Final, Literal

from headgate.api.kinds import GROUP, KINDS

Component = Literal["operator", "mover"]
Scope = Literal["namespace", "cluster", "own"]
LEASE: Final = "headgate-operator"


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


def _operator() -> tuple[Rule, ...]:
    kinds = (
        rule
        for kind in (each.plural for each in KINDS)
        for rule in (
            Rule("operator", GROUP, kind, ("get", "list", "watch"), "what is declared"),
            Rule(
                "operator",
                GROUP,
                kind,
                ("patch",),
                "its own finalizer; spec, labels and others' annotations stay",
            ),
            Rule("operator", GROUP, f"{kind}/status", ("patch",), "what was found and done"),
        )
    )
    workloads = (
        rule
        for workload in ("deployments", "statefulsets")
        for rule in (
            Rule("operator", "apps", workload, ("get",), "whether a group's workload is there"),
            Rule(
                "operator", "apps", f"{workload}/scale", ("get", "patch"), "scaling consumers", optional=True
            ),
        )
    )
    bindings = "the binding of a group and the routes of the mover; without it bindings are in status only"
    return (
        *kinds,
        *workloads,
        Rule("operator", "", "namespaces", ("get", "list", "watch"), "whose labels may use what", "cluster"),
        Rule(
            "operator", "", "secrets", ("get",), "credentials of a broker, by the name an EventBroker gives"
        ),
        Rule("operator", "", "configmaps", ("get", "create", "patch", "delete"), bindings, optional=True),
        Rule("operator", "", "events", ("create",), "transitions, for kubectl describe", optional=True),
        Rule(
            "operator",
            "autoscaling",
            "horizontalpodautoscalers",
            ("list",),
            "whether somebody else scales a workload; without it contests are unknown",
            optional=True,
        ),
        Rule(
            "operator",
            "keda.sh",
            "scaledobjects",
            ("list",),
            "whether KEDA scales a workload; without it contests are unknown",
            optional=True,
        ),
        Rule("operator", "coordination.k8s.io", "leases", ("create",), "one operator acts at a time", "own"),
        Rule(
            "operator",
            "coordination.k8s.io",
            "leases",
            ("get", "patch"),
            "one operator acts at a time",
            "own",
            names=(LEASE,),
        ),
    )


def _mover() -> tuple[Rule, ...]:
    return (
        Rule("mover", GROUP, "eventbrokers", ("get", "list", "watch"), "which brokers there are"),
        Rule(
            "mover", "", "configmaps", ("get", "list", "watch"), "what feeds what, as the operator wrote it"
        ),
        Rule("mover", "", "secrets", ("get",), "credentials of a broker, by the name an EventBroker gives"),
    )


RULES: Final[tuple[Rule, ...]] = (*_operator(), *_mover())
