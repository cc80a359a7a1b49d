"""Programs that run once and take their time: signs of life, a limit, an error with their words. Knows none of them."""

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from headgate.local.cache import Say, silent
from headgate.local.errors import LocalError

HEARTBEAT = 20.0  # seconds between two signs of life
LIMIT = 900.0  # seconds; whoever fetches over a dead network says so in the end


def finish(
    command: Sequence[str | Path],
    *,
    what: str,
    reason: str,
    log: Path,
    say: Say = silent,
    env: Mapping[str, str] | None = None,
) -> None:
    """Run it to its end; LocalError(reason) with the end of what it wrote when it fails or takes for ever."""
    started = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
        )
        try:
            _wait_for(process, what, started, say)
        finally:
            process.kill()
            process.wait()
    if process.returncode:
        raise LocalError(reason, f"{what} failed:\n{log.read_text(errors='replace')[-2000:].strip()}")


def _wait_for(process: "subprocess.Popen[bytes]", what: str, started: float, say: Say) -> None:
    while (taken := time.monotonic() - started) < LIMIT:
        try:
            process.wait(timeout=HEARTBEAT)
        except subprocess.TimeoutExpired:
            say(f"  {what}: for {taken + HEARTBEAT:.0f} s now")
        else:
            return
