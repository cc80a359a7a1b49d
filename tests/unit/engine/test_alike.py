"""Which parts of declarations are kept once."""

from headgate.api import EventTopicSpec, load
from headgate.api.kinds import KINDS
from headgate.engine.alike import shared

TOPIC = next(kind for kind in KINDS if kind.kind == "EventTopic")


def spec(broker: dict[str, str], team: str = "shop") -> EventTopicSpec:
    raw = {
        "brokerRef": broker,
        "subjects": ["orders.>"],
        "retention": {"maxAge": "1h"},
        "owner": {"team": team, "contact": "#shop"},
    }
    loaded = load(TOPIC, raw, strict=True)
    assert isinstance(loaded, EventTopicSpec)
    return loaded


def test_equal_parts_are_one_and_the_declaration_says_what_it_said() -> None:
    one, other = spec({"name": "main"}), spec({"name": "main"})
    mine, theirs = shared(one.model_copy()), shared(other)
    assert mine == one
    assert mine.model_fields_set == one.model_fields_set
    assert mine.broker_ref is theirs.broker_ref
    assert mine.owner is theirs.owner
    assert mine.retention is theirs.retention


def test_parts_that_differ_stay_apart() -> None:
    mine, theirs = shared(spec({"name": "main"})), shared(spec({"name": "spare"}, team="billing"))
    assert (mine.broker_ref.name, theirs.broker_ref.name) == ("main", "spare")
    assert mine.owner != theirs.owner
    assert mine.retention is theirs.retention


def test_what_was_left_out_is_not_the_same_as_what_was_written() -> None:
    """Both mean the same, and yet what somebody wrote is shown as written."""
    absent = spec({"name": "main"}).broker_ref
    written = absent.model_copy(update={"namespace": absent.namespace})
    assert absent == written
    mine = shared(spec({"name": "main"}))
    theirs = shared(spec({"name": "main"}).model_copy(update={"broker_ref": written}))
    assert mine.broker_ref.model_fields_set == {"name"}
    assert theirs.broker_ref.model_fields_set == {"name", "namespace"}


def test_a_declaration_without_parts_stays_as_it_is() -> None:
    policy = next(kind for kind in KINDS if kind.kind == "RetryPolicy")
    loaded = load(policy, {"attempts": 1, "handlingTimeout": "10s"}, strict=False)
    assert not isinstance(loaded, list)
    assert shared(loaded) is loaded
