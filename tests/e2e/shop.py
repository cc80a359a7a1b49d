"""A shop that Headgate keeps for real: manifests, an operator and movers with their own rights, workers that know a binding.

Only two things are not a cluster's own: who starts workers again when they die, and who mounts their binding.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import nats
from tests.contract.messages_account import Account
from tests.kube.estate import OWNER, Estate
from tests.kube.operator import operator

from headgate.brokers.nats.names import ADVISORIES_NAME
from headgate.local.client import Client
from headgate.local.cluster import Cluster
from headgate.local.kubeconfig import Access
from headgate.local.processes import Process
from headgate.local.run import Run

SHOP = Path(__file__).parents[2] / "examples" / "shop"
ATTEMPTS, PREFETCH = 5, 20
BINDING = "billing-binding"
DURABLE = "CONSUMER.INFO.orders.billing"


@dataclass
class Replica:
    """One worker that is started again when it dies, as a kubelet would."""

    folder: Path
    ledger: Path
    kills: int = 0
    process: asyncio.subprocess.Process | None = None
    _ended: bool = False
    _task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Run until `stop`."""
        self._task = asyncio.create_task(self._keep_running())

    async def _keep_running(self) -> None:
        environment = {**os.environ, "BINDING": str(self.folder), "LEDGER": str(self.ledger), "RATE": "600"}
        while not self._ended:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, SHOP / "worker.py", env=environment, stdout=asyncio.subprocess.DEVNULL
            )
            code = await self.process.wait()
            self.kills += not self._ended or code < 0

    def kill(self) -> None:
        """As when its machine fails."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                self.process.kill()

    async def stop(self) -> None:
        """As when a Deployment is scaled down."""
        self._ended = True
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        if self._task is not None:
            await self._task


@dataclass
class Movers:
    """Two movers that share the work; either may be killed and is replaced by a new one."""

    run: Run
    kubeconfig: Path
    namespace: str
    _running: list[Process] = field(default_factory=list)
    _started: int = 0

    def start(self, count: int) -> None:
        """So many more."""
        for _ in range(count):
            self._started += 1
            where = ("--kubeconfig", str(self.kubeconfig), "--namespace", self.namespace)
            words = (sys.executable, "-m", "headgate", "mover", *where, "--port", "0")
            self._running.append(self.run.start(f"{self.namespace}-mover-{self._started}", words))

    async def kill_one(self) -> None:
        """The oldest dies without a word, and another one comes."""
        await self._running.pop(0).kill()
        self.start(1)

    async def stop(self) -> list[int]:
        """End in order; their exit codes."""
        return [await process.stop(grace=10.0) for process in self._running]


@dataclass
class Shop:
    """Orders, billing and its dead letters on one or three servers."""

    account: Account
    servers: Sequence[str]
    folder: Path
    ledger: Path
    movers: Movers
    replicas: list[Replica] = field(default_factory=list)
    retired: list[Replica] = field(default_factory=list)

    async def scale(self, count: int) -> None:
        """So many workers."""
        while len(self.replicas) < count:
            replica = Replica(self.folder, self.ledger)
            replica.start()
            self.replicas.append(replica)
        leaving, self.replicas = self.replicas[count:], self.replicas[:count]
        await asyncio.gather(*(replica.stop() for replica in leaving))
        self.retired += leaving

    @property
    def kills(self) -> int:
        """How many worker processes died in the middle of their work."""
        return sum(replica.kills for replica in (*self.replicas, *self.retired))

    def noted(self, outcome: str) -> list[str]:
        """The names of orders with that outcome, one for each time."""
        lines = map(json.loads, self.ledger.read_text().splitlines() if self.ledger.exists() else ())
        return [line["id"] for line in lines if line["outcome"] == outcome]

    def progress(self) -> int:
        """How many orders were handled, repeats included."""
        return self.ledger.read_text().count('"handled"') if self.ledger.exists() else 0

    async def settled(self) -> bool:
        """Whether nothing waits, is under way, or was given up without a dead letter."""
        info = await self.account.api(DURABLE)
        if "error" in info or info["num_pending"] or info["num_ack_pending"]:
            return False
        return await self.account.unsettled() == 0


@asynccontextmanager
async def shop(
    cluster: Cluster, api: Client, run: Run, name: str, folder: Path, urls: Sequence[str], copies: int
) -> AsyncIterator[Shop]:
    """A shop whose estate is Ready, with movers and without workers."""
    async with operator(cluster, api, run, name, namespaces=(name,)) as running:
        estate = Estate(api, name)
        await _declare(estate, urls, copies)
        client = await nats.connect(list(urls), max_reconnect_attempts=-1, reconnect_time_wait=1)
        movers = Movers(run, await _kubeconfig(cluster, api, run, name), name)
        mounted = folder / "binding"
        binding = await api.get(f"/api/v1/namespaces/{name}/configmaps/{BINDING}")
        _mount(binding["data"], mounted)
        made = Shop(Account(",".join(urls), client), urls, mounted, folder / "ledger", movers)
        assert (
            int((await made.account.api(f"STREAM.INFO.{ADVISORIES_NAME}"))["config"]["num_replicas"])
            == copies
        )
        movers.start(2)
        try:
            yield made
        finally:
            await made.scale(0)
            codes = await movers.stop()
            await client.close()
        assert codes == [0, 0], codes
        assert running.complaints == [], running.complaints


async def _declare(estate: Estate, urls: Sequence[str], copies: int) -> None:
    """What people would apply."""
    broker = {"name": "main"}
    backoff = {"type": "Exponential", "initial": "100ms", "factor": "2", "max": "800ms", "jitterPercent": 20}
    rules = [{"match": {"errorClass": "SchemaError"}, "action": "DeadLetter"}]
    kept = {"brokerRef": broker, "owner": OWNER, "replicas": copies}
    await estate.put("EventBroker", "main", {"nats": {"servers": list(urls)}, "resyncInterval": "5s"})
    await estate.put(
        "RetryPolicy",
        "quick",
        {
            "attempts": ATTEMPTS,
            "handlingTimeout": "2s",
            "deadline": "5m",
            "backoff": backoff,
            "rules": rules,
        },
    )
    await estate.put("DeadLetterQueue", "dead", {**kept, "retention": {"maxAge": "24h"}})
    topic = {"subjects": ["orders.>"], "retention": {"maxAge": "24h"}, "deduplication": {"window": "2m"}}
    await estate.put("EventTopic", "orders", {**kept, **topic})
    group = {
        "topicRef": {"name": "orders"},
        "start": {"from": "Earliest"},
        "concurrency": {"perReplica": PREFETCH, "total": 1000},
        "retryPolicyRef": {"name": "quick"},
        "deadLetterQueueRef": {"name": "dead"},
        "binding": {"configMapName": BINDING},
    }
    await estate.put("ConsumerGroup", "billing", group)
    for kind, name in (("DeadLetterQueue", "dead"), ("EventTopic", "orders"), ("ConsumerGroup", "billing")):
        await estate.ready(kind, name)


def _mount(data: Mapping[str, str], folder: Path) -> None:
    """Each key of a ConfigMap as a file."""
    folder.mkdir()
    for name, text in data.items():
        (folder / name).write_text(text)


async def _kubeconfig(cluster: Cluster, api: Client, run: Run, namespace: str) -> Path:
    """With the rights of movers, and no more."""
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/headgate-mover/token"
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = str((await api.post(path, request))["status"]["token"])
    file = run.state / f"{namespace}-mover.kubeconfig"
    Access(cluster.access.url, cluster.access.authority, token, namespace).write(file)
    return file
