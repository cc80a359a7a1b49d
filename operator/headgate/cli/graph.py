"""`headgate graph`: draws who emits into what, who consumes it, and where failed events go. Asks no cluster."""

import argparse
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from headgate.core.estate import Estate, Ref

USAGE: Final = 2
MERMAID_QUOTE: Final = "#quot;"
DOT_QUOTE: Final = '\\"'
SHAPES: Final = {  # kind of node: how Mermaid and Graphviz draw it
    "EventTopic": ('[("{}")]', "cylinder"),
    "ConsumerGroup": ('("{}")', "ellipse"),
    "DeadLetterQueue": ('[/"{}"/]', "house"),
    "Workload": ('["{}"]', "box"),
}


class Node(NamedTuple):
    """One thing in the picture."""

    kind: str
    namespace: str
    name: str

    @property
    def id(self) -> str:
        """A name that both languages take; different nodes have different ones."""
        return "".join(c if c.isalnum() else f"_{ord(c):x}_" for c in "/".join(self))

    @property
    def label(self) -> str:
        """What people read."""
        return f"{self.namespace}/{self.name}"


class Edge(NamedTuple):
    """Events that go from one node to another."""

    start: Node
    end: Node
    label: str = ""
    failed: bool = False


def register(sub: argparse.ArgumentParser) -> None:
    """Declare the options."""
    sub.add_argument(
        "-f", "--file", action="append", required=True, metavar="FILE", help="file, folder or - for stdin"
    )
    sub.add_argument("-n", "--namespace", default="default", help="for manifests that name none")
    sub.add_argument(
        "--format", choices=("mermaid", "dot"), default="mermaid", help="language of the picture"
    )


def run(args: argparse.Namespace) -> int:
    """Print the picture of everything that can be read; the rest is for `headgate validate`."""
    from headgate.cli.manifests import read  # noqa: PLC0415  (not needed to print help)

    try:
        manifests = read(args.file, args.namespace)
    except (OSError, UnicodeDecodeError) as error:
        sys.stderr.write(f"headgate graph: {error}\n")
        return USAGE
    for complaint in manifests.complaints:
        sys.stderr.write(f"headgate graph: left out {complaint.place}: {complaint.error}\n")
    nodes, edges = _drawn(manifests.estate)
    sys.stdout.write(_mermaid(nodes, edges) if args.format == "mermaid" else _dot(nodes, edges))
    return 0


def _drawn(estate: "Estate") -> tuple[list[Node], list[Edge]]:
    edges = [edge for ref in sorted(estate.groups) for edge in _edges(estate, ref)]
    alone = [Node(ref.kind, ref.namespace, ref.name) for ref in (*estate.topics, *estate.queues)]
    ends = [node for edge in edges for node in (edge.start, edge.end)]
    return sorted(set(alone + ends)), edges


def _edges(estate: "Estate", ref: "Ref") -> Iterator[Edge]:
    spec, group = estate.groups[ref].spec, Node(ref.kind, ref.namespace, ref.name)
    topic = Node("EventTopic", spec.topic_ref.namespace or ref.namespace, spec.topic_ref.name)
    yield Edge(topic, group, ", ".join(spec.filter.subjects) if spec.filter else "")
    if spec.scaling is not None:
        target = spec.scaling.target_ref
        yield Edge(group, Node("Workload", ref.namespace, f"{target.kind}/{target.name}".lower()))
    if (queue := spec.dead_letter_queue_ref) is not None:
        yield Edge(group, Node("DeadLetterQueue", queue.namespace or ref.namespace, queue.name), failed=True)


def _mermaid(nodes: list[Node], edges: list[Edge]) -> str:
    lines = [
        f"  {node.id}{SHAPES[node.kind][0].format(_quoted(node.label, MERMAID_QUOTE))}" for node in nodes
    ]
    for edge in edges:
        arrow = "-.->" if edge.failed else "-->"
        label = f'|"{_quoted(edge.label, MERMAID_QUOTE)}"|' if edge.label else ""
        lines.append(f"  {edge.start.id} {arrow}{label} {edge.end.id}")
    return "\n".join(("flowchart LR", *lines, ""))


def _dot(nodes: list[Node], edges: list[Edge]) -> str:
    lines = [
        f'  {node.id} [label="{_quoted(node.label, DOT_QUOTE)}", shape={SHAPES[node.kind][1]}];'
        for node in nodes
    ]
    for edge in edges:
        label = f'label="{_quoted(edge.label, DOT_QUOTE)}", ' if edge.label else ""
        style = "dashed" if edge.failed else "solid"
        lines.append(f"  {edge.start.id} -> {edge.end.id} [{label}style={style}];")
    return "\n".join(("digraph estate {", "  rankdir=LR;", *lines, "}", ""))


def _quoted(text: str, quote: str) -> str:
    """Text inside quotation marks."""
    return text.replace('"', quote)
