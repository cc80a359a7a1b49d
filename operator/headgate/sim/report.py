"""Results of the sweep as tables and as text that is kept and compared. Knows no files."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple
from typing import Final

from headgate.sim.play import Figures
from headgate.sim.rivals import OURS
from headgate.sim.sweep import ALL, BASE, FEW, QUEUE, Results, total, worse

TOTAL: Final = "all traces"


def dump(results: Results) -> str:
    """The results as they are kept: one line per trace, so that a change shows where it is."""
    lines: list[str] = []
    for variant, traces in results.items():
        rows = [
            f"    {json.dumps(trace)}: {json.dumps({name: astuple(f) for name, f in policies.items()})}"
            for trace, policies in traces.items()
        ]
        lines.append(f"  {json.dumps(variant)}: {{\n" + ",\n".join(rows) + "\n  }")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def parse(text: str) -> Results:
    """What `dump` wrote."""
    kept: Mapping[str, Mapping[str, Mapping[str, Sequence[int]]]] = json.loads(text)
    return {
        variant: {
            trace: {name: Figures(*figures) for name, figures in policies.items()}
            for trace, policies in traces.items()
        }
        for variant, traces in kept.items()
    }


def regressions(before: Results, after: Results) -> Iterator[str]:
    """Where our own figures got worse by more than is allowed."""
    for variant, traces in after.items():
        for trace, policies in traces.items():
            old = before.get(variant, {}).get(trace, {}).get(OURS)
            if old is not None:
                for what in worse(old, policies[OURS]):
                    yield f"{variant}, {trace}: {what}"


def by_trace(results: Results) -> str:
    """Seconds late, replica-hours and changes of every policy on every standard trace."""
    traces = results[BASE]
    rows = [(trace, *(_three(figures[name]) for name in ALL)) for trace, figures in traces.items()]
    sums = (TOTAL, *(_three(_sum(traces, name)) for name in ALL))
    return _table(("late s / replica-hours / changes", *ALL), [*rows, sums])


def by_trace_of_a_queue(results: Results) -> str:
    """The same where any replica takes any event."""
    traces = results[QUEUE]
    rows = [(trace, *(_three(figures[name]) for name in FEW)) for trace, figures in traces.items()]
    sums = (TOTAL, *(_three(_sum(traces, name)) for name in FEW))
    return _table(("a queue: late s / replica-hours / changes", *FEW), [*rows, sums])


def by_age(results: Results) -> str:
    """Ages, rebalances and repeats on every standard trace."""
    traces = results[BASE]
    rows = [(trace, *(_four(figures[name]) for name in FEW)) for trace, figures in traces.items()]
    sums = (TOTAL, *(_four(_sum(traces, name)) for name in FEW))
    return _table(("oldest s / p99 s / rebalances / repeated", *FEW), [*rows, sums])


def by_variant(results: Results) -> str:
    """The totals of all traces under other circumstances."""
    rows = [(variant, *(_three(_sum(traces, name)) for name in FEW)) for variant, traces in results.items()]
    return _table(("late s / replica-hours / changes, all traces", *FEW), rows)


TABLES: Final = {
    "by-trace": by_trace,
    "by-queue": by_trace_of_a_queue,
    "by-age": by_age,
    "by-variant": by_variant,
}


def page(text: str, results: Results) -> str:
    """A page with its tables renewed; each stands between two comments."""
    for name, table in TABLES.items():
        head, begin, rest = text.partition(f"<!-- {name}: make sim -->\n")
        _, end, tail = rest.partition(f"<!-- end of {name} -->")
        if not end:
            raise ValueError(f"the page has no place for the table {name}")
        text = f"{head}{begin}\n{table(results)}\n{end}{tail}"
    return text


def _sum(traces: Mapping[str, Mapping[str, Figures]], name: str) -> Figures:
    return total(figures[name] for figures in traces.values())


def _three(figures: Figures) -> str:
    return f"{figures.violation} / {figures.replica_hours:.1f} / {figures.events}"


def _four(figures: Figures) -> str:
    return f"{figures.peak_age} / {figures.p99_age} / {figures.rebalances} / {figures.repeated}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
