"""Programs that see a folder as the whole system, and one more folder of their own. Does not know which programs."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from headgate.local.errors import LocalError

HOME = "/srv"  # where the program finds the folder of its own
_PATHS = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
# The mounts belong to a namespace of their own: they end with the last program in it, and nobody else sees them.
_SCRIPT = """\
mount --rbind /proc "$0/proc" && mount --rbind /dev "$0/dev" && mount --bind "$1" "$0/srv" || exit 125
root=$0; shift; exec chroot "$root" "$@"
"""


def check_rights() -> None:
    """LocalError(NoRoot) where this process may not give a program another view of the file system."""
    try:
        done = subprocess.run([*_unshare(), "true"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LocalError("NoRoot", f"unshare cannot be run: {error}; it comes with util-linux") from error
    if done.returncode:
        raise LocalError(
            "NoRoot",
            "RabbitMQ runs in a mount namespace of its own, which this user may not make: become root, or allow"
            f" unprivileged user namespaces ({done.stderr.strip()})",
        )


def inside(root: Path, own: Path, command: Sequence[str]) -> list[str]:
    """The command that runs `command` with `root` as its system and `own` at HOME; it becomes that program in the end."""
    return [*_unshare(), "sh", "-c", _SCRIPT, str(root), str(own), *command]


def _unshare() -> list[str]:
    program = shutil.which("unshare", path=_PATHS) or "unshare"
    return [program, "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"]), "--"]
