"""Loading what users wrote: strict at the door, lenient in the store, errors that people can act on."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from headgate.api import (
    KINDS,
    Condition,
    ConditionStatus,
    ConsumerGroupStatus,
    DeadLetterQueueStatus,
    EventTopicSpec,
    EventTopicStatus,
    FieldError,
    Kind,
    Lag,
    PlanEntry,
    RetryPolicySpec,
    RetryPolicyStatus,
    dump,
    dump_status,
    load,
    name_fits,
)
from headgate.api.rules import RETRY_FITS_DEADLINE

EXAMPLES = Path(__file__).parents[2] / "examples"
BY_NAME = {kind.kind: kind for kind in KINDS}
TOPIC = {"brokerRef": {"name": "main"}, "retention": {"maxAge": "24h"}}


def files(folder: str) -> list[Any]:
    """The examples of a folder as objects, named by what they show."""
    found = sorted((EXAMPLES / folder).glob("*.yaml"))
    return [pytest.param(PlainTimes(path.read_text()).get_single_data(), id=path.stem) for path in found]


class PlainTimes(yaml.SafeLoader):
    """YAML as Kubernetes reads it: a time is a string."""

    yaml_implicit_resolvers = {  # noqa: RUF012  (as the parent has it)
        first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def loaded(body: dict[str, Any], *, strict: bool = True) -> Any:
    """The spec of an object or its errors."""
    return load(BY_NAME[body["kind"]], body["spec"] or {}, strict=strict)


@pytest.mark.parametrize("body", files("valid"))
def test_good_examples_load(body: dict[str, Any]) -> None:
    """What the API server takes, the models take."""
    spec = loaded(body)
    assert not isinstance(spec, list), [str(error) for error in spec]
    assert name_fits(body["metadata"]["name"], spec)


@pytest.mark.parametrize("body", files("valid"))
def test_good_examples_come_back(body: dict[str, Any]) -> None:
    """Dumping and loading again gives the same value."""
    spec = loaded(body)
    assert load(BY_NAME[body["kind"]], dump(spec), strict=True) == spec


@pytest.mark.parametrize("body", files("invalid"))
def test_bad_examples_do_not_load(body: dict[str, Any]) -> None:
    """What the API server refuses, the models refuse with one error; the retry sum is arithmetic of core."""
    spec = loaded(body)
    if isinstance(spec, RetryPolicySpec) and spec.deadline is not None:
        assert any(rule.id == RETRY_FITS_DEADLINE and rule.holds is None for rule in RetryPolicySpec.checks)
    elif isinstance(spec, list):
        assert len(spec) == 1, [str(error) for error in spec]
    else:
        assert not name_fits(body["metadata"]["name"], spec)


ERRORS: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "a unit that does not exist": ("EventTopic", {"retention": {"maxAge": "7d"}}, "spec.retention.maxAge", "168h (7 days)"),
    "a slip of the pen": ("EventTopic", {"retenion": {}}, "spec.retenion", "did you mean retention?"),
    "a field of nowhere": ("EventTopic", {"owner": {"team": "a", "x": 1}}, "spec.owner.x", "there are: contact, runbook, team"),
    "a number in quotes": ("EventTopic", {"replicas": "3"}, "spec.replicas", "whole number"),
    "a number with a fraction": ("EventTopic", {"replicas": 1.5}, "spec.replicas", "whole number"),
    "a word for a switch": ("EventTopic", {"suspend": "yes"}, "spec.suspend", "true or false"),
    "a word that is not in the list": ("EventTopic", {"storage": "Disk"}, "spec.storage", "must be one of: File, Memory"),
    "a text for a list": ("EventTopic", {"subjects": "a.b"}, "spec.subjects", "must be a list"),
    "an entry of a list": ("EventTopic", {"subjects": ["a", "b."]}, "spec.subjects[1]", "separated by dots"),
    "the same entry twice": ("EventTopic", {"subjects": ["a", "a"]}, "spec.subjects", "the same entry twice"),
    "a text for an object": ("EventTopic", {"owner": "checkout"}, "spec.owner", "an object with fields"),
    "a line break behind a name": ("EventTopic", {"externalName": "a\n"}, "spec.externalName", "printable ASCII"),
    "too few": ("EventTopic", {"partitions": 0}, "spec.partitions", "must be at least 1"),
    "too many": ("EventTopic", {"partitions": 99999}, "spec.partitions", "must be at most 10000"),
    "too long": ("EventTopic", {"externalName": "x" * 300}, "spec.externalName", "must have at most 249 characters"),
    "a number for a size": ("EventTopic", {"maxMessageSize": True}, "spec.maxMessageSize", "write a size"),
    "a rule inside": ("EventTopic", {"retention": {}}, "spec.retention.maxAge", "at least one of maxAge and maxBytes"),
    "a rule in a list inside": (
        "EventTopic",
        {"native": {"nats": {"sources": [{"name": "a", "optStartSeq": 1, "optStartTime": "2026-11-01T00:00:00Z"}]}}},
        "spec.native.nats.sources[0].optStartTime",
        "contradict each other",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "spec", "path", "text"), ERRORS.values(), ids=ERRORS.keys())
def test_errors_name_the_field(kind: str, spec: dict[str, Any], path: str, text: str) -> None:
    """One error, with the path as users write it and what to do."""
    errors = load(BY_NAME[kind], TOPIC | spec, strict=True)
    assert [error.path for error in errors] == [path]
    assert text in errors[0].message


@pytest.mark.parametrize(
    "raw", [None, "text", 5, ["brokerRef"]], ids=["nothing", "a text", "a number", "a list"]
)
def test_a_spec_that_is_no_object(raw: object) -> None:
    """Whatever stands there, it is an error and no crash."""
    errors = load(BY_NAME["EventTopic"], raw, strict=True)
    assert [str(error) for error in errors] == ["spec: must be an object with fields"]


def test_the_shop_loads() -> None:
    """Every declaration of the shop is taken strictly."""
    texts = [path.read_text() for path in sorted((EXAMPLES.parents[1] / "examples" / "shop").glob("*.yaml"))]
    bodies = [body for text in texts for body in yaml.safe_load_all(text) if body["kind"] in BY_NAME]
    assert {body["kind"] for body in bodies} == set(BY_NAME)
    assert [error for body in bodies if isinstance(error := loaded(body), list)] == []


def test_required_fields_are_named() -> None:
    """All that is missing is said at once."""
    errors = load(BY_NAME["ConsumerGroup"], {}, strict=True)
    assert [str(error) for error in errors] == ["spec.topicRef: is required", "spec.start: is required"]


def test_errors_hold_no_values() -> None:
    """Credentials in a wrong place are refused and not repeated."""
    errors = load(BY_NAME["EventBroker"], {"nats": {"servers": ["nats://a:hunter2@b"]}}, strict=True)
    assert errors
    assert all("hunter2" not in str(error) for error in errors)


UNKNOWN = TOPIC | {"later": 1, "brokerRef": {"name": "main", "later": 1}, "native": {"nats": {"later": 1}}}


def test_unknown_fields_at_the_door() -> None:
    """Strict loading refuses them, at every depth."""
    errors = load(BY_NAME["EventTopic"], UNKNOWN, strict=True)
    assert {error.path for error in errors} == {
        "spec.later",
        "spec.brokerRef.later",
        "spec.native.nats.later",
    }


def test_unknown_fields_in_the_store() -> None:
    """Lenient loading ignores them: a newer version wrote them."""
    spec = load(BY_NAME["EventTopic"], UNKNOWN, strict=False)
    assert isinstance(spec, EventTopicSpec)
    assert dump(spec) == TOPIC | {"native": {"nats": {}}}


def test_models_are_frozen() -> None:
    """Nobody changes a declaration."""
    with pytest.raises(ValidationError):
        RetryPolicySpec().attempts = 7  # type: ignore[misc]  # the mistake that this is about


def test_the_default_policy() -> None:
    """What a group without a policy gets: five attempts of 30s, 1s and doubling."""
    policy = RetryPolicySpec()
    assert (policy.attempts, policy.handling_timeout) == (5, timedelta(seconds=30))
    assert (policy.backoff.initial, policy.backoff.factor, policy.backoff.jitter_percent) == (
        timedelta(seconds=1),
        None,
        0,
    )


NOW = datetime(2026, 11, 20, 10, 0, 0, 123456, tzinfo=UTC)


def test_status_without_what_is_not_known() -> None:
    """Nothing empty is written; moments are in UTC and whole seconds."""
    ready = Condition(type="Ready", status=ConditionStatus.TRUE, reason="Ok", last_transition_time=NOW)
    status = ConsumerGroupStatus(conditions=(ready,), lag=Lag(pending=0, oldest_time=NOW))
    assert dump_status(status) == {
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "reason": "Ok",
                "message": "",
                "lastTransitionTime": "2026-11-20T10:00:00Z",
            }
        ],
        "lag": {"pending": 0, "oldestTime": "2026-11-20T10:00:00Z"},
    }


def test_status_in_words() -> None:
    """Durations and reserved words are written as users read them."""
    plan = (PlanEntry(action="Update", target="stream/orders", field="max_age", from_="72h", to="168h"),)
    assert dump_status(EventTopicStatus(plan=plan))["plan"][0]["from"] == "72h"
    assert dump_status(RetryPolicyStatus(worst_case=timedelta(seconds=244))) == {"worstCase": "4m4s"}


def test_long_lists_in_status_are_cut() -> None:
    """No status is refused for its length."""
    groups = [{"group": f"shop/g{number}", "depth": 1} for number in range(300)]
    status = DeadLetterQueueStatus.model_validate({"groups": groups})
    assert len(dump_status(status)["groups"]) == 256


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_an_empty_status_is_nothing(kind: Kind) -> None:
    """A status about which nothing is known writes nothing."""
    assert dump_status(kind.status()) == {}


def test_errors_read_as_sentences() -> None:
    """An error prints as path and sentence."""
    assert str(FieldError("spec.a", "is required")) == "spec.a: is required"
