"""`headgate run`: puts the operator's parts together and runs them. Knows which parts there are, not what they do."""

import argparse
import asyncio
import logging
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from headgate.settings import Settings

if TYPE_CHECKING:
    from headgate.handlers.process import Process
    from headgate.kube.client import KubeClient
    from headgate.telemetry.logs import Scrubber
    from headgate.telemetry.metrics import Metrics

log = logging.getLogger(__name__)

BAD_SETUP = 78  # EX_CONFIG: somebody has to change something


def register(sub: argparse.ArgumentParser) -> None:
    """Declare the options."""
    where = sub.add_mutually_exclusive_group()
    where.add_argument("--all-namespaces", action="store_true", help="serve the whole cluster (the default)")
    where.add_argument(
        "--namespace", "-n", action="append", metavar="NAME", help="serve this namespace; repeatable"
    )
    sub.add_argument(
        "--kubeconfig", type=Path, help="file that names the cluster; left out: as kubectl finds it"
    )
    sub.add_argument("--context", help="context of the kubeconfig; left out: the current one")
    sub.add_argument(
        "--no-lease", action="store_true", help="act without a Lease; make sure that nobody else does"
    )
    sub.add_argument("--own-namespace", metavar="NAME", help="where the Lease lives; left out: the pod's")
    sub.add_argument(
        "--installation",
        help="name in the marks on broker objects, another one in every cluster that shares a broker; left out: the "
        "cluster's own uid",
    )
    sub.add_argument(
        "--port", type=int, help="port of /livez, /readyz and /metrics; 0: any free one; default 8080"
    )
    sub.add_argument("--log-level", choices=("debug", "info", "warning", "error"))
    sub.add_argument(
        "--log-form", choices=("auto", "json", "human"), help="auto: human on a terminal, else json"
    )


def run(args: argparse.Namespace) -> int:
    """Run the operator until it is told to stop."""
    try:
        settings = settings_of(args)
    except ValueError as error:
        sys.stderr.write(f"headgate run: {error}\n")
        return BAD_SETUP
    from headgate.telemetry import logs  # noqa: PLC0415  (not needed to print help)

    scrubber = logs.configure(level=settings.log_level, form=logs.Form(settings.log_form))
    return asyncio.run(_run(settings, scrubber))


def settings_of(args: argparse.Namespace) -> Settings:
    """The settings that environment and command line give together; ValueError says what is wrong with them."""
    given = dict(vars(args))
    given["namespaces"] = tuple(args.namespace) if args.namespace else () if args.all_namespaces else None
    given["lease"] = False if args.no_lease else None
    return Settings.load(os.environ, given)


async def _run(settings: Settings, scrubber: "Scrubber") -> int:
    from headgate.handlers.listing import SetupError  # noqa: PLC0415  (a second of imports, only for this command)
    from headgate.kube.buffers import keep_small  # noqa: PLC0415
    from headgate.kube.client import KubeClient  # noqa: PLC0415
    from headgate.kube.config import ConfigError, load  # noqa: PLC0415
    from headgate.kube.errors import KubeError  # noqa: PLC0415
    from headgate.kube.lease import LeaseLost  # noqa: PLC0415
    from headgate.telemetry.metrics import Metrics  # noqa: PLC0415

    keep_small()
    metrics = Metrics()
    try:
        config = load(os.environ, path=settings.kubeconfig, context=settings.context)
    except ConfigError as error:
        log.error("%s", error)  # noqa: TRY400  (the sentence is the whole story)
        return BAD_SETUP
    kube = KubeClient(config, meter=metrics.meter, deadline=settings.deadline.total_seconds())
    try:
        installation = settings.installation or await cluster_name(kube)
        await compose(settings, kube, installation, metrics, scrubber).run()
    except SetupError as error:
        log.error("%s", error)  # noqa: TRY400  (the sentence is the whole story)
        return BAD_SETUP
    except (LeaseLost, KubeError) as error:
        log.error("ending: %s", error)  # noqa: TRY400  (the sentence is the whole story)
        return 1
    finally:
        await kube.aclose()
    return 0


async def cluster_name(kube: "KubeClient") -> str:
    """What tells this cluster from all others: the uid of kube-system."""
    from headgate.handlers.listing import RETRY, SetupError  # noqa: PLC0415
    from headgate.kube.errors import Forbidden, Unavailable  # noqa: PLC0415

    while True:
        try:
            return await kube.namespace_uid("kube-system")
        except Unavailable as error:
            log.warning("the cluster does not answer yet: %s", error, extra={"reason": error.reason})
            await asyncio.sleep(error.retry_after or RETRY)
        except Forbidden as error:
            raise SetupError(
                "the operator may not read namespace kube-system, whose uid names the cluster in the marks on broker"
                " objects; permit that, or give a name of your own with --installation or HEADGATE_INSTALLATION"
            ) from error


def compose(
    settings: Settings, kube: "KubeClient", installation: str, metrics: "Metrics", scrubber: "Scrubber"
) -> "Process":
    """The operator's parts, connected, not yet running."""
    from headgate.engine.operator import Operator  # noqa: PLC0415
    from headgate.handlers.inbox import Scope  # noqa: PLC0415
    from headgate.handlers.process import Process  # noqa: PLC0415
    from headgate.kube.identity import this_process  # noqa: PLC0415
    from headgate.kube.lease import Leadership  # noqa: PLC0415

    def wall() -> datetime:
        return datetime.fromtimestamp(time.time(), UTC)

    leadership = None
    if settings.lease:
        leadership = Leadership(
            kube,
            settings.own_namespace or kube.config.namespace,
            settings.lease_name,
            this_process(os.environ),
            now=time.monotonic,
            wall=wall,
        )
    return Process(
        kube=kube,
        engine=Operator(
            kube,
            settings,
            installation=installation,
            metrics=metrics,
            scrubber=scrubber,
            may_act=lambda: leadership is None or leadership.held,
        ),
        scope=Scope(settings.namespaces),
        metrics=metrics,
        now=time.monotonic,
        leadership=leadership,
        host=settings.host,
        port=settings.port,
        silence=settings.silence.total_seconds(),
    )
