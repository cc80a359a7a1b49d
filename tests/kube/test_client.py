"""Every call of the client against the real API server, and the refusals that the engine relies on."""

import base64
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio
from tests.kube.rivals import put_hpa, put_scaled_object, scaled_objects

from headgate.kube.client import KubeClient
from headgate.kube.config import from_kubeconfig
from headgate.kube.errors import Conflict, Forbidden, Invalid, NotFound
from headgate.kube.read import event
from headgate.kube.values import Named, Owner, Rival
from headgate.local.client import Client
from headgate.local.cluster import Cluster
from headgate.local.install import install_crds
from headgate.local.kubeconfig import Access
from headgate.local.waiting import until

FINALIZER = "headgate.dev/finalizer"
STRANGER = "00000000-0000-0000-0000-000000000000"


@pytest_asyncio.fixture
async def kube(cluster: Cluster, api: Client) -> AsyncIterator[KubeClient]:
    """The client under test, as an administrator, with our kinds installed."""
    await install_crds(api)
    client = KubeClient(from_kubeconfig(cluster.kubeconfig))
    yield client
    await client.aclose()


def policy_path(namespace: str, name: str = "") -> str:
    return f"/apis/headgate.dev/v1alpha1/namespaces/{namespace}/retrypolicies" + (f"/{name}" if name else "")


@pytest_asyncio.fixture
async def policy(api: Client, kube: KubeClient, namespace: str) -> dict[str, Any]:
    """A RetryPolicy nobody acts on."""
    del kube
    body = {
        "apiVersion": "headgate.dev/v1alpha1",
        "kind": "RetryPolicy",
        "metadata": {"name": "standard"},
        "spec": {"attempts": 3, "handlingTimeout": "10s", "backoff": {"type": "Fixed", "initial": "1s"}},
    }
    made: dict[str, Any] = await api.post(policy_path(namespace), body)
    return made


async def test_a_finalizer_goes_on_the_object_that_was_read(kube: KubeClient, policy: dict[str, Any]) -> None:
    meta = policy["metadata"]
    after = await kube.patch_finalizers(
        "RetryPolicy",
        meta["namespace"],
        "standard",
        uid=meta["uid"],
        resource_version=meta["resourceVersion"],
        finalizers=(FINALIZER,),
        annotations={"headgate.dev/x": "y"},
    )
    assert (after["metadata"]["finalizers"], after["metadata"]["annotations"]["headgate.dev/x"]) == (
        [FINALIZER],
        "y",
    )


OTHERS: dict[str, tuple[str | None, str | None]] = {
    "another object of that name": (STRANGER, None),
    "the object at a version that is past": (None, "1"),
}


@pytest.mark.parametrize(("uid", "version"), OTHERS.values(), ids=OTHERS.keys())
async def test_no_finalizer_goes_on(
    kube: KubeClient, policy: dict[str, Any], uid: str | None, version: str | None
) -> None:
    meta = policy["metadata"]
    with pytest.raises(Conflict):
        await kube.patch_finalizers(
            "RetryPolicy",
            meta["namespace"],
            "standard",
            uid=uid or meta["uid"],
            resource_version=version,
            finalizers=(FINALIZER,),
        )
    left = await kube.get("RetryPolicy", meta["namespace"], "standard")
    assert "finalizers" not in left["metadata"]


async def test_a_status_is_replaced_whole(kube: KubeClient, policy: dict[str, Any]) -> None:
    where = ("RetryPolicy", policy["metadata"]["namespace"], "standard")
    uid = policy["metadata"]["uid"]
    await kube.replace_status(*where, uid=uid, status={"observedGeneration": 1, "worstCase": "4m"})
    after = await kube.replace_status(*where, uid=uid, status={"observedGeneration": 1, "usedBy": 2})
    assert after["status"] == {"observedGeneration": 1, "usedBy": 2}


async def test_the_status_of_another_object_of_that_name_is_not_written(
    kube: KubeClient, policy: dict[str, Any]
) -> None:
    where = ("RetryPolicy", policy["metadata"]["namespace"], "standard")
    with pytest.raises(Conflict):
        await kube.replace_status(*where, uid=STRANGER, status={"usedBy": 2})
    assert "status" not in await kube.get(*where)


async def test_a_status_that_breaks_the_schema_is_refused_for_good(
    kube: KubeClient, policy: dict[str, Any]
) -> None:
    meta = policy["metadata"]
    with pytest.raises(Invalid, match="usedBy"):
        await kube.replace_status(
            "RetryPolicy", meta["namespace"], "standard", uid=meta["uid"], status={"usedBy": "many"}
        )


async def test_an_object_on_its_way_out_goes_with_its_last_finalizer(
    kube: KubeClient, api: Client, policy: dict[str, Any]
) -> None:
    meta = policy["metadata"]
    where = ("RetryPolicy", meta["namespace"], "standard")
    await kube.patch_finalizers(*where, uid=meta["uid"], resource_version=None, finalizers=(FINALIZER,))
    await api.delete(policy_path(meta["namespace"], "standard"))
    gone = await kube.patch_finalizers(*where, uid=meta["uid"], resource_version=None, finalizers=())
    assert "deletionTimestamp" in gone["metadata"]
    with pytest.raises(NotFound):
        await kube.replace_status(*where, uid=meta["uid"], status={"usedBy": 1})


async def test_a_list_of_names_has_no_specs(kube: KubeClient, policy: dict[str, Any], namespace: str) -> None:
    names = await kube.list("RetryPolicy", namespace, metadata_only=True)
    whole = await kube.list("RetryPolicy")
    assert [(item["metadata"]["uid"], "spec" in item) for item in names.items] == [
        (policy["metadata"]["uid"], False)
    ]
    assert policy["metadata"]["uid"] in {item["metadata"]["uid"] for item in whole.items if item["spec"]}


async def test_a_secret_is_read_by_name_and_decoded_and_not_printed(
    kube: KubeClient, api: Client, namespace: str
) -> None:
    value = base64.b64encode(b"canary").decode()
    await api.post(
        f"/api/v1/namespaces/{namespace}/secrets", {"metadata": {"name": "s"}, "data": {"token": value}}
    )
    secret = await kube.get_secret(namespace, "s")
    assert (secret.data, "canary" in repr(secret)) == ({"token": b"canary"}, False)
    with pytest.raises(NotFound):
        await kube.get_secret(namespace, "other")


async def test_a_config_map_belongs_to_its_owner_and_changes_only_as_it_was_read(
    kube: KubeClient, policy: dict[str, Any], namespace: str
) -> None:
    owner = Owner("headgate.dev/v1alpha1", "RetryPolicy", "standard", policy["metadata"]["uid"])
    first = await kube.create_config_map(
        namespace, "b", {"x": "1", "y": "2"}, labels={"app": "headgate"}, owner=owner
    )
    second = await kube.patch_config_map(first, {"x": None, "z": "3"})
    assert (second.data, second.owners, second.labels) == (
        {"y": "2", "z": "3"},
        (owner,),
        {"app": "headgate"},
    )
    assert await kube.list_config_maps(namespace, "app=headgate") == (second,)
    with pytest.raises(Conflict):
        await kube.create_config_map(namespace, "b", {}, labels={})
    with pytest.raises(Conflict):
        await kube.patch_config_map(first, {"x": "late"})
    with pytest.raises(Conflict):
        await kube.delete_config_map(first)
    await kube.delete_config_map(second)
    with pytest.raises(NotFound):
        await kube.get_config_map(namespace, "b")


@pytest_asyncio.fixture
async def worker(api: Client, namespace: str) -> Named:
    """A Deployment without pods."""
    labels = {"app": "worker"}
    container = {"name": "c", "image": "none", "command": ["true"]}
    spec = {
        "replicas": 0,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
    }
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "worker"}, "spec": spec}
    await api.post(f"/apis/apps/v1/namespaces/{namespace}/deployments", body)
    return Named("apps/v1", "Deployment", namespace, "worker")


async def test_a_workload_is_scaled_only_as_it_was_read(kube: KubeClient, api: Client, worker: Named) -> None:
    async def scaled() -> bool:
        before = await kube.get_scale(worker)
        with suppress(Conflict):  # its controller writes to it too
            after = await kube.patch_scale(worker, 2, resource_version=before.resource_version)
            assert (before.desired, after.desired) == (0, 2)
            return True
        return False

    await until("the workload is scaled", scaled)
    with pytest.raises(Conflict):
        await kube.patch_scale(worker, 3, resource_version="1")
    now = await kube.get_scale(worker)
    path = f"/apis/apps/v1/namespaces/{worker.namespace}/deployments/{worker.name}"
    assert (now.desired, now.uid) == (2, (await api.get(path))["metadata"]["uid"])


MISSING = {
    "a workload that is not there": ("apps/v1", "Deployment"),
    "a kind that is not there": ("apps/v1", "Whatever"),
    "a group that is not there": ("argoproj.io/v1alpha1", "Rollout"),
}


@pytest.mark.parametrize(("version", "kind"), MISSING.values(), ids=MISSING.keys())
async def test_no_scale_for(kube: KubeClient, namespace: str, version: str, kind: str) -> None:
    with pytest.raises(NotFound):
        await kube.get_scale(Named(version, kind, namespace, "worker"))


async def test_other_scalers_of_a_workload_are_found_and_a_kind_that_goes_is_not_missed(
    kube: KubeClient, api: Client, worker: Named, namespace: str
) -> None:
    await put_hpa(api, namespace, "worker")
    hpa = Rival("HorizontalPodAutoscaler", namespace, "worker", worker)
    async with scaled_objects(api):
        await put_scaled_object(api, namespace, "worker")
        found = await kube.list_rivals(namespace)
        assert found == (hpa, Rival("ScaledObject", namespace, "worker", worker))

    async def only_the_other() -> bool:
        return await kube.list_rivals(namespace) == (hpa,)

    await until("ScaledObjects are gone", only_the_other)


async def test_an_event_is_seen_by_describe(kube: KubeClient, api: Client, policy: dict[str, Any]) -> None:
    meta = policy["metadata"]
    about = {key: meta[key] for key in ("namespace", "name", "uid")}
    about |= {"apiVersion": policy["apiVersion"], "kind": policy["kind"]}
    at = datetime(2026, 11, 21, 12, tzinfo=UTC)
    said = event(about, at, kind="Warning", reason="Orphaned", message="left: stream/x", reporter="here")
    await kube.create_event(said, meta["namespace"])
    query = {"fieldSelector": f"involvedObject.uid={meta['uid']}"}
    found = await api.get(f"/api/v1/namespaces/{meta['namespace']}/events", **query)
    assert [(e["type"], e["reason"], e["message"]) for e in found["items"]] == [
        ("Warning", "Orphaned", "left: stream/x")
    ]


async def test_what_an_account_may_not_do_is_forbidden(cluster: Cluster, api: Client, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/default/token"
    token = (await api.post(path, {"spec": {}}))["status"]["token"]
    access = Access(cluster.access.url, cluster.access.authority, token, namespace)
    file = cluster.run.state / f"{namespace}.kubeconfig"
    access.write(file)
    client = KubeClient(from_kubeconfig(file))
    with pytest.raises(Forbidden, match="secrets"):
        await client.get_secret(namespace, "s")
    await client.aclose()


async def test_the_cluster_has_a_name(kube: KubeClient) -> None:
    assert len(await kube.namespace_uid("kube-system")) == len(STRANGER)
