"""CEL and core say the same of every retry policy, at the edge too."""

import random
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest_asyncio
from tests.servers import Kubectl

from headgate.api import KINDS, Backoff, BackoffType, RetryPolicySpec, dump
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
async def definition(cluster: Cluster) -> None:
    """The definition of retry policies as it is in the repository."""
    kubectl = Kubectl(cluster.kubectl, cluster.kubeconfig, "default")
    kind = next(kind for kind in KINDS if kind.kind == "RetryPolicy")
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
