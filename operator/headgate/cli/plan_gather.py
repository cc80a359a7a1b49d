"""What is declared, as the operator would see it: the cluster's objects, with manifests laid over them. Reads, never writes."""

import asyncio
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from headgate.api import KINDS, FieldError, load
from headgate.api.common import ApiModel
from headgate.api.rules import IMMUTABLE
from headgate.cli.manifests import Complaint, Manifests, read
from headgate.core.estate import Ref
from headgate.engine.world import World
from headgate.kube.client import KubeClient
from headgate.kube.errors import Forbidden, NotFound

_FIXED: Final = re.compile(r"oldSelf\.([\w.]+)\b")
_ONLY_THERE: Final = "you may not list the whole cluster: {where} was read and what it refers to; who else uses the same brokers is not known"
_NO_LABELS: Final = "you may not list namespaces: permissions by label cannot be checked"


class CannotPlan(Exception):  # noqa: N818  (an outcome)
    """There is no plan to show; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What somebody wants to see planned."""

    namespace: str
    everywhere: bool = False
    named: tuple[tuple[str, str], ...] = ()  # kind and name
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Gathered:
    """All that is declared, and which of it is to be shown."""

    world: World
    chosen: tuple[Ref, ...]
    notes: tuple[str, ...] = ()  # what could not be looked at
    complaints: tuple[Complaint, ...] = ()  # manifests that the API server would not take


async def gather(kube: KubeClient, installation: str, scope: Scope) -> Gathered:
    """Read the cluster, then lay the manifests over it."""
    world = World(installation, lambda _: None)
    bodies, notes = await _declared(kube, world, scope)
    complaints: list[Complaint] = []
    laid: set[Ref] = set()
    if scope.files:
        manifests = read(scope.files, scope.namespace)
        complaints += manifests.complaints
        laid = set(_overlay(world, manifests, bodies, complaints))
    return Gathered(world, tuple(sorted(_chosen(world, scope, laid))), tuple(notes), tuple(complaints))


async def _declared(
    kube: KubeClient, world: World, scope: Scope
) -> tuple[dict[Ref, Mapping[str, Any]], list[str]]:
    """Everything that may be read, with what has to be said about the rest."""
    notes: list[str] = []
    bodies: dict[Ref, Mapping[str, Any]] = {}
    try:
        for body in (await kube.list_namespaces()).items:
            world.see_namespace(None, body)
    except Forbidden:
        notes.append(_NO_LABELS)
    try:
        bodies = await _listed(kube, None)
        world.listed((None,))
    except Forbidden:
        if scope.everywhere:
            raise
        notes.append(_ONLY_THERE.format(where=f"namespace {scope.namespace}"))
        bodies = await _listed(kube, scope.namespace)
        world.listed((scope.namespace,))
        bodies |= await _abroad(kube, bodies)
    for ref, body in bodies.items():
        world.see(ref.kind, None, body)
    return bodies, notes


async def _listed(kube: KubeClient, namespace: str | None) -> dict[Ref, Mapping[str, Any]]:
    kinds = [kind.kind for kind in KINDS]
    try:
        listings = await asyncio.gather(*(kube.list(kind, namespace) for kind in kinds))
    except NotFound as error:
        raise CannotPlan("the cluster does not know Headgate's kinds: `headgate crds` prints them") from error
    return {
        Ref(kind, body["metadata"]["namespace"], body["metadata"]["name"]): body
        for kind, listing in zip(kinds, listings, strict=True)
        for body in listing.items
    }


async def _abroad(kube: KubeClient, known: Mapping[Ref, Mapping[str, Any]]) -> dict[Ref, Mapping[str, Any]]:
    """What the known objects refer to in other namespaces, as far as it may be read."""
    found: dict[Ref, Mapping[str, Any]] = {}
    pending = {to for ref, body in known.items() for to in _references(ref, body)} - known.keys()
    while pending:
        ref = pending.pop()
        try:
            found[ref] = await kube.get(ref.kind, ref.namespace, ref.name)
        except (Forbidden, NotFound):
            continue
        pending |= set(_references(ref, found[ref])) - known.keys() - found.keys()
    return found


def _references(ref: Ref, body: Mapping[str, Any]) -> Iterator[Ref]:
    spec = body.get("spec") or {}
    for field, kind in (
        ("brokerRef", "EventBroker"),
        ("topicRef", "EventTopic"),
        ("deadLetterQueueRef", "DeadLetterQueue"),
    ):
        to = spec.get(field)
        if isinstance(to, dict) and to.get("name"):
            yield Ref(kind, to.get("namespace") or ref.namespace, to["name"])


def _overlay(
    world: World,
    manifests: Manifests,
    bodies: Mapping[Ref, Mapping[str, Any]],
    complaints: list[Complaint],
) -> Iterator[Ref]:
    """Have the world look as if the manifests had been applied; what would not be accepted stays as it was."""
    refused = {complaint.ref for complaint in complaints}
    for namespace, labels in manifests.estate.namespaces.items():
        if namespace not in world.estate.namespaces:
            world.see_namespace(None, {"metadata": {"name": namespace, "labels": dict(labels)}})
    for ref, manifest in manifests.bodies.items():
        before = bodies.get(ref)
        fixed = [] if before is None else list(_fixed(ref.kind, before, manifest))
        complaints += [Complaint(manifests.places[ref], ref, error) for error in fixed]
        if ref in refused or fixed:
            continue
        world.see(ref.kind, None, _applied(ref, before, manifest))
        yield ref


def _applied(ref: Ref, before: Mapping[str, Any] | None, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The object as the API server would have it after the manifest was applied."""
    old = (before or {}).get("metadata") or {"uid": "", "resourceVersion": "0", "generation": 0}
    words = (manifest.get("metadata") or {}).get("annotations") or {}
    meta = {
        **old,
        "namespace": ref.namespace,
        "name": ref.name,
        "resourceVersion": str(int(old["resourceVersion"]) + 1),
        "generation": old["generation"] + 1,
        "annotations": {**(old.get("annotations") or {}), **words},
    }
    return {
        "metadata": meta,
        "spec": manifest.get("spec") or {},
        "status": (before or {}).get("status") or {},
    }


def _fixed(kind: str, before: Mapping[str, Any], manifest: Mapping[str, Any]) -> Iterator[FieldError]:
    """Fields that cannot be changed any more, as the API server would say it."""
    one = next(each for each in KINDS if each.kind == kind)
    old, new = (load(one, body.get("spec") or {}, strict=False) for body in (before, manifest))
    if isinstance(old, list) or isinstance(new, list):
        return
    for rule in (rule for rule in one.spec.checks if rule.id == IMMUTABLE):
        path = max(_FIXED.findall(rule.cel), key=len)
        if _at(old, path) != _at(new, path):
            yield FieldError(f"spec.{path}", rule.message, rule.id)


def _at(spec: ApiModel, path: str) -> object:
    value: object = spec.model_dump(mode="json", by_alias=True)
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _chosen(world: World, scope: Scope, laid: set[Ref]) -> set[Ref]:
    """The objects to show: those named, else what the files touch, else a namespace or everything."""
    every = set(world.entries)
    here = {ref for ref in every if scope.everywhere or ref.namespace == scope.namespace}
    if scope.named:
        return {ref for kind, name in scope.named for ref in _named(here | laid, kind, name, scope)}
    if scope.everywhere or not scope.files:
        return here
    return laid | {other for ref in laid for other in world.dependents(ref)}


def _named(refs: set[Ref], kind: str, name: str, scope: Scope) -> set[Ref]:
    found = {ref for ref in refs if (ref.kind, ref.name) == (kind, name)}
    if not found:
        where = "anywhere" if scope.everywhere else f"in namespace {scope.namespace}"
        raise CannotPlan(f"there is no {kind} {name} {where}")
    return found
