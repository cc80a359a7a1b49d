"""`headgate local up` and `down`: a laptop-sized cluster for a person's shell. Knows no details of its parts."""

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

from headgate.local.binaries import resolve
from headgate.local.brokers import NAMES, obtain
from headgate.local.cache import Say
from headgate.local.cluster import Cluster, start_cluster
from headgate.local.errors import LocalError
from headgate.local.processes import MARK, Process
from headgate.local.run import Run, end_run, open_run

DEFAULT_DIRECTORY = Path(tempfile.gettempdir()) / f"headgate-local-{os.getuid()}"


def register(sub: argparse.ArgumentParser) -> None:
    """Declare the options."""
    actions = sub.add_subparsers(dest="action", required=True, metavar="up | down")
    up = actions.add_parser("up", help="start a cluster and stay until Ctrl-C or `down`")
    down = actions.add_parser("down", help="end the cluster of a directory, also after its `up` was killed")
    for parser in (up, down):
        parser.add_argument(
            "--dir", type=Path, default=DEFAULT_DIRECTORY, metavar="D", help="default: %(default)s"
        )
    up.add_argument(
        "--brokers", default="", metavar="NAMES", help=f"brokers to start beside it, of {','.join(NAMES)}"
    )
    up.add_argument("--operator", action="store_true", help="install the CRDs, the operator and the mover")
    up.add_argument(
        "--mode", choices=("cluster", "namespaced"), default="cluster", help="rights of operator and mover"
    )
    up.add_argument(
        "--namespace",
        action="append",
        metavar="NAME",
        help="namespaced mode: serve this one; default: default",
    )


def run(args: argparse.Namespace) -> int:
    """Do it."""
    try:
        return _down(args.dir) if args.action == "down" else _up(args)
    except LocalError as error:
        sys.stderr.write(f"headgate local: {error}\n")
        return 1


def _down(directory: Path) -> int:
    left = end_run(directory)
    sys.stdout.write(
        f"ended the cluster of {directory}" + (f" and {len(left)} processes left of it\n" if left else "\n")
    )
    return 0


def _up(args: argparse.Namespace) -> int:
    began = time.monotonic()

    def say(line: str) -> None:
        sys.stdout.write(f"{time.monotonic() - began:6.1f} s  {line}\n")
        sys.stdout.flush()

    signal.signal(signal.SIGTERM, _interrupt)
    owned = open_run(args.dir)
    os.environ[MARK] = owned.mark  # a build belongs to the run as its servers do
    try:
        obtain(_brokers(args), say)
        resolve(say)
        return asyncio.run(_serve(args, owned, say))
    except KeyboardInterrupt:
        return 0
    finally:
        owned.close()
        say("everything is ended")


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    """Before the loop runs SIGTERM is what Ctrl-C is."""
    raise KeyboardInterrupt


async def _serve(args: argparse.Namespace, owned: Run, say: Say) -> int:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    starting = asyncio.ensure_future(_start(args, owned, say))
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        with suppress(asyncio.CancelledError):
            await starting
        return 0
    cluster = starting.result()
    try:
        return await _stay(cluster, stop, say)
    finally:
        say("stopping")
        await cluster.stop()


async def _start(args: argparse.Namespace, owned: Run, say: Say) -> Cluster:
    cluster = await start_cluster(owned, brokers=_brokers(args), say=say)
    try:
        if args.operator:
            await _install(args, cluster, say)
    except BaseException:
        await cluster.stop()
        raise
    owned.write_env(cluster.env())
    say(f"ready; for this cluster in your shell: set -a; . {owned.directory / 'env'}; set +a")
    return cluster


def _brokers(args: argparse.Namespace) -> list[str]:
    return [name for name in args.brokers.split(",") if name]


async def _install(args: argparse.Namespace, cluster: Cluster, say: Say) -> None:
    from headgate.local.install import install  # noqa: PLC0415  (needs the models of all kinds; a bare cluster does not)
    from headgate.local.manifests import Install  # noqa: PLC0415

    if args.mode == "cluster":
        await install(cluster, Install(), say)
        return
    async with cluster.client() as client:  # without rights on the cluster nobody inside can read this
        uid = (await client.get("/api/v1/namespaces/kube-system"))["metadata"]["uid"]
    served = tuple(args.namespace or ("default",))
    await install(cluster, Install(namespaces=served, installation=str(uid)), say)


async def _stay(cluster: Cluster, stop: asyncio.Event, say: Say) -> int:
    """Until told to stop, or until a part ends that nothing works without."""
    parts = (*cluster.plane.processes, cluster.kubelet)
    tasks = [asyncio.create_task(_told(stop)), *(asyncio.create_task(_end_of(part)) for part in parts)]
    done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in rest:
        task.cancel()
    failures = [said for task in done if (said := task.result())]
    for said in failures:
        say(said)
    return 1 if failures else 0


async def _told(stop: asyncio.Event) -> str:
    await stop.wait()
    return ""


async def _end_of(part: Process) -> str:
    await part.wait()
    return f"{part.name} ended by itself; it wrote at last:\n{part.tail()}"
