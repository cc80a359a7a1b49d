"""Writes what movers have to do on one EventBroker into its ConfigMap. Knows no broker and holds no secret."""

from collections.abc import Collection
from typing import Final

from headgate.api import API_VERSION
from headgate.core.estate import Ref
from headgate.core.moves import DATA_KEY, LABEL, Route, config_map_name, render, routes_of
from headgate.engine.shared import Shared
from headgate.kube.errors import Conflict, NotFound
from headgate.kube.values import ConfigMap, Owner

MANAGED_BY: Final = {"app.kubernetes.io/managed-by": "headgate"}


class RoutesWriter:
    """The routes of one EventBroker; written only when they differ."""

    def __init__(self, broker: Ref, shared: Shared) -> None:
        self._broker = broker
        self._shared = shared
        self._known: ConfigMap | None = None

    async def write(self, routes: Collection[Route]) -> None:
        """Bring the ConfigMap to these routes. Raises KubeError."""
        entry = self._shared.world.entries.get(self._broker)
        if entry is None or entry.deleting_since is not None or (self._known is None and not routes):
            return
        text = render(routes_of(f"{self._broker.namespace}/{self._broker.name}", routes))
        if self._known is not None and self._known.data.get(DATA_KEY) == text:
            return
        try:
            self._known = await self._written(text, entry.uid)
        except Conflict:
            self._known = None
            raise

    async def _written(self, text: str, uid: str) -> ConfigMap:
        kube, ref, name = self._shared.kube, self._broker, config_map_name(self._broker.name)
        known = self._known
        if known is None:
            try:
                known = await kube.get_config_map(ref.namespace, name)
            except NotFound:
                owner = Owner(API_VERSION, ref.kind, ref.name, uid)
                labels = {**MANAGED_BY, LABEL: ref.name}
                return await kube.create_config_map(
                    ref.namespace, name, {DATA_KEY: text}, labels=labels, owner=owner
                )
        if known.data.get(DATA_KEY) == text:
            return known
        return await kube.patch_config_map(known, {DATA_KEY: text})
