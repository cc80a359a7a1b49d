"""The whole laptop-sized cluster: control plane, kubelet, brokers. Does not know what is installed on it."""

import asyncio
import sys
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from headgate.local.binaries import resolve
from headgate.local.brokers import Brokers, obtain, start_brokers
from headgate.local.cache import Say, silent
from headgate.local.client import ApiError, Client
from headgate.local.controlplane import ControlPlane, start_control_plane
from headgate.local.kubeconfig import Access
from headgate.local.nats import LocalNats
from headgate.local.processes import Process
from headgate.local.run import Run
from headgate.local.waiting import until

NODE = "local"
READY_LIMIT = 60.0


@dataclass(slots=True)
class Cluster:
    """A running cluster; `access` and `kubeconfig` are its administrator's."""

    run: Run
    plane: ControlPlane
    kubelet: Process
    brokers: Brokers = field(default_factory=Brokers)

    @property
    def nats(self) -> LocalNats | None:
        return self.brokers.nats

    @property
    def access(self) -> Access:
        return self.plane.access

    @property
    def kubeconfig(self) -> Path:
        return self.plane.kubeconfig

    @property
    def kubectl(self) -> Path:
        return self.plane.binaries.kubectl

    def client(self) -> Client:
        """A new client with the administrator's rights; the caller closes it."""
        return Client(self.access)

    def env(self) -> dict[str, str]:
        """What a person's shell needs."""
        variables = {"KUBECONFIG": str(self.kubeconfig), "KUBECTL": str(self.kubectl)}
        return variables | self.brokers.env()

    def pod_log(self, namespace: str, pod: str, container: str) -> Path:
        """The file that a container of a pod writes to."""
        return self.run.logs / "pods" / namespace / pod / f"{container}.log"

    async def stop(self) -> None:
        """End everything: programs first, so that they can still say goodbye."""
        await self.kubelet.stop(grace=10.0)
        await asyncio.gather(self.plane.stop(), self.brokers.stop())


async def start_cluster(run: Run, *, brokers: Collection[str] = (), say: Say = silent) -> Cluster:
    """Start all of it; returns when pods can be scheduled and brokers answer."""
    await asyncio.to_thread(obtain, brokers, say)
    binaries = await asyncio.to_thread(resolve, say)
    say("starting the control plane")
    plane = await start_control_plane(run, binaries)
    cluster = Cluster(run, plane, _start_kubelet(run, plane))
    try:
        cluster.brokers = await start_brokers(run, brokers, say)
        await _until_usable(cluster)
    except BaseException:
        await cluster.stop()
        raise
    return cluster


def _start_kubelet(run: Run, plane: ControlPlane) -> Process:
    program = (sys.executable, "-m", "headgate.local.kubelet", "--kubeconfig", plane.kubeconfig)
    places = (
        "--certificates",
        plane.kubeconfig.parent,
        "--directory",
        run.state / "pods",
        "--logs",
        run.logs / "pods",
        "--node",
        NODE,
    )
    return run.start("kubelet", (*program, *places))


async def _until_usable(cluster: Cluster) -> None:
    """Wait for the node, which the kubelet makes, and for the account that pods of the default namespace run under."""
    paths = (f"/api/v1/nodes/{NODE}", "/api/v1/namespaces/default/serviceaccounts/default")
    async with cluster.client() as client:
        for path in paths:
            await until(f"{path} is there", partial(_exists, client, path), limit=READY_LIMIT)


async def _exists(client: Client, path: str) -> bool:
    try:
        await client.get(path)
    except ApiError as error:
        if error.status == 404:  # noqa: PLR2004  (not found, as HTTP says it)
            return False
        raise
    return True
