"""What the programs of a pod are started with: variables and words, with real paths in them. Pure.

A process cannot have a volume mounted for itself alone. So each volume is a directory of the pod's own, and wherever a
mountPath stands in `command`, `args`, `workingDir` or the value of a variable, as a whole path or at the beginning of one, the
path of that directory stands in its place: `--binding=/etc/binding/binding.json` reaches the program as
`--binding=/tmp/.../volumes/binding/binding.json`. A program that has a path only in its own code does not find it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from headgate.local.podspec import Container, EnvVar, KeyRef, Kind, Pod, UnsupportedError

REFERENCE = re.compile(r"\$(\$)?\(([-._a-zA-Z][-._a-zA-Z0-9]*)\)")


class MissingError(Exception):
    """An object, or a key in it, that must be there is not there yet."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a pod runs: facts a program may ask for that its declaration does not hold."""

    node: str
    ip: str


@dataclass(frozen=True, slots=True)
class Start:
    """Everything one program is started with."""

    words: tuple[str, ...]
    env: Mapping[str, str]
    working_dir: str


Held = Mapping[tuple[Kind, str], Mapping[str, bytes] | None]  # what objects hold; None where one is not there


def plan_start(
    pod: Pod, container: Container, place: Place, held: Held, volumes: Mapping[str, Path]
) -> Start:
    """Resolve variables, references between them, and paths; raises MissingError for what is not there yet."""
    paths = _Paths(container, volumes)
    env = _from_objects(container, held)
    for variable in container.env:
        value = _value(variable, pod, place, held, env)
        if value is not None:
            env[variable.name] = value
    real = {name: paths.replace(value) for name, value in env.items()}
    words = tuple(paths.replace(expand(word, env)) for word in container.command)
    return Start(words, real, paths.replace(container.working_dir))


def field_of(pod: Pod, place: Place, field: str) -> str:
    """A field as `fieldRef` names it."""
    simple = {
        "metadata.name": pod.name,
        "metadata.namespace": pod.namespace,
        "metadata.uid": pod.uid,
        "spec.nodeName": place.node,
        "spec.serviceAccountName": pod.account,
        "status.podIP": place.ip,
        "status.podIPs": place.ip,
        "status.hostIP": "127.0.0.1",
    }
    if field in simple:
        return simple[field]
    if found := re.fullmatch(r"metadata\.(labels|annotations)\['(.+)'\]", field):
        return (pod.labels if found[1] == "labels" else pod.annotations).get(found[2], "")
    raise UnsupportedError(f"fieldRef {field}: this kubelet does not know it")


def expand(text: str, env: Mapping[str, str]) -> str:
    """`$(NAME)` is the variable's value, `$$(NAME)` the text itself; an unknown name stays as it is."""
    return REFERENCE.sub(lambda found: found[0][1:] if found[1] else env.get(found[2], found[0]), text)


def needed(container: Container) -> set[tuple[Kind, str]]:
    """The objects that its variables come from."""
    keys = {(variable.key.kind, variable.key.name) for variable in container.env if variable.key}
    return keys | {(source.kind, source.name) for source in container.env_from}


def _from_objects(container: Container, held: Held) -> dict[str, str]:
    env: dict[str, str] = {}
    for source in container.env_from:
        values = held.get((source.kind, source.name))
        if values is None and not source.optional:
            raise MissingError(f"{source.kind} {source.name} is not there")
        env |= {source.prefix + key: value.decode(errors="replace") for key, value in (values or {}).items()}
    return env


def _value(variable: EnvVar, pod: Pod, place: Place, held: Held, env: Mapping[str, str]) -> str | None:
    if variable.field:
        return field_of(pod, place, variable.field)
    if variable.key:
        return _key(variable.key, held)
    return expand(variable.value, env)


def _key(ref: KeyRef, held: Held) -> str | None:
    value = (held.get((ref.kind, ref.name)) or {}).get(ref.key)
    if value is None and not ref.optional:
        raise MissingError(f"key {ref.key} of {ref.kind} {ref.name} is not there")
    return None if value is None else value.decode(errors="replace")


class _Paths:
    """Replaces mount paths by real ones, the longest first."""

    def __init__(self, container: Container, volumes: Mapping[str, Path]) -> None:
        mounts = sorted(container.mounts, key=lambda mount: len(mount.path), reverse=True)
        self._real = {mount.path: str(volumes[mount.volume] / mount.sub_path) for mount in mounts}
        any_of = "|".join(re.escape(path) for path in self._real)
        self._pattern = re.compile(rf"(?<![\w.-])(?:{any_of})(?![\w.-])") if any_of else None

    def replace(self, text: str) -> str:
        return self._pattern.sub(lambda found: self._real[found[0]], text) if self._pattern else text
