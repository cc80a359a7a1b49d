"""Shows the story while it goes on: a live view on a terminal, else one line per event. Only shows; measures nothing."""

import asyncio
import sys
from collections.abc import Mapping, Sequence

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from headgate.local.demo.promises import Row
from headgate.local.demo.stage import Stage
from headgate.local.demo.timeline import Mark, Sample, Timeline, Who

REDRAWS = 4  # a second
LINES, FEWEST = 9, 3  # of what happened
WIDE = 120  # columns that panels beside each other take
FRAME, FRAME_WIDE = 24, 17  # lines of everything else
STYLES: Mapping[Who, str] = {
    Who.STORY: "bold cyan",
    Who.US: "yellow",
    Who.OPERATOR: "green",
    Who.SEEN: "bold",
}
WORDS: Mapping[Who, str] = {Who.STORY: "==>", Who.US: "shop", Who.OPERATOR: "headgate", Who.SEEN: "seen"}
BAR = 12


async def show(stage: Stage, console: Console) -> None:
    """Until cancelled."""
    if console.is_terminal:
        await _live(stage, console)
    else:
        await _lines(stage.timeline)


async def _live(stage: Stage, console: Console) -> None:
    promises = {group.name: group.promise for group in stage.estate.groups}
    with Live(console=console, refresh_per_second=REDRAWS, transient=True) as live:
        while True:
            live.update(screen(stage.timeline, promises, stage.now(), console.width, console.height))
            await asyncio.sleep(1 / REDRAWS)


async def _lines(timeline: Timeline) -> None:
    told = 0
    try:
        while True:
            told = _tell(timeline.marks, told)
            await asyncio.sleep(1 / REDRAWS)
    finally:
        _tell(timeline.marks, told)


def _tell(marks: Sequence[Mark], told: int) -> int:
    for mark in marks[told:]:
        sys.stdout.write(f"{plain(mark)}\n")
    sys.stdout.flush()
    return len(marks)


def plain(mark: Mark) -> str:
    """One event as a line."""
    return f"{mark.at:6.1f} s  {WORDS[mark.who]:>8}  {mark.text}"


def screen(
    timeline: Timeline, promises: Mapping[str, float], now: float, width: int = 130, height: int = 50
) -> RenderableType:
    """Everything at one look; on a narrow terminal below each other, on a low one with fewer lines of what happened."""
    sample, wide = timeline.last, width >= WIDE
    away = Text("  the broker is away", style="bold red") if sample.away else Text("")
    head = Text.assemble((timeline.headline(), "bold cyan"), f"   {now:.0f} s", away)
    groups = Panel(_groups(sample, promises), title="groups")
    stores = Panel(_stores(sample), title="topics, dead letters")
    lines = max(FEWEST, min(LINES, (height - (FRAME_WIDE if wide else FRAME)) // 2))
    return Group(
        Panel(head, title="Headgate"),
        *((_beside(groups, stores),) if wide else (groups, stores)),
        Panel(_feed(timeline.marks, lines, operator=True), title="what the operator did"),
        Panel(_feed(timeline.marks, lines, operator=False), title="what happened"),
    )


def _beside(left: RenderableType, right: RenderableType) -> RenderableType:
    grid = Table.grid(expand=True, padding=(0, 1))
    grid.add_column(ratio=5)
    grid.add_column(ratio=3)
    grid.add_row(left, right)
    return grid


def _groups(sample: Sample, promises: Mapping[str, float]) -> RenderableType:
    table = _table("group", "waiting", "in flight", "oldest", "", "replicas")
    for sight in sample.groups:
        promise = promises.get(sight.name, 1.0)
        filled = min(BAR, round(BAR * sight.age / promise))
        colour = "red" if sight.age > promise else "yellow" if sight.age > promise / 2 else "green"
        bar = Text.assemble(("█" * filled, colour), ("░" * (BAR - filled), "dim"))
        replicas = f"{sight.ready}/{sight.replicas}"
        age = f"{sight.age:.0f} of {promise:.0f} s"
        table.add_row(sight.name, str(sight.pending), str(sight.in_flight), age, bar, replicas)
    return table


def _stores(sample: Sample) -> RenderableType:
    table = _table("", "events", "")
    for topic in sample.topics:
        table.add_row(topic.name, str(topic.messages), f"kept {topic.kept / 3600:.0f} h")
    for queue in sample.queues:
        table.add_row(Text(queue.name, style="red"), str(queue.depth), "")
        for group, reason, count in queue.letters:
            table.add_row(Text(f"  {group}", style="dim"), str(count), reason)
    return table


def _feed(marks: Sequence[Mark], most: int, *, operator: bool) -> RenderableType:
    chosen = [mark for mark in marks if (mark.who is Who.OPERATOR) == operator][-most:]
    lines = [
        Text.assemble((f"{m.at:6.1f} s ", "dim"), (m.text, STYLES[m.who]), no_wrap=True, overflow="ellipsis")
        for m in chosen
    ]
    return Group(*lines, *(Text("") for _ in range(most - len(lines))))


def _table(*columns: str) -> Table:
    table = Table(box=None, expand=True, padding=(0, 1))
    for name in columns:
        table.add_column(name, no_wrap=True, header_style="dim")
    return table


def verdict(rows: Sequence[Row]) -> Table:
    """The table at the end."""
    table = Table(title="promised / seen", title_justify="left", show_lines=False)
    for name in ("", "what", "promised", "seen"):
        table.add_column(name, overflow="fold")
    for row in rows:
        mark = Text("ok", style="green") if row.kept else Text("NOT SEEN", style="bold red")
        table.add_row(mark, row.what, row.promised, row.seen)
    return table
