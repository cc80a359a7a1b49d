"""From the API server's JSON to values and back. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from headgate.kube.values import ConfigMap, Lease, Named, Owner, Rival, Scale


def config_map(body: Mapping[str, Any]) -> ConfigMap:
    """A ConfigMap of the core API."""
    meta = body["metadata"]
    owners = tuple(
        Owner(o["apiVersion"], o["kind"], o["name"], o["uid"]) for o in meta.get("ownerReferences") or ()
    )
    return ConfigMap(
        namespace=meta["namespace"],
        name=meta["name"],
        uid=meta["uid"],
        resource_version=meta["resourceVersion"],
        data=body.get("data") or {},
        labels=meta.get("labels") or {},
        owners=owners,
    )


def owner_reference(owner: Owner) -> dict[str, object]:
    """What makes an object go with its owner."""
    return {
        "apiVersion": owner.api_version,
        "kind": owner.kind,
        "name": owner.name,
        "uid": owner.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }


def scale(body: Mapping[str, Any]) -> Scale:
    """An autoscaling/v1 Scale."""
    meta, status = body["metadata"], body.get("status") or {}
    return Scale(
        desired=int((body.get("spec") or {}).get("replicas") or 0),
        current=int(status.get("replicas") or 0),
        resource_version=meta["resourceVersion"],
        uid=meta.get("uid", ""),
        selector=status.get("selector") or "",
    )


def rival(kind: str, body: Mapping[str, Any]) -> Rival:
    """A HorizontalPodAutoscaler or a ScaledObject, which default what they leave out to a Deployment."""
    meta, target = body["metadata"], (body.get("spec") or {}).get("scaleTargetRef") or {}
    named = Named(
        target.get("apiVersion") or "apps/v1",
        target.get("kind") or "Deployment",
        meta["namespace"],
        target.get("name", ""),
    )
    return Rival(kind, meta["namespace"], meta["name"], named)


def lease(body: Mapping[str, Any]) -> Lease:
    """A coordination.k8s.io/v1 Lease."""
    meta, spec = body["metadata"], body.get("spec") or {}
    renewed = spec.get("renewTime")
    return Lease(
        holder=spec.get("holderIdentity") or "",
        duration=float(spec.get("leaseDurationSeconds") or 0),
        renewed=datetime.fromisoformat(renewed) if renewed else None,
        transitions=int(spec.get("leaseTransitions") or 0),
        uid=meta["uid"],
        resource_version=meta["resourceVersion"],
    )


def event(
    regarding: Mapping[str, str], at: datetime, *, kind: str, reason: str, message: str, reporter: str
) -> dict[str, object]:
    """An Event on one object; `regarding` has apiVersion, kind, namespace, name and uid."""
    stamp = at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": f"{regarding['name'][:200]}-", "namespace": regarding["namespace"]},
        "involvedObject": dict(regarding),
        "type": kind,
        "reason": reason,
        "action": reason,
        "message": message[:1024],
        "eventTime": stamp,
        "reportingComponent": "headgate.dev/operator",
        "reportingInstance": reporter,
        "source": {"component": "headgate"},
    }
