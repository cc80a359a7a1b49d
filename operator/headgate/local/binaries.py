"""The programs of the control plane: found where they are, else built once. Does not know how they are run.

Looked for in this order, each part by itself: the directory KUBEBUILDER_ASSETS names, the project's cache, a build from
the Go modules pinned in `go/go.mod` (that file alone says which Kubernetes it is). After a build its build cache goes, and
so do the modules where Go came from the wheel; the module cache of the machine's own Go is used and stays.
"""

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from headgate.local.cache import Say, cache_root, locked, silent
from headgate.local.errors import LocalError
from headgate.local.toolchain import Toolchain, find_go

MODULE = Path(__file__).parent / "go"
PACKAGES = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
}
ROUGHLY = 6  # minutes on two cores, all of them
HEARTBEAT = 20.0  # seconds between two signs of life of a long build


@dataclass(frozen=True, slots=True)
class Binaries:
    """Where each program of the control plane is."""

    etcd: Path
    kube_apiserver: Path
    kube_controller_manager: Path
    kubectl: Path


def kubernetes_version() -> str:
    """The pinned version, without a leading v."""
    found = re.search(r"^\s*k8s\.io/kubernetes v(\S+)$", (MODULE / "go.mod").read_text(), re.MULTILINE)
    if found is None:
        raise LocalError("NoVersion", f"{MODULE / 'go.mod'} does not require k8s.io/kubernetes")
    return found[1]


def cached_binaries() -> Path:
    """The directory that keeps what was built."""
    return cache_root() / kubernetes_version()


def resolve(say: Say = silent) -> Binaries:
    """Every program, built now where that is necessary; a build takes minutes and happens once."""
    if missing := [name for name in PACKAGES if _find(name) is None]:
        with locked("control-plane", say):
            _build([name for name in missing if _find(name) is None], say)
    found = {name.replace("-", "_"): path for name in PACKAGES if (path := _find(name))}
    return Binaries(**found)


def _find(name: str) -> Path | None:
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    places = [Path(assets)] if assets else []
    return next((where / name for where in (*places, cached_binaries()) if _runnable(where / name)), None)


def _runnable(program: Path) -> bool:
    """Whether it starts here: an archive of another architecture has the same names."""
    if not os.access(program, os.X_OK) or not program.is_file():
        return False
    words = ["version", "--client"] if program.name == "kubectl" else ["--version"]
    try:
        return subprocess.run([program, *words], capture_output=True, timeout=60, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _build(names: Iterable[str], say: Say) -> None:
    names = list(names)
    if not names:
        return
    say(
        f"building Kubernetes {kubernetes_version()} ({', '.join(names)}) from its Go modules: tests and demo run on the"
        f" real control plane. About {ROUGHLY} min on two cores, once; kept in {cached_binaries()}"
    )
    for stale in cache_root().glob(".build-*"):  # of a build that was killed: only one runs at a time
        shutil.rmtree(stale, ignore_errors=True)
    toolchain = find_go(say)
    scratch = Path(tempfile.mkdtemp(prefix=".build-", dir=cache_root()))
    try:
        _build_in(scratch, names, toolchain, say)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _build_in(scratch: Path, names: list[str], toolchain: Toolchain, say: Say) -> None:
    """Build all at once, then give each program its name in one step: a half-written one is never found."""
    started = time.monotonic()
    wanted = [PACKAGES[name] for name in names]

    def fetching(log: Path) -> str:
        return f"fetching the sources: {log.read_text().count('go: downloading'):,} modules"

    packages = len(_lines(_go(toolchain, scratch, ("list", "-deps", *wanted), fetching, say)))

    def compiling(log: Path) -> str:
        return f"{len(_lines(log)):,} of {packages:,} packages compiled"

    flags = ("-p", "2", "-trimpath", "-buildvcs=false", "-gcflags=all=-dwarf=false")
    linked = ("-ldflags", _linker_flags(), "-o", f"{scratch}{os.sep}")
    _go(toolchain, scratch, ("build", "-v", *flags, *linked, *wanted), compiling, say)
    cached_binaries().mkdir(exist_ok=True)
    for name in names:
        (scratch / _built_as(PACKAGES[name])).replace(cached_binaries() / name)
    say(f"  built in {time.monotonic() - started:.0f} s")


def _go(
    toolchain: Toolchain, scratch: Path, words: tuple[str, ...], progress: Callable[[Path], str], say: Say
) -> Path:
    """Run it to its end with a sign of life now and then; the file with all that it said."""
    log = scratch / f"{words[0]}.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [toolchain.go, *words],
            cwd=MODULE,
            env=toolchain.environment(scratch),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_for(process, lambda: progress(log), say)
    finally:
        process.kill()
        process.wait()
    if process.returncode:
        raise LocalError("BuildFailed", f"go {words[0]} failed:\n{log.read_text()[-2000:].strip()}")
    return log


def _lines(log: Path) -> list[str]:
    """The packages that it names, not what Go says about fetching them."""
    return [line for line in log.read_text().splitlines() if not line.startswith(("go: ", "#"))]


def _built_as(package: str) -> str:
    """How Go calls a program: after its directory, unless that only says which major version it is."""
    *_, before, last = package.split("/")
    return before if re.fullmatch(r"v\d+", last) else last


def _wait_for(process: "subprocess.Popen[bytes]", progress: Callable[[], str], say: Say) -> None:
    started = time.monotonic()
    while True:
        say(f"  {progress()} after {time.monotonic() - started:.0f} s")
        try:
            process.wait(timeout=HEARTBEAT)
        except subprocess.TimeoutExpired:
            continue
        return


def _linker_flags() -> str:
    """Without symbols, and with the version that the API server would say otherwise only in an official build."""
    version = kubernetes_version()
    major, minor, _ = version.split(".", 2)
    said = {"gitVersion": f"v{version}", "gitMajor": major, "gitMinor": minor}
    return " ".join(
        ["-s", "-w", *(f"-X k8s.io/component-base/version.{key}={value}" for key, value in said.items())]
    )
