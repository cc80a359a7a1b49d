"""Puts the figures of out/bench.json into docs/performance.md, between two marks. Measures nothing."""

import json
import sys
from pathlib import Path
from typing import Any

FIGURES, PAGE = Path("out/bench.json"), Path("docs/performance.md")
BEGIN, END = "<!-- figures of out/bench.json -->", "<!-- end of figures -->"


def row(figure: dict[str, Any]) -> str:
    """One line of the table."""
    value = f"{figure['value']:,.2f}".rstrip("0").rstrip(".")
    most, least = figure["most"], figure["least"]
    reached = "yes" if figure["good"] else "**no**"
    if most is not None:
        goal = f"exactly {most:g}" if most == least else f"at most {most:g}"
    elif least is not None:
        goal = f"at least {least:g}"
    else:
        goal = reached = ""
    return f"| {figure['name']} | {value} {figure['unit']} | {goal} | {reached} |"


def main() -> int:
    """Rewrite the part of the page that is ours."""
    found = json.loads(FIGURES.read_text())
    lines = ["| figure | measured | goal | reached |", "| --- | --- | --- | --- |"]
    lines += [row(figure) for figures in found.values() for figure in figures]
    before, _, rest = PAGE.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text("\n".join([before + BEGIN, *lines, END + after]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
