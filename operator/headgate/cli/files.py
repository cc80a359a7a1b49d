"""Manifests in files, read strictly into one estate. Asks no cluster."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from headgate.api import API_VERSION, KINDS, FieldError, load
from headgate.api.kinds import NAME_FITS, name_fits
from headgate.core.estate import Declared, Estate, Ref

STDIN: Final = "-"
STORES: Final = {
    "EventBroker": "brokers",
    "EventTopic": "topics",
    "ConsumerGroup": "groups",
    "RetryPolicy": "policies",
    "DeadLetterQueue": "queues",
}
_KINDS: Final = {kind.kind: kind for kind in KINDS}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a manifest stands."""

    file: str
    document: int  # counted from 1

    def __str__(self) -> str:
        return f"{self.file}:{self.document}"


@dataclass(frozen=True, slots=True)
class Complaint:
    """A manifest that cannot be read as what it says it is."""

    place: Place
    ref: Ref | None
    error: FieldError


@dataclass(slots=True)
class Manifests:
    """All that was found in some files."""

    estate: Estate = field(default_factory=lambda: Estate("files", {}, {}, {}, {}, {}, {}))
    places: dict[Ref, Place] = field(default_factory=dict)
    complaints: list[Complaint] = field(default_factory=list)


def read(sources: Sequence[str], namespace: str) -> Manifests:
    """The manifests of files and folders; what names no namespace gets the given one.

    What other people's labels will be nobody knows from files: a namespace is taken to have the labels that its own
    manifest gives, else those that are asked for.
    """
    found, labels = Manifests(), dict[str, Mapping[str, str]]()
    for name, text in _texts(sources):
        for place, body in _documents(name, text, found):
            metadata = body.get("metadata")
            known = metadata if isinstance(metadata, dict) else {}
            if body.get("kind") == "Namespace" and body.get("apiVersion") == "v1":
                labels[str(known.get("name"))] = known.get("labels") or {}
            elif body.get("kind") in _KINDS and body.get("apiVersion") == API_VERSION:
                _take(found, place, body, known, namespace)
    _label(found.estate, labels)
    return found


def _take(found: Manifests, place: Place, body: Mapping[str, Any], metadata: Mapping[str, Any], space: str) -> None:
    kind = _KINDS[body["kind"]]
    name = metadata.get("name")
    if not isinstance(name, str) or not name:
        found.complaints.append(Complaint(place, None, FieldError("metadata.name", "is required")))
        return
    ref = Ref(kind.kind, str(metadata.get("namespace") or space), name)
    errors = [FieldError(key, "is not a field") for key in sorted(body.keys() - _TOP)]
    spec = body.get("spec", {})
    loaded = load(kind, spec, strict=True) if isinstance(spec, dict) else [_NO_SPEC]
    if isinstance(loaded, list):
        errors += loaded
    elif not name_fits(name, loaded):
        errors.append(FieldError("metadata.name", NAME_FITS.message, NAME_FITS.id))
    if ref in found.places:
        errors.append(FieldError("metadata.name", f"{ref} stands in {found.places[ref]} already"))
    found.complaints += [Complaint(place, ref, error) for error in errors]
    found.places.setdefault(ref, place)
    if not isinstance(loaded, list):
        store: dict[Ref, Declared[Any]] = getattr(found.estate, STORES[ref.kind])
        store[ref] = Declared(ref, "", 1, loaded)


_TOP: Final = {"apiVersion", "kind", "metadata", "spec", "status"}
_NO_SPEC: Final = FieldError("spec", "must be an object with fields")


def _texts(sources: Sequence[str]) -> Iterator[tuple[str, str]]:
    for source in sources:
        path = Path(source)
        if source == STDIN:
            yield "stdin", sys.stdin.read()
        elif path.is_dir():
            for file in sorted(p for p in path.rglob("*") if p.suffix in (".yaml", ".yml", ".json")):
                yield str(file), file.read_text()
        else:
            yield source, path.read_text()


def _documents(name: str, text: str, found: Manifests) -> Iterator[tuple[Place, Mapping[str, Any]]]:
    number = 0
    try:
        for number, document in enumerate(yaml.safe_load_all(text), 1):
            for body in _items(document):
                yield Place(name, number), body
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f" in line {where.line + 1}" if where else ""
        problem = getattr(error, "problem", None) or "cannot be read"
        found.complaints.append(Complaint(Place(name, number + 1), None, FieldError("", f"is no YAML{line}: {problem}")))


def _items(document: object) -> Iterator[Mapping[str, Any]]:
    """The objects of a document, which may be a list of them."""
    if isinstance(document, dict):
        items = document.get("items")
        if document.get("kind") == "List" and isinstance(items, list):
            yield from (item for item in items if isinstance(item, dict))
        else:
            yield document


def _label(estate: Estate, labels: Mapping[str, Mapping[str, str]]) -> None:
    """Fill in the namespaces: as their manifests say, else as every selector would have them."""
    asked: dict[str, str] = {}
    for declared in (*estate.brokers.values(), *estate.topics.values(), *estate.queues.values()):
        selector = declared.spec.allowed_namespaces.selector
        asked.update(selector.match_labels if selector else {})
    spaces = {ref.namespace for store in STORES.values() for ref in getattr(estate, store)}
    namespaces = estate.namespaces
    assert isinstance(namespaces, dict)  # noqa: S101  (made above)
    namespaces.update({space: labels.get(space, asked) for space in spaces})
