"""Directories that show ConfigMaps, Secrets and tokens as files. Does not know where the contents come from."""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from headgate.local.errors import LocalError

CURRENT = "..data"


def project(directory: Path, files: Mapping[str, bytes]) -> bool:
    """Make the directory show exactly these files; whether anything changed.

    A reader sees the old set or the new one, never a mixture: all files live behind one link, which is replaced in one
    step, exactly as the kubelet of a real node does it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    link = directory / CURRENT
    if link.exists() and _read(link) == files:
        return False
    old = link.resolve() if link.exists() else None
    new = Path(tempfile.mkdtemp(prefix="..", dir=directory))
    for name, content in files.items():
        _write(new, name, content)
    _point(link, new.name)
    _show(directory, {PurePosixPath(name).parts[0] for name in files})
    if old:
        shutil.rmtree(old)
    return True


def _read(link: Path) -> dict[str, bytes]:
    return {str(path.relative_to(link)): path.read_bytes() for path in link.rglob("*") if path.is_file()}


def _write(root: Path, name: str, content: bytes) -> None:
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        raise LocalError("BadPath", f"a file of a volume cannot be called {name!r}")
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(content)


def _point(link: Path, target: str) -> None:
    unfinished = link.with_name(f"..{link.name}.new")
    unfinished.unlink(missing_ok=True)
    unfinished.symlink_to(target)
    unfinished.replace(link)


def _show(directory: Path, names: set[str]) -> None:
    shown = {path.name for path in directory.iterdir() if not path.name.startswith("..")}
    for name in names - shown:
        (directory / name).symlink_to(f"{CURRENT}/{name}")
    for name in shown - names:
        (directory / name).unlink()
