"""Real servers for tests: where they run, a small kubectl, NATS by version. Knows nothing of what is tested."""

import asyncio
import json
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from headgate.local.errors import LocalError
from headgate.local.nats import LocalNats, LocalNatsCluster, start_nats, start_nats_cluster
from headgate.local.run import Run, end_run, open_run
from headgate.local.waiting import until

__all__ = ["Kubectl", "KubectlError", "nats_cluster", "nats_server", "open_test_run", "until"]

RUNS = Path(tempfile.gettempdir()) / f"headgate-tests-{os.getuid()}"


def open_test_run(name: str) -> Run:
    """A run for one test session; runs whose pytest was killed are ended and removed first."""
    RUNS.mkdir(mode=0o700, exist_ok=True)
    for directory in RUNS.iterdir():
        _remove_if_dead(directory)
    return open_run(RUNS / f"{name}-{os.getpid()}")


def close_test_run(run: Run) -> None:
    """End what is left; the logs go too unless HEADGATE_KEEP_LOGS is set."""
    run.close()
    if not os.environ.get("HEADGATE_KEEP_LOGS"):
        shutil.rmtree(run.directory, ignore_errors=True)


def _remove_if_dead(directory: Path) -> None:
    """The name ends in the owner's process id; `end_run` looks closer before it ends anything."""
    owner = directory.name.rpartition("-")[2]
    if not Path(f"/proc/{owner}").exists():
        end_run(directory)
        shutil.rmtree(directory, ignore_errors=True)


@asynccontextmanager
async def nats_server(
    run: Run, name: str, *, version: str = "", config: str = ""
) -> AsyncIterator[LocalNats]:
    """One server for the length of a block, in any pinned version, with any further configuration text."""
    server = await start_nats(run, name=name, version=version, config=config)
    try:
        yield server
    finally:
        await server.stop()
        shutil.rmtree(server.config.parent, ignore_errors=True)


@asynccontextmanager
async def nats_cluster(
    run: Run, name: str, *, size: int = 3, version: str = "", config: str = ""
) -> AsyncIterator[LocalNatsCluster]:
    """Clustered servers for the length of a block."""
    cluster = await start_nats_cluster(run, name=name, size=size, version=version, config=config)
    try:
        yield cluster
    finally:
        await cluster.stop()
        for node in cluster.nodes:
            shutil.rmtree(node.config.parent, ignore_errors=True)


class KubectlError(AssertionError):
    """kubectl said no; the text is what it said."""


@dataclass(frozen=True, slots=True)
class Kubectl:
    """The real kubectl with one identity in one namespace; what a user would type."""

    program: Path
    kubeconfig: Path
    namespace: str = "default"

    def within(self, namespace: str) -> "Kubectl":
        """The same in another namespace."""
        return Kubectl(self.program, self.kubeconfig, namespace)

    async def run(self, *words: str, stdin: str = "", limit: float = 60.0) -> str:
        """What it prints; KubectlError with what it complains about."""
        process = await asyncio.create_subprocess_exec(
            self.program,
            f"--kubeconfig={self.kubeconfig}",
            f"--namespace={self.namespace}",
            *words,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={"HOME": str(self.kubeconfig.parent), "PATH": os.environ.get("PATH", "")},
        )
        try:
            async with asyncio.timeout(limit):
                out, err = await process.communicate(stdin.encode())
        except TimeoutError:
            process.kill()
            await process.wait()
            raise KubectlError(f"kubectl {' '.join(words)} did not end within {limit:g} s") from None
        if process.returncode:
            raise KubectlError(err.decode().strip())
        return out.decode()

    async def apply(self, *manifests: str | Mapping[str, Any], server_side: bool = False) -> str:
        """Apply texts or objects; a text may hold several documents."""
        texts = [each if isinstance(each, str) else yaml.safe_dump(dict(each)) for each in manifests]
        side = ["--server-side", "--force-conflicts"] if server_side else []
        return await self.run("apply", *side, "-f", "-", stdin="\n---\n".join(texts))

    async def refused(self, *manifests: str | Mapping[str, Any]) -> str:
        """Why the API server does not take them."""
        try:
            await self.apply(*manifests)
        except KubectlError as error:
            return str(error)
        raise AssertionError("the API server took what it should refuse")

    async def get(self, *words: str) -> dict[str, Any]:
        """One object or a list."""
        found: dict[str, Any] = json.loads(await self.run("get", *words, "--output=json"))
        return found

    async def exists(self, kind: str, name: str) -> bool:
        """Whether there is such an object."""
        return bool(await self.run("get", kind, name, "--ignore-not-found", "--output=name"))

    async def delete(self, *words: str, wait: bool = True) -> str:
        """Delete; by default until it is gone."""
        return await self.run("delete", *words, f"--wait={str(wait).lower()}", "--ignore-not-found")

    async def wait(self, target: str, condition: str, *, limit: float = 30.0) -> str:
        """Wait as `kubectl wait` does: `condition=Ready`, `delete`, `jsonpath={.status.x}=y`."""
        return await self.run("wait", target, f"--for={condition}", f"--timeout={limit:g}s", limit=limit + 10)

    async def patch(self, target: str, patch: Mapping[str, Any], *, subresource: str = "") -> str:
        """Merge a patch into an object (`kind/name`)."""
        where = [f"--subresource={subresource}"] if subresource else []
        return await self.run("patch", target, "--type=merge", "--patch", json.dumps(patch), *where)

    async def gone(self, kind: str, name: str, *, limit: float = 30.0) -> None:
        """Wait until an object is no more."""
        try:
            await self.wait(f"{kind}/{name}", "delete", limit=limit)
        except KubectlError as error:
            if "NotFound" not in str(error) and "not found" not in str(error):
                raise LocalError("TimedOut", str(error)) from error
