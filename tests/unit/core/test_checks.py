"""Rules over one object and those it refers to: what is refused, what is only said, and that each is documented."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.core.declare import BILLING, DEAD, MAIN, ORDERS, STANDARD, declare, estate

from headgate.api import KINDS, load, rules
from headgate.core import checks, rules_of_models
from headgate.core.estate import Ref
from headgate.core.outcomes import Finding, Outcome
from headgate.core.resolve import resolve, unplaced
from headgate.core.rule import Severity

SHOP = Path(__file__).parents[3] / "examples" / "shop"

RETAINED = {"retention": {"maxAge": "1h"}}
LONG = {"attempts": 2, "handlingTimeout": "29m", "backoff": {"initial": "2m1s"}}  # 1h 1s
SCALED = {"targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "w"}, "maxReplicas": 12}
WINDOW = {"cron": "0 8 * * *", "duration": "1h", "minReplicas": 2}


@pytest.mark.parametrize(
    ("fields", "ids"),
    [
        pytest.param({}, [], id="nothing special"),
        pytest.param({"subjects": ["$JS.API.>"]}, ["HG110"], id="subjects of the broker"),
        pytest.param({"subjects": ["_INBOX.x"]}, ["HG110"], id="answers to clients"),
        pytest.param({"subjects": ["hg.orders.billing.x"]}, ["HG110"], id="the private way of a group"),
        pytest.param({"subjects": ["*.>"]}, ["HG110"], id="nearly everything"),
        pytest.param({"subjects": ["*.paid"]}, [], id="a wildcard first, but too short for our subjects"),
        pytest.param({"externalName": "$orders", "subjects": ["a"]}, ["HG106"], id="only the name with a dollar"),
        pytest.param({"subjects": ["a.*", "a.b"]}, ["HG111"], id="a subject inside another one"),
        pytest.param({"subjects": ["a.*"], "key": {"wildcard": 1}}, [], id="a key that is there"),
        pytest.param({"subjects": ["a.*.*", "b.*"], "key": {"wildcard": 2}}, ["HG112"], id="a key that is not in each subject"),
        pytest.param({"key": {"wildcard": 1}}, ["HG112"], id="a key and no subjects"),
        pytest.param({**RETAINED, "deduplication": {"window": "1h"}}, [], id="ids remembered as long as events are kept"),
        pytest.param({**RETAINED, "deduplication": {"window": "61m"}}, ["HG113"], id="ids remembered longer than events are kept"),
        pytest.param({"retention": {"maxBytes": "1Mi"}, "deduplication": {"window": "61m"}}, [], id="ids remembered and no age"),
        pytest.param({"retention": {"maxBytes": "1Mi"}, "maxMessageSize": "1Mi"}, [], id="an event that just fits"),
        pytest.param({"retention": {"maxBytes": "1Mi"}, "maxMessageSize": "2Mi"}, ["HG114"], id="an event that does not fit"),
        pytest.param({"storage": "Memory"}, [], id="memory without a promise"),
        pytest.param({"storage": "Memory", "toleratedOutage": "1h"}, ["HG115"], id="memory with a promise"),
    ],
)  # fmt: skip
def test_a_topic_with(fields: dict[str, Any], ids: list[str]) -> None:
    topology = resolve(estate(declare(ORDERS, **fields)), MAIN)
    assert [finding.rule for finding in topology.findings.get(ORDERS, ())] == ids


@pytest.mark.parametrize(
    ("group", "topic", "policy", "queue", "ids"),
    [
        pytest.param({}, {}, {}, {}, [], id="nothing special"),
        pytest.param({"filter": {"subjects": ["orders.*.paid", "orders.c1.new"]}}, {}, {}, {}, [], id="filters inside the topic"),
        pytest.param({"filter": {"subjects": ["orders.>"]}}, {}, {}, {}, ["HG120"], id="a filter wider than the topic"),
        pytest.param({"filter": {"subjects": ["bills.x"]}}, {"native": {"nats": {"mirror": {"name": "m"}}}, "subjects": None}, {}, {}, [], id="a filter on events of another place"),
        pytest.param({"filter": {"subjects": ["orders.*.paid", "orders.c1.paid"]}}, {}, {}, {}, ["HG121"], id="a filter inside another one"),
        pytest.param({}, {"toleratedOutage": "1h", "retention": {"maxAge": "2h1s"}}, LONG, {}, [], id="just enough retention for outage and retries"),
        pytest.param({}, {"toleratedOutage": "1h", "retention": {"maxAge": "2h"}}, LONG, {}, ["HG122"], id="too little retention for outage and retries"),
        pytest.param({}, {"toleratedOutage": "1h", "retention": {"maxBytes": "1Gi"}}, LONG, {}, [], id="retention by size alone"),
        pytest.param({}, RETAINED, LONG, {}, ["HG123"], id="retries longer than retention"),
        pytest.param({}, {"retention": {"maxAge": "61m1s"}}, LONG, {}, [], id="retries within retention"),
        pytest.param({"freshness": {"maxAge": "29m", "settledWithin": "1h"}}, {}, LONG, {}, ["HG124"], id="retries longer than the promise"),
        pytest.param({"freshness": {"maxAge": "29m", "settledWithin": "1h1s"}}, {}, LONG, {}, [], id="retries within the promise"),
        pytest.param({"freshness": {"maxAge": "2h"}}, RETAINED, {}, {}, ["HG125"], id="a promise beyond retention"),
        pytest.param({}, {"maxMessageSize": "1Mi"}, {}, {"maxMessageSize": "1040Ki"}, [], id="dead letters that just fit"),
        pytest.param({}, {"maxMessageSize": "1Mi"}, {}, {"maxMessageSize": "1039Ki"}, ["HG126"], id="dead letters that do not fit"),
        pytest.param({}, {}, {}, {"maxMessageSize": "1Mi"}, ["HG127"], id="a bounded queue of unbounded events"),
        pytest.param({}, {}, {"onExhausted": "Drop", "acknowledgeDataLoss": True}, {}, ["HG128"], id="a queue and nothing to put there"),
        pytest.param({"scaling": SCALED}, {"partitions": 11}, {}, {}, ["HG129"], id="more replicas than partitions"),
        pytest.param({"scaling": SCALED}, {"partitions": 12}, {}, {}, [], id="a partition for each replica"),
        pytest.param({"scaling": {**SCALED, "schedule": [{**WINDOW}]}}, {}, {}, {}, [], id="a schedule that says times"),
        pytest.param({"scaling": {**SCALED, "schedule": [{**WINDOW}, {**WINDOW, "cron": "0 8 31 2 *"}]}}, {}, {}, {}, ["HG130"], id="a schedule that never comes"),
        pytest.param({"scaling": {**SCALED, "schedule": [{**WINDOW, "timeZone": "Mars/Olympus"}]}}, {}, {}, {}, ["HG130"], id="a schedule of nowhere"),
        pytest.param({"freshness": {"maxAge": "1739s"}}, {}, LONG, {}, ["HG131"], id="a promise shorter than one attempt may take"),
        pytest.param({"freshness": {"maxAge": "1s"}, "scaling": {**SCALED, "capacity": {"eventsPerSecondPerReplica": "10"}}}, {}, LONG, {}, [], id="attempts that are declared to be short"),
        pytest.param({"freshness": {"maxAge": "1s"}, "concurrency": {"perReplica": 11}, "scaling": {**SCALED, "capacity": {"eventsPerSecondPerReplica": "10"}}}, {}, {}, {}, ["HG131"], id="a promise shorter than an attempt is declared to take"),
        pytest.param({"freshness": {"maxAge": "1s"}, "retryPolicyRef": None}, {}, {}, {}, [], id="a promise where nobody says how long an attempt takes"),
    ],
)  # fmt: skip
def test_a_group_with(
    group: dict[str, Any],
    topic: dict[str, Any],
    policy: dict[str, Any],
    queue: dict[str, Any],
    ids: list[str],
) -> None:
    refer: dict[str, Any] = {"retryPolicyRef": {"name": "standard"}, "deadLetterQueueRef": {"name": "dead"}}
    state = estate(
        declare(MAIN, allowedNamespaces={"from": "Names", "names": ["shop"]},
                tenancy={"nativeAllowed": {"nats": ["mirror"]}}),
        declare(ORDERS, **{"subjects": ["orders.*.>"], **topic}),
        declare(STANDARD, **policy),
        declare(DEAD, **queue),
        declare(BILLING, **{**refer, **group}),
    )  # fmt: skip
    topology = resolve(state, MAIN)
    found = topology.findings.get(BILLING, ())
    assert [finding.rule for finding in found] == ids
    assert (BILLING in topology.groups) == all(finding.outcome is Outcome.WARNING for finding in found)


def test_ids_are_unique_and_ordered() -> None:
    ids = [rule.id for rule in checks.RULES]
    assert ids == sorted(set(ids))


def test_every_rule_of_the_models_is_explained_under_its_id() -> None:
    """The API server and core speak of the same rules; one of them is arithmetic and lives in core."""
    declared = {
        value for name, value in vars(rules).items() if re.fullmatch(r"HG\d+", str(value)) and name.isupper()
    }
    explained = {rule.id for rule in rules_of_models.RULES}
    assert declared == explained | {rules.RETRY_FITS_DEADLINE}
    assert all(rule.id < "HG100" for rule in rules_of_models.RULES)


@pytest.mark.parametrize("rule", checks.RULES, ids=lambda rule: rule.id)
def test_every_rule_is_explained(rule: Any) -> None:
    assert re.fullmatch(r"HG\d{3}", rule.id)
    assert re.fullmatch(r"([A-Z][a-z]+)+", rule.reason)
    assert rule.title
    assert not rule.title.endswith(".")
    assert rule.explanation.endswith(".")


def test_severity_follows_from_what_happens_to_the_object() -> None:
    severities = {rule.outcome: rule.severity for rule in checks.RULES}
    assert severities == {
        Outcome.REFUSED: Severity.ERROR,
        Outcome.CONFLICT: Severity.ERROR,
        Outcome.WAITING: Severity.WARNING,
        Outcome.WARNING: Severity.WARNING,
    }


def test_a_rule_without_a_function_finds_nothing() -> None:
    assert list(rules_of_models.RULES[0].check(object())) == []


def test_the_shop_breaks_no_rule() -> None:
    kinds = {kind.kind: kind for kind in KINDS}
    objects: list[Any] = []
    for path in sorted(SHOP.rglob("*.yaml")):
        for raw in yaml.safe_load_all(path.read_text()):
            if raw and raw["kind"] in kinds and raw["apiVersion"].startswith("headgate.dev/"):
                ref = Ref(raw["kind"], raw["metadata"]["namespace"], raw["metadata"]["name"])
                assert not isinstance(load(kinds[ref.kind], raw["spec"], strict=True), list)
                objects.append(declare(ref, **raw["spec"]))
    namespaces = {declared.ref.namespace: {"events": "true"} for declared in objects}
    state = estate(*objects, namespaces=namespaces)
    found: list[Finding] = [finding for each in unplaced(state).values() for finding in each]
    for broker in state.brokers:
        found += [finding for each in resolve(state, broker).findings.values() for finding in each]
    assert {declared.ref.kind for declared in objects} == set(kinds)
    assert found == []
