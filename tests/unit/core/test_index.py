"""An index that was kept object by object answers like one that was built from what is left."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core.declare import STORES, declare, spec_of

from headgate.core.estate import Declared, Estate, Ref
from headgate.core.index import Index

NAMES = ("a", "b")
SPACES = ("x", "y")
refs = st.builds(Ref, st.sampled_from(tuple(STORES)), st.sampled_from(SPACES), st.sampled_from(NAMES))
to = st.fixed_dictionaries({"name": st.sampled_from(NAMES), "namespace": st.sampled_from(SPACES)})
external = st.sampled_from((None, "a", "x_a"))
naming = st.sampled_from((None, {"naming": {"template": "{namespace}_{name}"}}))
subjects = st.sampled_from((None, ["s.>"], ["s.a", "t"], ["a"], ["x_a"]))

FIELDS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "EventBroker": {"tenancy": naming},
    "EventTopic": {"brokerRef": to, "externalName": external, "subjects": subjects},
    "ConsumerGroup": {"topicRef": to, "externalName": external, "deadLetterQueueRef": st.none() | to},
    "RetryPolicy": {},
    "DeadLetterQueue": {"brokerRef": to, "externalName": external},
}


@st.composite
def declared(draw: st.DrawFn) -> Declared[Any]:
    ref = draw(refs)
    return declare(ref, **{name: draw(values) for name, values in FIELDS[ref.kind].items()})


events = st.lists(st.one_of(declared(), refs), max_size=25)


def answers(index: Index, left: dict[Ref, Declared[Any]]) -> dict[str, object]:
    every = [Ref(kind, space, name) for kind in STORES for space in SPACES for name in NAMES]
    return {
        "on broker": {ref: set(index.on_broker(ref)) for ref in every if ref.kind == "EventBroker"},
        "readers": {ref: set(index.readers(ref)) for ref in every if ref.kind == "EventTopic"},
        "sources": {ref: set(index.sources(ref)) for ref in every},
        "rivals": {ref: set(index.rivals(ref)) for ref in every},
        "overlapping": {
            ref: [other.ref for other in index.overlapping(ref)] for ref in left if ref.kind == "EventTopic"
        },
    }


@given(events)
def test_a_kept_index_answers_like_a_fresh_one(story: list[Declared[Any] | Ref]) -> None:
    kept = Index()
    left: dict[Ref, Declared[Any]] = {}
    for event in story:
        if isinstance(event, Ref):
            kept.drop(event)
            left.pop(event, None)
        else:
            kept.put(event)
            left[event.ref] = event
    stores: dict[str, dict[Ref, Declared[Any]]] = {store: {} for store in STORES.values()}
    for ref, value in left.items():
        stores[STORES[ref.kind]][ref] = value
    assert answers(kept, left) == answers(Index.of(Estate("cluster", **stores, namespaces={})), left)


def test_an_index_from_which_everything_is_gone_holds_nothing() -> None:
    objects = [declare(Ref(kind, "x", "a")) for kind in STORES]
    objects.append(declare(Ref("ConsumerGroup", "x", "b"), deadLetterQueueRef={"name": "a"}))
    index = Index()
    for value in objects:
        index.put(value)
    for value in objects:
        index.drop(value.ref)
    assert not any((index._filed, index._templates, index._scopes, index._names, index._sources))


def test_a_changed_object_is_found_as_it_is_now() -> None:
    old, new = (Ref("EventTopic", "x", name) for name in ("old", "new"))
    index = Index()
    index.put(declare(old, subjects=["s.>"]))
    index.put(declare(new, subjects=["s.a"]))
    later = declare(old, subjects=["s.>"], suspend=True)
    index.put(later)
    assert index.overlapping(new) == (later,)


@pytest.mark.parametrize(
    "topic_name", [None, "fixed"], ids=["and so does the topic's", "though the topic's does not"]
)
def test_names_of_groups_follow_the_template_of_a_broker_that_is_seen_late(topic_name: str | None) -> None:
    broker, topic = Ref("EventBroker", "x", "main"), Ref("EventTopic", "x", "orders")
    groups = [Ref("ConsumerGroup", "x", name) for name in ("billing", "other")]
    index = Index()
    index.put(declare(groups[0]))
    index.put(declare(groups[1], externalName="x_billing"))
    index.put(declare(topic, brokerRef={"name": "main"}, externalName=topic_name))
    assert index.rivals(groups[0]) == ()
    index.put(declare(broker, tenancy={"naming": {"template": "{namespace}_{name}"}}))
    assert index.rivals(groups[0]) == (groups[1],)
    index.drop(broker)
    assert index.rivals(groups[0]) == ()


def test_a_name_that_is_no_subject_overlaps_with_nothing() -> None:
    """A name may be legal on some broker and not be a subject; its compiler says so."""
    index = Index()
    strange = declare(Ref("EventTopic", "x", "a"), externalName="a..b")
    index.put(strange)
    index.put(declare(Ref("EventTopic", "x", "b"), subjects=["*.>", "*"]))
    assert index.overlapping(strange.ref) == ()
    assert spec_of("EventTopic", externalName="a..b").external_name == "a..b"
