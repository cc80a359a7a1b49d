"""JSON values as YAML in which every string stands in quotes, so that nothing is taken for something else."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence

_PLAIN_KEY = re.compile(r"[A-Za-z][A-Za-z0-9-]+")
_SPECIAL = frozenset({"yes", "no", "on", "off", "true", "false", "null"})


def render_yaml(value: Mapping[str, object]) -> str:
    """The document as text, in the order of its keys."""
    return "".join(f"{line}\n" for line in _mapping(value))


def _mapping(value: Mapping[str, object]) -> Iterator[str]:
    for key, item in value.items():
        yield from _entry(f"{_key(key)}:", item)


def _entry(lead: str, item: object) -> Iterator[str]:
    if isinstance(item, Mapping) and item:
        yield lead
        yield from (f"  {line}" for line in _mapping(item))
    elif isinstance(item, Sequence) and not isinstance(item, str) and item:
        yield lead
        yield from _sequence(item)
    else:
        yield f"{lead} {json.dumps(item, ensure_ascii=False)}"


def _sequence(items: Sequence[object]) -> Iterator[str]:
    for item in items:
        if isinstance(item, Mapping) and item:
            for number, line in enumerate(_mapping(item)):
                yield f"{'  ' if number else '- '}{line}"
        else:
            yield from _entry("-", item)


def _key(key: str) -> str:
    plain = _PLAIN_KEY.fullmatch(key) and key.lower() not in _SPECIAL
    return key if plain else json.dumps(key, ensure_ascii=False)
