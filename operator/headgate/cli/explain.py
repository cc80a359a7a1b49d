"""`headgate explain`: says what a field, a rule, a reason, a condition or a binding key means. Asks no cluster and no broker."""

import argparse
import sys
import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from headgate.cli.explain_topics import Page

NOT_KNOWN: Final = 1
WIDTH: Final = 100


def register(sub: argparse.ArgumentParser) -> None:
    """Declare the options."""
    sub.add_argument(
        "what",
        nargs="?",
        default="",
        metavar="WHAT",
        help="e.g. HG116, et.retention.maxAge, ConsumerGroup, DataLost, ScalingActive, nak-delays; left out: all there is",
    )


def run(args: argparse.Namespace) -> int:
    """Print every page that the word has; 1 where it has none."""
    from headgate.cli.explain_topics import nearest, pages, topics  # noqa: PLC0415  (not needed to print help)

    if not args.what:
        sys.stdout.writelines(f"{line}\n" for line in _listed(topics()))
        return 0
    found = pages(args.what)
    if not found:
        near = nearest(args.what)
        meant = f"; did you mean {', '.join(near)}?" if near else "; without a word everything is listed"
        sys.stderr.write(f"headgate explain: nothing is known about {args.what}{meant}\n")
        return NOT_KNOWN
    sys.stdout.write("\n".join(_text(page) for page in found))
    return 0


def _listed(groups: Iterable[tuple[str, Iterable[str]]]) -> Iterable[str]:
    for title, words in groups:
        yield f"{title}:"
        yield textwrap.fill(
            ", ".join(words),
            WIDTH,
            initial_indent="  ",
            subsequent_indent="  ",
            break_on_hyphens=False,
            break_long_words=False,
        )


def _text(page: "Page") -> str:
    lines = [f"{page.title} ({page.sort})", ""]
    for paragraph in page.paragraphs:
        lines += [textwrap.fill(paragraph, WIDTH, break_on_hyphens=False, break_long_words=False), ""]
    lines += [f"  {entry}" for entry in page.entries]
    return "\n".join(lines).rstrip() + "\n"
