"""Runs every bench or those that are named, prints the figures and keeps them in out/bench.json. Measures nothing itself.

The exit code tells of exact counts alone. Everything else is a ratio within one run, or a time that holds for the
machine it was taken on.
"""

import argparse
import asyncio
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path

from bench import life
from bench.figures import Figure, table, write

OUT = Path("out/bench.json")
BENCHES: dict[str, tuple[str, Callable[[argparse.Namespace], Coroutine[None, None, list[Figure]]]]] = {
    "life": (
        "EventTopics created, updated, deleted, found at start",
        lambda asked: life.measure(asked.objects, asked.rounds),
    ),
}


def main() -> int:
    """1 when a count is not what it has to be."""
    parser = argparse.ArgumentParser(prog="python -m bench.run", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHES)}; left out: all")
    parser.add_argument("--objects", type=int, default=1000, help="how many topics; 1000")
    parser.add_argument("--rounds", type=int, default=3, help="how often each side has its turn; 3")
    asked = parser.parse_args()
    if unknown := set(asked.names) - BENCHES.keys():
        parser.error(f"no such bench: {', '.join(sorted(unknown))}")
    found: dict[str, list[Figure]] = {}
    for name in asked.names or BENCHES:
        title, measure = BENCHES[name]
        print(f"==> {name}: {title}", flush=True)
        found[name] = asyncio.run(measure(asked))
        print(table(title, found[name]), flush=True)
        write(OUT, {name: found[name]})
    wrong = [each.name for figures in found.values() for each in figures if each.exact and not each.good]
    for name in wrong:
        print(f"WRONG COUNT: {name}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
