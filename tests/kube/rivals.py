"""Other scalers of a workload, as far as anybody has to see them: HPAs, and ScaledObjects without a KEDA behind them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from headgate.local.client import ApiError, Client
from headgate.local.waiting import until

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
SCALED_OBJECTS = "scaledobjects.keda.sh"


def target(name: str) -> dict[str, Any]:
    """A Deployment as scalers refer to it."""
    return {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}


async def put_hpa(api: Client, namespace: str, name: str) -> str:
    """An HPA of a Deployment, without a metric to act on; its path."""
    path = f"/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers"
    await api.post(
        path, {"metadata": {"name": name}, "spec": {"maxReplicas": 3, "scaleTargetRef": target(name)}}
    )
    return f"{path}/{name}"


async def put_scaled_object(api: Client, namespace: str, name: str) -> str:
    """A ScaledObject of a Deployment; its path."""
    path = f"/apis/keda.sh/v1alpha1/namespaces/{namespace}/scaledobjects"
    body = {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": name}}
    await api.post(path, body | {"spec": {"scaleTargetRef": {"name": name}}})
    return f"{path}/{name}"


@asynccontextmanager
async def scaled_objects(api: Client) -> AsyncIterator[None]:
    """The cluster has the kind ScaledObject for the length of a block."""
    names = {"plural": "scaledobjects", "singular": "scaledobject", "kind": "ScaledObject"}
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {"name": "v1alpha1", "served": True, "storage": True, "schema": schema}
    spec = {"group": "keda.sh", "scope": "Namespaced", "names": names, "versions": [version]}
    body = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
    await api.apply(f"{CRDS}/{SCALED_OBJECTS}", body | {"metadata": {"name": SCALED_OBJECTS}, "spec": spec})
    await until("ScaledObjects are served", lambda: _served(api))
    try:
        yield
    finally:
        await api.delete(f"{CRDS}/{SCALED_OBJECTS}")


async def _served(api: Client) -> bool:
    try:
        await api.get("/apis/keda.sh/v1alpha1/scaledobjects")
        return bool((await api.get("/apis/keda.sh/v1alpha1"))["resources"])
    except ApiError:
        return False
