"""The rights that manifests grant are the declared ones: no wildcard, no listing of Secrets, no more than the mode needs."""

from dataclasses import dataclass
from itertools import product
from typing import Any

import pytest
from tests.servers import Kubectl

from headgate.api.kinds import GROUP
from headgate.kube.rbac import RULES, Rule
from headgate.local.client import Client
from headgate.local.install import apply, install_crds
from headgate.local.manifests import Install, render, roles

NAMESPACED = Install(namespace="here", namespaces=("shop", "billing"), installation="it")
CLUSTER = Install(namespace="here")


def kinds(install: Install) -> list[tuple[str, str, str]]:
    made = render(install)
    return [(each["kind"], each["metadata"].get("namespace", ""), each["metadata"]["name"]) for each in made]


def variables(install: Install, component: str) -> dict[str, Any]:
    (found,) = (
        each
        for each in render(install)
        if (each["kind"], each["metadata"]["name"]) == ("Deployment", component)
    )
    env = found["spec"]["template"]["spec"]["containers"][0]["env"]
    return {each["name"]: each.get("value") for each in env}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.component} {rule.resource} {rule.verbs}")
def test_no_right_is_a_wildcard_or_more_than_reading_a_named_secret(rule: Rule) -> None:
    assert "*" not in {rule.api_group, rule.resource, *rule.verbs}
    assert rule.why
    if rule.resource == "secrets":
        assert rule.verbs == ("get",)


def test_namespaced_mode_makes_roles_in_the_served_namespaces_and_nothing_for_the_cluster() -> None:
    made = kinds(NAMESPACED)
    assert not [each for each in made if each[0].startswith("Cluster")]
    served = [each for each in made if each[0] == "Role" and not each[2].endswith("-own")]
    expected = product(("headgate-operator", "headgate-mover"), ("shop", "billing"))
    assert served == [("Role", namespace, name) for name, namespace in expected]


def test_cluster_mode_makes_one_role_for_all_namespaces_and_one_for_its_own() -> None:
    found = [each for each in kinds(CLUSTER) if each[0].endswith("Role")]
    assert found == [
        ("ClusterRole", "", "headgate-operator"),
        ("Role", "here", "headgate-operator-own"),
        ("ClusterRole", "", "headgate-mover"),
    ]


def test_the_mode_reaches_the_programs() -> None:
    assert "HEADGATE_NAMESPACES" not in variables(CLUSTER, "headgate-mover")
    told = variables(NAMESPACED, "headgate-operator")
    assert told["HEADGATE_NAMESPACES"] == "shop,billing"
    assert told["HEADGATE_INSTALLATION"] == "it"
    assert told["HEADGATE_OWN_NAMESPACE"] == "here"


def test_verbs_for_one_resource_stand_together_and_named_ones_apart() -> None:
    rules = (
        Rule("operator", "", "things", ("get",), "x"),
        Rule("operator", "", "things", ("get", "patch"), "x"),
        Rule("operator", "", "things", ("delete",), "x", names=("mine",)),
    )
    assert roles(rules) == [
        {"apiGroups": [""], "resources": ["things"], "verbs": ["get", "patch"]},
        {"apiGroups": [""], "resources": ["things"], "verbs": ["delete"], "resourceNames": ["mine"]},
    ]


@dataclass(frozen=True, slots=True)
class Ask:
    """Whether an account may do something."""

    account: str
    verb: str
    resource: str
    allowed: bool


OPERATOR, MOVER = "headgate-operator", "headgate-mover"
MAY = {
    "the operator reads what is declared": Ask(OPERATOR, "watch", "eventtopics.headgate.dev", allowed=True),
    "the operator sees its namespace end": Ask(OPERATOR, "watch", "namespaces", allowed=True),
    "the operator patches status": Ask(OPERATOR, "patch", "eventtopics.headgate.dev/status", allowed=True),
    "the operator creates no topic": Ask(OPERATOR, "create", "eventtopics.headgate.dev", allowed=False),
    "the operator reads a named Secret": Ask(OPERATOR, "get", "secrets", allowed=True),
    "the operator lists no Secrets": Ask(OPERATOR, "list", "secrets", allowed=False),
    "the operator scales": Ask(OPERATOR, "patch", "deployments.apps/scale", allowed=True),
    "the operator changes nothing else of a workload": Ask(
        OPERATOR, "patch", "deployments.apps", allowed=False
    ),
    "the mover reads its routes": Ask(MOVER, "get", "configmaps", allowed=True),
    "the mover writes nothing": Ask(MOVER, "patch", "configmaps", allowed=False),
}


@pytest.mark.parametrize("ask", MAY.values(), ids=MAY.keys())
async def test_the_api_server_grants_it_in_a_served_namespace_and_nowhere_else(
    api: Client, kubectl: Kubectl, ask: Ask
) -> None:
    home = kubectl.namespace
    granted = Install(namespace=home, namespaces=(home,), installation="it")
    await apply(api, [each for each in render(granted) if each["kind"] != "Deployment"])

    name, _, subresource = ask.resource.partition("/")
    plural, _, group = name.partition(".")
    where = {
        "namespace": home,
        "verb": ask.verb,
        "group": group,
        "resource": plural,
        "subresource": subresource,
    }

    async def allowed(namespace: str) -> bool:
        spec = {
            "user": f"system:serviceaccount:{home}:{ask.account}",
            "resourceAttributes": where | {"namespace": namespace},
        }
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
        answer = await api.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
        return bool(answer["status"]["allowed"])

    assert await allowed(home) is ask.allowed
    assert not await allowed("kube-system")


async def test_every_kind_is_installed_and_served(api: Client) -> None:
    await install_crds(api)
    served = await api.get("/apis/headgate.dev/v1alpha1")
    plurals = {each["name"] for each in served["resources"] if "/" not in each["name"]}
    assert plurals == {
        rule.resource for rule in RULES if rule.api_group == GROUP and "/" not in rule.resource
    }
