"""The metrics as one catalogue: names with units, labels that are bounded, series that go with their object."""

import re

from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.parser import text_string_to_metric_families

from headgate.telemetry.metrics import Metrics

UNITS = (
    "_total",
    "_seconds",
    "_events",
    "_bytes",
    "_replicas",
    "_depth",
    "_reachable",
    "_fresh",
    "_leader",
    "_resources",
)
BOUNDED = {
    "kind", "outcome", "reason", "scope", "ready", "field", "namespace", "name", "operation", "state",
    "direction", "body", "verb", "code", "type", "resource", "le",
}  # fmt: skip


def declared() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Every metric that is ours: name, to its type and labels."""
    found = {}
    for metric in vars(Metrics()).values():
        if isinstance(metric, MetricWrapperBase):
            (family,) = metric.collect()
            name = family.name + ("_total" if family.type == "counter" else "")
            found[name] = (family.type, tuple(metric._labelnames))
    return found


def test_every_name_ends_in_its_unit() -> None:
    assert [name for name in declared() if not name.endswith(UNITS)] == []


def test_every_label_is_one_of_those_known_to_be_bounded() -> None:
    assert {label for _, labels in declared().values() for label in labels} <= BOUNDED


def test_nothing_is_counted_that_can_be_asked() -> None:
    assert all(re.fullmatch(r"headgate(_[a-z]+)+", name) for name in declared())
    assert len(declared()) > 20


def test_a_group_that_is_gone_takes_its_series_along() -> None:
    metrics = Metrics()
    for name in ("billing", "shipping"):
        metrics.group_pending.labels("shop", name).set(7)
        metrics.group_replicas.labels("shop", name, "desired").set(2)
    metrics.forget_group("shop", "billing")
    text = metrics.render().decode()
    assert 'name="billing"' not in text
    assert 'headgate_group_pending_events{name="shipping",namespace="shop"} 7.0' in text


def test_a_queue_and_a_broker_that_are_gone_take_their_series_along() -> None:
    metrics = Metrics()
    metrics.dead_letters.labels("shop", "dead", "MaxAttempts").set(1)
    metrics.broker_requests.labels("platform", "main", "observe", "done").inc()
    metrics.forget_queue("shop", "dead")
    metrics.forget_broker("platform", "main")
    assert not re.search(r'name="(dead|main)"', metrics.render().decode())


def test_counts_of_objects_are_replaced_not_added_up() -> None:
    metrics = Metrics()
    metrics.count_resources({("EventTopic", "False", "Conflict"): 2})
    metrics.count_resources({("EventTopic", "True", "Synced"): 5})
    samples = [
        sample
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
        if sample.name == "headgate_resources"
    ]
    assert [(sample.labels["reason"], sample.value) for sample in samples] == [("Synced", 5.0)]


def test_a_request_is_counted_by_verb_and_code() -> None:
    metrics = Metrics()
    metrics.meter("PATCH", 409, 0.01)
    assert 'headgate_api_requests_total{code="409",verb="PATCH"} 1.0' in metrics.render().decode()
