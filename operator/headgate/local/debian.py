"""Folders made of Debian packages, beside whatever Debian this machine runs. Does not know what the packages do.

Apt gets a state of its own in which nothing is installed, so that it fetches all that a package needs, and nothing of the
machine's own packages is read or changed. The mirror is the one that the machine's apt uses.
"""

import os
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from headgate.local.cache import Say, cache_root, locked, silent
from headgate.local.commands import finish
from headgate.local.errors import LocalError

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
MIRROR = "HEADGATE_DEBIAN_MIRROR"  # the address of a mirror, where apt's own sources have none
FIRST = "base-files"  # makes the links (/bin, /lib) that every other package is unpacked over


def debian_tree(
    name: str, suite: str, packages: Sequence[str], *, complete: Callable[[Path], None], say: Say = silent
) -> Path:
    """The folder that holds these packages of a suite and all they need, made on first use.

    `complete` does what the scripts of the packages would have done. A folder that is there is whole: it gets its name
    when it is finished.
    """
    target = cache_root() / f"{name}-{suite}"
    if target.is_dir():
        return target
    with locked(target.name, say):
        if not target.is_dir():
            _make(target, suite, packages, complete, say)
    return target


def _make(
    target: Path, suite: str, packages: Sequence[str], complete: Callable[[Path], None], say: Say
) -> None:
    source = _source(suite)
    for stale in target.parent.glob(
        f".{target.name}-*"
    ):  # of somebody who was killed: only one is here at a time
        shutil.rmtree(stale, ignore_errors=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        say(f"fetching {packages[0]} of Debian {suite} (some 90 MB; once, kept in {target})")
        archives = _fetch(scratch / "apt", source, packages, say)
        say(f"unpacking {len(archives)} packages (half a minute)")
        root = scratch / "root"
        _unpack(archives, root, scratch / "log")
        complete(root)
        root.chmod(0o755)
        root.rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _source(suite: str) -> str:
    """The line of a sources.list for a suite."""
    if missing := [name for name in ("apt-get", "dpkg") if shutil.which(name) is None]:
        raise LocalError(
            "NoApt",
            f"{' and '.join(missing)} not found: RabbitMQ comes as Debian packages; run this on Debian",
        )
    if not KEYRING.exists():
        raise LocalError("NoKeyring", f"{KEYRING} is missing: install the package debian-archive-keyring")
    return f"deb [signed-by={KEYRING}] {os.environ.get(MIRROR) or _mirror()} {suite} main\n"


def _mirror() -> str:
    """Where the machine's own apt finds its release of Debian."""
    codename = _os_release().get("VERSION_CODENAME", "")
    said = subprocess.run(
        ["apt-get", "update", "--print-uris"], capture_output=True, text=True, timeout=60, check=False
    )
    found = re.search(rf"^'(\S+?)/dists/{re.escape(codename)}/InRelease'", said.stdout, re.MULTILINE)
    if not codename or found is None:
        raise LocalError("NoMirror", f"apt on this machine knows no mirror of Debian: set {MIRROR} to one")
    return found[1]


def _os_release() -> dict[str, str]:
    try:
        said = platform.freedesktop_os_release()
    except OSError:
        return {}
    return said if said.get("ID") == "debian" else {}


def _fetch(directory: Path, source: str, packages: Sequence[str], say: Say) -> list[Path]:
    config = _configure(directory, source)
    apt = ("apt-get", "--config-file", config, "--quiet", "--yes")
    log = directory.with_suffix(".log")
    finish((*apt, "update"), what="reading Debian's lists", reason="AptFailed", log=log, say=say)
    wanted = (*packages, FIRST)
    finish(
        (*apt, "install", "--download-only", *wanted),
        what="fetching Debian's packages",
        reason="AptFailed",
        log=log,
        say=say,
    )
    found = sorted((directory / "var/cache/apt/archives").glob("*.deb"))
    return sorted(found, key=lambda archive: not archive.name.startswith(f"{FIRST}_"))


def _configure(directory: Path, source: str) -> Path:
    """The folders and the configuration of an apt that knows nothing of this machine's packages."""
    places = ("etc/apt", "var/lib/apt/lists/partial", "var/lib/dpkg", "var/cache/apt/archives/partial")
    for place in places:
        (directory / place).mkdir(parents=True)
    status = directory / "var/lib/dpkg/status"
    status.touch()
    (directory / "etc/apt/sources.list").write_text(source)
    config = directory / "apt.conf"
    hooks = ("APT::Update::Post-Invoke", "APT::Update::Post-Invoke-Success", "DPkg::Post-Invoke")
    lines = [
        *(f"#clear {hook};" for hook in hooks),  # of this machine, about this machine's packages
        f'Dir "{directory}";',
        f'Dir::State::status "{status}";',
        'Acquire::Languages "none";',
        'Acquire::Retries "3";',
        'APT::Install-Recommends "false";',
        'APT::Sandbox::User "root";',
    ]
    config.write_text("\n".join(lines) + "\n")
    return config


def _unpack(archives: Sequence[Path], root: Path, log: Path) -> None:
    root.mkdir()
    for archive in archives:
        what = f"unpacking {archive.name}"
        finish(("dpkg", "--extract", archive, root), what=what, reason="UnpackFailed", log=log)
