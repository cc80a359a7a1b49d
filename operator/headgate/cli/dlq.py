"""`headgate dlq`: how people go through dead letters. Reads and closes entries; what they mean is decided in core."""

import argparse
import asyncio
import getpass
import json
import os
import socket
import sys
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

from headgate.core.letters import Entry, Header, Resolution, Selection, foreign, stamp, tombstone

if TYPE_CHECKING:
    from headgate.brokers.messages import Letters
    from headgate.kube.client import KubeClient

NOT_DONE: Final = 1
USAGE: Final = 2
SHOWN: Final = 4096  # bytes of a body that `show` prints
COLUMNS: Final = (
    "POSITION",
    "STATE",
    "GROUP",
    "REASON",
    "CLASS",
    "ATTEMPTS",
    "LAST-FAILED",
    "SUBJECT",
    "ERROR",
)
CLOSING: Final = {"resolve": Resolution.RESOLVED, "discard": Resolution.DISCARDED}


def register(sub: argparse.ArgumentParser) -> None:
    """Declare the subcommands and their options."""
    commands = sub.add_subparsers(dest="action", metavar="list | show | resolve | discard", required=True)
    for name, text in (
        ("list", "print entries, oldest first"),
        ("show", "print one entry with all its headers and its body"),
        ("resolve", "close entries whose effect was brought about otherwise"),
        ("discard", "close entries that are not needed"),
    ):
        _options(name, commands.add_parser(name, help=text, description=text))


def _options(name: str, command: argparse.ArgumentParser) -> None:
    command.add_argument("queue", metavar="[NAMESPACE/]NAME", help="the DeadLetterQueue")
    if name == "show":
        command.add_argument("position", type=int)
        command.add_argument("--body", action="store_true", help="print nothing but the whole body, as it is")
    elif name in CLOSING:
        command.add_argument("position", type=int, nargs="*")
        command.add_argument("--reason", required=True, help="why; kept with the entry")
        command.add_argument("--by", default="", help="who; left out: the local user and machine")
    if name != "show":
        command.add_argument(
            "--group", default="", metavar="NAMESPACE/NAME", help="only entries of this group"
        )
        command.add_argument(
            "--given-up", default="", metavar="REASON", help="only MaxAttempts, Rejected ..."
        )
        command.add_argument("--error-class", default="", help="only entries with this class of error")
        command.add_argument("--limit", type=int, default=100, help="how many at most; default 100")
    if name == "list":
        command.add_argument(
            "--closed", action="store_true", help="also those that were resolved or discarded"
        )
    if name in {"list", "show"}:
        command.add_argument("--output", "-o", choices=("text", "json"), default="text")
    command.add_argument("--namespace", "-n", help="where the queue is; left out: the kubeconfig's")
    command.add_argument(
        "--kubeconfig", type=Path, help="file that names the cluster; left out: as kubectl finds it"
    )
    command.add_argument("--context", default="", help="context of the kubeconfig; left out: the current one")


def run(args: argparse.Namespace) -> int:
    """Do what was asked for."""
    if args.action in CLOSING and not args.position and not (args.group or args.given_up or args.error_class):
        sys.stderr.write(
            f"headgate dlq {args.action}: name positions, or choose with --group, --given-up, --error-class\n"
        )
        return USAGE
    from headgate.brokers.base import BrokerError  # noqa: PLC0415  (not needed to print help)
    from headgate.kube.config import ConfigError  # noqa: PLC0415
    from headgate.kube.errors import KubeError  # noqa: PLC0415

    try:
        return asyncio.run(_run(args))
    except (ConfigError, KubeError, BrokerError) as error:
        sys.stderr.write(f"headgate dlq: {error}\n")
        return NOT_DONE


async def _run(args: argparse.Namespace) -> int:
    from headgate.kube.client import KubeClient  # noqa: PLC0415  (not needed to print help)
    from headgate.kube.config import load  # noqa: PLC0415

    kube = KubeClient(load(os.environ, path=args.kubeconfig, context=args.context))
    try:
        letters = await _open(kube, args)
    finally:
        await kube.aclose()
    try:
        return await act(letters, args, datetime.fromtimestamp(time.time(), UTC), sys.stdout)
    finally:
        await letters.aclose()


async def _open(kube: "KubeClient", args: argparse.Namespace) -> "Letters":
    """A handle on the queue, by way of the custom resource and its EventBroker."""
    from headgate.api import EventBrokerSpec  # noqa: PLC0415  (not needed to print help)
    from headgate.api.load import load_model  # noqa: PLC0415
    from headgate.brokers.base import Refused  # noqa: PLC0415
    from headgate.brokers.registry import carrier_of  # noqa: PLC0415
    from headgate.mover.orders import KIND, Name, Order, Orders  # noqa: PLC0415

    namespace, _, name = args.queue.rpartition("/")
    namespace = namespace or args.namespace or kube.config.namespace
    body = await kube.get("DeadLetterQueue", namespace, name)
    external = ((body.get("status") or {}).get("record") or {}).get("externalName")
    if not external:
        raise Refused(
            "NotMade", f"DeadLetterQueue {namespace}/{name} is not in its broker yet: look at its conditions"
        )
    ref = body["spec"]["brokerRef"]
    broker = Name(ref.get("namespace") or namespace, ref["name"])
    raw = (await kube.get(KIND, broker.namespace, broker.name)).get("spec") or {}
    spec = load_model(EventBrokerSpec, raw, strict=False)
    if not isinstance(spec, EventBrokerSpec):
        raise Refused("BrokerInvalid", f"EventBroker {broker}: {'; '.join(map(str, spec))}")
    credentials = await Orders(kube).credentials(Order(broker, spec, None))
    return carrier_of(spec).letters(spec, credentials, external)


async def act(letters: "Letters", args: argparse.Namespace, now: datetime, out: TextIO) -> int:
    """Carry out one subcommand on one queue."""
    if args.action == "show":
        entry = await letters.entry(args.position)
        if entry is None:
            sys.stderr.write(f"headgate dlq: there is nothing at position {args.position}\n")
            return NOT_DONE
        _show(entry, args, out)
        return 0
    if args.action == "list":
        _list(await _chosen(letters, _selection(args), args.limit), args, out)
        return 0
    return await _close(letters, args, now, out)


def _selection(args: argparse.Namespace) -> Selection:
    closed = bool(getattr(args, "closed", False))
    return Selection(args.group, args.given_up, args.error_class, closed)


async def _chosen(letters: "Letters", selection: Selection, limit: int) -> list[Entry]:
    found: list[Entry] = []
    if limit > 0:
        async for entry in letters.entries():
            if selection(entry):
                found.append(entry)
            if len(found) >= limit:
                break
    return found


async def _close(letters: "Letters", args: argparse.Namespace, now: datetime, out: TextIO) -> int:
    resolution, by = CLOSING[args.action], args.by or f"{getpass.getuser()}@{socket.gethostname()}"
    failed = False
    for position, entry in await _named(letters, args):
        problem = "nothing is there" if entry is None else "" if entry.open else "it is closed already"
        if entry is not None and not problem:
            stone = tombstone(entry, resolution, by=by, reason=args.reason, at=now)
            if not await letters.close_entry(entry, stone):
                problem = "somebody else was faster"
        failed = failed or bool(problem)
        out.write(f"{position}: {problem or resolution.value}\n")
    return NOT_DONE if failed else 0


async def _named(letters: "Letters", args: argparse.Namespace) -> list[tuple[int, Entry | None]]:
    if args.position:
        return [(position, await letters.entry(position)) for position in args.position]
    return [(entry.position, entry) for entry in await _chosen(letters, _selection(args), args.limit)]


def _list(entries: Sequence[Entry], args: argparse.Namespace, out: TextIO) -> None:
    if args.output == "json":
        out.writelines(json.dumps(_plain(entry)) + "\n" for entry in entries)
        return
    out.write("\n".join(table([COLUMNS, *map(_row, entries)])) + "\n")


def _row(entry: Entry) -> tuple[str, ...]:
    names = (
        Header.GROUP,
        Header.REASON,
        Header.ERROR_CLASS,
        Header.ATTEMPTS,
        Header.LAST_FAILED,
        Header.SUBJECT,
    )
    state = entry.header(Header.RESOLUTION) or "Open"
    return (
        str(entry.position),
        state,
        *(entry.header(name) or "-" for name in names),
        entry.header(Header.ERROR)[:60],
    )


def table(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    """Rows with their columns aligned."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _plain(entry: Entry) -> dict[str, object]:
    ours = {name: entry.header(name) for name in Header if entry.header(name)}
    others = [[name, value] for name, value in foreign(entry.letter.headers)]
    at = {"position": entry.position, "stored": stamp(entry.stored), "address": entry.letter.address}
    return {**at, "headgate": ours, "headers": others, "bytes": len(entry.letter.body)}


def _show(entry: Entry, args: argparse.Namespace, out: TextIO) -> None:
    body = entry.letter.body
    if args.body:
        out.flush()
        out.buffer.write(body)
        return
    if args.output == "json":
        out.write(json.dumps(_plain(entry) | {"body": body.decode(errors="backslashreplace")}) + "\n")
        return
    ours = [(name, entry.header(name)) for name in Header if entry.header(name)]
    lines = [
        ("position", str(entry.position)),
        ("stored", stamp(entry.stored)),
        *ours,
        *foreign(entry.letter.headers),
    ]
    out.write("".join(f"{name}: {value}\n" for name, value in lines))
    rest = f"\n... {len(body) - SHOWN} more bytes; --body prints all of them" if len(body) > SHOWN else ""
    out.write(f"\n{body[:SHOWN].decode(errors='backslashreplace')}{rest}\n")
