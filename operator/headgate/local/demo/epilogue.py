"""What comes after the story: table, figures and picture; or a shop that goes on for whoever wants to try. Measures nothing."""

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from headgate.local.demo.chapters import PAID, STEADY
from headgate.local.demo.picture import draw
from headgate.local.demo.promises import Row, broken, exit_code
from headgate.local.demo.report import TRY, write
from headgate.local.demo.stage import Stage
from headgate.local.demo.view import verdict

WIDTH = 150  # where there is no terminal to ask


def conclude(stage: Stage, rows: Sequence[Row], out: Path) -> int:
    """Print the table, leave figures and picture; 0 when everything promised was seen."""
    console = Console()
    console = console if console.is_terminal else Console(width=WIDTH)
    write(out / "demo.json", stage.timeline, rows)
    promised = {group.name: group.promise for group in stage.estate.groups}
    draw(stage.timeline, promised, stage.estate.names("EventTopic"), out / "demo.png")
    console.print(verdict(rows))
    missed = broken(rows)
    said = (
        f"{len(missed)} of {len(rows)} promises were NOT seen"
        if missed
        else f"all {len(rows)} promises were seen"
    )
    console.print(f"{said}, in {stage.now():.0f} s; {out / 'demo.json'}, {out / 'demo.png'}")
    return exit_code(rows)


async def linger(stage: Stage) -> None:
    """The estate once more, which finds its streams again, and steady orders; say what can be tried."""
    await stage.kubectl("apply", "-f", "-", stdin=stage.estate.yaml())
    stage.produce("again", "orders.{customer}.paid", STEADY, ledger=PAID)
    run = stage.cluster.run
    run.write_env(stage.cluster.env())
    text = TRY.format(
        kubeconfig=stage.cluster.kubeconfig,
        kubectl=stage.cluster.kubectl,
        nats=stage.nats.url,
        python=sys.executable,
        directory=run.directory,
    )
    sys.stdout.write(text)
