"""`headgate validate`: checks manifests before anybody applies them. Asks no cluster and no broker."""

import argparse
import json
import sys
import textwrap
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headgate.brokers.base import Driver
    from headgate.cli.problems import Problem

FOUND: Final = 1
USAGE: Final = 2
WIDTH: Final = 100


def register(sub: argparse.ArgumentParser) -> None:
    """Declare the options."""
    sub.add_argument(
        "-f", "--file", action="append", default=[], metavar="FILE", help="file, folder or - for stdin"
    )
    sub.add_argument("-n", "--namespace", default="default", help="for manifests that name none")
    sub.add_argument("--json", action="store_true", help="print a list of objects instead of lines")
    sub.add_argument(
        "--broker-type", metavar="TYPE", help="say too what brokers of this type cannot do, e.g. nats"
    )
    sub.add_argument(
        "--explain", nargs="?", const="", metavar="ID", help="say what the rules are, or one of them"
    )


def run(args: argparse.Namespace) -> int:
    """Say what is wrong; errors make the exit code 1, warnings do not."""
    if args.explain is not None:
        return _explain(args.explain.upper())
    if not args.file:
        return _misused("name files or folders with -f, or ask with --explain")
    from headgate.cli.manifests import read  # noqa: PLC0415  (not needed to print help)
    from headgate.cli.problems import problems  # noqa: PLC0415

    drivers = _drivers() if args.broker_type else {}
    if args.broker_type and args.broker_type not in drivers:
        return _misused(f"--broker-type is one of {', '.join(drivers)}")
    try:
        manifests = read(args.file, args.namespace)
    except (OSError, UnicodeDecodeError) as error:
        return _misused(str(error))
    return _report(
        problems(manifests, drivers.get(args.broker_type)), len(manifests.places), as_json=args.json
    )


def _drivers() -> "Mapping[str, Driver]":
    from headgate.brokers.registry import DRIVERS  # noqa: PLC0415  (brings in the library of every broker)

    return DRIVERS


def _misused(message: str) -> int:
    sys.stderr.write(f"headgate validate: {message}\n")
    return USAGE


def _report(found: "Sequence[Problem]", objects: int, *, as_json: bool) -> int:
    from headgate.core.rule import Severity  # noqa: PLC0415  (not needed to print help)

    errors = sum(problem.severity is Severity.ERROR for problem in found)
    sys.stdout.write(_json(found) if as_json else "".join(f"{problem}\n" for problem in found))
    sys.stderr.write(f"objects: {objects}, errors: {errors}, warnings: {len(found) - errors}\n")
    return FOUND if errors else 0


def _json(found: "Sequence[Problem]") -> str:
    return json.dumps([_fields(problem) for problem in found], indent=2) + "\n"


def _fields(problem: "Problem") -> dict[str, object]:
    ref = problem.ref
    return {
        "file": problem.place.file,
        "document": problem.place.document,
        "kind": ref and ref.kind,
        "namespace": ref and ref.namespace,
        "name": ref and ref.name,
        "field": problem.field,
        "rule": problem.rule,
        "severity": problem.severity,
        "message": problem.message,
    }


def _explain(wanted: str) -> int:
    from headgate.core.checks import RULES  # noqa: PLC0415  (not needed to print help)

    if not wanted:
        sys.stdout.write("".join(f"{rule.id}  {rule.severity:<7}  {rule.title}\n" for rule in RULES))
        return 0
    rule = next((rule for rule in RULES if rule.id == wanted), None)
    if rule is None:
        return _misused(f"no rule {wanted}; --explain alone lists them")
    text = textwrap.fill(rule.explanation, WIDTH)
    sys.stdout.write(f"{rule.id}: {rule.title}\n{rule.severity}, reason {rule.reason}\n\n{text}\n")
    return 0
