"""The command line before any subcommand is at work."""

import argparse
import subprocess
import sys

import pytest

from headgate import __version__
from headgate.cli import COMMANDS, Module, main

HEAVY = ("kopf", "aiohttp", "pydantic", "nats", "matplotlib", "prometheus_client", "rich")


class Echo:
    """A subcommand that says what it was given."""

    def register(self, sub: argparse.ArgumentParser) -> None:
        sub.add_argument("--number", type=int)

    def run(self, args: argparse.Namespace) -> int:
        return int(args.number)


def absent(name: str) -> Module:
    del name
    raise ModuleNotFoundError("No module named 'matplotlib'", name="matplotlib")


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert [command.name for command in COMMANDS if f"\n    {command.name} " not in shown] == []


def test_help_loads_none_of_the_heavy_packages() -> None:
    program = (
        "import sys; from headgate.cli import main\n"
        "try: main(['--help'])\n"
        f"finally: sys.stderr.write(','.join(m for m in {HEAVY!r} if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"headgate {__version__}\n"


def test_an_unknown_command_is_refused_and_the_known_ones_are_listed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["explode"])
    assert (ended.value.code, "validate" in capsys.readouterr().err) == (2, True)


def test_a_subcommand_gets_its_options_and_its_verdict_is_the_exit_code() -> None:
    assert main(["plan", "--number", "3"], load=lambda _: Echo()) == 3


def test_a_missing_extra_is_named_with_the_way_to_install_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo"], load=absent) == 1
    assert "pip install 'headgate[local]'" in capsys.readouterr().err


USAGE = {
    "neither all nor one": [],
    "both all and one": ["--all", "EventTopic", "shop/orders"],
    "a name without its namespace": ["EventTopic", "orders"],
    "a kind without a name": ["EventTopic"],
}


@pytest.mark.parametrize("options", USAGE.values(), ids=USAGE.keys())
def test_release_wants_all_or_exactly_one(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["release", *options]) == 2
    assert "KIND NAMESPACE/NAME" in capsys.readouterr().err
