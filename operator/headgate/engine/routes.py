"""Writes what movers have to do on one EventBroker into its ConfigMap. Knows no broker and holds no secret."""

import logging
from collections.abc import Collection, Iterator
from typing import Final

from headgate.api import API_VERSION
from headgate.core.estate import Ref
from headgate.core.index import GROUP
from headgate.core.moves import DATA_KEY, LABEL, Route, RoutesError, config_map_name, load, render, routes_of
from headgate.engine.shared import Shared
from headgate.kube.errors import KubeError, NotFound
from headgate.kube.values import ConfigMap, Owner

log = logging.getLogger(__name__)

MANAGED_BY: Final = {"app.kubernetes.io/managed-by": "headgate"}


class RoutesWriter:
    """The routes of one EventBroker; written only when they differ, never into a ConfigMap of somebody else."""

    def __init__(self, broker: Ref, shared: Shared) -> None:
        self._broker = broker
        self._shared = shared
        self._known: ConfigMap | None = None
        self._read = False

    async def write(self, routes: Collection[Route], *, reread: bool) -> None:
        """Bring the ConfigMap to these routes. Raises KubeError.

        A group that exists keeps the route it had while it does not compile: its dead letters still have to go somewhere.
        """
        entry = self._shared.world.entries.get(self._broker)
        if entry is None or entry.deleting_since is not None:
            return
        try:
            if reread or not self._read:
                self._known, self._read = await self._find(), True
            await self._bring(routes, entry.uid)
        except KubeError:
            self._read = False
            raise

    async def _find(self) -> ConfigMap | None:
        name = config_map_name(self._broker.name)
        try:
            return await self._shared.kube.get_config_map(self._broker.namespace, name)
        except NotFound:
            return None

    async def _bring(self, routes: Collection[Route], uid: str) -> None:
        known = self._known
        if known is None and not routes:
            return
        if known is not None and not any(owner.uid == uid for owner in known.owners):
            log.warning("ConfigMap %s/%s is not ours; movers get no routes", known.namespace, known.name)
            return
        before = known.data.get(DATA_KEY, "") if known is not None else ""
        text = render(
            routes_of(f"{self._broker.namespace}/{self._broker.name}", (*routes, *self._kept(before, routes)))
        )
        if text == before:
            return
        kube, ref = self._shared.kube, self._broker
        if known is not None:
            self._known = await kube.patch_config_map(known, {DATA_KEY: text})
            return
        owner = Owner(API_VERSION, ref.kind, ref.name, uid)
        labels = {**MANAGED_BY, LABEL: ref.name}
        name = config_map_name(ref.name)
        self._known = await kube.create_config_map(
            ref.namespace, name, {DATA_KEY: text}, labels=labels, owner=owner
        )

    def _kept(self, before: str, routes: Collection[Route]) -> Iterator[Route]:
        given = {route.group for route in routes}
        try:
            earlier = load(before).routes if before else ()
        except RoutesError:
            return
        for route in earlier:
            namespace, _, name = route.group.partition("/")
            if route.group not in given and Ref(GROUP, namespace, name) in self._shared.world.entries:
                yield route
