"""The least that an operator of EventTopics can do: a bare script with only the necessary calls for the same end state.

Watch, PATCH the finalizer, create the stream, PATCH the status; update and delete alike; 16 in flight. It repeats
nothing, checks nothing and reports nothing, so nobody could use it, but nothing that keeps topics can take less.
Knows neither the operator nor its packages. Ends on SIGTERM and prints what it called; with `bare` it makes the same
HTTP calls in a loop, reads nothing of what the watch tells, and calls no broker, which shows that the script itself is
not what takes the time.
"""

import argparse
import asyncio
import base64
import json
import signal
import ssl
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import nats
from nats.aio.client import Client

IN_FLIGHT = 16
FINALIZER = "headgate.dev/finalizer"
MERGE = {"Content-Type": "application/merge-patch+json"}
AGENT = "floor"


@dataclass(slots=True)
class Floor:
    """Everything that it knows: which object it has brought how far."""

    http: aiohttp.ClientSession
    topics: str  # path of the collection
    broker: Client | None
    calls: Counter[str] = field(default_factory=Counter)
    seen: dict[str, int] = field(default_factory=dict)  # name to generation; 0: going
    gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(IN_FLIGHT))
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    failed: asyncio.Future[None] = field(default_factory=asyncio.Future)

    async def run(self) -> None:
        """List, then watch, for ever."""
        async with self.http.get(self.topics) as response:
            listing = json.loads(await response.read())
        for item in listing["items"]:
            self.see(item)
        version = listing["metadata"]["resourceVersion"]
        while True:
            version = await self.watch(version)

    async def watch(self, version: str) -> str:
        """Watch until the server ends it, which it does with those that are slow; the version to go on from."""
        async with self.open_watch(version) as response:
            while line := await response.content.readline():
                event = json.loads(line)
                version = event["object"]["metadata"]["resourceVersion"]
                if event["type"] != "DELETED":
                    self.see(event["object"])
        return version

    def open_watch(self, version: str) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """The call of a watch."""
        query = {"watch": "1", "resourceVersion": version}
        quiet = aiohttp.ClientTimeout(total=None)
        return self.http.get(self.topics, params=query, timeout=quiet, read_bufsize=2**20)

    def see(self, body: dict[str, Any]) -> None:
        """Begin what an object needs; an echo needs nothing."""
        meta = body["metadata"]
        name, going = meta["name"], "deletionTimestamp" in meta
        wanted = 0 if going else meta["generation"]
        known = self.seen.get(name)
        if known == wanted:
            return
        self.seen[name] = wanted
        work = self.release(name) if going else self.keep(body, new=known is None)
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.ended)

    def ended(self, task: asyncio.Task[None]) -> None:
        """Nothing is repeated, so nothing may fail."""
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None and not self.failed.done():
            self.failed.set_exception(error)

    async def keep(self, body: dict[str, Any], *, new: bool) -> None:
        """Create or update one."""
        name = body["metadata"]["name"]
        async with self.gate:
            if new:
                await self.patch("finalizer", name, {"metadata": {"finalizers": [FINALIZER]}})
            made = await self.stream("CREATE" if new else "UPDATE", name, config(body))
            status = status_of(body, made.get("created", ""))
            await self.patch("status", f"{name}/status", {"status": status})

    async def release(self, name: str) -> None:
        """Delete one."""
        async with self.gate:
            await self.stream("DELETE", name, None)
            await self.patch("release", name, {"metadata": {"finalizers": []}})

    async def patch(self, what: str, path: str, body: dict[str, Any]) -> None:
        """One call to the API server."""
        self.calls[what] += 1
        data = json.dumps(body).encode()
        async with self.http.patch(f"{self.topics}/{path}", data=data, headers=MERGE) as response:
            answer = json.loads(await response.read())
            assert response.ok, answer

    async def stream(self, verb: str, name: str, body: dict[str, Any] | None) -> dict[str, Any]:
        """One call to the broker."""
        if self.broker is None:
            return {}
        self.calls[f"stream {verb.lower()}"] += 1
        payload = json.dumps(body).encode() if body else b""
        message = await self.broker.request(f"$JS.API.STREAM.{verb}.{name}", payload, timeout=30)
        answer: dict[str, Any] = json.loads(message.data)
        assert "error" not in answer, answer
        return answer


def config(body: dict[str, Any]) -> dict[str, Any]:
    """The stream of an EventTopic as the bench declares them."""
    meta, spec = body["metadata"], body["spec"]
    name = meta["name"]
    return {
        "name": name,
        "subjects": [f"hg.{name}.>", *spec["subjects"]],
        "retention": "limits",
        "storage": "file",
        "discard": "old",
        "num_replicas": 1,
        "max_age": int(spec["retention"]["maxAge"].removesuffix("h")) * 3600 * 10**9,
        "max_bytes": int(spec["retention"]["maxBytes"].removesuffix("Mi")) * 2**20,
        "duplicate_window": 120 * 10**9,
        "metadata": {"headgate.dev/owner": f"{'0' * 36}/EventTopic/{meta['namespace']}/{name}"},
    }


def status_of(body: dict[str, Any], created: str) -> dict[str, Any]:
    """A status of the form that the operator writes."""
    name, generation = body["metadata"]["name"], body["metadata"]["generation"]
    condition = {
        "status": "True",
        "reason": "InSync",
        "message": "the broker holds what is declared",
        "observedGeneration": generation,
        "lastTransitionTime": datetime.fromtimestamp(time.time(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    return {
        "conditions": [{"type": "Ready", **condition}, {"type": "Synced", **condition}],
        "effective": {"deduplication.window": "2m", "externalName": name, "replicas": "1"},
        "observedGeneration": generation,
        "record": {"externalName": name, "identity": created, "origin": "Created"},
    }


async def bare(floor: Floor) -> None:
    """For every object that is there the two PATCHes of a creation, 16 in flight, beside a watch that nobody listens to."""
    async with floor.http.get(floor.topics) as response:
        listing = json.loads(await response.read())
    items = iter(listing["items"])
    watching = asyncio.create_task(drained(floor, listing["metadata"]["resourceVersion"]))

    async def worker() -> None:
        for body in items:
            name = body["metadata"]["name"]
            await floor.patch("finalizer", name, {"metadata": {"finalizers": [FINALIZER]}})
            await floor.patch("status", f"{name}/status", {"status": status_of(body, "0")})

    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))
    assert not watching.done(), "the watch ended before the loop did"
    watching.cancel()


async def drained(floor: Floor, version: str) -> None:
    """The watch as bytes."""
    async with floor.open_watch(version) as response:
        async for _ in response.content.iter_any():
            pass


@asynccontextmanager
async def session(kubeconfig: str) -> AsyncIterator[aiohttp.ClientSession]:
    """Signed in to the one cluster of a kubeconfig that is written as JSON."""
    found = json.loads(kubeconfig)
    cluster, user = found["clusters"][0]["cluster"], found["users"][0]["user"]
    trusted = ssl.create_default_context(
        cadata=base64.b64decode(cluster["certificate-authority-data"]).decode()
    )
    async with aiohttp.ClientSession(
        cluster["server"],
        connector=aiohttp.TCPConnector(ssl=trusted, limit=0),
        headers={"Authorization": f"Bearer {user['token']}", "User-Agent": AGENT},
    ) as http:
        yield http


def arguments() -> argparse.Namespace:
    """What is to be done where."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mode", choices=("watch", "bare"))
    parser.add_argument("--kubeconfig", type=lambda name: Path(name).read_text(), required=True)
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--nats", default="")
    return parser.parse_args()


async def main(asked: argparse.Namespace) -> None:
    """Run until SIGTERM, or through the bare loop once."""
    topics = f"/apis/headgate.dev/v1alpha1/namespaces/{asked.namespace}/eventtopics"
    async with session(asked.kubeconfig) as http:
        broker = await nats.connect(asked.nats) if asked.nats else None
        floor = Floor(http, topics, broker)
        running = asyncio.ensure_future(floor.run() if asked.mode == "watch" else bare(floor))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
        done, _ = await asyncio.wait({running, floor.failed}, return_when=asyncio.FIRST_COMPLETED)
        for each in done:
            if not each.cancelled():
                each.result()
        if broker is not None:
            await broker.close()
    print(json.dumps(floor.calls), flush=True)


if __name__ == "__main__":
    sys.exit(asyncio.run(main(arguments())))
