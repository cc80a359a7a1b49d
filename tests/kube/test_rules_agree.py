"""The API server and Python say the same of what users write, at the edge of every retry policy too."""

import random
import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml
from tests.servers import Kubectl

from headgate.api import KINDS, Backoff, BackoffType, Kind, RetryPolicySpec, dump, load
from headgate.api.rules import RETRY_FITS_DEADLINE
from headgate.core.retry import fits, worst_case
from headgate.local.client import ApiError, Client
from headgate.local.cluster import Cluster

ROOT = Path(__file__).parents[2]
POLICIES = 150
LONGEST = timedelta(hours=99_999)
MILLISECOND = timedelta(milliseconds=1)
PATH = "/apis/headgate.dev/v1alpha1/namespaces/{}/retrypolicies"


@pytest_asyncio.fixture(scope="module", autouse=True)
async def definitions(cluster: Cluster) -> None:
    """The definitions as they are in the repository."""
    kubectl = Kubectl(cluster.kubectl, cluster.kubeconfig, "default")
    for kind in KINDS:
        await kubectl.apply((ROOT / "crds" / f"{kind.plural}.yaml").read_text(), server_side=True)
        await kubectl.wait(f"crd/{kind.crd_name}", "condition=Established")


def some_policy(dice: random.Random) -> RetryPolicySpec:
    """A policy that takes long, at random."""
    kind = dice.choice(list(BackoffType))
    initial = dice.randint(1, 60_000)
    return RetryPolicySpec(
        attempts=dice.randint(1, 20),
        handling_timeout=timedelta(milliseconds=dice.randint(100, 60_000)),
        backoff=Backoff(
            type=kind,
            initial=timedelta(milliseconds=initial),
            factor=Decimal(dice.randint(100, 300)) / 100 if kind is BackoffType.EXPONENTIAL else None,
            max=dice.choice([None, timedelta(milliseconds=initial * dice.randint(1, 20))]),
            jitter_percent=dice.randint(0, 100),
        ),
    )


async def accepted(api: Client, namespace: str, policy: RetryPolicySpec) -> bool:
    """Whether the API server would take it."""
    body = {
        "apiVersion": "headgate.dev/v1alpha1",
        "kind": "RetryPolicy",
        "metadata": {"generateName": "some-"},
        "spec": dump(policy),
    }
    try:
        await api.post(f"{PATH.format(namespace)}?dryRun=All", body)
    except ApiError as error:
        if RETRY_FITS_DEADLINE not in str(error):
            raise
        return False
    return True


async def test_cel_and_core_agree(api: Client, namespace: str) -> None:
    """A deadline at the worst case, a millisecond below, and one above: the same answer from both."""
    dice = random.Random(20261121)  # noqa: S311  (examples, not secrets)
    seen: set[tuple[bool, bool]] = set()
    for _ in range(POLICIES):
        policy = some_policy(dice)
        for offset in (-MILLISECOND, timedelta(), MILLISECOND):
            tight = with_deadline(policy, worst_case(policy) + offset)
            answers = (await accepted(api, namespace, tight), fits(tight))
            assert answers[0] == answers[1], dump(tight)
            seen.add(answers)
    assert seen == {(True, True), (False, False)}


def with_deadline(policy: RetryPolicySpec, deadline: timedelta) -> RetryPolicySpec:
    """The same policy, which has so much time."""
    return RetryPolicySpec(
        attempts=policy.attempts,
        handling_timeout=policy.handling_timeout,
        backoff=policy.backoff,
        deadline=min(deadline, LONGEST),
    )


DAMAGED = 200  # per kind
VALUES: tuple[Any, ...] = (
    *(
        "",
        "0s",
        "1s",
        "90s",
        "168h",
        "7d",
        "1e3",
        "0.5",
        "11",
        "Ki",
        "1Ki",
        "2Gi",
        "-1",
        "a.b",
        "a.*.>",
        "a.>.b",
        "A",
        "None",
    ),
    *(
        "Drop",
        "Fixed",
        "Time",
        "All",
        "Total",
        "Memory",
        "interest",
        "2026-11-01T00:00:00Z",
        "{name}",
        "nats://b:4222",
    ),
    *(0, 1, 2, 7, 10_001, True, False, 1.5, None, [], {}, ["a"], {"name": "a"}),
)


def damage(dice: random.Random, value: Any) -> Any:
    """The same JSON with one part of it gone or replaced."""
    if isinstance(value, dict) and value and dice.random() < 0.9:
        key = dice.choice(list(value))
        rest = {k: v for k, v in value.items() if k != key}
        return rest if dice.random() < 0.25 else {**rest, key: damage(dice, value[key])}
    if isinstance(value, list) and value and dice.random() < 0.7:
        return [damage(dice, value[0]), *value[1:]]
    return dice.choice(VALUES)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
async def test_server_and_models_agree(kind: Kind, api: Client, namespace: str) -> None:
    """A good object with something broken in it is taken by both or by none."""
    text = (ROOT / "tests/examples/valid" / f"{kind.singular}-everything.yaml").read_text()
    quoted = re.sub(r": (2026[^},\n]*)", r": '\1'", text)
    body = yaml.safe_load(quoted)
    dice = random.Random(kind.kind)  # noqa: S311  (examples, not secrets)
    path = (
        f"/apis/headgate.dev/v1alpha1/namespaces/{namespace}/{kind.plural}?dryRun=All&fieldValidation=Strict"
    )
    answers = set()
    for _ in range(DAMAGED):
        spec = damage(dice, body["spec"])
        loaded = load(kind, spec, strict=True)
        fine = not isinstance(loaded, list) and (not isinstance(loaded, RetryPolicySpec) or fits(loaded))
        refusal = await refused(api, path, body | {"spec": spec})
        assert fine == (refusal is None), f"{spec}\n{loaded}\n{refusal}"
        answers.add(fine)
    assert answers == {True, False}


async def refused(api: Client, path: str, body: dict[str, Any]) -> ApiError | None:
    """Why the API server does not take it."""
    try:
        await api.post(path, body)
    except ApiError as error:
        return error
    return None
