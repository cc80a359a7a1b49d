"""How topics and groups of Kafka differ and change, as the plan sees it."""

from collections.abc import Mapping
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.brokers.kafka.compiling import group, one_group, one_topic, topic

from headgate.brokers.kafka.resources import (
    GROUP_CONFIGS,
    INHERITED,
    TOPIC_CONFIGS,
    KafkaGroup,
    KafkaTopic,
    configs_of,
    group_key,
    normal,
    parsed,
    split,
    topic_key,
    written,
)
from headgate.core.resource import Resource, differences

KEY = topic_key("orders")


def differing(desired: Resource, observed: Resource) -> list[str]:
    """Which settings are not as declared."""
    return [diff.field for diff in differences(desired, observed)]


def test_an_override_that_nobody_declares_is_a_difference() -> None:
    """It goes back to the broker's own without anybody remembering who wrote it."""
    wanted = one_topic(topic())
    found = replace(wanted, partitions=1, compression_type="zstd", replicas=3)
    (diff,) = differences(wanted, found)
    assert (diff.field, diff.before, diff.after) == ("compression_type", "zstd", INHERITED)


def test_a_config_that_is_never_touched_is_no_difference() -> None:
    """Whatever it is."""
    wanted = one_topic(topic(configs={"compression.type": None}))
    assert differing(wanted, replace(wanted, compression_type="zstd")) == []


def test_copies_that_are_spread_unevenly_are_a_difference() -> None:
    """A reassignment makes them even."""
    wanted = one_topic(topic())
    assert differing(wanted, replace(wanted, replicas="2 to 3")) == ["replicas"]


CHANGES: Mapping[str, tuple[Resource, str, object, object, bool]] = {
    "partitions grow": (KafkaTopic(KEY), "partitions", 3, 4, True),
    "partitions never shrink": (KafkaTopic(KEY), "partitions", 4, 3, False),
    "copies grow": (KafkaTopic(KEY), "replicas", 1, 3, True),
    "copies shrink": (KafkaTopic(KEY), "replicas", 3, 1, True),
    "configs change either way": (KafkaTopic(KEY), "retention_ms", "2", "1", True),
    "positions are added": (KafkaGroup(group_key("a", "b")), "covered", 3, 6, True),
    "positions are never taken away": (KafkaGroup(group_key("a", "b")), "covered", 6, 3, False),
}


@pytest.mark.parametrize("sentence", CHANGES)
def test_a_setting_may_change(sentence: str) -> None:
    """In place, or not at all."""
    resource, name, before, after, may = CHANGES[sentence]
    assert resource.may_change(name, before, after) is may


def test_kafkas_words_and_fields_are_the_same_words() -> None:
    """Every config has a field, every field that is no config is known."""
    for kind, known in ((KafkaTopic, TOPIC_CONFIGS), (KafkaGroup, GROUP_CONFIGS)):
        names = {each.name for each in fields(kind)} - {"key", "needs"}
        others = names - set(known.values())
        assert others <= {
            "partitions",
            "replicas",
            "start",
            "start_time",
            "start_offsets",
            "covered",
            "positions",
            "ladder",
        }
        assert all(name == key.replace(".", "_") for key, name in known.items())


def test_only_what_is_spoken_of_is_sent() -> None:
    """With its override, or to have none."""
    found = dict(configs_of(KafkaTopic(KEY, retention_ms="5", segment_ms=INHERITED)))
    assert found == {"retention.ms": "5", "segment.ms": INHERITED}


def test_the_order_in_a_list_says_nothing() -> None:
    """Only in lists."""
    assert normal("cleanup.policy", "delete, compact") == normal("cleanup.policy", "compact,delete")
    assert normal("compression.type", "a,b") == "a,b"


@given(st.dictionaries(st.integers(0, 10_000), st.integers(0, 1 << 62)))
def test_a_checkpoint_comes_back_as_it_was_written(offsets: dict[int, int]) -> None:
    """Whatever the positions."""
    assert dict(parsed(written(offsets))) == offsets


RESUMED: Mapping[str, tuple[str, str, tuple[str, object]]] = {
    "a group goes on where it was seen": ("earliest", "0:5,1:7", ("resumed", ((0, 5), (1, 7)))),
    "a group that was to begin with the next event begins with the oldest": (
        "latest",
        "",
        ("earliest", None),
    ),
    "a group that began with the oldest event does so again": ("earliest", "", ("earliest", None)),
    "a group that began at a moment does so again": ("time", "", ("time", None)),
}


@pytest.mark.parametrize("sentence", RESUMED)
def test_a_lost_group_comes_back(sentence: str) -> None:
    """Repeats, never gaps."""
    start, position, wanted = RESUMED[sentence]
    found = replace(one_group(group()), start=start).resumed_at(position, "id")
    assert (found.start, found.start_offsets) == wanted


def test_where_a_group_began_is_never_compared() -> None:
    """It is history."""
    wanted = one_group(group())
    assert differing(wanted, replace(wanted, start=None, start_offsets=((0, 9),))) == []


def test_a_group_lies_in_its_topic() -> None:
    """So it is deleted first."""
    assert split(group_key("orders", "billing")) == ("orders", "billing")
    assert group_key("orders", "billing").name.startswith(f"{KEY.name}/")
