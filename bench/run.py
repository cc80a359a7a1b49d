"""Runs every bench or those that are named, prints the figures and keeps them in out/bench.json. Measures nothing itself.

The exit code tells of exact counts alone. Everything else is a ratio within one run, or a time that holds for the
machine it was taken on.
"""

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import decide, lag, life, mover, restart
from bench.figures import Figure, goals, table, write

OUT = Path("out/bench.json")
BENCHES: dict[str, tuple[str, Callable[[argparse.Namespace], Coroutine[None, None, list[Figure]]]]] = {
    "life": (
        "EventTopics created, updated, deleted, found at start",
        lambda asked: life.measure(asked.objects, asked.rounds),
    ),
    "restart": ("kill -9 and start again", lambda asked: restart.measure(asked.objects)),
    "lag": ("from lag to a scaled workload", lambda asked: lag.measure(asked.objects)),
    "decide": ("how many replicas a thousand groups get", lambda _: decide.measure()),
    "mover": ("dead letters moved, against a bare loop", lambda _: moved()),
}


async def moved() -> list[Figure]:
    """The mover's own bench in figures of this one."""
    with TemporaryDirectory() as directory:
        found = await mover.measure(Path(directory) / "run")
    return [
        Figure("dead letters moved / bare loop", found.share, "x", least=mover.FLOOR_SHARE),
        Figure("dead letters moved", found.mover, "/s", least=mover.FLOOR_RATE),
        Figure("bare loop", found.bare, "/s"),
        Figure("mover's processor time per dead letter", found.mover_cpu_per_event_us, "us"),
        Figure("bare loop's processor time per dead letter", found.bare_cpu_per_event_us, "us"),
    ]


def main() -> int:
    """1 when a count is not what it has to be."""
    parser = argparse.ArgumentParser(prog="python -m bench.run", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHES)}; left out: all")
    parser.add_argument("--objects", type=int, default=1000, help="how many topics; 1000")
    parser.add_argument("--rounds", type=int, default=3, help="how often each side has its turn; 3")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is ended on the way out
    if unknown := set(asked.names) - BENCHES.keys():
        parser.error(f"no such bench: {', '.join(sorted(unknown))}")
    found: dict[str, list[Figure]] = {}
    for name in asked.names or BENCHES:
        title, measure = BENCHES[name]
        print(f"==> {name}: {title}", flush=True)
        found[name] = asyncio.run(measure(asked))
        print(table(title, found[name]), flush=True)
        write(OUT, {name: found[name]})
    print(goals(each for figures in found.values() for each in figures), flush=True)
    wrong = [each.name for figures in found.values() for each in figures if each.exact and not each.good]
    for name in wrong:
        print(f"WRONG COUNT: {name}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
