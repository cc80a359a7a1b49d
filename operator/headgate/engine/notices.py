"""Kubernetes Events, of which there are few: only what a person has to know and no status can say. Decides nothing."""

import logging

from headgate.api import API_VERSION
from headgate.engine.shared import Shared
from headgate.engine.world import Entry
from headgate.kube.errors import KubeError
from headgate.kube.read import event

log = logging.getLogger(__name__)


class Notices:
    """Posts Events about custom resources; one that cannot be posted is logged and stops nothing."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    async def warn(self, entry: Entry, reason: str, message: str) -> None:
        """A Warning about an object. A namespace that ends takes no Events any more: there the log has to do."""
        log.warning("%s: %s: %s", entry.ref, reason, message)
        if entry.ref.namespace in self._shared.world.ending:
            return
        ref = entry.ref
        regarding = {
            "apiVersion": API_VERSION,
            "kind": ref.kind,
            "namespace": ref.namespace,
            "name": ref.name,
            "uid": entry.uid,
        }
        at, reporter = self._shared.wall(), self._shared.reporter
        body = event(regarding, at, kind="Warning", reason=reason, message=message, reporter=reporter)
        try:
            await self._shared.kube.create_event(body, entry.ref.namespace)
        except KubeError as error:
            log.warning("%s: the Event %s could not be posted: %s", entry.ref, reason, error)
