"""A kubelet for one machine that runs every pod of a cluster as processes; scheduler of its one node too.

It runs by itself: `python -m headgate.local.kubelet --help`. What pods may ask of it is in
`podspec.py`, how they find their volumes in `podenv.py`. Every pod gets a loopback address of its own (127.x.y.z), so two
replicas that listen on `$(POD_IP)` with one port do not meet. It does not know what any pod is for.
"""

import argparse
import asyncio
import os
import secrets
import signal
import sys
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import get_args

import aiohttp

from headgate.local import kubeconfig, podspec
from headgate.local.binaries import kubernetes_version
from headgate.local.client import ApiError, Client, Json
from headgate.local.container import timestamp
from headgate.local.podlogs import serve_logs, trusting
from headgate.local.podrunner import Node, PodRunner
from headgate.local.ports import free_port
from headgate.local.processes import MARK, new_mark

STOP_GRACE = 3.0  # seconds for all programs when the kubelet itself ends
RETRY = 0.5


class Kubelet:
    """Keeps what runs equal to what the API server says should run."""

    def __init__(self, node: Node, port: int) -> None:
        self._node = node
        self._port = port  # where the API server asks for logs
        self._runners: dict[str, PodRunner] = {}  # by uid
        self._refused: set[str] = set()
        self._addresses = _addresses()
        self._background: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Register the node, then follow the cluster until cancelled."""
        await self._register()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow_pods())
            for kind in get_args(podspec.Kind):
                group.create_task(self._follow_objects(kind))

    async def end(self) -> None:
        """End every program; the API server keeps its pods."""
        await asyncio.gather(
            *(runner.end(min(STOP_GRACE, runner.pod.grace)) for runner in self._runners.values())
        )

    async def _register(self) -> None:
        name = self._node.name
        labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}
        await self._node.client.apply(f"/api/v1/nodes/{name}", node)
        room = {"cpu": str(os.cpu_count() or 1), "memory": "64Gi", "pods": "1000"}
        ready = {
            "type": "Ready",
            "status": "True",
            "reason": "KubeletReady",
            "message": "runs pods as processes",
        }
        times = {"lastHeartbeatTime": timestamp(), "lastTransitionTime": timestamp()}
        status = {
            "capacity": room,
            "allocatable": room,
            "conditions": [ready | times],
            "addresses": [
                {"type": "InternalIP", "address": "127.0.0.1"},
                {"type": "Hostname", "address": name},
            ],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self._port}},
            "nodeInfo": _node_info(),
        }
        await self._node.client.patch(f"/api/v1/nodes/{name}/status", {"status": status})

    # -- pods --------------------------------------------------------------------------------------------------------

    async def _follow_pods(self) -> None:
        while True:
            try:
                version = await self._list_pods()
                async for event in self._node.client.watch("/api/v1/pods", version):
                    if event["type"] == "ERROR":
                        break
                    self._on_pod(event["type"], event["object"])
            except (ApiError, aiohttp.ClientError, OSError, TimeoutError) as error:
                _note(f"pods: {error!r}")
                await asyncio.sleep(RETRY)

    async def _list_pods(self) -> str:
        answer = await self._node.client.get("/api/v1/pods")
        there = {pod["metadata"]["uid"] for pod in answer["items"]}
        for uid in self._runners.keys() - there:
            self._forget(uid)
        for pod in answer["items"]:
            self._on_pod("ADDED", pod)
        return str(answer["metadata"]["resourceVersion"])

    def _on_pod(self, event: str, pod: Json) -> None:
        if event == "BOOKMARK":
            return
        meta, spec = pod["metadata"], pod["spec"]
        if event == "DELETED":
            self._forget(meta["uid"])
        elif not spec.get("nodeName"):
            if "deletionTimestamp" not in meta and not spec.get("schedulingGates"):
                self._soon(self._bind(meta))
        elif spec["nodeName"] == self._node.name:
            self._on_own(pod)

    def _on_own(self, pod: Json) -> None:
        uid = pod["metadata"]["uid"]
        over = pod.get("status", {}).get("phase") in ("Succeeded", "Failed")
        if uid not in self._runners and not over:
            self._take(pod)
        if "deletionTimestamp" in pod["metadata"]:
            self._end(pod)

    def _take(self, pod: Json) -> None:
        uid = pod["metadata"]["uid"]
        if uid in self._refused or "deletionTimestamp" in pod["metadata"]:
            return
        try:
            runner = PodRunner(podspec.load(pod), self._node, next(self._addresses))
        except podspec.UnsupportedError as error:
            self._refused.add(uid)
            self._soon(self._refuse(pod["metadata"], str(error)))
        else:
            self._runners[uid] = runner
            runner.start()

    def _end(self, pod: Json) -> None:
        """End a pod that the API server wants gone; one that never ran here is only confirmed."""
        meta = pod["metadata"]
        if runner := self._runners.get(meta["uid"]):
            runner.terminate(float(meta.get("deletionGracePeriodSeconds", runner.pod.grace)))
        else:
            self._soon(self._confirm(meta))

    def _forget(self, uid: str) -> None:
        self._refused.discard(uid)
        if runner := self._runners.pop(uid, None):
            self._soon(runner.end(0.0))

    async def _bind(self, meta: Json) -> None:
        target = {"apiVersion": "v1", "kind": "Node", "name": self._node.name}
        body = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": meta["name"], "uid": meta["uid"]}}
        await self._node.client.post(f"{_path(meta)}/binding", body | {"target": target})

    async def _confirm(self, meta: Json) -> None:
        options = {"gracePeriodSeconds": 0, "preconditions": {"uid": meta["uid"]}}
        await self._node.client.delete(_path(meta), options)

    async def _refuse(self, meta: Json, message: str) -> None:
        """Say why a pod is not run where `kubectl describe` shows it; it stays pending: a failed one would be replaced."""
        status = {"phase": "Pending", "reason": "Unsupported", "message": message}
        await self._node.client.patch(
            f"{_path(meta)}/status", {"metadata": {"uid": meta["uid"]}, "status": status}
        )

    # -- objects that volumes show -----------------------------------------------------------------------------------

    async def _follow_objects(self, kind: podspec.Kind) -> None:
        while True:
            try:
                page = await self._node.client.get(f"/api/v1/{kind}", limit="1")  # only for the version
                for runner in self._runners.values():  # what changed while nobody watched is not known
                    runner.poke()
                async for event in self._node.client.watch(
                    f"/api/v1/{kind}", page["metadata"]["resourceVersion"]
                ):
                    if event["type"] == "ERROR":
                        break
                    self._on_object(kind, event["object"]["metadata"])
            except (ApiError, aiohttp.ClientError, OSError, TimeoutError) as error:
                _note(f"{kind}: {error!r}")
                await asyncio.sleep(RETRY)

    def _on_object(self, kind: podspec.Kind, meta: Json) -> None:
        for runner in self._runners.values():
            if runner.pod.uses(kind, meta.get("namespace", ""), meta.get("name", "")):
                runner.poke()

    def _soon(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(self._quietly(work))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    @staticmethod
    async def _quietly(work: Coroutine[None, None, None]) -> None:
        """Do something that the next event about the same pod would make happen again."""
        try:
            await work
        except (ApiError, aiohttp.ClientError, OSError, TimeoutError) as error:
            _note(str(error))


def _path(meta: Json) -> str:
    return f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"


def _addresses() -> Iterator[str]:
    """Loopback addresses, begun at a place of this kubelet's own, so that two clusters on one machine do not meet."""
    most = 2**24 - 2
    number = secrets.randbelow(most)
    while True:
        number = number % most + 1
        if number >> 16:  # 127.0 belongs to everybody else
            yield f"127.{number >> 16}.{number >> 8 & 255}.{number & 255}"


def _node_info() -> Json:
    version = f"v{kubernetes_version()}"
    kernel = os.uname()
    return {
        "kubeletVersion": version,
        "kubeProxyVersion": version,
        "containerRuntimeVersion": "process://1",
        "operatingSystem": "linux",
        "architecture": kernel.machine,
        "kernelVersion": kernel.release,
        "osImage": "this machine",
        "machineID": "",
        "systemUUID": "",
        "bootID": "",
    }


def _note(line: str) -> None:
    sys.stderr.write(f"{timestamp()} {line}\n")
    sys.stderr.flush()


async def serve(access: kubeconfig.Access, args: argparse.Namespace) -> None:
    """Run until SIGTERM or SIGINT, then end every program."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    pool = aiohttp.TCPConnector(limit=0, force_close=True)
    async with (
        Client(access, user_agent="headgate-kubelet") as client,
        aiohttp.ClientSession(connector=pool) as http,
    ):
        node = Node(args.node, args.directory, args.logs, os.environ.get(MARK) or new_mark(), client, http)
        port = free_port()
        logs = await serve_logs(args.logs, port, trusting(args.certificates))
        kubelet = Kubelet(node, port)
        work = asyncio.create_task(kubelet.run())
        waiting = asyncio.create_task(stop.wait())
        await asyncio.wait({work, waiting}, return_when=asyncio.FIRST_COMPLETED)
        work.cancel()
        waiting.cancel()
        await asyncio.gather(work, waiting, return_exceptions=True)
        await asyncio.gather(kubelet.end(), logs.cleanup())
        if not stop.is_set():
            work.result()  # it ended by itself, so this raises


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m headgate.local.kubelet", description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument(
        "--certificates", type=Path, required=True, help="with ca.crt, kubelet.crt and kubelet.key"
    )
    parser.add_argument("--directory", type=Path, required=True, help="where volumes of pods go")
    parser.add_argument("--logs", type=Path, required=True, help="where programs write")
    parser.add_argument("--node", default="local")
    args = parser.parse_args()
    asyncio.run(serve(kubeconfig.load(args.kubeconfig), args))


if __name__ == "__main__":
    main()
