"""`headgate local up` and `down`: two side by side, and nothing left of either, however it ended."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.servers import Kubectl

from headgate.local.processes import marked
from headgate.local.waiting import until

pytestmark = pytest.mark.takes(70)


@dataclass(frozen=True, slots=True)
class Up:
    """A running `headgate local up`."""

    directory: Path
    process: asyncio.subprocess.Process

    def env(self) -> dict[str, str]:
        """What its env file says."""
        lines = (self.directory / "env").read_text().splitlines()
        return {name: value for name, _, value in (line.partition("=") for line in lines)}

    def kubectl(self) -> Kubectl:
        env = self.env()
        return Kubectl(Path(env["KUBECTL"]), Path(env["KUBECONFIG"]))

    def mark(self) -> str:
        """Names all processes of the run."""
        found = re.search(r'"mark": "(\w+)"', (self.directory / "run.json").read_text())
        assert found
        return found[1]


def names_in(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def running(mark: str, program: str) -> list[int]:
    """The processes of a run that run this program."""
    return [pid for pid in marked(mark) if program in Path(f"/proc/{pid}/cmdline").read_text()]


async def headgate(*words: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "headgate",
        *words,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


@asynccontextmanager
async def up(directory: Path, *words: str, limit: float = 60) -> AsyncIterator[Up]:
    """Start one and wait until it says that it is ready; end it in any case."""
    process = await headgate("local", "up", "--dir", str(directory), *words)
    try:

        async def ready() -> bool:
            assert process.returncode is None, "it ended before it was ready"
            return (directory / "env").exists()

        await until(f"{directory / 'env'} is written", ready, limit=limit)
        yield Up(directory, process)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        await down(directory)


async def down(directory: Path) -> str:
    process = await headgate("local", "down", "--dir", str(directory))
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    return said.decode()


async def test_two_clusters_run_side_by_side_and_do_not_see_each_other(tmp_path: Path) -> None:
    async with up(tmp_path / "one") as one, up(tmp_path / "two", "--brokers", "nats") as two:
        await one.kubectl().run("create", "configmap", "mine")
        assert await one.kubectl().exists("configmap", "mine")
        assert not await two.kubectl().exists("configmap", "mine")
        assert "NATS_URL" in two.env()
        assert "NATS_URL" not in one.env()


async def test_nothing_is_left_after_the_parent_was_killed_and_down_ran(tmp_path: Path) -> None:
    async with up(tmp_path, "--brokers", "nats") as cluster:
        kubectl, mark = cluster.kubectl(), cluster.mark()
        await kubectl.run("create", "deployment", "sleeper", "--image=none", "--", "sleep", "1000")
        await kubectl.wait("deployment/sleeper", "condition=Available")
        cluster.process.send_signal(signal.SIGKILL)
        await cluster.process.wait()
        assert len(marked(mark)) == 6  # etcd, API server, controllers, kubelet, its pod, NATS
        assert "and 6 processes left of it" in await down(tmp_path)
        assert marked(mark) == []
        assert names_in(tmp_path) == {"logs"}


async def test_down_ends_a_living_parent_and_everything_with_it(tmp_path: Path) -> None:
    async with up(tmp_path) as cluster:
        mark = cluster.mark()
        assert await down(tmp_path) == f"ended the cluster of {tmp_path}\n"
        assert await cluster.process.wait() == 0
        assert marked(mark) == []


async def test_a_directory_in_use_is_refused_and_ctrl_c_ends_everything(tmp_path: Path) -> None:
    async with up(tmp_path) as cluster:
        mark = cluster.mark()
        second = await headgate("local", "up", "--dir", str(tmp_path))
        said, _ = await second.communicate()
        assert second.returncode == 1
        assert f"a local cluster runs in {tmp_path} already" in said.decode()
        cluster.process.send_signal(signal.SIGINT)
        assert await cluster.process.wait() == 0
        assert marked(mark) == []
        assert not (tmp_path / "env").exists()


async def test_a_new_up_clears_what_a_killed_one_left(tmp_path: Path) -> None:
    async with up(tmp_path) as first:
        old = first.mark()
        first.process.send_signal(signal.SIGKILL)
        await first.process.wait()
        (tmp_path / "env").unlink()
        async with up(tmp_path) as second:
            assert marked(old) == []
            assert second.mark() != old


async def test_up_ends_when_the_api_server_does(tmp_path: Path) -> None:
    async with up(tmp_path) as cluster:
        mark = cluster.mark()
        (server,) = running(mark, "kube-apiserver")
        os.kill(server, signal.SIGKILL)
        said, _ = await cluster.process.communicate()
        assert cluster.process.returncode == 1
        assert "kube-apiserver ended by itself" in said.decode()
        assert marked(mark) == []
