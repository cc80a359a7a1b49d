"""The definitions on a real API server: every example is answered as it says, and what is fixed stays fixed."""

import asyncio
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
import pytest_asyncio
import yaml
from tests.servers import Kubectl, KubectlError

from headgate.api import KINDS, ApiModel, Kind, dump_status
from headgate.api.schema import Shape, fields_of, shape_of
from headgate.local.cluster import Cluster

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "tests" / "examples"
REST = "some validation rules were not checked because the object was invalid"


@pytest_asyncio.fixture(scope="module", autouse=True)
async def definitions(cluster: Cluster) -> None:
    """The definitions as they are in the repository, applied once."""
    kubectl = Kubectl(cluster.kubectl, cluster.kubeconfig, "default")
    await kubectl.apply(
        *((ROOT / "crds" / f"{kind.plural}.yaml").read_text() for kind in KINDS), server_side=True
    )
    for kind in KINDS:
        await kubectl.wait(f"crd/{kind.crd_name}", "condition=Established")


def examples(folder: str) -> list[Any]:
    """The files of a folder, named by what they show."""
    return [
        pytest.param(path.read_text(), id=path.stem.replace("-", " "))
        for path in sorted((EXAMPLES / folder).glob("*.yaml"))
    ]


@pytest.mark.parametrize("text", examples("valid"))
async def test_accepted(text: str, kubectl: Kubectl) -> None:
    """A good example is taken."""
    await kubectl.apply(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(path.read_text(), id=f"{path.parent.name} {path.stem}".replace("-", " "))
        for path in sorted((ROOT / "examples" / "migration").glob("*/*.yaml"))
    ],
)
async def test_counterparts_accepted(text: str, kubectl: Kubectl) -> None:
    """What stands in for an example of another operator is taken, in whatever namespace."""
    await kubectl.apply(re.sub(r"(?m)^  namespace: .*\n", "", text))


@pytest.mark.parametrize("text", examples("invalid"))
async def test_refused(text: str, kubectl: Kubectl) -> None:
    """A bad example is refused with the text of its first line, and that is all that is said."""
    message = await kubectl.refused(text)
    assert text.splitlines()[0].removeprefix("# ") in message
    assert len(list(complaints(message))) == 1, message


def complaints(message: str) -> Iterator[str]:
    """The single errors of a refusal; that the rest was not looked at is none."""
    lines = [line for line in message.splitlines() if line.startswith("* ")] or [message]
    yield from (line for line in lines if REST not in line)


TOPIC = {"brokerRef": {"name": "main"}, "subjects": ["orders.*.>"], "retention": {"maxAge": "24h"}}
GROUP = {"topicRef": {"name": "orders"}, "start": {"from": "Earliest"}}
QUEUE = {"brokerRef": {"name": "main"}, "owner": {"team": "a"}, "retention": {"maxAge": "24h"}}
BROKER = {"nats": {"servers": ["nats://nats:4222"]}}
BUCKETS = {"key": {"wildcard": 1}, "keyBuckets": 100}
FIXED: dict[str, tuple[str, dict[str, Any], dict[str, Any], str]] = {
    "a topic goes to another broker": ("EventTopic", TOPIC, {"brokerRef": {"name": "other"}}, "brokerRef"),
    "a topic writes out the namespace of its broker": (
        "EventTopic",
        TOPIC,
        {"brokerRef": {"name": "main", "namespace": "x"}},
        "brokerRef",
    ),
    "a topic changes its name": (
        "EventTopic",
        TOPIC | {"externalName": "a"},
        {"externalName": "b"},
        "externalName",
    ),
    "a topic gets a name later": ("EventTopic", TOPIC, {"externalName": "b"}, "externalName"),
    "a topic gives its name up": (
        "EventTopic",
        TOPIC | {"externalName": "a"},
        {"externalName": None},
        "externalName",
    ),
    "a topic moves to memory": ("EventTopic", TOPIC, {"storage": "Memory"}, "storage"),
    "a topic gets buckets later": ("EventTopic", TOPIC, BUCKETS, "keyBuckets"),
    "a topic gets more buckets": ("EventTopic", TOPIC | BUCKETS, {"keyBuckets": 200}, "keyBuckets"),
    "a topic gives its buckets up": ("EventTopic", TOPIC | BUCKETS, {"keyBuckets": None}, "keyBuckets"),
    "a topic gets fewer partitions": (
        "EventTopic",
        TOPIC | {"partitions": 12},
        {"partitions": 6},
        "partitions",
    ),
    "a group reads another topic": ("ConsumerGroup", GROUP, {"topicRef": {"name": "other"}}, "topicRef"),
    "a group gets a name later": ("ConsumerGroup", GROUP, {"externalName": "b"}, "externalName"),
    "a queue goes to another broker": (
        "DeadLetterQueue",
        QUEUE,
        {"brokerRef": {"name": "other"}},
        "brokerRef",
    ),
    "a queue gets a name later": ("DeadLetterQueue", QUEUE, {"externalName": "b"}, "externalName"),
    "a queue moves to memory": ("DeadLetterQueue", QUEUE, {"storage": "Memory"}, "storage"),
    "a broker starts to name later": (
        "EventBroker",
        BROKER,
        {"tenancy": {"naming": {"template": "{namespace}_{name}"}}},
        "tenancy",
    ),
    "a broker stops naming": (
        "EventBroker",
        BROKER | {"tenancy": {"naming": {"template": "{namespace}_{name}"}}},
        {"tenancy": None},
        "tenancy",
    ),
}


def manifest(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    """An object called example."""
    return {
        "apiVersion": "headgate.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": "example"},
        "spec": spec,
    }


@pytest.mark.parametrize(("kind", "spec", "change", "field"), FIXED.values(), ids=FIXED.keys())
async def test_fixed(
    kind: str, spec: dict[str, Any], change: dict[str, Any], field: str, kubectl: Kubectl
) -> None:
    """What cannot change in the broker is refused, with the field and the one reason."""
    await kubectl.apply(manifest(kind, spec))
    with pytest.raises(KubectlError) as refusal:
        await kubectl.patch(f"{kind.lower()}/example", {"spec": change})
    assert f"spec.{field}: Forbidden" in str(refusal.value)
    assert len(list(complaints(str(refusal.value)))) == 1


CHANGES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "a topic keeps events longer": ("EventTopic", TOPIC, {"retention": {"maxAge": "48h"}}),
    "a topic gets more partitions": ("EventTopic", TOPIC | {"partitions": 6}, {"partitions": 12}),
    "a topic with a name is changed otherwise": (
        "EventTopic",
        TOPIC | {"externalName": "a"},
        {"suspend": True},
    ),
    "a group begins elsewhere": ("ConsumerGroup", GROUP, {"start": {"from": "Latest"}}),
    "a broker has another address": ("EventBroker", BROKER, {"nats": {"servers": ["nats://b:4222"]}}),
    "a broker with names is open to others": (
        "EventBroker",
        BROKER | {"tenancy": {"naming": {"template": "{namespace}_{name}"}}},
        {"tenancy": {"subjectPrefixes": ["{namespace}."]}},
    ),
}


@pytest.mark.parametrize(("kind", "spec", "change"), CHANGES.values(), ids=CHANGES.keys())
async def test_changeable(kind: str, spec: dict[str, Any], change: dict[str, Any], kubectl: Kubectl) -> None:
    """What can change may change."""
    await kubectl.apply(manifest(kind, spec))
    await kubectl.patch(f"{kind.lower()}/example", {"spec": change})


async def test_categories_and_short_names(kubectl: Kubectl) -> None:
    """All kinds are found under one category, each under its short name, groups by their topic."""
    await kubectl.apply(manifest("ConsumerGroup", GROUP), manifest("EventTopic", TOPIC))
    listed = await kubectl.run("get", "headgate", "-o", "name")
    short = await asyncio.gather(*(kubectl.run("get", kind.short, "-o", "name") for kind in KINDS))
    assert sorted(listed.split()) == sorted("".join(short).split())
    assert "consumergroup.headgate.dev/example" in await kubectl.run(
        "get", "cg", "-o", "name", "--field-selector", "spec.topicRef.name=orders"
    )


COLUMNS = {
    "eb": "NAME TYPE VERSION TOPICS GROUPS READY REASON AGE",
    "et": "NAME BROKER RETENTION MESSAGES READY REASON AGE",
    "cg": "NAME TOPIC LAG OLDEST REPLICAS FRESH READY REASON AGE",
    "rp": "NAME ATTEMPTS WORST DEADLINE USED-BY READY AGE",
    "dlq": "NAME BROKER DEPTH OLDEST OWNER READY REASON AGE",
}


@pytest.mark.parametrize(("short", "columns"), COLUMNS.items(), ids=COLUMNS.keys())
async def test_columns(short: str, columns: str, kubectl: Kubectl) -> None:
    """`kubectl get` shows what a person looks for first."""
    kind = next(kind for kind in KINDS if kind.short == short)
    await kubectl.apply((EXAMPLES / "valid" / f"{kind.singular}-minimal.yaml").read_text())
    assert (await kubectl.run("get", short)).splitlines()[0].split() == columns.split()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
async def test_explained(kind: Kind, kubectl: Kubectl) -> None:
    """`kubectl explain` has something to say at every field."""
    text = await kubectl.run("explain", kind.plural, "--recursive")
    spec = await kubectl.run("explain", f"{kind.plural}.spec")
    assert "<empty>" not in text
    assert "<empty>" not in spec
    assert yaml.safe_load(kind.description) in text


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
async def test_status_is_kept(kind: Kind, kubectl: Kubectl) -> None:
    """A status with every field that there is comes back as it was written: nothing is refused, nothing is pruned."""
    await kubectl.apply((EXAMPLES / "valid" / f"{kind.singular}-minimal.yaml").read_text())
    status = dump_status(filled(kind.status))
    await kubectl.patch(f"{kind.singular}/example", {"status": status}, subresource="status")
    assert (await kubectl.get(kind.singular, "example"))["status"] == status


def filled(model: type[ApiModel]) -> ApiModel:
    """A value in which every field says something."""
    return model(
        **{name: something(shape_of(info.annotation, info.metadata)) for name, info in fields_of(model)}
    )


def something(shape: Shape) -> Any:
    """Any value of a type."""
    if get_origin(shape.base) is tuple:
        return (something(shape_of(get_args(shape.base)[0])),)
    if get_origin(shape.base) is Mapping:
        return {"key": something(shape_of(get_args(shape.base)[1]))}
    if issubclass(shape.base, ApiModel):
        return filled(shape.base)
    if issubclass(shape.base, StrEnum):
        return next(iter(shape.base))
    return {
        str: "word",
        int: 7,
        timedelta: timedelta(seconds=90),
        datetime: datetime(2026, 11, 20, tzinfo=UTC),
    }[shape.base]
