"""Of topics that want the same subjects one comes first, and the others learn no more than they may see."""

from typing import Any

import pytest
from tests.unit.core.declare import MAIN, declare, estate, held, spec_of

from headgate.core.estate import Declared, Ref
from headgate.core.outcomes import Outcome
from headgate.core.resolve import resolve
from headgate.core.topic_subjects import reshaped, subjects_of

OLD = Ref("EventTopic", "shop", "old")
NEW = Ref("EventTopic", "shop", "new")
WIDE = ["orders.>"]
NARROW = ["orders.eu.*"]


def refused(*topics: Declared[Any]) -> set[Ref]:
    topology = resolve(estate(*topics), MAIN)
    assert {ref for ref in topology.findings if ref not in topology.topics} == set(topology.findings)
    return set(topology.findings)


@pytest.mark.parametrize(
    ("old", "new", "losers"),
    [
        pytest.param({}, {}, {NEW}, id="the younger one is refused"),
        pytest.param({}, {"record": held("new")}, {OLD}, id="the one that is not in the broker is refused"),
        pytest.param(
            {"record": held("old")}, {"record": held("new")}, set(), id="of two in the broker neither: it refuses the edit"
        ),
        pytest.param({"mode": "Plan"}, {}, set(), id="what only plans takes nothing"),
        pytest.param({"suspend": True}, {}, set(), id="what is suspended takes nothing"),
        pytest.param({"mode": "Observe", "record": held("old")}, {}, {NEW}, id="what is there keeps what it has in any mode"),
        pytest.param({"externalName": "KV_x"}, {}, {OLD}, id="what is refused anyway blocks nobody"),
        pytest.param({"deleting": True, "record": held("old")}, {}, {NEW}, id="what is going keeps its subjects until it is gone"),
    ],
)  # fmt: skip
def test_of_two_topics_that_overlap(old: dict[str, Any], new: dict[str, Any], losers: set[Ref]) -> None:
    assert refused(declare(OLD, age=9, subjects=WIDE, **old), declare(NEW, subjects=NARROW, **new)) == losers


def test_of_two_of_the_same_age_one_is_refused_whatever_the_order() -> None:
    one, other = declare(OLD, subjects=WIDE), declare(NEW, subjects=NARROW)
    assert refused(one, other) == refused(other, one) == {OLD}


def test_a_topic_that_overlaps_with_many_is_told_once() -> None:
    olds = [declare(Ref("EventTopic", "shop", f"t{n}"), age=9, subjects=[f"orders.{n}"]) for n in range(3)]
    assert len(resolve(estate(*olds, declare(NEW, subjects=WIDE)), MAIN).findings[NEW]) == 1


def test_topics_of_different_brokers_do_not_meet() -> None:
    other = Ref("EventBroker", "shop", "other")
    there = declare(OLD, age=9, subjects=WIDE, brokerRef={"name": "other"})
    assert refused(there, declare(other), declare(NEW, subjects=NARROW)) == set()


def test_a_topic_without_subjects_has_its_name_as_its_subject() -> None:
    assert refused(declare(OLD, age=9), declare(NEW, subjects=["old"])) == {NEW}


def test_the_other_topic_is_named_to_those_who_can_see_it() -> None:
    (finding,) = resolve(
        estate(declare(OLD, age=9, subjects=WIDE), declare(NEW, subjects=NARROW)), MAIN
    ).findings[NEW]
    assert (finding.outcome, finding.reason, finding.rule) == (Outcome.REFUSED, "SubjectOverlap", "HG105")
    assert finding.message.startswith("EventTopic shop/old ")


def test_the_other_topic_is_not_named_to_others() -> None:
    foreign = declare(Ref("EventTopic", "depot", "secret"), age=9, subjects=WIDE)
    (finding,) = resolve(estate(foreign, declare(NEW, subjects=NARROW)), MAIN).findings[NEW]
    assert "secret" not in finding.message
    assert "depot" not in finding.message


@pytest.mark.parametrize(
    ("fields", "subjects", "elsewhere"),
    [
        pytest.param({"subjects": ["a", "b"]}, ("a", "b"), False, id="as declared"),
        pytest.param({}, ("name",), False, id="its name when nothing is declared"),
        pytest.param({"native": {}}, ("name",), False, id="its name beside an empty native block"),
        pytest.param({"native": {"nats": {"mirror": {"name": "source"}}}}, (), True, id="none of its own as a mirror"),
        pytest.param(
            {"native": {"nats": {"sources": [{"name": "source"}]}}}, ("name",), True, id="its name and others with sources"
        ),
    ],
)  # fmt: skip
def test_the_subjects_of_a_topic_are(
    fields: dict[str, Any], subjects: tuple[str, ...], elsewhere: object
) -> None:
    spec = spec_of("EventTopic", **fields)
    assert subjects_of(spec, "name") == subjects
    assert reshaped(spec) == elsewhere
