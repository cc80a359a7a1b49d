"""Everything the story is played on: cluster, broker, shop, producers, and the person's own kubectl. Knows no story."""

import asyncio
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from headgate.local.client import Client
from headgate.local.cluster import Cluster
from headgate.local.demo.broker import Broker
from headgate.local.demo.shop import Estate
from headgate.local.demo.timeline import Mark, Timeline, Who
from headgate.local.errors import LocalError
from headgate.local.nats import LocalNats
from headgate.local.processes import Process

NAMESPACE = "shop"
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
GROUPS = f"/apis/headgate.dev/v1alpha1/namespaces/{NAMESPACE}/consumergroups"


@dataclass(slots=True)
class Stage:
    """A running cluster with the shop's estate at hand."""

    cluster: Cluster
    nats: LocalNats
    api: Client
    broker: Broker
    estate: Estate
    programs: Path
    ledgers: Path
    timeline: Timeline
    began: float
    producers: list[Process] = field(default_factory=list)

    def now(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self.began

    def note(self, who: Who, text: str) -> None:
        """Write down that something happened."""
        self.timeline.marks.append(Mark(self.now(), who, text))

    async def kubectl(self, *words: str, stdin: str = "") -> str:
        """What a person would type; what it printed."""
        process = await asyncio.create_subprocess_exec(
            str(self.cluster.kubectl),
            *words,
            env=dict(os.environ) | {"KUBECONFIG": str(self.cluster.kubeconfig)},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate(stdin.encode())
        if process.returncode:
            raise LocalError("KubectlFailed", f"kubectl {' '.join(words)}: {err.decode().strip()}")
        return out.decode()

    def produce(self, name: str, subject: str, rate: float, *, ledger: str, count: int = 0) -> Process:
        """Start a producer; it ends after so many events, or when it is told to."""
        words: list[str | Path] = [
            *(sys.executable, self.programs / "producer.py", "--servers", self.nats.url),
            *("--subject", subject, "--rate", f"{rate:g}", "--count", str(count), "--run", name),
            *("--ledger", self.ledgers / f"{ledger}.jsonl"),
        ]
        process = self.cluster.run.start(f"producer-{name}", words)
        self.producers.append(process)
        return process

    def ledger(self, name: str) -> str:
        """What was written down so far under a name."""
        path = self.ledgers / f"{name}.jsonl"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    async def replicas(self, workload: str) -> int:
        """How many replicas a workload is asked to have."""
        return int((await self.api.get(f"{DEPLOYMENTS}/{workload}"))["spec"].get("replicas", 0))

    async def aclose(self) -> None:
        """Let go of what was opened; the cluster itself is somebody else's to end."""
        await self.broker.aclose()
        await self.api.aclose()
