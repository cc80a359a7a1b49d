"""Draws the demo's timeline into a picture: arrivals, lag, oldest age against the promise, replicas. Measures nothing."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from headgate.local.demo.timeline import Mark, Series, Timeline, Who, arrivals, away, of_group

COLOURS = ("#1f6feb", "#d1242f", "#2da44e", "#8250df", "#bf8700")
CHAPTER, AWAY = "#57606a", "#d1242f"
FIGURES = ("pending", "age", "replicas")
LABELS = ("events waiting", "age of the oldest waiting, s", "replicas asked for")
HEADROOM = 1.2  # above the highest line, for what is written there
NEAR = 4.0  # seconds between two chapters whose numbers would touch
LOWEST, STEP = 1.05, 0.13  # heights of numbers above the first diagram, as shares of it


def draw(timeline: Timeline, promises: Mapping[str, float], topics: Sequence[str], path: Path) -> None:
    """Write the picture."""
    figure, axes = plt.subplots(4, 1, sharex=True, figsize=(14, 12))
    figure.subplots_adjust(left=0.06, right=0.985, top=0.9, bottom=0.15, hspace=0.12)
    samples, chapters = timeline.samples, [mark for mark in timeline.marks if mark.who is Who.STORY]
    _lines(axes[0], "events arriving per second", {name: arrivals(samples, name) for name in topics})
    for axis, kind, label in zip(axes[1:], FIGURES, LABELS, strict=True):
        series = {name: of_group(samples, name, kind) for name in promises}
        _lines(axis, label, series, steps=kind == "replicas")
    _promises(axes[2], promises)
    for axis in axes:
        _mark(axis, chapters, away(samples))
    _numbers(axes[0], chapters)
    axes[3].set_xlabel("seconds since the beginning")
    figure.suptitle("The shop on Headgate: a real cluster, a real broker, real workers", fontsize=15, y=0.98)
    _legend(chapters)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _lines(axis: Axes, label: str, series: Mapping[str, Series], *, steps: bool = False) -> None:
    for (name, (times, values)), colour in zip(series.items(), COLOURS, strict=False):
        axis.plot(times, values, color=colour, label=name, drawstyle="steps-post" if steps else "default")
    axis.set_ylabel(label)
    axis.set_ylim(bottom=0, top=axis.get_ylim()[1] * HEADROOM)
    axis.grid(visible=True, alpha=0.2)
    axis.legend(loc="upper right", fontsize=8, ncols=len(series))


def _promises(axis: Axes, promises: Mapping[str, float]) -> None:
    """Lines that ages have to stay below; groups with the same promise share one."""
    for promise in sorted(set(promises.values())):
        names = [name for name, one in promises.items() if one == promise]
        axis.axhline(promise, color=CHAPTER, linestyle=":", linewidth=1.2)
        text = f"promise of {' and '.join(names)}: {promise:g} s"
        axis.annotate(text, (0.005, promise), xycoords=("axes fraction", "data"), fontsize=8, va="bottom")
    axis.set_ylim(top=max(promises.values()) * HEADROOM)


def _mark(axis: Axes, chapters: Sequence[Mark], outages: Sequence[tuple[float, float]]) -> None:
    for mark in chapters:
        axis.axvline(mark.at, color=CHAPTER, linewidth=0.8, linestyle="--", alpha=0.6)
    for begin, end in outages:
        axis.axvspan(begin, end, color=AWAY, alpha=0.12, linewidth=0)


def _numbers(axis: Axes, chapters: Sequence[Mark]) -> None:
    """A number above each chapter's line, higher where the one before is near."""
    height, before = LOWEST, float("-inf")
    for number, mark in enumerate(chapters, 1):
        height = height + STEP if mark.at - before < NEAR else LOWEST
        before = mark.at
        axis.annotate(
            str(number),
            (mark.at, height),
            xycoords=("data", "axes fraction"),
            annotation_clip=False,
            ha="center",
            fontsize=9,
            color=CHAPTER,
            bbox={"boxstyle": "circle,pad=0.2", "facecolor": "white", "edgecolor": CHAPTER},
        )


def _legend(chapters: Sequence[Mark]) -> None:
    """What the numbers stand for, in three columns under the diagrams."""
    rows = -(-len(chapters) // 3)
    for number, mark in enumerate(chapters):
        column, row = divmod(number, rows)
        plt.figtext(
            0.06 + 0.31 * column,
            0.085 - 0.02 * row,
            f"{number + 1}  {mark.text} ({mark.at:.0f} s)",
            fontsize=10,
        )
    plt.figtext(0.985, 0.01, "red: the broker is away", fontsize=9, color=AWAY, ha="right")
