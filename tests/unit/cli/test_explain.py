"""What `headgate explain` knows, and that it knows every word that Headgate says."""

import ast
from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Final

import pytest

import headgate
from headgate.brokers.messages import Kept
from headgate.cli import main
from headgate.cli.explain_topics import pages, topics
from headgate.core import lagview, letters, moves, scaling, workload
from headgate.core.absence import _WORDS as REFERRED
from headgate.core.checks import RULES
from headgate.core.condition_types import CONDITION_TYPES
from headgate.core.meaning import Meaning
from headgate.core.reasons import REASONS
from headgate.core.status.managed import _STANDING_CONDITIONS as STANDING

PACKAGE = Path(headgate.__file__).parent
# Who takes a reason, and as which argument.
REASON_AT: Final = {
    "Finding": 1,
    "Refused": 0,
    "Unreachable": 0,
    "Unknown": 0,
    "Unavailable": 0,
    "Unread": 0,
    "Explained": 0,
    "refused": 0,
    "Verdict": 0,
    "Aspect": 2,
    "yes": 1,
    "no": 1,
    "unknown": 1,
    "warn": 1,
    "Blocked": 0,
    "Ongoing": 0,
}
ASPECTS: Final = ("Aspect", "yes", "no", "unknown")
# Enumerations whose values become reasons of conditions and status, metric labels, or headers of dead letters.
ENUMS: Final[tuple[type[StrEnum], ...]] = (
    scaling.Reason,
    workload.Activity,
    lagview.Freshness,
    moves.Why,
    letters.Reason,
    letters.Resolution,
    Kept,
)
# Of these, what is only counted as done.
DONE: Final = {"Stored", "Present"}
# Made of the name of an error of the client library.
BORROWED: Final = {"MaxPayload", "BadHeader"}
SILENT: Final = ("local", "telemetry")  # say nothing about objects


def is_word(value: object) -> bool:
    """Whether a text is CamelCase, as reasons are."""
    return isinstance(value, str) and value.isalnum() and value[0].isupper() and not value.isupper()


class Module:
    """One module as a tree, with its constants by name."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tree = ast.parse(path.read_text())
        self.constants: dict[str, ast.expr] = {}
        for node in self.tree.body:
            match node:
                case (
                    ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
                    | ast.Assign(targets=[ast.Name(id=name)], value=value)
                ):
                    self.constants[name] = value

    def words(self, node: ast.expr, *, deep: bool = True) -> Iterator[str]:
        """CamelCase literals in an expression, also behind names of constants; keys and callers' words aside."""
        match node:
            case ast.Constant(value=value) if is_word(value):
                yield str(value)
            case ast.Name(id=name) if deep and name in self.constants:
                yield from self.words(self.constants[name], deep=False)
            case ast.IfExp(body=body, orelse=other):
                yield from (*self.words(body), *self.words(other))
            case ast.BoolOp(values=values):
                yield from (word for value in values for word in self.words(value))
            case ast.Subscript(value=table):
                yield from self.words(table)
            case ast.Dict(values=values):
                yield from (word for value in values for word in self.words(value))
            case ast.Tuple(elts=[first, *_]) | ast.Starred(value=ast.Tuple(elts=[first, *_])):
                yield from self.words(first)

    def reasons(self) -> Iterator[str]:
        """Every reason that the module can give."""
        for node in ast.walk(self.tree):
            match node:
                case ast.Call(func=func, args=args):
                    at = REASON_AT.get(called(func), len(args))
                    if at < len(args):
                        yield from self.words(args[at])
                case ast.Assign(targets=[ast.Name(id="reason" | "_REASONS")], value=value):
                    yield from self.words(value)
                case ast.AnnAssign(target=ast.Name(id="_REASONS"), value=ast.expr() as value):
                    yield from self.words(value)
                case ast.Tuple(elts=[ast.Constant(value=word), said]) if is_word(word) and is_sentence(said):
                    yield str(word)

    def conditions(self) -> Iterator[str]:
        """Every type of condition that the module can report."""
        for node in ast.walk(self.tree):
            match node:
                case ast.Call(func=func, args=[first, *_]) if called(func) in ASPECTS:
                    yield from self.words(first)


def called(func: ast.expr) -> str:
    """The last word of what is called."""
    return func.id if isinstance(func, ast.Name) else func.attr if isinstance(func, ast.Attribute) else ""


def is_sentence(node: ast.expr) -> bool:
    """Whether an expression is a text of several words."""
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value
    )


MODULES: Final = [
    Module(path) for path in sorted(PACKAGE.rglob("*.py")) if path.relative_to(PACKAGE).parts[0] not in SILENT
]


@cache
def said() -> set[str]:
    """Every reason that Headgate can give."""
    found = {word for module in MODULES for word in module.reasons()}
    found |= {rule.reason for rule in RULES}
    found |= {str(each) for enum in ENUMS for each in enum} | BORROWED
    found |= {
        f"{word}{state}" for word in REFERRED.values() for state in ("NotFound", "NotReady", "Deleting")
    }
    return found - DONE


def test_every_reason_that_is_said_is_explained() -> None:
    assert said() - REASONS.keys() == set()


def test_every_reason_that_is_explained_is_said() -> None:
    assert REASONS.keys() - said() == set()


def test_exactly_the_conditions_that_are_reported_are_explained() -> None:
    found = {word for module in MODULES for word in module.conditions()}
    assert found | {outcome.value for outcome in STANDING} == set(CONDITION_TYPES)


def test_the_scan_finds_every_way_of_saying_a_reason() -> None:
    """One word of each form, so that a scan that went blind would be seen."""
    found = said()
    literal, from_table, from_constant = "OwnedByAnother", "NoLeader", "CredentialsInvalid"
    chosen, in_pair, of_class = "TooLong", "MoverAbsent", "LeaseLost"
    assert {literal, from_table, from_constant, chosen, in_pair, of_class} - found == set()


@pytest.mark.parametrize("table", [REASONS, CONDITION_TYPES], ids=["reasons", "conditions"])
def test_explanations_are_sentences(table: Mapping[str, Meaning]) -> None:
    texts = [(name, text) for name, meaning in table.items() for text in meaning]
    assert [(name, text) for name, text in texts if not text.endswith((".", ".)")) or len(text) <= 6] == []


PAGES = {
    "a rule": ("hg116", ["HG116 (rule)"], "spec.tenancy.deletion"),
    "a rule of one object says where it stands": ("HG012", ["HG012 (rule)"], "EventTopic.spec.keyBuckets"),
    "a field by its kind and path": (
        "EventTopic.spec.retention.maxAge",
        ["EventTopic.spec.retention.maxAge (field)"],
        "How long an event is kept",
    ),
    "a field by the short name of its kind, spec left out": (
        "et.retention",
        ["EventTopic.spec.retention (field)"],
        "  spec.retention.maxAge: How long",
    ),
    "a field of status": ("cg.status.lag", ["ConsumerGroup.status.lag (field)"], "status.lag.pending"),
    "all of status": ("eb.status", ["EventBroker.status (fields)"], "  status.serverVersion: "),
    "a field inside a list": ("rp.rules.action", ["RetryPolicy.spec.rules.action (field)"], "one of Retry"),
    "a default": ("et.storage", ["EventTopic.spec.storage (field)"], "default: File"),
    "a field that several kinds have": (
        "brokerRef",
        ["EventTopic.spec.brokerRef (field)", "DeadLetterQueue.spec.brokerRef (field)"],
        "EventBroker",
    ),
    "a kind": ("DLQ", ["DeadLetterQueue (kind)"], "spec.retention"),
    "a reason": ("ratEunknown", ["RateUnknown (reason)"], "To do:"),
    "a reason of several rules": ("NotPermitted", ["NotPermitted (reason)"], "  HG116: "),
    "a reason of one rule": ("NameTaken", ["NameTaken (reason)"], "HG150 does not hold"),
    "a condition and the reason of its name": (
        "DataLost",
        ["DataLost (condition)", "DataLost (reason)"],
        "headgate.dev/acknowledge",
    ),
    "a binding key": ("nak-delays", ["nak-delays (binding key)"], "spec.binding"),
}


@pytest.mark.parametrize(("word", "titles", "says"), PAGES.values(), ids=PAGES)
def test_what_is_printed(word: str, titles: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", word]) == 0
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if line.endswith(")") and not line[0].isspace()] == titles
    assert says in out


def test_without_a_word_every_topic_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain"]) == 0
    out = capsys.readouterr().out
    missing = [word for _, words in topics() for word in words if word not in out.replace("\n  ", " ")]
    assert missing == []


def test_every_topic_has_a_page() -> None:
    assert [w for _, words in topics() for name in words if not pages(w := name.partition(" ")[0])] == []


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        pytest.param("Datalos", "did you mean DataLost", id="a misspelt reason"),
        pytest.param("et.retenion", "did you mean et.retention", id="a misspelt field"),
        pytest.param("zzz", "without a word everything is listed", id="nothing like it"),
    ],
)
def test_an_unknown_word_is_an_error(word: str, meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", word]) == 1
    assert meant in capsys.readouterr().err
