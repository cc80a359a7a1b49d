"""Draws the demo's timeline into a picture: arrivals, lag, oldest age against the promise, replicas. Measures nothing."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from headgate.local.demo.timeline import Mark, Timeline, Who, arrivals, of_group

COLOURS = ("#1f6feb", "#d1242f", "#2da44e")
CHAPTER, DEED = "#57606a", "#bf8700"
TOPICS = ("orders", "shipments")


def draw(timeline: Timeline, promises: Mapping[str, float], path: Path) -> None:
    """Write the picture."""
    figure, axes = plt.subplots(
        4, 1, sharex=True, figsize=(14, 11), layout="constrained", height_ratios=(2, 2, 2, 2)
    )
    _arrivals(axes[0], timeline)
    _figure(axes[1], timeline, promises, "pending", "events waiting")
    _figure(axes[2], timeline, promises, "age", "oldest waiting event, s")
    for (name, promise), colour in zip(promises.items(), COLOURS, strict=False):
        axes[2].axhline(promise, color=colour, linestyle=":", linewidth=1)
        axes[2].annotate(
            f"promise of {name}: {promise:g} s", (0, promise), color=colour, fontsize=8, va="bottom"
        )
    _figure(axes[3], timeline, promises, "replicas", "replicas asked for", steps=True)
    chapters = [mark for mark in timeline.marks if mark.who is Who.STORY]
    for axis in axes:
        _chapters(axis, chapters)
        axis.grid(visible=True, alpha=0.2)
        axis.set_ylim(bottom=0)
    _names(axes[0], chapters)
    axes[3].set_xlabel("seconds since the beginning")
    figure.suptitle("Headgate demo: the shop's events on a real cluster and a real broker", fontsize=14)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _arrivals(axis: Axes, timeline: Timeline) -> None:
    for topic, colour in zip(TOPICS, (COLOURS[0], COLOURS[2]), strict=True):
        axis.plot(*arrivals(timeline.samples, topic), color=colour, label=topic)
    axis.set_ylabel("events arriving per second")
    axis.legend(loc="upper right", fontsize=8)


def _figure(
    axis: Axes,
    timeline: Timeline,
    groups: Mapping[str, float],
    figure: str,
    label: str,
    *,
    steps: bool = False,
) -> None:
    for name, colour in zip(groups, COLOURS, strict=False):
        times, values = of_group(timeline.samples, name, figure)
        axis.plot(times, values, color=colour, label=name, drawstyle="steps-post" if steps else "default")
    axis.set_ylabel(label)
    axis.legend(loc="upper right", fontsize=8)


def _chapters(axis: Axes, chapters: Sequence[Mark]) -> None:
    for mark in chapters:
        axis.axvline(mark.at, color=CHAPTER, linewidth=0.8, linestyle="--", alpha=0.6)


def _names(axis: Axes, chapters: Sequence[Mark]) -> None:
    """Every chapter's headline above its line, slanted so that short chapters do not cover each other."""
    for mark in chapters:
        axis.annotate(
            mark.text,
            (mark.at, 1.02),
            xycoords=("data", "axes fraction"),
            rotation=22,
            fontsize=8,
            color=CHAPTER,
        )
