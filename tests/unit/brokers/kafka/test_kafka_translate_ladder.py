"""Retries of a group on Kafka: topics for its waits, what its status, its workers and movers are told."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.brokers.kafka.compiling import compiled, group, one_group
from tests.unit.core.declare import BILLING, DEAD, ORDERS, STANDARD, declare

from headgate.brokers.kafka.names import due_topic, retry_topic, wait_of
from headgate.brokers.kafka.resources import KafkaGroup, Step
from headgate.brokers.kafka.values import KafkaGroupNative
from headgate.core.compiled import Compiled
from headgate.core.estate import Ref
from headgate.core.outcomes import Outcome
from headgate.core.resource import differences

CLIENT = KafkaGroupNative(client_retries=True)
DAY = 86_400_000


def retrying(
    policy: Mapping[str, Any], native: KafkaGroupNative | None = None, topic: Mapping[str, Any] | None = None
) -> Compiled:
    """What a group with a policy becomes."""
    objects = (
        declare(ORDERS, **(topic or {})),
        declare(DEAD),
        declare(STANDARD, **policy),
        declare(BILLING, retryPolicyRef={"name": "standard"}, deadLetterQueueRef={"name": "dead"}),
    )
    return compiled(*objects, groups={BILLING: native or KafkaGroupNative()})[BILLING]


def steps(found: Compiled) -> Mapping[str, Step]:
    """The topics of the group's own, by what follows the name of the group."""
    return {step.name.removeprefix("orders-billing-"): step for step in one_group(found).ladder or ()}


LADDERS: Mapping[str, tuple[dict[str, Any], KafkaGroupNative | None, list[str]]] = {
    "a topic for each wait, and one to come back": (
        {"attempts": 3, "backoff": {"initial": "2s", "factor": "4"}},
        None,
        ["due", "retry-2000", "retry-8000"],
    ),
    "equal waits share a topic": (
        {"attempts": 4, "backoff": {"initial": "2s", "max": "4s"}},
        None,
        ["due", "retry-2000", "retry-4000"],
    ),
    "who tries once needs none": ({"attempts": 1}, None, []),
    "workers that keep the waits themselves have nothing come back": (
        {"attempts": 2, "backoff": {"initial": "2s"}},
        CLIENT,
        ["retry-2000"],
    ),
}


@pytest.mark.parametrize("sentence", LADDERS)
def test_a_policy_becomes_topics(sentence: str) -> None:
    """Each is named after its group and its wait."""
    policy, native, wanted = LADDERS[sentence]
    assert list(steps(retrying(policy, native))) == wanted


CONFIGS: Mapping[str, tuple[str, dict[str, Any], KafkaGroupNative | None, tuple[str, str]]] = {
    "a wait counts from when the broker got the event": (
        "retry-2000",
        {},
        None,
        ("message.timestamp.type", "LogAppendTime"),
    ),
    "nothing that waits ever goes by itself": ("retry-2000", {}, None, ("retention.ms", "-1")),
    "nothing goes because there is much": ("due", {}, None, ("retention.bytes", "-1")),
    "what came back is kept as long as in the topic": (
        "due",
        {"retention": {"maxAge": "240h"}},
        None,
        ("retention.ms", str(10 * DAY)),
    ),
    "what came back is kept a week at least": (
        "due",
        {"retention": {"maxAge": "1h"}},
        None,
        ("retention.ms", str(7 * DAY)),
    ),
    "where nobody takes out what was moved, time does": (
        "retry-2000",
        {"retention": {"maxAge": "1h"}},
        CLIENT,
        ("retention.ms", str(7 * DAY + 2000)),
    ),
    "nothing is compacted": ("due", {}, None, ("cleanup.policy", "delete")),
    "a majority has it": ("due", {"replicas": 3}, None, ("min.insync.replicas", "2")),
    "there is room for headers": (
        "retry-2000",
        {"maxMessageSize": "1Mi"},
        None,
        ("max.message.bytes", str((1 << 20) + 16384)),
    ),
}


@pytest.mark.parametrize("sentence", CONFIGS)
def test_what_waits_is_kept(sentence: str) -> None:
    """One row, one override."""
    name, topic, native, wanted = CONFIGS[sentence]
    policy = {"attempts": 2, "backoff": {"initial": "2s"}}
    assert wanted in steps(retrying(policy, native, topic))[name].configs


def test_topics_of_a_group_are_split_and_copied_like_its_topic() -> None:
    """So that whoever has a partition of one may have that of the other."""
    found = retrying({}, topic={"partitions": 6, "replicas": 2}).resources[0]
    assert isinstance(found, KafkaGroup)
    assert {(step.partitions, step.copies) for step in found.ladder or ()} == {(6, 2)}


def test_the_status_says_how_retries_work() -> None:
    """With what they do to order."""
    retry = retrying({"attempts": 3, "backoff": {"initial": "2s"}}).retry
    assert retry is not None
    assert (retry.mechanism, retry.attempts) == ("RetryTopics", 3)
    assert retry.waits == (timedelta(seconds=2), timedelta(seconds=4))
    assert any("lets later ones of its key pass" in note for note in retry.notes)
    kept_off = retrying({"attempts": 3, "onExhausted": "Drop", "acknowledgeDataLoss": True}, CLIENT).retry
    assert kept_off is not None
    assert kept_off.mechanism == "Client"
    assert any("movers keep off" in note for note in kept_off.notes)
    assert any("is gone" in note for note in kept_off.notes)


def test_jitter_is_none() -> None:
    """It is said."""
    found = retrying({"backoff": {"jitterPercent": 20}})
    assert "retryPolicy.backoff.jitterPercent" in [note.field for note in found.notes]


def test_movers_are_told_where_events_come_back() -> None:
    """And after how much they are given up; of a group whose workers keep the waits they are told nothing of that."""
    policy = {"attempts": 3, "backoff": {"initial": "2s"}, "deadline": "5m"}
    route = retrying(policy).route
    assert route is not None
    assert (route.source, route.reader, route.address) == ("orders", "billing", "dead")
    assert (route.due, route.attempts, route.deadline) == ("orders-billing-due", 3, 300.0)
    alone = retrying(policy, CLIENT).route
    assert alone is not None
    assert (alone.due, alone.attempts, alone.deadline) == ("", 0, None)


TAKEN: Mapping[str, tuple[Ref, str]] = {
    "a topic has the name of a wait": (Ref("EventTopic", "shop", "other"), "orders-billing-retry-2000"),
    "a topic has the name of a wait that is not declared": (
        Ref("EventTopic", "shop", "other"),
        "orders-billing-retry-77",
    ),
    "a topic has the name in which events come back, but for a dot": (
        Ref("EventTopic", "shop", "other"),
        "orders-billing-due",
    ),
}


@pytest.mark.parametrize("sentence", TAKEN)
def test_what_others_declare_is_no_topic_of_the_group(sentence: str) -> None:
    """The group gives way."""
    ref, name = TAKEN[sentence]
    found = compiled(declare(ORDERS), declare(ref, externalName=name), declare(BILLING))
    assert found[BILLING].resources == ()
    assert [each.outcome for each in found[BILLING].findings] == [Outcome.CONFLICT]
    assert found[ref].resources


def test_of_two_groups_whose_topics_have_one_name_the_later_gives_way() -> None:
    """Names are put together, and so can be taken apart in two ways."""
    topic, first, second = (
        Ref("EventTopic", "shop", "short"),
        Ref("ConsumerGroup", "shop", "a"),
        Ref("ConsumerGroup", "shop", "b"),
    )
    found = compiled(
        declare(ORDERS, externalName="a-b"),
        declare(topic, externalName="a"),
        declare(first, topicRef={"name": "orders"}, externalName="c"),
        declare(second, topicRef={"name": "short"}, externalName="b-c"),
    )
    assert sorted(len(found[ref].resources) for ref in (first, second)) == [0, 1]


def test_names_that_kafka_does_not_take_are_refused() -> None:
    """Also where it is the name of the group, which Kafka takes for a group, that is at fault."""
    found = group(externalName="a:b")
    assert [each.field for each in found.findings] == ["spec.externalName"]
    assert found.resources == ()


PLAIN = "[a-z0-9._-]{1,20}"


@given(st.from_regex(PLAIN, fullmatch=True), st.from_regex(PLAIN, fullmatch=True), st.integers(0, 10**12))
def test_a_wait_is_read_back_from_the_name_of_its_topic(topic: str, name: str, milliseconds: int) -> None:
    """And where events come back is no wait."""
    wait = timedelta(milliseconds=milliseconds)
    assert wait_of(topic, name, retry_topic(topic, name, wait)) == wait
    assert wait_of(topic, name, due_topic(topic, name)) is None
    assert wait_of(topic, name, f"{retry_topic(topic, name, wait)}-due") is None


def test_other_spellings_of_a_number_are_no_waits() -> None:
    """They are somebody else's topics."""
    for spelling in ("02000", "2000 ", "²", "", "-1", "2e3"):
        assert wait_of("orders", "billing", f"orders-billing-retry-{spelling}") is None


MET: Mapping[str, tuple[Step, bool]] = {
    "the same": (Step("due", 3, 2, (("retention.ms", "5"),)), True),
    "more partitions and overrides": (Step("due", 4, 2, (("a", "1"), ("retention.ms", "5"))), True),
    "fewer partitions": (Step("due", 2, 2, (("retention.ms", "5"),)), False),
    "fewer copies": (Step("due", 3, 1, (("retention.ms", "5"),)), False),
    "another override": (Step("due", 3, 2, (("retention.ms", "6"),)), False),
    "another topic": (Step("retry-5", 3, 2, (("retention.ms", "5"),)), False),
}


@pytest.mark.parametrize("sentence", MET)
def test_topics_are_as_declared(sentence: str) -> None:
    """Those of earlier waits may be there too: somebody may still put events into them."""
    found, fine = MET[sentence]
    wanted = replace(one_group(group()), ladder=(Step("due", 3, 2, (("retention.ms", "5"),)),))
    observed = replace(wanted, ladder=(found, Step("retry-9")))
    assert ([diff.word for diff in differences(wanted, observed)] == []) is fine


def test_plans_say_topics_by_name() -> None:
    """With what they are like."""
    step = Step("due", 3, None, (("retention.ms", "5"),))
    assert KafkaGroup.said("ladder", (step, Step("retry-9"))) == "due (partitions 3, retention.ms 5); retry-9"
    assert KafkaGroup.said("ladder", ()) == "no topics of its own"
    assert KafkaGroup.said("covered", 3) == "3"
