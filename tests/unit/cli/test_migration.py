"""Moving from other operators: every example of theirs has a counterpart that is valid, every field of theirs an answer."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, get_args

import pytest

from headgate.api import KINDS, ApiModel, NativeKafkaTopic
from headgate.cli import main

ROOT: Final = Path(__file__).parents[3]
EXAMPLES: Final = ROOT / "examples" / "migration"
PAGES: Final = ROOT / "docs" / "migration"
PROJECTS: Final = {"strimzi": "kafka", "nack": "nats", "rabbitmq": "rabbitmq"}
SPECS: Final[Mapping[str, type[ApiModel]]] = {kind.kind: kind.spec for kind in KINDS}
ANSWERS: Final = ("always", "not covered")

_ORIGINAL: Final = re.compile(r"^# Counterpart of (\S+: \S+)", re.MULTILINE)
_CODE: Final = re.compile(r"`([^`]+)`")
_ROW: Final = re.compile(r"^\| (.+?) \| (.*?) \| (.*?) \|$", re.MULTILINE)

per_project = pytest.mark.parametrize("project", PROJECTS)


@dataclass(frozen=True, slots=True)
class Row:
    """One field of theirs and what it becomes."""

    theirs: str
    ours: str
    notes: str

    @property
    def paths(self) -> tuple[str, ...]:
        """The fields of Headgate that are named."""
        return () if self.ours in ANSWERS else tuple(_CODE.findall(self.ours))

    def speaks_of(self, field: str) -> bool:
        """Whether the field is this one, or of a kind that is answered as a whole."""
        return field == self.theirs or (self.theirs.endswith(".*") and field.startswith(self.theirs[:-1]))


def rows(project: str) -> tuple[Row, ...]:
    """All rows of the tables of a page, without their heads; fields of theirs without backticks."""
    found = _ROW.findall((PAGES / f"{project}.md").read_text())
    cells = [row for row in found if row[0] != "theirs" and not row[0].startswith("---")]
    return tuple(Row(_plain(theirs), ours, notes) for theirs, ours, notes in cells)


def _plain(cell: str) -> str:
    code = re.fullmatch(_CODE, cell)
    return code[1] if code else cell


def fields(project: str) -> tuple[str, ...]:
    """The fields of their specs."""
    return listed(PAGES / "fields" / f"{project}.txt")


def listed(file: Path) -> tuple[str, ...]:
    lines = map(str.strip, file.read_text().splitlines())
    return tuple(line for line in lines if line and not line.startswith("#"))


def answer(project: str, field: str) -> Row:
    """The row that speaks of a field."""
    return next(row for row in rows(project) if row.speaks_of(field))


def leads_somewhere(path: str) -> bool:
    """Whether a path like EventTopic.retention.maxAge names a field of a kind."""
    kind, _, rest = path.partition(".")
    return kind in SPECS and bool(rest) and _within(SPECS[kind], rest)


def _within(model: type[ApiModel], path: str) -> bool:
    for name, info in model.model_fields.items():
        written = info.alias or name
        tail = path.removeprefix(written).removeprefix("[]")
        if path.startswith(written) and (not tail or tail.startswith(".")):
            inside = [each for each in _models(info.annotation) if tail and _within(each, tail[1:])]
            if not tail or inside:
                return True
    return False


def _models(annotation: object) -> Iterator[type[ApiModel]]:
    if isinstance(annotation, type) and issubclass(annotation, ApiModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


@per_project
def test_the_counterparts_are_valid_together(project: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is said about them, not even a warning."""
    assert main(["validate", "-f", str(EXAMPLES / project)]) == 0
    assert capsys.readouterr().out == ""


@per_project
def test_the_counterparts_are_what_the_broker_can_do(
    project: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is refused by name; what is only met as nearly as it goes may be said."""
    assert main(["validate", "-f", str(EXAMPLES / project), "--broker-type", PROJECTS[project]]) == 0
    assert all("warning]" in line for line in capsys.readouterr().out.splitlines())


def test_every_example_of_theirs_has_a_counterpart() -> None:
    """Each file names the originals that it stands for; together these are all, and no others."""
    named = [
        original for file in EXAMPLES.glob("*/*.yaml") for original in _ORIGINAL.findall(file.read_text())
    ]
    assert set(named) == set(listed(PAGES / "manifests.txt"))


@pytest.mark.parametrize("file", [pytest.param(file, id=f"{file.parent.name} {file.stem}") for file in sorted(EXAMPLES.glob("*/*.yaml"))])  # fmt: skip
def test_every_manifest_says_of_what_it_is_a_counterpart(file: Path) -> None:
    """But for the connections, which theirs have elsewhere."""
    assert file.name == "00-brokers.yaml" or _ORIGINAL.search(file.read_text())


@per_project
def test_every_field_of_theirs_has_one_answer(project: str) -> None:
    """No field is missing, none is answered twice."""
    counts = {field: sum(row.speaks_of(field) for row in rows(project)) for field in fields(project)}
    assert {field: count for field, count in counts.items() if count != 1} == {}


@per_project
def test_no_answer_is_about_a_field_that_they_do_not_have(project: str) -> None:
    """Rows in words, about labels and other kinds, speak of no field."""
    kinds = {field.partition(".")[0] for field in fields(project)}
    spoken = [row for row in rows(project) if row.theirs.partition(".")[0] in kinds]
    assert [row.theirs for row in spoken if not any(map(row.speaks_of, fields(project)))] == []
    assert len(spoken) > len(kinds)


@per_project
def test_every_answer_is_a_field_of_headgate_or_says_why_not(project: str) -> None:
    """No cell is empty; a field that is not covered comes with the reason or the way out."""
    for row in rows(project):
        assert row.notes, row
        assert row.paths or row.ours in ANSWERS, row
        assert row.paths or " " in row.notes, row
        assert [path for path in row.paths if not leads_somewhere(path)] == [], row


@pytest.mark.parametrize(
    ("path", "there"),
    [
        pytest.param("EventTopic.retention.maxAge", True, id="a field inside a field"),
        pytest.param("EventTopic.native.nats.sources[].external.api", True, id="a field in a list"),
        pytest.param("EventTopic.native.kafka.segment.bytes", True, id="a name with dots"),
        pytest.param("EventTopic.retention", True, id="a whole part"),
        pytest.param("EventTopic.retention.maxAges", False, id="a misspelt field"),
        pytest.param("EventTopic.retention.maxAge.days", False, id="something inside a value"),
        pytest.param("EventTopic.native.kafka.segment", False, id="half of a name with dots"),
        pytest.param("Topic.retention", False, id="a kind that is not there"),
        pytest.param("EventTopic", False, id="a kind alone"),
    ],
)
def test_paths_are_looked_up_in_the_models(path: str, there: bool) -> None:  # noqa: FBT001  (a column)
    """A page that names a field which is renamed later does not stay as it is."""
    assert leads_somewhere(path) is there


def test_every_config_of_kafka_that_headgate_knows_is_in_the_table() -> None:
    """A config that is added here has a row there."""
    known = {f"KafkaTopic.config.{info.alias}" for info in NativeKafkaTopic.model_fields.values()}
    assert known - set(fields("strimzi")) == set()


def figures(project: str) -> tuple[int, ...]:
    """Manifests; fields of kinds that are covered, with a field here, always so, not covered; fields of other kinds."""
    found = [answer(project, field) for field in fields(project)]
    here = [row.ours for row in found if not row.theirs.endswith(".*")]
    prefix = {"strimzi": "strimzi/", "nack": "nats-io/", "rabbitmq": "rabbitmq/"}[project]
    originals = [line for line in listed(PAGES / "manifests.txt") if line.startswith(prefix)]
    answers = [here.count(word) for word in ANSWERS]
    return len(originals), len(here), len(here) - sum(answers), *answers, len(found) - len(here)


@per_project
def test_the_figures_of_the_overview_are_counted(project: str) -> None:
    """The table says what the pages say."""
    cells = " | ".join(map(str, figures(project)))
    assert f"(migration/{project}.md) | {cells} |" in (PAGES.parent / "migration.md").read_text()
