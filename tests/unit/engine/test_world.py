"""What the world takes for news, and whom it tells."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import pytest

from headgate.core.claims import Owner
from headgate.core.estate import Ref
from headgate.engine.world import FINALIZER, World

NAMESPACE = "shop"
SPECS: dict[str, dict[str, Any]] = {
    "EventBroker": {"nats": {"servers": ["nats://nats:4222"]}},
    "EventTopic": {"brokerRef": {"name": "main"}, "subjects": ["orders.>"], "retention": {"maxAge": "1h"}},
    "ConsumerGroup": {
        "topicRef": {"name": "orders"},
        "start": {"from": "Earliest"},
        "retryPolicyRef": {"name": "standard"},
    },
    "RetryPolicy": {
        "attempts": 3,
        "handlingTimeout": "10s",
        "backoff": {"type": "Fixed", "initial": "1s"},
    },
}
BROKER, TOPIC = Ref("EventBroker", NAMESPACE, "main"), Ref("EventTopic", NAMESPACE, "orders")
GROUP, POLICY = Ref("ConsumerGroup", NAMESPACE, "billing"), Ref("RetryPolicy", NAMESPACE, "standard")


class Told:
    """A world, and what it told since it was last asked."""

    def __init__(self) -> None:
        self._told: set[Ref] = set()
        self.world = World("cluster", self._hear)

    def _hear(self, refs: Iterable[Ref]) -> None:
        self._told.update(refs)

    def take(self) -> set[Ref]:
        told, self._told = self._told, set()
        return told

    def see(self, ref: Ref, event: str | None = "MODIFIED", **more: Any) -> None:
        self.world.see(ref.kind, event, body(ref, **more))


def body(ref: Ref, version: int = 1, **more: Any) -> dict[str, Any]:
    meta = {
        "namespace": ref.namespace,
        "name": ref.name,
        "uid": f"uid-{ref.name}",
        "resourceVersion": str(version),
        "generation": 1,
        "creationTimestamp": "2026-11-20T10:00:00Z",
    }
    return {"metadata": {**meta, **more.pop("metadata", {})}, "spec": SPECS[ref.kind], **more}


@pytest.fixture
def told() -> Told:
    found = Told()
    for ref in (BROKER, TOPIC, GROUP, POLICY):
        found.see(ref, None)
    found.take()
    return found


NEWS: dict[str, tuple[Callable[[Told], None], set[Ref]]] = {
    "an edited policy concerns the groups that use it": (
        lambda told: told.see(POLICY, version=2, metadata={"generation": 2}),
        {POLICY, GROUP},
    ),
    "an edited topic concerns its groups": (
        lambda told: told.see(TOPIC, version=2, metadata={"generation": 2}),
        {TOPIC, GROUP},
    ),
    "an edited broker concerns all that live on it": (
        lambda told: told.see(BROKER, version=2, metadata={"generation": 2}),
        {BROKER, TOPIC, GROUP},
    ),
    "a deleted topic concerns its groups": (lambda told: told.see(TOPIC, "DELETED"), {TOPIC, GROUP}),
    "an annotation of ours is news": (
        lambda told: told.see(POLICY, version=2, metadata={"annotations": {"headgate.dev/acknowledge": "x"}}),
        {POLICY, GROUP},
    ),
    "a status that somebody wrote is news": (
        lambda told: told.see(POLICY, version=2, status={"usedBy": 77}),
        {POLICY, GROUP},
    ),
    "an annotation of somebody else is none": (
        lambda told: told.see(POLICY, version=2, metadata={"annotations": {"example.com/x": "y"}}),
        set(),
    ),
    "what is older than what is known is none": (
        lambda told: told.see(POLICY, version=0, metadata={"generation": 2}),
        set(),
    ),
    "a finalizer that appears is none": (
        lambda told: told.see(POLICY, version=2, metadata={"finalizers": [FINALIZER]}),
        set(),
    ),
    "the deletion of an earlier object of that name is none": (
        lambda told: told.see(POLICY, "DELETED", metadata={"uid": "another"}),
        set(),
    ),
}


@pytest.mark.parametrize(("happens", "concerned"), NEWS.values(), ids=NEWS.keys())
def test_what_is_news_and_for_whom(told: Told, happens: Callable[[Told], None], concerned: set[Ref]) -> None:
    happens(told)
    heard = told.take()
    assert (heard >= concerned, bool(heard)) == (True, bool(concerned))


def test_the_echo_of_a_status_of_our_own_is_no_news(told: Told) -> None:
    told.world.expect(POLICY, {"usedBy": 1})
    told.see(POLICY, version=2, status={"usedBy": 1})
    assert told.take() == set()


def test_a_finalizer_that_somebody_took_away_is_news(told: Told) -> None:
    told.see(POLICY, version=2, metadata={"finalizers": [FINALIZER]})
    told.see(POLICY, version=3)
    assert POLICY in told.take()


def test_everything_has_the_home_that_its_references_say(told: Told) -> None:
    assert set(told.world.of_broker(BROKER)) == {BROKER, TOPIC, GROUP}
    told.see(TOPIC, "DELETED")
    assert set(told.world.of_broker(BROKER)) == {BROKER}
    assert set(told.world.of_broker(None)) == {GROUP, POLICY}


def test_labels_of_a_namespace_concern_everything_in_it(told: Told) -> None:
    told.world.see_namespace(None, {"metadata": {"name": NAMESPACE, "labels": {"events": "true"}}})
    assert told.take() == {BROKER, TOPIC, GROUP, POLICY}
    told.world.see_namespace("MODIFIED", {"metadata": {"name": NAMESPACE, "labels": {"events": "true"}}})
    assert told.take() == set()


def test_a_spec_that_cannot_be_read_is_kept_with_what_is_wrong(told: Told) -> None:
    broken = body(TOPIC, version=2, metadata={"generation": 2})
    told.world.see("EventTopic", "MODIFIED", {**broken, "spec": {"retention": 7}})
    entry = told.world.entries[TOPIC]
    assert entry.declared is None
    assert entry.errors
    assert TOPIC not in told.world.estate.topics


# --- ends


def ended(told: Told, event: str = "MODIFIED") -> None:
    meta = {"name": NAMESPACE, "deletionTimestamp": "2026-11-21T10:00:00Z"}
    told.world.see_namespace(event, {"metadata": meta})


def test_when_a_namespace_ends_everything_in_it_is_on_its_way_out_asked_or_not(told: Told) -> None:
    ended(told)
    assert told.take() >= {BROKER, TOPIC, GROUP, POLICY}
    assert all(entry.leaving for entry in told.world.entries.values())
    assert told.world.estate.topics[TOPIC].deleting
    ended(told)
    assert told.take() == set()


def test_what_is_seen_after_its_namespace_began_to_end_is_on_its_way_out_too(told: Told) -> None:
    told.world.see_ending(NAMESPACE, datetime(2026, 11, 21, 10, tzinfo=UTC))
    told.take()
    told.see(TOPIC, version=2, metadata={"deletionTimestamp": "2026-11-21T10:00:05Z"})
    entry = told.world.entries[TOPIC]
    assert (entry.deleting_since, told.take()) == (datetime(2026, 11, 21, 10, tzinfo=UTC), set())


def test_a_namespace_that_is_gone_may_come_back(told: Told) -> None:
    ended(told)
    for ref in (TOPIC, GROUP, POLICY, BROKER):
        told.see(ref, "DELETED")
    ended(told, "DELETED")
    told.see(BROKER, "ADDED", version=9)
    assert not told.world.entries[BROKER].leaving


def test_who_was_let_go_of_is_needed_by_nobody_and_those_who_stayed_for_it_hear(told: Told) -> None:
    for ref in (BROKER, TOPIC):
        told.see(ref, version=2, metadata={"finalizers": [FINALIZER]})
    told.world.see_ending(NAMESPACE, datetime(2026, 11, 21, 10, tzinfo=UTC))
    told.take()
    assert told.world.needed_by(BROKER) == {TOPIC}
    told.world.absorb(TOPIC, body(TOPIC, version=3))
    assert told.world.needed_by(BROKER) == set()
    assert told.take() == {BROKER}


def test_a_broker_on_its_way_out_hears_when_its_last_user_is_gone(told: Told) -> None:
    told.see(BROKER, version=2, metadata={"deletionTimestamp": "2026-11-21T10:00:00Z"})
    told.take()
    told.see(TOPIC, "DELETED")
    assert BROKER in told.take()


def owner(name: str, *, namespace: str = NAMESPACE, installation: str = "cluster") -> Owner:
    return Owner(installation, "EventTopic", namespace, name)


GONE: dict[str, tuple[tuple[str | None, ...], Owner, bool]] = {
    "what is known is there": ((None,), owner("orders"), False),
    "what is not known is gone where everything is seen": ((None,), owner("other"), True),
    "and where its namespace is seen": ((NAMESPACE,), owner("other"), True),
    "what lies in a namespace that is not seen may be there": (
        (NAMESPACE,),
        owner("x", namespace="far"),
        False,
    ),
    "what another installation has may be there": ((None,), owner("x", installation="theirs"), False),
    "before anything was listed all may be there": ((), owner("other"), False),
}


@pytest.mark.parametrize(("seen", "asked", "gone"), GONE.values(), ids=GONE.keys())
def test_whose_marks_count_no_more(
    told: Told, seen: tuple[str | None, ...], asked: Owner, *, gone: bool
) -> None:
    told.world.listed(seen)
    assert told.world.is_gone(asked) is gone


def test_an_object_that_cannot_be_read_is_not_gone(told: Told) -> None:
    told.world.listed((None,))
    broken = body(TOPIC, version=2, metadata={"generation": 2})
    told.world.see("EventTopic", "MODIFIED", {**broken, "spec": {"retention": 7}})
    assert not told.world.is_gone(owner("orders"))
