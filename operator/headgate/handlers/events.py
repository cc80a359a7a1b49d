"""From watch events to the engine's inbox; nothing is decided here. Knows neither brokers nor what events mean."""

import kopf

from headgate.api.kinds import GROUP, KINDS, VERSION
from headgate.handlers.inbox import Inbox, Scope
from headgate.telemetry.metrics import Metrics


def watch(registry: kopf.OperatorRegistry, scope: Scope, inbox: Inbox, metrics: Metrics) -> None:
    """Have kopf watch every kind of ours, and the namespaces where that is allowed."""
    for kind in KINDS:
        _watch_kind(registry, (GROUP, VERSION, kind.plural), kind.kind, inbox, metrics)
    if scope.everywhere:

        @kopf.on.event("", "v1", "namespaces", registry=registry, id="namespace")
        async def _(event: kopf.RawEvent, **_: object) -> None:
            metrics.events_seen.labels("Namespace", event["type"] or "LISTED").inc()
            inbox.see_namespace(event["type"], event["object"])


def _watch_kind(
    registry: kopf.OperatorRegistry, where: tuple[str, str, str], kind: str, inbox: Inbox, metrics: Metrics
) -> None:
    @kopf.on.event(*where, registry=registry, id=kind)
    async def _(event: kopf.RawEvent, **_: object) -> None:
        metrics.events_seen.labels(kind, event["type"] or "LISTED").inc()
        inbox.see(kind, event["type"], event["object"])
