"""`headgate plan`: says what the operator would change in the brokers, by the operator's own functions. Writes nothing anywhere."""

import argparse
import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from headgate.cli.plan_gather import Gathered, Scope
    from headgate.cli.plan_outlook import Outlook
    from headgate.kube.client import KubeClient

IN_THE_WAY: Final = 1
CHANGES: Final = 2


def register(sub: argparse.ArgumentParser) -> None:
    """Declare the options."""
    sub.epilog = (
        "exit code: 0 nothing stands in the way; 2 with --exit-code: there are changes; 1: something is refused, blocked, "
        "lost or cannot be reached"
    )
    sub.add_argument("target", nargs="*", metavar="KIND/NAME", help="only these, e.g. et/orders")
    where = sub.add_mutually_exclusive_group()
    where.add_argument("--namespace", "-n", default="", help="left out: the kubeconfig's")
    where.add_argument("--all-namespaces", "-A", action="store_true", help="everything that is declared")
    sub.add_argument(
        "-f",
        "--file",
        action="append",
        default=[],
        metavar="FILE",
        help="file, folder or - for stdin: plan as if it were applied",
    )
    sub.add_argument("--json", action="store_true", help="print one JSON document instead of text")
    sub.add_argument("--exit-code", action="store_true", help=f"end with {CHANGES} when there are changes")
    sub.add_argument(
        "--installation",
        default="",
        help="name in the marks on broker objects; left out: the cluster's own uid",
    )
    sub.add_argument(
        "--kubeconfig", type=Path, help="file that names the cluster; left out: as kubectl finds it"
    )
    sub.add_argument("--context", default="", help="context of the kubeconfig; left out: the current one")


def run(args: argparse.Namespace) -> int:
    """Print the plan."""
    from headgate.cli.plan_gather import CannotPlan  # noqa: PLC0415  (not needed to print help)
    from headgate.kube.config import ConfigError  # noqa: PLC0415
    from headgate.kube.errors import KubeError  # noqa: PLC0415

    try:
        gathered, outlooks = asyncio.run(_plan(args))
    except (CannotPlan, ConfigError, KubeError, OSError, UnicodeDecodeError) as error:
        sys.stderr.write(f"headgate plan: {error}\n")
        return IN_THE_WAY
    from headgate.cli.plan_text import as_json, show  # noqa: PLC0415

    if args.json:
        sys.stdout.write(as_json(gathered, outlooks))
    else:
        show(gathered, outlooks, everything=bool(args.target))
    return exit_code(gathered, outlooks, changes=CHANGES if args.exit_code else 0)


def exit_code(gathered: "Gathered", outlooks: "tuple[Outlook, ...]", *, changes: int) -> int:
    """What scripts are told."""
    if gathered.complaints or any(outlook.stands_in_the_way for outlook in outlooks):
        return IN_THE_WAY
    return changes if any(outlook.changes for outlook in outlooks) else 0


async def _plan(args: argparse.Namespace) -> "tuple[Gathered, tuple[Outlook, ...]]":
    from headgate.cli.plan_gather import gather  # noqa: PLC0415
    from headgate.cli.plan_outlook import foresee  # noqa: PLC0415
    from headgate.kube.client import KubeClient  # noqa: PLC0415
    from headgate.kube.config import load  # noqa: PLC0415

    kube = KubeClient(load(os.environ, path=args.kubeconfig, context=args.context))
    try:
        name = args.installation or os.environ.get("HEADGATE_INSTALLATION", "") or await _cluster_name(kube)
        scope = _scope(args, args.namespace or kube.config.namespace)
        gathered = await gather(kube, name, scope)
        return gathered, await foresee(kube, gathered.world, gathered.chosen)
    finally:
        await kube.aclose()


async def _cluster_name(kube: "KubeClient") -> str:
    from headgate.cli.plan_gather import CannotPlan  # noqa: PLC0415
    from headgate.kube.errors import Forbidden  # noqa: PLC0415

    try:
        return await kube.namespace_uid("kube-system")
    except Forbidden as error:
        raise CannotPlan(
            "you may not read namespace kube-system, whose uid names the cluster in the marks on broker objects; give "
            "the name that the operator uses with --installation or HEADGATE_INSTALLATION"
        ) from error


def _scope(args: argparse.Namespace, namespace: str) -> "Scope":
    from headgate.cli.plan_gather import Scope  # noqa: PLC0415

    return Scope(
        namespace=namespace,
        everywhere=args.all_namespaces,
        named=tuple(_named(args.target)),
        files=tuple(args.file),
    )


def _named(targets: list[str]) -> Iterator[tuple[str, str]]:
    """Kind and name of what was asked for, however the kind is written."""
    from headgate.api import KINDS  # noqa: PLC0415
    from headgate.cli.plan_gather import CannotPlan  # noqa: PLC0415

    known = {word: k.kind for k in KINDS for word in (k.singular, k.plural, k.short)}
    for target in targets:
        kind, _, name = target.partition("/")
        if kind.lower() not in known or not name:
            raise CannotPlan(f"{target}: write KIND/NAME with one of {', '.join(k.kind for k in KINDS)}")
        yield known[kind.lower()], name
