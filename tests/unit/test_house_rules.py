"""What reviewers would otherwise have to count: sizes, docstrings, names that must not appear. Knows no behaviour."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "operator" / "headgate"
MODULES = sorted(PACKAGE.rglob("*.py"))
LONGEST_FUNCTION = 60
LONGEST_FILE = 400
TEXTS = sorted(
    path
    for folder in ("operator", "tests", "docs", "examples", "bench", "crds", ".ci")
    for path in (ROOT / folder).rglob("*")
    if path.is_file() and "__pycache__" not in path.parts
)


def functions(module: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function of a module, inner ones too."""
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def name(path: Path) -> str:
    """The path as a test id."""
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("module", MODULES, ids=name)
def test_a_module_says_what_it_is(module: Path) -> None:
    assert ast.get_docstring(ast.parse(module.read_text())), f"{module} has no docstring"


@pytest.mark.parametrize("module", MODULES, ids=name)
def test_a_file_can_be_read_in_one_sitting(module: Path) -> None:
    assert len(module.read_text().splitlines()) <= LONGEST_FILE


def test_no_function_is_too_long() -> None:
    lengths = {
        f"{name(module)}:{function.lineno} {function.name}": (function.end_lineno or 0) - function.lineno + 1
        for module in MODULES
        for function in functions(module)
    }
    assert {where: length for where, length in lengths.items() if length > LONGEST_FUNCTION} == {}


@pytest.mark.parametrize("layer", ["core", "engine", "mover", "handlers"])
def test_a_layer_mentions_no_broker_by_name(layer: str) -> None:
    found = {
        name(path)
        for path in (PACKAGE / layer).rglob("*.py")
        if re.search(r"nats|jetstream|kafka|rabbit", path.read_text(), re.IGNORECASE)
    }
    assert found == set()


def test_nothing_names_a_registry_or_a_machine() -> None:
    hosts = (
        "pypi" + ".org",
        "files.python" + "hosted",
        "proxy.golang" + ".org",
        "repo1" + ".maven",
        "/ro" + "ot/",
    )
    found = {
        name(path)
        for path in TEXTS
        for host in hosts
        if path.suffix not in {".png", ".sum"} and host in path.read_text(errors="ignore")
    }
    assert found == set()
