"""An estate as a picture in two languages."""

from pathlib import Path

import pytest

from headgate.cli import main

ESTATE = """
apiVersion: headgate.dev/v1alpha1
kind: EventTopic
metadata: {name: orders, namespace: shop}
spec: {brokerRef: {name: main}, retention: {maxAge: 24h}}
---
apiVersion: headgate.dev/v1alpha1
kind: EventTopic
metadata: {name: or-ders, namespace: shop}
spec: {brokerRef: {name: main}, retention: {maxAge: 24h}}
---
apiVersion: headgate.dev/v1alpha1
kind: ConsumerGroup
metadata: {name: billing, namespace: shop}
spec:
  topicRef: {name: orders}
  start: {from: Earliest}
  filter: {subjects: ['or"ders.a', orders.b]}
  deadLetterQueueRef: {name: dead, namespace: depot}
  scaling: {targetRef: {apiVersion: apps/v1, kind: Deployment, name: worker}, maxReplicas: 3}
---
apiVersion: headgate.dev/v1alpha1
kind: ConsumerGroup
metadata: {name: audit, namespace: shop}
spec: {topicRef: {name: orders}, start: {from: Earliest}}
---
apiVersion: headgate.dev/v1alpha1
kind: RetryPolicy
metadata: {name: broken, namespace: shop}
spec: {attempts: 0}
"""
MERMAID = """\
flowchart LR
  ConsumerGroup_2f_shop_2f_audit("shop/audit")
  ConsumerGroup_2f_shop_2f_billing("shop/billing")
  DeadLetterQueue_2f_depot_2f_dead[/"depot/dead"/]
  EventTopic_2f_shop_2f_or_2d_ders[("shop/or-ders")]
  EventTopic_2f_shop_2f_orders[("shop/orders")]
  Workload_2f_shop_2f_deployment_2f_worker["shop/deployment/worker"]
  EventTopic_2f_shop_2f_orders --> ConsumerGroup_2f_shop_2f_audit
  EventTopic_2f_shop_2f_orders -->|"or#quot;ders.a, orders.b"| ConsumerGroup_2f_shop_2f_billing
  ConsumerGroup_2f_shop_2f_billing --> Workload_2f_shop_2f_deployment_2f_worker
  ConsumerGroup_2f_shop_2f_billing -.-> DeadLetterQueue_2f_depot_2f_dead
"""
DOT = """\
digraph estate {
  rankdir=LR;
  ConsumerGroup_2f_shop_2f_audit [label="shop/audit", shape=ellipse];
  ConsumerGroup_2f_shop_2f_billing [label="shop/billing", shape=ellipse];
  DeadLetterQueue_2f_depot_2f_dead [label="depot/dead", shape=house];
  EventTopic_2f_shop_2f_or_2d_ders [label="shop/or-ders", shape=cylinder];
  EventTopic_2f_shop_2f_orders [label="shop/orders", shape=cylinder];
  Workload_2f_shop_2f_deployment_2f_worker [label="shop/deployment/worker", shape=box];
  EventTopic_2f_shop_2f_orders -> ConsumerGroup_2f_shop_2f_audit [style=solid];
  EventTopic_2f_shop_2f_orders -> ConsumerGroup_2f_shop_2f_billing [label="or\\"ders.a, orders.b", style=solid];
  ConsumerGroup_2f_shop_2f_billing -> Workload_2f_shop_2f_deployment_2f_worker [style=solid];
  ConsumerGroup_2f_shop_2f_billing -> DeadLetterQueue_2f_depot_2f_dead [style=dashed];
}
"""


@pytest.mark.parametrize(
    ("language", "picture"), [((), MERMAID), (("--format", "dot"), DOT)], ids=["Mermaid", "Graphviz"]
)
def test_an_estate_is_drawn_in(
    language: tuple[str, ...], picture: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "estate.yaml"
    file.write_text(ESTATE)
    assert main(["graph", "-f", str(file), *language]) == 0
    said = capsys.readouterr()
    assert said.out == picture
    assert "left out" in said.err
    assert "spec.attempts" in said.err


def test_a_file_that_is_not_there_is_a_mistake_of_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["graph", "-f", str(tmp_path / "none")]) == 2
    assert "none" in capsys.readouterr().err
