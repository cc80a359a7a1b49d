"""What `headgate plan` takes for declared: a cluster, and manifests laid over it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.unit.cli.planning import (
    BILLING,
    BROKER_SPEC,
    HOME,
    ORDERS,
    TOPIC_SPEC,
    Cluster,
    body,
    estate,
    gathered,
)

from headgate.api import KINDS
from headgate.cli import main
from headgate.cli.plan import exit_code
from headgate.cli.plan_gather import CannotPlan, Scope
from headgate.cli.plan_text import as_json, lines
from headgate.core.estate import Ref


def manifest(tmp_path: Path, ref: Ref, spec: Mapping[str, Any], **meta: Any) -> str:
    path = tmp_path / f"{ref.kind}-{ref.name}.yaml"
    metadata = {"name": ref.name, "namespace": ref.namespace, **meta}
    document = {"apiVersion": "headgate.dev/v1alpha1", "kind": ref.kind, "metadata": metadata, "spec": spec}
    path.write_text(json.dumps(document))
    return str(path)


def test_a_manifest_is_laid_over_what_is_there(tmp_path: Path) -> None:
    file = manifest(
        tmp_path,
        ORDERS,
        TOPIC_SPEC | {"retention": {"maxAge": "48h"}},
        annotations={"headgate.dev/acknowledge": "x"},
    )
    found = gathered(Cluster(estate()), Scope("shop", files=(file,)))
    topic = found.world.estate.topics[ORDERS]
    assert topic.spec.retention.max_age is not None
    assert topic.spec.retention.max_age.total_seconds() == 48 * 3600
    assert topic.uid == f"uid-of-{ORDERS}"
    assert topic.annotations == {"headgate.dev/acknowledge": "x"}
    assert set(found.chosen) == {ORDERS, BILLING}


def test_a_manifest_of_something_new_is_the_youngest(tmp_path: Path) -> None:
    ref = Ref("EventTopic", "new", "payments")
    spec = TOPIC_SPEC | {"subjects": ["payments.>"], "brokerRef": {"name": "main", "namespace": "shop"}}
    found = gathered(Cluster(estate()), Scope("shop", files=(manifest(tmp_path, ref, spec),)))
    assert found.world.estate.topics[ref].created is None
    assert found.chosen == (ref,)
    assert "new" in found.world.estate.namespaces


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param({"externalName": "other"}, "spec.externalName", id="a field that is fixed"),
        pytest.param({"retenion": {}}, "spec.retenion", id="a field that does not exist"),
    ],
)
def test_a_manifest_that_would_not_be_accepted_changes_nothing(
    change: dict[str, Any], said: str, tmp_path: Path
) -> None:
    file = manifest(tmp_path, ORDERS, TOPIC_SPEC | change)
    found = gathered(Cluster(estate()), Scope("shop", files=(file,)))
    assert [complaint.error.path for complaint in found.complaints] == [said]
    assert found.world.entries[ORDERS].generation == 1
    assert exit_code(found, (), changes=2) == 1
    text = [line.text for line in lines(found, (), everything=False)]
    assert text[0].startswith(f"{file}:1 EventTopic shop/orders: would not be accepted: {said}")
    assert json.loads(as_json(found, ()))["refusedManifests"][0]["field"] == said


def test_a_default_that_a_manifest_leaves_out_is_no_change_of_a_fixed_field(tmp_path: Path) -> None:
    bodies = estate()
    defaults = KINDS[1].spec.model_validate(TOPIC_SPEC).model_dump(mode="json", by_alias=True)
    bodies[ORDERS]["spec"] = {key: value for key, value in defaults.items() if value is not None}
    bodies[ORDERS]["spec"] |= TOPIC_SPEC
    found = gathered(Cluster(bodies), Scope("shop", files=(manifest(tmp_path, ORDERS, TOPIC_SPEC),)))
    assert found.complaints == ()


SCOPES = {
    "a namespace": (Scope("shop"), {HOME, ORDERS, BILLING}),
    "another namespace": (Scope("empty"), set()),
    "everything": (Scope("empty", everywhere=True), {HOME, ORDERS, BILLING}),
    "one object": (Scope("shop", named=(("EventTopic", "orders"),)), {ORDERS}),
    "one object anywhere": (Scope("x", everywhere=True, named=(("EventTopic", "orders"),)), {ORDERS}),
}


@pytest.mark.parametrize(("scope", "chosen"), SCOPES.values(), ids=SCOPES)
def test_what_is_shown(scope: Scope, chosen: set[Ref]) -> None:
    assert set(gathered(Cluster(estate()), scope).chosen) == chosen


def test_an_object_that_is_not_there_is_an_error() -> None:
    with pytest.raises(CannotPlan, match="no EventTopic payments in namespace shop"):
        gathered(Cluster(estate()), Scope("shop", named=(("EventTopic", "payments"),)))


def test_a_cluster_without_the_kinds_is_an_error() -> None:
    with pytest.raises(CannotPlan, match="headgate crds"):
        gathered(Cluster(installed=False), Scope("shop"))


def test_who_may_read_one_namespace_sees_it_and_what_it_refers_to() -> None:
    bodies = estate(topic={"brokerRef": {"name": "main", "namespace": "platform"}})
    far = Ref("EventBroker", "platform", "main")
    stranger = Ref("EventTopic", "platform", "others")
    bodies[far] = body(far, BROKER_SPEC | {"allowedNamespaces": {"from": "All"}})
    bodies[stranger] = body(stranger, TOPIC_SPEC)
    found = gathered(Cluster(bodies, mine="shop"), Scope("shop"))
    assert set(found.world.entries) == {HOME, ORDERS, BILLING, far}
    assert len(found.notes) == 2


@pytest.mark.parametrize("target", ["orders", "shoe/orders", "et/"])
def test_a_target_is_a_kind_and_a_name(
    target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kubeconfig = tmp_path / "config"
    user = {"name": "u", "user": {"token": "t"}}
    context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
    cluster = {"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}
    kubeconfig.write_text(
        json.dumps({"clusters": [cluster], "users": [user], "contexts": [context], "current-context": "c"})
    )
    assert main(["plan", "--kubeconfig", str(kubeconfig), "--installation", "here", target]) == 1
    assert f"{target}: write KIND/NAME" in capsys.readouterr().err


def test_no_cluster_is_an_error_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--kubeconfig", str(tmp_path / "none")]) == 1
    assert capsys.readouterr().err.count("\n") == 1
