"""Which subjects a topic really has. Knows no broker by name."""

from typing import Any

from headgate.api import EventTopicSpec


def subjects_of(spec: EventTopicSpec, name: str) -> tuple[str, ...]:
    """As declared; else the topic's name, unless its events come from another place altogether."""
    return spec.subjects or (() if _native(spec, "mirror") else (name,))


def reshaped(spec: EventTopicSpec) -> bool:
    """Whether native settings give the topic events under subjects that it does not declare."""
    return any(_native(spec, setting) for setting in ("mirror", "sources", "subject_transform"))


def _native(spec: EventTopicSpec, setting: str) -> Any:  # noqa: ANN401  (of whatever type a broker's block has it)
    return next((found for _, block in spec.native or () if (found := getattr(block, setting, None))), None)
