"""Plays the standard traces in every setting and renews what docs and tests say of them. Decides nothing.

What got worse by more than a tenth is not written down but listed, unless it is accepted.
"""

import argparse
import sys
import time
from pathlib import Path

from headgate.sim.report import dump, page, parse, regressions
from headgate.sim.sweep import VARIANTS, Results, measure

KEPT = Path("tests/golden/simulation.json")
PAGE = Path("docs/simulation.md")


def main(arguments: list[str]) -> int:
    """Play, compare, write."""
    asked = _parser().parse_args(arguments)
    kept = parse(KEPT.read_text())
    found = {**kept, **_measured(asked.only)}
    results = {variant.name: found[variant.name] for variant in VARIANTS if variant.name in found}
    worse = list(regressions(kept, results))
    sys.stdout.write("".join(f"worse: {each}\n" for each in worse))
    if worse and not asked.accept:
        sys.stdout.write(f"{len(worse)} figures are worse by more than a tenth; nothing was written\n")
        return 1
    if asked.check:
        same = dump(kept) == dump(results)
        sys.stdout.write("" if same else f"{KEPT} has other figures; run `make sim`\n")
        return 0 if same else 1
    KEPT.write_text(dump(results))
    PAGE.write_text(page(PAGE.read_text(), results))
    return 0


def _measured(only: list[str]) -> Results:
    found = {}
    begun = time.process_time()
    for variant in VARIANTS:
        if not only or variant.name in only:
            found[variant.name] = measure(variant)
            sys.stdout.write(f"{time.process_time() - begun:6.1f} s  {variant.name}\n")
            sys.stdout.flush()
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench.simulation", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail where a figure differs")
    parser.add_argument("--accept", action="store_true", help="write figures that got worse too")
    names = [variant.name for variant in VARIANTS]
    parser.add_argument("--only", action="append", default=[], choices=names, help="one setting; repeatable")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
