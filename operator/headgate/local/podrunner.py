"""One pod's life on the process kubelet: volumes, programs, status, end. Knows no other pod.

A program runs under its pod's own ServiceAccount: where a token of the account is mounted (the API server adds that volume to
every pod that does not say no), KUBECONFIG names a kubeconfig with it.
"""

import asyncio
import base64
import contextlib
import os
import shutil
import time
import traceback
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp

from headgate.local.client import ApiError, Client, Json
from headgate.local.container import LOOK_AGAIN, ContainerRun, timestamp
from headgate.local.errors import LocalError
from headgate.local.podenv import MissingError, Place, Start, field_of, needed, plan_start
from headgate.local.podspec import (
    Container,
    Fields,
    Kind,
    Objects,
    Pod,
    Source,
    Token,
    UnsupportedError,
    Volume,
)
from headgate.local.podstatus import Waiting, render_status
from headgate.local.volumes import project

GONE, CONFLICT = 404, 409
PASSED_ON = (
    "PATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "LD_LIBRARY_PATH",
)  # what every program finds, as in an image


@dataclass(frozen=True, slots=True)
class Node:
    """What all pods of one kubelet share."""

    name: str
    directory: Path
    logs: Path
    mark: str
    client: Client
    http: aiohttp.ClientSession


@dataclass(frozen=True, slots=True)
class _Issued:
    token: str
    renew_at: float  # monotonic


class PodRunner:
    """Runs one pod until it is told to end it."""

    def __init__(self, pod: Pod, node: Node, ip: str) -> None:
        self.pod = pod
        self._node = node
        self._place = Place(node.name, ip)
        self._root = node.directory / pod.uid
        self._volumes = {volume.name: self._path(volume) for volume in pod.volumes}
        self._tokens: dict[Token, _Issued] = {}
        self._poked = asyncio.Event()
        self._changed = asyncio.Event()
        self._started = timestamp()
        self._status: Json = {}
        self._runs = {each.name: self._container_run(each) for each in pod.containers}
        self._tasks: list[asyncio.Task[None]] = []
        self._ending: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; everything else happens by itself."""
        (self._root / "volumes").mkdir(parents=True, exist_ok=True)
        self._tasks = [asyncio.create_task(self._live()), asyncio.create_task(self._report())]
        for task in self._tasks:
            task.add_done_callback(_complain)

    def poke(self) -> None:
        """An object that a volume shows has changed, or may have."""
        self._poked.set()

    def terminate(self, grace: float) -> None:
        """End the programs gently, then tell the API server that the pod is gone; the second call changes nothing."""
        if self._ending is None:
            self._ending = asyncio.create_task(self._terminate(grace))

    async def end(self, grace: float) -> None:
        """End the programs and forget the pod; the API server is not told."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(run.stop(grace) for run in self._runs.values()))
        shutil.rmtree(self._root, ignore_errors=True)

    async def _terminate(self, grace: float) -> None:
        await self.end(grace)
        options = {"gracePeriodSeconds": 0, "preconditions": {"uid": self.pod.uid}}
        while True:
            try:
                await self._node.client.delete(self.pod.path, options)
            except ApiError as error:
                if error.status in (GONE, CONFLICT):
                    return
            except (aiohttp.ClientError, OSError, TimeoutError):
                pass
            else:
                return
            await asyncio.sleep(LOOK_AGAIN)

    # -- volumes -----------------------------------------------------------------------------------------------------

    def _path(self, volume: Volume) -> Path:
        return Path(volume.host_path) if volume.host_path else self._root / "volumes" / volume.name

    async def _live(self) -> None:
        while not await self._mount():
            await self._until_poked(LOOK_AGAIN)
        async with asyncio.TaskGroup() as group:
            for run in self._runs.values():
                group.create_task(run.run())
            while True:
                await self._until_poked(self._next_renewal())
                await self._mount()

    async def _until_poked(self, timeout: float | None) -> None:  # noqa: ASYNC109  (both ends are ordinary)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._poked.wait(), timeout)
        self._poked.clear()

    def _next_renewal(self) -> float | None:
        due = min((issued.renew_at for issued in self._tokens.values()), default=None)
        return None if due is None else max(LOOK_AGAIN, due - time.monotonic())

    async def _mount(self) -> bool:
        """Bring every volume up to date; False while something that must be there is missing or nobody answers."""
        try:
            for volume in self.pod.volumes:
                if volume.sources:
                    project(self._volumes[volume.name], await self._files(volume))
                else:
                    self._volumes[volume.name].mkdir(parents=True, exist_ok=True)
        except MissingError as error:
            self._wait_for("ContainerCreating", str(error))
        except (LocalError, UnsupportedError, aiohttp.ClientError, OSError, TimeoutError) as error:
            self._wait_for("ContainerCreating", f"volumes: {error}")
        else:
            return True
        return False

    def _wait_for(self, reason: str, message: str) -> None:
        for run in self._runs.values():
            if isinstance(run.seen.state, Waiting):
                run.seen.state = Waiting(reason, message)
        self._changed.set()

    async def _files(self, volume: Volume) -> dict[str, bytes]:
        files: dict[str, bytes] = {}
        for source in volume.sources:
            files |= await self._source(source)
        return files

    async def _source(self, source: Source) -> dict[str, bytes]:
        if isinstance(source, Token):
            return {source.path: (await self._token(source)).encode()}
        if isinstance(source, Fields):
            return {path: field_of(self.pod, self._place, field).encode() for path, field in source.items}
        return await self._objects(source)

    async def _objects(self, source: Objects) -> dict[str, bytes]:
        held = await self._read(source.kind, source.name)
        if held is None:
            if source.optional:
                return {}
            raise MissingError(f"{source.kind} {source.name} is not there")
        if source.items is None:
            return held
        if missing := [key for key, _ in source.items if key not in held and not source.optional]:
            raise MissingError(f"{source.kind} {source.name} has no key {missing[0]}")
        return {path: held[key] for key, path in source.items if key in held}

    async def _read(self, kind: Kind, name: str) -> dict[str, bytes] | None:
        try:
            found = await self._node.client.get(f"/api/v1/namespaces/{self.pod.namespace}/{kind}/{name}")
        except ApiError as error:
            if error.status == GONE:
                return None
            raise
        coded = found.get("data", {}) if kind == "secrets" else found.get("binaryData", {})
        plain = {} if kind == "secrets" else found.get("data", {})
        decoded = {key: base64.b64decode(value) for key, value in coded.items()}
        return decoded | {key: value.encode() for key, value in plain.items()}

    # -- identity ----------------------------------------------------------------------------------------------------

    async def _token(self, source: Token) -> str:
        issued = self._tokens.get(source)
        if issued is None or time.monotonic() >= issued.renew_at:
            issued = _Issued(await self._request(source), time.monotonic() + 0.8 * source.seconds)
            self._tokens[source] = issued
            if not source.audience:
                access = replace(self._node.client.access, token=issued.token, namespace=self.pod.namespace)
                access.write(self._kubeconfig)
        return issued.token

    async def _request(self, source: Token) -> str:
        bound = {"kind": "Pod", "apiVersion": "v1", "name": self.pod.name, "uid": self.pod.uid}
        spec = {"expirationSeconds": source.seconds, "boundObjectRef": bound}
        if source.audience:
            spec |= {"audiences": [source.audience]}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        account = f"/api/v1/namespaces/{self.pod.namespace}/serviceaccounts/{self.pod.account}"
        answer = await self._node.client.post(f"{account}/token", body)
        return str(answer["status"]["token"])

    @property
    def _kubeconfig(self) -> Path:
        return self._root / "kubeconfig"

    # -- programs ----------------------------------------------------------------------------------------------------

    def _container_run(self, container: Container) -> ContainerRun:
        logs = self._node.logs / self.pod.namespace / self.pod.name
        return ContainerRun(
            container=container,
            restart=self.pod.restart,
            grace=self.pod.grace,
            ip=self._place.ip,
            log=logs / f"{container.name}.log",
            cwd=self._root,
            mark=self._node.mark,
            http=self._node.http,
            prepare=self._prepare,
            changed=self._changed.set,
        )

    async def _prepare(self, container: Container) -> Start:
        try:
            held = {(kind, name): await self._read(kind, name) for kind, name in sorted(needed(container))}
        except (ApiError, aiohttp.ClientError, OSError, TimeoutError) as error:
            raise MissingError(f"variables: {error}") from error
        begin = plan_start(self.pod, container, self._place, held, self._volumes)
        surroundings = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        surroundings |= {"HOME": str(self._root), "HOSTNAME": self.pod.name}
        mounted = {mount.volume for mount in container.mounts}
        if any(
            not token.audience for each in self.pod.volumes if each.name in mounted for token in _tokens(each)
        ):
            surroundings["KUBECONFIG"] = str(self._kubeconfig)
        return replace(begin, env={**surroundings, **begin.env})

    # -- status ------------------------------------------------------------------------------------------------------

    async def _report(self) -> None:
        """Tell the API server after each change, as often as it can listen."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            seen = {name: run.seen for name, run in self._runs.items()}
            about = {"ip": self._place.ip, "started": self._started, "now": timestamp()}
            status = render_status(self.pod, seen, **about, before=self._status)
            if status == self._status:
                continue
            try:
                body = {"metadata": {"uid": self.pod.uid}, "status": status}
                await self._node.client.patch(f"{self.pod.path}/status", body)
                self._status = status
            except ApiError as error:
                if error.status == GONE:
                    return
                await self._later()
            except (aiohttp.ClientError, OSError, TimeoutError):
                await self._later()

    async def _later(self) -> None:
        await asyncio.sleep(LOOK_AGAIN)
        self._changed.set()


def _complain(task: asyncio.Task[None]) -> None:
    """Say in the kubelet's log what nobody foresaw; the other pods go on."""
    if not task.cancelled() and (error := task.exception()):
        traceback.print_exception(error)


def _tokens(volume: Volume) -> list[Token]:
    return [source for source in volume.sources if isinstance(source, Token)]
