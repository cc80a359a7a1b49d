"""From models to definitions: what is refused, and what must stand in every definition."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pytest
import yaml
from pydantic import Field

from headgate.api import KINDS, ApiModel, Kind, Rule
from headgate.api.catalog import CEL_RULES
from headgate.api.crd import crd, render
from headgate.api.schema import SchemaError, schema_of
from headgate.api.types import Duration, DurationText, ListOf
from headgate.api.yamltext import render_yaml
from headgate.local.generate import MarkerError, filled, main


class Silent(ApiModel):
    a: int = Field(description="A number.")


class Good(ApiModel):
    """Says what it is."""

    checks: ClassVar[tuple[Rule, ...]] = (Rule("HG099", "self.a > 0", "a must be positive", ".a"),)

    a: Annotated[int, Field(ge=1)] = Field(description="A number.")
    wait: Annotated[Duration, DurationText("1s")] = Field(
        default=timedelta(seconds=90), description="A wait. Left out: 90s."
    )


class NoDescription(ApiModel):
    """Says what it is."""

    a: int


class NoLeftOut(ApiModel):
    """Says what it is."""

    a: int | None = Field(default=None, description="A number.")


class Many(ApiModel):
    """Says what it is."""

    a: tuple[str, ...] = Field(description="Endless.", max_length=3)


class Endless(ApiModel):
    """Says what it is."""

    a: Annotated[tuple[int, ...], ListOf()] = Field(description="Endless.")


class EndlessText(ApiModel):
    """Says what it is."""

    a: str = Field(description="Endless.")


class EndlessMap(ApiModel):
    """Says what it is."""

    a: Mapping[str, int] = Field(description="Endless.")


class Either(ApiModel):
    """Says what it is."""

    a: int | str = Field(description="A number or a text.")


class Float(ApiModel):
    """Says what it is."""

    a: float = Field(description="A number.")


class Nested(ApiModel):
    """Says what it is."""

    a: Silent = Field(description="An object.")


REFUSED: dict[str, tuple[type[ApiModel], str]] = {
    "an object that says nothing about itself": (Silent, "NoDocstring"),
    "the same inside another": (Nested, "NoDocstring"),
    "a field without a description": (NoDescription, "NoDescription"),
    "an optional field that does not say what happens without it": (NoLeftOut, "NoLeftOut"),
    "a list without a type": (Many, "Unbounded"),
    "a list without an end": (Endless, "Unbounded"),
    "a text without an end": (EndlessText, "Unbounded"),
    "a map without an end": (EndlessMap, "Unbounded"),
    "two types in one": (Either, "Union"),
    "a float": (Float, "UnknownType"),
}


@pytest.mark.parametrize(("model", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(model: type[ApiModel], reason: str) -> None:
    """What users could not understand, or an API server not afford, becomes no definition."""
    with pytest.raises(SchemaError) as refusal:
        schema_of(model, written=True)
    assert refusal.value.reason == reason


def test_a_whole_schema() -> None:
    """Bounds, defaults as text, rules with their id and the field they name."""
    schema = schema_of(Good, written=True)
    assert schema["required"] == ["a"]
    assert schema["properties"]["a"] == {
        "type": "integer",
        "format": "int64",
        "minimum": 1,
        "description": "A number.",
    }
    assert schema["properties"]["wait"]["default"] == "1m30s"
    assert schema["x-kubernetes-validations"] == [
        {
            "rule": "self.a > 0",
            "message": "a must be positive (HG099)",
            "fieldPath": ".a",
            "reason": "FieldValueInvalid",
        }
    ]


def objects(schema: dict[str, Any], at: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema inside a schema."""
    yield at, schema
    for name, inner in schema.get("properties", {}).items():
        yield from objects(inner, f"{at}.{name}")
    if "items" in schema:
        yield from objects(schema["items"], f"{at}[]")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_conventions(kind: Kind) -> None:
    """No phase, no floats, everything described, references end in Ref and are replaced as a whole."""
    root = crd(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    for part in ("spec", "status"):
        for path, schema in objects(root[part], part):
            name = path.rsplit(".", 1)[-1]
            assert name != "phase", path
            assert schema["type"] != "number", path
            assert path.endswith("[]") or schema["description"], path
            assert not name.endswith("Reference"), path
            assert not name.endswith("Ref") or schema["x-kubernetes-map-type"] == "atomic", path


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_yaml_says_the_same(kind: Kind) -> None:
    """The text is read as what was meant, and says how it was made."""
    text = render(kind)
    assert yaml.safe_load(text) == crd(kind)
    assert text.startswith("# Generated by `make gen`")


def test_strings_that_look_like_something_else() -> None:
    """Quotes keep a string a string, also as a key."""
    value: dict[str, object] = {"y": "n", "on": "1e3", "a b": ["no", {"x1": "~"}, []], "n": {}, "plain": True}
    assert yaml.safe_load(render_yaml(value)) == value


def test_rules_have_ids_below_100() -> None:
    """Rules of the definitions are HG001 to HG099."""
    ids = {placed.rule.id for placed in CEL_RULES}
    assert all(rule.startswith("HG0") and len(rule) == 5 for rule in ids)
    assert len(ids) > 20


def test_rules_speak_for_themselves() -> None:
    """Every rule has a sentence; none ends in a full stop, since its id follows."""
    assert all(placed.rule.message and not placed.rule.message.endswith(".") for placed in CEL_RULES)


PAGE = "# A\n<!-- generated by make gen: fields -->\nold\n<!-- end of generated part -->\nend\n"


def test_pages_are_filled() -> None:
    """Only what stands between the markers changes."""
    assert filled(PAGE, "fields", r"new \1") == PAGE.replace("old", r"new \1")


def test_pages_without_markers() -> None:
    """A page that lost its markers is an error, not a page without a table."""
    with pytest.raises(MarkerError):
        filled(PAGE, "status", "new")


def test_what_is_generated_is_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The check names a file that differs and one too many, writes nothing, and is content after a run."""
    root = Path(__file__).parents[3]
    (tmp_path / "docs/spec").mkdir(parents=True)
    for kind in KINDS:
        page = f"docs/spec/{kind.singular}.md"
        (tmp_path / page).write_text((root / page).read_text())
    assert main(["--root", str(tmp_path)]) == 0
    assert main(["--check", "--root", str(tmp_path)]) == 0
    (tmp_path / "crds/eventtopics.yaml").write_text("old")
    (tmp_path / "crds/gone.yaml").write_text("old")
    capsys.readouterr()
    assert main(["--check", "--root", str(tmp_path)]) == 1
    assert capsys.readouterr().out == "differs: crds/eventtopics.yaml\ndiffers: crds/gone.yaml\n"
    assert (tmp_path / "crds/eventtopics.yaml").read_text() == "old"
