"""Parts that many declarations have alike, kept once: most topics name the same broker, owner, retention. Decides nothing."""

from functools import lru_cache
from typing import Final, TypeVar

from headgate.api.common import ApiModel

ModelT = TypeVar("ModelT", bound=ApiModel)

KEPT: Final = 2048  # parts that were met last; others are only kept by those who have them


def shared(model: ModelT) -> ModelT:
    """The same declaration, just read, whose parts are now those of earlier ones where they are equal."""
    parts = {
        name: _one(part, _given(part))
        for name in model.model_fields_set
        if isinstance(part := getattr(model, name), ApiModel) and _is_hashable(part)
    }
    model.__dict__.update(parts)  # in its place: a copy of every declaration is what this is to save
    return model


def _given(value: object) -> object:
    """Which fields somebody wrote: a model equals another one in which the same was left out."""
    if isinstance(value, ApiModel):
        return frozenset((name, _given(getattr(value, name))) for name in value.model_fields_set)
    return tuple(map(_given, value)) if isinstance(value, tuple) else None


@lru_cache(KEPT)
def _one(part: ApiModel, given: object) -> ApiModel:
    """Whichever of its equals came first; what was given and what was left out counts too."""
    del given
    return part


def _is_hashable(part: ApiModel) -> bool:
    try:
        hash(part)
    except TypeError:
        return False
    return True
