"""Lives that begin at once: a process that has everything imported forks for each of them. Knows no fault.

What is started is the real program with its real words, in a process, a session and a log of its own, and dies like any
other. Only the second that Python takes to import it all is spent once and not for each of a thousand starts.
"""

import asyncio
import contextlib
import importlib
import json
import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from headgate.local.run import Run
from headgate.local.waiting import until

IMPORTED = (
    "headgate.cli.run",
    "headgate.cli.mover",
    "headgate.engine.operator",
    "headgate.handlers.process",
    "headgate.kube.client",
    "headgate.mover.serve",
    "headgate.telemetry.metrics",
)
TURN = 0.2  # seconds until the dead are buried, where nobody asks for a birth


@dataclass(slots=True)
class Child:
    """One process, held by a handle that never means another one."""

    pid: int
    handle: int

    @property
    def running(self) -> bool:
        """Whether it did not end yet."""
        return not select.select([self.handle], [], [], 0)[0]

    def signal(self, number: signal.Signals) -> None:
        """Send; one that is gone already is no error."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.handle, number)

    async def ended(self) -> None:
        """Return once it has ended."""
        if self.running:
            over, loop = asyncio.Event(), asyncio.get_running_loop()
            loop.add_reader(self.handle, over.set)
            try:
                await over.wait()
            finally:
                loop.remove_reader(self.handle)

    async def kill(self) -> None:
        """SIGKILL."""
        self.signal(signal.SIGKILL)
        await self.ended()
        os.close(self.handle)


@dataclass(frozen=True, slots=True)
class Nursery:
    """Where to ask for a new process."""

    address: str

    def start(self, words: Sequence[str], log: Path, env: Mapping[str, str]) -> Child:
        """`headgate` with these words and variables; what it writes is appended to the log."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asking:
            asking.connect(self.address)
            asking.send(json.dumps({"words": list(words), "log": str(log), "env": dict(env)}).encode())
            answer, handles, _, _ = socket.recv_fds(asking, 64, 1)
        return Child(int(answer), handles[0])


@asynccontextmanager
async def nursery(run: Run, name: str) -> AsyncIterator[Nursery]:
    """A nursery for the length of a block."""
    address = run.state / f"{name}.socket"
    process = run.start(name, [sys.executable, Path(__file__), address])

    async def is_open() -> bool:
        assert process.running, process.tail()
        return address.exists()

    await until("the nursery is open", is_open)
    try:
        yield Nursery(str(address))
    finally:
        await process.kill()


def main(address: str) -> None:
    """Fork for everybody who asks, and bury who ended."""
    for module in IMPORTED:
        importlib.import_module(module)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(f"{address}.new")
        listening.listen(64)
        Path(f"{address}.new").rename(address)
        listening.settimeout(TURN)
        while True:
            _bury()
            with contextlib.suppress(TimeoutError):
                _serve(listening)


def _serve(listening: socket.socket) -> None:
    asking, _ = listening.accept()
    with asking:
        order = json.loads(asking.recv(2**16))
        pid = os.fork()
        if pid == 0:
            listening.close()
            asking.close()
            _live(order["words"], order["log"], order["env"])
        handle = os.pidfd_open(pid)
        try:
            socket.send_fds(asking, [str(pid).encode()], [handle])
        finally:
            os.close(handle)


def _bury() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _live(words: list[str], log: str, env: dict[str, str]) -> None:
    """From here on this is the program, and nothing else."""
    os.setsid()
    with open(log, "ab") as output, open(os.devnull, "rb") as nothing:  # noqa: PTH123  (nothing is loaded for it)
        os.dup2(nothing.fileno(), 0)
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    os.environ.update(env)
    sys.argv[1:] = words
    from headgate.cli import main as headgate  # noqa: PLC0415  (the program itself)

    code = 1
    try:
        code = headgate(words)
    except BaseException:  # noqa: BLE001  (nothing of this may run on as a nursery)
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1])
