"""A real Kubernetes control plane as plain processes. Does not know what runs on it.

etcd keeps its data in the run's directory and does not wait for the disk: it is thrown away with the run.
"""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from headgate.local import audit, kubeconfig, pki
from headgate.local.binaries import Binaries
from headgate.local.client import ApiError, Client
from headgate.local.errors import LocalError
from headgate.local.ports import free_port
from headgate.local.processes import Process
from headgate.local.run import Run
from headgate.local.waiting import until

CONTROLLERS = (
    "deployment-controller",
    "replicaset-controller",
    "statefulset-controller",
    "job-controller",
    "horizontal-pod-autoscaler-controller",
    "garbage-collector-controller",
    "namespace-controller",
    "serviceaccount-controller",
    "root-ca-certificate-publisher-controller",
)
ISSUER = "https://kubernetes.default.svc"
START_LIMIT = 90.0  # seconds; two of them on two busy cores take ten


@dataclass(slots=True)
class ControlPlane:
    """A running control plane; `access` is its administrator."""

    binaries: Binaries
    access: kubeconfig.Access
    kubeconfig: Path
    audit_log: Path
    processes: list[Process] = field(default_factory=list)

    async def stop(self) -> None:
        """End its processes; nobody needs what they would do with more time, for their data is thrown away."""
        await asyncio.gather(*(process.stop(grace=1.0) for process in reversed(self.processes)))


async def start_control_plane(run: Run, binaries: Binaries) -> ControlPlane:
    """Start etcd, API server and controllers; returns when the API server is ready."""
    files = _Files(run.state / "control-plane", run.logs / "audit.log")
    token = secrets.token_urlsafe(24)
    files.write(token)
    access = kubeconfig.Access(f"https://127.0.0.1:{free_port()}", files.authority.certificate, token)
    access.write(files.kubeconfig)
    plane = ControlPlane(binaries, access, files.kubeconfig, files.audit_log)
    try:
        await _start_processes(plane, files, run)
    except BaseException:
        await plane.stop()
        raise
    return plane


async def _start_processes(plane: ControlPlane, files: "_Files", run: Run) -> None:
    def begin(name: str, program: Path, flags: Sequence[str]) -> Process:
        process = run.start(name, [program, *flags], cwd=files.directory)
        plane.processes.append(process)
        return process

    store, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    etcd = begin("etcd", plane.binaries.etcd, _etcd_flags(store, peer))
    port = plane.access.url.rpartition(":")[2]
    server = begin("kube-apiserver", plane.binaries.kube_apiserver, _server_flags(files, port, store))
    await _until_ready(plane, etcd, server)
    begin("kube-controller-manager", plane.binaries.kube_controller_manager, _controller_flags(files))


async def _until_ready(plane: ControlPlane, *needed: Process) -> None:
    """Wait for the API server; a process that ends meanwhile ends the waiting, with the end of what it wrote."""
    async with Client(plane.access) as client:
        ready = asyncio.ensure_future(
            until("the API server is ready", lambda: _is_ready(client), limit=START_LIMIT)
        )
        ends = {asyncio.ensure_future(process.wait()): process for process in needed}
        try:
            done, _ = await asyncio.wait({ready, *ends}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (ready, *ends):
                task.cancel()
    for task, process in ends.items():
        if task in done:
            raise LocalError("ControlPlaneFailed", f"{process.name} ended while starting:\n{process.tail()}")
    ready.result()


async def _is_ready(client: Client) -> bool:
    try:
        await client.get_text("/readyz")
    except (aiohttp.ClientError, ApiError, OSError):
        return False
    return True


class _Files:
    """What the processes find on disk."""

    def __init__(self, directory: Path, audit_log: Path) -> None:
        self.directory = directory
        self.authority = pki.Authority()
        self.kubeconfig = directory / "admin.kubeconfig"
        self.audit_log = audit_log
        self.audit_policy = directory / "audit-policy.yaml"
        self.tokens = directory / "tokens.csv"
        self.ca = directory / "ca.crt"
        self.serving = directory / "serving.crt"
        self.serving_key = directory / "serving.key"
        self.signing = directory / "sa.key"
        self.signing_public = directory / "sa.pub"

    def write(self, token: str) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        hosts = ("localhost", "127.0.0.1", "kubernetes.default.svc")
        self.authority.issue("kube-apiserver", hosts=hosts).write(self.directory, "serving")
        self.authority.issue("kubelet").write(self.directory, "kubelet")
        self.ca.write_bytes(self.authority.certificate)
        private, public = pki.signing_key()
        for path, content in (
            (self.signing, private),
            (self.tokens, f'{token},admin,admin,"system:masters"\n'.encode()),
        ):
            path.touch(mode=0o600)
            path.write_bytes(content)
        self.signing_public.write_bytes(public)
        self.audit_policy.write_text(audit.POLICY)
        self.audit_log.parent.mkdir(parents=True, exist_ok=True)
        self.audit_log.touch()


def _etcd_flags(store: str, peer: str) -> list[str]:
    return [
        "--name=local",
        "--data-dir=etcd",
        "--unsafe-no-fsync",
        "--log-level=warn",
        f"--listen-client-urls={store}",
        f"--advertise-client-urls={store}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=local={peer}",
    ]


def _server_flags(files: _Files, port: str, store: str) -> list[str]:
    return [
        f"--etcd-servers={store}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        "--endpoint-reconciler-type=none",
        f"--secure-port={port}",
        f"--tls-cert-file={files.serving}",
        f"--tls-private-key-file={files.serving_key}",
        f"--client-ca-file={files.ca}",
        f"--token-auth-file={files.tokens}",
        "--kubelet-preferred-address-types=InternalIP",
        f"--kubelet-certificate-authority={files.ca}",
        f"--kubelet-client-certificate={files.serving}",
        f"--kubelet-client-key={files.serving_key}",
        "--authorization-mode=RBAC",
        "--service-cluster-ip-range=10.96.0.0/16",
        f"--service-account-issuer={ISSUER}",
        f"--service-account-key-file={files.signing_public}",
        f"--service-account-signing-key-file={files.signing}",
        f"--audit-policy-file={files.audit_policy}",
        f"--audit-log-path={files.audit_log}",
        "--audit-log-mode=blocking",
        "--audit-log-maxsize=2000",
        "--shutdown-delay-duration=0s",
    ]


def _controller_flags(files: _Files) -> list[str]:
    return [
        f"--kubeconfig={files.kubeconfig}",
        f"--controllers={','.join(CONTROLLERS)}",
        f"--root-ca-file={files.ca}",
        "--use-service-account-credentials=false",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
        f"--secure-port={free_port()}",
    ]
