"""Real workers against the simulator: traces at true speed under a real operator, beside what the simulator predicts.

What was seen stays in out/reality.json, so that a prediction can be made again without another replay (--again).
"""

import argparse
import asyncio
import json
import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.compared import Line, Seen, circumstances, compared, table
from bench.replaying import POLICY, replayed
from bench.replays import REPLAYS, Measured, Replay
from bench.theatre import theatre

OUT, PAGE = Path("out/reality.json"), Path("docs/simulation.md")
BEGIN, END = "<!-- reality: make reality -->", "<!-- end of reality -->"
Kept = dict[str, tuple[Replay, Seen]]


def read() -> Kept:
    """What was seen by earlier runs."""
    found: dict[str, Any] = json.loads(OUT.read_text()) if OUT.exists() else {}
    return {
        name: (REPLAYS[name].cut(len(each["ages"])), _seen(each))
        for name, each in found.items()
        if name in REPLAYS
    }


def _seen(each: dict[str, Any]) -> Seen:
    return Seen(
        ages=tuple(each["ages"]),
        pending=tuple(each["pending"]),
        workers=tuple(each["workers"]),
        replicas=tuple((at, count) for at, count in each["replicas"]),
        measured=Measured(**each["measured"]),
        load=each["load"],
        dead=each["dead"],
        doomed=each["doomed"],
        policy=each["policy"],
        said=tuple(each["said"]),
    )


def write(kept: Kept) -> None:
    """Keep everything that was seen, with what came of it."""
    OUT.parent.mkdir(parents=True, exist_ok=True)
    found = {
        name: {**asdict(seen), "figures": [asdict(line) for line in compared(replay, seen)]}
        for name, (replay, seen) in kept.items()
    }
    OUT.write_text(json.dumps(found, indent=1) + "\n")


def report(kept: Kept) -> str:
    """The table and what held meanwhile, as it is printed and as it stands on the page."""
    lines: list[Line] = [line for replay, seen in kept.values() for line in compared(replay, seen)]
    held = "".join(f"- {circumstances(name, seen)}.\n" for name, (_, seen) in kept.items())
    policies = ", ".join(sorted({seen.policy for _, seen in kept.values()}))
    where = f"On {os.cpu_count()} cores that other programs used too, decided by the code with the digest {policies}"
    return f"\n{table(lines)}\n{where}:\n\n{held}\n"


def document(text: str, found: str) -> str:
    """The page with its part about real workers renewed."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError("the page has no place for what was replayed")
    return f"{before}{begin}\n{found}{end}{after}"


async def play(replays: list[Replay]) -> Kept:
    """One after the other on one cluster; what was seen is kept as soon as it was."""
    kept = read()
    async with theatre() as stage:
        for replay in replays:
            print(f"==> {replay.name}: {replay.about} ({len(replay.rates)} s)", flush=True)
            kept[replay.name] = (replay, await replayed(stage, replay))
            write(kept)
            print(report({replay.name: kept[replay.name]}), flush=True)
    return kept


def main() -> int:
    """What is far from its prediction is said in the table; a busy machine is no reason to fail."""
    parser = argparse.ArgumentParser(prog="python -m bench.reality", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(REPLAYS)}; left out: all")
    parser.add_argument("--minutes", type=float, default=4, help="each is over after so many; 4")
    parser.add_argument("--again", action="store_true", help="replay nothing, predict what was seen again")
    parser.add_argument("--document", action="store_true", help=f"put all that is kept into {PAGE}")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is ended on the way out
    if unknown := set(asked.names) - REPLAYS.keys():
        parser.error(f"no such replay: {', '.join(sorted(unknown))}")
    names = asked.names or list(REPLAYS)
    chosen = [REPLAYS[name].cut(int(asked.minutes * 60)) for name in names]
    kept = read() if asked.again else asyncio.run(play(chosen))
    write(kept)
    print(report(kept))
    for name, (_, seen) in kept.items():
        if seen.policy != POLICY:
            print(f"{name} was replayed under other code than that which predicts here")
    if asked.document:
        PAGE.write_text(document(PAGE.read_text(), report(kept)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
