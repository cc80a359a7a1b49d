"""What is declared is read back as declared, whoever's policy is in effect."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.brokers.rabbitmq.documents import Snapshot, bindings_of, named, observed, overruling
from headgate.brokers.rabbitmq.names import mark_in, policy_name, step_name
from headgate.brokers.rabbitmq.parts import Part, Signature, parts_of
from headgate.brokers.rabbitmq.resources import (
    Binding,
    DeadLetters,
    Delay,
    Exchange,
    Queue,
    exchange_key,
    queue_key,
)
from headgate.core.resource import Resource, differences

MARK = "cluster/ConsumerGroup/shop/billing"
SIGNATURE = Signature(MARK, "1", 900)
MILLISECONDS = st.integers(0, 10**9).map(lambda n: timedelta(milliseconds=n))
SECONDS = st.integers(0, 10**6).map(lambda n: timedelta(seconds=n))
BOUNDS = st.just(-1) | st.integers(0, 2**40)
KEYS = st.lists(st.sampled_from(["a", "a.*.#", "b.c"]), unique=True).map(sorted).map(tuple)
WAITS = MILLISECONDS.filter(bool)
DELAYS = st.just(Delay()) | st.builds(Delay, st.just("all"), WAITS, WAITS)
QUEUES = st.builds(
    Queue,
    key=st.just(queue_key("billing")),
    type=st.just("quorum"),
    single_active_consumer=st.booleans(),
    copies=st.sampled_from([1, 3]),
    bindings=KEYS.map(lambda keys: tuple(Binding("orders", key) for key in keys)),
    delivery_limit=st.integers(-1, 30),
    dead_letters=st.just(DeadLetters()) | st.builds(DeadLetters, st.just("dead"), st.booleans()),
    overflow=st.sampled_from(["drop-head", "reject-publish"]),
    max_length=BOUNDS,
    max_bytes=BOUNDS,
    message_ttl=MILLISECONDS,
    consumer_timeout=MILLISECONDS,
    delay=DELAYS,
    steps=st.lists(WAITS, unique=True, max_size=3).map(sorted).map(tuple),
    closed_max_age=SECONDS,
    shadowed_by=st.just(""),
)
EXCHANGES = st.builds(
    Exchange,
    key=st.just(exchange_key("orders")),
    type=st.just("topic"),
    alternate_exchange=st.sampled_from(["", "headgate_unrouted"]),
    replay=st.sampled_from([True]),
    replay_keys=KEYS,
    replay_max_age=SECONDS,
    replay_max_bytes=BOUNDS,
    replay_segment_bytes=BOUNDS,
    replay_copies=st.sampled_from([1, 3]),
    shadowed_by=st.just(""),
    replay_shadowed_by=st.just(""),
)


def item(part: Part, *, told: bool) -> dict[str, Any]:
    """A part as the server lists it; newer ones tell the settings in effect too."""
    found: dict[str, Any] = {"name": part.name, "type": part.type, "arguments": dict(part.arguments)}
    if part.policy is not None:
        found["policy"] = part.policy.name
        found |= {"effective_policy_definition": dict(part.policy.definition)} if told else {}
    return found


def listed(resource: Exchange | Queue, *, told: bool, signature: Signature = SIGNATURE) -> Snapshot:
    """A virtual host that holds the one object."""
    parts = parts_of(resource, signature)
    bound = [
        {
            "source": each.source,
            "destination": part.name,
            "destination_type": "queue",
            "routing_key": each.routing_key,
        }
        for part in parts
        for each in part.bindings
    ]
    policies = [
        {"name": policy.name, "pattern": policy.pattern, "apply-to": policy.applies_to}
        | {"priority": policy.priority, "definition": dict(policy.definition)}
        for part in parts
        if (policy := part.policy) is not None
    ]
    return Snapshot(
        named(item(part, told=told) for part in parts if part.kind == "exchange"),
        named(item(part, told=told) for part in parts if part.kind == "queue"),
        bindings_of(bound),
        named(policies),
    )


@given(QUEUES | EXCHANGES, st.booleans())
def test_everything_that_is_declared_is_read_back(resource: Exchange | Queue, told: bool) -> None:  # noqa: FBT001  (Hypothesis gives it)
    found = observed(listed(resource, told=told), resource.key)
    assert found is not None
    assert list(differences(resource, found.resource)) == []
    assert (found.mark, found.identity, found.adopted) == (MARK, "1", False)


QUEUE = Queue(queue_key("billing"), type="quorum", delivery_limit=4, shadowed_by="")
TOPIC = Exchange(exchange_key("orders"), type="topic", alternate_exchange="x", replay=True, shadowed_by="")


def test_nothing_is_made_of_what_is_not_there() -> None:
    assert observed(Snapshot(), QUEUE.key) is None
    assert observed(Snapshot(), TOPIC.key) is None


def test_a_policy_of_ours_decides_whose_an_object_is_before_its_argument() -> None:
    snapshot = listed(QUEUE, told=True, signature=Signature("cluster/ConsumerGroup/attic/billing", "1", 900))
    ours = policy_name("queue", "billing", MARK)
    queue = {**snapshot.queues["billing"], "policy": ours}
    found = observed(replace(snapshot, queues={"billing": queue}), QUEUE.key)
    assert found is not None
    assert (found.mark, found.adopted) == (MARK, True)


def test_a_policy_of_somebody_else_in_effect_is_told_with_its_settings() -> None:
    snapshot = listed(QUEUE, told=False)
    theirs = {
        "name": "theirs",
        "pattern": "^bill",
        "apply-to": "all",
        "priority": 999,
        "definition": {"max-length": 7},
    }
    queue = {**snapshot.queues["billing"], "policy": "theirs"}
    found = observed(
        replace(snapshot, queues={"billing": queue}, policies={**snapshot.policies, "theirs": theirs}),
        QUEUE.key,
    )
    assert found is not None
    told = {diff.field: diff.before for diff in differences(QUEUE, found.resource)}
    assert told == {"shadowed_by": "theirs", "delivery_limit": 20}
    assert found.mark == MARK


MADE: Mapping[str, tuple[dict[str, Any], dict[str, object]]] = {
    "not durable": ({"durable": False}, {"durable": False}),
    "going with its last binding": ({"auto_delete": True}, {"auto_delete": True}),
    "an argument overrules the policy": (
        {"arguments": {"alternate-exchange": "theirs"}},
        {"alternate_exchange": "theirs"},
    ),
}


@pytest.mark.parametrize(("made", "told"), MADE.values(), ids=MADE)
def test_how_an_exchange_was_made_is_told(made: dict[str, Any], told: dict[str, object]) -> None:
    wanted = replace(TOPIC, durable=True, auto_delete=False)
    whole = listed(wanted, told=True)
    exchanges = {"orders": {**whole.exchanges["orders"], **made}}
    found = observed(replace(whole, exchanges=exchanges), wanted.key)
    assert found is not None
    assert {diff.field: diff.before for diff in differences(wanted, found.resource)} == told


def test_an_argument_keeps_an_exchange_from_being_as_declared_where_it_says_something_else() -> None:
    given = {"arguments": {"alternate-exchange": "x"}}
    assert overruling(TOPIC, {}) == overruling(TOPIC, given) == ()
    assert overruling(replace(TOPIC, alternate_exchange=None), given) == ()
    assert overruling(replace(TOPIC, alternate_exchange="y"), given) == ("alternate-exchange=x",)
    assert overruling(TOPIC, {"internal": True}) == ("internal",)


RIVALS: Mapping[str, tuple[dict[str, Any], bool]] = {
    "one that ranks higher wins": ({"priority": 999, "pattern": "^ord", "apply-to": "all"}, True),
    "one that ranks lower does not": ({"priority": 1, "pattern": "^ord", "apply-to": "all"}, False),
    "one for queues does not": ({"priority": 999, "pattern": "^ord", "apply-to": "queues"}, False),
    "one for other names does not": ({"priority": 999, "pattern": "^b", "apply-to": "all"}, False),
    "one that no name fits does not": ({"priority": 999, "pattern": "(", "apply-to": "all"}, False),
}


@pytest.mark.parametrize(("rival", "wins"), RIVALS.values(), ids=RIVALS)
def test_where_the_server_does_not_tell_which_policy_is_in_effect(rival: dict[str, Any], wins: bool) -> None:  # noqa: FBT001  (a row)
    snapshot = listed(TOPIC, told=False)
    exchange = {name: value for name, value in snapshot.exchanges["orders"].items() if name != "policy"}
    policies = {**snapshot.policies, "theirs": {"name": "theirs", "definition": {}, **rival}}
    found = observed(replace(snapshot, exchanges={"orders": exchange}, policies=policies), TOPIC.key)
    assert found is not None
    assert isinstance(found.resource, Exchange)
    assert found.resource.shadowed_by == ("theirs" if wins else "")


def test_a_lost_stream_makes_it_another_object_and_a_lost_exchange_does_not() -> None:
    whole = listed(TOPIC, told=True)
    other = {name: {**each, "arguments": {"x-headgate-id": "2"}} for name, each in whole.queues.items()}
    with_stream = observed(replace(whole, queues=other), TOPIC.key)
    without_stream = observed(replace(whole, queues={}), TOPIC.key)
    without_exchange = observed(replace(whole, queues=other, exchanges={}), TOPIC.key)
    assert with_stream is not None
    assert without_stream is not None
    assert without_exchange is not None
    assert [each.identity for each in (with_stream, without_stream, without_exchange)] == ["2", "1", "2"]
    assert all(
        TOPIC.may_change(d.field, d.before, d.after) for d in differences(TOPIC, without_exchange.resource)
    )


def test_a_step_that_does_not_lead_back_is_as_good_as_missing() -> None:
    wait = timedelta(seconds=1)
    resource = replace(QUEUE, steps=(wait,))
    snapshot = listed(resource, told=True)
    step = step_name("billing", wait)
    broken = {**snapshot.queues, step: {**snapshot.queues[step], "effective_policy_definition": {}}}
    found = observed(replace(snapshot, queues=broken), QUEUE.key)
    assert found is not None
    assert isinstance(found.resource, Queue)
    assert found.resource.steps == ()


FIXED: Mapping[str, tuple[Resource, str, object, object]] = {
    "the type of a queue": (QUEUE, "type", "classic", "quorum"),
    "how many read a queue": (QUEUE, "single_active_consumer", False, True),
    "the type of an exchange": (TOPIC, "type", "fanout", "topic"),
    "that there is a stream": (TOPIC, "replay", True, False),
}


@pytest.mark.parametrize(("resource", "name", "before", "after"), FIXED.values(), ids=FIXED)
def test_it_cannot_be_changed(resource: Resource, name: str, before: object, after: object) -> None:
    assert not resource.may_change(name, before, after)


def test_the_mark_in_the_name_of_a_policy_is_for_that_object_alone() -> None:
    name = policy_name("queue", "a:b", MARK)
    assert mark_in(name, "queue", "a:b") == MARK
    assert mark_in(name, "queue", "a") is None
    assert mark_in(name, "exchange", "a:b") is None
    assert mark_in("somebody else's", "queue", "a:b") is None


@pytest.mark.parametrize(
    ("text", "age"),
    [
        ("168h", timedelta(hours=168)),
        ("1D", timedelta(days=1)),
        ("2m", timedelta(minutes=2)),
        ("0s", timedelta()),
    ],
)
def test_ages_of_streams_are_understood_in_any_unit(text: str, age: timedelta) -> None:
    snapshot = listed(TOPIC, told=True)
    stream = {**snapshot.queues["orders.replay"], "effective_policy_definition": {"max-age": text}}
    found = observed(replace(snapshot, queues={"orders.replay": stream}), TOPIC.key)
    assert found is not None
    assert isinstance(found.resource, Exchange)
    assert found.resource.replay_max_age == age
