"""What a Pod declares, as values, as far as a kubelet without containers can keep it. Pure; starts nothing.

A field that would change what a program does and cannot be kept is refused by name, never ignored.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Json = Mapping[str, Any]  # Any: objects of the Kubernetes API as they come
Kind = Literal["configmaps", "secrets"]


class UnsupportedError(Exception):
    """The pod asks for something that only a real node can do."""


@dataclass(frozen=True, slots=True)
class Objects:
    """The keys of one ConfigMap or Secret as files; `items` None means all of them under their own names."""

    kind: Kind
    name: str
    items: tuple[tuple[str, str], ...] | None
    optional: bool


@dataclass(frozen=True, slots=True)
class Token:
    """A token of the pod's ServiceAccount as a file."""

    path: str
    audience: str  # empty: the API server itself
    seconds: int


@dataclass(frozen=True, slots=True)
class Fields:
    """Facts about the pod as files: path and field of each."""

    items: tuple[tuple[str, str], ...]


Source = Objects | Token | Fields


@dataclass(frozen=True, slots=True)
class Volume:
    """A directory of the pod; without sources and host path it starts empty and belongs to the pod."""

    name: str
    sources: tuple[Source, ...] = ()
    host_path: str = ""


@dataclass(frozen=True, slots=True)
class KeyRef:
    """One key of a ConfigMap or Secret."""

    kind: Kind
    name: str
    key: str
    optional: bool


@dataclass(frozen=True, slots=True)
class EnvVar:
    """A variable: a text, a field of the pod, or a key of an object."""

    name: str
    value: str = ""
    field: str = ""
    key: KeyRef | None = None


@dataclass(frozen=True, slots=True)
class EnvFrom:
    """Every key of an object as a variable."""

    kind: Kind
    name: str
    prefix: str
    optional: bool


@dataclass(frozen=True, slots=True)
class Mount:
    """Where a container expects a volume."""

    volume: str
    path: str
    sub_path: str


@dataclass(frozen=True, slots=True)
class Probe:
    """How to ask a container how it is; without a path any accepted connection is a yes."""

    port: int
    path: str
    scheme: str
    host: str
    delay: float
    period: float
    timeout: float
    successes: int
    failures: int


@dataclass(frozen=True, slots=True)
class Container:
    """One program of the pod."""

    name: str
    image: str
    command: tuple[str, ...]
    env_from: tuple[EnvFrom, ...]
    env: tuple[EnvVar, ...]
    mounts: tuple[Mount, ...]
    working_dir: str
    readiness: Probe | None
    liveness: Probe | None


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod, with what its programs may ask about it."""

    namespace: str
    name: str
    uid: str
    account: str
    restart: str  # Always | OnFailure | Never
    grace: float
    containers: tuple[Container, ...]
    volumes: tuple[Volume, ...]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]

    @property
    def path(self) -> str:
        """Where the API server has it."""
        return f"/api/v1/namespaces/{self.namespace}/pods/{self.name}"

    def uses(self, kind: Kind, namespace: str, name: str) -> bool:
        """Whether a volume of it shows this object."""
        sources = (source for volume in self.volumes for source in volume.sources)
        return namespace == self.namespace and any(
            isinstance(source, Objects) and (source.kind, source.name) == (kind, name) for source in sources
        )


def load(pod: Json) -> Pod:
    """The pod as values; raises UnsupportedError for what cannot be kept."""
    meta, spec = pod["metadata"], pod["spec"]
    if spec.get("initContainers"):
        raise UnsupportedError("spec.initContainers: this kubelet starts all containers at once")
    return Pod(
        namespace=meta["namespace"],
        name=meta["name"],
        uid=meta["uid"],
        account=spec.get("serviceAccountName", "default"),
        restart=spec.get("restartPolicy", "Always"),
        grace=float(spec.get("terminationGracePeriodSeconds", 30)),
        containers=tuple(_container(each) for each in spec["containers"]),
        volumes=tuple(_volume(each) for each in spec.get("volumes", ())),
        labels=meta.get("labels", {}),
        annotations=meta.get("annotations", {}),
    )


def _container(container: Json) -> Container:
    name = container["name"]
    for field in ("lifecycle", "startupProbe"):
        if container.get(field):
            raise UnsupportedError(f"{field} of container {name}: this kubelet does not have it")
    if not container.get("command"):
        raise UnsupportedError(
            f"command of container {name}: this kubelet has no images, so it must be there"
        )
    ports = {port["name"]: port["containerPort"] for port in container.get("ports", ()) if "name" in port}
    return Container(
        name=name,
        image=container.get("image", ""),
        command=(*container["command"], *container.get("args", ())),
        env_from=tuple(_env_from(each) for each in container.get("envFrom", ())),
        env=tuple(_env(each) for each in container.get("env", ())),
        mounts=tuple(
            Mount(each["name"], each["mountPath"].rstrip("/"), each.get("subPath", ""))
            for each in container.get("volumeMounts", ())
        ),
        working_dir=container.get("workingDir", ""),
        readiness=_probe(container.get("readinessProbe"), ports),
        liveness=_probe(container.get("livenessProbe"), ports),
    )


def _env(variable: Json) -> EnvVar:
    name, origin = variable["name"], variable.get("valueFrom")
    if not origin:
        return EnvVar(name, value=variable.get("value", ""))
    if "fieldRef" in origin:
        return EnvVar(name, field=origin["fieldRef"]["fieldPath"])
    kinds: tuple[tuple[str, Kind], ...] = (("configMapKeyRef", "configmaps"), ("secretKeyRef", "secrets"))
    for field, kind in kinds:
        if ref := origin.get(field):
            return EnvVar(name, key=KeyRef(kind, ref["name"], ref["key"], ref.get("optional", False)))
    raise UnsupportedError(f"env {name}: this kubelet cannot take a value from {', '.join(origin)}")


def _env_from(source: Json) -> EnvFrom:
    kind: Kind = "configmaps" if "configMapRef" in source else "secrets"
    ref = source.get("configMapRef") or source["secretRef"]
    return EnvFrom(kind, ref["name"], source.get("prefix", ""), ref.get("optional", False))


def _probe(probe: Json | None, ports: Mapping[str, int]) -> Probe | None:
    if probe is None:
        return None
    ask = probe.get("httpGet") or probe.get("tcpSocket")
    if ask is None:
        raise UnsupportedError("probes: this kubelet has httpGet and tcpSocket")
    port = ask["port"]
    return Probe(
        port=ports[port] if isinstance(port, str) else port,
        path=ask.get("path", "/") if "httpGet" in probe else "",
        scheme=ask.get("scheme", "HTTP").lower(),
        host=ask.get("host", ""),
        delay=float(probe.get("initialDelaySeconds", 0)),
        period=float(probe.get("periodSeconds", 10)),
        timeout=float(probe.get("timeoutSeconds", 1)),
        successes=probe.get("successThreshold", 1),
        failures=probe.get("failureThreshold", 3),
    )


def _volume(volume: Json) -> Volume:
    name = volume["name"]
    if "emptyDir" in volume:
        return Volume(name)
    if "hostPath" in volume:
        return Volume(name, host_path=volume["hostPath"]["path"])
    if "projected" in volume:
        return Volume(name, tuple(_sources(volume["projected"].get("sources", ()), name)))
    return Volume(name, tuple(_sources([volume], name)))


def _sources(sources: Iterable[Json], volume: str) -> Iterator[Source]:
    for source in sources:
        if ref := source.get("configMap"):
            yield Objects("configmaps", ref["name"], _items(ref), ref.get("optional", False))
        elif ref := source.get("secret"):  # a projected one says name, a volume of its own says secretName
            yield Objects(
                "secrets", ref.get("secretName") or ref["name"], _items(ref), ref.get("optional", False)
            )
        elif ref := source.get("serviceAccountToken"):
            yield Token(ref["path"], ref.get("audience", ""), ref.get("expirationSeconds", 3600))
        elif ref := source.get("downwardAPI"):
            if any("fieldRef" not in item for item in ref.get("items", ())):
                raise UnsupportedError(
                    f"volume {volume}: this kubelet shows fields of a pod, not its resources"
                )
            yield Fields(
                tuple((item["path"], item["fieldRef"]["fieldPath"]) for item in ref.get("items", ()))
            )
        else:
            raise UnsupportedError(
                f"volume {volume}: this kubelet cannot make {', '.join(set(source) - {'name'})}"
            )


def _items(ref: Json) -> tuple[tuple[str, str], ...] | None:
    items = ref.get("items")
    return None if items is None else tuple((item["key"], item["path"]) for item in items)
