"""Streams and consumers as JSON and back; marks, managed settings, user metadata."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.api import EventBrokerSpec
from headgate.brokers.base import Refused
from headgate.brokers.nats.documents import OWNER, dump, load_consumer, load_stream, managed_of, mark_of
from headgate.brokers.nats.jetstream import Rejected
from headgate.brokers.nats.resources import (
    Consumer,
    ConsumerLimits,
    External,
    Placement,
    Republish,
    Source,
    Stream,
    Transform,
    consumer_key,
    stream_key,
)
from headgate.brokers.registry import driver_of
from headgate.core.resource import differences, settings_of

MARKS = {OWNER: "i/EventTopic/shop/orders"}
words = st.text("abc", min_size=1, max_size=4)
names = st.frozensets(words, max_size=3).map(lambda found: tuple(sorted(found)))
spans = st.integers(1, 10**9).map(lambda count: timedelta(microseconds=count))
transforms = st.builds(Transform, words, words)
sources = st.builds(
    Source,
    words,
    opt_start_seq=st.integers(0, 9),
    filter_subject=st.just("") | words,
    subject_transforms=st.lists(transforms, max_size=2).map(tuple),
    external=st.none() | st.builds(External, words, words),
    consumer=st.just("") | words,
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "str": words,
    "bool": st.booleans(),
    "int": st.integers(1, 1000),
    "timedelta": spans,
    "Placement": st.builds(Placement, words, names, words),
    "Source": sources,
    "tuple[Source, ...]": st.lists(sources, max_size=2).map(tuple),
    "Transform": transforms,
    "Republish": st.builds(Republish, words, words, st.booleans()),
    "ConsumerLimits": st.builds(ConsumerLimits, spans, st.integers(0, 9)),
    "tuple[str, ...]": names,
    "tuple[timedelta, ...]": st.lists(spans, max_size=3).map(tuple),
    "tuple[tuple[str, str], ...]": st.dictionaries(words, words, max_size=2).map(
        lambda d: tuple(sorted(d.items()))
    ),
}
MOMENTS = {"opt_start_time", "pause_until"}


def settings(kind: type[Stream | Consumer]) -> st.SearchStrategy[dict[str, Any]]:
    """Any opinion, or none, on every setting."""

    def values(name: str) -> st.SearchStrategy[Any]:
        if name in MOMENTS:
            return st.just("2026-11-01T00:00:00Z")
        text = str(kind.__dataclass_fields__[name].type)
        for noise in ("headgate.brokers.nats.resources.", "datetime.", " | None"):
            text = text.replace(noise, "")
        return VALUES[text]

    return st.fixed_dictionaries({name: st.none() | values(name) for name in settings_of(kind)})


@given(settings(Stream))
def test_a_stream_reads_back_as_it_was_written(opinions: dict[str, Any]) -> None:
    """Every setting with an opinion, whatever the others are."""
    stream = Stream(stream_key("orders"), **opinions)
    document = dump(stream, None, MARKS)
    assert list(differences(stream, load_stream(stream.key, document))) == []
    assert mark_of(document) == MARKS[OWNER]


@given(settings(Consumer))
def test_a_consumer_reads_back_as_it_was_written(opinions: dict[str, Any]) -> None:
    """Every setting with an opinion, whatever the others are."""
    consumer = Consumer(consumer_key("orders", "billing"), **opinions)
    assert list(differences(consumer, load_consumer(consumer.key, dump(consumer, None, MARKS)))) == []


@given(settings(Stream), settings(Stream))
def test_an_update_keeps_what_it_has_no_opinion_on(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Read, change, write."""
    found = dump(Stream(stream_key("orders"), **before), None, {})
    wanted = Stream(stream_key("orders"), **after)
    old, new = load_stream(wanted.key, found), load_stream(wanted.key, dump(wanted, found, {}))
    untouched = [name for name, value in after.items() if value is None] + ["first_seq"]
    assert all(getattr(new, name) == getattr(old, name) for name in untouched if name != "metadata")


def test_what_was_declared_is_remembered_in_the_mark() -> None:
    """So that it goes back to its default when it leaves the declaration; what is always declared is not listed."""
    stream = Stream(
        stream_key("o"), subjects=("o",), compression="s2", allow_direct=False, metadata=(("team", "a"),)
    )
    document = dump(stream, None, MARKS)
    assert managed_of(document) == {"compression", "metadata"}


def test_metadata_of_others_stays_and_ours_goes_when_it_is_no_longer_declared() -> None:
    """And the server's own words are not sent back to it."""
    found = {"metadata": {"theirs": "x", "_nats.ver": "2.15.1"}}
    first = dump(Stream(stream_key("o"), metadata=(("team", "a"),)), found, MARKS)
    assert load_stream(stream_key("o"), first).metadata == (("team", "a"),)
    second = dump(Stream(stream_key("o"), metadata=()), first, MARKS)
    assert second["metadata"] == {"theirs": "x", **MARKS}


def test_error_codes_have_stable_reasons() -> None:
    """What people and metrics see."""
    reasons = {code: Rejected(code, "").reason for code in (10058, 10065, 10025, 10047, 10052)}
    assert reasons == {
        10058: "AlreadyExists",
        10065: "SubjectsOverlap",
        10025: "UnsupportedByServer",
        10047: "InsufficientResources",
        10052: "InvalidSetting",
    }


def test_a_spec_without_a_broker_is_refused_by_name() -> None:
    """The only list of brokers knows what is missing."""
    with pytest.raises(Refused) as refusal:
        driver_of(EventBrokerSpec.model_construct(nats=None))
    assert refusal.value.reason == "BrokerMissing"
