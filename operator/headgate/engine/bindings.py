"""Writes what workers have to know into the ConfigMap that they mount. Knows no key of it but the revision.

A pass over everything reads the bindings of a namespace in one list; what is not in it, because somebody took its
label away or because nobody may list, is read by name.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

from headgate.api import API_VERSION
from headgate.core.estate import Ref
from headgate.core.outcomes import Finding, Outcome
from headgate.core.status.account import BindingAccount
from headgate.engine.shared import Shared
from headgate.engine.world import Entry
from headgate.kube.errors import Conflict, Forbidden, NotFound
from headgate.kube.values import ConfigMap, Owner

LABELS: Final = {"app.kubernetes.io/managed-by": "headgate", "headgate.dev/binding": "true"}
SELECTOR: Final = "headgate.dev/binding=true"
REVISION: Final = "revision"


class Bindings:
    """The bindings of all groups. A ConfigMap that is not ours is never touched."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._known: dict[Ref, ConfigMap] = {}
        self._listed: dict[str, dict[str, ConfigMap]] = {}  # by namespace, in this pass; each is used once
        self._listing = asyncio.Lock()

    def begin(self) -> None:
        """A new pass over everything: what it rereads is listed anew."""
        self._listed = {}

    async def ensure(
        self, entry: Entry, name: str, content: Mapping[str, str], *, reread: bool
    ) -> BindingAccount | Finding:
        """Bring the ConfigMap of a group to the given content; its revision grows with every change of it."""
        try:
            known = await self._find(entry, name, reread=reread)
            if known is None:
                known = await self._create(entry, name, content)
            if not _owned(known, entry):
                return _taken(name)
            if _content(known) != content:
                known = await self._change(known, content)
        except Forbidden:
            return Finding(
                Outcome.WARNING,
                "BindingForbidden",
                f"spec.binding: the operator may not write ConfigMap {name}; grant it configmaps, or leave spec.binding out",
                "spec.binding",
            )
        except (Conflict, NotFound):
            self._known.pop(entry.ref, None)
            raise
        self._known[entry.ref] = known
        self._listed.get(entry.ref.namespace, {}).pop(name, None)  # older than what is known now
        return BindingAccount(name, int(known.data.get(REVISION, "0")))

    async def withdraw(self, entry: Entry, wanted: str | None) -> None:
        """Take away a ConfigMap of ours under a name that is not declared any more: stale truth is worse than none."""
        name = (entry.status.get("binding") or {}).get("configMapName")
        if not name or name == wanted:
            return
        try:
            known = await self._shared.kube.get_config_map(entry.ref.namespace, str(name))
            if _owned(known, entry):
                await self._shared.kube.delete_config_map(known)
        except (NotFound, Forbidden):
            pass  # gone already, or not ours to write: the status says where the binding is now
        self._known.pop(entry.ref, None)

    async def taken(self, entry: Entry, name: str) -> Finding | None:
        """Whether somebody else has the name, asked before anything is made for a group that has no binding yet."""
        known = self._known.get(entry.ref)
        if (known is not None and known.name == name) or entry.status.get("binding"):
            return None
        try:
            found = await self._shared.kube.get_config_map(entry.ref.namespace, name)
        except (NotFound, Forbidden):
            return None
        return None if _owned(found, entry) else _taken(name)

    def forget(self, ref: Ref) -> None:
        """The group is gone; its ConfigMap is collected with it."""
        self._known.pop(ref, None)

    async def _find(self, entry: Entry, name: str, *, reread: bool) -> ConfigMap | None:
        known = self._known.get(entry.ref)
        if known is not None and known.name == name and not reread:
            return known
        if known is None and not entry.status.get("binding"):
            return None
        found = (await self._list(entry.ref.namespace)).pop(name, None) if reread else None
        if found is not None:
            return found
        try:
            return await self._shared.kube.get_config_map(entry.ref.namespace, name)
        except NotFound:
            return None

    async def _list(self, namespace: str) -> dict[str, ConfigMap]:
        """The bindings of a namespace as this pass found them."""
        async with self._listing:
            if namespace not in self._listed:
                try:
                    found = await self._shared.kube.list_config_maps(namespace, SELECTOR)
                except Forbidden:
                    found = ()
                self._listed[namespace] = {each.name: each for each in found}
            return self._listed[namespace]

    async def _create(self, entry: Entry, name: str, content: Mapping[str, str]) -> ConfigMap:
        before = (entry.status.get("binding") or {}).get("revision") or 0
        owner = Owner(API_VERSION, entry.ref.kind, entry.ref.name, entry.uid)
        data = {**content, REVISION: str(int(before) + 1)}
        kube, namespace = self._shared.kube, entry.ref.namespace
        try:
            return await kube.create_config_map(namespace, name, data, labels=LABELS, owner=owner)
        except Conflict:
            return await kube.get_config_map(namespace, name)

    async def _change(self, known: ConfigMap, content: Mapping[str, str]) -> ConfigMap:
        gone: dict[str, str | None] = dict.fromkeys(_content(known).keys() - content.keys())
        revision = str(int(known.data.get(REVISION, "0")) + 1)
        return await self._shared.kube.patch_config_map(known, {**gone, **content, REVISION: revision})


def _content(known: ConfigMap) -> dict[str, str]:
    return {key: text for key, text in known.data.items() if key != REVISION}


def _owned(known: ConfigMap, entry: Entry) -> bool:
    return any(owner.uid == entry.uid for owner in known.owners)


def _taken(name: str) -> Finding:
    return Finding(
        Outcome.REFUSED,
        "BindingTaken",
        f"spec.binding.configMapName: ConfigMap {name} belongs to somebody else; choose another name or delete it",
        "spec.binding.configMapName",
    )
