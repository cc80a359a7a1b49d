"""What is said about files before anybody applies them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from headgate.cli import main
from headgate.core.checks import RULES

SHOP = Path(__file__).parents[3] / "examples" / "shop"

BROKER = """
apiVersion: headgate.dev/v1alpha1
kind: EventBroker
metadata: {name: main, namespace: platform}
spec: {nats: {servers: ["nats://nats:4222"]}, allowedNamespaces: {from: Selector, selector: {matchLabels: {events: "true"}}}}
"""
TOPIC = """
apiVersion: headgate.dev/v1alpha1
kind: EventTopic
metadata: {name: orders, namespace: shop}
spec: {brokerRef: {name: main, namespace: platform}, subjects: ["orders.*.>"], retention: {maxAge: 24h}}
"""
GROUP = """
apiVersion: headgate.dev/v1alpha1
kind: ConsumerGroup
metadata: {name: billing, namespace: shop}
spec: {topicRef: {name: orders}, start: {from: Time, time: 2026-11-01T00:00:00Z}, filter: {subjects: ["orders.*.paid"]}}
"""
POLICY = """
apiVersion: headgate.dev/v1alpha1
kind: RetryPolicy
metadata: {name: standard, namespace: shop}
spec: {attempts: 2, handlingTimeout: 10s}
"""


def validate(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str]]:
    code = main(["validate", *arguments])
    return code, capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    ("text", "code", "lines"),
    [
        pytest.param(f"{BROKER}---{TOPIC}---{GROUP}---{POLICY}", 0, [], id="a whole estate without faults"),
        pytest.param(f"{TOPIC}---{GROUP}", 0, [], id="objects of an EventBroker that is somebody else's"),
        pytest.param("# nothing\n---\n- 1\n---\nkind: Service\n", 0, [], id="nothing of ours"),
        pytest.param(TOPIC.replace("v1alpha1", "v2"), 0, [], id="another version"),
        pytest.param(
            f"kind: List\napiVersion: v1\nitems: [{{}}, 1]\n---{TOPIC}", 0, [], id="a list of other things"
        ),
        pytest.param(
            "kind: List\napiVersion: v1\nitems:\n- {apiVersion: headgate.dev/v1alpha1, kind: RetryPolicy, "
            "metadata: {name: a}, spec: {attempts: 0}}",
            1,
            ["f.yaml:1 RetryPolicy/default/a spec.attempts: must be at least 1"],
            id="an object in a list, without a namespace",
        ),
        pytest.param(
            TOPIC.replace("retention", "retenion"),
            1,
            [
                "f.yaml:1 EventTopic/shop/orders spec.retenion: is not a field; did you mean retention?",
                "f.yaml:1 EventTopic/shop/orders spec.retention: is required",
            ],
            id="an unknown field",
        ),
        pytest.param(
            f"{TOPIC}status: {{}}\ndata: {{}}\n", 1, ["f.yaml:1 EventTopic/shop/orders data: is not a field"], id="an unknown part"
        ),
        pytest.param(
            f"{GROUP}---{TOPIC.replace('24h', '1d')}",
            1,
            ["f.yaml:2 EventTopic/shop/orders spec.retention.maxAge: write a duration with the units h, m, s and ms, e.g. 90s, 5m or 168h (7 days)"],
            id="a mistake that is told once, not to those who refer to it again",
        ),
        pytest.param(
            GROUP,
            0,
            ["f.yaml:1 ConsumerGroup/shop/billing spec.topicRef: [HG100, warning] EventTopic shop/orders does not exist: create it, or correct spec.topicRef"],
            id="a reference to what is not among the files",
        ),
        pytest.param(
            GROUP.replace("{name: orders}", "{name: orders, namespace: depot}"),
            0,
            ["f.yaml:1 ConsumerGroup/shop/billing spec.topicRef: [HG101, warning] EventTopic depot/orders does not exist, or does not let namespace shop use it: correct spec.topicRef, or have its owner allow the namespace"],
            id="a reference to another namespace that is not among the files",
        ),
        pytest.param(
            f"{TOPIC}---{GROUP.replace('namespace: shop', 'namespace: depot').replace('{name: orders}', '{name: orders, namespace: shop}')}",
            1,
            ["f.yaml:2 ConsumerGroup/depot/billing spec.topicRef: [HG101] EventTopic shop/orders does not exist, or does not let namespace depot use it: correct spec.topicRef, or have its owner allow the namespace"],
            id="a reference to another namespace that is closed",
        ),
        pytest.param(
            f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: shop}}\n---{BROKER}---{TOPIC}",
            1,
            ["f.yaml:3 EventTopic/shop/orders spec.brokerRef: [HG101] EventBroker platform/main does not exist, or does not let namespace shop use it: correct spec.brokerRef, or have its owner allow the namespace"],
            id="a namespace without the label that its own manifest could give it",
        ),
        pytest.param(
            f"{TOPIC}---{GROUP.replace('.paid', '')}",
            1,
            ["f.yaml:2 ConsumerGroup/shop/billing spec.filter.subjects[0]: [HG120] orders.* is not inside one of the topic's subjects orders.*.>: it would wait for events that cannot come"],
            id="a rule between two objects",
        ),
        pytest.param(
            POLICY.replace("10s", "10s, deadline: 20s"),
            1,
            ["f.yaml:1 RetryPolicy/shop/standard spec.deadline: [HG001] attempts and waits together take up to 21s, longer than the deadline of 20s: have fewer attempts, shorter waits or a later deadline"],
            id="arithmetic",
        ),
        pytest.param(
            f"{TOPIC}---{TOPIC.replace('name: orders,', 'name: bills,').replace('orders.*.>', 'bills').replace('spec: {', 'spec: {externalName: orders, ')}",
            1,
            [
                "f.yaml:1 EventTopic/shop/orders spec.externalName: [HG150] EventTopic/shop/bills want the same name in the broker: give each its own externalName",
                "f.yaml:2 EventTopic/shop/bills spec.externalName: [HG150] EventTopic/shop/orders want the same name in the broker: give each its own externalName",
            ],
            id="two objects of one name in the broker",
        ),
        pytest.param(
            GROUP + "---" + TOPIC.replace("spec: {", "spec: {deletionPolicy: Delete, native: {nats: {compression: s2}}, "), 0, [], id="what only the owner of an unknown broker could refuse"
        ),
        pytest.param(
            f"{POLICY}---{POLICY}",
            1,
            ["f.yaml:2 RetryPolicy/shop/standard metadata.name: the same object stands in f.yaml:1 already"],
            id="an object twice",
        ),
        pytest.param(
            TOPIC.replace("name: orders,", "name: orders.v2,"),
            1,
            ["f.yaml:1 EventTopic/shop/orders.v2 metadata.name: [HG027] metadata.name must have at most 63 letters, digits and -, since it names the object in the broker; or say spec.externalName"],
            id="a name that is none in the broker",
        ),
        pytest.param(
            POLICY.replace("name: standard, ", ""), 1, ["f.yaml:1 metadata.name: is required"], id="an object without a name"
        ),
        pytest.param(
            POLICY.replace("{name: standard, namespace: shop}", "x"), 1, ["f.yaml:1 metadata.name: is required"], id="metadata that are none"
        ),
        pytest.param(
            POLICY.replace("{attempts: 2, handlingTimeout: 10s}", "[1]"),
            1,
            ["f.yaml:1 RetryPolicy/shop/standard spec: must be an object with fields"],
            id="a spec that is none",
        ),
        pytest.param(f"{POLICY}---\na: [1\n", 1, ["f.yaml:2: is no YAML from line 8 on"], id="what is no YAML"),
        pytest.param("a: \x00", 1, ["f.yaml:1: is no YAML"], id="what is no text"),
    ],
)  # fmt: skip
def test_about(
    text: str,
    code: int,
    lines: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "f.yaml"
    file.write_text(text)
    found, said = validate(capsys, "-f", str(file))
    assert [line.replace(f"{tmp_path}/", "") for line in said] == lines
    assert found == code


def test_the_shop_is_without_fault(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "-f", str(SHOP)]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "errors: 0, warnings: 0" in said.err


def test_folders_are_read_with_all_their_manifests_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.yml").write_text(POLICY.replace("2", "0"))
    (tmp_path / "b.json").write_text(json.dumps({"a": 1}))
    (tmp_path / "notes.txt").write_text(": : :")
    code, lines = validate(capsys, "-f", str(tmp_path))
    assert (code, len(lines)) == (1, 1)


def test_files_are_judged_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "topic").write_text(TOPIC)
    (tmp_path / "group").write_text(GROUP)
    assert validate(capsys, "-f", str(tmp_path / "group"), "-f", str(tmp_path / "topic")) == (0, [])


def test_json_has_one_object_for_each_problem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "f.yaml"
    file.write_text(f"{GROUP}---\na: [1\n")
    assert main(["validate", "--json", "-f", str(file)]) == 1
    assert json.loads(capsys.readouterr().out) == [
        {
            "file": str(file),
            "document": 1,
            "kind": "ConsumerGroup",
            "namespace": "shop",
            "name": "billing",
            "field": "spec.topicRef",
            "rule": "HG100",
            "severity": "Warning",
            "message": "EventTopic shop/orders does not exist: create it, or correct spec.topicRef",
        },
        {
            "file": str(file),
            "document": 2,
            "kind": None,
            "namespace": None,
            "name": None,
            "field": "",
            "rule": "",
            "severity": "Error",
            "message": "is no YAML from line 8 on",
        },
    ]


def test_a_file_that_is_not_there_is_a_mistake_of_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["validate", "-f", str(tmp_path / "none")]) == 2
    assert "none" in capsys.readouterr().err
    assert main(["validate"]) == 2


@pytest.mark.parametrize(
    ("kind_of_broker", "lines"),
    [
        pytest.param((), [], id="says nothing about brokers unasked"),
        pytest.param(
            ("--broker-type", "nats"), ["[warning]", ": "], id="says what a broker approximates and refuses"
        ),
    ],
)
def test_validate(
    kind_of_broker: tuple[str, ...], lines: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    topic = TOPIC.replace("spec: {", "spec: {minInSyncReplicas: 2, ")
    file = tmp_path / "f.yaml"
    file.write_text(f"{topic}---{GROUP.replace('spec: {', 'spec: {ordering: PerKey, ')}")
    code, said = validate(capsys, "-f", str(file), *kind_of_broker)
    assert (code, len(said)) == (1 if lines else 0, len(lines))
    assert all(word in line for word, line in zip(lines, said, strict=True))
    assert all(("minInSyncReplicas" in line) or ("ordering" in line) for line in said)


def test_the_shop_is_all_that_its_broker_can_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert validate(capsys, "-f", str(SHOP), "--broker-type", "nats") == (0, [])


def test_what_of_the_shop_another_broker_cannot_do_is_said_once_for_each_field(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, said = validate(capsys, "-f", str(SHOP), "--broker-type", "rabbitmq")
    fields = ("spec.keyBuckets", "spec.native.nats", "spec.whenFull")
    assert code == 1
    refused = [line for line in said if "[warning]" not in line]
    assert [sum(f" {field}: " in line for line in refused) for field in fields] == [1, 1, 1]
    assert len(refused) == 3
    assert not any("before RabbitMQ 4.3" in line for line in said)  # at its newest


def test_an_unknown_kind_of_broker_is_a_mistake_of_the_command_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["validate", "-f", str(SHOP), "--broker-type", "pigeons"]) == 2
    assert "nats" in capsys.readouterr().err


def test_rules_are_listed_and_explained(capsys: pytest.CaptureFixture[str]) -> None:
    code, lines = validate(capsys, "--explain")
    assert (code, len(lines)) == (0, len(RULES))
    assert "HG001  Error    Attempts and waits fit into the deadline" in lines
    code, lines = validate(capsys, "--explain", "hg122")
    assert (code, lines[0]) == (0, "HG122: Retention covers the tolerated outage and the retries")
    assert "RetentionTooShort" in lines[1]
    assert validate(capsys, "--explain", "HG999") == (2, [])


def test_manifests_come_from_a_pipe_too() -> None:
    command = [sys.executable, "-m", "headgate", "validate", "-f", "-"]
    done = subprocess.run(
        command, input=POLICY.replace("2", "0"), capture_output=True, text=True, check=False
    )
    assert done.stdout == "stdin:1 RetryPolicy/shop/standard spec.attempts: must be at least 1\n"
    assert done.returncode == 1
