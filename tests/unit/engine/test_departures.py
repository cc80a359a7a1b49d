"""Which objects wait for a broker that is away, for how long, and what is said when they are let go."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from headgate.core.changes import Standing
from headgate.core.estate import Ref
from headgate.core.outcomes import Finding, Outcome
from headgate.core.resource import Key
from headgate.engine.departures import Departures
from headgate.engine.queue import DirtyQueue
from headgate.engine.shared import Shared
from headgate.engine.world import FINALIZER, Entry, World
from headgate.engine.writer import Writer
from headgate.kube.client import KubeClient
from headgate.kube.errors import Forbidden
from headgate.telemetry.metrics import Metrics

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SHOP = "shop"
MAIN, ORDERS = Ref("EventBroker", SHOP, "main"), Ref("EventTopic", SHOP, "orders")
BILLING, STANDARD = Ref("ConsumerGroup", SHOP, "billing"), Ref("RetryPolicy", SHOP, "standard")
SPECS: dict[str, dict[str, Any]] = {
    "EventBroker": {"nats": {"servers": ["nats://nats:4222"]}},
    "EventTopic": {"brokerRef": {"name": "main"}, "subjects": ["orders.>"], "retention": {"maxAge": "1h"}},
    "ConsumerGroup": {"topicRef": {"name": "orders"}, "start": {"from": "Earliest"}},
    "RetryPolicy": {"attempts": 3, "handlingTimeout": "10s", "backoff": {"type": "Fixed", "initial": "1s"}},
}
MADE = {"identity": "first", "externalName": "orders", "origin": "Created"}
ADOPTED = {**MADE, "origin": "Adopted"}


@dataclass
class Cluster:
    """Takes finalizers away and keeps Events."""

    events: list[str] = field(default_factory=list)
    released: list[str] = field(default_factory=list)
    takes_events: bool = True

    async def create_event(self, event: Mapping[str, Any], namespace: str) -> None:
        """See KubeClient."""
        if not self.takes_events:
            raise Forbidden(f"namespace {namespace} is being terminated")
        self.events.append(f"{event['reason']}: {event['message']}")

    async def patch_finalizers(self, kind: str, namespace: str, name: str, **how: Any) -> dict[str, Any]:
        """See KubeClient."""
        assert how["finalizers"] == ()
        self.released.append(f"{kind} {namespace}/{name}")
        return {"metadata": {"deletionTimestamp": "2026-11-21T11:59:00Z"}}


class Scene:
    """Objects on their way out."""

    def __init__(self) -> None:
        self.now = 0.0
        self.cluster = Cluster()
        kube = cast("KubeClient", self.cluster)
        self.world = World("here", lambda _: None)
        self.shared = Shared(
            kube=kube,
            world=self.world,
            writer=Writer(kube, self.world),
            metrics=Metrics(),
            wall=lambda: NOW,
            monotonic=lambda: self.now,
            jitter=lambda: 1.0,
            keep_secret=lambda _: None,
        )
        self.queue: DirtyQueue[Ref] = DirtyQueue(lambda: self.now, lambda: 1.0)
        self.departures = Departures(self.shared, self.queue)

    def put(
        self,
        ref: Ref,
        *,
        deleted: timedelta | None = timedelta(minutes=1),
        spec: Mapping[str, Any] | None = None,
        record: Mapping[str, Any] | None = None,
        synced: str = "",
        annotations: Mapping[str, str] | None = None,
        guarded: bool = True,
    ) -> Entry:
        """An object that was asked to go so long ago; None: it was not."""
        meta: dict[str, Any] = {
            "namespace": ref.namespace,
            "name": ref.name,
            "uid": f"uid-{ref.name}",
            "resourceVersion": "1",
            "generation": 1,
            "finalizers": [FINALIZER] if guarded else ["example.com/other"],
            "annotations": dict(annotations or {}),
        }
        if deleted is not None:
            meta["deletionTimestamp"] = (NOW - deleted).isoformat()
        said: dict[str, Any] = {} if record is None else {"record": dict(record)}
        if synced:
            said["conditions"] = [{"type": "Ready", "status": "False"}, {"type": "Synced", "status": synced}]
        status = {"status": said} if said else {}
        self.world.see(
            ref.kind, None, {"metadata": meta, "spec": {**SPECS[ref.kind], **(spec or {})}, **status}
        )
        return self.world.entries[ref]


@dataclass(frozen=True)
class Case:
    spec: Mapping[str, Any]
    record: Mapping[str, Any] | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    synced: str = "True"
    deleted: timedelta = timedelta(minutes=1)
    ending: bool = False


DELETE = {"deletionPolicy": "Delete"}
CONFIRMED = {"headgate.dev/confirm-delete": "orders"}
WAITS = {
    "what was made and is to be deleted": Case(DELETE, MADE),
    "what may have been made before anybody could say so": Case(DELETE, synced=""),
    "what is to be deleted if it is empty": Case({"deletionPolicy": "DeleteIfEmpty"}, MADE),
    "what was adopted and confirmed": Case(DELETE, ADOPTED, CONFIRMED),
    "what may wait for longer than it has": Case(
        {**DELETE, "deletionTimeout": "1h"}, MADE, deleted=timedelta(minutes=59)
    ),
}
GOES = {
    "what is kept": Case({"deletionPolicy": "Retain"}, MADE),
    "what was never made": Case(DELETE, synced="False"),
    "what was never made and is remembered by its name": Case(
        DELETE, {"externalName": "orders"}, synced="False"
    ),
    "what was never made when its broker was last asked": Case(DELETE, synced="Unknown"),
    "what may have been made and is kept": Case({"deletionPolicy": "Retain"}, synced=""),
    "what was adopted": Case(DELETE, ADOPTED),
    "what was adopted and another one confirmed": Case(
        DELETE, ADOPTED, {"headgate.dev/confirm-delete": "others"}
    ),
    "what was adopted and goes only if empty": Case({"deletionPolicy": "DeleteIfEmpty"}, ADOPTED, CONFIRMED),
    "what only looked": Case({**DELETE, "mode": "Observe"}, MADE),
    "what need not be waited for": Case({**DELETE, "unreachablePolicy": "Orphan"}, MADE),
    "what waited for as long as it may": Case(DELETE, MADE, deleted=timedelta(minutes=5)),
    "what waited for as long as its spec says": Case(
        {**DELETE, "deletionTimeout": "30s"}, MADE, deleted=timedelta(seconds=30)
    ),
    "what goes with its namespace": Case(DELETE, MADE, ending=True),
}


def of(case: Case) -> tuple[Scene, Entry]:
    scene = Scene()
    if case.ending:
        scene.world.see_ending(SHOP, NOW)
    entry = scene.put(
        ORDERS,
        spec=case.spec,
        record=case.record,
        synced=case.synced,
        annotations=case.annotations,
        deleted=case.deleted,
    )
    return scene, entry


@pytest.mark.parametrize("case", WAITS.values(), ids=WAITS.keys())
def test_waits_for_its_broker(case: Case) -> None:
    scene, entry = of(case)
    assert not scene.departures.may_go_unseen(entry)


@pytest.mark.parametrize("case", GOES.values(), ids=GOES.keys())
def test_goes_without_its_broker(case: Case) -> None:
    scene, entry = of(case)
    assert scene.departures.may_go_unseen(entry)


def test_who_waits_is_looked_at_again_when_the_time_is_up_and_not_before() -> None:
    scene, entry = of(Case(DELETE, MADE, deleted=timedelta(minutes=4)))
    assert not scene.departures.may_go_unseen(entry)
    scene.now = 59.9
    assert scene.queue.take() == ()
    scene.now = 60.0
    assert scene.queue.take() == (ORDERS,)


def test_an_object_nobody_can_read_and_a_policy_need_no_broker() -> None:
    scene = Scene()
    unread = scene.put(ORDERS, spec={"retention": 7}, record=MADE)
    assert unread.declared is None
    assert scene.departures.may_go_unseen(unread)
    assert scene.departures.may_go_unseen(scene.put(STANDARD))


def test_a_broker_stays_for_those_who_still_need_it() -> None:
    scene = Scene()
    main = scene.put(MAIN)
    assert scene.departures.may_go_unseen(main)
    scene.put(ORDERS, deleted=None)
    assert not scene.departures.may_go_unseen(main)
    scene.put(ORDERS, guarded=False)
    scene.world.gone(ORDERS)
    scene.put(ORDERS, guarded=False)
    assert scene.departures.may_go_unseen(main)


async def test_an_orphan_is_named_in_a_warning() -> None:
    scene, entry = of(Case(DELETE, MADE))
    await scene.departures.orphan(entry)
    assert scene.cluster.released == ["EventTopic shop/orders"]
    (said,) = scene.cluster.events
    assert said.startswith("Orphaned: its broker could not be asked: orders was left there")
    assert ORDERS not in scene.world.entries


async def test_what_leaves_nothing_unwanted_goes_without_a_word() -> None:
    scene, entry = of(Case({"deletionPolicy": "Retain"}, MADE))
    await scene.departures.orphan(entry)
    assert (scene.cluster.released, scene.cluster.events) == (["EventTopic shop/orders"], [])


def standing(*findings: Finding) -> Standing:
    return Standing(Key("stream", "orders"), findings=findings)


async def test_what_stayed_in_the_broker_is_said_and_what_was_waited_for_is_not() -> None:
    scene, entry = of(Case(DELETE, MADE))
    kept = Finding(Outcome.WARNING, "NotEmpty", "it is not empty")
    waited = Finding(Outcome.WAITING, "StillUsed", "it was used")
    refused = Finding(Outcome.REFUSED, "NotAllowed", "the broker says no")
    await scene.departures.release(entry, [standing(kept, waited)], [refused])
    assert scene.cluster.events == ["Orphaned: the broker says no; it is not empty"]
    assert scene.cluster.released == ["EventTopic shop/orders"]


async def test_who_was_let_go_before_is_not_let_go_again() -> None:
    """Something else holds it; what we had to say was said."""
    scene = Scene()
    entry = scene.put(ORDERS, spec=DELETE, record=MADE, guarded=False)
    await scene.departures.orphan(entry)
    await scene.departures.release(entry, [standing(Finding(Outcome.WARNING, "NotEmpty", "x"))])
    assert (scene.cluster.released, scene.cluster.events) == ([], [])


async def test_where_no_event_can_be_posted_objects_go_all_the_same() -> None:
    scene, entry = of(Case(DELETE, MADE))
    scene.cluster.takes_events = False
    await scene.departures.orphan(entry)
    assert scene.cluster.released == ["EventTopic shop/orders"]


async def test_in_a_namespace_that_ends_only_the_log_says_what_was_left(
    caplog: pytest.LogCaptureFixture,
) -> None:
    scene, entry = of(Case(DELETE, MADE, ending=True))
    await scene.departures.orphan(entry, "there was no time")
    assert (scene.cluster.released, scene.cluster.events) == (["EventTopic shop/orders"], [])
    assert "there was no time: orders was left there" in caplog.text


@pytest.mark.parametrize(
    ("left", "events"),
    [("", []), ("its workload has no replicas", ["LeftAtZero: its workload has no replicas"])],
    ids=["a workload that was left well is not mentioned", "one that was left at zero is"],
)
@pytest.mark.parametrize("unseen", [True, False], ids=["without the broker", "with it"])
async def test_a_group_leaves_its_workload(left: str, events: list[str], *, unseen: bool) -> None:
    scene = Scene()
    asked: list[Ref] = []

    async def let_go(ref: Ref) -> str:
        asked.append(ref)
        return left

    shared = replace(scene.shared, let_go=let_go)
    departures = Departures(shared, scene.queue)
    entry = scene.put(BILLING)
    await (departures.orphan(entry) if unseen else departures.release(entry, []))
    assert (asked, scene.cluster.events, scene.cluster.released) == (
        [BILLING],
        events,
        ["ConsumerGroup shop/billing"],
    )
