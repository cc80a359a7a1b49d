"""A pod acts with the rights of its own ServiceAccount and no others."""

import sys
from typing import Any

import pytest
from tests.servers import Kubectl, KubectlError

from headgate.local.cluster import Cluster
from headgate.local.waiting import until

SHOW_KUBECONFIG = """
import os, pathlib, signal
kubeconfig = pathlib.Path(os.environ["KUBECONFIG"])
print("kubeconfig", kubeconfig, kubeconfig.exists())
signal.pause()
"""


def reader(name: str, **spec: Any) -> dict[str, Any]:
    main = {"name": "main", "image": "none", "command": [sys.executable, "-u", "-c", SHOW_KUBECONFIG]}
    spec = {"serviceAccountName": "reader", "terminationGracePeriodSeconds": 1, "containers": [main], **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def rights(namespace: str) -> tuple[dict[str, Any], ...]:
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}]
    group = "rbac.authorization.k8s.io"
    account = {"kind": "ServiceAccount", "name": "reader", "namespace": namespace}
    role = {"apiGroup": group, "kind": "Role", "name": "reader"}
    return (
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "reader"}},
        {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": {"name": "reader"}, "rules": rules},
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "reader"},
            "subjects": [account],
            "roleRef": role,
        },
    )


async def as_the_pod(cluster: Cluster, kubectl: Kubectl, name: str) -> Kubectl:
    """Kubectl with the kubeconfig that the pod found in its environment."""
    log = cluster.pod_log(kubectl.namespace, name, "main")

    async def there() -> bool:
        return log.exists() and log.read_text().endswith("True\n")

    await until("the pod names its kubeconfig", there)
    path = log.read_text().split()[1]
    return Kubectl(cluster.kubectl, type(log)(path), kubectl.namespace)


async def test_a_pods_kubeconfig_has_the_rights_of_its_account_and_no_others(
    cluster: Cluster, kubectl: Kubectl
) -> None:
    await kubectl.apply(*rights(kubectl.namespace), reader("granted"))
    mine = await as_the_pod(cluster, kubectl, "granted")
    who = await mine.run("auth", "whoami", "--output=jsonpath={.status.userInfo.username}")
    assert who == f"system:serviceaccount:{kubectl.namespace}:reader"
    assert await mine.get("configmaps", "kube-root-ca.crt")
    with pytest.raises(KubectlError, match="secrets is forbidden"):
        await mine.get("secrets")
    with pytest.raises(KubectlError, match="forbidden"):
        await mine.within("kube-system").get("configmaps")


async def test_a_pod_that_wants_no_token_gets_no_kubeconfig(cluster: Cluster, kubectl: Kubectl) -> None:
    await kubectl.apply(*rights(kubectl.namespace), reader("bare", automountServiceAccountToken=False))
    log = cluster.pod_log(kubectl.namespace, "bare", "main")

    async def failed() -> bool:
        return log.exists() and "KeyError: 'KUBECONFIG'" in log.read_text()

    await until("the pod misses its kubeconfig", failed)
