"""The life of one topic, one group and one dead-letter queue on a broker, step by step, and how it looks. Knows no fault."""

import asyncio
import contextlib
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.faults.journal import MOVER, Hands, Kind
from tests.faults.lane import Lane

from headgate.api import KINDS
from headgate.local.client import ApiError

Json = dict[str, Any]
GROUP_VERSION: Final = "headgate.dev/v1alpha1"
PLURALS: Final = {kind.kind: kind.plural for kind in KINDS}
CREATED, UPDATED, FAILED, DELETED = "created", "updated", "failed", "deleted"
BROKER, POLICY, QUEUE, TOPIC, GROUP = (
    ("EventBroker", "main"),
    ("RetryPolicy", "calm"),
    ("DeadLetterQueue", "dead"),
    ("EventTopic", "orders"),
    ("ConsumerGroup", "billing"),
)
ALL: Final = (BROKER, POLICY, QUEUE, TOPIC, GROUP)
Named = tuple[str, str]
# What differs from life to life by itself, or is a figure that is told now and then.
_MOVING: Final = frozenset(
    {"lastTransitionTime", "oldestTime", "identity", "lag", "checkpoint", "objects", "messages", "bytes"}
)
_SAMPLED: Final = frozenset({"Capturing"})  # conditions that follow a look every few seconds
_UIDS: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_INCARNATION: Final = re.compile(r"\b20\d{12,}\b")
_TIMES: Final = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


@dataclass(slots=True)
class Life:
    """One life in a lane; its objects bear its name, so that lives never meet."""

    lane: Lane
    name: str
    uids: dict[Named, str] = field(default_factory=dict)
    declared: asyncio.Event = field(default_factory=asyncio.Event)  # the present step is said, whole

    def mask(self, text: str) -> str:
        """A text without what names this life."""
        return (
            text.replace(self.name, "*")
            .replace(self.lane.name, "lane")
            .replace(self.lane.broker.url, "broker")
        )

    def called(self, short: str) -> str:
        """The name of an object of this life."""
        return f"{self.name}-{short}"

    def path(self, what: Named) -> str:
        """Where the API server has an object."""
        kind, short = what
        return f"/apis/{GROUP_VERSION}/namespaces/{self.lane.name}/{PLURALS[kind]}/{self.called(short)}"

    async def step(self, name: str) -> None:
        """Do one step, as users do: declare, and do not wait."""
        self.declared.clear()
        self.lane.journal.step = name
        steps: Mapping[str, Callable[[], Awaitable[None]]] = {
            CREATED: self._create,
            UPDATED: self._update,
            FAILED: self._fail,
            DELETED: self._delete,
        }
        await steps[name]()
        self.declared.set()

    async def _create(self) -> None:
        for what, spec in self._specs().items():
            await self._put(what, spec)

    async def _update(self) -> None:
        for what, change in self._changes().items():
            await self._put(what, self._specs()[what] | change)

    def _changes(self) -> dict[Named, Json]:
        filtered = {"subjects": [f"{self.called('orders')}.paid"]}
        return {TOPIC: {"retention": {"maxAge": "2h"}}, GROUP: {"filter": filtered}}

    def hands(self) -> Hands:
        """What can be done to this life from outside."""
        return Hands(self.lane.restart, self.lane.pause, self._meddle)

    async def _meddle(self, kind: Kind) -> None:
        """Once the step is declared, declare something else."""
        await self.declared.wait()
        await (self.edit() if kind is Kind.EDITED else self.withdraw())

    async def edit(self) -> None:
        """What is declared is changed as the second step would, or back again; what is gone already stays gone."""
        undo: dict[Named, Json] = {TOPIC: {"retention": {"maxAge": "1h"}}, GROUP: {"filter": None}}
        changes = self._changes() if self.lane.journal.step == CREATED else undo
        for what, change in changes.items():
            with contextlib.suppress(ApiError):
                await self.lane.api.patch(self.path(what), {"spec": change})

    async def withdraw(self) -> None:
        """Everything is deleted after all."""
        self.lane.journal.step = DELETED
        await self._delete()

    async def _fail(self) -> None:
        """A worker gives an event up, and a mover is there."""
        lane, stream = self.lane, self.called("orders")
        lane.programs[MOVER].start()
        jetstream = lane.nats.jetstream()
        await jetstream.publish(f"{stream}.paid", b"order 1")
        reader = await jetstream.pull_subscribe_bind(self.called("billing"), stream=stream)
        for message in await reader.fetch(1, timeout=5):
            await message.term()
        await reader.unsubscribe()

    async def _delete(self) -> None:
        for what in reversed(ALL):
            await self.lane.api.delete(self.path(what))

    async def _put(self, what: Named, spec: Json) -> None:
        body = {
            "apiVersion": GROUP_VERSION,
            "kind": what[0],
            "metadata": {"name": self.called(what[1])},
            "spec": spec,
        }
        made = await self.lane.api.apply(self.path(what), body)
        self.uids[what] = made["metadata"]["uid"]

    def _specs(self) -> dict[Named, Json]:
        broker, stream = {"name": self.called("main")}, self.called("orders")
        nats = {"servers": [self.lane.broker.url], "credentialsSecretRef": {"name": "login"}}
        owner = {"team": "t", "contact": "#t", "runbook": "https://runbooks.example/t"}
        wait = {"type": "Fixed", "initial": "1s"}
        return {
            # A long timeout lets an answer count that comes after a pause: only the Lease says then who may act.
            BROKER: {"nats": nats, "resyncInterval": "1s", "limits": {"timeout": "1m"}},
            POLICY: {"attempts": 3, "handlingTimeout": "10s", "backoff": wait},
            QUEUE: {
                "brokerRef": broker,
                "owner": owner,
                "retention": {"maxAge": "24h"},
                "deletionPolicy": "Retain",
            },
            TOPIC: {
                "brokerRef": broker,
                "subjects": [f"{stream}.>"],
                "retention": {"maxAge": "1h"},
                "deletionPolicy": "Delete",
            },
            GROUP: {
                "topicRef": {"name": stream},
                "start": {"from": "Earliest"},
                "deletionPolicy": "Delete",
                "retryPolicyRef": {"name": self.called("calm")},
                "deadLetterQueueRef": {"name": self.called("dead")},
                "binding": {"configMapName": self.called("binding")},
            },
        }

    async def picture(self) -> Json:
        """How everything stands, without what differs from life to life: objects, ConfigMaps, streams, durables."""
        found: Json = {}
        listed = await asyncio.gather(*(self._objects(plural) for plural in PLURALS.values()), self._maps())
        for part in listed:
            found.update(part)
        found.update(await self._streams())
        text = json.dumps(found, sort_keys=True)
        masked: Json = json.loads(
            _INCARNATION.sub("(made)", _UIDS.sub("(uid)", _TIMES.sub("(time)", self.mask(text))))
        )
        return masked

    async def _objects(self, plural: str) -> Json:
        path = f"/apis/{GROUP_VERSION}/namespaces/{self.lane.name}/{plural}"
        items = (await self.lane.api.get(path))["items"]
        return {
            f"{plural} {item['metadata']['name']}": {
                "finalizers": item["metadata"].get("finalizers") or [],
                "deleting": "deletionTimestamp" in item["metadata"],
                "current": _current(item),
                "status": settled(item.get("status")),
            }
            for item in items
        }

    async def _maps(self) -> Json:
        items = (await self.lane.api.get(f"/api/v1/namespaces/{self.lane.name}/configmaps"))["items"]
        return {
            f"configmap {item['metadata']['name']}": {
                "data": item.get("data"),
                "labels": item["metadata"].get("labels"),
            }
            for item in items
            if self.name in item["metadata"]["name"] and not self._orphaned(item)
        }

    def _orphaned(self, item: Json) -> bool:
        """The collector takes its time over what belonged to objects that are gone; whose it is says that it will."""
        owners = {owner["uid"] for owner in item["metadata"].get("ownerReferences") or ()}
        return self.lane.journal.step == DELETED and bool(owners) and owners <= set(self.uids.values())

    async def _streams(self) -> Json:
        lane, found = self.lane, dict[str, Any]()
        for stream in (await lane.ask("STREAM.LIST", {})).get("streams") or ():
            name = stream["config"]["name"]
            found[f"stream {name}"] = {
                "config": _without_identity(stream["config"]),
                "messages": stream["state"]["messages"],
            }
            for reader in (await lane.ask(f"CONSUMER.LIST.{name}", {})).get("consumers") or ():
                if not reader["config"].get("durable_name"):
                    continue  # lasts as long as one look; the server drops it by itself
                state = {key: reader[key] for key in ("num_pending", "num_ack_pending")}
                found[f"durable {name} {reader['name']}"] = {"config": reader["config"], **state}
        return found

    async def bury(self) -> None:
        """Remove by force whatever a life that went wrong has left."""
        for what in ALL:
            with contextlib.suppress(ApiError):
                await self.lane.api.delete(self.path(what))
                await self.lane.api.patch(self.path(what), {"metadata": {"finalizers": []}})


def _current(item: Json) -> bool:
    """Whether every condition speaks of the present generation."""
    status, generation = item.get("status") or {}, item["metadata"]["generation"]
    spoken = [c.get("observedGeneration") for c in status.get("conditions") or ()]
    return bool(spoken) and all(seen == generation for seen in spoken)


def settled(value: Any) -> Any:
    """A status without what moves by itself."""
    if isinstance(value, dict):
        return {key: settled(inner) for key, inner in value.items() if not _is_moving(key, inner)}
    if isinstance(value, list):
        return [settled(inner) for inner in value if not _is_sampled(inner)]
    return value


def _is_moving(key: str, value: Any) -> bool:
    """An empty queue may not have been looked at yet."""
    return key in _MOVING or (key == "depth" and not value)


def _is_sampled(value: Any) -> bool:
    return isinstance(value, dict) and value.get("type") in _SAMPLED


def _without_identity(config: Json) -> Json:
    """The shared stream carries an identity that was drawn."""
    metadata = {k: v for k, v in (config.get("metadata") or {}).items() if "identity" not in k}
    return {**config, "metadata": metadata}
