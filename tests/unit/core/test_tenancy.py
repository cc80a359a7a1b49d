"""What other namespaces may declare on a shared broker, decided before the broker hears of it."""

from typing import Any

import pytest
from tests.unit.core.declare import MAIN, declare, estate, held

from headgate.core.estate import Estate, Ref
from headgate.core.resolve import resolve
from headgate.core.tenancy import may_adopt, may_delete

SHARED = {"from": "Names", "names": ["shop", "depot"]}
SHOP = Ref("EventTopic", "shop", "orders")
HOME = Ref("EventTopic", "platform", "orders")
GROUP = Ref("ConsumerGroup", "shop", "billing")
COMPRESSED = {"nats": {"compression": "s2"}}


def on_broker(tenancy: dict[str, Any] | None, *objects: Any, allowed: dict[str, Any] | None = None) -> Estate:
    return estate(declare(MAIN, allowedNamespaces=allowed or SHARED, tenancy=tenancy), *objects)


def broken(state: Estate, ref: Ref) -> list[tuple[str, str, str]]:
    found = resolve(state, MAIN).findings.get(ref, ())
    return [(finding.rule, finding.reason, finding.field) for finding in found]


@pytest.mark.parametrize(
    ("tenancy", "ref", "fields", "rules"),
    [
        pytest.param(None, SHOP, {"externalName": "KV_orders"}, ["HG106"], id="a name that is protected when nothing is said"),
        pytest.param(None, HOME, {"externalName": "OBJ_x"}, ["HG106"], id="a protected name in the broker's own namespace"),
        pytest.param({"protectedNames": ["legacy-*"]}, SHOP, {"externalName": "legacy-1"}, ["HG106"], id="a name that is protected by hand"),
        pytest.param({"protectedNames": ["legacy-*"]}, SHOP, {"externalName": "KV_orders"}, [], id="a name that is not on the broker's own list"),
        pytest.param({"protectedNames": []}, SHOP, {"externalName": "headgate_advisories"}, ["HG106"], id="a name of Headgate's own, however short the list"),
        pytest.param({"protectedNames": ["a.c*d"]}, SHOP, {"externalName": "abcd", "subjects": ["x"]}, [], id="a dot in a pattern that is no wildcard"),
        pytest.param({"naming": {"template": "{namespace}_{name}", "enforce": True}}, SHOP, {"externalName": "orders"}, ["HG107"], id="a name beside the template where it is enforced"),
        pytest.param({"naming": {"template": "{namespace}_{name}", "enforce": True}}, SHOP, {"externalName": "shop_orders"}, [], id="the template's name written out"),
        pytest.param({"naming": {"template": "{namespace}_{name}"}}, SHOP, {"externalName": "orders"}, [], id="a name beside the template where it is a default"),
        pytest.param({"subjectPrefixes": ["{namespace}."]}, SHOP, {"subjects": ["shop.orders", "depot.x"]}, ["HG108"], id="a subject of another namespace"),
        pytest.param({"subjectPrefixes": ["{namespace}.", "shared."]}, SHOP, {"subjects": ["shop.>", "shared.a"]}, [], id="subjects under the prefixes"),
        pytest.param({"subjectPrefixes": ["{namespace}."]}, SHOP, {}, ["HG108"], id="the name as the subject, beside the prefix"),
        pytest.param({"subjectPrefixes": []}, SHOP, {"subjects": ["any.where"]}, [], id="any subject where no prefix is listed"),
        pytest.param(None, SHOP, {"native": COMPRESSED}, ["HG109"], id="a native field that nobody opened"),
        pytest.param({"nativeAllowed": {"nats": ["compression"]}}, SHOP, {"native": COMPRESSED}, [], id="a native field that was opened"),
        pytest.param({"nativeAllowed": {"nats": ["placement"]}}, SHOP, {"native": COMPRESSED}, ["HG109"], id="a native field beside those opened"),
        pytest.param({"nativeAllowed": {}}, SHOP, {"native": {"nats": {"noAck": True}}}, ["HG109"], id="a native field where none is listed"),
        pytest.param(None, SHOP, {"native": {}}, [], id="a native block without anything"),
        pytest.param(None, HOME, {"native": COMPRESSED}, [], id="a native field in the broker's own namespace"),
        pytest.param(None, SHOP, {"deletionPolicy": "Delete"}, ["HG116"], id="deleting in a namespace that may not"),
        pytest.param({"deletion": SHARED}, SHOP, {"deletionPolicy": "DeleteIfEmpty"}, [], id="deleting in a namespace that may"),
        pytest.param(None, HOME, {"deletionPolicy": "Delete"}, [], id="deleting in the broker's own namespace"),
    ],
)  # fmt: skip
def test_a_topic_with(
    tenancy: dict[str, Any] | None, ref: Ref, fields: dict[str, Any], rules: list[str]
) -> None:
    found = broken(on_broker(tenancy, declare(ref, **fields)), ref)
    assert [rule for rule, _, _ in found] == rules
    assert all(reason == "NotPermitted" for _, reason, _ in found)


def test_a_violation_names_the_field() -> None:
    topic = declare(
        SHOP, externalName="KV_a", subjects=["shop.a", "x.b"], native=COMPRESSED, deletionPolicy="Delete"
    )
    state = on_broker({"subjectPrefixes": ["{namespace}."]}, topic)
    assert [field for _, _, field in broken(state, SHOP)] == [
        "spec.externalName",
        "spec.subjects[1]",
        "spec.deletionPolicy",
        "spec.native.nats.compression",
    ]


def test_groups_are_tenants_too() -> None:
    group = declare(
        GROUP, externalName="__x", deletionPolicy="Delete", native={"nats": {"headersOnly": True}}
    )
    state = on_broker(None, declare(SHOP), group)
    assert [rule for rule, _, _ in broken(state, GROUP)] == ["HG106", "HG116", "HG109"]


def test_a_name_pinned_before_the_template_was_enforced_is_judged_as_it_is() -> None:
    state = on_broker({"naming": {"enforce": True}}, declare(SHOP, record=held("other")))
    assert [rule for rule, _, _ in broken(state, SHOP)] == ["HG107"]


@pytest.mark.parametrize("may", [may_adopt, may_delete], ids=["adopt", "delete"])
def test_the_broker_says_who_may(may: Any) -> None:
    silent = on_broker(None)
    telling = on_broker({"adoption": SHARED, "deletion": SHARED})
    assert may(silent, silent.brokers[MAIN], "platform")
    assert not may(silent, silent.brokers[MAIN], "shop")
    assert may(telling, telling.brokers[MAIN], "shop")
    assert not may(telling, telling.brokers[MAIN], "attic")
