"""Programs started, watched and ended as one run. Does not know what any of them does.

Every process of a run, and whatever it starts in turn, carries the run's mark in its environment. So `sweep` finds exactly
the processes of a run, whoever is still alive to remember them: there is no moment between starting a process and writing
it down, and a process id that was given to somebody else since is never touched.
"""

import asyncio
import contextlib
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from headgate.local.errors import LocalError

MARK = "HEADGATE_LOCAL_RUN"
GRACE = 5.0  # seconds between asking and killing


def new_mark() -> str:
    """A value no other run has."""
    return secrets.token_hex(12)


@dataclass(slots=True)
class Process:
    """One started program, leader of a process group of its own."""

    name: str
    popen: "subprocess.Popen[bytes]"
    log: Path

    @property
    def running(self) -> bool:
        if self.popen.returncode is not None:
            return False
        look = os.WEXITED | os.WNOHANG | os.WNOWAIT  # leaves the exit code, and with it the id, to `wait`
        return os.waitid(os.P_PID, self.popen.pid, look) is None

    def signal(self, number: signal.Signals) -> None:
        """Send to the whole group; one that is gone already is no error."""
        if self.popen.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.popen.pid, number)

    async def wait(self, timeout: float | None = None) -> int:  # noqa: ASYNC109  (callers want TimeoutError here)
        """The exit code, negative for a signal; what the program left of its group ends with it."""
        async with asyncio.timeout(timeout):
            await self._exit()
        self.signal(
            signal.SIGKILL
        )  # before the exit code is taken: until then the id of the group is nobody else's
        return self.popen.wait()

    async def stop(self, grace: float = GRACE) -> int:
        """Ask to end, wait, then end it."""
        self.signal(signal.SIGTERM)
        try:
            return await self.wait(grace)
        except TimeoutError:
            return await self.kill()

    async def kill(self) -> int:
        """End it at once."""
        self.signal(signal.SIGKILL)
        return await self.wait()

    async def _exit(self) -> None:
        """Return once the program has ended; the kernel wakes us, nothing is polled."""
        if not self.running:
            return
        ended = asyncio.Event()
        handle = os.pidfd_open(self.popen.pid)
        loop = asyncio.get_running_loop()
        try:
            loop.add_reader(handle, ended.set)
            await ended.wait()
        finally:
            loop.remove_reader(handle)
            os.close(handle)

    def tail(self, size: int = 2000) -> str:
        """The end of what it wrote, for an error message."""
        return self.log.read_text(errors="replace")[-size:].strip() if self.log.exists() else ""


def start(
    name: str,
    command: Sequence[str | Path],
    *,
    log: Path,
    mark: str,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Process:
    """Start a program in a session of its own, its output appended to `log`; `env` None hands on this process's own."""
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = {**(os.environ if env is None else env), MARK: mark}
    try:
        with log.open("ab") as output:
            popen = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=cwd,
                start_new_session=True,
            )
    except OSError as error:
        raise LocalError("CannotStart", f"{name} cannot be started: {error}") from error
    return Process(name, popen, log)


def marked(mark: str) -> list[int]:
    """The ids of all living processes of a run."""
    return [pid for pid in _all_pids() if pid != os.getpid() and _has_mark(pid, mark)]


def sweep(mark: str, grace: float = GRACE) -> list[int]:
    """End every process of a run, gently first, and say which there were; returns when none is left."""
    found = marked(mark)
    _signal_marked(found, mark, signal.SIGTERM)
    deadline = time.monotonic() + grace
    while marked(mark) and time.monotonic() < deadline:
        time.sleep(0.02)
    while rest := marked(mark):  # what is killed here may just have started something
        _signal_marked(rest, mark, signal.SIGKILL)
        time.sleep(0.02)
    return found


def _signal_marked(pids: Sequence[int], mark: str, number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            handle = os.pidfd_open(pid)
            try:
                if _has_mark(
                    pid, mark
                ):  # read after the handle was taken: the signal goes to what was looked at
                    signal.pidfd_send_signal(handle, number)
            finally:
                os.close(handle)


def _all_pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208  (names are all that is needed)


def _has_mark(pid: int, mark: str) -> bool:
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False  # gone, a zombie, or somebody else's
    return f"{MARK}={mark}".encode() in environment.split(b"\0")


def started_at(pid: int) -> int | None:
    """When a process started, in ticks since boot: with the id it names one process for ever. None when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    state, start = fields[0], int(fields[19])
    return None if state == "Z" else start
