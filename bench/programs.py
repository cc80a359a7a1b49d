"""A program under measurement: started, watched from outside, ended. Does not know what it does."""

import json
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from bench.scene import Scene

from headgate.local.audit import AuditLog, Request
from headgate.local.processes import Process
from headgate.local.waiting import until

TICKS = os.sysconf("SC_CLK_TCK")
LIMIT = 180.0


@dataclass(slots=True)
class Program:
    """One process and what it asked of the API server, told apart by its user agent."""

    process: Process
    agent: str
    log: AuditLog
    started: float
    asked: list[Request] = field(default_factory=list)
    others: list[Request] = field(default_factory=list)

    @property
    def cpu(self) -> float:
        """Seconds of processor time since its start."""
        fields = self._proc("stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    @property
    def rss(self) -> int:
        """KiB of memory in use."""
        line = next(each for each in self._proc("status").splitlines() if each.startswith("VmRSS"))
        return int(line.split()[1])

    def _proc(self, name: str) -> str:
        return Path(f"/proc/{self.process.popen.pid}/{name}").read_text()

    def read(self) -> None:
        """Take in what the API server was asked meanwhile."""
        for request in self.log.read():
            if request.resource != "leases":
                (self.asked if request.agent.startswith(self.agent) else self.others).append(request)

    def forget(self) -> None:
        """Begin to count anew."""
        self.read()
        self.asked.clear()
        self.others.clear()

    def writes(self, resource: str = "") -> list[Request]:
        """Its writes, of one resource or of all, in the order in which they arrived."""
        found = [each for each in self.asked if each.writes and resource in {"", each.resource}]
        return sorted(found, key=lambda each: each.at)

    async def wrote(self, resource: str, count: int) -> None:
        """Wait until it has written so often."""

        async def enough() -> bool:
            running = self.process.running
            self.read()
            done = len(self.writes(resource)) >= count
            assert done or running, self.process.tail()
            return done

        await until(f"{self.agent} wrote {count} {resource}", enough, limit=LIMIT, every=0.1)

    async def ready(self) -> None:
        """Wait until the operator has looked at everything once."""

        async def is_ready() -> bool:
            assert self.process.running, self.process.tail()
            port = self._port()
            if not port:
                return False
            async with (
                aiohttp.ClientSession() as http,
                http.get(f"http://127.0.0.1:{port}/readyz") as answer,
            ):
                return answer.ok

        await until("the operator is ready", is_ready, limit=LIMIT)

    def _port(self) -> int:
        lines = self.process.log.read_text().splitlines()
        told = [json.loads(line)["message"] for line in lines if "probes on port" in line]
        return int(told[-1].rpartition(" ")[2]) if told else 0


def operator(scene: Scene, namespace: str) -> Program:
    """The operator as an administrator runs it for one namespace, with its Lease."""
    words = ["run", "--kubeconfig", scene.plane.kubeconfig, "--own-namespace", "default"]
    words += ["--namespace", namespace, "--port", "0", "--log-form", "json"]
    return _start(scene, "operator", "headgate", ["-m", "headgate", *map(str, words)])


def floor(scene: Scene, namespace: str, mode: str = "watch") -> Program:
    """The floor, for one namespace; `bare` for its loop without watch and broker."""
    words = ["--kubeconfig", scene.plane.kubeconfig, "--namespace", namespace]
    words += ["--nats", scene.broker.url] if mode == "watch" else []
    return _start(scene, "floor", "floor", ["-m", "bench.floor", mode, *map(str, words)])


def _start(scene: Scene, name: str, agent: str, words: list[str]) -> Program:
    log = AuditLog(scene.plane.audit_log)
    name = f"{name}-{time.monotonic_ns()}"
    begun = time.time()
    return Program(scene.run.start(name, [sys.executable, *words]), agent, log, begun)
