"""One run of a local cluster: its directory, its mark, its owner, and how to end it from outside. Knows no program.

In the directory are `env` (once everything is ready; for a person's shell), `run.json` (whose run it is), `logs/` (stays) and
`state/` (goes with the run).
"""

import json
import os
import shutil
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from headgate.local.errors import LocalError
from headgate.local.processes import Process, new_mark, start, started_at, sweep

OWNER_LIMIT = 20.0  # seconds an owner may take to end everything by itself


@dataclass(frozen=True, slots=True)
class Run:
    """A run of this process."""

    directory: Path
    mark: str

    @property
    def state(self) -> Path:
        return self.directory / "state"

    @property
    def logs(self) -> Path:
        return self.directory / "logs"

    def start(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> Process:
        """Start a program that belongs to this run; it writes to `logs/<name>.log`."""
        return start(name, command, log=self.logs / f"{name}.log", mark=self.mark, env=env, cwd=cwd)

    def write_env(self, variables: Mapping[str, str]) -> None:
        """Publish how to reach what runs, in one step: who finds the file finds everything ready."""
        unfinished = self.directory / ".env.new"
        unfinished.write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
        unfinished.replace(self.directory / "env")

    def close(self) -> list[int]:
        """End whatever is left of the run; which processes were."""
        left = sweep(self.mark)
        _clear(self.directory)
        return left


@dataclass(frozen=True, slots=True)
class _Owner:
    """Who made the run: a process id and when that process started name one process for ever."""

    mark: str
    pid: int
    started: int

    def alive(self) -> bool:
        return started_at(self.pid) == self.started


def open_run(directory: Path) -> Run:
    """Begin a run in a directory; what a killed owner left there is ended and removed first."""
    directory = directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    owner = _owner(directory)
    if owner and owner.alive():
        raise LocalError(
            "AlreadyUp", f"a local cluster runs in {directory} already; `headgate local down --dir` ends it"
        )
    if owner:
        sweep(owner.mark)
    _clear(directory)
    pid = os.getpid()
    mine = {"mark": new_mark(), "pid": pid, "started": started_at(pid)}
    unfinished = directory / ".run.json.new"
    unfinished.write_text(json.dumps(mine))
    unfinished.replace(directory / "run.json")
    run = Run(directory, str(mine["mark"]))
    run.state.mkdir()
    run.logs.mkdir(exist_ok=True)
    return run


def end_run(directory: Path) -> list[int]:
    """End the run in a directory from outside; which processes had to be ended because their owner did not.

    A living owner is asked and given time; a dead one is no obstacle.
    """
    directory = directory.resolve()
    owner = _owner(directory)
    if owner is None:
        return []
    if owner.alive() and owner.pid != os.getpid():
        _ask_to_end(owner)
    left = sweep(owner.mark)
    _clear(directory)
    return left


def _ask_to_end(owner: _Owner) -> None:
    try:
        handle = os.pidfd_open(owner.pid)
    except ProcessLookupError:
        return
    try:
        for number, limit in ((signal.SIGTERM, OWNER_LIMIT), (signal.SIGKILL, 5.0)):
            if not owner.alive():  # asked after the handle was taken: the signal cannot reach another process
                return
            signal.pidfd_send_signal(handle, number)
            deadline = time.monotonic() + limit
            while owner.alive() and time.monotonic() < deadline:
                time.sleep(0.02)
    except ProcessLookupError:
        return
    finally:
        os.close(handle)


def _owner(directory: Path) -> _Owner | None:
    try:
        said = json.loads((directory / "run.json").read_text())
        return _Owner(str(said["mark"]), int(said["pid"]), int(said["started"]))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError) as error:
        raise LocalError("BadRun", f"{directory / 'run.json'} is not a run's: {error}") from error


def _clear(directory: Path) -> None:
    for name in ("env", "run.json"):
        (directory / name).unlink(missing_ok=True)
    shutil.rmtree(directory / "state", ignore_errors=True)
