"""From raw JSON to models and back, with errors that people can act on. Knows no cluster."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final, Literal, TypeVar, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from headgate.api.common import ApiModel
from headgate.api.rules import broken
from headgate.api.types import OWN_ERROR, WRITTEN

ModelT = TypeVar("ModelT", bound=ApiModel)

_SENTENCES: Final = {
    "missing": "is required",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false",
    "string_type": "must be a string; put it in quotes",
    "model_type": "must be an object with fields",
    "model_attributes_type": "must be an object with fields",
    "mapping_type": "must be an object with fields",
    "dict_type": "must be an object with fields",
    "tuple_type": "must be a list",
    "enum": "must be one of: {expected}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "too_short": "must have at least {min_length} entries",
    "too_long": "must have at most {max_length} entries",
}


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field and what to do; never holds the value."""

    path: str
    message: str
    rule: str = ""  # the id (HG...) of the rule, where it is one

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


def load_model(
    model: type[ModelT], raw: object, *, strict: bool, at: str = "spec"
) -> ModelT | list[FieldError]:
    """The model that the JSON says, or all that is wrong with it.

    Strict, as at admission: an unknown field is an error. Lenient, as with what is stored already: it is ignored.
    """
    if not isinstance(raw, Mapping):
        return [FieldError(at, _SENTENCES["model_type"])]
    try:
        extra: Literal["forbid", "ignore"] = "forbid" if strict else "ignore"
        loaded = model.model_validate(_without_nulls(raw), extra=extra, context=WRITTEN)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        return [_error(model, detail, at) for detail in details if not _follows(detail, details)]
    return list(violations(loaded, at)) or loaded


def _without_nulls(raw: Any) -> Any:  # noqa: ANN401  (JSON)
    """A null counts as left out, as the API server sees it."""
    if isinstance(raw, Mapping):
        return {key: _without_nulls(value) for key, value in raw.items() if value is not None}
    return [_without_nulls(value) for value in raw] if isinstance(raw, list) else raw


def dump(model: ApiModel) -> dict[str, Any]:
    """JSON as users write it, without what was left out."""
    return model.model_dump(mode="json", by_alias=True, exclude_unset=True)


def dump_status(model: ApiModel) -> dict[str, Any]:
    """JSON for the status subresource: what is None or an empty list is left out."""
    return _pruned(model.model_dump(mode="json", by_alias=True, exclude_none=True))


def _pruned(value: dict[str, Any]) -> dict[str, Any]:
    shorter = {k: _pruned(v) if isinstance(v, dict) else v for k, v in value.items()}
    return {k: v for k, v in shorter.items() if v != []}


def violations(model: ApiModel, at: str) -> Iterator[FieldError]:
    """The broken rules of a model and of everything in it."""
    for rule in broken(type(model).checks, model):
        yield FieldError(f"{at}{rule.field}", rule.message, rule.id)
    for name, info in type(model).model_fields.items():
        yield from _inside(getattr(model, name), f"{at}.{info.alias or name}")


def _inside(value: object, at: str) -> Iterator[FieldError]:
    if isinstance(value, ApiModel):
        yield from violations(value, at)
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _inside(item, f"{at}[{index}]")


def _follows(detail: ErrorDetails, details: list[ErrorDetails]) -> bool:
    """A list with a bad entry also counts as too short: that is no second mistake."""
    where = detail["loc"]
    inside = (len(other["loc"]) > len(where) and other["loc"][: len(where)] == where for other in details)
    return detail["type"] == "too_short" and any(inside)


def _error(model: type[ApiModel], detail: ErrorDetails, at: str) -> FieldError:
    path = at
    for step in detail["loc"]:
        path += f"[{step}]" if isinstance(step, int) else f".{step}"
    return FieldError(path, _sentence(model, detail))


def _sentence(model: type[ApiModel], detail: ErrorDetails) -> str:
    context = detail.get("ctx", {})
    if detail["type"] == OWN_ERROR:
        return str(context["text"])
    if detail["type"] == "extra_forbidden":
        return _unknown(model, detail["loc"])
    sentence = _SENTENCES.get(detail["type"], f"is not valid ({detail['type']})")
    return sentence.format(
        **{**context, "expected": str(context.get("expected", "")).replace("'", "").replace(" or ", ", ")}
    )


def _unknown(model: type[ApiModel], where: tuple[int | str, ...]) -> str:
    names = [info.alias or name for name, info in _model_at(model, where[:-1]).model_fields.items()]
    near = get_close_matches(str(where[-1]), names, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(sorted(names))}"
    return f"is not a field; {hint}"


def _model_at(model: type[ApiModel], where: tuple[int | str, ...]) -> type[ApiModel]:
    for step in where:
        if isinstance(step, str):
            info = next(info for name, info in model.model_fields.items() if step in (info.alias, name))
            model = _model_in(info.annotation) or model
    return model


def _model_in(annotation: object) -> type[ApiModel] | None:
    """The model that an annotation speaks of, also inside Optional, tuple and Annotated."""
    if isinstance(annotation, type) and issubclass(annotation, ApiModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)
