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
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from headgate.local.cache import Say, cache_root, locked, silent
from headgate.local.errors import LocalError
from headgate.local.toolchain import Toolchain, find_go

MODULE = Path(__file__).parent / "go"
PACKAGES = {  # in the order in which building one saves most for the next
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
}
ROUGHLY = {
    "etcd": 30,
    "kube-apiserver": 130,
    "kube-controller-manager": 40,
    "kubectl": 30,
}  # seconds on two cores
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
    minutes = max(1, round(sum(ROUGHLY[name] for name in names) / 60))
    say(
        f"building Kubernetes {kubernetes_version()} ({', '.join(names)}) from its Go modules: tests and demo run on the"
        f" real control plane. About {minutes} min on two cores, once; kept in {cached_binaries()}"
    )
    for stale in cache_root().glob(".build-*"):  # of a build that was killed: only one runs at a time
        shutil.rmtree(stale, ignore_errors=True)
    toolchain = find_go(say)
    scratch = Path(tempfile.mkdtemp(prefix=".build-", dir=cache_root()))
    try:
        for name in names:
            _build_one(name, toolchain, scratch, say)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _build_one(name: str, toolchain: Toolchain, scratch: Path, say: Say) -> None:
    """Build into the scratch directory, then give the program its name in one step: a half-written one is never found."""
    started = time.monotonic()
    flags = ("-p", "2", "-trimpath", "-buildvcs=false", "-ldflags", _linker_flags())
    command = [str(toolchain.go), "build", *flags, "-o", str(scratch / name), PACKAGES[name]]
    log = scratch / f"{name}.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=MODULE, env=toolchain.environment(scratch), stdout=output, stderr=subprocess.STDOUT
        )
        try:
            _wait_for(process, name, started, say)
        finally:
            process.kill()
            process.wait()
    if process.returncode:
        raise LocalError("BuildFailed", f"building {name} failed:\n{log.read_text()[-2000:].strip()}")
    cached_binaries().mkdir(exist_ok=True)
    (scratch / name).replace(cached_binaries() / name)
    say(f"  {name}: built in {time.monotonic() - started:.0f} s")


def _wait_for(process: "subprocess.Popen[bytes]", name: str, started: float, say: Say) -> None:
    while True:
        try:
            process.wait(timeout=HEARTBEAT)
        except subprocess.TimeoutExpired:
            say(
                f"  {name}: compiling for {time.monotonic() - started:.0f} s (about {ROUGHLY[name]} s where two cores are idle)"
            )
        else:
            return


def _linker_flags() -> str:
    """Without symbols, and with the version that the API server would say otherwise only in an official build."""
    version = kubernetes_version()
    major, minor, _ = version.split(".", 2)
    said = {"gitVersion": f"v{version}", "gitMajor": major, "gitMinor": minor}
    return " ".join(
        ["-s", "-w", *(f"-X k8s.io/component-base/version.{key}={value}" for key, value in said.items())]
    )
