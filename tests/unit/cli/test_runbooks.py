"""Runbooks are read in a hurry: every word, link and command in them has to exist."""

import argparse
import importlib
import re
import shlex
from pathlib import Path
from typing import Final

import pytest

from headgate.api import KINDS
from headgate.cli import COMMANDS
from headgate.cli.explain_topics import pages

RUNBOOKS: Final = sorted((Path(__file__).parents[3] / "docs" / "runbooks").glob("*.md"))
CODE: Final = re.compile(r"`([^`\n]+)`")
LINK: Final = re.compile(r"\]\(([^)#]+)\)")
REASON: Final = re.compile(r"^[A-Z][a-z]+(?:[A-Z][a-z]+)+$")
# Words of Kubernetes and of fields' values that look like reasons.
OTHERS: Final = {kind.kind for kind in KINDS} | {"ReplicaSet"}


def commands(text: str) -> list[str]:
    """Every headgate command line, in a block or in a sentence."""
    blocks = [line.strip() for line in text.splitlines() if line.strip().startswith("headgate ")]
    inline = [code for code in CODE.findall(text) if code.startswith("headgate ")]
    return [re.sub(r"\s+#.*| > \S+", "", command) for command in (*blocks, *inline)]


@pytest.mark.parametrize("path", RUNBOOKS, ids=lambda path: path.stem)
def test_every_command_is_one_that_the_program_takes(path: Path) -> None:
    for line in commands(path.read_text()):
        name, *words = shlex.split(line)[1:]
        command = next(each for each in COMMANDS if each.name == name)
        parser = argparse.ArgumentParser(prog=line, exit_on_error=False)
        importlib.import_module(command.module).register(parser)
        if words:  # a command that is only mentioned has no arguments
            parser.parse_args(words)


@pytest.mark.parametrize("path", RUNBOOKS, ids=lambda path: path.stem)
def test_every_reason_is_one_that_can_be_explained(path: Path) -> None:
    words = {word for word in CODE.findall(path.read_text()) if REASON.match(word)} - OTHERS
    assert {word for word in words if not pages(word)} == set()


@pytest.mark.parametrize("path", RUNBOOKS, ids=lambda path: path.stem)
def test_every_link_leads_somewhere(path: Path) -> None:
    targets = [(path.parent / target) for target in LINK.findall(path.read_text())]
    assert [target for target in targets if not target.exists()] == []


@pytest.mark.parametrize("path", RUNBOOKS, ids=lambda path: path.stem)
def test_every_page_says_the_same_four_things(path: Path) -> None:
    text = path.read_text()
    parts = ("**You see**", "**It means**", "## What to do", "## What not to do")
    assert [part for part in parts if part not in text] == []
