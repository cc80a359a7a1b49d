"""Plays the standard traces in every setting and renews what docs and tests say of them. Decides nothing.

What got worse by more than a tenth is not written down but listed, unless it is accepted.
"""

import argparse
import sys
import time
from pathlib import Path

from headgate.sim.report import by_age, by_trace, by_variant, dump, parse, regressions
from headgate.sim.sweep import VARIANTS, Results, measure

KEPT = Path("tests/golden/simulation.json")
PAGE = Path("docs/simulation.md")
TABLES = {"by-trace": by_trace, "by-age": by_age, "by-variant": by_variant}


def main(arguments: list[str]) -> int:
    """Play, compare, write."""
    asked = _parser().parse_args(arguments)
    results = _measured()
    worse = list(regressions(parse(KEPT.read_text()), results)) if KEPT.exists() else []
    sys.stdout.write("".join(f"worse: {each}\n" for each in worse))
    if worse and not asked.accept:
        sys.stdout.write(f"{len(worse)} figures are worse by more than a tenth; nothing was written\n")
        return 1
    if not asked.check:
        KEPT.parent.mkdir(exist_ok=True)
        KEPT.write_text(dump(results))
        PAGE.write_text(page(PAGE.read_text(), results))
    return 0


def page(text: str, results: Results) -> str:
    """The page with its tables renewed; each stands between two comments."""
    for name, table in TABLES.items():
        head, begin, rest = text.partition(f"<!-- {name}: make sim -->\n")
        _, end, tail = rest.partition(f"<!-- end of {name} -->")
        if not end:
            raise ValueError(f"{PAGE} has no place for the table {name}")
        text = f"{head}{begin}\n{table(results)}\n{end}{tail}"
    return text


def _measured() -> Results:
    found = {}
    begun = time.perf_counter()
    for variant in VARIANTS:
        found[variant.name] = measure(variant)
        sys.stdout.write(f"{time.perf_counter() - begun:6.1f} s  {variant.name}\n")
        sys.stdout.flush()
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench.simulation", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    parser.add_argument("--accept", action="store_true", help="write figures that got worse too")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
