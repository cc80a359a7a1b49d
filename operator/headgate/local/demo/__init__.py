"""`headgate demo`: plays the whole story on this machine and says whether it saw what is promised. Knows no details of it."""

import argparse
import asyncio
import os
import shutil
import signal
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from headgate.local.binaries import resolve
from headgate.local.cache import Say
from headgate.local.errors import LocalError
from headgate.local.processes import MARK
from headgate.local.run import Run, open_run

if TYPE_CHECKING:
    from headgate.local.demo.promises import Row
    from headgate.local.demo.stage import Stage

DEFAULT_DIRECTORY = Path(tempfile.gettempdir()) / f"headgate-demo-{os.getuid()}"


def register(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--keep", action="store_true", help="leave the cluster up and say what to try with kubectl"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("out"),
        metavar="D",
        help="where demo.json and demo.png go; default: %(default)s",
    )
    parser.add_argument(
        "--dir",
        type=Path,
        default=DEFAULT_DIRECTORY,
        metavar="D",
        help="where the cluster lives; default: %(default)s",
    )


def run(args: argparse.Namespace) -> int:
    """Play it; 0 when everything promised was seen."""
    began = time.monotonic()

    def say(line: str) -> None:
        sys.stdout.write(f"{time.monotonic() - began:6.1f} s  {line}\n")
        sys.stdout.flush()

    signal.signal(signal.SIGTERM, _interrupt)
    owned, stays = None, False
    try:
        owned = open_run(args.dir)
        _forget(owned.logs)
        os.environ[MARK] = owned.mark  # a build belongs to the run as its servers do
        say("looking for the programs of a real control plane (built once from their sources, then kept)")
        resolve(say)
        code, stays = asyncio.run(_play(args, owned, say, began))
    except LocalError as error:
        sys.stderr.write(f"headgate demo: {error}\n")
        return 1
    finally:
        if owned is not None and not stays:
            owned.close()
    return code


def _forget(logs: Path) -> None:
    """What an earlier demo logged is not this one's story."""
    shutil.rmtree(logs)
    logs.mkdir()


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    """SIGTERM is what Ctrl-C is."""
    raise KeyboardInterrupt


async def _play(args: argparse.Namespace, owned: Run, say: Say, began: float) -> tuple[int, bool]:
    """The story, its outcome, and whether the cluster stays."""
    from headgate.local.cluster import start_cluster  # noqa: PLC0415  (seconds of imports; first say what happens)
    from headgate.local.demo.epilogue import conclude, linger  # noqa: PLC0415
    from headgate.local.demo.prologue import prepare  # noqa: PLC0415

    cluster = await start_cluster(owned, brokers=["nats"], say=say)
    stays = False
    try:
        stage = await prepare(cluster, say, began)
        try:
            rows = await _tell(stage)
            code = conclude(stage, rows, args.out)
            if args.keep:
                await linger(stage)
                stays = True
        finally:
            await stage.aclose()
    finally:
        if not stays:
            say("ending everything")
            await cluster.stop()
    return code, stays


async def _tell(stage: "Stage") -> "list[Row]":
    """Play all chapters while somebody looks and somebody shows."""
    from rich.console import Console  # noqa: PLC0415

    from headgate.local.demo.chapters import Play, tell  # noqa: PLC0415
    from headgate.local.demo.view import show  # noqa: PLC0415
    from headgate.local.demo.watcher import Watcher  # noqa: PLC0415

    play = Play(stage)
    beside = [asyncio.create_task(Watcher(stage).run()), asyncio.create_task(show(stage, Console()))]
    telling = asyncio.create_task(tell(play))
    try:
        done, _ = await asyncio.wait({telling, *beside}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in (telling, *beside):
            task.cancel()
        for task in beside:
            with suppress(asyncio.CancelledError):
                await task
    return play.rows
