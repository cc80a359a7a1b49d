"""The command line, put together: one module per subcommand, imported when it is asked for. Does no work itself."""

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol, cast

from headgate import __version__

BROKEN_PIPE: Final = 141
INTERRUPTED: Final = 130
USAGE: Final = 2


class Command(NamedTuple):
    """A subcommand before its module is loaded."""

    name: str
    module: str
    help: str
    needs: str = ""  # the extra whose packages it needs


COMMANDS: Final = (
    Command("run", "headgate.cli.run", "run the operator"),
    Command("mover", "headgate.cli.mover", "run the data plane that captures dead letters"),
    Command("validate", "headgate.cli.validate", "check manifests before they are applied"),
    Command("plan", "headgate.cli.plan", "say what would change in the brokers"),
    Command("graph", "headgate.cli.graph", "draw who emits, who consumes, what fails where"),
    Command(
        "simulate", "headgate.cli.simulate", "say how scaling would fare with certain arrivals and workers"
    ),
    Command("explain", "headgate.cli.explain", "say what a field, a reason or a rule means"),
    Command("dlq", "headgate.cli.dlq", "list, show, resolve and discard dead letters"),
    Command("release", "headgate.cli.release", "let objects go while the operator is stopped"),
    Command("crds", "headgate.cli.crds", "print the custom resource definitions"),
    Command("local", "headgate.local.cli", "start and stop a laptop-sized cluster", "local"),
    Command("demo", "headgate.local.demo", "play the whole story on this machine", "local"),
)


class Module(Protocol):
    """What every subcommand module offers."""

    def register(self, sub: argparse.ArgumentParser) -> None:
        """Declare the options."""
        ...

    def run(self, args: argparse.Namespace) -> int:
        """Do it; returns the exit code."""
        ...


def main(arguments: Sequence[str], load: Callable[[str], Module] | None = None) -> int:
    """Run one command line; returns the exit code."""
    command = next((c for c in COMMANDS if arguments and c.name == arguments[0]), None)
    if command is None:
        return _overview(arguments)
    try:
        module = (load or _load)(command.module)
    except ModuleNotFoundError as error:
        return _missing(command, error)
    parser = argparse.ArgumentParser(
        prog=f"headgate {command.name}", description=f"{command.help.capitalize()}."
    )
    module.register(parser)
    try:
        return module.run(parser.parse_args(arguments[1:]))
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains at exit
        return BROKEN_PIPE


def _overview(arguments: Sequence[str]) -> int:
    """Help and version, without loading any subcommand."""
    parser = argparse.ArgumentParser(
        prog="headgate",
        description="Event infrastructure declared on Kubernetes, kept true on the brokers, scaled on how late events are.",
    )
    parser.add_argument("--version", action="version", version=f"headgate {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        subparsers.add_parser(command.name, help=command.help, add_help=False)
    parser.parse_args(arguments)
    return USAGE


def _load(module: str) -> Module:
    return cast("Module", importlib.import_module(module))


def _missing(command: Command, error: ModuleNotFoundError) -> int:
    extra = f"; install it with: pip install 'headgate[{command.needs}]'" if command.needs else ""
    return fail(f"headgate {command.name} needs the package {error.name}, which is not installed{extra}")


def fail(message: str) -> int:
    """Say on stderr what went wrong; returns the exit code for it."""
    sys.stderr.write(f"headgate: {message}\n")
    return 1
