"""`headgate simulate`: says how an autoscaler would fare with certain arrivals and workers. Asks no cluster and no broker."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from headgate.cli import fail

if TYPE_CHECKING:
    from headgate.cli.simulate_text import Told
    from headgate.sim.setting import Scenario, Trace

USAGE: Final = 2
_MOST: Final = 10_000
_DAY: Final = 86_400


def register(sub: argparse.ArgumentParser) -> None:
    """Declare the options."""
    sub.add_argument("--trace", metavar="NAME|FILE", help="a standard trace, or a CSV file: second,rate")
    sub.add_argument("--list", action="store_true", help="say which traces and which rivals there are")
    sub.add_argument(
        "--against", default="keda,ds2", metavar="NAMES", help="rivals, e.g. keda,ds2 (the default); none"
    )
    sub.add_argument("--json", action="store_true", help="print one JSON document instead of a table")
    sub.add_argument("--why", action="store_true", help="say too what Headgate decided, when and why")
    sub.add_argument("--out", type=Path, metavar="PNG", help="draw ages and replicas over time")
    group = sub.add_argument_group("a group, as it is declared and as its status has it")
    group.add_argument("--group", metavar="FILE", help="manifest of a ConsumerGroup; - for stdin")
    group.add_argument("--name", metavar="NAMESPACE/NAME", help="which one, where the file has several")
    _workers(sub.add_argument_group("workers; what is left out is as the group has it, or as in brackets"))
    terms = sub.add_argument_group("terms, likewise")
    terms.add_argument(
        "--begins",
        type=_moment,
        metavar="TIME",
        help="when the trace begins, for schedule (2026-01-01T00:00Z)",
    )
    terms.add_argument("--promise", type=_seconds, metavar="DURATION", help="age at the first attempt (1m)")
    terms.add_argument("--drain-within", type=_seconds, metavar="DURATION", help="(as the promise)")
    terms.add_argument("--min-replicas", type=_whole(0, _MOST), metavar="N", help="(1)")
    terms.add_argument("--max-replicas", type=_whole(1, _MOST), metavar="N", help="(24)")


def _workers(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--partitions",
        type=_whole(0, _MOST),
        metavar="N",
        help="0: a queue, any replica takes any event (24; 0 with --group)",
    )
    group.add_argument(
        "--service-rate", type=_rate, metavar="RATE", help="events per second and replica (50)"
    )
    group.add_argument(
        "--pod-start", type=_seconds, metavar="DURATION", help="until a pod handles events (20s)"
    )
    group.add_argument("--commit-interval", type=_seconds, metavar="DURATION", help="of one partition (5s)")
    group.add_argument("--pause", type=_seconds, metavar="DURATION", help="of a partition that moves (6s)")
    group.add_argument("--eager", action="store_true", help="all partitions stand still when one moves")
    group.add_argument("--seed", type=_whole(0, _MOST), default=1, metavar="N", help="of the noise (1)")


def run(args: argparse.Namespace) -> int:
    """Play the trace under Headgate and its rivals, and print how they fared."""
    from headgate.cli.simulate_input import InputError, scenario_of  # noqa: PLC0415  (not needed to print help)
    from headgate.sim.rivals import UnknownRivalError  # noqa: PLC0415

    if args.list:
        return _listed()
    if args.trace is None:
        return _misused("--trace is missing; expected a name that --list prints, or a CSV file")
    try:
        scenario, notes = scenario_of(args)
        names = [name.strip() for name in args.against.split(",") if name.strip()]
        told = _played(scenario, [name for name in names if name != "none"])
    except (InputError, UnknownRivalError) as error:
        return _misused(str(error))
    except (OSError, UnicodeDecodeError) as error:
        return _misused(f"{args.trace if args.group is None else args.group}: {error}")
    return _shown(args, scenario, notes, told)


def _played(scenario: "Scenario", rivals: "Sequence[str]") -> "list[Told]":
    from headgate.cli.simulate_text import Told  # noqa: PLC0415  (not needed to print help)
    from headgate.sim.ours import Ours  # noqa: PLC0415
    from headgate.sim.play import play  # noqa: PLC0415
    from headgate.sim.rivals import OURS, check, run  # noqa: PLC0415

    for name in rivals:
        check(name, scenario)
    ours = Ours(scenario)
    played = Told(play(scenario, ours), tuple(ours.decisions))
    return [played, *(Told(run(name, scenario)) for name in dict.fromkeys(rivals) if name != OURS)]


def _shown(args: argparse.Namespace, scenario: "Scenario", notes: "Sequence[str]", told: "list[Told]") -> int:
    from headgate.cli.simulate_text import document, reasons, table  # noqa: PLC0415  (not needed to print help)

    for note in notes:
        sys.stderr.write(f"headgate simulate: {note}\n")
    if args.json:
        sys.stdout.write(json.dumps(document(scenario, told), indent=2) + "\n")
    else:
        sys.stdout.write(table(scenario, told))
        sys.stdout.write(reasons(told[0]) if args.why else "")
    return 0 if args.out is None else _drawn(scenario, told, args.out)


def _drawn(scenario: "Scenario", told: "list[Told]", path: Path) -> int:
    try:
        from headgate.cli.simulate_picture import draw  # noqa: PLC0415  (takes a second, and another package)
    except ModuleNotFoundError as error:
        return fail(
            f"headgate simulate --out needs the package {error.name}, which is not installed; install it with:"
            " pip install 'headgate[local]'"
        )
    try:
        draw(scenario, [each.run for each in told], path)
    except (OSError, ValueError) as error:
        return _misused(f"--out {path}: {error}")
    return 0


def _listed() -> int:
    from headgate.sim.rivals import ABOUT  # noqa: PLC0415  (not needed to print help)
    from headgate.sim.traces import MORE, TRACES  # noqa: PLC0415

    def lines(title: str, entries: "Sequence[tuple[str, str]]") -> None:
        width = max(len(name) for name, _ in entries)
        sys.stdout.write(f"{title}:\n" + "".join(f"  {name:<{width}}  {about}\n" for name, about in entries))

    traces: list[Trace] = [*TRACES.values(), *MORE.values()]
    lines("traces, two hours each", [(trace.name, trace.about) for trace in traces])
    lines("policies", list(ABOUT.items()))
    return 0


def _misused(message: str) -> int:
    sys.stderr.write(f"headgate simulate: {message}\n")
    return USAGE


def _whole(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isascii() or not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"is {text!r}; expected a whole number from {least} to {most}")
        return int(text)

    return parse


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate < float("inf"):
        raise argparse.ArgumentTypeError(f"is {text!r}; expected events per second, a number above 0")
    return rate


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"is {text!r}; expected a date and a time, such as 2026-11-23T07:30+01:00; without an offset it is UTC"
        ) from error
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _seconds(text: str) -> int:
    from headgate.api.types import parse_duration  # noqa: PLC0415  (brings pydantic, not needed to print help)

    try:
        seconds = float(text) if text.isdecimal() else parse_duration(text).total_seconds()
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds <= _DAY or seconds % 1:
        raise argparse.ArgumentTypeError(
            f"is {text!r}; expected whole seconds up to a day, such as 90 or 1m30s"
        )
    return int(seconds)
