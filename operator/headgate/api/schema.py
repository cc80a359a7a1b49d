"""From a model to a structural schema with CEL. Refuses what users could not understand. Knows no kind."""

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin

from annotated_types import Ge, Le, MaxLen, MinLen
from pydantic.fields import FieldInfo

from headgate.api.common import ApiModel
from headgate.api.rules import Rule
from headgate.api.types import Capped, ListOf, Text, Written

Json = dict[str, Any]

_LENGTHS: Final = {"string": "Length", "array": "Items", "object": "Properties"}


class SchemaError(Exception):
    """A model that must not become a schema; `reason` is CamelCase and stable."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Shape:
    """An annotation taken apart: the plain type and everything that was said about it."""

    base: Any
    notes: tuple[object, ...]

    def note(self, kind: type) -> Any:  # noqa: ANN401  (an instance of `kind`, or None)
        """What was said of this kind; of several the outermost, which is the one that pydantic heeds."""
        return next((note for note in reversed(self.notes) if isinstance(note, kind)), None)


def shape_of(annotation: Any, notes: Iterable[object] = ()) -> Shape:  # noqa: ANN401  (annotations are of any type)
    """The plain type below Optional and Annotated, with all notes."""
    collected = [
        note for outer in notes for note in (outer.metadata if isinstance(outer, FieldInfo) else [outer])
    ]
    if get_origin(annotation) is Annotated:
        base, *more = get_args(annotation)
        return shape_of(base, (*more, *collected))
    if get_origin(annotation) in (Union, UnionType):
        parts = [part for part in get_args(annotation) if part is not NoneType]
        if len(parts) != 1:
            raise SchemaError(
                "Union", f"{annotation} may be several things; an API server cannot tell them apart"
            )
        return shape_of(parts[0], collected)
    return Shape(annotation, tuple(collected))


def schema_of(model: type[ApiModel], *, written: bool) -> Json:
    """The object that a model describes; `written` by users, else by Headgate."""
    described = inspect.cleandoc(model.__dict__.get("__doc__") or "")
    if not described:
        raise SchemaError("NoDocstring", f"{model.__name__} says nothing about itself")
    properties = {jsonname(n, i): _property(model, n, i, written=written) for n, i in fields_of(model)}
    required = [jsonname(name, info) for name, info in fields_of(model) if info.is_required()]
    schema: Json = {"description": described, "type": "object"}
    if required:
        schema["required"] = required
    if model.atomic:
        schema["x-kubernetes-map-type"] = "atomic"
    return schema | {"properties": properties} | cel(model.checks)


def fields_of(model: type[ApiModel]) -> list[tuple[str, FieldInfo]]:
    """The fields of a model, its own before those of its bases."""
    own = [name for name in model.__annotations__ if name in model.model_fields]
    rest = [name for name in model.model_fields if name not in own]
    return [(name, model.model_fields[name]) for name in (*own, *rest)]


def jsonname(name: str, info: FieldInfo) -> str:
    """What a field is called in YAML."""
    return info.alias or name


def default_of(info: FieldInfo) -> Any:  # noqa: ANN401  (JSON)
    """The default that the API server writes; None where it writes none."""
    value = None if info.is_required() else info.default
    if isinstance(value, ApiModel):
        return value.model_dump(mode="json", by_alias=True, exclude_none=True)
    text = shape_of(info.annotation, info.metadata).note(Written)
    if value is not None and text is not None:
        return text.render(value)
    return None if value == () else value


def cel(rules: Iterable[Rule]) -> Json:
    """Rules as the API server takes them; nothing where there are none."""
    rendered = [_rule(rule) for rule in rules]
    return {"x-kubernetes-validations": rendered} if rendered else {}


def _rule(rule: Rule) -> Json:
    entry: Json = {"rule": rule.cel, "message": f"{rule.message} ({rule.id})"}
    if rule.field:
        entry["fieldPath"] = rule.field
    return entry | {"reason": str(rule.reason)}


def _property(model: type[ApiModel], name: str, info: FieldInfo, *, written: bool) -> Json:
    where = f"{model.__name__}.{name}"
    if not info.description:
        raise SchemaError("NoDescription", f"{where} has no description")
    if written and not info.is_required() and "Left out:" not in info.description:
        raise SchemaError("NoLeftOut", f"{where} does not say what happens when it is left out")
    shape = shape_of(info.annotation, info.metadata)
    schema = _type(where, shape, written=written) | {"description": info.description}
    default = default_of(info)
    return schema if default is None or not written else schema | {"default": default}


def _type(where: str, shape: Shape, *, written: bool) -> Json:
    base = shape.base
    if (text := shape.note(Written)) is not None:
        schema: Json = text.schema() | cel(text.rules())
        return schema
    if get_origin(base) is tuple:
        return _list(where, shape, written=written)
    if get_origin(base) is Mapping:
        return _map(where, shape, written=written)
    if isinstance(base, type) and issubclass(base, ApiModel):
        return schema_of(base, written=written)
    if isinstance(base, type) and issubclass(base, StrEnum):
        return {"type": "string", "enum": [str(member) for member in base]}
    return _scalar(where, shape, written=written)


def _scalar(where: str, shape: Shape, *, written: bool) -> Json:
    if shape.base is bool:
        return {"type": "boolean"}
    if shape.base is int:
        return {"type": "integer", "format": "int64"} | _bounds(shape)
    if shape.base is not str:
        raise SchemaError("UnknownType", f"{where} is {shape.base}, for which there is no schema")
    lengths = _lengths(shape, "string")
    if written and "maxLength" not in lengths:
        raise SchemaError("Unbounded", f"{where} may be of any length, which no rule could afford")
    text = shape.note(Text)
    return {"type": "string"} | lengths | cel(text.rules() if text else ())


def _list(where: str, shape: Shape, *, written: bool) -> Json:
    merged, capped = shape.note(ListOf), shape.note(Capped)
    lengths = _lengths(shape, "array") | ({"maxItems": capped.most} if capped else {})
    if merged is None or "maxItems" not in lengths:
        raise SchemaError("Unbounded", f"{where} needs a list type and a greatest length")
    item = shape_of(get_args(shape.base)[0])
    schema = {"type": "array", "x-kubernetes-list-type": merged.kind} | lengths
    if merged.keys:
        schema["x-kubernetes-list-map-keys"] = list(merged.keys)
    return schema | {"items": _type(f"{where}[]", item, written=written)}


def _map(where: str, shape: Shape, *, written: bool) -> Json:
    lengths = _lengths(shape, "object")
    if "maxProperties" not in lengths:
        raise SchemaError("Unbounded", f"{where} needs a greatest number of entries")
    value = shape_of(get_args(shape.base)[1])
    return (
        {"type": "object"} | lengths | {"additionalProperties": _type(f"{where}.*", value, written=written)}
    )


def _lengths(shape: Shape, kind: str) -> Json:
    least, most = shape.note(MinLen), shape.note(MaxLen)
    found = {
        f"min{_LENGTHS[kind]}": least and least.min_length,
        f"max{_LENGTHS[kind]}": most and most.max_length,
    }
    return {name: value for name, value in found.items() if value is not None}


def _bounds(shape: Shape) -> Json:
    least, most = shape.note(Ge), shape.note(Le)
    found = {"minimum": least and least.ge, "maximum": most and most.le}
    return {name: value for name, value in found.items() if value is not None}
