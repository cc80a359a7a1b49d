"""Programs that come as wheels, installed beside the project at a pinned hash. Does not know what they do."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from headgate.local.cache import Say, cache_root, locked, silent
from headgate.local.errors import LocalError

REQUIREMENTS = Path(__file__).parent / "requirements"


def installed(pin: str, say: Say = silent) -> Path:
    """The folder that holds what `requirements/<pin>.txt` names; installed there on first use.

    `bin/` holds the programs of the wheel. A folder that is there is whole: it gets its name when it is finished.
    """
    target = cache_root() / pin
    if target.is_dir():
        return target
    with locked(pin, say):
        if not target.is_dir():
            say(f"installing {pin} (once, kept in {target})")
            _install(pin, target)
    return target


def _install(pin: str, target: Path) -> None:
    unfinished = Path(tempfile.mkdtemp(prefix=f".{pin}-", dir=target.parent))
    try:
        _pip(
            "install",
            "--no-deps",
            "--require-hashes",
            "--only-binary",
            ":all:",
            "--target",
            str(unfinished),
            "--requirement",
            str(REQUIREMENTS / f"{pin}.txt"),
        )
        unfinished.chmod(0o755)
        unfinished.rename(target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _pip(*arguments: str) -> None:
    quiet = ("--quiet", "--disable-pip-version-check", "--no-input")
    done = subprocess.run(
        [sys.executable, "-m", "pip", *arguments, *quiet], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise LocalError(
            "InstallFailed", f"pip could not install what the local cluster needs:\n{done.stderr.strip()}"
        )
