"""Every call that Headgate makes to a cluster, each one request. Decides nothing and repeats nothing."""

import base64
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

from headgate.kube import paths, read
from headgate.kube.config import KubeConfig
from headgate.kube.discovery import Discovery
from headgate.kube.errors import NotFound, error_of
from headgate.kube.known import Known
from headgate.kube.transport import DEADLINE, JSON_PATCH, MERGE, Meter, Transport, unmetered
from headgate.kube.values import ConfigMap, Lease, Listing, Named, Owner, Rival, Scale, Secret

PAGE: Final = 500
MANAGER: Final = "headgate"
METADATA_ONLY: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
METADATA_WATCH: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
WATCH: Final = 40  # seconds after which the server ends that watch: opened anew, it shows whether our rights are still there
SILENCE: Final = 90.0  # seconds; bookmarks come every 60
LEASES: Final = "coordination.k8s.io/v1"
HPAS: Final = ("autoscaling/v2", "HorizontalPodAutoscaler")
SCALED_OBJECTS: Final = ("keda.sh/v1alpha1", "ScaledObject")


class KubeClient:
    """One cluster. Every method raises a KubeError of `headgate.kube.errors` and nothing else."""

    def __init__(self, config: KubeConfig, *, meter: Meter = unmetered, deadline: float = DEADLINE) -> None:
        self.config = config
        self.known = Known()  # what callers have in their hands and need not be told by a watch
        self._http = Transport(config, meter=meter, deadline=deadline)
        self._discovery = Discovery(self._http)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def fence(self, may_write: Callable[[], bool]) -> None:
        """Have every write but the Lease's own refused while `may_write` says no."""
        self._http.may_write = may_write

    # --- our own kinds

    async def get(self, kind: str, namespace: str, name: str) -> dict[str, Any]:
        """One object of ours."""
        return await self._http.get(paths.of_kind(kind, namespace, name))

    async def list(self, kind: str, namespace: str | None = None, *, metadata_only: bool = False) -> Listing:
        """All objects of one of our kinds, in pages; with `metadata_only` without spec and status."""
        found = await self._pages(paths.of_kind(kind, namespace), METADATA_ONLY if metadata_only else None)
        for item in () if metadata_only else found.items:
            self.known.add(item)
        return found

    async def list_namespaces(self) -> Listing:
        """All namespaces."""
        return await self._pages(paths.core("namespaces", None), None)

    async def follow_namespace(self, name: str) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """One namespace, metadata only: as it is, then every change of it, until the server ends the watch.

        The path is the old one for a single object: the only one to which a Role inside that very namespace can give a
        right. Namespaces as a collection belong to the cluster.
        """
        path = paths.core(f"watch/namespaces/{name}", None)
        query = {"allowWatchBookmarks": "true", "timeoutSeconds": str(WATCH)}
        async for event in self._http.follow(path, silence=SILENCE, accept=METADATA_WATCH, **query):
            body = event["object"]
            if event["type"] == "ERROR":
                raise error_of(int(body.get("code") or 0), f"GET {path}: {body.get('message')}")
            if event["type"] != "BOOKMARK":
                yield event["type"], body

    async def namespace_uid(self, name: str) -> str:
        """The uid of a namespace; kube-system's names the cluster."""
        body = await self._http.get(
            paths.core("namespaces", None, name), accept=METADATA_ONLY.replace("List;", ";")
        )
        return str(body["metadata"]["uid"])

    async def patch_finalizers(
        self,
        kind: str,
        namespace: str,
        name: str,
        *,
        uid: str,
        resource_version: str | None,
        finalizers: tuple[str, ...],
        annotations: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Replace the finalizers of this very object at this very version (None: at any); returns the object."""
        meta: dict[str, Any] = {"uid": uid, "finalizers": list(finalizers)}
        if resource_version is not None:
            meta["resourceVersion"] = resource_version
        if annotations:
            meta["annotations"] = dict(annotations)
        body = await self._merge(paths.of_kind(kind, namespace, name), {"metadata": meta})
        self.known.add(body)
        return body

    async def replace_status(
        self, kind: str, namespace: str, name: str, *, uid: str, status: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Make this the whole status of this very object; Conflict for another one of its name. Returns the object.

        A merge patch would not do: on the status subresource the server passes over the uid in it.
        """
        patch = [
            {"op": "test", "path": "/metadata/uid", "value": uid},
            {"op": "add", "path": "/status", "value": status},
        ]
        path = paths.of_kind(kind, namespace, name, "status")
        body = await self._http.write("PATCH", path, patch, content_type=JSON_PATCH, fieldManager=MANAGER)
        self.known.add(body)
        return body

    # --- what belongs to them

    async def get_secret(self, namespace: str, name: str) -> Secret:
        """One named Secret, decoded."""
        body = await self._http.get(paths.core("secrets", namespace, name))
        data = {key: base64.b64decode(value) for key, value in (body.get("data") or {}).items()}
        return Secret(body["metadata"]["uid"], body["metadata"]["resourceVersion"], data)

    async def get_config_map(self, namespace: str, name: str) -> ConfigMap:
        """One ConfigMap."""
        return read.config_map(await self._http.get(paths.core("configmaps", namespace, name)))

    async def list_config_maps(self, namespace: str | None, selector: str) -> tuple[ConfigMap, ...]:
        """The ConfigMaps with certain labels."""
        listing = await self._pages(paths.core("configmaps", namespace), None, labelSelector=selector)
        return tuple(read.config_map(item) for item in listing.items)

    async def create_config_map(
        self,
        namespace: str,
        name: str,
        data: Mapping[str, str],
        *,
        labels: Mapping[str, str],
        owner: Owner | None = None,
    ) -> ConfigMap:
        """A new ConfigMap; Conflict when the name is taken."""
        meta: dict[str, Any] = {"name": name, "namespace": namespace, "labels": dict(labels)}
        if owner is not None:
            meta["ownerReferences"] = [read.owner_reference(owner)]
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": dict(data)}
        path = paths.core("configmaps", namespace)
        return read.config_map(await self._http.write("POST", path, body, fieldManager=MANAGER))

    async def patch_config_map(self, known: ConfigMap, data: Mapping[str, str | None]) -> ConfigMap:
        """Merge data into the ConfigMap as it was read (None removes a key); Conflict when it moved on."""
        body = {"metadata": {"uid": known.uid, "resourceVersion": known.resource_version}, "data": data}
        return read.config_map(await self._merge(paths.core("configmaps", known.namespace, known.name), body))

    async def delete_config_map(self, known: ConfigMap) -> None:
        """Delete the ConfigMap as it was read."""
        conditions = {"uid": known.uid, "resourceVersion": known.resource_version}
        path = paths.core("configmaps", known.namespace, known.name)
        await self._http.write("DELETE", path, {"preconditions": conditions})

    async def create_event(self, event: Mapping[str, Any], namespace: str) -> None:
        """One Event, as `headgate.kube.read.event` makes it."""
        await self._http.write("POST", paths.core("events", namespace), event, fieldManager=MANAGER)

    # --- workloads of others

    async def get_scale(self, target: Named) -> Scale:
        """How many replicas a workload is to have and has."""
        return read.scale(await self._http.get(await self._path(target, "scale")))

    async def patch_scale(self, target: Named, replicas: int, *, resource_version: str) -> Scale:
        """Set the replicas of a workload as it was read; Conflict when it moved on."""
        body = {"metadata": {"resourceVersion": resource_version}, "spec": {"replicas": replicas}}
        return read.scale(await self._merge(await self._path(target, "scale"), body))

    async def list_rivals(self, namespace: str) -> tuple[Rival, ...]:
        """Everything else that scales in a namespace: HPAs, and ScaledObjects where the cluster has them."""
        found: list[Rival] = []
        for api_version, kind in (HPAS, SCALED_OBJECTS):
            try:
                plural = await self._discovery.plural(api_version, kind)
                listing = await self._pages(paths.of_group(api_version, plural, namespace), None)
            except NotFound:  # never had, or taken out of the cluster since
                continue
            found += [read.rival(kind, item) for item in listing.items]
        return tuple(found)

    # --- the Lease of the one operator that acts

    async def get_lease(self, namespace: str, name: str) -> Lease:
        """A Lease."""
        return read.lease(await self._http.get(paths.of_group(LEASES, "leases", namespace, name)))

    async def find_leases(self, name: str) -> tuple[str, ...]:
        """The namespaces that have a Lease of this name."""
        path = paths.of_group(LEASES, "leases", None)
        listing = await self._pages(path, METADATA_ONLY, fieldSelector=f"metadata.name={name}")
        return tuple(item["metadata"]["namespace"] for item in listing.items)

    async def create_lease(self, namespace: str, name: str, spec: Mapping[str, Any]) -> Lease:
        """A new Lease; Conflict when somebody was faster."""
        body = {"apiVersion": LEASES, "kind": "Lease", "metadata": {"name": name}, "spec": spec}
        path = paths.of_group(LEASES, "leases", namespace)
        return read.lease(await self._http.write("POST", path, body, fenced=False))

    async def patch_lease(self, namespace: str, name: str, known: Lease, spec: Mapping[str, Any]) -> Lease:
        """Change a Lease as it was read; Conflict when it moved on."""
        body = {"metadata": {"uid": known.uid, "resourceVersion": known.resource_version}, "spec": spec}
        path = paths.of_group(LEASES, "leases", namespace, name)
        return read.lease(await self._http.write("PATCH", path, body, content_type=MERGE, fenced=False))

    # --- how

    async def _path(self, target: Named, subresource: str = "") -> str:
        plural = await self._discovery.plural(target.api_version, target.kind)
        return paths.of_group(target.api_version, plural, target.namespace, target.name, subresource)

    async def _merge(self, path: str, body: object) -> dict[str, Any]:
        return await self._http.write("PATCH", path, body, content_type=MERGE, fieldManager=MANAGER)

    async def _pages(self, path: str, accept: str | None, **query: str) -> Listing:
        items: list[Mapping[str, Any]] = []
        query["limit"] = str(PAGE)
        extra = {"accept": accept} if accept else {}
        while True:
            page = await self._http.get(path, **extra, **query)
            for item in page.get("items") or ():
                item["metadata"].pop("managedFields", None)  # half of every object, of no use to anybody here
                items.append(item)
            if not page["metadata"].get("continue"):
                return Listing(page["metadata"]["resourceVersion"], tuple(items))
            query["continue"] = page["metadata"]["continue"]
