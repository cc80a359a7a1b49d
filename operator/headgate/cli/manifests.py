"""Manifests in files, read strictly into one estate. Asks no cluster and judges nothing beyond single objects."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from headgate.api import (
    API_VERSION,
    KINDS,
    NAME_FITS,
    AllowedNamespaces,
    EventBrokerSpec,
    FieldError,
    Kind,
    NamespacesFrom,
    NativeAllowed,
    Tenancy,
    load,
    name_fits,
)
from headgate.core.estate import Declared, Estate, Ref
from headgate.core.index import BROKER
from headgate.core.resolve import references
from headgate.core.tenancy import native_settings

STDIN: Final = "-"
ENDINGS: Final = (".yaml", ".yml", ".json")
TOP: Final = frozenset({"apiVersion", "kind", "metadata", "spec", "status"})
_KINDS: Final[Mapping[str, Kind]] = {kind.kind: kind for kind in KINDS}


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a manifest stands."""

    file: str
    document: int  # counted from 1

    def __str__(self) -> str:
        return f"{self.file}:{self.document}"


@dataclass(frozen=True, slots=True)
class Complaint:
    """A manifest that is not what it says it is."""

    place: Place
    ref: Ref | None
    error: FieldError


@dataclass(frozen=True, slots=True)
class Manifests:
    """All that was found in some files."""

    estate: Estate
    places: Mapping[Ref, Place]  # of everything, also of what could not be read
    complaints: tuple[Complaint, ...]
    bodies: Mapping[Ref, Mapping[str, Any]]  # as written, of everything whose spec can be read


def read(sources: Sequence[str], namespace: str) -> Manifests:
    """The manifests of files and folders; what names no namespace gets the given one.

    Which labels a namespace will have, files need not say: it is taken to have those of its own manifest, else those
    that anybody asks for.
    """
    reading = _Reading(namespace)
    for name, text in _texts(sources):
        reading.take_all(name, text)
    reading.assume()
    return Manifests(reading.estate(), reading.places, tuple(reading.complaints), reading.bodies)


class _Reading:
    """What was read so far."""

    def __init__(self, namespace: str) -> None:
        self.places: dict[Ref, Place] = {}
        self.complaints: list[Complaint] = []
        self.bodies: dict[Ref, Mapping[str, Any]] = {}
        self._namespace = namespace
        self._declared: dict[Ref, Declared[Any]] = {}
        self._labels: dict[str, Mapping[str, str]] = {}

    def take_all(self, name: str, text: str) -> None:
        """Read every document of a file up to the first that is no YAML."""
        number = 0
        try:
            for number, document in enumerate(yaml.safe_load_all(text), 1):
                for body in _items(document):
                    self._take(Place(name, number), body)
        except yaml.YAMLError as error:
            self.complaints.append(
                Complaint(Place(name, number + 1), None, FieldError("", _unreadable(error)))
            )

    def assume(self) -> None:
        """Fill in the EventBrokers that are named and are not among the files: somebody else's, most often."""
        named = {
            to for declared in self._declared.values() for to in references(declared) if to.kind == BROKER
        }
        spec = self._open()
        self._declared.update({ref: Declared(ref, "", 1, spec) for ref in named - self.places.keys()})

    def _open(self) -> EventBrokerSpec:
        """A broker whose owner lets everybody do what they do."""
        everybody = AllowedNamespaces(from_=NamespacesFrom.ALL)
        used: dict[str, set[str]] = {}
        for declared in self._declared.values():
            for block, setting in native_settings(getattr(declared.spec, "native", None)):
                used.setdefault(block, set()).add(setting)
        native = NativeAllowed.model_validate(
            {block: tuple(sorted(settings)) for block, settings in used.items()}
        )
        return EventBrokerSpec(
            allowed_namespaces=everybody, tenancy=Tenancy(deletion=everybody, native_allowed=native)
        )

    def estate(self) -> Estate:
        """All of it together."""
        stores: dict[str, dict[Ref, Declared[Any]]] = {kind: {} for kind in _KINDS}
        asked: dict[str, str] = {}
        for ref, declared in self._declared.items():
            stores[ref.kind][ref] = declared
            allowed = getattr(declared.spec, "allowed_namespaces", None)
            asked.update(allowed.selector.match_labels if allowed and allowed.selector else {})
        return Estate(
            "files",
            stores["EventBroker"],
            stores["EventTopic"],
            stores["ConsumerGroup"],
            stores["RetryPolicy"],
            stores["DeadLetterQueue"],
            {ref.namespace: self._labels.get(ref.namespace, asked) for ref in self._declared},
        )

    def _take(self, place: Place, body: Mapping[str, Any]) -> None:
        metadata = body["metadata"] if isinstance(body.get("metadata"), dict) else {}
        name = metadata.get("name")
        if body.get("kind") == "Namespace" and isinstance(name, str):
            self._labels[name] = metadata.get("labels") or {}
        if body.get("kind") not in _KINDS or body.get("apiVersion") != API_VERSION:
            return
        if not isinstance(name, str):
            self.complaints.append(Complaint(place, None, FieldError("metadata.name", "is required")))
            return
        ref = Ref(body["kind"], str(metadata.get("namespace") or self._namespace), name)
        self.complaints += [Complaint(place, ref, error) for error in self._errors(ref, body)]
        self.places.setdefault(ref, place)

    def _errors(self, ref: Ref, body: Mapping[str, Any]) -> Iterator[FieldError]:
        """All that is wrong with one manifest; it is kept where its spec can be read."""
        yield from (FieldError(key, "is not a field") for key in sorted(body.keys() - TOP))
        if ref in self.places:
            yield FieldError("metadata.name", f"the same object stands in {self.places[ref]} already")
        spec = body.get("spec") or {}
        loaded = load(_KINDS[ref.kind], spec, strict=True) if isinstance(spec, dict) else [_NO_SPEC]
        if isinstance(loaded, list):
            yield from loaded
            return
        if not name_fits(ref.name, loaded):
            yield FieldError("metadata.name", NAME_FITS.message, NAME_FITS.id)
        self._declared[ref] = Declared(ref, "", 1, loaded)
        self.bodies[ref] = body


_NO_SPEC: Final = FieldError("spec", "must be an object with fields")


def _unreadable(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return f"is no YAML{f' from line {mark.line + 1} on' if mark else ''}"


def _texts(sources: Sequence[str]) -> Iterator[tuple[str, str]]:
    for source in sources:
        path = Path(source)
        if source == STDIN:
            yield "stdin", sys.stdin.read()
        elif path.is_dir():
            for file in sorted(file for file in path.rglob("*") if file.suffix in ENDINGS):
                yield str(file), file.read_text(encoding="utf-8")
        else:
            yield source, path.read_text(encoding="utf-8")


def _items(document: object) -> Iterator[Mapping[str, Any]]:
    """The objects of a document, which may be a list of them."""
    if not isinstance(document, dict):
        return
    items = document.get("items")
    bodies = items if document.get("kind") == "List" and isinstance(items, list) else [document]
    yield from (body for body in bodies if isinstance(body, dict))
