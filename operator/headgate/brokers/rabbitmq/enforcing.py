"""What a queue holds to when its arguments and its policy say different things, which the server does not tell. Pure."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

Json = Mapping[str, Any]

_ARGUMENTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "overflow": "x-overflow",
        "dead-letter-exchange": "x-dead-letter-exchange",
        "dead-letter-routing-key": "x-dead-letter-routing-key",
        "dead-letter-strategy": "x-dead-letter-strategy",
        "max-length": "x-max-length",
        "max-length-bytes": "x-max-length-bytes",
        "message-ttl": "x-message-ttl",
        "delivery-limit": "x-delivery-limit",
    }
)
_SMALLER: Final = frozenset({"max-length", "max-length-bytes", "message-ttl"})
_LIMIT: Final = "delivery-limit"


def enforced(definition: Json, arguments: Json) -> Json:
    """The definition of a policy as far as arguments leave it in force: of bounds the smaller one holds, else the argument."""
    return {**definition, **dict(_decided(definition, arguments))}


def _decided(definition: Json, arguments: Json) -> Iterator[tuple[str, Any]]:
    for name, argument in _ARGUMENTS.items():
        if (fixed := arguments.get(argument)) is None:
            continue
        said = definition.get(name)
        if said is None:
            yield name, fixed
        elif name == _LIMIT:  # less than nothing is no bound
            yield name, max(said, fixed) if min(said, fixed) < 0 else min(said, fixed)
        else:
            yield name, min(said, fixed) if name in _SMALLER else fixed


def weakening(arguments: Json) -> Iterator[tuple[str, Json]]:
    """Each argument that is stronger than a policy: how it reads, and as the only one there is."""
    for argument in _ARGUMENTS.values():
        if (fixed := arguments.get(argument)) is not None:
            yield f"{argument}={fixed}", {argument: fixed}
