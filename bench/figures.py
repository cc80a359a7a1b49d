"""Figures with the bound each is held against, as a table and as JSON. Does not know how they were measured."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Figure:
    """One measurement. Only exact ones decide whether the bench fails: times on shared machines differ."""

    name: str
    value: float
    unit: str = ""
    most: float | None = None
    least: float | None = None
    exact: bool = False

    @property
    def good(self) -> bool:
        """Whether it is within its bounds."""
        return (self.most is None or self.value <= self.most) and (
            self.least is None or self.value >= self.least
        )

    @property
    def bound(self) -> str:
        """The bound in words."""
        if self.most is not None and self.most == self.least:
            return f"= {self.most:g}"
        return f"<= {self.most:g}" if self.most is not None else f">= {self.least:g}" if self.least else ""


def table(title: str, figures: Iterable[Figure]) -> str:
    """One line per figure."""
    lines = [title]
    for each in figures:
        verdict = "" if not each.bound else "yes" if each.good else "NO"
        value = f"{each.value:,.2f}".rstrip("0").rstrip(".")
        lines.append(f"  {each.name:64} {value:>10} {each.unit:6} {each.bound:>10}  {verdict}")
    return "\n".join(lines)


def goals(figures: Iterable[Figure]) -> str:
    """Everything that has a bound, in one table: what was aimed at, what was seen."""
    held = [each for each in figures if each.bound]
    missed = sum(not each.good for each in held)
    verdict = f"{missed} of {len(held)} goals missed" if missed else f"all {len(held)} goals reached"
    lines = [f"{'goal':70} {'aimed at':>10} {'seen':>12}"]
    for each in held:
        seen = f"{each.value:,.2f}".rstrip("0").rstrip(".")
        lines.append(
            f"{each.name:70} {each.bound:>10} {seen:>9} {each.unit:3} {'' if each.good else 'MISSED'}".rstrip()
        )
    return "\n".join([*lines, verdict])


def write(path: Path, found: dict[str, list[Figure]]) -> None:
    """Keep them, beside those of other names that were measured earlier."""
    path.parent.mkdir(parents=True, exist_ok=True)
    before = json.loads(path.read_text()) if path.exists() else {}
    after = {
        name: [{**asdict(each), "good": each.good} for each in figures] for name, figures in found.items()
    }
    path.write_text(json.dumps({**before, **after}, indent=1) + "\n")
