"""Every rule that is CEL in a custom resource definition, with where it stands. Knows no core rule."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, get_args, get_origin

from headgate.api.common import ApiModel
from headgate.api.crd import root_rules
from headgate.api.kinds import KINDS
from headgate.api.rules import Rule
from headgate.api.schema import fields_of, jsonname, shape_of
from headgate.api.types import Text, Written


@dataclass(frozen=True, slots=True)
class Placed:
    """One rule at one place of one kind."""

    kind: str
    path: str  # of the field that the rule names
    rule: Rule


def _placed() -> Iterator[Placed]:
    for kind in KINDS:
        yield from (Placed(kind.kind, "metadata.name", rule) for rule in root_rules(kind))
        yield from (Placed(kind.kind, path, rule) for path, rule in _of_model(kind.spec, "spec"))


def _of_model(model: type[ApiModel], at: str) -> Iterator[tuple[str, Rule]]:
    yield from ((f"{at}{rule.field}", rule) for rule in model.checks)
    for name, info in fields_of(model):
        yield from _of_type(info.annotation, info.metadata, f"{at}.{jsonname(name, info)}")


def _of_type(annotation: object, notes: list[object], at: str) -> Iterator[tuple[str, Rule]]:
    shape = shape_of(annotation, notes)
    text = shape.note(Written) or shape.note(Text)
    yield from ((at, rule) for rule in (text.rules() if text else ()))
    if get_origin(shape.base) is tuple:
        yield from _of_type(get_args(shape.base)[0], [], f"{at}[]")
    elif isinstance(shape.base, type) and issubclass(shape.base, ApiModel):
        yield from _of_model(shape.base, at)


CEL_RULES: Final = tuple(_placed())
