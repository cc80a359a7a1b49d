"""What the demo leaves behind: figures as JSON, and what to try in a cluster that stays. Measures nothing."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from headgate.local.demo.promises import Row, broken
from headgate.local.demo.timeline import Timeline

TRY = """\
The cluster stays. In another shell:
  export KUBECONFIG={kubeconfig}; alias kubectl={kubectl}
  kubectl get headgate -A                              # everything that is declared
  kubectl get cg -n shop -w                            # lag, replicas and freshness, as they change
  kubectl describe cg billing -n shop                  # conditions and why it has so many replicas
  kubectl get configmap billing-binding -n shop -o yaml
  kubectl patch et orders -n shop --type merge -p '{{"spec":{{"retention":{{"maxAge":"200h"}}}}}}'
  kubectl annotate cg billing -n shop headgate.dev/hold-replicas=4
  kubectl logs -n headgate deploy/headgate-operator -f
The broker is at {nats}. To end everything:
  {python} -m headgate local down --dir {directory}
"""


def document(timeline: Timeline, rows: Sequence[Row]) -> str:
    """The whole demo as JSON."""
    found = {
        "kept": not broken(rows),
        "seconds": round(timeline.last.at, 1),
        "promises": [asdict(row) for row in rows],
        "marks": [asdict(mark) for mark in timeline.marks],
        "samples": [asdict(sample) for sample in timeline.samples],
    }
    return json.dumps(found, indent=1)


def write(path: Path, timeline: Timeline, rows: Sequence[Row]) -> None:
    """Leave the figures in a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document(timeline, rows) + "\n", encoding="utf-8")
