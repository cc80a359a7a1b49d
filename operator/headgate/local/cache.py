"""Where things that were built or installed once are kept between runs. Does not know what they are."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

Say = Callable[[str], None]  # takes one line of progress


def silent(_line: str) -> None:
    """Progress for callers that show none."""


def cache_root() -> Path:
    """The cache directory of this project for this user; made when it is missing."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    root = Path(base) / "headgate"
    root.mkdir(parents=True, exist_ok=True)
    return root


@contextmanager
def locked(name: str, say: Say = silent) -> Iterator[None]:
    """Only one process at a time gets past here for one name; the kernel frees the lock of a killed one."""
    with (cache_root() / f"{name}.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another process that works on {name}")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
