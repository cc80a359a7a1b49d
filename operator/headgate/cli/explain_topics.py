"""Everything that can be explained, found by a word; each page is made from where the thing is defined. Prints nothing."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any, Final

from headgate.api import KINDS, Kind
from headgate.api.catalog import CEL_RULES
from headgate.api.schema import schema_of
from headgate.brokers.bindings import binding_keys, meanings
from headgate.core.checks import RULES
from headgate.core.condition_types import CONDITION_TYPES
from headgate.core.meaning import Meaning
from headgate.core.reasons import REASONS
from headgate.core.rule import Rule

Schema = Mapping[str, Any]
_SECTIONS: Final = ("spec", "status")
_NEAR: Final = 3


@dataclass(frozen=True, slots=True)
class Page:
    """One explanation."""

    title: str
    sort: str  # of what: a field, a rule ...
    paragraphs: tuple[str, ...]
    entries: tuple[str, ...] = ()


def topics() -> Iterator[tuple[str, list[str]]]:
    """Every word that has a page, by what it is; fields by the kind that has them."""
    yield "Kinds (and fields below them, e.g. et.retention.maxAge)", [f"{k.kind} ({k.short})" for k in KINDS]
    yield "Rules", [rule.id for rule in RULES]
    yield "Conditions", sorted(CONDITION_TYPES)
    yield "Reasons", sorted(REASONS)
    yield "Binding keys", binding_keys()


def nearest(word: str) -> list[str]:
    """Words with a page that look like one without."""
    known = {w.lower(): w for _, words in topics() for name in words for w in (name.partition(" ")[0],)}
    kind, _, path = word.partition(".")
    if path and (found := _kind(kind)) is not None:
        fields = {at.lower(): f"{kind}.{at}" for at in _paths(found)}
        return [fields[at] for at in get_close_matches(path.lower(), fields, _NEAR)]
    return [known[name] for name in get_close_matches(word.lower(), known, _NEAR)]


def pages(word: str) -> list[Page]:
    """Every page that a word has; case does not matter."""
    return [page for find in _FINDERS for page in find(word)]


def _rules(word: str) -> Iterator[Page]:
    for rule in (rule for rule in RULES if rule.id == word.upper()):
        at = sorted({f"{placed.kind}.{placed.path}" for placed in CEL_RULES if placed.rule.id == rule.id})
        where = ("Checked by the API server at:",) if at else ()
        text = (f"{rule.title}.", rule.explanation, f"{rule.severity}, reason {rule.reason}.", *where)
        yield Page(rule.id, "rule", text, tuple(at))


def _conditions(word: str) -> Iterator[Page]:
    for name, meaning in _named(CONDITION_TYPES, word):
        yield Page(name, "condition", (f"True: {meaning.what}", meaning.todo))


def _reasons(word: str) -> Iterator[Page]:
    for name, meaning in _named(REASONS, word):
        of = [rule for rule in RULES if rule.reason == name]
        also = ("Rules that give this reason:",) if of else ()
        yield Page(name, "reason", (meaning.what, f"To do: {meaning.todo}", *also), tuple(map(_line, of)))


def _bindings(word: str) -> Iterator[Page]:
    for name in (name for name in binding_keys() if name == word.lower()):
        text = "A file of the ConfigMap that spec.binding of a ConsumerGroup names; workers mount it."
        said = tuple(f"{brokers}: {meaning}" for brokers, meaning in meanings(name).items())
        yield Page(name, "binding key", (*said, text))


def _kinds(word: str) -> Iterator[Page]:
    if (kind := _kind(word)) is not None:
        top = tuple(name for section in _SECTIONS for name in _entries(_section(kind, section), section))
        yield Page(kind.kind, "kind", (kind.description, f"Short name: {kind.short}."), top)


def _fields(word: str) -> Iterator[Page]:
    """A field of the kind that the word begins with, else of every kind that has one."""
    head, _, rest = word.partition(".")
    named = _kind(head)
    path = (rest if named is not None else word).lower().replace("[]", "")
    if named is not None and path in _SECTIONS:
        schema = _section(named, path)
        yield Page(f"{named.kind}.{path}", "fields", (schema["description"],), tuple(_entries(schema, path)))
    for kind in KINDS if named is None else (named,):
        for at, schema in _walk(kind):
            if path and path in (at.lower(), at.lower().removeprefix("spec.")):
                yield _field(kind, at, schema)


def _field(kind: Kind, at: str, schema: Schema) -> Page:
    written = [f"default: {schema['default']}"] if "default" in schema else []
    facts = [_type(schema), *written]
    rules = {p.rule.id for p in CEL_RULES if p.kind == kind.kind and p.path.replace("[]", "") == at}
    entries = [
        *_entries(_inner(schema), at),
        *(_line(rule) for rule in RULES if rule.id in rules),
    ]
    return Page(f"{kind.kind}.{at}", "field", (schema["description"], f"{', '.join(facts)}."), tuple(entries))


def _kind(word: str) -> Kind | None:
    words = word.lower()
    return next((k for k in KINDS if words in (k.singular, k.plural, k.short)), None)


def _section(kind: Kind, section: str) -> Schema:
    return schema_of(kind.spec if section == "spec" else kind.status, written=section == "spec")


def _paths(kind: Kind) -> Iterator[str]:
    return (at.removeprefix("spec.") for at, _ in _walk(kind))


@cache
def _walk(kind: Kind) -> tuple[tuple[str, Schema], ...]:
    """Every field with its path, e.g. spec.retention.maxAge."""
    return tuple(found for section in _SECTIONS for found in _below(_section(kind, section), section))


def _below(schema: Schema, at: str) -> Iterator[tuple[str, Schema]]:
    for name, inner in _inner(schema).get("properties", {}).items():
        yield f"{at}.{name}", inner
        yield from _below(inner, f"{at}.{name}")


def _inner(schema: Schema) -> Schema:
    items: Schema = schema.get("items", schema)
    return items


def _entries(schema: Schema, at: str) -> Iterator[str]:
    """The fields directly below, each with the first sentence about it."""
    for name, inner in schema.get("properties", {}).items():
        yield f"{at}.{name}: {inner['description'].partition('. ')[0].rstrip('.')}"


def _type(schema: Schema) -> str:
    if "enum" in schema:
        return f"one of {', '.join(schema['enum'])}"
    if schema["type"] == "array":
        return f"list of {_type(schema['items'])}"
    return "map" if "additionalProperties" in schema else str(schema["type"])


def _line(rule: Rule[Any]) -> str:
    return f"{rule.id}: {rule.title}"


def _named(table: Mapping[str, Meaning], word: str) -> Iterable[tuple[str, Meaning]]:
    return ((name, meaning) for name, meaning in table.items() if name.lower() == word.lower())


_FINDERS: Final[tuple[Callable[[str], Iterable[Page]], ...]] = (
    _rules,
    _kinds,
    _fields,
    _conditions,
    _reasons,
    _bindings,
)
