"""The manifests of examples/shop as the demo applies them, and what they promise. Reads files; asks no cluster."""

import copy
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from headgate.local.errors import LocalError

Json = dict[str, Any]  # Any: manifests as the API server takes them
SHOP = Path(__file__).parents[4] / "examples" / "shop"
RESYNC = 10.0  # seconds between two full passes, so that nobody has to wait for the default two minutes
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True)
class Place:
    """What only this machine knows: where the broker is, where programs and their ledgers are."""

    servers: str
    programs: Path
    ledgers: Path
    python: Path = Path(sys.executable)


@dataclass(frozen=True, slots=True)
class Group:
    """What a ConsumerGroup says about itself."""

    name: str
    topic: str
    workload: str
    promise: float  # seconds until the first attempt
    idle_after: float
    most: int


@dataclass(frozen=True, slots=True)
class Estate:
    """Everything that is applied, in an order in which it can be."""

    manifests: tuple[Json, ...]

    def kind(self, kind: str) -> list[Json]:
        """All objects of a kind."""
        return [each for each in self.manifests if each["kind"] == kind]

    def names(self, kind: str) -> list[str]:
        """The names of all objects of a kind."""
        return [each["metadata"]["name"] for each in self.kind(kind)]

    @property
    def groups(self) -> tuple[Group, ...]:
        """All ConsumerGroups."""
        return tuple(_group(each) for each in self.kind("ConsumerGroup"))

    def yaml(self, *, backwards: bool = False) -> str:
        """All of it as one text; backwards is the order to delete in, which leaves the namespaces alone."""
        if not backwards:
            return yaml.safe_dump_all(self.manifests, sort_keys=False)
        kept = [each for each in reversed(self.manifests) if each["kind"] != "Namespace"]
        return yaml.safe_dump_all(kept, sort_keys=False)


def read(folder: Path = SHOP) -> tuple[Json, ...]:
    """The manifests as they stand in the files."""
    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise LocalError(
            "NoShop", f"there are no manifests in {folder}: the demo needs a checkout of the project"
        )
    return tuple(
        each for file in files for each in yaml.safe_load_all(file.read_text(encoding="utf-8")) if each
    )


def placed(manifests: Iterable[Json], place: Place) -> Estate:
    """The manifests with what differs on this machine: addresses, the python, a folder for ledgers."""
    return Estate(tuple(_placed(copy.deepcopy(each), place) for each in manifests))


def seconds(text: str) -> float:
    """The duration that a text like 1m30s writes."""
    return sum(float(number) * UNITS[unit] for number, unit in re.findall(r"([0-9.]+)(ms|h|m|s)", text))


def _placed(manifest: Json, place: Place) -> Json:
    if manifest["kind"] == "EventBroker":
        manifest["spec"]["nats"]["servers"] = [place.servers]
        manifest["spec"]["resyncInterval"] = f"{RESYNC:g}s"
    if manifest["kind"] == "Deployment":
        _at_home(manifest, place)
    return manifest


def _at_home(deployment: Json, place: Place) -> None:
    """Run the program from this checkout, begin with none, and write down what becomes of each event."""
    spec = deployment["spec"]["template"]["spec"]
    deployment["spec"]["replicas"] = 0
    container = spec["containers"][0]
    container["command"][0] = str(place.python)
    name = deployment["metadata"]["name"].removesuffix("-worker")
    container["env"].append({"name": "LEDGER", "value": f"/var/ledgers/{name}.jsonl"})
    for volume, path, at in (("app", place.programs, "/app"), ("ledgers", place.ledgers, "/var/ledgers")):
        spec["volumes"].append({"name": volume, "hostPath": {"path": str(path)}})
        container["volumeMounts"].append({"name": volume, "mountPath": at})


def _group(manifest: Mapping[str, Any]) -> Group:
    spec = manifest["spec"]
    return Group(
        name=manifest["metadata"]["name"],
        topic=spec["topicRef"]["name"],
        workload=spec["scaling"]["targetRef"]["name"],
        promise=seconds(spec["freshness"]["maxAge"]),
        idle_after=seconds(spec["scaling"]["idleAfter"]),
        most=int(spec["scaling"]["maxReplicas"]),
    )
