"""Puts Headgate into a local cluster and waits until it works. Knows nothing of what it then does."""

import asyncio
from collections.abc import Iterable

import yaml

from headgate.api import KINDS
from headgate.api.crd import render as render_crd
from headgate.local.cache import Say, silent
from headgate.local.client import Client, Json
from headgate.local.cluster import Cluster
from headgate.local.errors import LocalError
from headgate.local.manifests import COMPONENTS, Install, render
from headgate.local.waiting import until

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
READY_LIMIT = 60.0
PLURALS = {
    "Namespace": "namespaces",
    "ServiceAccount": "serviceaccounts",
    "Role": "roles",
    "RoleBinding": "rolebindings",
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
    "Deployment": "deployments",
}


async def install_crds(client: Client) -> None:
    """Apply the CRD of every kind and wait until the API server serves them."""
    names = []
    for kind in KINDS:
        crd = yaml.safe_load(render_crd(kind))
        names.append(crd["metadata"]["name"])
        await client.apply(f"{CRDS}/{names[-1]}", crd)

    async def established() -> bool:
        return all([_is_true(await client.get(f"{CRDS}/{name}"), "Established") for name in names])

    await until("the CRDs are served", established, limit=READY_LIMIT)


async def apply(client: Client, objects: Iterable[Json]) -> None:
    """Apply manifests of the kinds above, in their order."""
    for each in objects:
        await client.apply(path_of(each), each)


def path_of(manifest: Json) -> str:
    """Where the API server has such an object."""
    version, meta = manifest["apiVersion"], manifest["metadata"]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    within = f"/namespaces/{meta['namespace']}" if "namespace" in meta else ""
    return f"{root}{within}/{PLURALS[manifest['kind']]}/{meta['name']}"


async def install(
    cluster: Cluster, wanted: Install, say: Say = silent, *, limit: float = READY_LIMIT
) -> None:
    """CRDs, rights, operator and mover; returns when both are ready."""
    async with cluster.client() as client:
        say("installing the CRDs")
        await install_crds(client)
        say(
            "installing operator and mover"
            + (f" for {', '.join(wanted.namespaces)}" if wanted.namespaces else "")
        )
        await apply(client, render(wanted))
        waits = (_until_ready(client, cluster, wanted, component, limit) for component, _ in COMPONENTS)
        await asyncio.gather(*waits)


async def _until_ready(
    client: Client, cluster: Cluster, wanted: Install, component: str, limit: float
) -> None:
    path = f"/apis/apps/v1/namespaces/{wanted.namespace}/deployments/headgate-{component}"

    async def available() -> bool:
        return _is_true(await client.get(path), "Available")

    try:
        await until(f"the {component} is ready", available, limit=limit)
    except LocalError as error:
        logs = (cluster.run.logs / "pods" / wanted.namespace).glob(f"*/{component}.log")
        newest = max(logs, key=lambda log: log.stat().st_mtime, default=None)
        end = newest.read_text(errors="replace")[-2000:] if newest else "it wrote nothing"
        raise LocalError("InstallFailed", f"{error}; the end of what it wrote:\n{end}") from error


def _is_true(found: Json, condition: str) -> bool:
    conditions = (found.get("status") or {}).get("conditions") or ()
    return any(each["type"] == condition and each["status"] == "True" for each in conditions)
