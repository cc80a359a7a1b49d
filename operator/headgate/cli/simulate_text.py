"""What came of simulated runs, as a table, as sentences and as a document. Computes and prints nothing."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from headgate.core.scaling import Decision
from headgate.core.schedule import Window
from headgate.sim.play import Run
from headgate.sim.setting import Scenario

HEADS = ("policy", "late", "replica-hours", "changes", "oldest", "p99", "rebalances", "repeated")


@dataclass(frozen=True, slots=True)
class Told:
    """A run, with what was said about its decisions."""

    run: Run
    decisions: tuple[tuple[int, Decision], ...] = ()


def table(scenario: Scenario, told: Sequence[Told]) -> str:
    """The setting in a sentence, and one line per policy."""
    rows = [HEADS, *(_row(each.run) for each in told)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADS))]
    lines = [
        "  ".join(
            f"{cell:<{width}}" if column == 0 else f"{cell:>{width}}"
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    legend = (
        "late: seconds in which an event was older than promised; oldest, p99: its age at worst and in 99 % of the time;"
        "\nrepeated: events that were handled again because they had not been committed"
    )
    return "\n".join((*_setting(scenario), "", *lines, "", legend)) + "\n"


def reasons(told: Told) -> str:
    """What was decided, when, and why."""
    lines = [
        f"  {_clock(second)}  {decision.desired:>4}  {decision.reason}: {decision.message}"
        for second, decision in told.decisions
    ]
    return "\n".join(("", f"what {told.run.policy} decided:", *lines)) + "\n"


def document(scenario: Scenario, told: Sequence[Told]) -> dict[str, Any]:
    """Everything, for programs."""
    declared = scenario.terms
    terms = replace(declared, learned=dict(declared.learned), minimum=scenario.minimum, windows=())
    return {
        "trace": {
            "name": scenario.trace.name,
            "seconds": scenario.seconds,
            "seed": scenario.seed,
            "begins": scenario.begins.isoformat(),
        },
        "workers": asdict(scenario.workers),
        "terms": {**asdict(terms), "windows": [_window(each) for each in declared.windows]},
        "runs": [
            {
                "policy": each.run.policy,
                **asdict(each.run.figures),
                "replicas": [{"second": second, "replicas": number} for second, number in each.run.replicas],
                "ages": list(each.run.ages),
                "decisions": [
                    {
                        "second": second,
                        "desired": decision.desired,
                        "reason": decision.reason,
                        "message": decision.message,
                    }
                    for second, decision in each.decisions
                ],
            }
            for each in told
        ],
    }


def _window(window: Window) -> dict[str, Any]:
    return {**asdict(window), "duration": window.duration.total_seconds()}


def _setting(scenario: Scenario) -> tuple[str, str]:
    workers, terms = scenario.workers, scenario.terms
    spread = "a queue" if workers.partitions is None else f"{workers.partitions} partitions"
    replicas = f"{scenario.minimum} to {terms.maximum} replicas, {scenario.start} at the beginning"
    crew = f"{spread}, {workers.service_rate:g}/s per replica, pods start in {workers.pod_start} s"
    arrivals = f"{scenario.trace.name}: {scenario.trace.about}; {scenario.seconds} s"
    return arrivals, f"{crew}; promise {terms.promise} s, {replicas}"


def _row(run: Run) -> tuple[str, ...]:
    figures = run.figures
    return (
        run.policy,
        f"{figures.violation} s",
        f"{figures.replica_hours:.1f}",
        f"{figures.events}",
        f"{figures.peak_age} s",
        f"{figures.p99_age} s",
        f"{figures.rebalances}",
        f"{figures.repeated}",
    )


def _clock(second: int) -> str:
    return f"{second // 3600:>3}:{second // 60 % 60:02}:{second % 60:02}"
