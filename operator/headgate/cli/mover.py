"""`headgate mover`: the data plane. Puts its parts together; decides nothing."""

import argparse
import asyncio
import logging
import os
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from headgate.settings import Settings

if TYPE_CHECKING:
    from headgate.telemetry.logs import Scrubber

BAD_SETUP: Final = 78  # EX_CONFIG: somebody has to change something
log = logging.getLogger(__name__)


def register(sub: argparse.ArgumentParser) -> None:
    """Declare the options."""
    sub.add_argument(
        "--broker", metavar="NAMESPACE/NAME", help="serve this EventBroker alone; left out: all of them"
    )
    where = sub.add_mutually_exclusive_group()
    where.add_argument("--all-namespaces", action="store_true", help="serve the whole cluster (the default)")
    where.add_argument(
        "--namespace",
        "-n",
        action="append",
        metavar="NAME",
        help="serve EventBrokers of this namespace; repeatable",
    )
    sub.add_argument(
        "--kubeconfig", type=Path, help="file that names the cluster; left out: as kubectl finds it"
    )
    sub.add_argument("--context", help="context of the kubeconfig; left out: the current one")
    sub.add_argument(
        "--port", type=int, help="port of /livez, /readyz and /metrics; 0: any free one; default 8080"
    )
    sub.add_argument("--log-level", choices=("debug", "info", "warning", "error"))
    sub.add_argument(
        "--log-form", choices=("auto", "json", "human"), help="auto: human on a terminal, else json"
    )


def run(args: argparse.Namespace) -> int:
    """Move dead letters until told to stop."""
    given = dict(vars(args))
    given["namespaces"] = tuple(args.namespace) if args.namespace else () if args.all_namespaces else None
    try:
        settings = Settings.load(os.environ, given)
    except ValueError as error:
        sys.stderr.write(f"headgate mover: {error}\n")
        return BAD_SETUP
    if args.broker is not None and not all(args.broker.partition("/")):
        sys.stderr.write("headgate mover: --broker wants NAMESPACE/NAME\n")
        return BAD_SETUP
    from headgate.telemetry import logs  # noqa: PLC0415  (not needed to print help)

    scrubber = logs.configure(level=settings.log_level, form=logs.Form(settings.log_form))
    return asyncio.run(_run(settings, args.broker, scrubber))


async def _run(settings: Settings, broker: str | None, scrubber: "Scrubber") -> int:
    from headgate.handlers.probes import Probes  # noqa: PLC0415  (not needed to print help)
    from headgate.kube.client import KubeClient  # noqa: PLC0415
    from headgate.kube.config import ConfigError, load  # noqa: PLC0415
    from headgate.mover.orders import Name, Orders  # noqa: PLC0415
    from headgate.mover.serve import Service  # noqa: PLC0415
    from headgate.telemetry.metrics import Metrics  # noqa: PLC0415

    metrics = Metrics()
    try:
        config = load(os.environ, path=settings.kubeconfig, context=settings.context)
    except ConfigError as error:
        log.error("%s", error)  # noqa: TRY400  (the sentence is the whole story)
        return BAD_SETUP
    kube = KubeClient(config, meter=metrics.meter, deadline=settings.deadline.total_seconds())
    only = Name(*broker.split("/", 1)) if broker else None
    orders = Orders(kube, settings.namespaces, only, scrubber.learn)
    service = Service(orders, metrics, lambda: datetime.fromtimestamp(time.time(), UTC))
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, service.stop)
    live, ready = {"loop": service.live}, {"orders": service.ready}
    try:
        if settings.port is None:
            await service.run()
            return 0
        async with Probes(settings.host, settings.port, live=live, ready=ready, metrics=metrics) as probes:
            log.info("probes on port %d", probes.port)
            await service.run()
    finally:
        await kube.aclose()
    return 0
