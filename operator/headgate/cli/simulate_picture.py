"""Draws simulated runs: arrivals, ages against the promise, replicas. Computes nothing."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from headgate.sim.play import Run
from headgate.sim.setting import Scenario

COLOURS: Final = ("#1f6feb", "#d1242f", "#2da44e", "#8250df", "#bf8700", "#57606a")
PROMISE, AWAY = "#57606a", "#d1242f"
HIGHEST: Final = 4  # times the promise; what is later is only shown to be that late
MINUTE: Final = 60


def draw(scenario: Scenario, runs: Sequence[Run], path: Path) -> None:
    """Write the picture."""
    figure, axes = plt.subplots(3, 1, sharex=True, figsize=(14, 9), height_ratios=(1, 2, 2))
    figure.subplots_adjust(left=0.06, right=0.985, top=0.91, bottom=0.07, hspace=0.1)
    minutes = [second / MINUTE for second in range(scenario.seconds)]
    axes[0].plot(minutes, scenario.trace.rates, color=PROMISE, linewidth=1)
    axes[0].set_ylabel("arriving per second")
    for colour, run in zip((COLOURS * len(runs))[: len(runs)], runs, strict=True):
        axes[1].plot(minutes, run.ages, color=colour, linewidth=1, label=run.policy)
        _replicas(axes[2], run, colour)
    _promise(axes[1], scenario, runs)
    axes[2].set_ylabel("replicas asked for")
    axes[2].set_xlabel("minutes")
    for axis in axes:
        axis.grid(visible=True, alpha=0.2)
        axis.set_ylim(bottom=0)
        axis.set_xlim(0, scenario.seconds / MINUTE)
        for span in scenario.trace.blind:
            axis.axvspan(span.begin / MINUTE, span.end / MINUTE, color=AWAY, alpha=0.1, linewidth=0)
    figure.legend(*axes[2].get_legend_handles_labels(), loc=(0.06, 0.925), fontsize=8, ncols=4)
    figure.suptitle(f"{scenario.trace.name}: {scenario.trace.about}", fontsize=13, y=0.985)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _replicas(axis: Axes, run: Run, colour: str) -> None:
    seconds = [*(second for second, _ in run.replicas), run.scenario.seconds]
    numbers = [*(number for _, number in run.replicas), run.replicas[-1][1]]
    minutes = [second / MINUTE for second in seconds]
    late = f"{run.policy}: {run.figures.violation} s late, {run.figures.replica_hours:.1f} replica-hours"
    axis.plot(minutes, numbers, color=colour, drawstyle="steps-post", linewidth=1.2, label=late)


def _promise(axis: Axes, scenario: Scenario, runs: Sequence[Run]) -> None:
    promise = scenario.terms.promise
    oldest = max(run.figures.peak_age for run in runs)
    axis.axhline(promise, color=PROMISE, linestyle="--", linewidth=1.2)
    text = f"promise: {promise} s"
    axis.annotate(text, (0.005, promise), xycoords=("axes fraction", "data"), fontsize=8, va="bottom")
    axis.set_ylabel("age of the oldest waiting event, s")
    axis.set_ylim(top=min(max(oldest, promise) * 1.1, promise * HIGHEST))
