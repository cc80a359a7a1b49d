"""What belongs to what, and what is said where it does not hold."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.core.declare import BILLING, DEAD, MAIN, ORDERS, STANDARD, declare, estate, held

from headgate.core.estate import Declared, Estate, Ref
from headgate.core.index import Index
from headgate.core.outcomes import Outcome
from headgate.core.resolve import broker_of, references, resolve, unplaced
from headgate.core.retry import DEFAULT_POLICY
from headgate.core.topology import Topology

OTHER_BROKER = Ref("EventBroker", "platform", "other")
LABELS = {"platform": {}, "shop": {"events": "true"}, "depot": {}}
SELECTED = {"from": "Selector", "selector": {"matchLabels": {"events": "true"}}}
TO_DEPOT = {"name": "orders", "namespace": "depot"}


def world(*objects: Declared[Any], **more: Any) -> Estate:
    """The shop with what the test declares; objects of the same name replace those of the shop."""
    given = {declared.ref for declared in objects}
    shop = (
        declare(ORDERS, subjects=["orders.*.>"], maxMessageSize="1Mi"),
        declare(BILLING, retryPolicyRef={"name": "standard"}, deadLetterQueueRef={"name": "dead"}),
        declare(STANDARD, attempts=2),
        declare(DEAD),
    )
    return estate(*(declared for declared in shop if declared.ref not in given), *objects, **more)


def said(topology: Topology, ref: Ref) -> list[tuple[str, str]]:
    return [(finding.outcome, finding.reason) for finding in topology.findings.get(ref, ())]


def test_an_estate_without_faults_resolves_completely() -> None:
    topology = resolve(world(), MAIN)
    group = topology.groups[BILLING]
    assert topology.findings == {}
    assert list(topology.topics) == [ORDERS]
    assert group.topic is topology.topics[ORDERS]
    assert group.queue is topology.queues[DEAD]
    assert (group.policy_ref, group.policy.attempts) == (STANDARD, 2)
    assert group.external_name == "billing"


def test_a_group_that_names_no_policy_and_no_queue_has_the_default_policy_and_no_queue() -> None:
    group = resolve(world(declare(BILLING)), MAIN).groups[BILLING]
    assert (group.policy, group.policy_ref, group.queue) == (DEFAULT_POLICY, None, None)


def test_replicas_left_out_are_those_of_the_broker() -> None:
    sized = declare(MAIN, defaults={"replicas": 3}, allowedNamespaces={"from": "Names", "names": ["shop"]})
    topology = resolve(world(sized, declare(DEAD, replicas=1)), MAIN)
    assert topology.topics[ORDERS].replicas == 3
    assert topology.queues[DEAD].replicas == 1
    assert resolve(world(), MAIN).topics[ORDERS].replicas is None


@pytest.mark.parametrize(
    ("objects", "size"),
    [
        pytest.param([], 2**20 + 2**14, id="the largest source and room for what is said about it"),
        pytest.param([declare(DEAD, maxMessageSize="2Mi")], 2**21, id="what the queue declares"),
        pytest.param([declare(ORDERS)], None, id="no bound where a source has none"),
        pytest.param([declare(BILLING)], None, id="no bound where nobody uses the queue"),
        pytest.param(
            [declare(Ref("ConsumerGroup", "depot", "spy"), topicRef=TO_DEPOT, deadLetterQueueRef={"name": "dead", "namespace": "shop"})],
            2**20 + 2**14,
            id="not moved by groups that may not use the queue",
        ),
        pytest.param(
            [declare(Ref("ConsumerGroup", "shop", "lost"), topicRef={"name": "none"}, deadLetterQueueRef={"name": "dead"})],
            2**20 + 2**14,
            id="not moved by groups without a topic",
        ),
    ],
)  # fmt: skip
def test_the_size_of_dead_letters_is(objects: list[Declared[Any]], size: int | None) -> None:
    assert resolve(world(*objects), MAIN).queues[DEAD].max_message_size == size


REFUSED, WAITING = Outcome.REFUSED, Outcome.WAITING


@pytest.mark.parametrize(
    ("objects", "ref", "findings"),
    [
        pytest.param(
            [declare(BILLING, retryPolicyRef={"name": "none"})],
            BILLING,
            [(WAITING, "RetryPolicyNotFound")],
            id="a retry policy that is not there",
        ),
        pytest.param(
            [declare(BILLING, retryPolicyRef={"name": "standard", "namespace": "depot"}),
             declare(Ref("RetryPolicy", "depot", "standard"))],
            BILLING,
            [(REFUSED, "NotPermitted")],
            id="a retry policy of another namespace",
        ),
        pytest.param(
            [declare(BILLING, deadLetterQueueRef={"name": "none"})],
            BILLING,
            [(WAITING, "DeadLetterQueueNotFound")],
            id="a dead-letter queue that is not there",
        ),
        pytest.param(
            [declare(BILLING, deadLetterQueueRef={"name": "dead"}),
             declare(DEAD, brokerRef={"name": "other", "namespace": "platform"}), declare(OTHER_BROKER)],
            BILLING,
            [(REFUSED, "BrokerMismatch")],
            id="a dead-letter queue on another broker",
        ),
        pytest.param(
            [declare(DEAD, externalName="KV_dead")],
            BILLING,
            [(WAITING, "DeadLetterQueueNotReady")],
            id="a dead-letter queue that is refused",
        ),
        pytest.param(
            [declare(ORDERS, externalName="KV_orders")],
            BILLING,
            [(WAITING, "TopicNotReady")],
            id="a topic that is refused",
        ),
        pytest.param(
            [declare(ORDERS, deleting=True)], BILLING, [(WAITING, "TopicDeleting")], id="a topic that is going",
        ),
        pytest.param(
            [declare(ORDERS, allowedNamespaces={"from": "Names", "names": ["attic"]}),
             declare(Ref("ConsumerGroup", "attic", "spy"), topicRef={"name": "orders", "namespace": "shop"})],
            Ref("ConsumerGroup", "attic", "spy"),
            [(REFUSED, "NotPermitted")],
            id="a topic that is open on a broker that is not",
        ),
        pytest.param(
            [declare(Ref("EventTopic", "attic", "orders"))],
            Ref("EventTopic", "attic", "orders"),
            [(REFUSED, "NotPermitted")],
            id="a broker that does not let the namespace in",
        ),
        pytest.param(
            [declare(ORDERS, allowedNamespaces=SELECTED)], ORDERS, [(REFUSED, "ClusterModeNeeded")],
            id="namespaces by label where labels cannot be read",
        ),
        pytest.param(
            [declare(DEAD, allowedNamespaces={"from": "All"})], DEAD, [(REFUSED, "ClusterModeNeeded")],
            id="all namespaces where not all can be seen",
        ),
        pytest.param(
            [declare(MAIN, allowedNamespaces={"from": "All"})], MAIN, [(REFUSED, "ClusterModeNeeded")],
            id="a broker for all namespaces where not all can be seen",
        ),
        pytest.param(
            [declare(MAIN, tenancy={"adoption": {"from": "All"}, "deletion": SELECTED})],
            MAIN,
            [(REFUSED, "ClusterModeNeeded")] * 2,
            id="permissions by label where labels cannot be read",
        ),
    ],
)  # fmt: skip
def test_what_is_said_about(
    objects: list[Declared[Any]], ref: Ref, findings: list[tuple[Outcome, str]]
) -> None:
    topology = resolve(world(*objects), MAIN)
    assert said(topology, ref) == findings
    assert ref not in {**topology.topics, **topology.queues, **topology.groups}


@pytest.mark.parametrize(
    ("namespace", "allowed", "may"),
    [
        pytest.param("shop", None, True, id="its own namespace, whatever is said"),
        pytest.param("depot", None, False, id="another one, where nothing is said"),
        pytest.param("depot", {"from": "Names", "names": ["depot"]}, True, id="one that is listed"),
        pytest.param("depot", {"from": "Names", "names": ["attic"]}, False, id="one that is not listed"),
        pytest.param("depot", {"from": "All"}, True, id="any, where all are meant"),
        pytest.param("depot", SELECTED, False, id="one without the label"),
        pytest.param("barn", SELECTED, True, id="one with the label"),
        pytest.param("cellar", SELECTED, False, id="one that has not been seen yet"),
    ],
)
def test_a_topic_is_open_to(namespace: str, allowed: dict[str, Any] | None, may: bool) -> None:  # noqa: FBT001  (a table's verdict)
    reader = Ref("ConsumerGroup", namespace, "reader")
    broker = declare(MAIN, allowedNamespaces={"from": "All"})
    group = declare(reader, topicRef={"name": "orders", "namespace": "shop"})
    topic = declare(ORDERS, allowedNamespaces=allowed)
    namespaces = {**LABELS, "barn": {"events": "true", "team": "hay"}}
    topology = resolve(world(broker, topic, group, namespaces=namespaces), MAIN)
    assert (reader in topology.groups) == may
    assert said(topology, reader) == ([] if may else [(REFUSED, "NotPermitted")])


@pytest.mark.parametrize("kind", ["EventTopic", "DeadLetterQueue", "EventBroker"])
def test_nobody_can_tell_what_exists_in_a_namespace_that_is_closed(kind: str) -> None:
    """Outcome, reason and text are the same whether the object is there or not."""
    there = Ref(kind, "cellar", "secret")
    secret = {"name": "secret", "namespace": "cellar"}
    user = {
        "EventTopic": declare(BILLING, topicRef=secret),
        "DeadLetterQueue": declare(BILLING, deadLetterQueueRef=secret),
        "EventBroker": declare(ORDERS, brokerRef=secret),
    }[kind]
    broker = declare(MAIN, allowedNamespaces={"from": "Names", "names": ["shop", "cellar"]})
    closed = declare(there, allowedNamespaces={"from": "Same"}) if kind == "EventBroker" else declare(there)

    def heard(state: Estate) -> tuple[object, ...]:
        home = broker_of(state, user.ref)
        return resolve(state, home).findings[user.ref] if home else unplaced(state)[user.ref]

    assert heard(world(broker, user)) == heard(world(broker, user, closed))


@pytest.mark.parametrize(
    ("objects", "ref", "reason"),
    [
        pytest.param([declare(ORDERS, brokerRef={"name": "none"})], ORDERS, "BrokerNotFound", id="a topic"),
        pytest.param([declare(DEAD, brokerRef={"name": "none"})], DEAD, "BrokerNotFound", id="a dead-letter queue"),
        pytest.param([declare(BILLING, topicRef={"name": "none"})], BILLING, "TopicNotFound", id="a group"),
        pytest.param(
            [declare(ORDERS, brokerRef={"name": "none"})], BILLING, "TopicNotReady", id="a group whose topic has no broker"
        ),
    ],
)  # fmt: skip
def test_an_object_without_a_broker_waits(objects: list[Declared[Any]], ref: Ref, reason: str) -> None:
    state = world(*objects)
    (finding,) = unplaced(state, [ref])[ref]
    assert (finding.outcome, finding.reason) == (WAITING, reason)
    assert broker_of(state, ref) is None
    assert unplaced(state)[ref] == (finding,)


def test_objects_with_a_broker_are_not_adrift() -> None:
    assert unplaced(world()) == {}
    assert unplaced(world(), [MAIN, ORDERS, Ref("EventTopic", "shop", "gone")]) == {}


def test_a_policy_that_breaks_its_own_deadline_is_refused() -> None:
    slow = declare(STANDARD, attempts=2, handlingTimeout="10s", deadline="20s")
    (finding,) = unplaced(world(slow))[STANDARD]
    assert (finding.outcome, finding.rule) == (REFUSED, "HG001")


@pytest.mark.parametrize(
    ("ref", "broker"),
    [(MAIN, MAIN), (ORDERS, MAIN), (BILLING, MAIN), (DEAD, MAIN), (STANDARD, None), (OTHER_BROKER, None),
     (Ref("ConsumerGroup", "shop", "none"), None)],
    ids=str,
)  # fmt: skip
def test_the_broker_of(ref: Ref, broker: Ref | None) -> None:
    assert broker_of(world(), ref) == broker


def test_references_are_what_an_object_names_with_namespaces_filled_in() -> None:
    state = world()
    assert references(state.topics[ORDERS]) == (MAIN,)
    assert references(state.queues[DEAD]) == (MAIN,)
    assert references(state.groups[BILLING]) == (ORDERS, STANDARD, DEAD)
    assert references(state.policies[STANDARD]) == ()
    assert references(declare(BILLING)) == (ORDERS,)


def test_only_what_is_asked_for_is_resolved_together_with_what_it_needs() -> None:
    topology = resolve(world(), MAIN, only=[BILLING])
    assert list(topology.groups) == [BILLING]
    assert not topology.topics
    assert not topology.queues
    assert topology.groups[BILLING].topic.external_name == "orders"


def test_objects_of_other_brokers_and_unknown_ones_are_left_out() -> None:
    elsewhere = {"name": "other", "namespace": "platform"}
    state = world(
        declare(ORDERS, brokerRef=elsewhere), declare(DEAD, brokerRef=elsewhere), declare(OTHER_BROKER)
    )
    gone = [Ref(kind, "shop", "gone") for kind in ("EventTopic", "ConsumerGroup", "DeadLetterQueue")]
    topology = resolve(state, MAIN, only=[ORDERS, DEAD, BILLING, *gone])
    assert not any((topology.topics, topology.queues, topology.groups, topology.findings))


def test_rivals_for_a_name_come_along_and_stay_unjudged() -> None:
    """Which of them comes first is told by the mark in the broker."""
    rival = declare(Ref("EventTopic", "depot", "orders2"), externalName="orders", subjects=["depot.>"])
    topology = resolve(world(rival), MAIN, only=[ORDERS])
    assert set(topology.topics) == {ORDERS, rival.ref}
    assert topology.findings == {}


def test_a_kept_index_gives_the_same_answer_as_a_fresh_one() -> None:
    state = world()
    assert resolve(state, MAIN, index=Index.of(state)) == resolve(state, MAIN)


@pytest.mark.parametrize(
    ("objects", "ref"),
    [
        pytest.param([declare(ORDERS, deleting=True, externalName="KV_orders")], ORDERS, id="a topic of a forbidden name"),
        pytest.param([declare(DEAD, deleting=True, externalName="KV_dead")], DEAD, id="a queue of a forbidden name"),
        pytest.param(
            [declare(BILLING, deleting=True, retryPolicyRef={"name": "none"}, deadLetterQueueRef={"name": "none"})],
            BILLING,
            id="a group whose policy and queue are gone",
        ),
        pytest.param(
            [declare(BILLING, deleting=True), declare(ORDERS, externalName="KV_orders")],
            BILLING,
            id="a group whose topic is refused",
        ),
    ],
)  # fmt: skip
def test_what_is_being_deleted_resolves_without_questions(objects: list[Declared[Any]], ref: Ref) -> None:
    topology = resolve(world(*objects), MAIN)
    assert ref in {**topology.topics, **topology.queues, **topology.groups}
    assert said(topology, ref) == []


def test_the_name_pinned_in_the_record_stays() -> None:
    pinned = declare(ORDERS, record=held("orders-of-old"))
    assert resolve(world(pinned), MAIN).topics[ORDERS].external_name == "orders-of-old"


def test_names_left_out_are_made_by_the_template_of_the_broker() -> None:
    broker = declare(
        MAIN,
        allowedNamespaces={"from": "Names", "names": ["shop"]},
        tenancy={"naming": {"template": "{namespace}_{name}", "enforce": True}},
    )
    topology = resolve(world(broker), MAIN)
    assert topology.topics[ORDERS].external_name == "shop_orders"
    assert topology.groups[BILLING].external_name == "shop_billing"


class Guarded(dict[Ref, Declared[Any]]):
    """A store that notes what was looked up and cannot be walked through."""

    def __init__(self, content: Mapping[Ref, Declared[Any]]) -> None:
        super().__init__(content)
        self.seen: set[Ref] = set()

    def __getitem__(self, ref: Ref) -> Declared[Any]:
        self.seen.add(ref)
        return super().__getitem__(ref)

    def get(self, ref: Ref, default: Any = None) -> Any:
        self.seen.add(ref)
        return super().get(ref, default)

    def _walked(self) -> Any:
        raise AssertionError("the whole estate was read")

    __iter__ = keys = values = items = _walked


def test_one_object_among_a_thousand_is_resolved_without_reading_the_others() -> None:
    topics = [declare(Ref("EventTopic", "shop", f"t{n}"), subjects=[f"t{n}.>"]) for n in range(1000)]
    state = world(*topics)
    index = Index.of(state)
    store = Guarded(state.topics)
    guarded = replace(state, topics=store, groups=Guarded(state.groups), queues=Guarded(state.queues))
    topology = resolve(guarded, MAIN, [topics[7].ref, BILLING, DEAD], index)
    assert {*topology.topics, *topology.groups, *topology.queues} == {topics[7].ref, BILLING, DEAD}
    assert store.seen == {topics[7].ref, ORDERS}
