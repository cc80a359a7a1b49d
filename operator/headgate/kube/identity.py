"""The name under which a process holds a Lease, chosen so that a dead holder can be told from a slow one. Sends nothing."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

PROC = Path("/proc")
FIELDS = 6


@dataclass(frozen=True, slots=True)
class Holder:
    """One process, nameable across machines and restarts."""

    host: str
    pod: str  # uid of the pod; "-" outside of one
    boot: str  # which start of which machine
    pids: str  # which space of process numbers
    pid: int
    started: str  # clock ticks since boot: tells a process from an earlier one of its number

    def __str__(self) -> str:
        return f"{self.host}_{self.pod}_{self.boot}_{self.pids}_{self.pid}_{self.started}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The holder that a Lease names; None for one that is not of ours."""
        parts = text.rsplit("_", FIELDS - 1)
        if len(parts) != FIELDS or not parts[4].isdecimal():
            return None
        return cls(parts[0], parts[1], parts[2], parts[3], int(parts[4]), parts[5])

    def outlived(self, other: Self | None, proc: Path = PROC) -> bool:
        """Whether the other one is certainly gone: a predecessor in this pod, or a process of this machine that ended.

        Without certainty its Lease has to run out.
        """
        if other is None:
            return False
        if other == self:
            return True
        if self.pod != "-" and other.pod == self.pod:
            return True
        if (other.boot, other.pids) != (self.boot, self.pids):
            return False
        return _started(other.pid, proc) != other.started


def this_process(environment: Mapping[str, str], proc: Path = PROC) -> Holder:
    """The process that asks; POD_NAME and POD_UID come from the pod's own description of itself."""
    pid = os.getpid()
    return Holder(
        host=environment.get("POD_NAME") or socket.gethostname(),
        pod=environment.get("POD_UID") or "-",
        boot=(proc / "sys/kernel/random/boot_id").read_text().strip()[:8],
        pids=str((proc / "self/ns/pid").stat().st_ino),
        pid=pid,
        started=_started(pid, proc),
    )


def _started(pid: int, proc: Path) -> str:
    """When a process was started; empty when there is none of that number, or only what is left of one."""
    try:
        after_name = (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    state, started = after_name[0], after_name[19]
    return "" if state in {"Z", "X"} else started
